"""What workflow and activities say to each other about messages and callbacks.

The template of a message reads these names:

    event        {id, name, type, tags}
    execution    {id, user, trigger, attempts}
    status       SUCCESS, FAILURE, TIMEOUT, CANCELLED, PARTIAL, LOST
    duration     ms of all tries, waits included; `executionTime`: ms of the last script
    exitCode, output, condition, input
    error        {type, message, hint}, or none
    targets      a list of {target, status, exitCode, attempts, host, error}
    variables    the user's variables: {NAME: value}
    logs         {lastLines, lines, url}
    finishedAt   seconds since 1970

and, besides those of Jinja2, the filters `formatDuration`, `formatTime` and `json`.
"""

from typing import Any

from pydantic import Field

from contracts import limits
from contracts.actions import CallbackAction, MessageAction
from contracts.base import TolerantModel, WireModel
from contracts.results import ExecutionResult
from contracts.runs import ActivityStub


class MessageOrder(WireModel):
    """Send one message: argument of `send_message`."""

    action: MessageAction
    event_type: str
    tags: list[str] = []
    user: str
    trigger: str
    input: Any = None
    result: ExecutionResult
    """Without the outputs of the targets."""
    finished_at: float
    """Seconds since 1970."""
    logs_url: str = ""


class CallbackOrder(WireModel):
    """POST one result: argument of `send_callback`."""

    action: CallbackAction
    delivery_id: str
    """The same for every try, so that a receiver can tell a repetition."""
    result: ExecutionResult


class Delivery(TolerantModel):
    """What was done in the end."""

    notified: int | None = None
    http_status: int | None = None
    attempts: int = Field(1, ge=1)


class MessageProgress(TolerantModel):
    """Heartbeat details: which targets have the message already, by index."""

    done: list[int] = Field(default=[], max_length=limits.MAX_MESSAGE_TARGETS)


SEND_MESSAGE = ActivityStub("send_message", MessageOrder, Delivery)
SEND_CALLBACK = ActivityStub("send_callback", CallbackOrder, Delivery)
