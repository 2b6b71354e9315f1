"""The bodies and answers of the REST API."""

from datetime import datetime
from typing import Any

from pydantic import Field, StrictFloat, StrictInt

from contracts.base import WireModel
from contracts.limits import MAX_VARIABLE_DESCRIPTION_CHARS
from contracts.logs import LogLine
from contracts.results import ExecutionResult, Status


class ErrorBody(WireModel):
    """What went wrong."""

    type: str
    """A word to match on."""
    message: str
    hint: str = ""
    """What to do about it."""


class ErrorAnswer(WireModel):
    """The one shape of every error."""

    error: ErrorBody


class ExecutionSummary(WireModel):
    """One execution without its result."""

    execution_id: str
    event_id: str
    event_name: str
    event_type: str
    user: str
    trigger: str
    status: Status
    workflow_id: str
    run_id: str
    created_at: datetime
    """When the gateway first heard of it."""
    started_at: datetime | None = None
    finished_at: datetime | None = None
    lines: int
    """Lines stored so far; also the `seq` of the last one."""


class ExecutionDetail(ExecutionSummary):
    """One execution; the result is there once the status is final."""

    result: ExecutionResult | None = None


class ExecutionPage(WireModel):
    """Executions, newest first."""

    executions: list[ExecutionSummary]
    next_before: int | None = None
    """Pass as `before` to get the next page; null on the last page."""


class LogPage(WireModel):
    """Stored lines in order of `seq`."""

    lines: list[LogLine]
    next_seq: int
    """Pass as `fromSeq` to go on."""
    complete: bool
    """The execution is over and nothing follows after these lines."""
    status: Status


class Variable(WireModel):
    """One variable of one user."""

    key: str
    value: Any
    """Any JSON value, of the type that was stored."""
    description: str = ""
    version: int
    """Counts the writes from 1; a variable that was deleted starts again."""
    updated_at: datetime


class VariablePage(WireModel):
    """Variables in order of their keys."""

    variables: list[Variable]
    next_after: str | None = None
    """Pass as `after` to get the next page; null on the last page."""


class VariableDeleted(WireModel):
    """Whether there was something to delete."""

    deleted: bool


class SetVariable(WireModel):
    """What to store, and on which condition."""

    value: Any
    expected: Any = None
    """Store only if the value is this now; leave it out to store in any case."""
    expected_version: int | None = Field(None, ge=1, le=2**53)
    """Store only if the version is this now."""
    if_absent: bool = False
    """Store only if the variable is not set."""
    description: str | None = Field(None, max_length=MAX_VARIABLE_DESCRIPTION_CHARS)
    """What the variable is for; left out, it stays as it is."""


class IncrementVariable(WireModel):
    """How much to add; a variable that is not set starts at 0."""

    by: StrictInt | StrictFloat = 1


class AppendVariable(WireModel):
    """What to put at the end of a string or a list.

    A variable that is not set becomes the string, or a list of the one value.
    """

    value: Any
    separator: str = Field("", max_length=1_000)
    """Between two strings; not before the first."""


class Health(WireModel):
    """Which parts work: each is `ok` or says what is wrong."""

    status: str
    checks: dict[str, str]


class Alive(WireModel):
    """The process answers."""

    status: str = "ok"
