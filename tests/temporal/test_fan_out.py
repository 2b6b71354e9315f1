"""One event on several servers: windows, batches, who stops whom, what it comes to."""

import asyncio
import time
from collections import Counter
from itertools import pairwise
from typing import Any

import pytest
from temporalio.client import WorkflowFailureError

from contracts.errors import HostLost, WorkerDraining
from contracts.results import ExecutionResult, Status
from contracts.runs import RunRequest
from contracts.server_errors import (
    SshBreakerOpen,
    SshConnectFailed,
    SshConnectTimeout,
    SshHostKeyChanged,
)
from tests.replay.test_replay import replay
from tests.temporal.scripted import (
    FAILS,
    SUCCEEDS,
    TIMES_OUT,
    Script,
    Scripted,
    dies_before_the_claim,
    ends,
    raises,
    runs_until_cancelled,
    server,
    servers,
    takes,
    vanishes,
)

QUICK = {"backoff": {"initialSeconds": 0.05}}


def statuses(result: ExecutionResult) -> dict[str, str]:
    return {row.target: row.status.value for row in result.targets}


def counted(result: ExecutionResult) -> Counter[str]:
    return Counter(row.status.value for row in result.targets)


def starts(script: Script) -> list[str]:
    return [name for name in script.log if not name.startswith("-")]


async def test_one_server_is_like_one_container(server: Scripted) -> None:
    script = Script(at={"s0001": [ends(Status.FAILURE, 7, output={"n": 1})]})
    result, _ = await server.play(script, targets=servers(1))
    assert (result.status, result.exit_code, result.output) == ("FAILURE", 7, {"n": 1})
    assert result.counts is None
    assert [row.target for row in result.targets] == ["s0001"]


async def test_a_server_is_sent_its_own_description_and_no_other(
    server: Scripted,
) -> None:
    script = Script()
    action = {"kind": "callback", "url": "https://a.example/", "secret": "KEY"}
    await server.play(script, targets=servers(3), fanOut={"forks": 2}, actions=[action])
    for run in script.runs:
        assert run.server is not None
        assert run.server.name == run.target
        assert run.request.event.targets is None
        assert run.request.event.fan_out is None
        assert run.request.event.actions == []
        assert len(run.model_dump_json()) < 3000


async def test_all_servers_succeed(server: Scripted) -> None:
    script = Script(
        at={
            "s0001": [ends(Status.SUCCESS, 0)],
            "s0002": [ends(Status.SUCCESS, 0, output="two", condition=True)],
            "s0003": [ends(Status.SUCCESS, 0, output="three", condition=False)],
        }
    )
    result, _ = await server.play(script, targets=servers(3))
    assert (result.status, result.exit_code, result.error) == ("SUCCESS", 0, None)
    assert result.counts is not None
    assert (result.counts.total, result.counts.succeeded) == (3, 3)
    assert result.logs.stored == 33
    # The first of the list that said something speaks for all.
    assert result.condition is True
    assert result.output == {
        "default": "two",
        "servers": {"s0002": "two", "s0003": "three"},
        "omitted": [],
    }
    assert all(row.output is None for row in result.targets)


async def test_some_servers_failing_is_partial(server: Scripted) -> None:
    script = Script(at={"s0002": [FAILS], "s0004": [TIMES_OUT]})
    result, _ = await server.play(script, targets=servers(5))
    assert (result.status, result.exit_code) == ("PARTIAL", 102)
    assert result.counts is not None
    assert (result.counts.failed, result.counts.timed_out) == (1, 1)
    assert result.error is not None
    assert result.error.message == (
        "2 of 5 servers failed (1 timed out): s0002, s0004."
    )
    assert statuses(result)["s0004"] == "TIMEOUT"


async def test_all_servers_failing_is_a_failure(server: Scripted) -> None:
    result, _ = await server.play(Script(otherwise=FAILS), targets=servers(3))
    assert (result.status, result.exit_code) == ("FAILURE", 3)
    script = Script(otherwise=FAILS, at={"s0001": [TIMES_OUT]})
    result, _ = await server.play(script, targets=servers(2))
    assert (result.status, result.exit_code) == ("FAILURE", None)


