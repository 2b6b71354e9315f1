"""How one dispatch of a try can end, and what an activity's failure says about it."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

from temporalio import workflow
from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
    TimeoutError,
    TimeoutType,
    is_cancelled_exception,
)

with workflow.unsafe.imports_passed_through():
    from contracts.encryption_errors import EncryptionKeyMissing
    from contracts.errors import ErrorInfo, HostLost, ScriptError, WorkerDraining
    from contracts.results import EXIT_CANCELLED, LogCounts, Status
    from contracts.runs import RunOutcome, RunProgress


@dataclass(frozen=True)
class Lost:
    """The worker that had claimed the try is gone; its sandbox may run on."""

    progress: RunProgress
    why: str
    host_answers: bool = True
    """False when only the engine on the host is away: that uses up the wait."""


@dataclass(frozen=True)
class Trouble:
    """The script was not started, or may be started again."""

    error: ErrorInfo | None = None
    """What to tell when it goes on like this; None is not worth giving up for."""
    logs: LogCounts = field(default_factory=LogCounts)
    progress: RunProgress | None = None
    """What was last heard, of a run whose outcome nobody will know."""
    """What was written meanwhile."""


Ended = RunOutcome | Lost | Trouble


def understand(error: ActivityError) -> Ended:
    """Say what became of an activity without outcome."""
    if is_cancelled_exception(error):
        return cancelled("before the script began")
    cause = error.cause
    if isinstance(cause, TimeoutError):
        # No heartbeat: it died before it claimed the run, so nothing was started.
        found = _progress_in(cause.last_heartbeat_details, 0)
        if found is None:
            return Trouble()
        return Lost(found, f"host {found.host} stopped answering")
    if not isinstance(cause, ApplicationError):
        return Trouble(ErrorInfo(type="EngineError", message=str(cause or error)))
    locked = without_key(cause)
    if locked is not None:
        return Trouble(locked)
    found = _progress_in(cause.details, 1)
    if cause.type == WorkerDraining().type:
        if found is None:
            return Trouble()
        return Lost(found, f"the worker of host {found.host} was stopped")
    if cause.type == HostLost().type:
        # Whoever could know says that the outcome is gone: nobody else is asked.
        return Trouble(_info_of(cause), progress=found)
    if found is not None and found.started_at is not None:
        # Never to be sent out again as if nothing had been started.
        return Lost(found, cause.message, host_answers=False)
    return Trouble(_info_of(cause), logs_of(found) if found else LogCounts())


def without_key(cause: BaseException | None) -> ErrorInfo | None:
    """Return what to tell of a worker that could not read what it was sent.

    The SDK says so in its own words, with our error behind them; None is all else.
    """
    below = cause.__cause__ if cause is not None else None
    missing = EncryptionKeyMissing
    if not isinstance(below, ApplicationError) or below.type != missing.__name__:
        return None
    return missing(f"A worker cannot read the run: {below.message}").info


def _info_of(cause: ApplicationError) -> ErrorInfo:
    return ErrorInfo(
        type=cause.type or "EngineError",
        message=cause.message,
        hint=str(cause.details[0]) if cause.details else "",
        retryable=not cause.non_retryable,
    )


def timed_out_in_queue(error: ActivityError) -> bool:
    """Whether no worker took the activity in time."""
    cause = error.cause
    return (
        isinstance(cause, TimeoutError) and cause.type == TimeoutType.SCHEDULE_TO_START
    )


def cancelling() -> bool:
    """Whether this task was asked to end, even if an activity absorbed it."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def uncancelled(work: Coroutine[Any, Any, None]) -> None:
    """Bring work to its end although the workflow is cancelled meanwhile."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await task


def cancelled(how: str, host: str | None = None) -> RunOutcome:
    """Return the outcome of a try that was cancelled."""
    return RunOutcome(
        status=Status.CANCELLED,
        exit_code=EXIT_CANCELLED,
        error=ErrorInfo(
            type=ScriptError.CANCELLED, message=f"The run was cancelled {how}."
        ),
        host=host,
    )


def total(before: LogCounts, new: LogCounts) -> LogCounts:
    """Return the counts of two logs together."""
    return LogCounts(
        lines=before.lines + new.lines,
        bytes=before.bytes + new.bytes,
        dropped_lines=before.dropped_lines + new.dropped_lines,
        dropped_bytes=before.dropped_bytes + new.dropped_bytes,
        stored=before.stored + new.stored,
        last_lines=new.last_lines or before.last_lines,
    )


def logs_of(progress: RunProgress) -> LogCounts:
    """Return the counts that were last heard of."""
    return LogCounts(
        lines=progress.lines,
        bytes=progress.bytes,
        dropped_lines=progress.dropped_lines,
        stored=progress.stored,
        last_lines=progress.tail,
    )


def _progress_in(details: Any, place: int) -> RunProgress | None:
    if not details or len(details) <= place or not details[place]:
        return None
    return RunProgress.model_validate(details[place])
