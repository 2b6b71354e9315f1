"""One mapping from our errors to Temporal's."""

from temporalio.exceptions import ApplicationError

from contracts.errors import CroniumError


def application_error(error: CroniumError) -> ApplicationError:
    """Return the failure that workflow and client see: type, message, hint."""
    return ApplicationError(
        str(error),
        error.user_hint,
        type=error.type,
        non_retryable=not error.retryable,
    )
