"""The daemon's own copy of a sandbox's output, read from its first byte.

For a worker that takes over a running script, or that lost the daemon for a while. The
request is plain HTTP/1.0: the answer is then the frames alone, without chunk headers,
and they go through the same parser as those of an attach connection.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import datetime
from urllib.parse import quote, urlencode

from contracts.errors import EngineUnavailable, SandboxFailed
from engines.docker.attach import HEADER_BYTES, Attachment
from engines.places import OnData

OPEN_SECONDS = 20.0
HEAD_END = b"\r\n\r\n"
OK = 200


class Replay(Attachment):
    """An attachment whose connection begins with the head of an HTTP answer."""

    def __init__(self, on_data: OnData) -> None:
        super().__init__(on_data)
        self._head: bytes | None = b""
        self.status = asyncio.get_running_loop().create_future()

    def data_received(self, data: bytes) -> None:
        """Take the head away, then the frames apart."""
        if self._head is not None:
            head, end, data = (self._head + data).partition(HEAD_END)
            if not end:
                self._head = head
                return
            self._head = None
            self.status.set_result(int(head.split(b" ", 2)[1]))
        if data:
            super().data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Note the end."""
        if not self.status.done():
            self.status.set_result(0)
        super().connection_lost(exc)


async def replay(socket: str, name: str, on_data: OnData, *, follow: bool) -> Replay:
    """Read a container's output from the beginning.

    Args:
        socket: The daemon's Unix socket.
        name: The container.
        on_data: Called with each piece.
        follow: Whether to go on until the container ends.

    Raises:
        EngineUnavailable: The daemon does not answer.
        SandboxFailed: It has no such output.
    """
    query = {"stdout": 1, "stderr": 1, "follow": int(follow)}
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(OPEN_SECONDS):
            transport, reader = await loop.create_unix_connection(
                lambda: Replay(on_data), socket
            )
            transport.write(_request(f"/containers/{quote(name)}/logs", query))
            status = await reader.status
    except (OSError, TimeoutError) as error:
        raise EngineUnavailable(
            f"Docker does not answer on {socket}: {type(error).__name__}"
        ) from error
    if status == 0:
        raise EngineUnavailable(f"Docker on {socket} closed the connection")
    if status != OK:
        transport.close()
        raise SandboxFailed(f"Docker gave no output of {name} (status {status})")
    return reader


async def first_timestamp(socket: str, name: str) -> float | None:
    """Return when the daemon noted the first output it still has; None: no output."""
    query = {"stdout": 1, "stderr": 1, "timestamps": 1}
    path = f"/containers/{quote(name)}/logs"
    async with _answer(socket, path, query) as reader:
        frame = await reader.read(HEADER_BYTES + 40)
    word = frame[HEADER_BYTES:].partition(b" ")[0].decode("ascii", "replace")
    if not word:
        return None
    whole, _, fraction = word.rstrip("Z").partition(".")
    return datetime.fromisoformat(f"{whole}.{fraction[:6]:0<6}+00:00").timestamp()


async def ping(socket: str, seconds: float) -> None:
    """Return when the daemon answers.

    Raises:
        EngineUnavailable: It does not, or not in time.
    """
    try:
        async with asyncio.timeout(seconds), _answer(socket, "/_ping", {}) as reader:
            await reader.read()
    except TimeoutError:
        raise EngineUnavailable(
            f"Docker on {socket} does not answer within {seconds:g} s"
        ) from None


@contextlib.asynccontextmanager
async def _answer(
    socket: str, path: str, query: dict[str, int]
) -> AsyncIterator[asyncio.StreamReader]:
    try:
        reader, writer = await asyncio.open_unix_connection(socket)
    except OSError as error:
        raise EngineUnavailable(
            f"Docker does not answer on {socket}: {type(error).__name__}"
        ) from error
    try:
        writer.write(_request(path, query))
        await reader.readuntil(HEAD_END)
        yield reader
    except (OSError, asyncio.IncompleteReadError) as error:
        raise EngineUnavailable(f"Docker on {socket} closed the connection") from error
    finally:
        writer.close()


def _request(path: str, query: dict[str, int]) -> bytes:
    return f"GET {path}?{urlencode(query)} HTTP/1.0\r\nHost: docker\r\n\r\n".encode()
