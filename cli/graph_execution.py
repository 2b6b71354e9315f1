"""Start a graph, watch it, find one again, and say something to one that runs."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from cli.errors import NotFound, problem_at
from cli.execution import Execution, launch
from contracts import names
from contracts.errors import CroniumError, ErrorInfo
from contracts.graph_results import GraphResult, NodeCounts
from contracts.graphs import GraphRequest
from contracts.results import Status

if TYPE_CHECKING:
    from temporalio.client import Client, WorkflowHandle

    from cli.stack import Stack
    from worker.settings import Settings


class OrderRefused(CroniumError):
    """The run does not take this order."""


async def start_graph(
    settings: "Settings",
    stack: "Stack",
    request: GraphRequest,
    say: Callable[[str], None],
) -> Execution[GraphResult]:
    """Start `GraphWorkflow`; the same execution id is started once.

    Raises:
        TemporalUnavailable: Nobody answers.
        ExecutionFailed: Temporal refused the start.
    """
    workflow_id = names.graph_id(request.workflow.id, request.execution_id)
    handle = await launch(
        settings, stack, names.GRAPH_WORKFLOW, request, workflow_id, say
    )
    return Execution(
        request.execution_id, handle, stack, say, lambda: _cancelled(request)
    )


async def find_graph(
    client: "Client", stack: "Stack", wanted: str
) -> "WorkflowHandle[Any, GraphResult]":
    """Return the handle of a graph's execution.

    Raises:
        NotFound: There is none with this id, or it is that of an event.
    """
    from cli.lookup import open_execution

    handle: WorkflowHandle[Any, GraphResult]
    handle = await open_execution(client, stack, wanted)
    if not names.is_graph(handle.id):
        raise NotFound(
            f"{wanted} is an event's execution, not a workflow's",
            hint=f"`cronium status {wanted}` shows it.",
        )
    return handle


async def order_of(handle: "WorkflowHandle[Any, GraphResult]") -> GraphRequest:
    """Return what was asked for when an execution was started."""
    found: GraphRequest = await handle.query("order", result_type=GraphRequest)
    return found


async def tell(
    client: "Client",
    handle: "WorkflowHandle[Any, GraphResult]",
    update: str,
    path: str | None,
    **fields: Any,
) -> None:
    """Give an order to a run, or to a graph inside of it.

    Args:
        client: Temporal.
        handle: The run.
        update: Which order.
        path: The node, behind the nodes that it is inside of: `release/check`.
        fields: Of the order.

    Raises:
        OrderRefused: The run does not take it; the message says why.
    """
    from temporalio.client import WorkflowUpdateFailedError
    from temporalio.service import RPCError, RPCStatusCode

    target: WorkflowHandle[Any, Any] = handle
    if path is not None:
        *inside, node = path.split("/")
        workflow_id = handle.id
        for place in inside:
            workflow_id = names.graph_part_id(workflow_id, place)
        target = client.get_workflow_handle(workflow_id)
        fields["node"] = node
    try:
        await target.execute_update(update, fields)
    except WorkflowUpdateFailedError as error:
        raise OrderRefused(str(error.cause or error)) from None
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            raise OrderRefused(
                "the run is over, or has no such part",
                hint="`cronium workflow show` says where it stands; a run that is "
                "over can be run again with `cronium workflow rerun`.",
            ) from None
        raise


def need_node(path: str) -> str:
    """Return the path of a node, checked as far as it can be.

    Raises:
        InvalidRequest: It is none.
    """
    if not path or any(not part for part in path.split("/")):
        raise problem_at("NODE", "expected the id of a node, such as build")
    return path


async def describe_running(handle: "WorkflowHandle[Any, GraphResult]") -> bool:
    """Whether an execution has not ended."""
    described = await handle.describe()
    return described.status is not None and described.status.name == "RUNNING"


async def stopping(task: "asyncio.Future[Any]") -> None:
    """Cancel a task and wait for it."""
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def _cancelled(request: GraphRequest) -> GraphResult:
    return GraphResult(
        execution_id=request.execution_id,
        workflow_id=request.workflow.id,
        workflow_name=request.workflow.name,
        status=Status.CANCELLED,
        error=ErrorInfo(type="Cancelled", message="cancelled before it began"),
        counts=NodeCounts(total=len(request.workflow.nodes)),
    )
