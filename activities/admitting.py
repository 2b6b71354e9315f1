"""What the admission of an event and of a graph have in common."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from temporalio import activity

from contracts.events import EventRequest, EventSpec
from contracts.graphs import GraphRequest, GraphSpec
from contracts.logs import ExecutionRecord
from contracts.results import Status
from contracts.runs import Admission
from engines.messages import check_messages


async def _nothing(request: EventRequest, workflow_id: str, run_id: str) -> None:
    return


@dataclass(frozen=True, slots=True)
class Admitting:
    """Looks at what is to run, writes its beginning down, tells the settings.

    Args:
        admission: The operator's settings; `logs_url` may hold `{execution}`.
        check: Raises when an event asks for more than the operator allows.
        record: Hands a record to the log way, durably; False when it cannot.
        clock: Seconds since 1970.
        guard: Raises when something in an event of that workflow and run must not be
            where it is.
    """

    admission: Admission
    check: Callable[[EventRequest], None]
    record: Callable[[ExecutionRecord], bool]
    clock: Callable[[], float]
    guard: Callable[[EventRequest, str, str], Awaitable[None]] = _nothing

    async def examine(self, request: EventRequest) -> None:
        """Look at one event.

        Raises:
            CroniumError: It must not run as it is.
        """
        await self.guard(request, *_workflow())
        self.check(request)
        # A message that cannot be written is told before anything runs.
        check_messages(request.event)

    def begin(self, request: EventRequest | GraphRequest) -> Admission:
        """Write down that an execution runs; return the settings for it."""
        workflow_id, run_id = _workflow()
        runs: EventSpec | GraphSpec
        if isinstance(request, EventRequest):
            runs, kind = request.event, str(request.event.type)
        else:
            runs, kind = request.workflow, "workflow"
        self.record(
            ExecutionRecord(
                execution_id=request.execution_id,
                event_id=runs.id,
                event_name=runs.name,
                event_type=kind,
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


def _workflow() -> tuple[str, str]:
    info = activity.info()
    return info.workflow_id or "", info.workflow_run_id or ""
