"""`python -m bench.graphs`: what a graph costs beside the sandboxes of its nodes.

The share of the engine is what passes from the end of one node to the end of the next,
less what the worker says that the sandbox took (setup, script, cleanup): scheduling,
history, decisions. Beside it stands how many events of history a node takes.
"""

import argparse
import asyncio
import itertools
import statistics
import time
from dataclasses import dataclass
from typing import Any

from bench.local import Local, running
from bench.measures import percentile
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
SHARE_TO_REACH_MS = 80
LAYER_TO_REACH_MS = 500
IDLE = {"kind": "wait", "seconds": 0}


@dataclass(frozen=True)
class Measured:
    """One graph that was run."""

    name: str
    result: GraphResult
    seconds: float
    events: int


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
    return Measured(name, result, seconds, events)


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


def begun_within(rows: list[NodeResult]) -> float:
    """Return in how many ms all nodes were sent out, in the workflow's clock."""
    starts = [row.started_at for row in rows if row.started_at is not None]
    return (max(starts) - min(starts)) * 1000


async def measure(local: Local, nodes: int, items: int, wide: int) -> list[str]:
    """Return the lines of the table."""
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
    wide_graph = await run_graph(
        local, "wide", {**side_by_side(wide, IDLE), "end": {**IDLE, "join": "any"}}
    )
    share = statistics.median(own)
    begun = begun_within(layer.result.nodes)
    return [
        "| graph | time | per node | events per node |",
        "|---|---|---|---|",
        _row(sequential, nodes),
        _row(parallel, nodes),
        _row(mapped, items),
        _row(layer, 50),
        _row(wide_graph, wide),
        "",
        f"engine share of a sequential node: p50 {share:.0f} ms, p95 "
        f"{percentile(own, 0.95):.0f} ms beside {statistics.median(boxes):.0f} ms of "
        f"sandbox (to reach: {SHARE_TO_REACH_MS} ms): "
        f"{'reached' if share <= SHARE_TO_REACH_MS else 'NOT REACHED'}",
        f"a layer of 50 is sent out within {begun:.0f} ms (to reach: "
        f"{LAYER_TO_REACH_MS} ms): "
        f"{'reached' if begun <= LAYER_TO_REACH_MS else 'NOT REACHED'}",
    ]


def _row(measured: Measured, count: int) -> str:
    per_node = measured.seconds / count * 1000
    return (
        f"| {count} nodes, {measured.name} | {measured.seconds:.1f} s | "
        f"{per_node:.0f} ms | {measured.events / count:.1f} |"
    )


async def main(nodes: int, items: int, wide: int) -> None:
    """Measure on a stack of its own and print the table."""
    async with running() as local:
        for line in await measure(local, nodes, items, wide):
            print(line, flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, default=40)
    parser.add_argument("--items", type=int, default=100)
    parser.add_argument("--wide", type=int, default=500)
    arguments = parser.parse_args()
    asyncio.run(main(arguments.nodes, arguments.items, arguments.wide))
    leave(0)
