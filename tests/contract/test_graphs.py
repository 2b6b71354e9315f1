"""Graphs as people and the app write them, and what is said of wrong ones."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from contracts import limits, names
from contracts.errors import RequestRefused
from contracts.graph_results import GraphResult, NodeResult
from contracts.graph_stored import from_stored, is_stored
from contracts.graphs import GraphRequest, GraphSpec
from contracts.validation import problems_of

EVENT = {"type": "bash", "script": "true"}
SECRET = "hunter2-should-never-be-seen"


def graph(nodes: Any, **fields: Any) -> dict[str, Any]:
    return {"id": "g", "name": "G", "nodes": nodes, **fields}


def read(nodes: Any, **fields: Any) -> GraphSpec:
    return GraphSpec.model_validate(graph(nodes, **fields))


def said(data: Any) -> str:
    with pytest.raises(ValidationError) as failure:
        GraphSpec.model_validate(data)
    problems = problems_of(failure.value, GraphSpec)
    return "\n".join(f"{p.path}: {p.message}" for p in problems)


def edges(spec: GraphSpec, name: str) -> list[tuple[str, str, str | None]]:
    return [(e.node, str(e.when), e.case) for e in spec.by_id[name].after]


def test_the_forms_of_after_mean_the_same() -> None:
    a: dict[str, Any] = {"event": EVENT}
    forms: list[Any] = ["a", ["a"], [{"node": "a"}], {"a": "on_success"}, {"a": {}}]
    specs = [read({"a": a, "b": {"event": EVENT, "after": form}}) for form in forms]
    specs.append(read({"a": a, "b": a}, edges=[{"from": "a", "to": "b"}]))
    specs.append(
        read([{"id": "a", **a}, {"id": "b", **a}], edges=[{"from": "a", "to": "b"}])
    )
    assert {edges(spec, "b")[0] for spec in specs} == {("a", "on_success", None)}
    assert len({spec.model_dump_json() for spec in specs}) == 1


def test_what_is_written_is_read_again() -> None:
    spec = read(
        {
            "a": {"event": EVENT},
            "w": {"kind": "wait", "seconds": 1, "after": "a"},
            "u": {"kind": "wait", "until": "2030-01-01T00:00:00Z"},
            "ok": {"kind": "approval", "after": {"w": "always"}},
            "m": {"kind": "map", "items": "{{ input }}", "event": EVENT},
            "s": {"kind": "switch", "cases": [{"name": "x", "if": "{{ 1 }}"}]},
            "sub": {
                "kind": "workflow",
                "after": {"s": {"case": "x"}},
                "workflow": {"nodes": {"b": {"event": EVENT}}},
            },
        }
    )
    assert GraphSpec.model_validate_json(spec.model_dump_json()) == spec
    request = GraphRequest(execution_id="e", workflow=spec)
    assert GraphRequest.model_validate_json(request.model_dump_json()) == request
    assert json.dumps(GraphSpec.model_json_schema())


def test_a_time_that_yaml_has_read_is_taken() -> None:
    import yaml

    written = yaml.safe_load("{kind: wait, until: 2030-01-31T06:00:00+01:00}")
    node = read({"w": written}).by_id["w"]
    assert "2030-01-31T0" in str(getattr(node, "until", ""))


@pytest.mark.parametrize(
    ("nodes", "words"),
    [
        ({}, "nodes: List should have at least 1 item"),
        (
            {"a": {"event": EVENT, "after": "b"}},
            "nodes[0].after[0]: no node has the id b",
        ),
        ({"a": {"event": EVENT, "after": "a"}}, "a comes after itself"),
        (
            [{"id": "a", "event": EVENT}, {"id": "a", "event": EVENT}],
            "nodes[1].id: a is the id of nodes[0] already",
        ),
        (
            {
                "a": {"event": EVENT, "after": "c"},
                "b": {"event": EVENT, "after": "a"},
                "c": {"event": EVENT, "after": "b"},
            },
            "there is a cycle: a → b → c → a",
        ),
        (
            {"a": {"event": EVENT, "aftr": "b"}},
            "nodes[0].aftr: unknown field (did you mean",
        ),
        (
            {"a": {"event": "gone"}},
            "nodes[0].event: no event of this name is in `events`",
        ),
        ({"a": {"kind": "nap"}}, "kind: expected one of event, wait, approval"),
        ({"a": 3}, "nodes.a: expected fields"),
        ({False: {"event": EVENT}}, "the id of a node is not a text: put it in quotes"),
        ({"a b": {"event": EVENT}}, "nodes[0].id: String should match pattern"),
        ({"a": {"kind": "wait"}}, "give either `seconds` or `until`"),
        (
            {"a": {"kind": "wait", "seconds": -1}},
            "nodes[0].seconds: Input should be greater",
        ),
        ({"a": {"kind": "map", "items": []}}, "give either `event` or `workflow`"),
        (
            {"a": {"kind": "map", "items": 3, "event": EVENT}},
            "nodes[0].items: Input should be a valid list",
        ),
        (
            {"a": {"event": {"type": "bash"}}},
            "nodes[0].event: script: an event of type bash needs",
        ),
        (
            {"a": {"event": {"type": "bash", "script": "x", "env": [{"name": "1"}]}}},
            "nodes[0].event.env[0].name",
        ),
        (
            {"a": {"event": EVENT}, "b": {"event": EVENT, "after": {"a": "sometimes"}}},
            "nodes[1].after[0].when: Input should be 'always'",
        ),
        (
            {
                "a": {"event": EVENT},
                "b": {"event": EVENT, "after": {"a": {"case": "x"}}},
            },
            "a is no switch",
        ),
        (
            {
                "a": {"event": EVENT},
                "b": {
                    "event": EVENT,
                    "after": [
                        {"node": "a", "when": "on_success"},
                        {"node": "a", "when": "on_failure"},
                    ],
                },
                "c": {"event": EVENT, "after": "b"},
            },
            "b can never run: a cannot be both, on_failure and on_success",
        ),
        (
            {"s": {"kind": "switch", "cases": [{"name": "x", "if": "1"}] * 2}},
            "two cases have the name x",
        ),
        (
            {"s": {"kind": "workflow", "workflow": {"nodes": {"a": {"event": "x"}}}}},
            "nodes[0].workflow: nodes[0].event: no event",
        ),
    ],
    ids=lambda value: str(value)[:50] if isinstance(value, str) else "",
)
def test_a_wrong_graph_is_refused_with_its_place(nodes: Any, words: str) -> None:
    assert words in said(graph(nodes))


def test_a_node_behind_one_that_never_runs_is_named_as_well() -> None:
    both = [
        {"node": "a", "when": "on_condition"},
        {"node": "a", "when": "on_condition_false"},
    ]
    nodes = {
        "a": {"event": EVENT},
        "b": {"event": EVENT, "after": both},
        "c": {"event": EVENT, "after": "b"},
    }
    assert "c can never run: it comes after b, which can never run" in said(
        graph(nodes)
    )


def test_graphs_may_not_be_too_large_or_too_deep() -> None:
    many = {
        f"n{n}": {"kind": "wait", "seconds": 0} for n in range(limits.MAX_NODES + 1)
    }
    assert "at most 1000 items" in said(graph(many))
    deep: dict[str, Any] = {"nodes": {"a": {"event": EVENT}}}
    for _ in range(limits.MAX_GRAPH_DEPTH):
        deep = {"nodes": {"a": {"kind": "workflow", "workflow": deep}}}
    assert "graphs may be nested 4 deep" in said({"id": "g", "name": "g", **deep})


def test_no_value_is_echoed() -> None:
    wrong: list[Any] = [
        {"a": {"event": {"type": "bash", "script": SECRET, "env": {"X": SECRET}}}},
        {"a": {"event": EVENT, "input": {"k": float("nan")}, "retries": SECRET}},
        {"a": {"kind": "wait", "seconds": [SECRET]}},
    ]
    for nodes in wrong:
        assert SECRET not in said(graph(nodes))


def test_an_input_that_is_too_large_is_refused() -> None:
    with pytest.raises(ValidationError) as failure:
        GraphRequest.model_validate(
            {
                "executionId": "e",
                "workflow": graph({"a": {"event": EVENT}}),
                "input": "x" * (limits.MAX_INPUT_BYTES + 1),
            }
        )
    (problem,) = problems_of(failure.value, GraphRequest)
    assert problem.path == "input"
    assert "put large data where the scripts can fetch it" in problem.message


def test_reuse_must_fit_the_graph() -> None:
    order = {"executionId": "e", "workflow": graph({"a": {"event": EVENT}})}
    for reuse, words in (
        ({"b": {"status": "SUCCESS", "executionId": "x"}}, "no node has the id b"),
        ({"a": {"status": "RUNNING", "executionId": "x"}}, "has not ended"),
    ):
        with pytest.raises(ValidationError, match=words):
            GraphRequest.model_validate({**order, "reuse": reuse})


STORED: dict[str, Any] = {
    "id": 17,
    "name": "Orders",
    "nodes": [
        {"id": "n1", "eventId": 31, "position_x": 1, "position_y": 2},
        {"id": "n2", "eventId": 32, "position_x": 3, "position_y": 4},
        {"id": "n3", "eventId": 31, "position_x": 3, "position_y": 4},
    ],
    "edges": [
        {"sourceNodeId": "n1", "targetNodeId": "n2", "connectionType": "ON_SUCCESS"},
        {"sourceNodeId": "n1", "targetNodeId": "n3", "connectionType": "ON_CONDITION"},
        {"sourceNodeId": "n2", "targetNodeId": "n3"},
    ],
}
EVENTS = {
    "31": {"id": "31", "name": "Fetch", **EVENT},
    "32": {"id": "32", "name": "Store", **EVENT},
}


def test_the_form_of_the_app_is_taken() -> None:
    assert is_stored(STORED)
    assert not is_stored(graph({"a": {"event": EVENT}}))
    spec = GraphSpec.model_validate(from_stored(STORED, EVENTS))
    assert (spec.id, spec.name) == ("17", "Orders")
    assert edges(spec, "n2") == [("n1", "on_success", None)]
    assert edges(spec, "n3") == [("n1", "on_condition", None), ("n2", "always", None)]
    assert {str(getattr(node, "event", "")) for node in spec.nodes} == {"31", "32"}
    assert spec.events["31"].name == "Fetch"


def test_servers_of_a_stored_workflow_win_over_those_of_its_events() -> None:
    server = {"id": "4", "name": "edge", "address": "192.0.2.1", "username": "u",
              "credentials": {"key": {"secret": "K"}}}  # fmt: skip
    stored = {**STORED, "overrideEventServers": True, "overrideServerIds": [4]}
    spec = GraphSpec.model_validate(from_stored(stored, EVENTS, {"4": server}))
    assert [target.name for target in spec.events["31"].servers] == ["edge"]
    with pytest.raises(RequestRefused, match=r"overrideServerIds\[0\]"):
        from_stored(stored, EVENTS, {})


def test_a_stored_workflow_says_what_is_missing() -> None:
    with pytest.raises(RequestRefused, match=r"nodes\[1\]\.eventId"):
        from_stored(STORED, {"31": EVENTS["31"]})
    broken = {**STORED, "edges": [{"sourceNodeId": "n1"}]}
    with pytest.raises(RequestRefused, match=r"edges\[0\]"):
        from_stored(broken, EVENTS)


def test_ids_of_workflows_are_told_apart() -> None:
    graph_id = names.graph_id("orders", "e1")
    assert names.execution_of(graph_id) == "e1"
    assert names.is_graph(graph_id)
    assert not names.is_graph(names.workflow_id("orders", "e1"))
    assert names.execution_of(names.graph_part_id(graph_id, "each[3]")) is None


def test_names_of_targets_stay_short_and_differ() -> None:
    long = "a" * 60 + "/" + "b" * 60
    first, second = (names.node_target(long, f"{letter}" * 90) for letter in "xy")
    assert first != second
    assert max(len(first), len(second)) <= names.MAX_TARGET_LENGTH
    assert names.node_target("build", "web-1") == "build/web-1"


def test_a_result_is_read_again() -> None:
    result = GraphResult.model_validate(
        {
            "executionId": "e",
            "workflowId": "g",
            "workflowName": "G",
            "status": "SUCCESS",
            "nodes": [{"node": "a", "kind": "event", "status": "SUCCESS"}],
            "counts": {"total": 1, "succeeded": 1},
        }
    )
    assert GraphResult.model_validate_json(result.model_dump_json()) == result
    assert isinstance(result.nodes[0], NodeResult)
