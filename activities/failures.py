"""One mapping from our errors to Temporal's."""

from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from contracts.errors import CroniumError, ScriptNotStarted, WorkerDraining
from contracts.runs import RunProgress

# Part of every deployment: no stack trace in the log, no failure in the metrics.
EVERYDAY = (WorkerDraining, ScriptNotStarted)


def application_error(
    error: CroniumError, progress: RunProgress | None = None
) -> ApplicationError:
    """Return the failure that workflow and client see: type, message, hint.

    Args:
        error: What happened.
        progress: How far the run had come; the workflow decides by it whether the
            script may be started again.
    """
    return ApplicationError(
        str(error),
        error.user_hint,
        *([progress] if progress else []),
        type=error.type,
        non_retryable=not error.retryable,
        category=(
            ApplicationErrorCategory.BENIGN
            if isinstance(error, EVERYDAY)
            else ApplicationErrorCategory.UNSPECIFIED
        ),
    )
