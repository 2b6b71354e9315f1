"""Many targets on a few servers: each has a directory of its own there.

The script leaves a line in its directory for each time that it began and ended, so the
servers themselves say how often it ran.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import docker

from tests.ssh.ground import Ground, Server, key_text

HOME = "/home/plain"
SECRET = "SSH_KEY"


@dataclass
class Fleet:
    """Targets t001, t002 … on a few servers."""

    servers: list[Server]
    size: int
    names: list[str] = field(init=False)

    def __post_init__(self) -> None:
        self.names = [f"t{number:03}" for number in range(1, self.size + 1)]

    @property
    def key(self) -> str:
        """The private key that all servers accept."""
        return key_text(self.servers[0].ground.user_key)

    def server_of(self, name: str) -> Server:
        """The server that a target is on."""
        return self.servers[self.names.index(name) % len(self.servers)]

    def prepare(self, *bad: str) -> None:
        """Make each target's directory anew, with a mark in those that are to fail."""
        for server in self.servers:
            mine = [name for name in self.names if self.server_of(name) is server]
            marks = "".join(f"touch {name}/bad; " for name in bad if name in mine)
            words = " ".join(mine)
            server.run(
                "sh",
                "-c",
                f"cd {HOME} && rm -rf t[0-9]* && mkdir {words} && {marks}:",
                user="plain",
            )

    def targets(self, **more: Any) -> list[dict[str, Any]]:
        """All targets in wire form."""
        return [self.target(name, **more) for name in self.names]

    def target(self, name: str, **more: Any) -> dict[str, Any]:
        """One target in wire form."""
        spec = self.server_of(name).spec(
            id=name,
            name=name,
            credentials={"key": {"secret": SECRET}},
            working_directory=f"{HOME}/{name}",
            **more,
        )
        return spec.model_dump(mode="json", by_alias=True, exclude_defaults=True)

    def count(self, file: str) -> Counter[str]:
        """How many lines a file has, by target."""
        counts = Counter(dict.fromkeys(self.names, 0))
        for server in self.servers:
            command = f"cd {HOME}; grep -c '' t[0-9]*/{file} /dev/null"
            for line in server.run("sh", "-c", command).splitlines():
                path, colon, number = line.rpartition(":")
                if colon and path.endswith(f"/{file}") and number.isdigit():
                    counts[path.split("/")[0]] = int(number)
        return counts

    def ended(self) -> int:
        """How many scripts have come to their end."""
        return self.count("ends").total()

    def left(self) -> list[str]:
        """Run directories and processes of ours that are still there."""
        found: list[str] = []
        for server in self.servers:
            look = f"ls {HOME}/.cronium/runs 2>/dev/null"
            found += server.run("sh", "-c", look).split()
            found += server.processes(".cronium/runs")
        return found

    async def emptied(self, seconds: float) -> None:
        """Wait until nothing of ours is left on the servers.

        Raises:
            AssertionError: Something still is; it is named.
        """
        begin = time.monotonic()
        while left := await asyncio.to_thread(self.left):
            late = time.monotonic() - begin > seconds
            assert not late, f"left on the servers after {seconds:g} s: {left}"
            await asyncio.sleep(0.2)


@contextmanager
def running_fleet(client: docker.APIClient, servers: int, size: int) -> Iterator[Fleet]:
    """Start the servers, and remove them."""
    ground = Ground(client)
    try:
        yield Fleet([ground.server() for _ in range(servers)], size)
    finally:
        ground.close()
