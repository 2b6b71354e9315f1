"""From how a script ended, and why it was stopped, to the status that people see."""

from contracts.errors import ErrorInfo
from contracts.events import EventSpec
from contracts.results import (
    EXIT_CANCELLED,
    EXIT_TIMEOUT,
    LogCounts,
    PhaseDurations,
    Status,
)
from contracts.runs import RunOutcome
from engines import endings
from engines.places import Engine, SandboxExit

MOST_SHOWN = 5


def judge(
    engine: Engine,
    event: EventSpec,
    end: SandboxExit | None,
    stopped: ErrorInfo | None,
    *,
    cancelled: bool,
    tail: list[str],
) -> tuple[Status, int | None, ErrorInfo | None]:
    """Return status, exit code and error.

    Args:
        engine: Where it was run.
        event: What was run.
        end: How it ended; None when it could not be started.
        stopped: Why it was stopped, or why it could not be started.
        cancelled: Whether somebody asked for the stop.
        tail: The last lines.
    """
    if end is None:
        return Status.FAILURE, None, stopped
    status, code, error = _judged(engine, event, end, stopped, cancelled, tail)
    if error is not None and end.leftovers:
        error = error.model_copy(
            update={"hint": f"{error.hint} {survivors(end.leftovers)}".strip()}
        )
    return status, code, error


def survivors(leftovers: tuple[str, ...]) -> str:
    """Say which processes could not be ended, without their command lines.

    Args:
        leftovers: Each as `pid user command`.
    """
    named = [" of ".join(process.split(" ")[:2]) for process in leftovers]
    shown = ", ".join(named[:MOST_SHOWN])
    more = f" and {len(named) - MOST_SHOWN} more" if len(named) > MOST_SHOWN else ""
    return (
        f"Still there, since the account may not end it: process {shown}{more}; "
        "end it by hand, the log has the command."
    )


def _judged(
    engine: Engine,
    event: EventSpec,
    end: SandboxExit,
    stopped: ErrorInfo | None,
    cancelled: bool,
    tail: list[str],
) -> tuple[Status, int | None, ErrorInfo | None]:
    if stopped is not None:
        if cancelled:
            return Status.CANCELLED, EXIT_CANCELLED, stopped
        return Status.TIMEOUT, EXIT_TIMEOUT, stopped
    if end.code == 0:
        return Status.SUCCESS, 0, None
    return Status.FAILURE, end.code, engine.judge(event, end, tail)


def never_began(durations: PhaseDurations, logs: LogCounts, host: str) -> RunOutcome:
    """Return the outcome of a run that was cancelled before its script began."""
    return RunOutcome(
        status=Status.CANCELLED,
        exit_code=EXIT_CANCELLED,
        error=endings.cancelled(),
        durations=durations,
        logs=logs,
        host=host,
    )
