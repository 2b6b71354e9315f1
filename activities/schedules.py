"""Local activity at the end of a scheduled execution: pause the schedule, or not."""

from temporalio import activity
from temporalio.client import ScheduleHandle, ScheduleState
from temporalio.service import RPCError, RPCStatusCode

from contracts.schedules import EXHAUSTED, SETTLE_SCHEDULE, ScheduleOutcome


@activity.defn(name=SETTLE_SCHEDULE.name)
async def settle_schedule(outcome: ScheduleOutcome) -> bool:
    """Pause a schedule whose run failed, or whose last run is over.

    Returns:
        Whether it was paused now. One that is gone, or paused already, is left alone.

    Raises:
        RPCError: Temporal does not answer.
    """
    handle = activity.client().get_schedule_handle(outcome.schedule.id)
    try:
        return await _pause(handle, outcome)
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return False
        raise


async def _pause(handle: ScheduleHandle, outcome: ScheduleOutcome) -> bool:
    state = (await handle.describe()).schedule.state
    note = _reason(state, outcome)
    if state.paused or not note:
        return False
    await handle.pause(note=note)
    return True


def _reason(state: ScheduleState, outcome: ScheduleOutcome) -> str:
    """Return why to pause; "" when there is no reason."""
    if outcome.schedule.pause_on_failure and outcome.failed:
        return (
            f"paused, since execution {outcome.execution_id} ended with "
            f"{outcome.status} (pauseOnFailure)"
        )
    # What is left may have been raised while the run was under way.
    if state.limited_actions and state.remaining_actions == 0:
        return f"{EXHAUSTED} ({outcome.schedule.max_runs})"
    return ""
