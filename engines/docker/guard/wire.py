"""HTTP on both sides of the guard: requests read whole, answers passed on as they come.

The daemon gets a connection of its own for each call, with a request that was written
here; nothing that a caller sends after it can be taken for another one.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import h11

from contracts.limits import MIB
from engines.docker.guard.errors import CallRefused

CHUNK = 1 << 16
# A create call with our seccomp profile has 25 KB.
MAX_BODY = 1 * MIB
MAX_HEAD = 32 * 1024
# Of the headers that a caller sends, this alone reaches the daemon.
KEPT = b"x-registry-auth"
# Each side frames its own body and decides about its own connection.
HOP = (b"transfer-encoding", b"connection", b"keep-alive", b"upgrade")
Headers = list[tuple[bytes, bytes]]
Event = h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]


class Away(Exception):
    """The other side is gone, or speaks no HTTP."""


@dataclass(frozen=True, slots=True)
class Request:
    """A caller's request, whole."""

    method: str
    target: str
    headers: Headers
    body: bytes


class Caller:
    """One connection of a worker."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._reader, self._writer = reader, writer
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD)

    async def request(self) -> Request | None:
        """Return the next request; None at the end of the connection.

        Raises:
            Away: What came is no HTTP.
            CallRefused: Its body is too large.
        """
        head: h11.Request | None = None
        parts: list[bytes] = []
        size = 0
        while True:
            event = await self._event()
            if isinstance(event, h11.Request):
                head = event
            elif isinstance(event, h11.Data):
                size += len(event.data)
                if size > MAX_BODY:
                    raise CallRefused("the body is larger than any of ours")
                parts.append(bytes(event.data))
            elif isinstance(event, h11.EndOfMessage) and head is not None:
                kept = [(n, v) for n, v in head.headers if n == KEPT]
                target = head.target.decode("latin-1")
                return Request(head.method.decode(), target, kept, b"".join(parts))
            else:
                return None

    async def _event(self) -> Event:
        while True:
            try:
                event = self._http.next_event()
            except h11.RemoteProtocolError:
                raise Away from None
            if event is h11.NEED_DATA:
                if self._http.they_are_waiting_for_100_continue:
                    raise Away
                self._http.receive_data(await self._reader.read(CHUNK))
                continue
            return event

    async def gone(self) -> None:
        """Return when the caller has closed its side, or says far too much."""
        kept = 0
        while data := await self._reader.read(CHUNK):
            # A request may come before the answer to the last; a flood may not.
            kept += len(data)
            if kept > MAX_HEAD:
                return
            self._http.receive_data(data)

    async def begin(self, status: int, headers: Headers) -> None:
        """Send the head of an answer."""
        kept = [(n, v) for n, v in headers if n.lower() not in HOP]
        await self.raw(
            self._http.send(h11.Response(status_code=status, headers=kept)) or b""
        )

    async def data(self, piece: bytes) -> None:
        """Send a piece of an answer's body."""
        await self.raw(self._http.send(h11.Data(data=piece)) or b"")

    async def end(self) -> bool:
        """End an answer; whether another request may follow."""
        await self.raw(self._http.send(h11.EndOfMessage()) or b"")
        if self._http.our_state is not h11.DONE:
            return False
        if self._http.their_state is not h11.DONE:
            return False
        self._http.start_next_cycle()
        return True

    async def whole(self, status: int, body: bytes) -> bool:
        """Send a whole answer of JSON; whether another request may follow."""
        length = str(len(body)).encode()
        json = (b"content-type", b"application/json")
        await self.begin(status, [json, (b"content-length", length)])
        await self.data(body)
        return await self.end()

    async def raw(self, data: bytes) -> None:
        """Send bytes as they are, no faster than they are taken."""
        self._writer.write(data)
        await self._writer.drain()


@dataclass
class Answer:
    """The daemon's answer, its body still to come."""

    status: int
    headers: Headers
    _http: h11.Connection
    _reader: asyncio.StreamReader

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield the body as it comes. Raises Away when it breaks off."""
        while True:
            event = await _next(self._http, self._reader)
            if isinstance(event, h11.Data):
                yield bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                return
            else:
                raise Away

    async def body(self) -> bytes:
        """Return the whole body."""
        return b"".join([piece async for piece in self.pieces()])


@asynccontextmanager
async def asked(
    socket: str, method: str, target: str, headers: Headers, body: bytes
) -> AsyncIterator[Answer]:
    """Ask the daemon.

    Raises:
        Away: It does not answer.
    """
    http = h11.Connection(h11.CLIENT)
    own = [
        (b"Host", b"docker"),
        (b"Connection", b"close"),
        (b"Content-Type", b"application/json"),
        (b"Content-Length", str(len(body)).encode()),
    ]
    request = h11.Request(method=method, target=target, headers=own + headers)
    async with connected(socket) as (reader, writer):
        writer.write(http.send(request) or b"")
        writer.write(http.send(h11.Data(data=body)) or b"")
        writer.write(http.send(h11.EndOfMessage()) or b"")
        await writer.drain()
        head = await _next(http, reader)
        if not isinstance(head, h11.Response):
            raise Away
        yield Answer(head.status_code, list(head.headers), http, reader)


@asynccontextmanager
async def connected(
    socket: str,
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Connect to the daemon. Raises Away when it is not there."""
    try:
        reader, writer = await asyncio.open_unix_connection(socket)
    except OSError:
        raise Away from None
    try:
        yield reader, writer
    finally:
        writer.close()


async def _next(http: h11.Connection, reader: asyncio.StreamReader) -> Event:
    while True:
        try:
            event = http.next_event()
            if event is h11.NEED_DATA:
                http.receive_data(await reader.read(CHUNK))
            elif not isinstance(event, h11.InformationalResponse):
                return event
        except (h11.RemoteProtocolError, OSError):
            raise Away from None
