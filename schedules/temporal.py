"""A schedule in Temporal's form, and read back out of it.

What people wrote does not survive in Temporal's own fields: times are compiled, and
names are lost. So what belongs to the schedule goes along as a memo of the action,
where an update reaches it, and the memo of the schedule, which cannot be changed, says
whose it is.
"""

from datetime import datetime, timedelta
from typing import Any

from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleDescription,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleState,
)
from temporalio.common import Priority
from temporalio.exceptions import TemporalError

from contracts.events import EventRequest
from contracts.graphs import GraphRequest
from contracts.names import EVENT_WORKFLOW
from contracts.schedules import Overlap, ScheduleSpec
from schedules.compiled import compile_times

MEMO = "cronium"
PROJECT = "project"
# These are in the request, or are no part of what is stored.
ELSEWHERE = {"event", "workflow", "input", "user", "priority", "paused"}
# Temporal's limit of a fairness key, in bytes; users' ids are ASCII.
MAX_FAIRNESS_KEY = 64
OVERLAPS = {
    Overlap.SKIP: ScheduleOverlapPolicy.SKIP,
    Overlap.BUFFER_ONE: ScheduleOverlapPolicy.BUFFER_ONE,
    Overlap.BUFFER_ALL: ScheduleOverlapPolicy.BUFFER_ALL,
    Overlap.CANCEL_OTHER: ScheduleOverlapPolicy.CANCEL_OTHER,
    Overlap.ALLOW_ALL: ScheduleOverlapPolicy.ALLOW_ALL,
}


def schedule_of(
    spec: ScheduleSpec, task_queue: str, now: datetime, state: ScheduleState
) -> Schedule:
    """Return what Temporal is told of a schedule.

    Args:
        spec: The schedule.
        task_queue: Where its executions run.
        now: See `schedules.compiled`.
        state: Whether it is paused, and how many runs are left.
    """
    return Schedule(
        action=ScheduleActionStartWorkflow(
            spec.workflow_type,
            spec.request(),
            id=spec.workflow_id,
            task_queue=task_queue,
            memo={MEMO: spec.model_dump(mode="json", exclude=ELSEWHERE)},
            static_summary=spec.target.name,
            priority=Priority(
                priority_key=spec.priority, fairness_key=spec.user[:MAX_FAIRNESS_KEY]
            ),
        ),
        spec=compile_times(spec, now),
        policy=SchedulePolicy(
            overlap=OVERLAPS[spec.overlap],
            catchup_window=timedelta(seconds=spec.catch_up_seconds),
            # Of the workflow: a request that is refused. What scripts do is a result,
            # about which the execution tells the schedule itself.
            pause_on_failure=spec.pause_on_failure,
        ),
        state=state,
    )


async def spec_of(client: Client, found: ScheduleDescription) -> ScheduleSpec | None:
    """Return the schedule as it was applied; None when it cannot be read."""
    action = found.schedule.action
    if not isinstance(action, ScheduleActionStartWorkflow):
        return None
    kind = EventRequest if action.workflow == EVENT_WORKFLOW else GraphRequest
    try:
        (request,) = await client.data_converter.decode(_payloads(action.args), [kind])
        (stored,) = await client.data_converter.decode(
            _payloads([(action.memo or {})[MEMO]]), [dict]
        )
        return ScheduleSpec.model_validate({**stored, **_given(request)})
    except (ValueError, KeyError, RuntimeError, TemporalError):
        # Of an older or newer version, or changed by hand: as if it were another.
        return None


def differs(wanted: Schedule, found: Schedule) -> bool:
    """Whether Temporal would start other runs than those wanted, or at other times."""
    theirs, ours = found.action, wanted.action
    assert isinstance(ours, ScheduleActionStartWorkflow)
    return (
        not isinstance(theirs, ScheduleActionStartWorkflow)
        or (theirs.workflow, theirs.id, theirs.task_queue)
        != (ours.workflow, ours.id, ours.task_queue)
        or _plain(wanted.spec) != _plain(found.spec)
        or wanted.policy != found.policy
    )


def _given(request: EventRequest | GraphRequest) -> dict[str, Any]:
    target: dict[str, Any] = (
        {"event": request.event}
        if isinstance(request, EventRequest)
        else {"workflow": request.workflow}
    )
    return {
        **target,
        "input": request.input,
        "user": request.user,
        "priority": request.priority,
    }


def _plain(spec: Any) -> dict[str, Any]:
    return {
        name: list(value)
        if value and isinstance(value, tuple | list)
        else value or None
        for name, value in vars(spec).items()
    }


def _payloads(values: Any) -> Any:
    return list(values)
