"""A pause reaches whatever a run has begun: graphs and maps inside of it as well."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowHandle

from contracts import names
from contracts.results import Status
from contracts.runs import RunOutcome, RunRequest
from tests.temporal.scripted import FAILS, SUCCEEDS, Script, Scripted

EVENT = {"type": "bash", "script": "true"}
SAID = {"by": "ada"}
# Above 100 items a map is a part with a history of its own.
MANY = 120
BEGUN = EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED


class Held:
    """The first run that comes waits until it is let go."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.go = asyncio.Event()

    async def __call__(self, run: RunRequest) -> RunOutcome:
        if not self.begun.is_set():
            self.begun.set()
            await self.go.wait()
        return await SUCCEEDS(run)


async def rows_of(handle: WorkflowHandle[Any, Any]) -> dict[str, Any]:
    return {row["node"]: row for row in await handle.query("progress")}


async def until(
    handle: WorkflowHandle[Any, Any], fits: Callable[[dict[str, Any]], bool]
) -> dict[str, Any]:
    """Queries are all that a client has: there is no event to wait for."""
    async with asyncio.timeout(30):
        while not fits(rows := await rows_of(handle)):  # noqa: ASYNC110
            await asyncio.sleep(0.03)
    return rows


async def scheduled(handle: WorkflowHandle[Any, Any]) -> int:
    """How many activities a workflow has begun; local ones are not among them."""
    events = (await handle.fetch_history()).events
    return sum(event.event_type == BEGUN for event in events)


async def signalled(handle: WorkflowHandle[Any, Any], times: int) -> None:
    """A pause is passed on when the part has taken the word for it."""
    kind = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED
    async with asyncio.timeout(30):
        while True:
            events = (await handle.fetch_history()).events
            if sum(event.event_type == kind for event in events) >= times:
                return
            await asyncio.sleep(0.03)


async def test_no_node_begins_in_a_graph_inside_a_run_that_is_paused(
    server: Scripted,
) -> None:
    inner = {"nodes": {"a": {"event": EVENT}, "b": {"event": EVENT, "after": "a"}}}
    middle = {"nodes": {"in": {"kind": "workflow", "workflow": inner}}}
    graph = {"nodes": {"sub": {"kind": "workflow", "workflow": middle}}}
    held = Held()
    script = Script(nodes={}, otherwise=held, heartbeat=30)
    async with server.following(script):
        handle = await server.start_graph(graph)
        await asyncio.wait_for(held.begun.wait(), 30)
        inmost = names.graph_part_id(names.graph_part_id(handle.id, "sub"), "in")
        part = server.client.get_workflow_handle(inmost)
        await handle.execute_update("pause", SAID)
        await signalled(part, 1)
        held.go.set()
        # Were it not paused, b would have begun in the very step that ended a.
        rows = await until(part, lambda rows: rows["a"]["status"] == "SUCCESS")
        assert rows["b"]["status"] == "PENDING"
        await handle.execute_update("resume", SAID)
        result = await asyncio.wait_for(handle.result(), 60)
    assert result.status is Status.SUCCESS
    assert len(script.runs) == 2


async def test_no_item_of_a_short_map_begins_while_the_run_is_paused(
    server: Scripted,
) -> None:
    each = {"kind": "map", "items": [1, 2, 3], "event": EVENT, "parallel": 1}
    held = Held()
    script = Script(nodes={}, otherwise=held, heartbeat=30)
    async with server.following(script):
        handle = await server.start_graph({"nodes": {"m": each}})
        await asyncio.wait_for(held.begun.wait(), 30)
        await handle.execute_update("pause", SAID)
        held.go.set()
        await until(handle, lambda rows: rows["m"]["counts"]["succeeded"] == 1)
        assert await scheduled(handle) == 1
        await handle.execute_update("resume", SAID)
        result = await asyncio.wait_for(handle.result(), 60)
    assert result.nodes[0].counts.succeeded == 3


