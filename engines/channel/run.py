"""One run as its channel knows it: who it is, what it may use, whom it tells."""

import math
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from contracts.limits import (
    KIB,
    MAX_CALL_OUTAGE_SECONDS,
    MAX_OUTPUT_BYTES,
    MIB,
)
from contracts.names import RUN_DIRECTORY
from engines.channel.state import Progress

SOCKET_NAME = "api.sock"
STARTING_SECONDS = 30.0
"""What a worker on a busy machine takes from its start until it has taken runs over."""


class LogLevel(StrEnum):
    """How much a structured log line matters."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


OnLog = Callable[[LogLevel, str, dict[str, Any]], None]
OnProgress = Callable[[Progress], None]
ToolAction = Callable[[str, str, dict[str, Any]], Awaitable[Any]]
"""From tool, action and configuration to the result, any JSON value."""


@dataclass(frozen=True, slots=True)
class ChannelLimits:
    """What one run may ask of its channel. Sizes in bytes, times in seconds."""

    output: int = MAX_OUTPUT_BYTES
    body: int = MIB
    """An output or a log line; both may be longer on their way than in the end."""
    small_body: int = 256 * KIB
    """Any request but an output or a log line."""
    log_message: int = 64 * KIB
    log_fields: int = 16 * KIB
    listing: int = 2 * MIB
    """What a list of variables may hold."""
    connections: int = 32
    calls_per_minute: int = 1000
    """Also the number of calls that may come at once."""
    head_seconds: float = 10.0
    """For a request's head, from its first byte or from the connection's start."""
    body_seconds: float = 10.0
    call_seconds: float = 30.0
    """For a call as a whole, its answer included."""
    idle_seconds: float = 60.0
    """How long a connection may wait for its next request."""


@dataclass(frozen=True, slots=True)
class ChannelRun:
    """One run. Callbacks are called on the event loop and must not block it."""

    execution_id: str
    user: str
    token: str
    """What the script proves itself with; "" when a worker goes on with a run, whose
    token is then known from `state_file`."""
    state_file: Path
    """Where the run's output and condition outlive the worker: a file in a directory
    of the worker's own, out of the sandbox's reach."""
    input: bytes
    """JSON text."""
    context: Mapping[str, Any] = field(default_factory=dict)
    """What the script may know of its event; see `event_context`."""
    limits: ChannelLimits = ChannelLimits()
    on_log: OnLog | None = None
    on_progress: OnProgress | None = None
    tool_action: ToolAction | None = None
    """Raises CroniumError; with a `retryable` one the script tries again."""


def new_token() -> str:
    """Return a token for one run: 256 random bits."""
    return secrets.token_urlsafe(32)


def channel_environment(token: str, window: float) -> dict[str, str]:
    """Return the variables that tell a script where its channel is.

    Args:
        token: What it proves itself with.
        window: Seconds within which a worker may come for its run.
    """
    outage = min(window + STARTING_SECONDS, MAX_CALL_OUTAGE_SECONDS)
    return {
        "CRONIUM_SOCKET": f"{RUN_DIRECTORY}/{SOCKET_NAME}",
        "CRONIUM_EXECUTION_TOKEN": token,
        # Bash reckons with whole numbers.
        "CRONIUM_OUTAGE_SECONDS": str(math.ceil(outage)),
    }
