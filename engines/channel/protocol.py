"""uvicorn's HTTP/1.1 protocol, made ready for a peer that means harm.

It already reads one request at a time, bounds the head of a request and stops reading
while a body is not wanted. Added here: a limit of connections, a limit of time for a
head, answers in our own shape, and silence in the worker's log.
"""

import asyncio
import logging

import h11
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from engines.channel.messages import failure
from engines.channel.refusals import CallRefusedError, bad_request, unavailable
from engines.channel.run import ChannelLimits

# What a script sends is no news for the operator: a flood of it would be a flood there.
_silent = logging.Logger("cronium.channel", logging.CRITICAL + 1)


class HangUp(asyncio.Protocol):
    """A connection that is closed at once, at the least cost."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Close it."""
        assert isinstance(transport, asyncio.Transport)
        transport.abort()


class ChannelProtocol(H11Protocol):
    """One connection to a run's socket."""

    def __init__(
        self, config: Config, state: ServerState, app_state: dict[str, object]
    ) -> None:
        super().__init__(config, state, {**app_state, "abort": self._abort})
        self.logger = self.access_logger = _silent
        self.access_log = False
        limits = app_state["limits"]
        assert isinstance(limits, ChannelLimits)
        self._limits = limits
        self.timeout_keep_alive = limits.idle_seconds  # type: ignore[assignment]
        self._head: asyncio.TimerHandle | None = None
        self._one_too_many = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take the connection, or say that there are too many."""
        super().connection_made(transport)
        # Told when it has asked: what is said before that, few clients read.
        self._one_too_many = len(self.connections) > self._limits.connections
        self._expect_head()

    def data_received(self, data: bytes) -> None:
        """Read on; a head that has begun must be whole in time."""
        if self.transport.is_closing():
            return
        if self._one_too_many:
            self._refuse(
                unavailable(
                    f"more than {self._limits.connections} connections at a time; "
                    "close some, or use one for several calls"
                )
            )
            return
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self._head_is_there()
        elif self._head is None:
            self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._head_is_there()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """End the connection after the call under way, or now if there is none."""
        if self.cycle is None or self.cycle.response_complete:
            self.transport.close()
        else:
            self.cycle.keep_alive = False

    def send_400_response(self, msg: str) -> None:
        """Answer what is not HTTP, unless an answer is already on its way."""
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            self._refuse(bad_request("this is not a valid HTTP/1.1 request"))
        else:
            self.transport.close()

    def _abort(self) -> None:
        self.transport.abort()

    def _expect_head(self) -> None:
        self._head = self.loop.call_later(
            self._limits.head_seconds, self.transport.abort
        )

    def _head_is_there(self) -> None:
        if self._head is not None:
            self._head.cancel()
            self._head = None

    def _refuse(self, refusal: CallRefusedError) -> None:
        body = failure(refusal)
        head = (
            f"HTTP/1.1 {refusal.status} Refused\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n"
        )
        if refusal.retry_after is not None:
            head += f"retry-after: {refusal.retry_after}\r\n"
        if self.cycle is not None:
            # A call that is being answered has nobody to answer any more.
            self.cycle.disconnected = True
        self.transport.write(head.encode() + b"\r\n" + body)
        self.transport.close()
