"""A fan-out that is too large for one workflow: parts in child workflows."""

import asyncio
import time
from collections import Counter
from typing import Any

import pytest
from temporalio.client import WorkflowHandle

from contracts import names
from contracts.results import ExecutionResult, Status
from contracts.runs import RunRequest
from tests.temporal.scripted import (
    FAILS,
    SUCCEEDS,
    Script,
    Scripted,
    ends,
    runs_until_cancelled,
    servers,
    takes,
    vanishes,
)


async def sizes(server: Scripted, handle: WorkflowHandle[Any, Any]) -> list[Any]:
    """Events and bytes of the histories of an execution and all its parts."""
    found = []
    for index in range(-1, 100):
        name = handle.id if index < 0 else names.shard_id(handle.id, index)
        try:
            told = await server.client.get_workflow_handle(name).describe()
        except Exception:
            break
        info = told.raw_description.workflow_execution_info
        found.append((info.history_length, info.history_size_bytes))
    return found


async def details(handle: WorkflowHandle[Any, Any]) -> str:
    metadata = await handle.query("__temporal_workflow_metadata")
    return str(metadata.current_details)


def counted(result: ExecutionResult) -> Counter[str]:
    return Counter(row.status.value for row in result.targets)


async def test_a_thousand_servers_finish(server: Scripted) -> None:
    script = Script(
        otherwise=ends(Status.SUCCESS, 0, output={"ok": True}),
        at={"s0007": [FAILS], "s0500": [FAILS], "s1000": [FAILS]},
        heartbeat=10.0,
    )
    began = time.monotonic()
    result, handle = await server.play(script, targets=servers(1000), patience=200)
    took = time.monotonic() - began
    assert (result.status, result.exit_code) == ("PARTIAL", 103)
    assert counted(result) == {"SUCCESS": 997, "FAILURE": 3}
    assert [row.target for row in result.targets] == [
        f"s{n:04d}" for n in range(1, 1001)
    ]
    assert len(script.runs) == len({run.run_key for run in script.runs}) == 1000
    assert script.peak <= 50
    assert len(result.output["servers"]) == 997
    assert len(result.model_dump_json()) < 1536 << 10
    found = await sizes(server, handle)
    print(
        f"\n1,000 servers: {took:.1f} s, result {len(result.model_dump_json())} bytes"
    )
    print("parent", found[0], "largest part", max(found[1:]), f"{len(found) - 1} parts")
    assert len(found) == 11
    # Temporal warns from 10,240 events and 10 MiB.
    assert max(events for events, _ in found) < 4096
    assert max(size for _, size in found) < 4 << 20


async def test_servers_that_take_long_hold_no_other_part_up(server: Scripted) -> None:
    slow = [f"s{number:04d}" for number in range(1, 6)]
    script = Script(at={name: [runs_until_cancelled] for name in slow})
    async with server.following(script):
        handle = await server.start(script, targets=servers(250), fanOut={"forks": 20})
        async with asyncio.timeout(90):
            while len(script.log) - len(set(script.log) & set(slow)) < 490:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        assert script.running == 5
        assert script.peak <= 20
        await handle.cancel()
        result = await asyncio.wait_for(handle.result(), 60)
    assert counted(result) == {"SUCCESS": 245, "CANCELLED": 5}
    assert (result.status, result.exit_code) == ("CANCELLED", -2)


@pytest.mark.timeout(300)
async def test_a_cancel_reaches_the_servers_of_every_part(server: Scripted) -> None:
    script = Script(otherwise=runs_until_cancelled, heartbeat=10.0)
    async with server.following(script):
        handle = await server.start(script, targets=servers(260), fanOut={"forks": 220})
        async with asyncio.timeout(120):
            while script.running < 220:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        await handle.cancel()
        result = await asyncio.wait_for(handle.result(), 120)
    assert (result.status, script.running, script.peak) == ("CANCELLED", 0, 220)
    assert counted(result) == {"CANCELLED": 260}


async def test_failures_of_all_parts_count_together(server: Scripted) -> None:
    failing = {f"s{number:04d}": [FAILS] for number in (5, 90, 130)}
    script = Script(at=dict(failing), otherwise=takes(0.02))
    result, _ = await server.play(
        script, targets=servers(400), fanOut={"maxFailures": 2, "forks": 10}
    )
    found = counted(result)
    assert found["FAILURE"] == 3
    # The third stopped it: no more began than what ran beside it.
    assert 130 <= found["SUCCESS"] + 3 <= 150
    assert found["SKIPPED"] == 400 - found["SUCCESS"] - 3
    assert result.counts is not None
    assert result.counts.skipped == found["SKIPPED"]


