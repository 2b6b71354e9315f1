"""Real OpenSSH servers in containers, and ways to break them."""

import hashlib
import os
import re
import secrets
import socket
import subprocess
import time
from dataclasses import dataclass, field
from functools import cache
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import asyncssh
import docker
from docker.types import IPAMConfig, IPAMPool

from contracts.names import RUNNER_IMAGE
from contracts.servers import ServerSpec
from engines.docker.subnets import docker_subnets, free_subnet, routed

FOLDER = Path(__file__).parent / "server"
PASSWORD = "correct horse"
LABEL = "io.cronium.test-ssh"
GROUNDS = IPv4Network("10.215.0.0/16")
UP_SECONDS = 20.0


def image(client: docker.APIClient) -> str:
    """The server image; built when its inputs are new."""
    base = client.inspect_image(RUNNER_IMAGE)["Id"]
    digest = hashlib.sha256(base.encode())
    for path in sorted(FOLDER.iterdir()):
        digest.update(path.name.encode() + path.read_bytes())
    tag = f"cronium/test-sshd:{digest.hexdigest()[:12]}"
    try:
        client.inspect_image(tag)
    except docker.errors.ImageNotFound:
        said = list(
            client.build(
                path=str(FOLDER),
                tag=tag,
                rm=True,
                decode=True,
                # The packages come from Debian; a default bridge need not exist.
                network_mode="host",
                buildargs={"BASE_IMAGE": RUNNER_IMAGE},
            )
        )
        assert "error" not in said[-1], said[-1]
    return tag


@cache
def key_text(key: asyncssh.SSHKey) -> str:
    """The key as a file; each export would be another text."""
    return key.export_private_key().decode()


def public_text(key: asyncssh.SSHKey) -> str:
    return " ".join(key.export_public_key().decode().split()[:2])


def alive(pid: str) -> bool:
    return Path("/proc", pid).exists()


@dataclass
class Server:
    """One sshd in a container."""

    ground: "Ground"
    container: str
    address: str
    host_key: asyncssh.SSHKey
    port: int = 22

    @property
    def pid(self) -> int:
        state = self.ground.client.inspect_container(self.container)["State"]
        return int(state["Pid"])

    def spec(self, user: str = "plain", **changes: Any) -> ServerSpec:
        """The server as a user of ours would describe it."""
        fields: dict[str, Any] = {
            "id": "s1",
            "name": "one",
            "address": self.address,
            "port": self.port,
            "username": user,
            "credentials": {"key": {"value": key_text(self.ground.user_key)}},
            "hostKeys": [public_text(self.host_key)],
        }
        return ServerSpec.model_validate({**fields, **changes})

    def run(self, *command: str, user: str = "root") -> str:
        """Run a command in the container, past sshd."""
        made = self.ground.client.exec_create(self.container, list(command), user=user)
        return self.ground.client.exec_start(made["Id"]).decode(errors="replace")

    def processes(self, words: str) -> list[str]:
        """Processes whose command line has these words."""
        listed = self.run("ps", "-eo", "pid=,user=,args=").splitlines()
        return [line.strip() for line in listed if words in line]

    def wait_until_there(self, pattern: str) -> None:
        """Return when a process's user and command line match."""
        while not re.search(pattern, self.run("ps", "-eo", "user=,args=")):
            time.sleep(0.1)

    def wait_until_gone(self, words: str) -> None:
        """Return when no process has these words."""
        while self.processes(words):
            time.sleep(0.1)

    def firewall(self, *rule: str) -> None:
        """Change the packet filter of the container's own network namespace."""
        subprocess.run(
            ["nsenter", "-t", str(self.pid), "-n", "iptables", "-w", *rule],
            check=True,
            capture_output=True,
        )

    def cut(self) -> None:
        """Drop every packet, both ways."""
        self.firewall("-I", "INPUT", "-i", "eth0", "-j", "DROP")
        self.firewall("-I", "OUTPUT", "-o", "eth0", "-j", "DROP")

    def mend(self) -> None:
        self.firewall("-F")

    def hang_up(self) -> None:
        """End all logged-in connections as a broken network would: with a reset."""
        self.run("pkill", "-KILL", "-f", "sshd: [a-z]")

    def stop(self) -> None:
        self.ground.client.kill(self.container)

    def start(self) -> None:
        self.ground.client.start(self.container)
        self.wait()

    def wait(self) -> None:
        """Return when sshd answers."""
        end = time.monotonic() + UP_SECONDS
        while True:
            try:
                with socket.create_connection((self.address, self.port), 1) as line:
                    line.settimeout(2)
                    if line.recv(4) == b"SSH-":
                        return
            except OSError:
                pass
            if time.monotonic() > end:
                said = self.ground.client.logs(self.container).decode()
                raise AssertionError(f"sshd does not answer: {said}")
            time.sleep(0.05)


@dataclass
class Ground:
    """A private network with servers on it; everything goes away with it."""

    client: docker.APIClient
    user_key: asyncssh.SSHKey = field(
        default_factory=lambda: asyncssh.generate_private_key("ssh-ed25519")
    )

    def __post_init__(self) -> None:
        self._remove_leftovers()
        self.image = image(self.client)
        self.network = "crn-ssh-" + secrets.token_hex(4)
        self.client.create_network(
            self.network,
            driver="bridge",
            internal=True,
            ipam=IPAMConfig(pool_configs=[IPAMPool(subnet=self._free_subnet())]),
            labels={LABEL: str(os.getpid())},
        )

    def _free_subnet(self) -> str:
        """Docker's own pools are small, and this machine's may be used up."""
        taken = [*docker_subnets(self.client.networks()), *routed()]
        found = free_subnet([GROUNDS], 24, taken, secrets.randbelow(256))
        assert found is not None, f"nothing of {GROUNDS} is free"
        return str(found)

    def server(
        self,
        *options: str,
        tmpfs: dict[str, str] | None = None,
        environment: dict[str, str] | None = None,
        host_key: asyncssh.SSHKey | None = None,
        wait: bool = True,
    ) -> Server:
        """Start an sshd; options as on its command line."""
        key = host_key or asyncssh.generate_private_key("ssh-ed25519")
        made = self.client.create_container(
            self.image,
            command=list(options),
            environment={
                "HOST_KEY": key_text(key).strip(),
                "AUTHORIZED_KEYS": public_text(self.user_key),
                **(environment or {}),
            },
            labels={LABEL: str(os.getpid())},
            host_config=self.client.create_host_config(
                network_mode=self.network, tmpfs=tmpfs or {}, cap_add=["NET_ADMIN"]
            ),
        )["Id"]
        self.client.start(made)
        networks = self.client.inspect_container(made)["NetworkSettings"]["Networks"]
        server = Server(self, made, networks[self.network]["IPAddress"], key)
        if wait:
            server.wait()
        return server

    def _remove_leftovers(self) -> None:
        """Remove what a run of the tests left that was killed."""
        client, ours = self.client, {"label": LABEL}
        for found in client.containers(all=True, filters=ours):
            if not alive(found["Labels"][LABEL]):
                client.remove_container(found["Id"], force=True, v=True)
        for found in client.networks(filters=ours):
            if not alive(found["Labels"][LABEL]):
                client.remove_network(found["Id"])

    def close(self) -> None:
        # By label: a container whose start failed is in no list of ours.
        mine = {"label": f"{LABEL}={os.getpid()}", "network": self.network}
        for found in self.client.containers(all=True, filters=mine):
            self.client.remove_container(found["Id"], force=True, v=True)
        self.client.remove_network(self.network)
