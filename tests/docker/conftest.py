"""A Docker engine of the tests' own: own instance id, own directory, own network."""

import asyncio
import secrets
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import pytest

from contracts import names
from contracts.events import EventType, Network, Resources
from contracts.logs import Stream
from engines.docker import DockerConfig, DockerEngine, SandboxExit, SandboxSpec
from tests.conftest import new_instance
from tests.remains import remove_remains

METADATA_SERVER = """
import socket
server = socket.create_server(('169.254.169.254', 80))
print('listening', flush=True)
while True:
    server.accept()[0].close()
"""


@dataclass
class Ran:
    """What a script did in its sandbox."""

    end: SandboxExit
    stdout: str
    stderr: str
    raw: bytes


RunScript = Callable[..., Awaitable[Ran]]


@pytest.fixture(scope="package")
def instance() -> str:
    return new_instance()


@pytest.fixture(scope="package")
async def engine(
    docker_client: docker.APIClient, instance: str, tmp_path_factory: Any
) -> AsyncIterator[DockerEngine]:
    directory: Path = tmp_path_factory.mktemp("runs")
    made = DockerEngine(
        DockerConfig(
            run_directory=directory,
            instance=instance,
            host_id="h1",
            pull_timeout=20,
            owner_file=directory / "egress.lock",
        )
    )
    yield made
    made.close()
    await asyncio.to_thread(remove_remains, instance)


def spec_of(script: str, **changes: Any) -> SandboxSpec:
    """A sandbox with small defaults and a key of its own."""
    fields: dict[str, Any] = {
        "run_key": secrets.token_hex(8),
        "event_type": EventType.BASH,
        "script": script,
        "resources": Resources(memory_mb=256, cpus=1.0, pids=64, tmp_mb=64),
        "network": Network.NONE,
        "image": names.RUNNER_IMAGE,
    }
    fields.update(changes)
    fields["labels"] = {names.LABEL_RUN_KEY: fields["run_key"]}
    return SandboxSpec(**fields)


@pytest.fixture(scope="package")
def run_script(engine: DockerEngine) -> RunScript:
    async def run(script: str, seconds: float = 60, **changes: Any) -> Ran:
        spec = spec_of(script, **changes)
        sandbox = await engine.create(spec)
        output: dict[Stream, list[bytes]] = {s: [] for s in Stream}
        try:
            await sandbox.attach(lambda stream, data: output[stream].append(data))
            await sandbox.start()
            end = await asyncio.wait_for(asyncio.shield(sandbox.exited), seconds)
            assert await sandbox.drain()
        finally:
            await engine.remove(sandbox)
        out, err = b"".join(output[Stream.STDOUT]), b"".join(output[Stream.STDERR])
        return Ran(end, out.decode(errors="replace"), err.decode(errors="replace"), out)

    return run


@pytest.fixture
def metadata_service() -> Iterator[str]:
    """A stand-in for a cloud's metadata service, in a network namespace of its own."""
    address = "169.254.169.254"
    space = "crn-meta-" + secrets.token_hex(3)
    link = "crnm" + secrets.token_hex(3)

    def ip(*arguments: str) -> None:
        subprocess.run(["ip", *arguments], check=True, capture_output=True)

    ip("netns", "add", space)
    try:
        ip("link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", space)
        ip("addr", "add", "169.254.169.253/30", "dev", link)
        ip("link", "set", link, "up")
        # Sandboxes come from a bridge: the answer goes back through this end.
        ip("-n", space, "addr", "add", f"{address}/30", "dev", "eth0")
        ip("-n", space, "link", "set", "eth0", "up")
        ip("-n", space, "route", "add", "default", "via", "169.254.169.253")
        server = subprocess.Popen(
            ["ip", "netns", "exec", space, sys.executable, "-c", METADATA_SERVER],
            stdout=subprocess.PIPE,
        )
        assert server.stdout is not None
        assert server.stdout.readline() == b"listening\n"
        try:
            yield address
        finally:
            server.kill()
            server.wait()
    finally:
        ip("netns", "delete", space)
