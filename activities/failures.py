"""One mapping from any error to ours, and from our errors to Temporal's."""

import logging

from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from contracts.errors import (
    CroniumError,
    ScriptNotStarted,
    WorkerDraining,
    WorkerFault,
)
from contracts.runs import RunProgress

logger = logging.getLogger(__name__)

# Part of every deployment: no stack trace in the log, no failure in the metrics.
EVERYDAY = (WorkerDraining, ScriptNotStarted)


def known(error: Exception) -> CroniumError:
    """Return an error as one of ours.

    One that nobody foresaw is told by its name alone: its message may hold what a
    script or a request was given. All of it is in the worker's log.
    """
    if isinstance(error, CroniumError):
        return error
    logger.error("an error that nobody foresaw", exc_info=error)
    fault = WorkerFault(f"the worker met an unforeseen {type(error).__name__}")
    fault.__cause__ = error
    return fault


def application_error(
    error: CroniumError, progress: RunProgress | None = None
) -> ApplicationError:
    """Return the failure that workflow and client see: type, message, hint.

    To be raised `from None`: a cause would go into the history, word by word.

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
