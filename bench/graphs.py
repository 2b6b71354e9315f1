"""`python -m bench.graphs`: what a graph costs beside the sandboxes of its nodes.

The share of the engine is what passes from the end of one node to the end of the next,
less what the worker says that the sandbox took (setup, script, cleanup): scheduling,
history, decisions. Beside it stands how many events of history a node takes.
"""

import argparse
import asyncio
import itertools
import os
import statistics
import time
from dataclasses import dataclass
from typing import Any

from temporalio.client import WorkflowHandle

from bench import page
from bench.local import Local, running
from bench.measures import Row, percentile
from contracts import names
from contracts.graph_results import GraphResult, NodeResult
from contracts.results import Status
from worker.exit import leave

LIGHT = {
    "type": "python",
    "script": "print(1)",
    "network": "none",
    "resources": {"memoryMb": 128, "cpus": 1, "pids": 32},
}
TITLE = "Workflows"
MEANING = """
*Engine's share* is what passes from the end of one node to the end of the next, less
what the worker says that the sandbox took. Each node is a light Python script in a
sandbox of its own; the wide graph's are Bash. *Events* are those of Temporal's history.
"""
SHARE_TO_REACH_MS = 80
LAYER_TO_REACH_MS = 500


@dataclass(frozen=True)
class Measured:
    """One graph that was run."""

    name: str
    result: GraphResult
    seconds: float
    events: int
    handle: WorkflowHandle[Any, Any]


async def run_graph(
    local: Local, name: str, nodes: dict[str, Any], **graph: Any
) -> Measured:
    """Run a graph to its end."""
    local.count += 1
    execution = f"g{local.count}"
    whole = {"id": "bench", "name": name, "nodes": nodes, **graph}
    begin = time.perf_counter()
    handle = await local.client.start_workflow(
        names.GRAPH_WORKFLOW,
        {"executionId": execution, "workflow": whole},
        id=names.graph_id("bench", execution),
        task_queue=names.TASK_QUEUE,
        result_type=GraphResult,
    )
    result = await handle.result()
    seconds = time.perf_counter() - begin
    assert result.status is Status.SUCCESS, result.error
    events = (await handle.describe()).history_length
    return Measured(name, result, seconds, events, handle)


def chain(count: int) -> dict[str, Any]:
    """Return nodes one after the other."""
    return {
        f"n{number}": {"event": LIGHT, "after": [f"n{number - 1}"] if number else []}
        for number in range(count)
    }


def side_by_side(count: int, node: dict[str, Any]) -> dict[str, Any]:
    """Return nodes beside each other."""
    return {f"n{number}": dict(node) for number in range(count)}


def shares(rows: list[NodeResult]) -> list[float]:
    """Return the engine's share of each node of a chain but the first, in ms."""
    found = []
    for before, row in itertools.pairwise(rows):
        assert before.ended_at is not None
        assert row.ended_at is not None
        took = row.durations
        sandbox = took.setup_ms + took.execution_ms + took.cleanup_ms
        found.append((row.ended_at - before.ended_at) * 1000 - sandbox)
    return found


async def begun_within(handle: WorkflowHandle[Any, Any]) -> float:
    """Return in how many ms after the start all scripts were sent out, by history."""
    history = await handle.fetch_history()
    sent = [
        event.event_time.ToNanoseconds()
        for event in history.events
        if event.HasField("activity_task_scheduled_event_attributes")
    ]
    return (max(sent) - history.events[0].event_time.ToNanoseconds()) / 1e6


async def measure(local: Local, nodes: int, items: int, wide: int) -> list[Row]:
    """Return the rows of the table."""
    await run_graph(local, "warm", chain(2))
    sequential = await run_graph(local, "sequential", chain(nodes))
    own = shares(sequential.result.nodes)
    boxes = [
        row.durations.setup_ms + row.durations.execution_ms + row.durations.cleanup_ms
        for row in sequential.result.nodes
    ]
    parallel = await run_graph(
        local, "parallel", side_by_side(nodes, {"event": LIGHT}), parallel=nodes
    )
    each = {
        "m": {"kind": "map", "items": list(range(items)), "event": LIGHT, "parallel": 8}
    }
    mapped = await run_graph(local, "map", each)
    layer = await run_graph(
        local, "layer of 50", side_by_side(50, {"event": LIGHT}), parallel=50
    )
    shell = {**LIGHT, "type": "bash", "script": "true"}
    wide_graph = await run_graph(
        local, "wide (bash)", side_by_side(wide, {"event": shell})
    )
    share, high = statistics.median(own), percentile(own, 0.95)
    begun = await begun_within(layer.handle)
    return [
        Row(
            "Engine's share of a node in a chain, p50 (p95)",
            f"{share:.0f} ({high:.0f}) ms",
            f"{statistics.median(boxes):.0f} ms of sandbox",
            "–",
            f"≤ {SHARE_TO_REACH_MS} ms",
            share <= SHARE_TO_REACH_MS,
        ),
        Row(
            "Layer of 50 nodes: all sent out after",
            f"{begun:.0f} ms",
            "–",
            "–",
            f"≤ {LAYER_TO_REACH_MS} ms",
            begun <= LAYER_TO_REACH_MS,
        ),
        _row(sequential, nodes),
        _row(parallel, nodes),
        _row(mapped, items),
        _row(layer, 50),
        _row(wide_graph, wide),
    ]


def _row(measured: Measured, count: int) -> Row:
    per_node = measured.seconds / count * 1000
    return Row(
        f"{count} nodes, {measured.name}",
        f"{measured.seconds:.1f} s",
        "–",
        f"{per_node:.0f} ms and {measured.events / count:.1f} events a node",
        "–",
        None,
    )


async def run(nodes: int, items: int, wide: int) -> list[Row]:
    """Measure on a stack of its own."""
    async with running() as local:
        return await measure(local, nodes, items, wide)


def main() -> int:
    """Measure and print; 1 when a target was missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, default=40)
    parser.add_argument("--items", type=int, default=100)
    parser.add_argument("--wide", type=int, default=500)
    parser.add_argument("--write", action="store_true", help="write the page's section")
    chosen = parser.parse_args()
    load = os.getloadavg()[0]
    rows = asyncio.run(run(chosen.nodes, chosen.items, chosen.wide))
    page.show(rows)
    if chosen.write:
        page.put_section(TITLE, rows, MEANING, load)
    return 0 if page.reached(rows) else 1


if __name__ == "__main__":
    leave(main())
