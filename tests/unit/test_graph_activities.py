"""Admission of all events of a graph, and its variables, without a server."""

from dataclasses import replace
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities import Admitting, GraphActivities
from contracts.errors import (
    CeilingExceeded,
    RequestRefused,
    VariableNotFound,
    VariablesUnavailable,
)
from contracts.events import EventRequest
from contracts.graph_parts import VariablesOrder
from contracts.graphs import GraphRequest
from contracts.logs import ExecutionRecord
from contracts.results import Status
from contracts.runs import Admission

SMALL = {"type": "bash", "script": "true"}
LARGE = {**SMALL, "resources": {"memoryMb": 4096}}


class Store:
    """Variables of one user."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.values = values

    async def get(self, user: str, key: str) -> Any:
        if user != "ada":
            raise VariablesUnavailable
        if key not in self.values:
            raise VariableNotFound
        return self.values[key]


def check(request: EventRequest) -> None:
    if request.event.resources.memory_mb > 1024:
        raise CeilingExceeded("memoryMb: 4096, at most 1024")


def activities(records: list[ExecutionRecord]) -> GraphActivities:
    def record(one: ExecutionRecord) -> bool:
        records.append(one)
        return True

    return GraphActivities(
        Admitting(
            admission=Admission(logs_url="http://logs/{execution}"),
            check=check,
            record=record,
            clock=lambda: 5.0,
        ),
        variables=Store({"A": 1, "EMPTY": ""}),
        client=None,  # type: ignore[arg-type]
    )


def order(nodes: dict[str, Any], **graph: Any) -> GraphRequest:
    return GraphRequest.model_validate(
        {
            "executionId": "e1",
            "workflow": {"id": "g", "name": "G", "nodes": nodes, **graph},
        }
    )


async def admitted(request: GraphRequest, records: list[ExecutionRecord]) -> Admission:
    ours = activities(records)
    found: Admission = await ActivityEnvironment().run(ours.admit_graph, request)
    return found


async def test_a_graph_is_admitted_once_and_recorded_once() -> None:
    records: list[ExecutionRecord] = []
    found = await admitted(
        order({"a": {"event": SMALL}, "b": {"event": SMALL}}), records
    )
    assert found.logs_url == "http://logs/e1"
    (record,) = records
    assert (record.event_id, record.event_type) == ("g", "workflow")
    assert (record.status, record.timestamp) == (Status.RUNNING, 5.0)


@pytest.mark.parametrize(
    ("nodes", "path"),
    [
        ({"a": {"event": SMALL}, "b": {"event": LARGE}}, "workflow.nodes[1].event"),
        (
            {"m": {"kind": "map", "items": [], "event": LARGE}},
            "workflow.nodes[0].event",
        ),
        (
            {"s": {"kind": "workflow", "workflow": {"nodes": {"x": {"event": LARGE}}}}},
            "workflow.nodes[0].workflow.nodes[0].event",
        ),
        ({"a": {"event": "big"}}, "workflow.events.big"),
    ],
    ids=["node", "map", "inner", "named"],
)
async def test_one_event_above_a_ceiling_refuses_all_with_its_path(
    nodes: dict[str, Any], path: str
) -> None:
    records: list[ExecutionRecord] = []
    named = (
        {"big": {"id": "big", "name": "big", **LARGE}} if path.endswith("big") else {}
    )
    with pytest.raises(ApplicationError) as failure:
        await admitted(order(nodes, events=named), records)
    assert failure.value.type == "CeilingExceeded"
    assert failure.value.non_retryable
    assert failure.value.message == f"{path}: memoryMb: 4096, at most 1024"
    assert records == []


async def test_what_guards_an_event_guards_each_of_a_graph() -> None:
    async def guard(request: EventRequest, workflow_id: str, run_id: str) -> None:
        assert workflow_id
        assert run_id
        if request.event.name == "b":
            raise RequestRefused("it holds a credential")

    ours = activities([])
    ours = replace(ours, admitting=replace(ours.admitting, guard=guard))
    nodes = {"a": {"event": SMALL}, "b": {"event": SMALL}}
    with pytest.raises(ApplicationError, match=r"nodes\[1\]\.event: it holds"):
        await ActivityEnvironment().run(ours.admit_graph, order(nodes))


async def test_variables_that_are_not_set_are_left_out() -> None:
    wanted = VariablesOrder(user="ada", keys=["A", "EMPTY", "GONE"])
    found = await ActivityEnvironment().run(activities([]).read_variables, wanted)
    assert found.values == {"A": 1, "EMPTY": ""}


async def test_a_store_that_is_away_is_tried_again() -> None:
    wanted = VariablesOrder(user="bob", keys=["A"])
    with pytest.raises(ApplicationError) as failure:
        await ActivityEnvironment().run(activities([]).read_variables, wanted)
    assert failure.value.type == "VariablesUnavailable"
    assert not failure.value.non_retryable
