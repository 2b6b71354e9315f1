"""The engine under test and the servers that it works on."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docker
import pytest

from contracts.events import EventType, Network, Resources
from contracts.logs import Stream
from contracts.servers import ServerSpec
from engines.places import SandboxExit, SandboxSpec
from engines.secrets import SecretStore
from engines.ssh import SshConfig, SshEngine, SshSandbox
from tests.ssh.ground import Ground, Server


@dataclass
class Output:
    """What a script wrote, and when something came."""

    data: dict[Stream, bytearray] = field(
        default_factory=lambda: {s: bytearray() for s in Stream}
    )
    came: asyncio.Event = field(default_factory=asyncio.Event)

    def take(self, stream: Stream, data: bytes) -> None:
        self.data[stream] += data
        self.came.set()

    @property
    def out(self) -> str:
        return self.data[Stream.STDOUT].decode(errors="replace")

    @property
    def err(self) -> str:
        return self.data[Stream.STDERR].decode(errors="replace")

    async def until(self, words: str, seconds: float = 20) -> None:
        async with asyncio.timeout(seconds):
            while words not in self.out:
                self.came.clear()
                await self.came.wait()


@dataclass
class Ran:
    """What a script did on a server."""

    end: SandboxExit
    output: Output
    sandbox: SshSandbox


@pytest.fixture(scope="package")
def ground(docker_client: docker.APIClient) -> Iterator[Ground]:
    made = Ground(docker_client)
    yield made
    made.close()


@pytest.fixture(scope="package")
def server(ground: Ground) -> Server:
    """A healthy server that tests share; they must leave it as it was."""
    return ground.server()


def engine_with(**changes: Any) -> SshEngine:
    secrets_store = SecretStore({"SUDO": "correct horse"}, ["*"])
    return SshEngine(SshConfig(**{"instance": "test", **changes}), secrets_store)


@pytest.fixture
async def engine() -> AsyncIterator[SshEngine]:
    made = engine_with()
    yield made
    await made.close()


@pytest.fixture
def known_hosts(tmp_path: Path) -> Path:
    return tmp_path / "known_hosts"


def spec_of(script: str, **changes: Any) -> SandboxSpec:
    fields: dict[str, Any] = {
        "run_key": secrets.token_hex(16),
        "event_type": EventType.BASH,
        "script": script,
        "resources": Resources(),
        "network": Network.EGRESS,
        "image": "",
    }
    return SandboxSpec(**{**fields, **changes})


async def begun(
    engine: SshEngine, server: ServerSpec, script: str, **changes: Any
) -> tuple[SshSandbox, Output]:
    """Start a script; the caller ends it."""
    sandbox = await engine.place(server).create(spec_of(script, **changes))
    output = Output()
    await sandbox.attach(output.take)
    await sandbox.start()
    return sandbox, output


async def run_to_end(
    engine: SshEngine,
    server: ServerSpec,
    script: str,
    seconds: float = 60,
    **changes: Any,
) -> Ran:
    """Run a script and remove what it left."""
    sandbox, output = await begun(engine, server, script, **changes)
    try:
        end = await asyncio.wait_for(asyncio.shield(sandbox.exited), seconds)
        assert await sandbox.drain()
    finally:
        await engine.place(server).remove(sandbox)
    return Ran(end, output, sandbox)
