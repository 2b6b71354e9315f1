"""How one action is done: an event is started, a message or a callback is sent."""

import asyncio
import hashlib
from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
    FailureError,
    TimeoutError,
    WorkflowAlreadyStartedError,
    is_cancelled_exception,
)

with workflow.unsafe.imports_passed_through():
    from contracts import limits, names
    from contracts.actions import CallbackAction, EventAction, MessageAction
    from contracts.deliveries import (
        SEND_CALLBACK,
        SEND_MESSAGE,
        CallbackOrder,
        Delivery,
        MessageOrder,
    )
    from contracts.errors import (
        ChainTooDeep,
        DeliveryFailed,
        ErrorInfo,
        RequestRefused,
    )
    from contracts.events import EventRequest, Trigger
    from contracts.results import ExecutionResult
    from contracts.runs import Admission
    from contracts.validation import build
    from workflows.endings import timed_out_in_queue, without_key
    from workflows.pacing import history_is_full
    from workflows.priorities import priority_of

FIRST_WAIT = timedelta(seconds=1)
LONGEST_WAIT = timedelta(seconds=60)
# Where no worker does actions, their execution must not wait for ever.
QUEUE_WAIT = timedelta(minutes=10)
# One target of a message: Apprise's limit, the template's, and some room.
TARGET_SECONDS = 90.0
ROOM_SECONDS = 10.0
# Between two tries while the worker that takes them lacks the key that they need.
KEY_WAIT = timedelta(seconds=10)


class ActionFailed(Exception):
    """An action was not done.

    Args:
        info: Why.
        attempts: How often it was tried.
    """

    def __init__(self, info: ErrorInfo, attempts: int = 0) -> None:
        super().__init__(info.message)
        self.info = info
        self.attempts = attempts


async def start_event(
    request: EventRequest,
    result: ExecutionResult,
    index: int,
    action: EventAction,
    node: str = "",
) -> str:
    """Start the event of an action on its own; return its execution id.

    Args:
        request: The order whose event has the action.
        result: How it ended.
        index: The action's place in the event's list.
        action: What is to be started.
        node: Of which node of a graph; "" when the execution is one event.

    Raises:
        ActionFailed: The chain is too long, or the output is no fit input.
    """
    child = _child(request, result, index, action, node)
    starting = asyncio.ensure_future(_start(child))
    try:
        await asyncio.shield(starting)
    except asyncio.CancelledError:
        # The server may have it already: the row must not say otherwise.
        await starting
    return child.execution_id


async def deliver(
    request: EventRequest,
    result: ExecutionResult,
    admission: Admission,
    index: int,
    action: MessageAction | CallbackAction,
    node: str = "",
) -> Delivery:
    """Send a message or a callback, trying as often as the action says.

    Raises:
        ActionFailed: It did not arrive.
        asyncio.CancelledError: The action was cancelled.
    """
    order: MessageOrder | CallbackOrder
    if isinstance(action, MessageAction):
        order = _message(request, result, admission, action)
        longest = TARGET_SECONDS * len(action.targets)
    else:
        order = CallbackOrder(
            action=action,
            delivery_id=names.action_id(_owner(request, node), index),
            result=result,
        )
        longest = action.timeout_seconds
    if len(order.model_dump_json().encode()) > limits.MAX_REQUEST_BYTES:
        raise ActionFailed(RequestRefused("input and output are too large for it").info)
    try:
        return await _execute_once_readable(order, index, longest, node)
    except ActivityError as error:
        if is_cancelled_exception(error):
            raise asyncio.CancelledError from None
        raise _understand(error) from None


async def _execute_once_readable(
    order: MessageOrder | CallbackOrder, index: int, longest: float, node: str
) -> Delivery:
    while True:
        try:
            return await _execute(order, index, longest, node)
        except ActivityError as error:
            if without_key(error.cause) is None or history_is_full():
                raise
        # Nothing was sent: it waits until an operator has brought the key.
        await workflow.sleep(KEY_WAIT, summary="a worker lacks the encryption key")


