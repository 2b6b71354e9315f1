"""Local activities around an execution: admission at its start, record at its end."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from temporalio import activity

from activities.auditing import audit_admission, audit_end
from activities.failures import application_error
from contracts.errors import CroniumError, LogStorageFull
from contracts.events import EventRequest
from contracts.logs import ExecutionRecord
from contracts.results import Status
from contracts.runs import ADMIT_EXECUTION, RECORD_EXECUTION, Admission
from engines.messages import check_messages


async def _nothing(request: EventRequest, workflow_id: str, run_id: str) -> None:
    return


@dataclass(frozen=True, slots=True)
class ExecutionActivities:
    """What a workflow worker answers from its own settings.

    Args:
        admission: The operator's settings; `logs_url` may hold `{execution}`.
        check: Raises when the event asks for more than the operator allows.
        guard: Raises when something in a request of that workflow and run must not be
            where it is.
        record: Hands a record to the log way, durably; False when it cannot.
        clock: Seconds since 1970.
    """

    admission: Admission
    check: Callable[[EventRequest], None]
    record: Callable[[ExecutionRecord], bool]
    clock: Callable[[], float]
    guard: Callable[[EventRequest, str, str], Awaitable[None]] = _nothing

    @activity.defn(name=ADMIT_EXECUTION.name)
    async def admit_execution(self, request: EventRequest) -> Admission:
        """Check a request: ceilings, templates; tell the workflow the settings."""
        info = activity.info()
        workflow_id, run_id = info.workflow_id or "", info.workflow_run_id or ""
        try:
            await self.guard(request, workflow_id, run_id)
            self.check(request)
            # A message that cannot be written is told before anything runs.
            check_messages(request.event)
        except CroniumError as error:
            audit_admission(request, [request.event], error)
            raise application_error(error) from None
        audit_admission(request, [request.event])
        self.record(
            ExecutionRecord(
                execution_id=request.execution_id,
                event_id=request.event.id,
                event_name=request.event.name,
                event_type=request.event.type,
                user=request.user,
                trigger=request.trigger,
                status=Status.RUNNING,
                timestamp=self.clock(),
                workflow_id=workflow_id,
                run_id=run_id,
            )
        )
        url = self.admission.logs_url.replace("{execution}", request.execution_id)
        return self.admission.model_copy(update={"logs_url": url})

    @activity.defn(name=RECORD_EXECUTION.name)
    async def record_execution(self, record: ExecutionRecord) -> bool:
        """Hand the final state to the gateway's way; return when it is durable.

        Raises:
            ApplicationError: The disk does not take it now.
        """
        if not self.record(record):
            raise application_error(LogStorageFull("the end cannot be written down"))
        audit_end(record)
        return True
