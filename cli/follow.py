"""Follow the log of an execution on the gateway, across cut-offs and restarts."""

import asyncio
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from pydantic import TypeAdapter

from contracts.errors import CroniumError
from contracts.logs import (
    LogLine,
    ViewerCutOff,
    ViewerEnd,
    ViewerLines,
    ViewerMessage,
    ViewerStatus,
)

if TYPE_CHECKING:
    from cli.stack import Stack

FIRST_WAIT, LONGEST_WAIT = 0.1, 5.0
OPEN_SECONDS = 5.0
# One message has at most 1,000 lines or 256 KiB of text, and its exact bytes beside it.
MAX_MESSAGE_BYTES = 64 << 20
TOKEN_SECONDS = 7 * 24 * 3600.0
CLOSE_REFUSED, CLOSE_UNKNOWN = 4401, 4404

_message: TypeAdapter[ViewerMessage] = TypeAdapter(ViewerMessage)


class LogUnavailable(CroniumError):
    """The gateway does not show this log."""


def token(stack: "Stack", execution_id: str) -> str:
    """Return a token that may read one execution.

    Raises:
        LogUnavailable: The key that signs tokens is not on this machine.
    """
    from gateway.tokens import Scope

    return _mint(stack.secret_file, Scope.EXECUTION, execution_id)


def service_token(stack: "Stack") -> str:
    """Return a token that may read all executions.

    Raises:
        LogUnavailable: The key that signs tokens is not on this machine.
    """
    from gateway.tokens import Scope

    return _mint(stack.secret_file, Scope.SERVICE, "cronium-command")


class LogFollower:
    """Reads the lines of one execution in order, each once.

    Args:
        stack: Where the gateway is.
        execution_id: Whose log.
        from_seq: First line wanted.
    """

    def __init__(self, stack: "Stack", execution_id: str, from_seq: int = 1) -> None:
        self._url = (
            "ws"
            + stack.gateway.removeprefix("http")
            + f"/executions/{quote(execution_id)}/logs"
        )
        self._stack = stack
        self._execution_id = execution_id
        self.next_seq = from_seq
        self.connected = False
        """Whether the gateway has answered at least once."""
        self.end: ViewerEnd | None = None
        """Set once every line was given."""

    async def batches(self) -> AsyncIterator[list[LogLine]]:
        """Yield the lines as they come, some at a time, until the execution is over.

        Raises:
            LogUnavailable: The gateway refuses; other failures are tried again.
        """
        from websockets.exceptions import WebSocketException

        secret = token(self._stack, self._execution_id)
        wait = FIRST_WAIT
        while self.end is None:
            before = self.next_seq
            try:
                async for lines in self._connection(secret):
                    yield lines
            except (OSError, TimeoutError, WebSocketException) as error:
                _raise_if_refused(error)
            if self.end is None:
                wait = FIRST_WAIT if self.next_seq > before else wait
                # Jitter: viewers must not come back in the same instant.
                await asyncio.sleep(wait * random.uniform(0.5, 1.5))
                wait = min(2 * wait, LONGEST_WAIT)

    async def _connection(self, secret: str) -> AsyncIterator[list[LogLine]]:
        from websockets.asyncio.client import connect

        async with connect(
            f"{self._url}?fromSeq={self.next_seq}",
            additional_headers={"Authorization": f"Bearer {secret}"},
            open_timeout=OPEN_SECONDS,
            max_size=MAX_MESSAGE_BYTES,
            proxy=None,
        ) as socket:
            self.connected = True
            async for text in socket:
                message = _message.validate_json(text)
                if isinstance(message, ViewerLines):
                    # A line that was seen before a reconnect is not shown twice.
                    fresh = [x for x in message.lines if x.seq >= self.next_seq]
                    if fresh:
                        self.next_seq = fresh[-1].seq + 1
                        yield fresh
                elif isinstance(message, ViewerCutOff):
                    self.next_seq = max(self.next_seq, message.resume_from)
                    return
                elif isinstance(message, ViewerEnd):
                    self.end = message
                    return
                else:
                    assert isinstance(message, ViewerStatus)


def _mint(secret_file: Path, scope: str, subject: str) -> str:
    from gateway.tokens import Scope, load_or_create_secret, mint

    # The gateway makes the key: one that we made would fit nothing.
    if not secret_file.exists():
        raise LogUnavailable(
            f"the gateway's key {secret_file} is not on this machine",
            hint="Set CRONIUM_GATEWAY_SECRET_FILE to a copy of it.",
        )
    return mint(
        load_or_create_secret(secret_file),
        Scope(scope),
        subject=subject,
        lifetime_seconds=TOKEN_SECONDS,
    )


def _raise_if_refused(error: Exception) -> None:
    from websockets.exceptions import ConnectionClosed, InvalidStatus

    if isinstance(error, InvalidStatus) and error.response.status_code in (401, 403):
        raise LogUnavailable("the gateway refused our token") from None
    if isinstance(error, ConnectionClosed) and error.rcvd is not None:
        if error.rcvd.code == CLOSE_REFUSED:
            raise LogUnavailable(f"the gateway refused: {error.rcvd.reason}") from None
        if error.rcvd.code == CLOSE_UNKNOWN:
            raise LogUnavailable("the gateway has no log of it") from None
