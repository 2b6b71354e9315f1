"""Parts of a graph's execution in workflows of their own, with their own histories."""

import asyncio
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ChildWorkflowError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from contracts import names
    from contracts.errors import ErrorInfo
    from contracts.events import EventSpec
    from contracts.graph_parts import MapOrder, PartRequest, PartResult
    from contracts.graph_results import GraphError
    from contracts.graphs import GraphSpec
    from contracts.limits import MAX_REQUEST_BYTES
    from contracts.results import EXIT_CANCELLED, Status
    from workflows.graphs.brake import Brake, guided
    from workflows.graphs.job import Fields, Job, NodeFailed
    from workflows.priorities import priority


async def run_graph_part(job: Job, graph: GraphSpec, value: Any, place: str) -> Fields:
    """Run a graph in a part; return fields of the node's row."""
    run = job.run.model_copy(update={"place": f"{place}/"})
    request = PartRequest(run=run, graph=graph, input=value)
    return fields_of_part(await carry_part(job, request, place))


async def run_map_part(job: Job, order: MapOrder) -> Fields:
    """Run the items of a long map in a part; return fields of the node's row."""
    run = job.run.model_copy(update={"place": job.place})
    request = PartRequest(run=run, map=order)
    return fields_of_part(await carry_part(job, request, job.place))


async def run_event_part(job: Job, event: EventSpec, value: Any) -> Fields:
    """Run an event on many servers in a part."""
    run = job.run.model_copy(update={"place": job.place})
    request = PartRequest(run=run, event=event, input=value, earlier=job.earlier)
    return fields_of_part(await carry_part(job, request, job.place))


def fields_of_part(result: PartResult) -> Fields:
    """Return what a part came to as fields of a row."""
    return {name: getattr(result, name) for name in PartResult.model_fields}


async def carry_part(job: Job, request: PartRequest, place: str) -> PartResult:
    """Start a part and return how it ended; a cancel is passed on to it.

    Raises:
        NodeFailed: The order is too large for Temporal.
    """
    request = request.model_copy(update={"paused": job.brake.holds_items})
    size = len(request.model_dump_json().encode())
    if size > MAX_REQUEST_BYTES:
        raise NodeFailed(
            ErrorInfo(
                type="RequestRefused",
                message=f"graph, input and items have {size} bytes together, at most "
                f"{MAX_REQUEST_BYTES} are possible",
                hint="Put large data where the scripts can fetch it.",
            )
        )
    await job.pacer.room(size)
    inside = place.removeprefix(job.run.place)
    if job.round:
        inside += f"~{job.round}"
    try:
        handle: workflow.ChildWorkflowHandle[
            Any, PartResult
        ] = await workflow.start_child_workflow(
            names.GRAPH_PART_WORKFLOW,
            request,
            id=names.graph_part_id(workflow.info().workflow_id, inside),
            result_type=PartResult,
            parent_close_policy=workflow.ParentClosePolicy.REQUEST_CANCEL,
            priority=priority(job.run.priority, job.run.user),
            static_summary=place[-200:],
        )
        return await _result_of(job.brake, handle, told=request.paused)
    except asyncio.CancelledError:
        return _cancelled()
    except ChildWorkflowError as error:
        if is_cancelled_exception(error):
            return _cancelled()
        return PartResult(
            status=Status.LOST,
            error=ErrorInfo(
                type=GraphError.PART_LOST,
                message=f"{place} ended without a result: {error.cause}"[:500],
            ),
        )


def _cancelled() -> PartResult:
    return PartResult(status=Status.CANCELLED, exit_code=EXIT_CANCELLED)


async def _result_of(
    brake: Brake, handle: workflow.ChildWorkflowHandle[Any, PartResult], *, told: bool
) -> PartResult:
    try:
        return await guided(brake, handle, told=told)
    except asyncio.CancelledError:
        if handle.done() and not handle.cancelled():
            # Its end and the cancel came together: what it says still counts.
            return handle.result()
        raise
