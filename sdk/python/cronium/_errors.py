"""What can go wrong between a script and the executor."""

from __future__ import annotations


class CroniumError(Exception):
    """The call could not be made, or not be finished; the text says what to do."""


class CroniumAPIError(CroniumError):
    """The executor refused the call.

    Attributes:
        status_code: The HTTP status, for example 413 for a value that is too large.
        message: What was wrong and what to do, in the executor's words.
    """

    def __init__(self, status_code: int, message: str) -> None:
        super().__init__(f"API Error ({status_code}): {message}")
        self.status_code = status_code
        self.message = message

    def __reduce__(self) -> tuple[object, ...]:
        # Errors cross process pools by pickle, which would call __init__ with the text.
        return type(self), (self.status_code, self.message)


class CroniumTimeoutError(CroniumError):
    """The executor took the call and did not answer in time."""
