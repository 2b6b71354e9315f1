"""From exit code, flags and last words to a typed error that a person understands."""

from contracts.errors import (
    ErrorInfo,
    SandboxFailed,
    SandboxInterrupted,
    ScriptError,
)
from contracts.events import EventSpec
from engines.docker.rundir import MISSING_MARK
from engines.endings import SIGNAL_BASE, cancelled, failed, killed, timed_out
from engines.places import SandboxExit
from engines.scripts import MISSING_CODE

__all__ = ["cancelled", "judge", "launcher_missing", "timed_out"]

# What the init process says when the image has no shell.
NO_LAUNCHER_MARK = "exec /bin/sh failed"
# What the daemon says when the image has no shell either.
NO_LAUNCHER_WORDS = ("no such file or directory", "executable file not found")
# What the three runtimes print when the kernel answers EAGAIN to fork or clone.
PROCESS_LIMIT_WORDS = (
    "fork: retry",
    "fork: Resource temporarily unavailable",
    "can't start new thread",
    "BlockingIOError: [Errno 11]",
    "Cannot fork",
    "EAGAIN",
)
TMP_FULL_WORDS = ("No space left on device", "ENOSPC")


def judge(event: EventSpec, end: SandboxExit, last_lines: list[str]) -> ErrorInfo:
    """Say why a script that exited with a code other than 0 did not succeed.

    The kernel's flag decides for memory. Process and disk limits leave no flag behind
    when the container is gone, so the script's own last lines decide; they are right
    only as far as the script printed them, which is why they never overrule the flag.
    """
    words = "\n".join(last_lines)
    if end.interrupted:
        return SandboxInterrupted(
            f"The script ended with code {end.code} because Docker, or the whole host, "
            "was stopped while it ran."
        ).info
    if end.oom_killed:
        return _memory(event, end.code)
    if end.code == MISSING_CODE and MISSING_MARK in words:
        return _interpreter(event, words)
    if end.code == MISSING_CODE and NO_LAUNCHER_MARK in words:
        return launcher_missing(event)
    if any(word in words for word in PROCESS_LIMIT_WORDS):
        return ErrorInfo(
            type=ScriptError.PROCESS_LIMIT,
            message=f"The script exited {end.code} after it hit the limit of "
            f"{event.resources.pids} processes and threads.",
            hint="Start fewer at once, or raise resources.pids.",
        )
    if any(word in words for word in TMP_FULL_WORDS):
        return ErrorInfo(
            type=ScriptError.TMP_FULL,
            message=f"The script exited {end.code} after it found /tmp "
            f"({event.resources.tmp_mb} MB) full.",
            hint="Write less, or raise resources.tmpMb (and memoryMb: /tmp is memory).",
        )
    if end.code > SIGNAL_BASE:
        return killed(end.code)
    return failed(end.code)


def launcher_trouble(event: EventSpec, error: SandboxFailed) -> ErrorInfo | None:
    """Return what is wrong with an image that cannot be started, or None."""
    text = str(error).lower()
    missing = any(words in text for words in NO_LAUNCHER_WORDS)
    return launcher_missing(event) if missing else None


def launcher_missing(event: EventSpec) -> ErrorInfo:
    """Return the error of an image without /bin/sh."""
    return ErrorInfo(
        type=ScriptError.INTERPRETER_MISSING,
        message=f"The image {event.image or 'of this worker'} has no /bin/sh, so no "
        f"{event.type} script can be started in it.",
        hint="Use an image with a shell and the interpreter.",
    )


def _memory(event: EventSpec, code: int) -> ErrorInfo:
    return ErrorInfo(
        type=ScriptError.OUT_OF_MEMORY,
        message=f"The kernel killed a process of the script (exit code {code}): the "
        f"limit of {event.resources.memory_mb} MB, /tmp included, was reached.",
        hint="Use less memory, or raise resources.memoryMb.",
        retryable=True,
    )


def _interpreter(event: EventSpec, words: str) -> ErrorInfo:
    name = words.split(MISSING_MARK, 1)[1].split("\n", 1)[0].strip()
    return ErrorInfo(
        type=ScriptError.INTERPRETER_MISSING,
        message=f"{name} is not in the image {event.image or 'of this worker'}.",
        hint=f"Use an image with {name}, or leave `image` out to use the default.",
    )
