"""Reading a container's output from a daemon that hangs, answers late, or says no."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from contracts.errors import EngineUnavailable, SandboxFailed
from contracts.logs import Stream
from engines.docker import logs

FRAME = b"\x01\0\0\0\0\0\0\x04one\n"
MISSING = b'{"message":"No such container: cronium-x"}\n'


class Daemon:
    """Answers each request when and as it is told."""

    def __init__(self, path: Path) -> None:
        self.socket = str(path)
        self.asked = asyncio.Event()
        self.go = asyncio.Event()
        self.closed = asyncio.Event()
        self.answer = b"HTTP/1.0 200 OK\r\n\r\n" + FRAME

    async def serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await reader.readuntil(b"\r\n\r\n")
        self.asked.set()
        await self.go.wait()
        with contextlib.suppress(OSError):
            writer.write(self.answer)
            await writer.drain()
            await reader.read()
        self.closed.set()
        writer.close()


@pytest.fixture
async def daemon(tmp_path: Path) -> AsyncIterator[Daemon]:
    made = Daemon(tmp_path / "docker.sock")
    server = await asyncio.start_unix_server(made.serve, made.socket)
    yield made
    made.go.set()
    server.close()


async def test_an_answer_after_the_time_feeds_no_log(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "OPEN_SECONDS", 0.05)
    fed: list[bytes] = []
    with pytest.raises(EngineUnavailable):
        await logs.replay(
            daemon.socket, "c", lambda _, data: fed.append(data), follow=True
        )
    daemon.go.set()
    await asyncio.wait_for(daemon.closed.wait(), 5)
    assert fed == []


async def test_a_reading_that_was_broken_off_feeds_no_log(daemon: Daemon) -> None:
    fed: list[tuple[Stream, bytes]] = []
    reading = asyncio.ensure_future(
        logs.replay(daemon.socket, "c", lambda *piece: fed.append(piece), follow=True)
    )
    await asyncio.wait_for(daemon.asked.wait(), 5)
    reading.cancel()
    await asyncio.wait([reading])
    daemon.go.set()
    await asyncio.wait_for(daemon.closed.wait(), 5)
    assert fed == []


async def test_a_container_that_is_gone_is_an_error_of_ours(daemon: Daemon) -> None:
    daemon.answer = b"HTTP/1.0 404 Not Found\r\n\r\n" + MISSING
    daemon.go.set()
    with pytest.raises(SandboxFailed):
        await logs.first_timestamp(daemon.socket, "c")
    with pytest.raises(SandboxFailed):
        await logs.replay(daemon.socket, "c", lambda *_: None, follow=False)


async def test_a_daemon_that_hangs_does_not_hold_a_reader_for_ever(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "OPEN_SECONDS", 0.05)
    async with asyncio.timeout(5):
        with pytest.raises(EngineUnavailable):
            await logs.first_timestamp(daemon.socket, "c")
