"""A bounded window over servers: batches, stagger, and when to begin no other one."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from contracts.errors import ErrorInfo
    from contracts.fanout import FanOut, FanOutError, OnFailure
    from contracts.results import Status
    from workflows.target import TargetRun

FAILED = frozenset({Status.FAILURE, Status.TIMEOUT, Status.LOST})


@dataclass(frozen=True)
class Stop:
    """Why no other server is to begin."""

    why: ErrorInfo
    abort: bool = False
    """Whether the scripts that run are to be stopped as well."""


class Window:
    """Runs batches of targets, at most `permits` side by side.

    Args:
        batches: Who runs with whom; one batch ends before the next begins.
        fan_out: The user's wishes.
        permits: How many may run at once; may be raised and lowered while it runs.
        max_failures: How many may fail; None is all.
        canary: Whether the first batch must succeed, all of it.
        failed_before: Failures elsewhere, which count for the limit.
        changed: Called when a server has begun or ended.
    """

    def __init__(
        self,
        batches: list[list[TargetRun]],
        fan_out: FanOut,
        permits: int,
        max_failures: int | None,
        *,
        canary: bool = False,
        failed_before: int = 0,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self._batches = batches
        self._fan_out = fan_out
        self.permits = permits
        self._max_failures = max_failures
        self._canary = canary
        self._failed_before = failed_before
        self._changed = changed
        self._stop: Stop | None = None
        self._tasks: dict[asyncio.Task[None], None] = {}
        self._error: BaseException | None = None
        self._last_start: datetime | None = None
        self._waiting = sum(map(len, batches))
        self.failed = 0
        self.done = 0

    @property
    def running(self) -> int:
        """How many have begun and not ended."""
        return len(self._tasks)

    @property
    def spare(self) -> int:
        """How many permits will not be needed any more."""
        return 0 if self._waiting else max(0, self.permits - self.running)

    async def run(self) -> None:
        """Run all of it. Whatever goes wrong is in the rows; so is a cancel."""
        try:
            for index, batch in enumerate(self._batches):
                await self._run_batch(batch)
                if self._canary and index == 0 and self.failed:
                    self.stop(Stop(canary_failed(self.failed)))
        except asyncio.CancelledError:
            self._cancel_running()
            await self._all_ended()
            self._end_others(lambda run: run.cancel("before it began"))
        if self._stop is not None:
            why = self._stop.why
            self._end_others(lambda run: run.skip(why))

    def stop(self, stop: Stop) -> None:
        """Begin on no other server."""
        if self._stop is not None and (self._stop.abort or not stop.abort):
            return
        self._stop = stop
        self._waiting = 0
        if stop.abort:
            self._cancel_running()
        self._changed()

    async def _run_batch(self, batch: list[TargetRun]) -> None:
        for run in batch:
            await self._turn()
            if self._stop is not None:
                break
            self._begin(run)
        await self._all_ended()

    async def _turn(self) -> None:
        """Return when the next server may begin, or when it is not to begin at all."""
        await workflow.wait_condition(self._has_room)
        stagger = self._fan_out.stagger_seconds
        if not stagger or self._last_start is None or self._stop is not None:
            return
        passed = (workflow.now() - self._last_start).total_seconds()
        if passed < stagger:
            try:
                await workflow.wait_condition(
                    lambda: self._stop is not None,
                    timeout=timedelta(seconds=stagger - passed),
                    timeout_summary="stagger",
                )
            except TimeoutError:
                return

    def _has_room(self) -> bool:
        return self._stop is not None or self.running < self.permits

    def _begin(self, run: TargetRun) -> None:
        self._last_start = workflow.now()
        self._waiting -= 1
        task = asyncio.create_task(self._carry(run))
        self._tasks[task] = None
        # Not at the end of `_carry`, which a quick cancel keeps from beginning.
        task.add_done_callback(self._leave)
        self._changed()

    def _leave(self, task: asyncio.Task[None]) -> None:
        self._tasks.pop(task, None)
        if not task.cancelled() and self._error is None:
            self._error = task.exception()
        self._changed()

    async def _carry(self, run: TargetRun) -> None:
        await run.run()
        self.done += 1
        if run.row.status in FAILED:
            self.failed += 1
            self._consider(run)
        elif run.row.status is Status.CANCELLED and self._stop and self._stop.abort:
            run.explain(self._stop.why)

    def _consider(self, run: TargetRun) -> None:
        if self._fan_out.on_failure is OnFailure.FAIL_FAST:
            self.stop(Stop(failed_fast(run.row.target), abort=True))
            return
        limit = self._max_failures
        if limit is not None and self.failed + self._failed_before > limit:
            self.stop(Stop(too_many_failed(limit)))

    def _cancel_running(self) -> None:
        # In the order of their turns, the same on every replay; a set has none.
        for task in list(self._tasks):
            task.cancel()

    async def _all_ended(self) -> None:
        await workflow.wait_condition(lambda: not self._tasks)
        if self._error is not None:
            # A fault of ours: the workflow task fails, and goes on once it is mended.
            raise self._error

    def _end_others(self, end: Callable[[TargetRun], None]) -> None:
        for batch in self._batches:
            for run in batch:
                if run.row.status is Status.PENDING:
                    end(run)


def canary_failed(failed: int) -> ErrorInfo:
    """Return why others were not begun after a failed canary."""
    return _not_begun(f"{failed} of the servers that ran first failed")


def failed_fast(name: str) -> ErrorInfo:
    """Return why others were stopped or not begun."""
    return _not_begun(f"{name} failed, and onFailure is fail_fast")


def too_many_failed(limit: int) -> ErrorInfo:
    """Return why others were not begun when the limit was passed."""
    return _not_begun(f"more than {limit} servers failed (maxFailures)")


def _not_begun(because: str) -> ErrorInfo:
    return ErrorInfo(
        type=FanOutError.STOPPED, message=f"The run was stopped: {because}."
    )
