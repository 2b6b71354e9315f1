"""The answers of the REST API."""

from datetime import datetime

from contracts.base import WireModel
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


class Health(WireModel):
    """Which parts work: each is `ok` or says what is wrong."""

    status: str
    checks: dict[str, str]


class Alive(WireModel):
    """The process answers."""

    status: str = "ok"
