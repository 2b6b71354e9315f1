"""Structured logs: JSON for machines, coloured lines for a terminal."""

import logging
import sys
from typing import Any, Literal

import structlog

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
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
