"""`run_http` under a real Temporal server: the contract on the wire, cancel, drain."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio import workflow
from temporalio.client import Client, WorkflowFailureError
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

with workflow.unsafe.imports_passed_through():
    from activities import HttpActivities
    from contracts.events import EventRequest
    from contracts.results import Status
    from contracts.runs import RUN_HTTP, RunOutcome, RunProgress, RunRequest
    from engines.http import HttpConfig, HttpEngine
    from engines.secrets import SecretStore
    from logstream import SpoolDirectory
    from tests.http_servers import LOOPBACK, Seen, event_of, ok, serving
    from worker.temporal import data_converter

TOKEN = "s3cr3t-t0k3n"
QUEUE = "http-test"


@workflow.defn
class OneRequest:
    """Sends one request as the product's workflow does."""

    @workflow.run
    async def run(self, request: EventRequest) -> RunOutcome:
        outcome: RunOutcome = await workflow.execute_activity(
            RUN_HTTP.name,
            RunRequest(
                request=request,
                target="local",
                attempt=1,
                max_attempts=1,
                run_key=workflow.info().workflow_id,
            ),
            result_type=RUN_HTTP.result,
            start_to_close_timeout=timedelta(seconds=60),
            heartbeat_timeout=timedelta(seconds=30),
            retry_policy=RetryPolicy(maximum_attempts=1),
            cancellation_type=(
                workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED
            ),
        )
        return outcome


@pytest.fixture(scope="module")
async def client(temporal_binary: str) -> AsyncIterator[Client]:
    async with await WorkflowEnvironment.start_local(
        dev_server_existing_path=temporal_binary, data_converter=data_converter
    ) as environment:
        yield environment.client


def worker_of(client: Client, directory: Path, beat: float = 0.1) -> Worker:
    activities = HttpActivities(
        engine=HttpEngine(HttpConfig(addresses=LOOPBACK)),
        spools=SpoolDirectory(directory),
        secrets=SecretStore({"TOKEN": TOKEN}, ["TOKEN"]),
        client=client,
        host="h1",
        heartbeat_interval=beat,
        log_cap=1 << 20,
    )
    return Worker(
        client,
        task_queue=QUEUE,
        workflows=[OneRequest],
        activities=[activities.run_http],
        max_heartbeat_throttle_interval=timedelta(seconds=0.1),
        graceful_shutdown_timeout=timedelta(seconds=0.2),
    )


async def started(client: Client, url: str, **http: Any) -> Any:
    request = EventRequest(execution_id="x1", event=event_of(url, **http))
    return await client.start_workflow(
        OneRequest.run, request, id="t" + secrets.token_hex(6), task_queue=QUEUE
    )


async def test_a_request_goes_through_temporal_and_no_secret_does(
    client: Client, tmp_path: Path
) -> None:
    async def echo(seen: Seen, _: asyncio.StreamWriter) -> bytes:
        return ok(seen.one("x-a").encode(), status="500 Oops")

    async with serving(echo) as server, worker_of(client, tmp_path):
        headers = [{"key": "X-A", "value": {"secret": "TOKEN"}}]
        handle = await started(client, server.url, headers=headers)
        outcome: RunOutcome = await handle.result()
        history = (await handle.fetch_history()).to_json()
    assert (outcome.status, outcome.output["body"]) == (Status.FAILURE, "***")
    assert outcome.error is not None
    assert outcome.error.type == "HttpStatus"
    assert TOKEN not in history


async def test_before_a_post_is_sent_it_is_on_record_that_it_may_have_been(
    client: Client, tmp_path: Path
) -> None:
    """Whenever the worker dies after that, the workflow knows not to send it again."""
    found: list[RunProgress] = []

    async def look(_: Seen, __: asyncio.StreamWriter) -> bytes:
        (pending,) = (await handle.describe()).raw_description.pending_activities
        details = pending.heartbeat_details.payloads
        found.extend(await data_converter.decode(details, [RunProgress]))
        return ok()

    async with serving(look) as server, worker_of(client, tmp_path, beat=60):
        handle = await started(client, server.url, method="POST", body="x")
        outcome = await handle.result()
    assert outcome.status is Status.SUCCESS
    assert found[0].started_at is not None


async def test_a_cancel_reaches_a_request_that_hangs(
    client: Client, tmp_path: Path
) -> None:
    came = asyncio.Event()

    async def hang(_: Seen, __: asyncio.StreamWriter) -> bytes:
        came.set()
        await asyncio.Event().wait()
        return b""

    async with serving(hang) as server, worker_of(client, tmp_path):
        handle = await started(client, server.url)
        await asyncio.wait_for(came.wait(), 20)
        await handle.cancel()
        outcome = await asyncio.wait_for(handle.result(), 10)
    assert (outcome.status, outcome.exit_code) == (Status.CANCELLED, -2)


async def test_a_worker_that_stops_leaves_the_decision_to_the_workflow(
    client: Client, tmp_path: Path
) -> None:
    came = asyncio.Event()

    async def hang(_: Seen, __: asyncio.StreamWriter) -> bytes:
        came.set()
        await asyncio.Event().wait()
        return b""

    async with serving(hang) as server:
        async with worker_of(client, tmp_path / "1"):
            handle = await started(client, server.url)
            await asyncio.wait_for(came.wait(), 20)
        async with worker_of(client, tmp_path / "2"):
            with pytest.raises(WorkflowFailureError) as caught:
                await handle.result()
    assert isinstance(caught.value.cause, ActivityError)
    assert isinstance(caught.value.cause.cause, ApplicationError)
    assert caught.value.cause.cause.type == "WorkerDraining"
    assert caught.value.cause.cause.details[1]["startedAt"] is not None