async def test_no_more_servers_run_than_forks_allow(server: Scripted) -> None:
    script = Script(otherwise=takes(0.05))
    result, _ = await server.play(script, targets=servers(20), fanOut={"forks": 4})
    assert (result.status, script.peak) == ("SUCCESS", 4)
    script = Script(otherwise=takes(0.05))
    await server.play(script, targets=servers(10), fanOut={"forks": "30%"})
    assert script.peak == 3


async def test_batches_follow_each_other(server: Scripted) -> None:
    script = Script(otherwise=takes(0.05))
    await server.play(script, targets=servers(10), fanOut={"serial": [1, "40%"]})
    ended: set[str] = set()
    batches: list[list[str]] = [[]]
    for name in script.log:
        if name.startswith("-"):
            ended.add(name[1:])
        elif batches[-1] and ended.issuperset(batches[-1]):
            batches.append([name])
        else:
            batches[-1].append(name)
    assert [len(batch) for batch in batches] == [1, 4, 4, 1]
    assert [name for batch in batches for name in sorted(batch)] == [
        f"s{n:04d}" for n in range(1, 11)
    ]


async def test_a_canary_that_fails_keeps_the_others_from_beginning(
    server: Scripted,
) -> None:
    script = Script(at={"s0002": [FAILS]})
    result, _ = await server.play(script, targets=servers(6), fanOut={"canary": 2})
    assert counted(result) == {"SUCCESS": 1, "FAILURE": 1, "SKIPPED": 4}
    assert (result.status, result.exit_code) == ("PARTIAL", 101)
    assert sorted(starts(script)) == ["s0001", "s0002"]
    skipped = result.targets[-1]
    assert skipped.error is not None
    assert skipped.error.type == "Stopped"
    assert "servers that ran first failed" in skipped.error.message


async def test_a_canary_that_succeeds_lets_the_others_begin(server: Scripted) -> None:
    script = Script(otherwise=takes(0.05))
    result, _ = await server.play(script, targets=servers(6), fanOut={"canary": 2})
    assert counted(result) == {"SUCCESS": 6}
    assert {"-s0001", "-s0002"} <= set(script.log[:4])


@pytest.mark.parametrize(
    ("limit", "failures", "begun"),
    [
        (0, [1], 1),
        (1, [1], 10),  # one may fail: that is the limit, and it is included
        (1, [1, 2], 2),
        ("10%", [1], 10),  # of 10 servers: one may fail
        ("19%", [1, 3], 3),  # 1.9 is rounded down
        ("9%", [1], 1),  # 0.9 is rounded down: none may fail
        (None, [1, 2, 3, 4, 5], 10),
    ],
)
async def test_max_failures_is_what_may_fail_and_one_more_stops(
    limit: int | str | None, failures: list[int], begun: int, server: Scripted
) -> None:
    script = Script(at={f"s{number:04d}": [FAILS] for number in failures})
    result, _ = await server.play(
        script, targets=servers(10), fanOut={"maxFailures": limit, "forks": 1}
    )
    assert len(starts(script)) == begun
    assert counted(result)["SKIPPED"] == 10 - begun


async def test_what_runs_goes_on_when_too_many_failed(server: Scripted) -> None:
    script = Script(at={"s0001": [FAILS], "s0002": [takes(0.5)]})
    result, _ = await server.play(
        script, targets=servers(5), fanOut={"maxFailures": 0, "forks": 2}
    )
    assert statuses(result)["s0002"] == "SUCCESS"
    assert counted(result)["SKIPPED"] >= 2


async def test_fail_fast_stops_what_runs(server: Scripted) -> None:
    script = Script(
        at={"s0001": [takes(0.5, Status.FAILURE, 3)]}, otherwise=runs_until_cancelled
    )
    result, _ = await server.play(
        script, targets=servers(6), fanOut={"onFailure": "fail_fast", "forks": 3}
    )
    assert counted(result) == {"FAILURE": 1, "CANCELLED": 2, "SKIPPED": 3}
    assert (result.status, result.exit_code) == ("FAILURE", 3)
    stopped = result.targets[1]
    assert stopped.error is not None
    assert stopped.error.message == (
        "The run was stopped: s0001 failed, and onFailure is fail_fast."
    )


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("listed", ["b", "a", "c"]),
        ("reverse", ["c", "a", "b"]),
        ("name", ["a", "b", "c"]),
    ],
)
async def test_servers_have_their_turn_in_order(
    order: str, expected: list[str], server: Scripted
) -> None:
    script = Script()
    result, _ = await server.play(
        script,
        targets=[_server(name) for name in "bac"],
        fanOut={"order": order, "forks": 1},
    )
    assert starts(script) == expected
    assert [row.target for row in result.targets] == ["b", "a", "c"]


