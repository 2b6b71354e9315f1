"""Every small graph of graphs.yaml ends as it says, and generated ones as the model."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import FlakyFailure
from temporalio.client import WorkflowHandle

from contracts.graphs import GraphResult, GraphSpec
from contracts.results import Status
from contracts.runs import RunOutcome, RunRequest
from tests.temporal.scripted import (
    FAILS,
    SUCCEEDS,
    TIMES_OUT,
    Script,
    Scripted,
    Step,
    ends,
    runs_until_cancelled,
    takes,
)
from tests.unit.graph_model import Outcome, expected, graphs

CASES = yaml.safe_load(Path(__file__).with_name("graphs.yaml").read_text())
EVENT = {"type": "bash", "script": "true", "backoff": {"initialSeconds": 0.05}}
GRAPH_FIELDS = ("strict", "parallel", "timeoutSeconds", "holdOnFailure")
REQUEST_FIELDS = ("input", "reuse")
SLOW = 0.3
GENERATED = 40
UNHURRIED = 30.0
STEPS: dict[str, Step] = {
    "success": SUCCEEDS,
    "failure": FAILS,
    "timeout": TIMES_OUT,
    "hangs": runs_until_cancelled,
    "slow": takes(SLOW),
}


def step_of(told: Any) -> Step:
    if isinstance(told, str):
        return STEPS[told]
    fields = dict(told)
    status = Status(fields.pop("status", "SUCCESS"))
    slow = fields.pop("slow", False)
    end = ends(status, 0 if status is Status.SUCCESS else 3, **fields)

    async def step(run: RunRequest) -> RunOutcome:
        await asyncio.sleep(SLOW if slow else 0)
        return await end(run)

    return step


def node_of(node: dict[str, Any]) -> dict[str, Any]:
    kind = node.get("kind", "event")
    if "workflow" in node:
        inner = node["workflow"]["nodes"]
        return {
            **node,
            "workflow": {"nodes": {k: node_of(v) for k, v in inner.items()}},
        }
    return {"event": EVENT, **node} if kind in ("event", "map") else node


def graph_of(case: dict[str, Any]) -> dict[str, Any]:
    graph = {name: case[name] for name in GRAPH_FIELDS if name in case}
    if "output_is" in case or "error" in case:
        graph["output"] = case["output"]
    nodes = {name: node_of(node) for name, node in case["nodes"].items()}
    return {"name": "case", "nodes": nodes, **graph}


def script_of(case: dict[str, Any]) -> Script:
    does = case.get("does", {})
    return Script(
        nodes={
            name: [step_of(s) for s in (told if isinstance(told, list) else [told])]
            for name, told in does.items()
        },
        variables=case.get("variables", {}),
        heartbeat=UNHURRIED,
    )


async def follow(
    orders: list[dict[str, Any]], script: Script, handle: WorkflowHandle[Any, Any]
) -> None:
    for order in orders:
        await until_stands(order, script, handle)
        who = {"by": order.get("by", "somebody"), "why": order.get("why", "")}
        node = next((order[k] for k in ("decide", "skip", "retry") if k in order), None)
        if "cancel" in order:
            await handle.cancel()
        elif "pause" in order or "resume" in order:
            await handle.execute_update("pause" if "pause" in order else "resume", who)
        elif "decide" in order:
            said = {"node": node, "approved": order["approved"], **who}
            await handle.execute_update("decide", said)
        elif "skip" in order:
            told = {"node": node, "passes": order.get("passes", True), **who}
            await handle.execute_update("skip_node", told)
        else:
            await handle.execute_update("retry_node", {"node": node, **who})


async def until_stands(
    order: dict[str, Any], script: Script, handle: WorkflowHandle[Any, Any]
) -> None:
    """Queries are all that a client has: there is no event to wait for."""
    async with asyncio.timeout(30):
        while not await stands(order, script, handle):  # noqa: ASYNC110
            await asyncio.sleep(0.03)


async def stands(
    order: dict[str, Any], script: Script, handle: WorkflowHandle[Any, Any]
) -> bool:
    found = await handle.query("progress")
    rows = {row["node"]: row["status"] for row in found}
    waits = {row["node"]: row["waitingFor"] for row in found}
    ran = {"running": ("", 1), "ran": ("-", 1), "ran2": ("-", 2)}
    as_told = rows.items() >= order["when"].items()
    as_told &= waits.items() >= order.get("waits", {}).items()
    return as_told and all(
        script.log.count(mark + order[word]) >= times
        for word, (mark, times) in ran.items()
        if word in order
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"].replace(" ", "-"))
async def test_a_graph_ends_as_it_must(case: dict[str, Any], server: Scripted) -> None:
    script = script_of(case)
    request = {name: case[name] for name in REQUEST_FIELDS if name in case}
    async with server.following(script):
        handle = await server.start_graph(graph_of(case), **request)
        await follow(case.get("orders", []), script, handle)
        result = await asyncio.wait_for(handle.result(), 60)
    check(case, result, script)


def check(case: dict[str, Any], result: GraphResult, script: Script) -> None:
    rows = {row.node: row for row in result.nodes}
    assert {name: str(row.status) for name, row in rows.items()} == case["ends"]
    assert result.status == case.get("status", "SUCCESS"), result.error
    handled = [name for name, row in rows.items() if row.handled]
    assert handled == case.get("handled", [])
    inputs = {run.target: run.request.input for run in script.runs}
    for target, value in case.get("inputs", {}).items():
        assert inputs[target] == value, target
    if "output_is" in case or ("output" in case and "error" not in case):
        assert result.output == case.get("output_is", case["output"])
    if "runs" in case:
        assert len(script.runs) == case["runs"]
    if "peak" in case:
        assert script.peak == case["peak"]
    for name, words in case.get("says", {}).items():
        error = rows[name].error
        assert error is not None
        assert words in error.message
    for name, said in case.get("decisions", {}).items():
        assert [f"{d.verdict} by {d.by}" for d in rows[name].decisions] == said
    for name, attempts in case.get("attempts", {}).items():
        assert rows[name].attempts == attempts
    if "error" in case:
        assert result.error is not None
        assert case["error"] in result.error.message
    assert result.counts.total == len(rows)
    for row in result.nodes:
        assert row.status.final
        assert row.waiting_for == ""


def test_there_are_enough_of_them() -> None:
    assert len(CASES) >= 60
    assert len({case["name"] for case in CASES}) == len(CASES)


def drawn() -> list[tuple[GraphSpec, dict[str, Outcome]]]:
    """Graphs that hypothesis draws, the same in every run."""
    found: list[tuple[GraphSpec, dict[str, Outcome]]] = []

    @settings(
        max_examples=GENERATED,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(graphs(most=9))
    def collect(example: tuple[GraphSpec, dict[str, Outcome]]) -> None:
        found.append(example)

    try:
        collect()
    except FlakyFailure as error:
        # CPython 3.11 may fail so where two threads compile at once: hypothesis here,
        # and what writes a traceback in a thread of the SDK's.
        if not error.subgroup(SystemError):
            raise
        found.clear()
        collect()
    return found


async def test_generated_graphs_end_as_the_model_says(server: Scripted) -> None:
    examples = drawn()
    outcomes: dict[str, dict[str, Outcome]] = {}
    ran: dict[str, list[str]] = {}

    async def does(run: RunRequest) -> RunOutcome:
        execution = run.request.execution_id
        told = outcomes[execution][run.target]
        ran.setdefault(execution, []).append(run.target)
        code = 0 if told.status == "SUCCESS" else 3
        return await ends(Status(told.status), code, condition=told.condition)(run)

    async with server.following(Script(nodes={}, otherwise=does, heartbeat=UNHURRIED)):
        handles = []
        for number, (spec, told) in enumerate(examples):
            execution = f"drawn-{number}"
            outcomes[execution] = told
            graph = spec.model_dump(mode="json")
            handles.append(await server.start_graph(graph, executionId=execution))
        waits = [asyncio.wait_for(handle.result(), 120) for handle in handles]
        results = await asyncio.gather(*waits)
    for (spec, told), result in zip(examples, results, strict=True):
        model = expected(spec, told)
        rows = {row.node: row for row in result.nodes}
        assert {n: str(row.status) for n, row in rows.items()} == model.statuses
        assert {n for n, row in rows.items() if row.handled} == model.handled
        assert result.status == model.status
        executed = ran.get(result.execution_id, [])
        assert len(executed) == len(set(executed)), "a node has run twice"
