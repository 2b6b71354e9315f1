"""Structured logs: JSON for machines, coloured lines for a terminal."""

import asyncio
import logging
import sys
from typing import Any, Literal

import structlog
from temporalio import activity, workflow
from temporalio.exceptions import FailureError

LogFormat = Literal["auto", "console", "json"]
# Libraries that say at INFO what only their authors want to know.
QUIET = (
    "asyncssh",
    "httpx",
    "httpcore",
    "websockets",
    "uvicorn.access",
    "docker",
    "urllib3",
)


class ShortFailures(logging.Filter):
    """Makes one line of the end of an activity that failed as it was meant to.

    Its error goes to the workflow with its own words; only what nobody foresaw is worth
    a traceback.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Let everything through."""
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, FailureError | asyncio.CancelledError):
            record.exc_info = None
            kind = getattr(error, "type", None) or type(error).__name__
            record.msg = f"{record.msg}: {getattr(error, 'message', error)}"
            record.error_type = kind
        return True


def configure(style: LogFormat, level: str) -> None:
    """Send every log record of the process to stderr in one style.

    Args:
        style: `auto` is `console` on a terminal and `json` elsewhere.
        level: Name of the lowest level to show.
    """
    if style == "auto":
        style = "console" if sys.stderr.isatty() else "json"
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    final: list[Any] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta]
    if style == "json":
        final += [
            structlog.processors.ExceptionRenderer(
                structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
            ),
            structlog.processors.JSONRenderer(),
        ]
    else:
        final.append(
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(),
                # The pretty ones print local variables, which may hold a secret.
                exception_formatter=structlog.dev.plain_traceback,
            )
        )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=final)
    )
    # What they are about is in fields of the record already.
    activity.logger.activity_info_on_message = False
    workflow.logger.workflow_info_on_message = False
    activity.logger.base_logger.filters[:] = [ShortFailures()]
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
