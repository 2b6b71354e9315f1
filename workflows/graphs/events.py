"""An event as a node: the same targets as in an execution of its own."""

from collections.abc import Callable
from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from contracts.errors import ErrorInfo
    from contracts.events import EventRequest
    from contracts.graph_nodes import EventNode
    from contracts.limits import MAX_ROWS_BYTES
    from contracts.results import ActionResult, ExecutionResult, Status
    from contracts.runs import Admission
    from workflows import tally
    from workflows.actions import FollowUp
    from workflows.endings import cancelling
    from workflows.fanout import ManyTargets, OneTarget, Targets
    from workflows.graphs.job import Fields, Job, NodeFailed, event_request
    from workflows.graphs.parts import run_event_part
    from workflows.plan import plan_of
    from workflows.target import Place

# The rows of all nodes share one result.
NODE_ROWS_BYTES = MAX_ROWS_BYTES // 16


async def run_event(job: Job, node: EventNode) -> Fields:
    """Run a node's event; whatever its script does is in the fields."""
    event = job.spec.event_of(node)
    request = event_request(job, event, job.input)
    if needs_part(request):
        return await run_event_part(job, event, job.input)
    place = Place(job.place, job.earlier)

    def changed() -> None:
        rows = targets.rows
        trouble = [r.error for r in rows if r.error and r.status is Status.RUNNING]
        waits = trouble[0].message if trouble else ""
        if len(rows) == 1 and rows[0].status.final:
            waits = "the next try"
        attempts = max(row.attempts for row in rows)
        job.update(attempts=attempts, waiting_for=waits)

    targets = targets_of(job, request, place, changed)
    await targets.run()
    found = targets.result()
    fields = fields_of(found, several=len(request.event.servers) > 1)
    rows: list[ActionResult] = await act(
        request,
        found,
        job.run.admission,
        job.place if not job.round else f"{job.place}~{job.round}",
        lambda rows: job.update(actions=rows),
    )
    return {**fields, "actions": rows}


async def act(
    request: EventRequest,
    found: dict[str, Any],
    admission: Admission,
    place: str,
    changed: Callable[[list[ActionResult]], None] = lambda rows: None,
) -> list[ActionResult]:
    """Fire the actions of a node's event, as an execution of its own would.

    Args:
        request: The order of the event.
        found: What its targets came to.
        admission: What the operator's settings allow.
        place: Name of the node.
        changed: Called with the rows when one of them has changed.
    """
    if not request.event.actions:
        return []
    result = ExecutionResult(
        execution_id=request.execution_id,
        event_id=request.event.id,
        event_name=request.event.name,
        **found,
    )
    follow_up = FollowUp(
        request, result, admission, lambda: changed(follow_up.rows), place
    )
    # Of a cancelled event the cancel is old news; otherwise it came just now.
    if cancelling() and result.status is not Status.CANCELLED:
        follow_up.cancel()
    else:
        await follow_up.run()
    return follow_up.rows


def targets_of(
    job: Job, request: EventRequest, place: Place, changed: Callable[[], None]
) -> Targets:
    """Return what an event runs on, when one history bears it.

    Raises:
        NodeFailed: It is on too many servers.
    """
    admission = job.run.admission
    if len(request.event.servers) < 2:
        return OneTarget(request, admission, changed, job.pacer, place)
    plan = plan_of(request)
    if plan.sharded:
        raise NodeFailed(
            ErrorInfo(
                type="RequestRefused",
                message=f"an item may run on {plan.shard_size} servers, not "
                f"{plan.total}",
                hint="Run the event in a node of its own.",
            )
        )
    return ManyTargets(request, plan, admission, changed, place)


def needs_part(request: EventRequest) -> bool:
    """Whether an event is on more servers than this history bears."""
    servers: list[Any] = request.event.servers
    return len(servers) > 1 and plan_of(request).sharded


def fields_of(result: dict[str, Any], *, several: bool) -> Fields:
    """Return what targets came to as fields of a node's row."""
    fields: Fields = {
        key: result[key]
        for key in (
            "status", "exit_code", "output", "condition", "error", "logs", "attempts",
            "durations",
        )
    }  # fmt: skip
    if several:
        fields["targets"] = tally.fit(result["targets"], NODE_ROWS_BYTES)
        fields["counts"] = result["counts"]
    return fields
