"""A fan-out that is too large for one history: parts in child workflows, one window.

The parts begin one after the other. Each has the whole window until it has begun on
its last server; the permits that it no longer needs go to the next part, so that a few
servers that take long hold nobody up and no more than `forks` run at any time.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from temporalio import workflow
from temporalio.exceptions import (
    ChildWorkflowError,
    FailureError,
    is_cancelled_exception,
)

with workflow.unsafe.imports_passed_through():
    from contracts import names
    from contracts.errors import ErrorInfo
    from contracts.events import EventRequest
    from contracts.fanout import FanOutError, OnFailure
    from contracts.limits import MAX_ROWS_BYTES
    from contracts.results import Status, TargetResult
    from contracts.runs import Admission
    from contracts.shards import (
        ShardReport,
        ShardRequest,
        ShardResult,
        ShardSteering,
    )
    from workflows import window
    from workflows.endings import cancelled, cancelling
    from workflows.fanout import result_of
    from workflows.pacing import Pacer
    from workflows.plan import Part, Plan
    from workflows.target import WHOLE, Place
    from workflows.window import Stop

# The gathering of rows costs some bytes besides them.
ROW_SHARE = 0.95


class Shard:
    """What the parent knows of one part."""

    def __init__(self, index: int, part: Part) -> None:
        self.index = index
        self.part = part
        self.servers = [server for batch in part for server in batch]
        self.need = max(map(len, part))
        """More permits would be of no use."""
        self.granted = 0
        self.report = ShardReport(index=index)
        self.handle: workflow.ChildWorkflowHandle[Any, ShardResult] | None = None
        self.over = False

    @property
    def held(self) -> int:
        """How many permits it has."""
        return 0 if self.over else self.granted - self.report.returned

    @property
    def sated(self) -> bool:
        """Whether more permits would be of no use."""
        return self.over or self.granted >= self.need or self.report.returned > 0


class ShardedTargets:
    """Servers, in parts.

    Args:
        request: The order.
        plan: How it goes.
        admission: What the operator's settings allow.
        changed: Called when a row or the standing has changed.
        place: Where in a graph they stand.
    """

    def __init__(
        self,
        request: EventRequest,
        plan: Plan,
        admission: Admission,
        changed: Callable[[], None],
        place: Place = WHOLE,
    ) -> None:
        self._request = request
        self._place = place
        self._plan = plan
        self._admission = admission
        self._changed = changed
        self._rows = {
            server.name: TargetResult(target=server.name, status=Status.PENDING)
            for server in request.event.servers
        }
        self._omitted: list[str] = []
        self._shards: list[Shard] = []
        self._stages: list[list[Shard]] = []
        for stage in plan.stages():
            self._stages.append([])
            for part in stage:
                self._stages[-1].append(Shard(len(self._shards), part))
                self._shards.append(self._stages[-1][-1])
        self._stop: Stop | None = None
        self._words: list[asyncio.Task[None]] = []
        self._pacer = Pacer()
        self._cancelled = False

    @property
    def rows(self) -> list[TargetResult]:
        """See `Targets`. Those of parts that are under way stand as PENDING."""
        return list(self._rows.values())

    @property
    def standing(self) -> ShardReport | None:
        """See `Targets`."""
        reports = [shard.report for shard in self._shards]
        return ShardReport(
            index=0,
            done=sum(report.done for report in reports),
            failed=self._failed,
            running=sum(report.running for report in reports),
        )

    def take(self, report: ShardReport) -> None:
        """Hear of a part."""
        shard = self._shards[report.index]
        if not shard.over:
            shard.report = report
            self._consider(shard)
            self._changed()

    async def run(self) -> None:
        """See `Targets`."""
        for stage in self._stages:
            if self._stop is None and not cancelling():
                await self._run_stage(stage)
            if stage is self._stages[0] and self._plan.canary and self._failed:
                self._halt(Stop(window.canary_failed(self._failed)))
        self._cancelled = cancelling()
        if self._cancelled:
            self.cancel("before it began")
        elif self._stop is not None:
            self._mark_pending(Status.SKIPPED, self._stop.why)

    def cancel(self, why: str) -> None:
        """See `Targets`."""
        self._cancelled = True
        outcome = cancelled(why)
        self._mark_pending(Status.CANCELLED, outcome.error, outcome.exit_code)

    def result(self) -> dict[str, Any]:
        """See `Targets`."""
        return result_of(self.rows, self._omitted, cancelled=self._cancelled)

    @property
    def _failed(self) -> int:
        return sum(shard.report.failed for shard in self._shards)

    @property
    def _free(self) -> int:
        return self._plan.forks - sum(shard.held for shard in self._shards)

    async def _run_stage(self, stage: list[Shard]) -> None:
        tasks: list[asyncio.Task[None]] = []
        try:
            for shard in stage:
                await workflow.wait_condition(lambda: self._free > 0 or self._stopped)
                if self._stopped:
                    break
                shard.granted = min(self._free, shard.need)
                tasks.append(asyncio.create_task(self._carry(shard)))
                await self._feed(shard)
            await self._all_ended(tasks)
        except asyncio.CancelledError:
            for task in tasks:
                task.cancel()
            await self._all_ended(tasks)

    @property
    def _stopped(self) -> bool:
        return self._stop is not None

    async def _all_ended(self, tasks: list[asyncio.Task[None]]) -> None:
        await workflow.wait_condition(lambda: all(task.done() for task in tasks))
        for task in tasks:
            if not task.cancelled():
                task.result()

    async def _feed(self, shard: Shard) -> None:
        """Give a part all permits that come free, until it has enough."""
        while True:
            await workflow.wait_condition(
                lambda: self._stopped or shard.sated or self._free > 0
            )
            if self._stopped or shard.sated:
                return
            shard.granted += min(self._free, shard.need - shard.granted)
            await self._steer(shard)

    async def _carry(self, shard: Shard) -> None:
        try:
            order = self._order(shard)
            await self._pacer.room(len(order.model_dump_json()))
            shard.handle = await workflow.start_child_workflow(
                names.SHARD_WORKFLOW,
                order,
                id=names.shard_id(workflow.info().workflow_id, shard.index),
                result_type=ShardResult,
                parent_close_policy=workflow.ParentClosePolicy.REQUEST_CANCEL,
                static_summary=f"{self._request.event.name}: part {shard.index + 1}",
            )
            result = await _result_of(shard.handle)
        except asyncio.CancelledError:
            pass  # It was not begun.
        except ChildWorkflowError as error:
            if not is_cancelled_exception(error):
                self._lose(shard, error)
        else:
            self._settle(shard, result)
        shard.over = True
        self._changed()

    def _order(self, shard: Shard) -> ShardRequest:
        event = self._request.event
        mine = {server.name for server in shard.servers}
        fan_out = self._plan.fan_out
        overrides = {
            name: override
            for name, override in fan_out.overrides.items()
            if name in mine
        }
        part = {
            "targets": shard.servers,
            "fan_out": fan_out.model_copy(update={"overrides": overrides}),
            "actions": [],
        }
        return ShardRequest(
            request=self._request.model_copy(
                update={"event": event.model_copy(update=part)}
            ),
            admission=self._admission,
            index=shard.index,
            batches=[len(batch) for batch in shard.part],
            permits=shard.granted,
            max_failures=self._plan.max_failures,
            failed_before=self._failed,
            rows_bytes=int(
                ROW_SHARE * MAX_ROWS_BYTES * len(shard.servers) / self._plan.total
            ),
            node=self._place.node,
            earlier=self._place.earlier,
        )

    def _settle(self, shard: Shard, result: ShardResult) -> None:
        for row in result.rows:
            self._rows[row.target] = row
        self._omitted += result.omitted
        shard.report = ShardReport(
            index=shard.index,
            done=sum(row.status is not Status.SKIPPED for row in result.rows),
            failed=sum(row.status in window.FAILED for row in result.rows),
        )
        self._consider(shard)

    def _lose(self, shard: Shard, error: ChildWorkflowError) -> None:
        """Somebody ended a part from outside; its scripts may have run."""
        info = ErrorInfo(
            type=FanOutError.PART_LOST,
            message=f"This part of the run ended without a result: {error.cause}"[:500],
        )
        for server in shard.servers:
            self._rows[server.name] = self._rows[server.name].model_copy(
                update={"status": Status.LOST, "error": info}
            )
        count = len(shard.servers)
        shard.report = ShardReport(index=shard.index, done=count, failed=count)
        self._consider(shard)

    def _consider(self, shard: Shard) -> None:
        if self._plan.fan_out.on_failure is OnFailure.FAIL_FAST:
            if shard.report.failed:
                name = f"a server of part {shard.index + 1}"
                self._halt(Stop(window.failed_fast(name), abort=True))
            return
        limit = self._plan.max_failures
        if limit is not None and self._failed > limit:
            self._halt(Stop(window.too_many_failed(limit)))

    def _halt(self, stop: Stop) -> None:
        if self._stop is not None:
            return
        self._stop = stop
        for shard in self._shards:
            if shard.granted and not shard.over:
                self._words.append(asyncio.create_task(self._steer(shard)))

    async def _steer(self, shard: Shard) -> None:
        await workflow.wait_condition(lambda: shard.over or shard.handle is not None)
        if shard.over or shard.handle is None:
            return
        steering = ShardSteering(permits=shard.granted)
        if self._stop is not None:
            steering = ShardSteering(
                permits=shard.granted, stop=self._stop.why, abort=self._stop.abort
            )
        try:
            await shard.handle.signal(names.SHARD_STEERING, steering)
        except FailureError:
            return  # It ended meanwhile.

    def _mark_pending(
        self, status: Status, error: ErrorInfo | None, exit_code: int | None = None
    ) -> None:
        for name, row in self._rows.items():
            if row.status is Status.PENDING:
                self._rows[name] = row.model_copy(
                    update={"status": status, "error": error, "exit_code": exit_code}
                )


async def _result_of(
    handle: workflow.ChildWorkflowHandle[Any, ShardResult],
) -> ShardResult:
    try:
        return await handle
    except asyncio.CancelledError:
        if handle.done() and not handle.cancelled():
            # Its end and the cancel came together: what it says still counts.
            return handle.result()
        raise