async def test_no_item_of_a_long_map_begins_while_the_run_is_paused(
    server: Scripted,
) -> None:
    each = {"kind": "map", "items": list(range(MANY)), "event": EVENT, "parallel": 1}
    held = Held()
    script = Script(nodes={}, otherwise=held, heartbeat=30)
    async with server.following(script):
        handle = await server.start_graph({"nodes": {"m": each}})
        await asyncio.wait_for(held.begun.wait(), 30)
        part = server.client.get_workflow_handle(names.graph_part_id(handle.id, "m"))
        await handle.execute_update("pause", SAID)
        await signalled(part, 1)
        held.go.set()
        await completed(part, 1)
        assert await scheduled(part) == 1
        await handle.execute_update("resume", SAID)
        result = await asyncio.wait_for(handle.result(), 60)
    assert result.nodes[0].counts.succeeded == MANY


async def completed(handle: WorkflowHandle[Any, Any], count: int) -> None:
    """Wait until activities have ended and the workflow has answered to it."""
    done = EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED
    answer = EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED
    async with asyncio.timeout(30):
        while True:
            kinds = [e.event_type for e in (await handle.fetch_history()).events]
            if kinds.count(done) >= count:
                last = len(kinds) - 1 - kinds[::-1].index(done)
                if answer in kinds[last:]:
                    return
            await asyncio.sleep(0.03)


async def test_a_pause_holds_the_graphs_of_the_items_of_a_map(
    server: Scripted,
) -> None:
    """An item's graph is a part: the next one must not begin, nor its nodes."""
    inner = {"nodes": {"a": {"event": EVENT}, "b": {"event": EVENT, "after": "a"}}}
    each = {"kind": "map", "items": [1, 2], "parallel": 1, "workflow": inner}
    held = Held()
    script = Script(nodes={}, otherwise=held, heartbeat=30)
    async with server.following(script):
        handle = await server.start_graph({"nodes": {"m": each}})
        await asyncio.wait_for(held.begun.wait(), 30)
        part = server.client.get_workflow_handle(names.graph_part_id(handle.id, "m[0]"))
        await handle.execute_update("pause", SAID)
        await signalled(part, 1)
        held.go.set()
        rows = await until(part, lambda rows: rows["a"]["status"] == "SUCCESS")
        assert rows["b"]["status"] == "PENDING"
        await handle.execute_update("resume", SAID)
        result = await asyncio.wait_for(handle.result(), 60)
    assert result.nodes[0].counts.succeeded == 2
    assert len(script.runs) == 4


async def test_a_paused_map_can_be_cancelled(server: Scripted) -> None:
    each = {"kind": "map", "items": [1, 2, 3], "event": EVENT, "parallel": 1}
    held = Held()
    script = Script(nodes={}, otherwise=held, heartbeat=30)
    async with server.following(script):
        handle = await server.start_graph({"nodes": {"m": each}})
        await asyncio.wait_for(held.begun.wait(), 30)
        await handle.execute_update("pause", SAID)
        held.go.set()
        await until(handle, lambda rows: rows["m"]["counts"]["succeeded"] == 1)
        await handle.cancel()
        result = await asyncio.wait_for(handle.result(), 60)
    assert result.status is Status.CANCELLED
    assert result.nodes[0].counts.cancelled == 2


@pytest.mark.parametrize("map_too", [False, True], ids=["graph", "map"])
async def test_a_resume_ends_a_graph_inside_that_is_held_after_a_failure(
    map_too: bool, server: Scripted
) -> None:
    inner = {"holdOnFailure": True, "nodes": {"a": {"event": EVENT}}}
    node = {"kind": "workflow", "workflow": inner}
    if map_too:
        node = {**node, "kind": "map", "items": [1]}
    script = Script(nodes={}, otherwise=FAILS, heartbeat=30)
    async with server.following(script):
        handle = await server.start_graph({"nodes": {"sub": node}})
        place = "sub[0]" if map_too else "sub"
        part = server.client.get_workflow_handle(names.graph_part_id(handle.id, place))
        await until(handle, lambda rows: rows["sub"]["status"] == "RUNNING")
        async with asyncio.timeout(30):
            while not script.runs:  # noqa: ASYNC110
                await asyncio.sleep(0.03)
        await until(part, lambda rows: rows["a"]["status"] == "FAILURE")
        await handle.execute_update("resume", SAID)
        result = await asyncio.wait_for(handle.result(), 60)
    assert result.status is Status.FAILURE
