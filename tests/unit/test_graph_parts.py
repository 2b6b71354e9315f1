"""Reruns, pictures, checks and sizes of graphs, without a server."""

import time
from typing import Any

import pytest

from contracts.errors import RequestRefused
from contracts.graph_results import GraphResult, NodeCounts, NodeResult
from contracts.graphs import GraphSpec
from contracts.limits import MAX_GRAPH_OUTPUTS_BYTES
from contracts.results import Status
from tests.unit.graph_model import EVENT
from workflows.graphs.check import problems_of_graph
from workflows.graphs.picture import mermaid, state_of
from workflows.graphs.rerun import reuse_of
from workflows.graphs.results import record_of


def graph(nodes: dict[str, Any], **fields: Any) -> GraphSpec:
    told = {
        name: node if "kind" in node else {"event": EVENT, **node}
        for name, node in nodes.items()
    }
    return GraphSpec.model_validate({"id": "g", "name": "G", "nodes": told, **fields})


def ended(spec: GraphSpec, **statuses: str) -> GraphResult:
    rows = [
        NodeResult(
            node=node.id,
            kind=node.does,
            status=Status(statuses.get(node.id, "SUCCESS")),
            output=node.id,
        )
        for node in spec.nodes
    ]
    return GraphResult(
        execution_id="before",
        workflow_id="g",
        workflow_name="G",
        status=Status.FAILURE,
        nodes=rows,
        counts=NodeCounts(total=len(rows)),
    )


CHAIN = graph({"a": {}, "b": {"after": "a"}, "c": {"after": "b"}, "d": {}})


def test_a_rerun_runs_what_failed_and_what_is_behind_it() -> None:
    result = ended(CHAIN, b="FAILURE", c="SKIPPED")
    reuse = reuse_of(CHAIN, CHAIN, result)
    assert set(reuse) == {"a", "d"}
    assert (reuse["a"].output, reuse["a"].execution_id) == ("a", "before")


def test_a_rerun_may_begin_where_somebody_says() -> None:
    assert set(reuse_of(CHAIN, CHAIN, ended(CHAIN), ["a"])) == {"d"}
    assert set(reuse_of(CHAIN, CHAIN, ended(CHAIN), ["c", "d"])) == {"a", "b"}
    with pytest.raises(RequestRefused, match="no node has the id x"):
        reuse_of(CHAIN, CHAIN, ended(CHAIN), ["x"])


def test_a_handled_failure_is_not_run_again() -> None:
    spec = graph({"a": {}, "fix": {"after": {"a": "on_failure"}}})
    result = ended(spec, a="FAILURE")
    rows = [result.nodes[0].model_copy(update={"handled": True}), result.nodes[1]]
    result = result.model_copy(update={"nodes": rows})
    assert set(reuse_of(spec, spec, result)) == {"a", "fix"}


def test_an_edited_node_runs_again_and_so_does_a_new_one() -> None:
    edited = graph(
        {"a": {}, "b": {"after": "a", "input": 1}, "c": {"after": "b"}, "e": {}}
    )
    assert set(reuse_of(edited, CHAIN, ended(CHAIN))) == {"a"}


def test_an_output_that_was_not_kept_cannot_be_used_again() -> None:
    result = ended(CHAIN, c="FAILURE").model_copy(update={"omitted": ["a"]})
    with pytest.raises(RequestRefused, match="output of a was too large"):
        reuse_of(CHAIN, CHAIN, result)
    assert set(reuse_of(CHAIN, CHAIN, result, ["a"])) == {"d"}


def test_a_graph_is_drawn_with_the_colours_of_its_statuses() -> None:
    spec = graph(
        {
            "a": {},
            "s": {
                "kind": "switch",
                "after": "a",
                "cases": [{"name": "big", "if": "{{ 1 }}"}],
            },
            "b": {
                "after": {"s": {"case": "big"}, "a": "on_failure"},
                "join": "any",
                "name": 'A "name"; with <b> and |',
            },
        }
    )
    plain = mermaid(spec)
    assert plain.splitlines()[0] == "flowchart LR"
    assert "classDef" not in plain
    assert '-. "big" .->' in plain
    assert '-. "failure" .->' in plain
    assert '"name"' not in plain.replace('n2["A #34;name#34;', "")
    rows = {row.node: row for row in ended(spec, b="SKIPPED").nodes}
    drawn = mermaid(spec, rows)
    assert ":::success" in drawn
    assert "classDef skipped" in drawn


def test_details_of_a_large_graph_fit_and_are_quick() -> None:
    spec = graph({f"n{n}": {"kind": "wait", "seconds": 0} for n in range(900)})
    rows = {row.node: row for row in ended(spec).nodes}
    begin = time.monotonic()
    text = state_of(spec, rows)
    assert time.monotonic() - begin < 0.5
    assert len(text.encode()) < 20_000


@pytest.mark.parametrize(
    ("nodes", "words"),
    [
        ({"a": {"input": "{{ nodes.b.output }}"}, "b": {}}, "b does not come before"),
        ({"a": {"input": "{{ nodes.zz.output }}"}}, "no node has the id zz"),
        ({"a": {"input": "{{ item }}"}}, "nothing is named item"),
        ({"a": {"input": "{{ nodes.a.output }}"}}, "a does not come before"),
        ({"m": {"kind": "map", "items": "{{ item }}", "event": EVENT}}, "named item"),
        ({"w": {"kind": "wait", "seconds": "{{ x"}}, "nodes[0].seconds: not an"),
        ({"a": {"event": {**EVENT, "targets": ["web"]}}}, "the server itself was"),
        (
            {"s": {"kind": "workflow", "workflow": {"nodes": {"x": {
                "event": EVENT, "input": "{{ nodes.q.output }}"}}}}},
            "nodes[0].workflow.nodes[0].input: no node has the id q",
        ),
    ],
    ids=lambda value: value[:30] if isinstance(value, str) else "",
)  # fmt: skip
def test_expressions_and_servers_are_checked_with_their_places(
    nodes: dict[str, Any], words: str
) -> None:
    problems = problems_of_graph(graph(nodes), "workflow")
    assert words in "\n".join(f"{p.path}: {p.message}" for p in problems)
    assert all(problem.path.startswith("workflow.") for problem in problems)


def test_a_key_may_read_the_input_alone() -> None:
    spec = graph({"a": {}}, concurrency={"key": "{{ nodes.a.output }}"})
    assert "nothing is named nodes" in problems_of_graph(spec)[0].message


def test_the_record_of_a_large_run_fits() -> None:
    spec = graph({f"n{n}": {"kind": "wait", "seconds": 0} for n in range(1000)})
    record = record_of(ended(spec))
    assert len(record.model_dump_json().encode()) < 2 * MAX_GRAPH_OUTPUTS_BYTES
    assert len(record.targets) == 1000
