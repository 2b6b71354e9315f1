"""The activity: outcome, log and heartbeats of one request, and how it is stopped."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
from temporalio.activity import ActivityCancellationDetails
from temporalio.client import Client
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities import HttpActivities
from activities.watching import Watch
from contracts.events import EventRequest, EventSpec
from contracts.results import Status
from contracts.runs import RunOutcome, RunProgress, RunRequest
from engines.http import HttpConfig, HttpEngine
from engines.secrets import SecretStore
from logstream import SpoolDirectory
from tests.http_servers import LOOPBACK, Seen, event_of, ok, serving

TOKEN = "s3cr3t-t0k3n"


class Observed(Watch):
    def __init__(self, outcomes: list[RunOutcome]) -> None:
        self._outcomes = outcomes

    def ended(self, run: RunRequest, outcome: RunOutcome) -> None:
        self._outcomes.append(outcome)


class Host:
    """What a worker has for requests, on a spool directory of the test's own."""

    def __init__(self, directory: Path) -> None:
        self.spools = SpoolDirectory(directory)
        self.observed: list[RunOutcome] = []
        self.activities = HttpActivities(
            engine=HttpEngine(HttpConfig(addresses=LOOPBACK)),
            spools=self.spools,
            secrets=SecretStore({"TOKEN": TOKEN}, ["TOKEN"]),
            # Asked for claims alone, which a GET needs none of.
            client=cast(Client, None),
            host="h1",
            heartbeat_interval=0.02,
            log_cap=1 << 20,
            watch=Observed(self.observed),
        )
        self.environment = ActivityEnvironment()
        self.beats: list[RunProgress] = []
        self.under_way = asyncio.Event()
        self.environment.on_heartbeat = self._beat

    def _beat(self, progress: RunProgress) -> None:
        self.beats.append(progress)
        if progress.phase == "running":
            self.under_way.set()

    async def run(self, event: EventSpec, data: Any = None) -> RunOutcome:
        request = EventRequest(execution_id="x1", event=event, input=data)
        run = RunRequest(
            request=request, target="local", attempt=2, max_attempts=3, run_key="k1"
        )
        return await self.environment.run(self.activities.run_http, run)

    def log(self) -> list[tuple[str, str]]:
        spool = self.spools.spools["k1"]
        assert spool.completed
        frames = spool.read(0, 1 << 20)
        records = [json.loads(payload) for _, payload in frames if payload]
        return [
            (r["stream"], line)
            for r in records
            if r.get("kind") == "lines"
            for line in r["lines"]
        ]


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path / "spool")


async def stopped(
    host: Host, cancel: Callable[[], None], event: EventSpec
) -> asyncio.Task[RunOutcome]:
    """Run an event until its first heartbeat under way, then stop it."""
    task = asyncio.ensure_future(host.run(event))
    await asyncio.wait_for(host.under_way.wait(), 10)
    cancel()
    await asyncio.wait([task], timeout=10)
    return task


async def hang(_: Seen, __: asyncio.StreamWriter) -> bytes:
    await asyncio.Event().wait()
    return b""


async def test_an_answer_becomes_a_result_and_a_log(host: Host) -> None:
    async def answer(seen: Seen, _: asyncio.StreamWriter) -> bytes:
        await asyncio.sleep(0.1)
        body = json.dumps({"token": seen.one("authorization")}).encode()
        return ok(body, "Content-Type: application/json")

    async with serving(answer) as server:
        outcome = await host.run(
            event_of(
                server.url + "/{{ event.attempt }}/{{ input.a }}",
                auth={"kind": "bearer", "token": {"secret": "TOKEN"}},
            ),
            {"a": "b"},
        )
    assert (outcome.status, outcome.exit_code, outcome.error) == (
        Status.SUCCESS,
        0,
        None,
    )
    assert outcome.output["status"] == 200
    assert outcome.output["json"] == {"token": "Bearer ***"}
    assert server.seen[0].target == "/2/b"
    assert outcome.durations.execution_ms >= 100
    assert outcome.durations.total_ms >= outcome.durations.execution_ms
    log = host.log()
    assert log[0] == ("system", "try 2/3 of ping on h1")
    assert log[1] == ("stdout", f"> GET {server.url}/2/b")
    assert ("stdout", "> Authorization: ***") in log
    assert outcome.logs.stored == len(log)
    assert outcome.logs.lines == len(log) - 1
    beats = [beat for beat in host.beats if beat.phase == "running"]
    assert beats[-1].host == "h1"
    assert any(beat.tail and beat.tail[-1].startswith("> ") for beat in beats)
    assert host.observed == [outcome]
    told = outcome.model_dump_json() + str(log) + str(host.beats)
    assert TOKEN not in told


