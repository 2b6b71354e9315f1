"""Real HTTP servers on loopback that answer as a test tells them, byte by byte."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import h11

from contracts.events import EventSpec
from engines.http import AddressPolicy, HttpConfig, HttpEnd, HttpEngine
from logstream import Redactor

LOOPBACK = AddressPolicy(allowed=("127.0.0.1/32",))


@dataclass
class Seen:
    """A request as the server received it."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def one(self, name: str) -> str:
        (value,) = self.all(name)
        return value


Answer = Callable[[Seen, asyncio.StreamWriter], Awaitable[bytes | None]]


@dataclass
class Server:
    """A server that is up."""

    port: int
    scheme: str = "http"
    seen: list[Seen] = field(default_factory=list)
    connections: int = 0

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"


def ok(body: bytes = b"fine", *headers: str, status: str = "200 OK") -> bytes:
    """An answer with its length."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def redirect(to: str, status: str = "302 Found") -> bytes:
    return ok(b"", f"Location: {to}", status=status)


@contextlib.asynccontextmanager
async def serving(
    answer: Answer | bytes, context: ssl.SSLContext | None = None
) -> AsyncIterator[Server]:
    """Serve until the end of the block; connections are cut then."""
    server = Server(0, "https" if context else "http")
    open_ones: set[asyncio.Task[Any]] = set()

    async def connected(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        server.connections += 1
        task = asyncio.current_task()
        assert task is not None
        open_ones.add(task)
        try:
            seen = await _read(reader)
            if seen is not None:
                server.seen.append(seen)
                said = (
                    answer if isinstance(answer, bytes) else await answer(seen, writer)
                )
                writer.write(said or b"")
                await writer.drain()
        except (ConnectionError, asyncio.CancelledError, ssl.SSLError):
            pass
        finally:
            open_ones.discard(task)
            writer.close()

    listener = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=context)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()
        for task in open_ones:
            task.cancel()
        await asyncio.gather(*open_ones, return_exceptions=True)


async def _read(reader: asyncio.StreamReader) -> Seen | None:
    parser = h11.Connection(h11.SERVER)
    request, body = None, b""
    while True:
        event = parser.next_event()
        if event is h11.NEED_DATA:
            data = await reader.read(65_536)
            if not data and request is None:
                return None
            parser.receive_data(data)
        elif isinstance(event, h11.Request):
            request = event
        elif isinstance(event, h11.Data):
            body += bytes(event.data)
        else:
            break
    assert request is not None
    headers = [(k.decode(), v.decode()) for k, v in request.headers.raw_items()]
    return Seen(request.method.decode(), request.target.decode(), headers, body)


def event_of(url: str, *, timeout: float = 20, **http: Any) -> EventSpec:
    """An event with a request."""
    return EventSpec.model_validate(
        {
            "id": "e",
            "name": "ping",
            "type": "http_request",
            "timeoutSeconds": timeout,
            "http": {"url": url, **http},
        }
    )


@dataclass
class Sent:
    """What came of a request, and what the log says of it."""

    end: HttpEnd
    lines: list[str]

    @property
    def error(self) -> str | None:
        return self.end.error.type if self.end.error else None

    @property
    def told(self) -> str:
        """Everything that leaves the worker."""
        return (
            "\n".join(self.lines)
            + self.end.response.model_dump_json()
            + str(self.end.error)
        )


async def send(
    event: EventSpec,
    *,
    data: Any = None,
    secrets: dict[str, str] | None = None,
    config: HttpConfig | None = None,
) -> Sent:
    """Do what the activity does: prepare, send, mask."""
    engine = HttpEngine(config or HttpConfig(addresses=LOOPBACK))
    assert event.http is not None
    request = await engine.prepare(
        event.http,
        {"input": data, "event": {"id": event.id}},
        (secrets or {}).__getitem__,
    )
    lines: list[str] = []
    mask = Redactor(request.secrets)
    end = await engine.send(event, request, say=lines.append, mask=mask)
    return Sent(end, lines)
