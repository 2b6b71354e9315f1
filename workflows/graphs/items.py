"""The items of a map: a bounded window, results in order, and when to begin no more."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from contracts.errors import ErrorInfo
    from contracts.fanout import limit_of
    from contracts.graph_nodes import MapNode, OnItemFailure
    from contracts.graph_parts import MapTally
    from contracts.graph_results import GraphError
    from contracts.limits import MAX_MAP_OUTPUT_BYTES
    from contracts.results import LogCounts, Status, TargetCounts
    from contracts.wire_text import json_size
    from workflows.endings import total
    from workflows.graphs.brake import Brake

MOST_FAILED = 20
COUNTED = {
    Status.SUCCESS: "succeeded",
    Status.FAILURE: "failed",
    Status.PARTIAL: "failed",
    Status.TIMEOUT: "timed_out",
    Status.LOST: "lost",
    Status.CANCELLED: "cancelled",
    Status.SKIPPED: "skipped",
}


@dataclass(frozen=True)
class ItemEnd:
    """How one item ended."""

    status: Status
    output: Any = None
    error: ErrorInfo | None = None
    logs: LogCounts = field(default_factory=LogCounts)


RunItem = Callable[[int, Any], Awaitable[ItemEnd]]


class Items:
    """Runs what is to be done for each item.

    Args:
        node: The user's wishes.
        items: All of them.
        run_item: Does one, given its number and value; ends with a result even when
            it is cancelled.
        tally: What the items before have come to.
        changed: Called when an item has begun or ended.
        brake: No item begins while it is on.
    """

    def __init__(
        self,
        node: MapNode,
        items: Sequence[Any],
        run_item: RunItem,
        tally: MapTally,
        changed: Callable[[], None],
        brake: Brake,
    ) -> None:
        self._brake = brake
        self._node = node
        self._items = items
        self._run_item = run_item
        self._changed = changed
        self._limit = limit_of(node.max_failures, len(items))
        self._next = tally.done
        counts = tally.counts.model_copy(update={"total": len(items)})
        self.tally = tally.model_copy(update={"counts": counts})
        self._tasks: dict[asyncio.Task[ItemEnd], int] = {}
        self._error: BaseException | None = None
        self._cancelled = False

    @property
    def over(self) -> bool:
        """Whether no other item is to begin."""
        return self.tally.stopped or self._next >= len(self._items)

    async def run(self, most: int) -> None:
        """Begin at most so many items, and return when all that began have ended."""
        last = self._next + most
        try:
            while not self.over and self._next < last:
                while self._may_begin and self._next < last:
                    self._begin()
                await workflow.wait_condition(self._has_news)
            await self._all_ended()
        except asyncio.CancelledError:
            self._cancelled = True
            for task in list(self._tasks):
                task.cancel()
            await self._all_ended()
            self._count_rest("cancelled")
        if self.tally.stopped:
            self._count_rest("skipped")

    def result(self) -> dict[str, Any]:
        """Return what the items come to, as fields of a node's row."""
        tally = self.tally
        status, error = self._judge()
        return {
            "status": status,
            "error": error,
            "output": [tally.outputs.get(i) for i in range(tally.done)]
            if tally.output_bytes <= MAX_MAP_OUTPUT_BYTES
            else None,
            "counts": tally.counts,
            "failed_items": tally.failed_items,
            "logs": tally.logs.model_copy(update={"last_lines": []}),
        }

    def _begin(self) -> None:
        index = self._next
        self._next += 1
        task = asyncio.ensure_future(self._carry(index))
        self._tasks[task] = index
        task.add_done_callback(self._leave)
        self._changed()

    async def _carry(self, index: int) -> ItemEnd:
        return await self._run_item(index, self._items[index])

    def _leave(self, task: asyncio.Task[ItemEnd]) -> None:
        index = self._tasks.pop(task)
        if task.cancelled():
            self._count(index, ItemEnd(Status.CANCELLED))
        elif (error := task.exception()) is not None:
            self._error = self._error or error
        else:
            self._count(index, task.result())
        self._changed()

    @property
    def _may_begin(self) -> bool:
        has_room = len(self._tasks) < self._node.parallel
        return has_room and not self.over and not self._brake.holds_items

    def _has_news(self) -> bool:
        return self._may_begin or self.over or self._error is not None

    async def _all_ended(self) -> None:
        await workflow.wait_condition(lambda: not self._tasks)
        if self._error is not None:
            # A fault of ours: the workflow task fails, and goes on once it is mended.
            raise self._error

    def _count(self, index: int, end: ItemEnd) -> None:
        tally = self.tally
        name = COUNTED[end.status]
        counts = tally.counts
        bad = end.status not in (Status.SUCCESS, Status.CANCELLED)
        fields: dict[str, Any] = {
            "done": self._next,
            "counts": counts.model_copy(update={name: getattr(counts, name) + 1}),
            "logs": total(tally.logs, end.logs),
        }
        if bad:
            fields["first_error"] = tally.first_error or end.error
            failed = sorted([*tally.failed_items, index])[:MOST_FAILED]
            fields["failed_items"] = failed
        if end.output is not None:
            fields["output_bytes"] = tally.output_bytes + json_size(end.output) + 1
            if fields["output_bytes"] <= MAX_MAP_OUTPUT_BYTES:
                fields["outputs"] = {**tally.outputs, index: end.output}
            else:
                # Not kept for nothing, while they travel from run to run.
                fields["outputs"] = {}
        self.tally = tally.model_copy(update=fields)
        stops = self._node.on_item_failure is OnItemFailure.STOP
        if bad and stops and self._failed > self._limit:
            self.tally = self.tally.model_copy(update={"stopped": True})

    @property
    def _failed(self) -> int:
        counts = self.tally.counts
        return counts.failed + counts.timed_out + counts.lost

    def _count_rest(self, name: str) -> None:
        rest = len(self._items) - self._next
        counts = self.tally.counts
        update = {name: getattr(counts, name) + rest}
        self._next = len(self._items)
        self.tally = self.tally.model_copy(
            update={"counts": counts.model_copy(update=update), "done": self._next}
        )

    def _judge(self) -> tuple[Status, ErrorInfo | None]:
        counts, failed = self.tally.counts, self._failed
        if self._cancelled and counts.cancelled:
            return Status.CANCELLED, None
        if self.tally.output_bytes > MAX_MAP_OUTPUT_BYTES:
            return Status.FAILURE, _too_large(self.tally.output_bytes)
        if failed <= self._limit and not counts.skipped:
            return Status.SUCCESS, None
        return (
            Status.PARTIAL if counts.succeeded else Status.FAILURE,
            _items_failed(counts, failed, self.tally),
        )


def _items_failed(counts: TargetCounts, failed: int, tally: MapTally) -> ErrorInfo:
    numbers = ", ".join(str(index) for index in tally.failed_items[:5])
    more = ", …" if failed > 5 else ""
    first = f" The first: {tally.first_error.message}" if tally.first_error else ""
    skipped = f", {counts.skipped} not begun" if counts.skipped else ""
    return ErrorInfo(
        type=GraphError.ITEMS_FAILED,
        message=f"{failed} of {counts.total} items failed{skipped} "
        f"(item {numbers}{more}).{first}"[:1000],
    )


def _too_large(size: int) -> ErrorInfo:
    return ErrorInfo(
        type="OutputLimit",
        message=f"The outputs of all items have {size} bytes of JSON together, at most "
        f"{MAX_MAP_OUTPUT_BYTES} can be kept.",
        hint="Let the items store what is large, and give its address as output.",
    )
