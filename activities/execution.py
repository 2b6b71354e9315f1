"""Local activities around an execution: admission at its start, record at its end."""

from dataclasses import dataclass

from temporalio import activity

from activities.admitting import Admitting
from activities.auditing import audit_admission, audit_end
from activities.failures import application_error
from contracts.errors import CroniumError, LogStorageFull
from contracts.events import EventRequest
from contracts.logs import ExecutionRecord
from contracts.runs import ADMIT_EXECUTION, RECORD_EXECUTION, Admission


@dataclass(frozen=True, slots=True)
class ExecutionActivities:
    """What a workflow worker answers from its own settings.

    Args:
        admitting: Looks at requests, and writes down what runs.
    """

    admitting: Admitting

    @activity.defn(name=ADMIT_EXECUTION.name)
    async def admit_execution(self, request: EventRequest) -> Admission:
        """Check a request: ceilings, templates; tell the workflow the settings."""
        try:
            await self.admitting.examine(request)
        except CroniumError as error:
            audit_admission(request, [request.event], error)
            raise application_error(error) from None
        audit_admission(request, [request.event])
        return self.admitting.begin(request)

    @activity.defn(name=RECORD_EXECUTION.name)
    async def record_execution(self, record: ExecutionRecord) -> bool:
        """Hand the final state to the gateway's way; return when it is durable.

        Raises:
            ApplicationError: The disk does not take it now.
        """
        if not self.admitting.record(record):
            raise application_error(LogStorageFull("the end cannot be written down"))
        audit_end(record)
        return True
