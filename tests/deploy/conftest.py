"""A guard before the real daemon, with a tap between the two that writes along."""

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import pytest

from engines.docker import DockerConfig, DockerEngine
from engines.docker.guard import Guard
from tests.chaos.wire import CHUNK, Reader, Relay, Writer, both
from tests.conftest import new_instance
from tests.remains import DOCKER_SOCKET, remove_remains

HEAD = re.compile(rb"(?:GET|HEAD|POST|PUT|DELETE) \S+ HTTP/1\.[01]\r\n")


class Tap(Relay):
    """Carries everything to the daemon and back, and keeps each request's first line.

    Args:
        path: Socket to listen on.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.seen: list[str] = []

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.start_unix_server(self.serve, str(self.path))

    async def forward(self, near: tuple[Reader, Writer]) -> None:
        """Carry one connection."""
        far = await asyncio.open_unix_connection(DOCKER_SOCKET)
        self._writers.add(far[1])
        try:
            await both(
                self._pump(near[0], far[1], note=True),
                self._pump(far[0], near[1], note=False),
            )
        finally:
            far[1].close()
            self._writers.discard(far[1])

    async def _pump(self, source: Reader, sink: Writer, *, note: bool) -> None:
        while chunk := await source.read(CHUNK):
            if note:
                self.seen += [line.decode() for line in HEAD.findall(chunk)]
            sink.write(chunk)
            await sink.drain()
        sink.close()

    @property
    def connections(self) -> int:
        """How many ends there are now."""
        return len(self._writers)

    @property
    def changes(self) -> list[str]:
        """What reached the daemon and was more than a look."""
        return [line for line in self.seen if not line.startswith(("GET ", "HEAD "))]


@dataclass
class Guarded:
    """A guard, what it lets through, and an engine on the safe side of it."""

    socket: Path
    tap: Tap
    engine: DockerEngine
    config: DockerConfig


@pytest.fixture
async def guarded(
    docker_client: docker.APIClient, tmp_path: Path
) -> AsyncIterator[Guarded]:
    fields: dict[str, Any] = {
        "run_directory": tmp_path / "runs",
        "instance": new_instance(),
        "host_id": "h1",
        "warm": 1,
    }
    (tmp_path / "runs").mkdir(mode=0o700)
    tap = Tap(tmp_path / "tap.sock")
    await tap.start()
    behind = DockerEngine(DockerConfig(socket=str(tap.path), **fields))
    guard = Guard(behind)
    await guard.open(tmp_path / "guard.sock")
    config = DockerConfig(
        socket=str(tmp_path / "guard.sock"),
        owner_file=tmp_path / "egress.lock",
        **fields,
    )
    engine = DockerEngine(config)
    try:
        yield Guarded(tmp_path / "guard.sock", tap, engine, config)
    finally:
        await engine.standby.close()
        engine.close()
        behind.close()
        await guard.close()
        await tap.close()
        await asyncio.to_thread(remove_remains, config.instance)
