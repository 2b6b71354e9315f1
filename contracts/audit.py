"""Who did what: one line of the audit log, and where it goes.

Lines are JSON on a logger of their own, which is silent until a process is told where
to write. Secrets are in them by name alone, and nothing is that a script or a server
said: no output, no input, no messages.
"""

import logging
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, Field

from contracts import names
from contracts.base import WireModel

logger = logging.getLogger("cronium.audit")
# Silent, and never beside the process's own log, until somebody asks for it.
logger.propagate = False
logger.setLevel(logging.CRITICAL + 1)

_FIELDS = frozenset({"secret", "ca_secret"})
# An event that an action starts is an execution with lines of its own.
_OTHERS = "event"
_NAME = re.compile(names.SECRET_NAME_PATTERN)
_EXPRESSION = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_IN_EXPRESSION = re.compile(
    r"""\bsecrets\s*(?:\.\s*|\[\s*["'])([A-Za-z_][A-Za-z0-9_.-]*)"""
)


class AuditKind(StrEnum):
    """What happened."""

    EXECUTION_STARTED = "executionStarted"
    """An execution of an event or a workflow was admitted."""
    EXECUTION_REFUSED = "executionRefused"
    """It was not, and ends without a try."""
    EXECUTION_ENDED = "executionEnded"
    TRY_STARTED = "tryStarted"
    """A worker took a try of an event on one target."""
    TRY_CANCELLED = "tryCancelled"
    """The end of a running try was asked for."""
    TRY_ENDED = "tryEnded"
    EXECUTION_READ = "executionRead"
    """Somebody read what an execution is and how it ended, by the gateway."""
    LOG_READ = "logRead"
    """Somebody read an execution's log, by the gateway."""
    TOKEN_REFUSED = "tokenRefused"
    """A call of the gateway had no token, or not a good one."""


class AuditLine(WireModel):
    """One line; fields that do not apply are left out."""

    time: datetime = Field(default_factory=lambda: datetime.now(UTC))
    kind: AuditKind
    execution_id: str | None = None
    user: str | None = None
    """Whose execution it is."""
    trigger: str | None = None
    event_id: str | None = None
    event_name: str | None = None
    event_type: str | None = None
    target: str | None = None
    server: str | None = None
    """Login, address and port, of a try on a server."""
    image: str | None = None
    """Of a try in a container, when the event names one."""
    targets: list[str] | None = None
    """Of an execution on several servers."""
    host: str | None = None
    """Id of the worker's host."""
    attempt: int | None = None
    dispatch: int | None = None
    secrets: list[str] | None = None
    """Names of the secrets that it may use."""
    status: str | None = None
    exit_code: int | None = None
    error: str | None = None
    """Type of the error."""
    seconds: float | None = None
    workflow_id: str | None = None
    workflow_run_id: str | None = None
    by: str | None = None
    """Who called the gateway: `user:u-1`, scope and subject of the token."""
    address: str | None = None
    """From where."""
    call: str | None = None
    """What was called: method and pattern of the address, or `WebSocket`."""
    reason: str | None = None


def audited() -> bool:
    """Whether anybody wants the lines."""
    return logger.isEnabledFor(logging.INFO)


def audit(kind: AuditKind, **fields: Any) -> None:
    """Write a line, if anybody wants it; see `AuditLine` for the fields."""
    if audited():
        line = AuditLine(kind=kind, **fields)
        logger.info(line.model_dump_json(exclude_none=True))


def secret_names(part: Any) -> list[str]:
    """Return the names of the secrets in an event, request or server, sorted.

    What `{{ secrets.NAME }}` names in a request is among them; values never are.
    """
    return sorted(set(_names(part)))


def _names(part: Any, *, filled: bool = False) -> Iterator[str]:
    """Yield them; `filled`: in a request, whose texts have expressions."""
    if isinstance(part, BaseModel):
        for field in type(part).model_fields:
            value = getattr(part, field)
            if field in _FIELDS and isinstance(value, str):
                yield value
            elif field != _OTHERS:
                yield from _names(value, filled=filled or field == "http")
    elif isinstance(part, list | tuple):
        for item in part:
            yield from _names(item, filled=filled)
    elif isinstance(part, dict):
        # As `engines.http` reads a body: only alone does it name a secret.
        name = part.get("secret") if filled and len(part) == 1 else None
        if isinstance(name, str) and _NAME.fullmatch(name):
            yield name
            return
        for value in part.values():
            yield from _names(value, filled=filled)
    elif filled and isinstance(part, str):
        for expression in _EXPRESSION.findall(part):
            yield from _IN_EXPRESSION.findall(expression)
