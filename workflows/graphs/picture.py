"""A graph for the eye: a table of its nodes, and Mermaid with colours of statuses."""

from collections.abc import Mapping

from contracts.graph_nodes import Edge, EdgeWhen, Join, NodeKind
from contracts.graph_results import NodeResult
from contracts.graphs import GraphRequest, GraphSpec
from contracts.results import Status

HEADER = "| node | kind | status | try | what | by |\n|---|---|---|---|---|---|"
MAX_ROWS = 100
# Temporal keeps 20,000 bytes of details.
MAX_DRAWN = 100
MAX_CELL = 80
COLOURS = {
    Status.PENDING: "#e0e0e0",
    Status.RUNNING: "#90caf9",
    Status.SUCCESS: "#a5d6a7",
    Status.FAILURE: "#ef9a9a",
    Status.TIMEOUT: "#ffab91",
    Status.CANCELLED: "#bdbdbd",
    Status.PARTIAL: "#ffcc80",
    Status.LOST: "#f48fb1",
    Status.SKIPPED: "#f5f5f5",
}
SHAPES = {
    NodeKind.EVENT: ("[", "]"),
    NodeKind.WAIT: ("([", "])"),
    NodeKind.APPROVAL: ("{{", "}}"),
    NodeKind.MAP: ("[[", "]]"),
    NodeKind.SWITCH: ("{", "}"),
    NodeKind.WORKFLOW: ("[/", "/]"),
}


def mermaid(spec: GraphSpec, rows: Mapping[str, NodeResult] | None = None) -> str:
    """Return the graph as Mermaid text.

    Args:
        spec: The graph.
        rows: Where its nodes stand, by node; None draws it without statuses.
    """
    numbers = {node.id: f"n{index}" for index, node in enumerate(spec.nodes)}
    lines = ["flowchart LR"]
    used: set[Status] = set()
    for node in spec.nodes:
        left, right = SHAPES[node.does]
        row = rows.get(node.id) if rows else None
        words = node.title + _join(node.join, len(node.after))
        style = ""
        if row is not None:
            used.add(row.status)
            style = f":::{row.status.lower()}"
            words += _mark(row)
        lines.append(f'  {numbers[node.id]}{left}"{_label(words)}"{right}{style}')
    for node in spec.nodes:
        for edge in node.after:
            arrow = _arrow(edge)
            lines.append(f"  {numbers[edge.node]} {arrow} {numbers[node.id]}")
    lines += [
        f"  classDef {status.lower()} fill:{COLOURS[status]},stroke:#424242,color:#000"
        for status in Status
        if status in used
    ]
    return "\n".join(lines)


def state_of(spec: GraphSpec, rows: Mapping[str, NodeResult]) -> str:
    """Return table and picture as Markdown; a large graph is not drawn."""
    lines = table(list(rows.values()))
    if len(spec.nodes) <= MAX_DRAWN:
        lines += ["", "```mermaid", mermaid(spec, rows), "```"]
    return "\n".join(lines)


def details(
    request: GraphRequest, rows: Mapping[str, NodeResult], logs_url: str, state: str
) -> str:
    """Return what Temporal's web UI shows of a run."""
    spec = request.workflow
    lines = [f"**{_plain(spec.name)}**, execution `{request.execution_id}`"]
    if state:
        lines.append(f"\n**{state}**")
    if logs_url:
        lines.append(f"[Live log]({logs_url})")
    ended = sum(row.status.final for row in rows.values())
    lines.append(f"\n{ended}/{len(rows)} nodes ended\n")
    return "\n".join([*lines, state_of(spec, rows)])


def table(rows: list[NodeResult]) -> list[str]:
    """Return the nodes as lines of a Markdown table."""
    lines = [HEADER, *(_row(row) for row in rows[:MAX_ROWS])]
    if len(rows) > MAX_ROWS:
        lines.append(f"\n… and {len(rows) - MAX_ROWS} more")
    return lines


def _row(row: NodeResult) -> str:
    done = row.counts
    what = row.waiting_for or (row.error.message if row.error else "")
    if done is not None and not what:
        what = f"{done.succeeded}/{done.total} succeeded"
    if row.case is not None:
        what = f"case {row.case}"
    if row.reused_from is not None:
        what = f"as in {row.reused_from}"
    status = f"{row.status} (handled)" if row.handled else str(row.status)
    by = ", ".join(f"{said.verdict} by {said.by}" for said in row.decisions)
    tries = str(row.attempts or "")
    cells = (row.node, row.kind, status, tries, what, by)
    return "| " + " | ".join(_plain(cell) for cell in cells) + " |"


def _join(join: Join, edges: int) -> str:
    return " (any)" if join is Join.ANY and edges > 1 else ""


def _mark(row: NodeResult) -> str:
    return "\nhandled" if row.handled else ""


def _arrow(edge: Edge) -> str:
    if edge.when is EdgeWhen.ON_SUCCESS:
        return "-->"
    word = edge.case or edge.when.removeprefix("on_").replace("_", " ")
    return f'-. "{_label(word)}" .->'


def _label(text: str) -> str:
    """Return text that Mermaid takes for text alone, whatever people write."""
    kept = (c if c.isalnum() or c in " .,:-_/()!?" else f"#{ord(c)};" for c in text)
    return "".join(kept).replace("#10;", "<br/>")


def _plain(text: str) -> str:
    safe = "".join("\\" + c if c in "\\|[]()<>*_`#" else c for c in text[:MAX_CELL])
    return " ".join(safe.split())