async def test_starts_are_staggered(server: Scripted) -> None:
    times: list[float] = []

    async def step(run: RunRequest) -> Any:
        times.append(asyncio.get_running_loop().time())
        return await SUCCEEDS(run)

    await server.play(
        Script(otherwise=step), targets=servers(4), fanOut={"staggerSeconds": 0.3}
    )
    gaps = [later - sooner for sooner, later in pairwise(times)]
    assert min(gaps) > 0.15  # dispatching takes its time and not always the same
    assert times[-1] - times[0] > 0.8


async def test_a_cancel_reaches_every_server(server: Scripted) -> None:
    script = Script(otherwise=runs_until_cancelled)
    async with server.following(script):
        handle = await server.start(script, targets=servers(12), fanOut={"forks": 5})
        async with asyncio.timeout(30):
            while script.running < 5:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        await handle.cancel()
        result = await asyncio.wait_for(handle.result(), 30)
    assert (result.status, result.exit_code, script.running) == ("CANCELLED", -2, 0)
    assert counted(result) == {"CANCELLED": 12}
    assert len(starts(script)) == 5
    assert result.targets[11].error is not None
    assert "before it began" in result.targets[11].error.message


async def test_servers_are_tried_again_each_for_itself(server: Scripted) -> None:
    script = Script(
        at={"s0001": [FAILS, SUCCEEDS], "s0003": [FAILS, FAILS, FAILS, SUCCEEDS]}
    )
    result, _ = await server.play(
        script,
        targets=servers(4),
        retries=1,
        fanOut={"overrides": {"s0003": {"retries": 3, "timeoutSeconds": 7}}},
        **QUICK,
    )
    assert result.status == "SUCCESS"
    assert [row.attempts for row in result.targets] == [2, 1, 4, 1]
    assert result.attempts == 4
    limits = {run.target: run.request.event.timeout_seconds for run in script.runs}
    assert (limits["s0003"], limits["s0001"]) == (7, 300)


async def test_a_lost_worker_is_replaced_by_any_other(server: Scripted) -> None:
    drains = raises(WorkerDraining(), started=True)
    script = Script(
        at={"s0002": [vanishes], "s0003": [drains]}, resume=[SUCCEEDS, SUCCEEDS]
    )
    # Nobody polls the host's own queue: the shared one is enough.
    result, _ = await server.play(script, answers=False, targets=servers(4))
    assert result.status == "SUCCESS"
    assert sorted(order.run.target for order in script.resumes) == ["s0002", "s0003"]
    assert len(starts(script)) == 4  # nothing was run twice
    assert script.resumes[0].progress.lines == 3


async def test_a_server_that_has_lost_the_script_is_lost(server: Scripted) -> None:
    script = Script(at={"s0001": [vanishes]}, resume=[raises(HostLost("rebooted"))])
    result, _ = await server.play(script, targets=servers(2))
    assert statuses(result) == {"s0001": "LOST", "s0002": "SUCCESS"}
    assert (result.status, result.exit_code) == ("PARTIAL", 101)


async def test_a_worker_that_died_before_its_claim_costs_nothing(
    server: Scripted,
) -> None:
    script = Script(at={"s0001": [dies_before_the_claim, SUCCEEDS]})
    result, _ = await server.play(script, targets=servers(2))
    assert (result.status, script.resumes) == ("SUCCESS", [])


async def test_servers_that_cannot_be_used_end_with_their_own_reason(
    server: Scripted,
) -> None:
    script = Script(
        at={
            "s0001": [raises(SshHostKeyChanged("the key is another"), started=False)],
            "s0002": [raises(SshConnectTimeout("no answer"), started=False)] * 3,
        }
    )
    result, _ = await server.play(script, targets=servers(3))
    rows = {row.target: row for row in result.targets}
    assert [rows[name].status for name in rows] == ["FAILURE", "FAILURE", "SUCCESS"]
    first, second = rows["s0001"].error, rows["s0002"].error
    assert first is not None
    assert second is not None
    assert (first.type, second.type) == ("SshHostKeyChanged", "SshConnectTimeout")
    assert first.hint


