"""An event as a node: the same targets as in an execution of its own."""

from collections.abc import Callable
from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from contracts.errors import ErrorInfo
    from contracts.events import EventRequest
    from contracts.graph_nodes import EventNode
    from contracts.limits import MAX_ROWS_BYTES
    from contracts.results import Status
    from workflows import tally
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
    return fields_of(targets.result(), several=len(request.event.servers) > 1)


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
