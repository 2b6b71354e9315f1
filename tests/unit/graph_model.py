"""A reference model of graphs: how each node ends, by recursion over its edges.

Nothing of the executor's own bookkeeping is in it: no order of events, no waiting. What
a node does when it runs is given, so its end depends on those before it alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from hypothesis import strategies as st

from contracts.graphs import GraphSpec

BAD = ("FAILURE", "TIMEOUT", "LOST", "PARTIAL")
EVENT = {"type": "bash", "script": "true"}


@dataclass(frozen=True)
class Outcome:
    """What a node does when it runs."""

    status: str = "SUCCESS"
    condition: bool | None = None


@dataclass(frozen=True)
class Expected:
    """How a run of a graph must end."""

    statuses: dict[str, str]
    handled: frozenset[str]
    status: str


def expected(spec: GraphSpec, outcomes: Mapping[str, Outcome]) -> Expected:
    nodes = {node.id: node for node in spec.nodes}

    @cache
    def end(name: str) -> str:
        edges = nodes[name].after
        alive = [fires(name, index) for index in range(len(edges))]
        runs = (all if nodes[name].join == "all" else any)(alive) or not edges
        return outcomes[name].status if runs else "SKIPPED"

    @cache
    def fires(name: str, index: int) -> bool:
        edge = nodes[name].after[index]
        status = end(edge.node)
        if status == "SKIPPED":
            return False
        return {
            "always": True,
            "on_success": status == "SUCCESS" or nodes[edge.node].continue_on_failure,
            "on_failure": status in BAD,
            "on_condition": outcomes[edge.node].condition is True,
            "on_condition_false": outcomes[edge.node].condition is False,
        }[edge.when]

    def is_handled(name: str) -> bool:
        followed = any(
            edge.node == name and edge.when == "on_failure" and end(other) != "SKIPPED"
            for other in nodes
            for edge in nodes[other].after
        )
        return end(name) in BAD and (followed or nodes[name].continue_on_failure)

    statuses = {name: end(name) for name in nodes}
    handled = frozenset(name for name in nodes if is_handled(name))
    failed = [name for name in nodes if statuses[name] in BAD]
    bad = failed if spec.strict else [name for name in failed if name not in handled]
    return Expected(statuses, handled, "FAILURE" if bad else "SUCCESS")


WHENS = ["always", "on_success", "on_failure", "on_condition", "on_condition_false"]
OUTCOMES = st.builds(
    Outcome,
    st.sampled_from(["SUCCESS", "SUCCESS", "FAILURE", "TIMEOUT", "LOST", "PARTIAL"]),
    st.sampled_from([None, True, False]),
)


@st.composite
def graphs(draw: st.DrawFn, most: int = 12) -> tuple[GraphSpec, dict[str, Outcome]]:
    """Any graph whose nodes can run, with what each of them does."""
    count = draw(st.integers(1, most))
    nodes: list[dict[str, Any]] = []
    for number in range(count):
        before = draw(
            st.lists(st.integers(0, number - 1), unique=True, max_size=3)
            if number
            else st.just([])
        )
        nodes.append(
            {
                "id": f"n{number}",
                "event": EVENT,
                "join": draw(st.sampled_from(["all", "all", "any"])),
                "continueOnFailure": draw(st.integers(0, 4)) == 0,
                "after": [
                    {"node": f"n{other}", "when": draw(st.sampled_from(WHENS))}
                    for other in before
                ],
            }
        )
    draw(st.randoms()).shuffle(nodes)
    spec = GraphSpec.model_validate(
        {"id": "g", "name": "G", "nodes": nodes, "strict": draw(st.booleans())}
    )
    return spec, {node.id: draw(OUTCOMES) for node in spec.nodes}
