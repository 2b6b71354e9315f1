"""How scripts end in every place: by themselves, by a signal, by us."""

import signal

from contracts.errors import ErrorInfo, ScriptError
from contracts.events import EventSpec

SIGNAL_BASE = 128


def failed(code: int) -> ErrorInfo:
    """Return the error of a script that ended with a code of its own, not 0."""
    return ErrorInfo(
        type=ScriptError.EXIT_CODE,
        message=f"The script exited with code {code}.",
        hint="Its last lines say why; exit 0 means success.",
        retryable=True,
    )


def timed_out(event: EventSpec) -> ErrorInfo:
    """Return the error of a script that ran longer than it may."""
    return ErrorInfo(
        type=ScriptError.TIMEOUT,
        message=f"The script was stopped after {event.timeout_seconds:g} s.",
        hint="Make it faster, or raise timeoutSeconds.",
        retryable=True,
    )


def cancelled() -> ErrorInfo:
    """Return the error of a run that somebody cancelled."""
    return ErrorInfo(
        type=ScriptError.CANCELLED, message="The run was cancelled on request."
    )


def killed(code: int) -> ErrorInfo:
    """Return the error of a script that a signal ended: its code is above 128."""
    number = code - SIGNAL_BASE
    try:
        name = signal.Signals(number).name
    except ValueError:
        name = f"signal {number}"
    return ErrorInfo(
        type=ScriptError.SIGNAL,
        message=f"The script was killed by {name} (exit code {code}).",
        hint="It crashed or killed itself; its last lines may say why.",
        retryable=True,
    )
