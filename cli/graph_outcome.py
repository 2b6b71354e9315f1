"""Print a graph: what would run, where it stands, and how it ended."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from cli.errors import EXIT_CANCELLED, EXIT_FAILURE, EXIT_TIMEOUT
from cli.outcome import print_links, status_text
from cli.terminal import facts, safe, table
from contracts.graph_nodes import (
    ApprovalNode,
    BaseNode,
    EventNode,
    Join,
    MapNode,
    SwitchNode,
    WaitNode,
    WorkflowNode,
)
from contracts.graph_results import GraphResult, NodeResult
from contracts.graph_shape import order_of
from contracts.graphs import GraphRequest, GraphSpec
from contracts.results import Status

SHOWN_CHARS = 2_000


def exit_status_of(result: GraphResult) -> int:
    """Return the exit status of `cronium workflow run`, as that of `cronium run`."""
    if result.status in (Status.SUCCESS, Status.SKIPPED):
        return 0
    if result.status is Status.TIMEOUT:
        return EXIT_TIMEOUT
    return EXIT_CANCELLED if result.status is Status.CANCELLED else EXIT_FAILURE


def print_graph_result(
    console: Console, result: GraphResult, links: Mapping[str, str]
) -> None:
    """Print the rows of all nodes, and what the run came to."""
    console.print(nodes_table(result.nodes))
    counts = result.counts
    words = f"{counts.total}: {counts.succeeded} succeeded, {counts.failed} failed"
    words += f" ({counts.handled} handled)" if counts.handled else ""
    words += f", {counts.skipped} skipped" if counts.skipped else ""
    words += f", {counts.cancelled} cancelled" if counts.cancelled else ""
    rows = [
        ("Status", status_text(result.status)),
        ("Workflow", safe(result.workflow_name)),
        ("Nodes", Text(words)),
        ("Took", Text(f"{result.total_ms} ms")),
    ]
    if result.output is not None:
        rows.append(("Output", safe(_short(result.output))))
    if result.omitted:
        rows.append(("Without output", safe(", ".join(result.omitted))))
    if result.error is not None:
        rows.append(("Error", safe(f"{result.error.type}: {result.error.message}")))
        if result.error.hint:
            rows.append(("Hint", safe(result.error.hint)))
    if result.rerun_of:
        rows.append(("Rerun of", safe(result.rerun_of)))
    rows.append(("Execution", Text(result.execution_id)))
    console.print(facts(rows))
    print_links(console, dict(links))


def nodes_table(rows: Sequence[NodeResult]) -> Any:
    """Return a row per node."""
    made = table(("node", "kind", "status", "exit", "took", "what"), fold=("what",))
    for row in rows:
        made.add_row(
            safe(row.node),
            Text(row.kind),
            _status(row),
            Text("–" if row.exit_code is None else str(row.exit_code)),
            Text(_took(row)),
            safe(_what(row)),
        )
    return made


def print_plan(console: Console, request: GraphRequest) -> None:
    """Print what would run, in an order in which it could."""
    spec = request.workflow
    made = table(
        ("node", "kind", "after", "what", "input"), fold=("after", "what", "input")
    )
    nodes = spec.by_id
    for name in order_of(spec.nodes):
        node = nodes[name]
        reused = request.reuse.get(name)
        made.add_row(
            safe(node.title),
            Text(node.does if reused is None else f"{node.does}, as before"),
            safe(_after(node)),
            safe(_does(spec, node)),
            safe("" if node.input is None else _short(node.input)),
        )
    console.print(made)
    console.print(
        Text(f"{len(spec.nodes)} nodes; nothing was started (--dry-run)", "dim")
    )


def _status(row: NodeResult) -> Text:
    text = status_text(row.status)
    return Text.assemble(text, " (handled)") if row.handled else text


def _what(row: NodeResult) -> str:
    said = "; ".join(
        f"{d.verdict} by {d.by}" + (f": {d.why}" if d.why else "")
        for d in row.decisions
    )
    parts = [
        said,
        f"waits for {row.waiting_for}" if row.waiting_for else "",
        f"case {row.case}" if row.case is not None else "",
        f"as in {row.reused_from}" if row.reused_from else "",
        f"{row.counts.succeeded}/{row.counts.total} succeeded" if row.counts else "",
        row.error.message if row.error else "",
        *(f"{action.kind} {action.status}" for action in row.actions),
    ]
    return "; ".join(part for part in parts if part)


def _took(row: NodeResult) -> str:
    if row.started_at is None or row.ended_at is None:
        return ""
    return f"{(row.ended_at - row.started_at) * 1000:.0f} ms"


def _after(node: BaseNode) -> str:
    words = ", ".join(str(edge) for edge in node.after)
    many = node.join is Join.ANY and len(node.after) > 1
    return f"any of: {words}" if many else words or "the start"


def _does(spec: GraphSpec, node: BaseNode) -> str:
    match node:
        case EventNode():
            event = spec.event_of(node)
            where = f" on {len(event.targets)} servers" if event.targets else ""
            return f"{event.type} {event.name}{where}"
        case MapNode():
            of = "a graph" if node.event is None else spec.event_of(node).name
            return f"{of} for each of {_short(node.items)}, {node.parallel} at a time"
        case WaitNode():
            return f"until {node.until}" if node.until else f"{node.seconds} s"
        case ApprovalNode():
            return node.message or "somebody says yes or no"
        case SwitchNode():
            return f"one of {', '.join(node.names)}"
        case WorkflowNode():
            return f"{node.workflow.name} ({len(node.workflow.nodes)} nodes)"
    return ""


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= SHOWN_CHARS else text[:SHOWN_CHARS] + " …"
