"""Which ends of an earlier run a rerun takes as they are, and what runs anew."""

from collections.abc import Collection

from contracts.errors import RequestRefused
from contracts.events import Trigger
from contracts.graph_nodes import EventNode, MapNode
from contracts.graph_results import GraphResult, NodeResult
from contracts.graph_shape import order_of
from contracts.graphs import GraphRequest, GraphSpec, Reuse
from contracts.results import Status
from workflows.graphs.progress import BAD

NOT_ENDED = frozenset(
    {Status.PENDING, Status.RUNNING, Status.CANCELLED, Status.SKIPPED}
)


def rerun_of(
    order: GraphRequest,
    result: GraphResult,
    again: Collection[str],
    spec: GraphSpec | None = None,
) -> GraphRequest:
    """Return the order that runs an earlier run again, but for its execution id.

    Args:
        order: What was asked for then.
        result: How that one ended.
        again: As `anew` of `reuse_of`.
        spec: The graph as it is now; None: as it was.

    Raises:
        RequestRefused: As `reuse_of`.
    """
    whole = spec or order.workflow
    return order.model_copy(
        update={
            "workflow": whole,
            "reuse": reuse_of(whole, order.workflow, result, again),
            "rerun_of": order.execution_id,
            "trigger": Trigger.MANUAL,
            "schedule": None,
            "scheduled_for": None,
        }
    )


def reuse_of(
    spec: GraphSpec,
    before: GraphSpec,
    result: GraphResult,
    anew: Collection[str] = (),
) -> dict[str, Reuse]:
    """Return the ends that a rerun takes from an earlier run.

    What runs anew: the nodes that are named, or else those whose failure nobody
    handled; those that were changed, did not run or were cancelled; and everything
    behind any of these.

    Args:
        spec: The graph to run; may have been edited.
        before: The graph of the earlier run.
        result: How that one ended.
        anew: Nodes to run again; empty: those that failed and were not handled.

    Raises:
        RequestRefused: A node is not known, or an output that is needed was too large
            to be kept.
    """
    nodes, earlier = spec.by_id, before.by_id
    for name in anew:
        if name not in nodes:
            raise RequestRefused(
                f"no node has the id {name}", hint=f"Known: {', '.join(nodes)}."
            )
    rows = {row.node: row for row in result.nodes}
    fresh: set[str] = set()
    found: dict[str, Reuse] = {}
    for name in order_of(spec.nodes):
        row = rows.get(name)
        if (
            row is None
            or row.status in NOT_ENDED
            or _runs_again(row, anew)
            or any(edge.node in fresh for edge in nodes[name].after)
            or _differs(spec, before, name, earlier)
        ):
            fresh.add(name)
            continue
        if name in result.omitted:
            raise RequestRefused(
                f"the output of {name} was too large to be kept with the result",
                hint=f"Let {name} run again as well, or an earlier node.",
            )
        found[name] = Reuse(
            status=row.status,
            output=row.output,
            condition=row.condition,
            case=row.case,
            execution_id=row.reused_from or result.execution_id,
        )
    return found


def _runs_again(row: NodeResult, anew: Collection[str]) -> bool:
    if anew:
        return row.node in anew
    return row.status in BAD and not row.handled


def _differs(
    spec: GraphSpec, before: GraphSpec, name: str, earlier: Collection[str]
) -> bool:
    if spec is before:
        return False
    return name not in earlier or _whole(spec, name) != _whole(before, name)


def _whole(spec: GraphSpec, name: str) -> object:
    """Return all that decides what a node does, its place in the graph included."""
    node = spec.by_id[name]
    if isinstance(node, EventNode | MapNode) and node.event is not None:
        return node, spec.event_of(node)
    return node