async def test_a_failure_is_a_result_with_its_answer(host: Host) -> None:
    async with serving(ok(b"why", status="500 Oops")) as server:
        outcome = await host.run(event_of(server.url))
    assert (outcome.status, outcome.exit_code) == (Status.FAILURE, 1)
    assert outcome.error is not None
    assert outcome.error.type == "HttpStatus"
    assert (outcome.output["status"], outcome.output["body"]) == (500, "why")
    stream, last = host.log()[-1]
    assert stream == "system"
    assert "answered 500" in last


async def test_a_timeout_is_a_status_of_its_own(host: Host) -> None:
    async with serving(hang) as server:
        outcome = await host.run(event_of(server.url, timeout=0.2))
    assert (outcome.status, outcome.exit_code) == (Status.TIMEOUT, -1)
    assert outcome.output["status"] == 0


async def test_a_cancel_ends_a_request_at_once(host: Host) -> None:
    async with serving(hang) as server:
        task = await stopped(host, host.environment.cancel, event_of(server.url))
    outcome = task.result()
    assert (outcome.status, outcome.exit_code) == (Status.CANCELLED, -2)
    assert outcome.error is not None
    assert outcome.error.type == "Cancelled"
    assert host.log()[-1] == ("system", "The run was cancelled on request.")


async def test_a_draining_worker_hands_the_decision_over(host: Host) -> None:
    def drain() -> None:
        host.environment.cancel(ActivityCancellationDetails(worker_shutdown=True))

    async with serving(hang) as server:
        task = await stopped(host, drain, event_of(server.url))
    error = task.exception()
    assert isinstance(error, ApplicationError)
    assert (error.type, error.non_retryable) == ("WorkerDraining", False)
    # With progress: the workflow must not take it for a request that was not sent.
    assert error.details[1].started_at is not None
    assert host.observed == []


@pytest.mark.parametrize(
    ("http", "kind", "words"),
    [
        (
            {"headers": {"X": "{{ input.no }}"}},
            "HttpRequestInvalid",
            "headers[0].value",
        ),
        ({"headers": {"X": {"secret": "NO"}}}, "SecretUnavailable", "the secret NO"),
        ({"tls": {"caSecret": "TOKEN"}}, "HttpRequestInvalid", "caSecret"),
        ({"timeout": 86_000}, "CeilingExceeded", "event.timeoutSeconds"),
    ],
)
async def test_what_cannot_be_sent_is_refused_and_the_log_says_it(
    http: dict[str, Any], kind: str, words: str, host: Host
) -> None:
    with pytest.raises(ApplicationError) as caught:
        await host.run(event_of("https://127.0.0.1:9/", **http))
    assert (caught.value.type, caught.value.non_retryable) == (kind, True)
    assert words in caught.value.message
    stream, line = host.log()[-1]
    assert stream == "system"
    assert words in line
    assert TOKEN not in line


async def test_no_request_is_sent_when_there_is_no_room_for_its_log(
    tmp_path: Path,
) -> None:
    host = Host(tmp_path / "spool")
    host.spools = host.activities.spools = SpoolDirectory(
        tmp_path / "full", max_total_bytes=0
    )
    async with serving(ok()) as server:
        with pytest.raises(ApplicationError) as caught:
            await host.run(event_of(server.url))
    assert caught.value.type == "LogStorageFull"
    assert server.connections == 0
