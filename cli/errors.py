"""What the command says when something is wrong, and how it ends.

Users see one line per problem and what to do about it, never a traceback.
"""

import sys
from collections.abc import Sequence

from contracts.errors import CroniumError
from contracts.results import ExecutionResult, Status
from contracts.validation import Problem

EXIT_FAILURE = 1
EXIT_REFUSED = 2
EXIT_TIMEOUT = 124
EXIT_CANCELLED = 130
EXIT_MOST = 255


class InvalidRequest(CroniumError):
    """What is to be run does not fit the contract; nothing was started."""

    def __init__(self, problems: Sequence[Problem], *, hint: str = "") -> None:
        super().__init__("the request is not valid", hint=hint)
        self.problems = list(problems)


class NotFound(CroniumError):
    """There is no such execution."""


class StackMissing(CroniumError):
    """No Temporal server is known or running."""

    hint = "Start a local stack with `cronium dev`, or set TEMPORAL_ADDRESS."


class StackFailed(CroniumError):
    """A part of the local stack did not start."""

    def __init__(self, message: str, *, hint: str = "", tail: str = "") -> None:
        super().__init__(message, hint=hint)
        self.tail = tail
        """The last lines of its log."""


class Interrupted(CroniumError):
    """The user pressed Ctrl-C."""


def problem_at(path: str, message: str, *, hint: str = "") -> InvalidRequest:
    """Return the error of one problem."""
    return InvalidRequest([Problem(path=path, message=message)], hint=hint)


def report(error: CroniumError) -> int:
    """Print an error for a person; return the exit status."""
    for line in lines_of(error):
        print(line, file=sys.stderr)
    if isinstance(error, InvalidRequest):
        return EXIT_REFUSED
    return EXIT_CANCELLED if isinstance(error, Interrupted) else EXIT_FAILURE


def lines_of(error: CroniumError) -> list[str]:
    """Return the lines that say an error."""
    if isinstance(error, InvalidRequest):
        lines = [f"error: {_one_line(problem)}" for problem in error.problems]
    elif isinstance(error, Interrupted):
        lines = [str(error)]
    else:
        lines = [f"error: {error}"]
    if isinstance(error, StackFailed) and error.tail:
        lines += [f"  | {line}" for line in error.tail.splitlines()]
    return [*lines, f"hint: {error.user_hint}"] if error.user_hint else lines


def exit_status(result: ExecutionResult) -> int:
    """Return the exit status of `cronium run` for a result.

    124 and 130 are what `timeout` and a shell give for the same ends.
    """
    if result.status is Status.SUCCESS:
        return 0
    if result.status is Status.TIMEOUT:
        return EXIT_TIMEOUT
    if result.status is Status.CANCELLED:
        return EXIT_CANCELLED
    code = result.exit_code
    if result.status is Status.PARTIAL and code is not None:
        return min(code, EXIT_MOST)
    if result.status is Status.FAILURE and code is not None and 0 < code < 256:
        return code
    return EXIT_FAILURE


def _one_line(problem: Problem) -> str:
    message = " ".join(problem.message.split())
    return f"{problem.path}: {message}" if problem.path else message
