"""Is it a graph that can run: names, cycles, and nodes that never could.

Everything is found before anything runs, and all of it is said at once.
"""

from collections.abc import Iterable, Mapping, Sequence

from contracts.graph_nodes import BaseNode, Edge, EdgeWhen, Join, SwitchNode
from contracts.validation import Problem

MOST_PROBLEMS = 20
# The default of a switch may be chosen when no case was true, so any two differ.
OPPOSITES = (
    frozenset({EdgeWhen.ON_SUCCESS, EdgeWhen.ON_FAILURE}),
    frozenset({EdgeWhen.ON_CONDITION, EdgeWhen.ON_CONDITION_FALSE}),
)
CONDITIONS = frozenset({EdgeWhen.ON_CONDITION, EdgeWhen.ON_CONDITION_FALSE})


def problems_of_shape(nodes: Sequence[BaseNode]) -> list[Problem]:
    """Return what keeps the nodes from being a graph; at most 20 problems.

    Paths are relative to the graph: `nodes[3].after[0].node`.
    """
    found = _doubles(nodes) + _edges(nodes)
    if not found:
        # Cycles and dead ends mean nothing while names are wrong.
        found = _cycle(nodes) or _never_run(nodes)
    return found[:MOST_PROBLEMS]


def order_of(nodes: Sequence[BaseNode]) -> list[str]:
    """Return the ids so that each comes after all before it, else in given order.

    Nodes on a cycle, and those behind it, are left out.
    """
    missing = {node.id: len({edge.node for edge in node.after}) for node in nodes}
    behind: dict[str, list[str]] = {node.id: [] for node in nodes}
    for node in nodes:
        for name in dict.fromkeys(edge.node for edge in node.after):
            behind[name].append(node.id)
    ready = [node.id for node in nodes if not missing[node.id]]
    for name in ready:
        for other in behind[name]:
            missing[other] -= 1
            if not missing[other]:
                ready.append(other)
    return ready


def ancestors_of(nodes: Sequence[BaseNode]) -> dict[str, frozenset[str]]:
    """Return, for each node, all that come before it. The graph has no cycle."""
    by_id = {node.id: node for node in nodes}
    found: dict[str, frozenset[str]] = {}
    for name in order_of(nodes):
        before = dict.fromkeys(edge.node for edge in by_id[name].after)
        found[name] = frozenset(before).union(*(found[other] for other in before))
    return found


def _doubles(nodes: Sequence[BaseNode]) -> list[Problem]:
    first: dict[str, int] = {}
    found = []
    for index, node in enumerate(nodes):
        if node.id in first:
            found.append(
                Problem(
                    path=f"nodes[{index}].id",
                    message=f"{node.id} is the id of nodes[{first[node.id]}] already",
                )
            )
        first.setdefault(node.id, index)
    return found


def _edges(nodes: Sequence[BaseNode]) -> list[Problem]:
    by_id = {node.id: node for node in nodes}
    found = []
    for index, node in enumerate(nodes):
        seen: set[Edge] = set()
        for place, edge in enumerate(node.after):
            message = _wrong(edge, node, by_id)
            if not message and edge in seen:
                message = "the same edge is given twice"
            seen.add(edge)
            if message:
                path = f"nodes[{index}].after[{place}]"
                found.append(Problem(path=path, message=message))
    return found


def _wrong(edge: Edge, node: BaseNode, by_id: Mapping[str, BaseNode]) -> str:
    before = by_id.get(edge.node)
    if before is None:
        return f"no node has the id {edge.node}"
    if before is node:
        return f"{node.id} comes after itself"
    if edge.case is not None:
        if not isinstance(before, SwitchNode):
            return f"{edge.node} is no switch, so it has no cases"
        if edge.case not in before.names:
            return f"{edge.node} has no case {edge.case}: {', '.join(before.names)}"
    return ""


def _cycle(nodes: Sequence[BaseNode]) -> list[Problem]:
    free = set(order_of(nodes))
    left = {node.id: node for node in nodes if node.id not in free}
    if not left:
        return []
    # Walking from any of them to one before it must come back sooner or later.
    walk = [next(iter(left))]
    while walk.count(walk[-1]) < 2:
        walk.append(next(e.node for e in left[walk[-1]].after if e.node in left))
    loop = walk[walk.index(walk[-1]) :]
    turned = " → ".join(reversed(loop))
    return [Problem(path="nodes", message=f"there is a cycle: {turned}")]


def _never_run(nodes: Sequence[BaseNode]) -> list[Problem]:
    by_id = {node.id: node for node in nodes}
    places = {node.id: index for index, node in enumerate(nodes)}
    never: dict[str, str] = {}
    for name in order_of(nodes):
        node = by_id[name]
        dead = [edge.node for edge in node.after if edge.node in never]
        if node.join is Join.ALL:
            why = _contradiction(node.after, by_id)
            if dead:
                why = f"it comes after {dead[0]}, which can never run"
        else:
            all_dead = bool(node.after) and len(dead) == len(node.after)
            why = "all before it can never run" if all_dead else ""
        if why:
            never[name] = why
    return [
        Problem(path=f"nodes[{places[name]}]", message=f"{name} can never run: {why}")
        for name, why in never.items()
    ]


def _contradiction(edges: Iterable[Edge], by_id: Mapping[str, BaseNode]) -> str:
    of: dict[str, list[Edge]] = {}
    for edge in edges:
        of.setdefault(edge.node, []).append(edge)
    for name, several in of.items():
        whens = {edge.when for edge in several}
        cases = {edge.case for edge in several if edge.case is not None}
        borne = by_id[name].continue_on_failure
        opposite = [
            pair
            for pair in OPPOSITES
            if pair <= whens and not (borne and EdgeWhen.ON_FAILURE in pair)
        ]
        if opposite or len(cases) > 1:
            words = " and ".join(sorted(edge.case or edge.when for edge in several))
            return f"{name} cannot be both, {words} (`join: any` takes one of them)"
    return ""
