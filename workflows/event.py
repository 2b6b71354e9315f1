"""`EventWorkflow`: one execution of one event, from admission to the typed result."""

from datetime import datetime

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from contracts import names
    from contracts.events import EventRequest
    from contracts.logs import ExecutionRecord
    from contracts.results import ActionResult, ExecutionResult, Status, TargetResult
    from contracts.runs import ADMIT_EXECUTION, Admission
    from contracts.shards import ShardReport
    from workflows import attributes, details
    from workflows.actions import FollowUp
    from workflows.bookkeeping import admit, write_record
    from workflows.endings import cancelling, uncancelled
    from workflows.fanout import ManyTargets, OneTarget, Targets
    from workflows.plan import plan_of, refuse_names
    from workflows.scheduled import identified, settle
    from workflows.sharded import ShardedTargets


@workflow.defn(name=names.EVENT_WORKFLOW)
class EventWorkflow:
    """Runs an event on its targets until it succeeds or its tries are used up.

    Whatever the script does is a result. The workflow fails only when the request
    cannot be run as it is: `PayloadValidationError` when it does not fit the contract,
    `CeilingExceeded` and the like when the operator does not allow it.
    """

    @workflow.init
    def __init__(self, request: EventRequest) -> None:
        self._request = identified(request)
        self._admission = Admission()
        self._started = workflow.now()
        self._ended: datetime | None = None
        self._targets: Targets | None = None
        self._follow_up: FollowUp | None = None

    @workflow.run
    async def run(self, request: EventRequest) -> ExecutionResult:
        """Run the event.

        Args:
            request: The whole order; checked against contract and ceilings.

        Returns:
            The result with one row per target.
        """
        refuse_names(request.event)
        admitted = await self._admit()
        attributes.at_start(self._request, self._admission)
        targets = self._targets = self._choose()
        self._show()
        if admitted:
            await targets.run()
        else:
            targets.cancel("before it began")
        result = self._result(targets)
        attributes.at_end(result, self._admission)
        self._show()
        # Before the actions: who looks on sees the end of the event at once.
        await self._record(result)
        await uncancelled(settle(request.schedule, result.execution_id, result.status))
        return await self._act(result)

    @workflow.query
    def progress(self) -> list[TargetResult]:
        """Return where each target stands."""
        return self._targets.rows if self._targets else []

    @workflow.signal(name=names.SHARD_REPORT)
    def shard_report(self, report: ShardReport) -> None:
        """Hear how far a part of a large fan-out is."""
        if isinstance(self._targets, ShardedTargets):
            self._targets.take(report)

    @workflow.query
    def actions(self) -> list[ActionResult]:
        """Return where each action that fires stands."""
        return self._follow_up.rows if self._follow_up else []

    async def _admit(self) -> bool:
        """Ask the operator's settings; False when the run is cancelled already."""
        admission = await admit(ADMIT_EXECUTION, self._request)
        self._admission = admission or self._admission
        return admission is not None

    def _choose(self) -> Targets:
        request, admission = self._request, self._admission
        if len(request.event.servers) < 2:
            return OneTarget(request, admission, self._show)
        plan = plan_of(request)
        kind = ShardedTargets if plan.sharded else ManyTargets
        return kind(request, plan, admission, self._show)

    def _show(self) -> None:
        text = details.markdown(
            self._request,
            self.progress(),
            self._admission,
            self.actions(),
            self._targets.standing if self._targets else None,
        )
        workflow.set_current_details(text)

    async def _act(self, result: ExecutionResult) -> ExecutionResult:
        """Fire the actions; return the result with their rows."""
        follow_up = FollowUp(self._request, result, self._admission, self._show)
        if not follow_up.rows:
            return result
        self._follow_up = follow_up
        # Of a cancelled event the cancel is old news; otherwise it came just now.
        if cancelling() and result.status is not Status.CANCELLED:
            follow_up.cancel()
        else:
            await follow_up.run()
        result = result.model_copy(update={"actions": follow_up.rows})
        await self._record(result)
        return result

    def _result(self, targets: Targets) -> ExecutionResult:
        found = targets.result()
        elapsed = workflow.now() - self._started
        total_ms = int(elapsed.total_seconds() * 1000)
        durations = found["durations"].model_copy(update={"total_ms": total_ms})
        return ExecutionResult(
            execution_id=self._request.execution_id,
            event_id=self._request.event.id,
            event_name=self._request.event.name,
            **{**found, "durations": durations},
        )

    async def _record(self, result: ExecutionResult) -> None:
        event, info = self._request.event, workflow.info()
        self._ended = self._ended or workflow.now()
        record = ExecutionRecord(
            execution_id=result.execution_id,
            event_id=event.id,
            event_name=event.name,
            event_type=event.type,
            user=self._request.user,
            trigger=self._request.trigger,
            status=Status(result.status),
            timestamp=self._ended.timestamp(),
            workflow_id=info.workflow_id,
            run_id=info.run_id,
            result=result,
        )
        # A cancel that comes now must not leave the gateway without an end.
        await uncancelled(write_record(record))
