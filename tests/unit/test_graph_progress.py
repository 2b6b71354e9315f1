"""The rules of edges and joins, alone and against the reference model."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.graphs import GraphSpec
from contracts.results import Status
from tests.unit.graph_model import EVENT, Outcome, expected, graphs
from workflows.graphs.progress import End, Phase, Progress


def graph(nodes: dict[str, Any], **fields: Any) -> GraphSpec:
    told = {name: {"event": EVENT, **node} for name, node in nodes.items()}
    return GraphSpec.model_validate({"id": "g", "name": "G", "nodes": told, **fields})


def end(status: str, condition: bool | None = None) -> End:
    return End(Status(status), condition)


@settings(max_examples=500, deadline=None)
@given(graphs(), st.randoms())
def test_any_graph_ends_as_the_model_says_in_whatever_order_nodes_end(
    drawn: tuple[GraphSpec, dict[str, Outcome]], random: Any
) -> None:
    spec, outcomes = drawn
    progress = Progress(spec.nodes)
    begun: list[str] = []
    running: list[str] = []
    while progress.ready or running:
        if progress.ready and (not running or random.random() < 0.5):
            name = random.choice(progress.ready)
            progress.begin(name)
            begun.append(name)
            running.append(name)
        else:
            name = running.pop(random.randrange(len(running)))
            told = outcomes[name]
            progress.finish(name, End(Status(told.status), told.condition))
    model = expected(spec, outcomes)
    assert progress.over
    assert len(begun) == len(set(begun)), "a node has run twice"
    ends = {node.id: progress.end_of(node.id) for node in spec.nodes}
    assert {name: e and str(e.status) for name, e in ends.items()} == model.statuses
    assert {name for name in ends if progress.handled(name)} == model.handled
    assert bool(progress.failed(strict=spec.strict)) == (model.status == "FAILURE")


@settings(max_examples=200, deadline=None)
@given(graphs(), st.randoms())
def test_a_failed_node_that_is_retried_ends_as_if_it_had_never_failed(
    drawn: tuple[GraphSpec, dict[str, Outcome]], random: Any
) -> None:
    """Of graphs without handlers, where nothing has run because of the failure."""
    spec, outcomes = drawn
    nodes = [
        node.model_copy(
            update={
                "after": [e for e in node.after if e.when == "on_success"],
                "continue_on_failure": False,
            }
        )
        for node in spec.nodes
    ]
    spec = spec.model_copy(update={"nodes": nodes})
    progress = Progress(spec.nodes)
    retried: set[str] = set()
    waiting: list[str] = []
    while progress.ready or waiting:
        if not progress.ready:
            name = waiting.pop()
            retried.add(name)
            progress.reopen(name)
            continue
        name = random.choice(progress.ready)
        progress.begin(name)
        good = name in retried or outcomes[name].status == "SUCCESS"
        progress.finish(name, end("SUCCESS" if good else "FAILURE"))
        if not good:
            waiting.append(name)
    assert {str((progress.end_of(n.id) or end("LOST")).status) for n in nodes} <= {
        "SUCCESS"
    }


def test_nodes_without_others_before_them_may_begin_at_once() -> None:
    progress = Progress(graph({"a": {}, "b": {}, "c": {"after": "a"}}).nodes)
    assert progress.ready == ["a", "b"]


def test_a_join_of_all_waits_for_all_and_runs_once() -> None:
    progress = Progress(graph({"a": {}, "b": {}, "c": {"after": ["a", "b"]}}).nodes)
    for name in ("a", "b"):
        progress.begin(name)
    progress.finish("a", end("SUCCESS"))
    assert progress.ready == []
    progress.finish("b", end("SUCCESS"))
    assert progress.ready == ["c"]


def test_a_join_of_any_begins_with_the_first_and_not_again() -> None:
    spec = graph({"a": {}, "b": {}, "c": {"after": ["a", "b"], "join": "any"}})
    progress = Progress(spec.nodes)
    for name in ("a", "b"):
        progress.begin(name)
    progress.finish("a", end("SUCCESS"))
    assert progress.ready == ["c"]
    progress.begin("c")
    progress.finish("b", end("SUCCESS"))
    assert progress.ready == []


def test_what_can_no_longer_run_is_skipped_at_once_and_so_is_what_follows() -> None:
    spec = graph(
        {"a": {}, "slow": {}, "b": {"after": ["a", "slow"]}, "c": {"after": "b"}}
    )
    progress = Progress(spec.nodes)
    progress.begin("a")
    progress.begin("slow")
    assert progress.finish("a", end("FAILURE")) == ["b", "c"]
    assert progress.phase("slow") is Phase.BEGUN
    dead = progress.dead_edge("b")
    assert dead is not None
    assert str(dead) == "a (on_success)"


def test_a_failure_is_handled_only_when_its_handler_has_run() -> None:
    spec = graph(
        {"a": {}, "other": {}, "h": {"after": {"a": "on_failure", "other": "always"}}}
    )
    progress = Progress(spec.nodes)
    progress.begin("a")
    progress.finish("a", end("FAILURE"))
    assert not progress.handled("a")
    progress.begin("other")
    progress.finish("other", end("SUCCESS"))
    progress.begin("h")
    assert progress.handled("a")


def test_a_node_skipped_by_hand_lets_pass_or_not() -> None:
    nodes = graph({"a": {}, "b": {"after": "a"}, "c": {"after": {"a": "always"}}}).nodes
    passing, stopping = Progress(nodes), Progress(nodes)
    passing.skip("a", passes=True)
    assert passing.ready == ["b", "c"]
    assert stopping.skip("a", passes=False) == ["b", "c"]


def test_a_case_alone_decides_after_a_switch() -> None:
    spec = GraphSpec.model_validate(
        {
            "id": "g",
            "name": "G",
            "nodes": {
                "s": {
                    "kind": "switch",
                    "cases": [{"name": "x", "if": "{{ 1 }}"}],
                    "default": "y",
                },
                "x": {"after": {"s": {"case": "x"}}, "event": EVENT},
                "y": {"after": {"s": {"case": "y"}}, "event": EVENT},
            },
        }
    )
    progress = Progress(spec.nodes)
    progress.begin("s")
    assert progress.finish("s", End(Status.SUCCESS, case="y")) == ["x"]
    assert progress.ready == ["y"]
