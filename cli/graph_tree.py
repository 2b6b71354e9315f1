"""What a person sees of a graph while it runs: a live tree, or lines of its news."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from cli.outcome import status_text
from cli.terminal import safe
from contracts.graph_results import NodeResult
from contracts.graph_shape import order_of
from contracts.graphs import GraphSpec
from contracts.logs import LogLine
from contracts.results import Status

if TYPE_CHECKING:
    from temporalio.client import WorkflowHandle

# Often enough for the eye; a query costs the worker some milliseconds.
POLL_SECONDS = 0.5
MAX_SHOWN = 40
MAX_LINE = 100


class Tree:
    """A row per node with status, duration and last line, in the order of the graph.

    It takes the place of a printer of lines: what scripts write is shown as each
    node's last line.

    Args:
        spec: The graph.
        console: Where it is drawn.
    """

    def __init__(self, spec: GraphSpec, console: Console) -> None:
        self._spec = spec
        self._order = order_of(spec.nodes)
        self._depth = _depths(spec, self._order)
        self._titles = {node.id: node.title for node in spec.nodes}
        self._rows: dict[str, NodeResult] = {}
        self._last: dict[str, str] = {}
        self._spinner = Spinner("dots")
        self._live = Live(
            console=console, get_renderable=self._render, refresh_per_second=8
        )

    def __enter__(self) -> "Tree":
        self._live.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._live.stop()

    def print(self, lines: Iterable[LogLine]) -> None:
        """Keep the last line of each node."""
        for line in lines:
            if line.text.strip():
                self._last[_node_of(line.target)] = line.text

    def close(self) -> None:
        """See `cli.execution.Printer`."""

    def show(self, rows: Sequence[NodeResult]) -> None:
        """Take where the nodes stand."""
        self._rows = {row.node: row for row in rows}

    def _render(self) -> RenderableType:
        grid = Table.grid(padding=(0, 1))
        for _ in range(5):
            grid.add_column(no_wrap=True)
        for name in self._shown():
            row = self._rows.get(name)
            grid.add_row(
                self._mark(row),
                safe("  " * self._depth[name] + self._titles[name]),
                status_text(row.status) if row else Text("PENDING", "dim"),
                Text(_took(row), "dim"),
                safe(self._words(name, row)[:MAX_LINE], "dim"),
            )
        hidden = len(self._order) - MAX_SHOWN
        more = [Text(f"… and {hidden} more nodes", "dim")] if hidden > 0 else []
        return Group(grid, *more)

    def _shown(self) -> list[str]:
        if len(self._order) <= MAX_SHOWN:
            return self._order
        # Those at work are of most interest.
        busy = [n for n in self._order if self._status(n) is Status.RUNNING]
        rest = [n for n in self._order if n not in set(busy)]
        chosen = set((busy + rest)[:MAX_SHOWN])
        return [name for name in self._order if name in chosen]

    def _status(self, name: str) -> Status:
        row = self._rows.get(name)
        return row.status if row else Status.PENDING

    def _mark(self, row: NodeResult | None) -> RenderableType:
        if row is None or row.status is Status.PENDING:
            return Text("·", "dim")
        if row.status is Status.RUNNING:
            return self._spinner
        if row.status is Status.SUCCESS:
            return Text("✓", "green")
        if row.status is Status.SKIPPED:
            return Text("–", "dim")
        return Text("!" if row.handled else "✗", "yellow" if row.handled else "red")

    def _words(self, name: str, row: NodeResult | None) -> str:
        if row is not None and row.waiting_for:
            return f"waits for {row.waiting_for}"
        if row is not None and row.error is not None and row.status.final:
            return row.error.message
        if row is not None and row.counts is not None and not row.status.final:
            return f"{row.counts.succeeded}/{row.counts.total}"
        return self._last.get(name, "")


class News:
    """Says in a line of its own what became of each node, for where no tree can be.

    Args:
        say: Takes the lines.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._told: dict[str, tuple[Status, str]] = {}

    def show(self, rows: Sequence[NodeResult]) -> None:
        """Tell of the nodes that stand elsewhere than before."""
        for row in rows:
            now = (row.status, row.waiting_for)
            if now == self._told.get(row.node, (Status.PENDING, "")):
                continue
            self._told[row.node] = now
            self._say(_news(row))


async def watch(
    handle: "WorkflowHandle[Any, Any]", show: Callable[[Sequence[NodeResult]], None]
) -> None:
    """Ask where the nodes stand, again and again, until somebody cancels this."""
    from temporalio.client import WorkflowQueryFailedError
    from temporalio.service import RPCError

    from cli.lookup import CALL_TIMEOUT

    while True:
        # No worker, or one that is busy: the next time may be better.
        with contextlib.suppress(RPCError, WorkflowQueryFailedError):
            show(
                await handle.query(
                    "progress", result_type=list[NodeResult], rpc_timeout=CALL_TIMEOUT
                )
            )
        await asyncio.sleep(POLL_SECONDS)


def _news(row: NodeResult) -> str:
    words = f"{row.node}: {row.status}"
    if row.handled:
        words += " (handled)"
    if row.status.final and row.started_at is not None:
        words += f" after {_took(row)}"
    if row.waiting_for:
        words += f", waits for {row.waiting_for}"
    elif row.error is not None:
        words += f": {row.error.message}"
    return words


def _node_of(target: str) -> str:
    return target.partition("/")[0].partition("[")[0]


def _took(row: NodeResult | None) -> str:
    if row is None or row.started_at is None:
        return ""
    seconds = (row.ended_at or time.time()) - row.started_at
    return f"{max(0.0, seconds):.1f} s"


def _depths(spec: GraphSpec, order: list[str]) -> dict[str, int]:
    nodes = spec.by_id
    depths: dict[str, int] = {}
    for name in order:
        before = [depths[edge.node] + 1 for edge in nodes[name].after]
        depths[name] = max(before, default=0)
    return depths
