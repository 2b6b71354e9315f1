"""What a call is answered with when it is not done: a status, a word and what to do."""

from contracts.errors import (
    CroniumError,
    NotANumber,
    NotAppendable,
    VariableConflict,
    VariableNotFound,
)

RETRY_SECONDS = 1
_VARIABLES: tuple[tuple[type[CroniumError], int, str], ...] = (
    (VariableNotFound, 404, "not_found"),
    (NotANumber, 409, "not_a_number"),
    (NotAppendable, 409, "not_appendable"),
    (VariableConflict, 409, "conflict"),
)


class CallRefusedError(Exception):
    """A call that is not done; the script gets word and message."""

    def __init__(
        self, status: int, word: str, message: str, *, retry_after: int | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.word = word
        self.message = message
        self.retry_after = retry_after


def bad_request(message: str) -> CallRefusedError:
    """Return the refusal of a request that is wrong as it is."""
    return CallRefusedError(400, "bad_request", message)


def too_large(message: str) -> CallRefusedError:
    """Return the refusal of something above a limit."""
    return CallRefusedError(413, "too_large", message)


def unavailable(message: str) -> CallRefusedError:
    """Return the refusal of what may be done in a moment."""
    return CallRefusedError(503, "unavailable", message, retry_after=RETRY_SECONDS)


def refusal_of(error: CroniumError) -> CallRefusedError:
    """Return the refusal for an error of a part behind the channel."""
    message = f"{error} {error.user_hint}".strip()
    for kind, status, word in _VARIABLES:
        if isinstance(error, kind):
            return CallRefusedError(status, word, message)
    if error.retryable:
        return unavailable(message)
    # Helpers try a 500 again, which would not help here.
    return CallRefusedError(400, error.type, message)
