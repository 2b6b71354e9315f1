"""kill -9 of the worker in the middle of a graph: it loses and repeats nothing."""

import asyncio
from typing import Any

from contracts import names
from contracts.graph_results import GraphResult
from contracts.results import Status
from tests.chaos.plant import Plant
from tests.chaos.truth import nothing_left

NODES = 20
LINES = 12
# Each line is written for good before the next: what is lost or twice shows in the log.
SCRIPT = "for n in $(seq {lines}); do echo {name} $n; sleep 0.1; done; exit 0"


def graph() -> dict[str, Any]:
    """Five times: one node, two behind it side by side, and a join."""
    nodes: dict[str, Any] = {}
    last: list[str] = []
    for stage in range(NODES // 4):
        first, left, right, join = (f"s{stage}{part}" for part in "abcd")
        for name, after in (
            (first, last), (left, [first]), (right, [first]), (join, [left, right]),
        ):  # fmt: skip
            script = SCRIPT.format(lines=LINES, name=name)
            event = {"type": "bash", "script": script, "network": "none"}
            nodes[name] = {"event": event, "after": after}
        last = [join]
    return {"id": "chaos", "name": "chaos", "nodes": nodes}


async def ended(handle: Any, name: str) -> None:
    """Queries are all that a client has: there is no event to wait for."""
    async with asyncio.timeout(120):
        while True:
            rows = await handle.query("progress")
            if any(r["node"] == name and r["status"] == "SUCCESS" for r in rows):
                return
            await asyncio.sleep(0.2)


async def test_a_graph_outlives_the_deaths_of_its_worker(plant: Plant) -> None:
    spec = graph()
    assert len(spec["nodes"]) == NODES
    execution = f"graph-{plant.instance}"
    handle = await plant.caller.client.start_workflow(
        names.GRAPH_WORKFLOW,
        {"executionId": execution, "workflow": spec},
        id=names.graph_id("chaos", execution),
        task_queue=names.TASK_QUEUE,
        result_type=GraphResult,
    )
    for node in ("s0a", "s1d", "s3b"):
        await ended(handle, node)
        plant.worker.kill()
        await plant.worker.start()
    result = await asyncio.wait_for(handle.result(), 150)
    assert result.status is Status.SUCCESS, result.error
    assert {row.status for row in result.nodes} == {Status.SUCCESS}
    assert {row.attempts for row in result.nodes} == {1}
    log = await plant.caller.logs(execution)
    for name in spec["nodes"]:
        said = [
            line["text"]
            for line in log
            if line["target"] == name and line["stream"] == "stdout"
        ]
        assert said == [f"{name} {n}" for n in range(1, LINES + 1)], name
    started = len(plant.watch.of(execution, "start"))
    assert started == NODES, "a node was run twice, or not at all"
    await nothing_left(plant)