async def test_a_single_server_may_be_away_for_a_reboot(server: Scripted) -> None:
    away = raises(SshConnectFailed("refused"))
    breaker = raises(SshBreakerOpen("left alone"))
    script = Script(at={"s0001": [away, away, breaker, away]})
    result, _ = await server.play(script, targets=servers(1))
    # After 1, 2, 4 and 8 s: more than the three tries that a server of many has.
    assert (result.status, len(script.runs), result.attempts) == ("SUCCESS", 5, 1)


async def test_a_server_of_many_does_not_hold_the_others_up(server: Scripted) -> None:
    away = raises(SshConnectFailed("refused"))
    script = Script(at={"s0001": [away] * 9})
    begin = time.monotonic()
    result, _ = await server.play(script, targets=servers(2))
    assert time.monotonic() - begin < 15
    assert (result.status, script.log.count("s0001")) == ("PARTIAL", 3)
    assert result.targets[0].error is not None
    assert result.targets[0].error.type == "SshConnectFailed"


@pytest.mark.parametrize(("seconds", "tries"), [(0, 3), (5, 4)])
async def test_a_server_is_waited_for_as_long_as_it_says(
    seconds: float, tries: int, server: Scripted
) -> None:
    away = raises(SshConnectTimeout("no answer"))
    target = servers(1)[0] | {"deadlines": {"unreachableSeconds": seconds}}
    script = Script(at={"s0001": [away] * 20})
    result, _ = await server.play(script, targets=[target])
    assert (result.status, len(script.runs)) == ("FAILURE", tries)


async def test_names_are_refused_by_the_workflow(server: Scripted) -> None:
    script = Script()
    with pytest.raises(WorkflowFailureError) as caught:
        await server.play(script, targets=["web-1", _server("a"), "group:db"])
    cause: Any = caught.value.cause
    assert cause.type == "RequestRefused"
    assert "event.targets[0]: a name is given" in cause.message
    assert [problem["path"] for problem in cause.details[0]] == [
        "event.targets[0]",
        "event.targets[2]",
    ]
    assert script.runs == []


async def test_people_see_how_far_it_is(server: Scripted) -> None:
    script = Script(
        at={"s0001": [FAILS], "s0002": [SUCCEEDS]}, otherwise=runs_until_cancelled
    )
    async with server.following(script):
        handle = await server.start(script, targets=servers(6), fanOut={"forks": 2})
        async with asyncio.timeout(30):
            while script.running < 2:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        seen = await handle.query("__temporal_workflow_metadata")
        rows = await handle.query("progress")
        await handle.cancel()
        await asyncio.wait_for(handle.result(), 30)
    assert "2/6 done, 1 failed, 2 running" in seen.current_details
    assert [row["status"] for row in rows] == [
        "FAILURE", "SUCCESS", "RUNNING", "RUNNING", "PENDING", "PENDING",
    ]  # fmt: skip


async def test_large_outputs_are_left_out_by_name(server: Scripted) -> None:
    large = ends(Status.SUCCESS, 0, output="x" * 200_000)
    script = Script(
        at={"s0001": [large], "s0002": [large]},
        otherwise=ends(Status.SUCCESS, 0, output=1),
    )
    result, _ = await server.play(script, targets=servers(4))
    assert result.output["default"] == "x" * 200_000
    assert set(result.output["servers"]) == {"s0003", "s0004"}
    assert result.output["omitted"] == ["s0001", "s0002"]


async def test_large_scripts_go_out_in_messages_that_grpc_takes(
    server: Scripted,
) -> None:
    script = Script()
    result, handle = await server.play(
        script, targets=servers(12), code="true #" + "x" * 900_000
    )
    assert (result.status, len(script.runs)) == ("SUCCESS", 12)
    history = await handle.fetch_history()
    size = (await handle.describe()).raw_description.workflow_execution_info
    print(len(history.events), "events,", size.history_size_bytes, "bytes")
    assert size.history_size_bytes < 16 << 20
    # Too large to be kept among the recorded ones: how it was paced is replayed here.
    assert (await replay(history)).replay_failure is None


_server = server
