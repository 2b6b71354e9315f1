"""What the expressions of a graph may read, and what a node gets without any."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from contracts.graph_nodes import BaseNode
from contracts.graph_parts import RunInfo
from contracts.graph_results import NodeResult
from contracts.results import Status
from workflows.graphs.check import fields_of
from workflows.graphs.expressions import Reads, reads_of


def reads_of_node(node: BaseNode) -> Reads:
    """Return what the expressions of all fields of a node read."""
    return reads_of([field.value for field in fields_of(node)])


def data_of(
    run: RunInfo,
    graph_input: Any,
    rows: Iterable[NodeResult],
    variables: Mapping[str, Any],
) -> dict[str, Any]:
    """Return what expressions may read, by first name.

    Args:
        run: What all nodes have in common.
        graph_input: The input of the graph.
        rows: Of the nodes that are read.
        variables: Those that are read and set.
    """
    return {
        "input": graph_input,
        "nodes": {row.node: _seen(row) for row in rows},
        "variables": dict(variables),
        "run": {
            "executionId": run.execution_id,
            "workflow": run.workflow_id,
            "user": run.user,
            "trigger": str(run.trigger),
            "startedAt": run.started_at,
        },
    }


def default_input(
    node: BaseNode,
    fired: Sequence[str],
    rows: Mapping[str, NodeResult],
    graph_input: Any,
) -> Any:
    """Return the input of a node that says nothing of it.

    Of a node at the start it is the graph's. Behind one other node it is that one's
    output, and the graph's input when it gave none. A join gets `default`, the output
    of the last of its nodes (in the order of its `after`) that fired and gave one,
    and `nodes`, the outputs of all of them that ended, by node.
    """
    before = list(dict.fromkeys(edge.node for edge in node.after))
    given = [name for name in fired if rows[name].output is not None]
    default = rows[given[-1]].output if given else graph_input
    if len(before) < 2:
        return default
    ended = [name for name in before if rows[name].status.final]
    outputs = {
        name: rows[name].output
        for name in ended
        if rows[name].status is not Status.SKIPPED
    }
    return {"default": default, "nodes": outputs}


def default_output(nodes: Sequence[BaseNode], rows: Mapping[str, NodeResult]) -> Any:
    """Return the output of a graph that says nothing of it.

    With one node that nothing comes after it is that node's; with several it is a map
    from each of them that gave an output.
    """
    before = {edge.node for node in nodes for edge in node.after}
    last = [node.id for node in nodes if node.id not in before]
    if len(last) == 1:
        return rows[last[0]].output
    return {
        name: rows[name].output for name in last if rows[name].output is not None
    } or None


def _seen(row: NodeResult) -> dict[str, Any]:
    return {
        "status": str(row.status),
        "output": row.output,
        "condition": row.condition,
        "case": row.case,
        "exitCode": row.exit_code,
        "error": row.error.message if row.error else None,
        "handled": row.handled,
        "counts": row.counts.model_dump(by_alias=True) if row.counts else None,
        "failedItems": row.failed_items,
    }
