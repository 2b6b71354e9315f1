"""The hijacked attach connection: both output streams, without a thread per byte.

The daemon sends frames (1 byte stream, 3 bytes zero, 4 bytes big-endian length, data).
Reading is driven by the event loop; when a script writes faster than it may, reading
pauses, which fills the pipe and slows the script down instead of the worker.
"""

import asyncio
import socket
from typing import Any

from contracts.limits import KIB, MIB
from contracts.logs import Stream
from engines.places import OnData

HEADER_BYTES = 8
STREAMS = {1: Stream.STDOUT, 2: Stream.STDERR}
# One sandbox may not take more of the worker than this; scripts that write faster wait.
MAX_BYTES_PER_SECOND = 32 * MIB
PACE_SECONDS = 0.05
RECEIVE_BUFFER = 256 * KIB


class Attachment(asyncio.Protocol):
    """Take the frames apart and hand the data on, in the order of arrival."""

    def __init__(self, on_data: OnData) -> None:
        self._on_data = on_data
        self._pending = b""
        self._budget = MAX_BYTES_PER_SECOND * PACE_SECONDS
        self._window_end = 0.0
        self._transport: asyncio.ReadTransport | None = None
        self._loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[None] = self._loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember the transport, to pause it."""
        assert isinstance(transport, asyncio.ReadTransport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Hand on every whole frame; neighbours of one stream go on together."""
        data = self._pending + data
        position, size = 0, len(data)
        stream: Stream | None = None
        parts: list[bytes] = []
        while size - position >= HEADER_BYTES:
            length = int.from_bytes(data[position + 4 : position + 8], "big")
            end = position + HEADER_BYTES + length
            if end > size:
                break
            source = STREAMS.get(data[position], Stream.STDOUT)
            if source is not stream and stream is not None:
                self._on_data(stream, b"".join(parts))
                parts = []
            stream = source
            parts.append(data[position + HEADER_BYTES : end])
            position = end
        if stream is not None and parts:
            self._on_data(stream, b"".join(parts))
        self._pending = data[position:]
        self._pace(size)

    def connection_lost(self, exc: Exception | None) -> None:
        """Note the end of the streams, or of the daemon."""
        if not self.ended.done():
            self.ended.set_result(None)

    def close(self) -> None:
        """Stop reading."""
        if self._transport is not None:
            self._transport.close()

    def _pace(self, size: int) -> None:
        now = self._loop.time()
        if now >= self._window_end:
            self._window_end = now + PACE_SECONDS
            self._budget = MAX_BYTES_PER_SECOND * PACE_SECONDS
        self._budget -= size
        if self._budget < 0 and self._transport is not None:
            self._transport.pause_reading()
            self._loop.call_at(self._window_end, self._resume)

    def _resume(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()


async def follow(raw: Any, on_data: OnData) -> Attachment:
    """Read an attach socket of the SDK on the event loop.

    Args:
        raw: What `APIClient.attach_socket` gave back.
        on_data: Called with each piece of output.
    """
    connection: socket.socket = getattr(raw, "_sock", raw)
    # The SDK's response object owns the file descriptor: a duplicate of our own lives
    # on when the SDK's is collected.
    duplicate = connection.dup()
    duplicate.setblocking(False)
    loop = asyncio.get_running_loop()
    _, attachment = await loop.create_connection(
        lambda: Attachment(on_data), sock=duplicate
    )
    raw.close()
    return attachment
