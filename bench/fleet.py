"""Real sshds to measure against: containers, each of which listens on several ports.

A port is a server of its own to every tool: it has a connection, a login and a known
host key of its own. Nobody's MaxStartups is in the way.
"""

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker

from contracts.servers import ServerSpec
from tests.ssh.ground import Ground, Server, key_text, public_text

CONTAINERS = 20
MOST_PORTS = 14
FIRST_PORT = 2200
USER = "plain"
KEY_SECRET = "BENCH_KEY"
# The others have none: a machine that all share may be slow to answer.
DEADLINES = {
    "connectSeconds": 120,
    "bannerSeconds": 120,
    "authSeconds": 120,
    "idleSeconds": 120,
    "totalSeconds": 600,
}
# On a file system of its own, as on a real server: tail is then woken by inotify.
HOME = {f"/home/{USER}": "rw,exec"}


@dataclass(frozen=True)
class Target:
    """One port of one sshd."""

    name: str
    server: Server
    port: int

    @property
    def address(self) -> str:
        """Where its container is."""
        return self.server.address

    def spec(self) -> ServerSpec:
        """Return it as the engine takes it."""
        return self.server.spec(
            id=self.name, name=self.name, port=self.port, deadlines=DEADLINES
        )

    def wire(self) -> dict[str, Any]:
        """Return it as a client writes it: the key is a secret of the worker."""
        spec = self.server.spec(
            id=self.name,
            name=self.name,
            port=self.port,
            credentials={"key": {"secret": KEY_SECRET}},
            deadlines=DEADLINES,
        )
        return spec.model_dump(mode="json", by_alias=True, exclude_defaults=True)


@dataclass(frozen=True)
class Fleet:
    """All targets, and files about them that every tool can read."""

    targets: list[Target]
    directory: Path

    @property
    def key(self) -> Path:
        """The private key that all of them accept."""
        return self.directory / KEY_SECRET

    @property
    def known_hosts(self) -> Path:
        """Every target's host key, as OpenSSH reads it."""
        return self.directory / "known_hosts"

    def cpu_seconds(self) -> float:
        """Return what all containers have used of the processors so far."""
        servers = {target.server.container for target in self.targets}
        return sum(map(_cpu_of, servers))


def _cpu_of(container: str) -> float:
    for hierarchy in ("cpuacct", "cpu,cpuacct"):
        path = Path(f"/sys/fs/cgroup/{hierarchy}/docker/{container}/cpuacct.usage")
        if path.exists():
            return int(path.read_text()) / 1e9
    for place in (f"docker/{container}", f"system.slice/docker-{container}.scope"):
        path = Path(f"/sys/fs/cgroup/{place}/cpu.stat")
        if path.exists():
            return int(path.read_text().split()[1]) / 1e6
    return 0.0


@contextlib.contextmanager
def running_fleet(count: int) -> Iterator[Fleet]:
    """Start the servers, and remove them."""
    client = docker.APIClient(base_url="unix:///var/run/docker.sock", version="auto")
    containers = min(count, max(CONTAINERS, -(-count // MOST_PORTS)))
    each = -(-count // containers)
    ports = range(FIRST_PORT, FIRST_PORT + each)
    options = [f"Port={port}" for port in (22, *ports)]
    # sshd has room for 16 listening sockets.
    options += [
        "AddressFamily=inet",
        "MaxSessions=100",
        "MaxStartups=2000",
        "LogLevel=ERROR",
    ]
    words = [word for option in options for word in ("-o", option)]
    ground = Ground(client)
    try:
        servers = [ground.server(*words, tmpfs=HOME) for _ in range(containers)]
        for server in servers:
            server.run("chown", USER, f"/home/{USER}")
        targets = [
            Target(f"t{number:03}", servers[number % len(servers)], port)
            for number, port in enumerate(
                port for port in ports for _ in range(len(servers))
            )
        ][:count]
        with tempfile.TemporaryDirectory(prefix="cronium-bench-ssh-") as directory:
            fleet = Fleet(targets, Path(directory))
            fleet.key.write_text(key_text(ground.user_key))
            fleet.key.chmod(0o600)
            fleet.known_hosts.write_text(
                "".join(
                    f"[{t.address}]:{t.port} {public_text(t.server.host_key)}\n"
                    for t in targets
                )
            )
            yield fleet
    finally:
        ground.close()
