"""What one node is given when its turn has come, and how it says that it failed."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
    FailureError,
    is_cancelled_exception,
)

with workflow.unsafe.imports_passed_through():
    from contracts.errors import ErrorInfo, RequestRefused
    from contracts.events import EventRequest, EventSpec, Trigger
    from contracts.graph_nodes import BaseNode
    from contracts.graph_parts import (
        READ_VARIABLES,
        Decision,
        RunInfo,
        VariablesOrder,
    )
    from contracts.graph_results import GraphError
    from contracts.graphs import GraphSpec
    from contracts.validation import build
    from workflows.graphs.brake import Brake
    from workflows.graphs.expressions import ExpressionError, evaluate
    from workflows.pacing import Pacer

Fields = dict[str, Any]
"""Fields of a node's row."""
# One call of the gateway; its own limit is shorter.
VARIABLES_TIMEOUT = timedelta(seconds=20)
VARIABLES_PATIENCE = timedelta(seconds=60)


class NodeFailed(Exception):
    """A node did not come to an end of its own.

    Args:
        info: Why.
    """

    def __init__(self, info: ErrorInfo) -> None:
        super().__init__(info.message)
        self.info = info


@dataclass
class Job:
    """One node at work.

    Args:
        spec: The graph it is of.
        node: The node.
        run: What all nodes of the execution have in common.
        place: Its name among the targets of the execution.
        data: What its expressions may read.
        input: What it works on.
        update: Changes fields of its row.
        pacer: Asked before anything is sent out.
        brake: Says whether anything may begin inside of it.
        earlier: Tries of an earlier round.
        round: How often it has begun before.
    """

    spec: GraphSpec
    node: BaseNode
    run: RunInfo
    place: str
    data: Mapping[str, Any]
    input: Any
    update: Callable[..., None]
    pacer: Pacer
    brake: Brake
    earlier: int = 0
    round: int = 0
    decision: Decision | None = field(default=None)
    """Of an approval: what somebody has said."""

    def value(self, value: Any, name: str) -> Any:
        """Return the value of a field with expressions.

        Raises:
            NodeFailed: It cannot be evaluated.
        """
        return value_of(value, self.data, f"nodes.{self.node.id}.{name}")


def value_of(value: Any, data: Mapping[str, Any], path: str) -> Any:
    """Return the value of a field with expressions.

    Raises:
        NodeFailed: It cannot be evaluated; the message has the path.
    """
    try:
        return evaluate(value, data, path)
    except ExpressionError as error:
        raise NodeFailed(
            ErrorInfo(type=GraphError.EXPRESSION, message=str(error))
        ) from None


def event_request(job: Job, event: EventSpec, value: Any) -> EventRequest:
    """Return the order of a node's event.

    Raises:
        NodeFailed: The input is none that an event may have.
    """
    try:
        return build(
            EventRequest,
            execution_id=job.run.execution_id,
            scheduled_for=job.run.scheduled_for,
            event=event,
            input=value,
            trigger=Trigger.WORKFLOW,
            user=job.run.user,
            priority=job.run.priority,
        )
    except RequestRefused as error:
        raise NodeFailed(error.info) from None


async def variables(run: RunInfo, keys: frozenset[str]) -> dict[str, Any]:
    """Return the variables of these names as they are now.

    Raises:
        NodeFailed: The store does not answer.
    """
    try:
        found = await workflow.execute_local_activity(
            READ_VARIABLES.name,
            VariablesOrder(user=run.user, keys=sorted(keys)),
            result_type=READ_VARIABLES.result,
            start_to_close_timeout=VARIABLES_TIMEOUT,
            schedule_to_close_timeout=VARIABLES_PATIENCE,
        )
    except FailureError as error:
        if is_cancelled_exception(error):
            raise asyncio.CancelledError from None
        raise NodeFailed(info_of(error, "VariablesUnavailable")) from None
    return dict(found.values)


def info_of(error: FailureError, kind: str) -> ErrorInfo:
    """Return a local activity's failure as a result has it.

    Args:
        error: Of the call.
        kind: What it is when the failure does not say.
    """
    cause = error.cause if isinstance(error, ActivityError) else error
    if not isinstance(cause, ApplicationError):
        return ErrorInfo(type=kind, message=str(cause or error))
    return ErrorInfo(
        type=cause.type or kind,
        message=cause.message,
        hint=str(cause.details[0]) if cause.details else "",
        retryable=not cause.non_retryable,
    )
