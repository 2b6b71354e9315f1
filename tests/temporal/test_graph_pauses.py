"""A pause reaches whatever a run has begun: graphs and maps inside of it as well."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
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
CHAIN = {"nodes": {"a": {"event": EVENT}, "b": {"event": EVENT, "after": "a"}}}
# Above 100 items a map is a part with a history of its own.
MANY = 120
BEGUN = EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED


def each(count: int) -> dict[str, Any]:
    items = list(range(count))
    return {"kind": "map", "items": items, "event": EVENT, "parallel": 1}


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


@dataclass(frozen=True)
class AtWork:
    """A run, and what holds it."""

    server: Scripted
    handle: WorkflowHandle[Any, Any]
    held: Held
    script: Script

    def part(self, *places: str) -> WorkflowHandle[Any, Any]:
        """A part of the run: the graph inside of a node, or the items of a map."""
        id = self.handle.id
        for place in places:
            id = names.graph_part_id(id, place)
        return self.server.client.get_workflow_handle(id)

    async def pause(self, part: WorkflowHandle[Any, Any] | None = None) -> None:
        """Pause the run, wait until a part has heard it, and let the script end."""
        await self.handle.execute_update("pause", SAID)
        if part is not None:
            await signalled(part)
        self.held.go.set()

    async def resumed(self) -> Any:
        """Resume it, and return its result."""
        await self.handle.execute_update("resume", SAID)
        return await asyncio.wait_for(self.handle.result(), 60)


@contextlib.asynccontextmanager
async def at_work(server: Scripted, nodes: dict[str, Any]) -> AsyncIterator[AtWork]:
    """A graph whose first script has begun, and does not end before it is let go."""
    held = Held()
    script = Script(nodes={}, otherwise=held, heartbeat=30)
    async with server.following(script):
        handle = await server.start_graph({"nodes": nodes})
        await asyncio.wait_for(held.begun.wait(), 30)
        yield AtWork(server, handle, held, script)


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


async def signalled(handle: WorkflowHandle[Any, Any]) -> None:
    """A pause is passed on when the part has taken the word for it."""
    kind = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED
    async with asyncio.timeout(30):
        while True:
            events = (await handle.fetch_history()).events
            if any(event.event_type == kind for event in events):
                return
            await asyncio.sleep(0.03)


async def one_completed(handle: WorkflowHandle[Any, Any]) -> None:
    """Wait until an activity has ended and the workflow has answered to it."""
    done = EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED
    answer = EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED
    async with asyncio.timeout(30):
        while True:
            kinds = [e.event_type for e in (await handle.fetch_history()).events]
            if done in kinds and answer in kinds[kinds.index(done) :]:
                return
            await asyncio.sleep(0.03)


async def test_no_node_begins_in_a_graph_inside_a_run_that_is_paused(
    server: Scripted,
) -> None:
    middle = {"nodes": {"in": {"kind": "workflow", "workflow": CHAIN}}}
    nodes = {"sub": {"kind": "workflow", "workflow": middle}}
    async with at_work(server, nodes) as run:
        part = run.part("sub", "in")
        await run.pause(part)
        # Were it not paused, b would have begun in the very step that ended a.
        rows = await until(part, lambda rows: rows["a"]["status"] == "SUCCESS")
        assert rows["b"]["status"] == "PENDING"
        result = await run.resumed()
    assert result.status is Status.SUCCESS
    assert len(run.script.runs) == 2


async def test_no_item_of_a_short_map_begins_while_the_run_is_paused(
    server: Scripted,
) -> None:
    async with at_work(server, {"m": each(3)}) as run:
        await run.pause()
        await until(run.handle, lambda rows: rows["m"]["counts"]["succeeded"] == 1)
        assert await scheduled(run.handle) == 1
        result = await run.resumed()
    assert result.nodes[0].counts.succeeded == 3


async def test_no_item_of_a_long_map_begins_while_the_run_is_paused(
    server: Scripted,
) -> None:
    async with at_work(server, {"m": each(MANY)}) as run:
        part = run.part("m")
        await run.pause(part)
        await one_completed(part)
        assert await scheduled(part) == 1
        result = await run.resumed()
    assert result.nodes[0].counts.succeeded == MANY


async def test_a_pause_holds_the_graphs_of_the_items_of_a_map(
    server: Scripted,
) -> None:
    graphs = {"kind": "map", "items": [1, 2], "parallel": 1, "workflow": CHAIN}
    async with at_work(server, {"m": graphs}) as run:
        part = run.part("m[0]")
        await run.pause(part)
        rows = await until(part, lambda rows: rows["a"]["status"] == "SUCCESS")
        assert rows["b"]["status"] == "PENDING"
        result = await run.resumed()
    assert result.nodes[0].counts.succeeded == 2
    assert len(run.script.runs) == 4


async def test_a_paused_map_can_be_cancelled(server: Scripted) -> None:
    async with at_work(server, {"m": each(3)}) as run:
        await run.pause()
        await until(run.handle, lambda rows: rows["m"]["counts"]["succeeded"] == 1)
        await run.handle.cancel()
        result = await asyncio.wait_for(run.handle.result(), 60)
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