async def test_fail_fast_stops_all_parts(server: Scripted) -> None:
    script = Script(
        otherwise=runs_until_cancelled, at={"s0003": [takes(0.9, Status.FAILURE, 9)]}
    )
    result, _ = await server.play(
        script,
        targets=servers(300),
        fanOut={"onFailure": "fail_fast", "forks": 120},
    )
    found = counted(result)
    assert found["FAILURE"] == 1
    assert found["CANCELLED"] >= 100
    assert found["SKIPPED"] >= 150
    assert (result.status, result.exit_code, script.running) == ("FAILURE", 9, 0)


async def test_a_canary_runs_alone_before_all_parts(server: Scripted) -> None:
    script = Script(at={"s0002": [FAILS]})
    result, _ = await server.play(script, targets=servers(300), fanOut={"canary": 3})
    assert counted(result) == {"SUCCESS": 2, "FAILURE": 1, "SKIPPED": 297}
    script = Script(otherwise=takes(0.02))
    result, _ = await server.play(script, targets=servers(150), fanOut={"canary": 3})
    assert counted(result) == {"SUCCESS": 150}
    assert {"-s0001", "-s0002", "-s0003"} <= set(script.log[:6])


async def test_batches_follow_each_other_across_parts(server: Scripted) -> None:
    script = Script(otherwise=takes(0.02))
    result, _ = await server.play(
        script, targets=servers(330), fanOut={"serial": [10, 150, 60], "forks": 40}
    )
    assert result.status == "SUCCESS"
    ends_at = {
        name[1:]: place for place, name in enumerate(script.log) if name[0] == "-"
    }
    begins_at = {name: place for place, name in enumerate(script.log) if name[0] != "-"}
    listed = [f"s{number:04d}" for number in range(1, 331)]
    for border in (10, 160, 220, 280):
        before = max(ends_at[name] for name in listed[:border])
        after = min(begins_at[name] for name in listed[border:])
        assert before < after, border


async def test_a_lost_worker_in_a_part_is_replaced(server: Scripted) -> None:
    script = Script(at={"s0120": [vanishes]}, resume=[SUCCEEDS])
    result, _ = await server.play(script, answers=False, targets=servers(130))
    assert (result.status, len(script.runs), len(script.resumes)) == ("SUCCESS", 130, 1)


async def test_a_part_that_somebody_ends_is_lost_and_the_rest_goes_on(
    server: Scripted,
) -> None:
    script = Script(at={"s0001": [runs_until_cancelled]})
    async with server.following(script):
        handle = await server.start(script, targets=servers(120), fanOut={"forks": 10})
        async with asyncio.timeout(60):
            while len(script.log) < 239:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        part = server.client.get_workflow_handle(names.shard_id(handle.id, 0))
        await part.terminate("a test")
        result = await asyncio.wait_for(handle.result(), 60)
    assert counted(result) == {"LOST": 60, "SUCCESS": 60}
    assert (result.status, result.exit_code) == ("PARTIAL", 160)
    lost = result.targets[0].error
    assert lost is not None
    assert lost.type == "PartLost"


async def test_a_large_script_makes_smaller_parts(server: Scripted) -> None:
    seen: list[RunRequest] = []
    script = Script(runs=seen)
    result, handle = await server.play(
        script, targets=servers(60), code="true #" + "x" * 600_000, patience=120
    )
    assert (result.status, len(seen)) == ("SUCCESS", 60)
    found = await sizes(server, handle)
    print("\n60 servers, script of 600 kB:", found)
    assert len(found) > 2
    assert max(size for _, size in found) < 33 << 20


async def test_parts_say_how_far_they_are(server: Scripted) -> None:
    script = Script(otherwise=runs_until_cancelled, at={"s0001": [FAILS]})
    async with server.following(script):
        handle = await server.start(script, targets=servers(120), fanOut={"forks": 70})
        async with asyncio.timeout(60):
            while "1 failed" not in await details(handle):  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        part = server.client.get_workflow_handle(names.shard_id(handle.id, 0))
        rows = await part.query("progress")
        await handle.cancel()
        await asyncio.wait_for(handle.result(), 60)
    assert rows[0]["status"] == "FAILURE"
    assert len(rows) == 60
