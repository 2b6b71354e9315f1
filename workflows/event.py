"""`EventWorkflow`: one execution of one event, from admission to the typed result."""

import asyncio
from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError, FailureError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from contracts import names
    from contracts.events import EventRequest
    from contracts.logs import ExecutionRecord
    from contracts.results import ActionResult, ExecutionResult, Status, TargetResult
    from contracts.runs import ADMIT_EXECUTION, RECORD_EXECUTION, Admission
    from workflows import attributes, details
    from workflows.actions import FollowUp
    from workflows.endings import cancelling
    from workflows.target import TargetRun

# Local activities answer in milliseconds; this only bounds a broken disk.
LOCAL_ACTIVITY_TIMEOUT = timedelta(seconds=30)
# A record that cannot be written for so long is given up: whoever waits for the result
# needs it more than the gateway needs its copy.
RECORD_PATIENCE = timedelta(seconds=30)


@workflow.defn(name=names.EVENT_WORKFLOW)
class EventWorkflow:
    """Runs an event on its targets until it succeeds or its tries are used up.

    Whatever the script does is a result. The workflow fails only when the request
    cannot be run as it is: `PayloadValidationError` when it does not fit the contract,
    `CeilingExceeded` and the like when the operator does not allow it.
    """

    @workflow.init
    def __init__(self, request: EventRequest) -> None:
        self._request = request
        self._admission = Admission()
        self._started = workflow.now()
        self._ended: datetime | None = None
        self._runs: list[TargetRun] = []
        self._follow_up: FollowUp | None = None

    @workflow.run
    async def run(self, request: EventRequest) -> ExecutionResult:
        """Run the event.

        Args:
            request: The whole order; checked against contract and ceilings.

        Returns:
            The result with one row per target.
        """
        admitted = await self._admit()
        attributes.at_start(request, self._admission)
        # One target until servers come: a container on any host with a free slot.
        self._runs = [
            TargetRun(request, names.LOCAL_TARGET, self._admission, self._show)
        ]
        self._show()
        if admitted:
            await self._run_all()
        else:
            for target in self._runs:
                target.cancel("before it began")
        result = self._result([target.row for target in self._runs])
        attributes.at_end(result, self._admission)
        self._show()
        # Before the actions: who looks on sees the end of the event at once.
        await self._record(result)
        return await self._act(result)

    @workflow.query
    def progress(self) -> list[TargetResult]:
        """Return where each target stands."""
        return [target.row for target in self._runs]

    @workflow.query
    def actions(self) -> list[ActionResult]:
        """Return where each action that fires stands."""
        return self._follow_up.rows if self._follow_up else []

    async def _admit(self) -> bool:
        """Ask the operator's settings; False when the run is cancelled already."""
        try:
            self._admission = await workflow.execute_local_activity(
                ADMIT_EXECUTION.name,
                self._request,
                result_type=ADMIT_EXECUTION.result,
                start_to_close_timeout=LOCAL_ACTIVITY_TIMEOUT,
            )
        except asyncio.CancelledError:
            return False
        except ActivityError as error:
            if is_cancelled_exception(error):
                return False
            # The cause is the refusal itself: its type and path reach the client.
            raise (error.cause or error) from None
        return True

    async def _run_all(self) -> None:
        tasks = [asyncio.ensure_future(target.run()) for target in self._runs]
        try:
            await asyncio.gather(*tasks)
        except asyncio.CancelledError:
            # gather passes the cancel on and then raises whatever its children made of
            # it; they end as results, once their sandboxes are gone.
            for task in tasks:
                await task

    def _show(self) -> None:
        text = details.markdown(
            self._request,
            [target.row for target in self._runs],
            self._admission,
            self.actions(),
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

    def _result(self, rows: list[TargetResult]) -> ExecutionResult:
        row = rows[0]
        elapsed = workflow.now() - self._started
        return ExecutionResult(
            execution_id=self._request.execution_id,
            event_id=self._request.event.id,
            event_name=self._request.event.name,
            status=row.status,
            exit_code=row.exit_code,
            durations=row.durations.model_copy(
                update={"total_ms": int(elapsed.total_seconds() * 1000)}
            ),
            output=row.output,
            condition=row.condition,
            error=row.error,
            logs=row.logs,
            attempts=row.attempts,
            targets=rows,
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
        # Shielded: a cancel that comes now must not leave the gateway without an end.
        writing = asyncio.ensure_future(self._write(record))
        try:
            await asyncio.shield(writing)
        except asyncio.CancelledError:
            await writing

    async def _write(self, record: ExecutionRecord) -> None:
        try:
            await workflow.execute_local_activity(
                RECORD_EXECUTION.name,
                record,
                result_type=RECORD_EXECUTION.result,
                schedule_to_close_timeout=RECORD_PATIENCE,
            )
        except FailureError as error:
            # Of a local activity its own error comes, in no `ActivityError`.
            workflow.logger.error("the end is not recorded: %s", error)
