"""What can be said against a graph's expressions and servers before anything runs."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from contracts.events import EventSpec
from contracts.graph_nodes import (
    ApprovalNode,
    BaseNode,
    EventNode,
    MapNode,
    SwitchNode,
    WaitNode,
    WorkflowNode,
)
from contracts.graph_shape import MOST_PROBLEMS, ancestors_of
from contracts.graphs import GraphSpec
from contracts.validation import Problem
from workflows.graphs.expressions import problems_in, reads_of

ROOTS = frozenset({"input", "nodes", "variables", "run"})
ITEM_ROOTS = ROOTS | {"item", "index"}
FIRST_ROOTS = frozenset({"input", "run"})


@dataclass(frozen=True)
class Field:
    """A field that may hold expressions."""

    path: str
    value: Any
    roots: frozenset[str]


def problems_of_graph(spec: GraphSpec, path: str = "") -> list[Problem]:
    """Return what is wrong with a graph that has the shape of one; at most 20.

    Args:
        spec: The graph.
        path: Where it stands, such as `workflow`.
    """
    return list(_problems(spec, f"{path}." if path else ""))[:MOST_PROBLEMS]


def fields_of(node: BaseNode, path: str = "") -> Iterator[Field]:
    """Yield the fields of a node that may hold expressions."""
    roots = ITEM_ROOTS if isinstance(node, MapNode) else ROOTS
    yield Field(f"{path}input", node.input, roots)
    match node:
        case EventNode():
            if node.concurrency is not None:
                yield Field(f"{path}concurrency.key", node.concurrency.key, ROOTS)
        case WaitNode():
            yield Field(f"{path}seconds", node.seconds, ROOTS)
            yield Field(f"{path}until", node.until, ROOTS)
        case ApprovalNode():
            yield Field(f"{path}message", node.message, ROOTS)
        case MapNode():
            yield Field(f"{path}items", node.items, ROOTS)
        case SwitchNode():
            for index, case in enumerate(node.cases):
                yield Field(f"{path}cases[{index}].if", case.when, ROOTS)


def _problems(spec: GraphSpec, path: str) -> Iterator[Problem]:
    before = ancestors_of(spec.nodes)
    if spec.concurrency is not None:
        field = Field(f"{path}concurrency.key", spec.concurrency.key, FIRST_ROOTS)
        yield from _problems_of_field(field, frozenset(), frozenset())
    for name, event in spec.events.items():
        yield from _unresolved(event, f"{path}events.{name}")
    everybody = frozenset(before)
    for index, node in enumerate(spec.nodes):
        place = f"{path}nodes[{index}]."
        for field in fields_of(node, place):
            yield from _problems_of_field(field, before[node.id], everybody)
        if isinstance(node, EventNode | MapNode) and isinstance(node.event, EventSpec):
            yield from _unresolved(node.event, f"{place}event")
        inner = node.workflow if isinstance(node, WorkflowNode | MapNode) else None
        if inner is not None:
            yield from _problems(inner, f"{place}workflow.")
    output = Field(f"{path}output", spec.output, ROOTS)
    yield from _problems_of_field(output, everybody, everybody)


def _problems_of_field(
    field: Field, before: frozenset[str], everybody: frozenset[str]
) -> Iterator[Problem]:
    found = problems_in(field.value, field.path)
    yield from found
    if found:
        return
    reads = reads_of(field.value)
    for name in sorted(reads.roots - field.roots):
        known = ", ".join(sorted(field.roots))
        yield Problem(path=field.path, message=f"nothing is named {name} ({known})")
    for name in sorted(reads.nodes - before):
        if name in everybody:
            why = f"{name} does not come before this node: add it to `after`"
        else:
            why = f"no node has the id {name}"
        yield Problem(path=field.path, message=why)


def _unresolved(event: EventSpec, path: str) -> Iterator[Problem]:
    for index, target in enumerate(event.targets or []):
        if isinstance(target, str):
            yield Problem(
                path=f"{path}.targets[{index}]",
                message="a name is given, but the server itself was expected",
            )
