"""Executions that a schedule starts: their ids, and what they tell it at the end.

Temporal ends a schedule's duty at the start of a run: it neither knows that a script
failed, which is a result and no failure of a workflow, nor pauses after the last run
that is allowed. So the execution itself says it.
"""

from datetime import timedelta
from typing import TypeVar

from temporalio import workflow
from temporalio.exceptions import FailureError

with workflow.unsafe.imports_passed_through():
    from contracts import names
    from contracts.results import Status
    from contracts.schedule_link import Scheduled, ScheduleLink
    from contracts.schedules import SETTLE_SCHEDULE, ScheduleOutcome
    from workflows.actions import BAD

# With the usual overlap the next run waits for this one, and so for its word.
SETTLE_TIMEOUT = timedelta(seconds=10)
SETTLE_PATIENCE = timedelta(minutes=5)

Request = TypeVar("Request", bound=Scheduled)


def identified(request: Request) -> Request:
    """Return a request with the id and the time that its execution has."""
    if request.execution_id:
        return request
    info = workflow.info()
    first = info.first_execution_run_id
    return request.model_copy(
        update={
            # Of ids that were not made for a schedule the run's own is left.
            "execution_id": names.execution_of(info.workflow_id, first) or first,
            "scheduled_for": names.moment_of(info.workflow_id),
        }
    )


async def settle(
    schedule: ScheduleLink | None, execution_id: str, status: Status
) -> None:
    """Pause the schedule, if this end is a reason to."""
    if schedule is None:
        return
    failed = status in BAD
    if schedule.max_runs is None and not (failed and schedule.pause_on_failure):
        return
    outcome = ScheduleOutcome(
        schedule=schedule, execution_id=execution_id, status=status, failed=failed
    )
    try:
        await workflow.execute_local_activity(
            SETTLE_SCHEDULE.name,
            outcome,
            result_type=SETTLE_SCHEDULE.result,
            start_to_close_timeout=SETTLE_TIMEOUT,
            schedule_to_close_timeout=SETTLE_PATIENCE,
        )
    except FailureError as error:
        workflow.logger.error("the schedule was not told: %s", error)