async def _execute(
    order: MessageOrder | CallbackOrder, index: int, longest: float, node: str
) -> Delivery:
    stub = SEND_MESSAGE if isinstance(order, MessageOrder) else SEND_CALLBACK
    action = order.action
    delivery: Delivery = await workflow.execute_activity(
        stub.name,
        order,
        activity_id=f"{node}/action-{index}/{action.kind}".lstrip("/"),
        task_queue=names.actions_queue(workflow.info().task_queue),
        result_type=stub.result,
        schedule_to_start_timeout=QUEUE_WAIT,
        start_to_close_timeout=timedelta(seconds=longest + ROOM_SECONDS),
        heartbeat_timeout=timedelta(seconds=TARGET_SECONDS + ROOM_SECONDS),
        retry_policy=RetryPolicy(
            initial_interval=FIRST_WAIT,
            maximum_interval=LONGEST_WAIT,
            maximum_attempts=action.retries + 1,
        ),
        summary=f"action {index + 1}: {action.kind} ({action.when})",
    )
    return delivery


def _message(
    request: EventRequest,
    result: ExecutionResult,
    admission: Admission,
    action: MessageAction,
) -> MessageOrder:
    rows = [row.model_copy(update={"output": None}) for row in result.targets]
    return MessageOrder(
        action=action,
        event_type=request.event.type,
        tags=request.event.tags,
        user=request.user,
        trigger=request.trigger,
        input=request.input,
        result=result.model_copy(update={"targets": rows}),
        finished_at=workflow.now().timestamp(),
        logs_url=admission.logs_url,
    )


def _owner(request: EventRequest, node: str) -> str:
    """Return the id of what an action is of: an execution, or a node of one."""
    if not node:
        return request.execution_id
    # Names of nodes hold more than ids may.
    digest = hashlib.sha256(node.encode()).hexdigest()[:12]
    return f"{request.execution_id}.{digest}"


def _child(
    request: EventRequest,
    result: ExecutionResult,
    index: int,
    action: EventAction,
    node: str,
) -> EventRequest:
    if request.chain_depth >= limits.MAX_CHAIN_DEPTH:
        raise ActionFailed(
            ChainTooDeep(
                f"{action.spec.name} was not started: {limits.MAX_CHAIN_DEPTH} events "
                "have started each other in a row, and more may not"
            ).info
        )
    try:
        child = build(
            EventRequest,
            execution_id=names.action_id(_owner(request, node), index),
            event=action.spec,
            input=result.output,
            trigger=Trigger.ACTION,
            user=request.user,
            priority=request.priority,
            chain_depth=request.chain_depth + 1,
        )
    except RequestRefused as error:
        raise ActionFailed(error.info) from None
    if len(child.model_dump_json().encode()) > limits.MAX_REQUEST_BYTES:
        raise ActionFailed(
            RequestRefused(
                f"event and input are more than {limits.MAX_REQUEST_BYTES} bytes"
            ).info
        )
    return child


async def _start(child: EventRequest) -> None:
    try:
        handle = await workflow.start_child_workflow(
            names.EVENT_WORKFLOW,
            child,
            id=names.workflow_id(child.event.id, child.execution_id),
            result_type=ExecutionResult,
            parent_close_policy=workflow.ParentClosePolicy.ABANDON,
            cancellation_type=workflow.ChildWorkflowCancellationType.ABANDON,
            id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
            priority=priority_of(child),
            static_summary=child.event.name,
        )
    except WorkflowAlreadyStartedError:
        # This workflow was reset after it had started it: once is enough.
        return
    except FailureError as error:
        info = ErrorInfo(type="RequestRefused", message=f"It did not start: {error}")
        raise ActionFailed(info, 1) from None
    # How it ends is its own affair, but asyncio wants somebody to have looked.
    handle.add_done_callback(lambda task: task.cancelled() or task.exception())


def _understand(error: ActivityError) -> ActionFailed:
    cause = error.cause
    if timed_out_in_queue(error):
        return ActionFailed(
            ErrorInfo(
                type="NoFreeSlot",
                message="No worker took the action within "
                f"{QUEUE_WAIT.total_seconds():g} s.",
                hint="Start a worker (`cronium worker`).",
            )
        )
    if isinstance(cause, ApplicationError):
        details = cause.details
        return ActionFailed(
            ErrorInfo(
                type=cause.type or DeliveryFailed().type,
                message=cause.message,
                hint=str(details[0]) if details else "",
                retryable=not cause.non_retryable,
            ),
            int(details[1]) if len(details) > 1 else 0,
        )
    told = "did not finish in time" if isinstance(cause, TimeoutError) else "is gone"
    return ActionFailed(DeliveryFailed(f"the worker that did it {told}").info)
