"""A Docker daemon of the tests' own, which may be stopped, frozen and killed.

It has its own containerd, socket and directories, no bridge and no firewall rules, and
lives in a network namespace of its own: a daemon without bridge removes `docker0` where
it starts, and that is the machine's. Scripts on it run without network.
"""

import asyncio
import contextlib
import os
import shutil
import subprocess
from pathlib import Path

import docker

from contracts.names import RUNNER_IMAGE
from tests.chaos.processes import Part, clean_environment, listens_on
from tests.chaos.wire import until

CONTAINERD_CONFIG = """version = 2
root = "{root}/containerd"
state = "{state}/containerd"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
  address = "{state}/containerd.sock"
"""


class Daemon:
    """One daemon over all its lives.

    Args:
        root: Directory for images and containers; kept over daemons of one session,
            so that the image is loaded once.
        state: Directory for sockets; short, since a socket's path is limited.
        flags: More of the daemon's own.
    """

    def __init__(self, root: Path, state: Path, *flags: str) -> None:
        self.root, self.state = root, state
        state.mkdir(parents=True, exist_ok=True)
        self.socket = state / "docker.sock"
        config = state / "containerd.toml"
        config.write_text(CONTAINERD_CONFIG.format(root=root, state=state))
        self.containerd = Part(
            "containerd",
            ["containerd", "--config", str(config), "--log-level", "warn"],
            clean_environment(),
            state / "containerd.log",
            listens_on(state / "containerd.sock"),
        )
        self.dockerd = self._dockerd(*flags)

    def _dockerd(self, *flags: str) -> Part:
        return Part(
            "dockerd",
            [
                *("unshare", "--net", "dockerd"),
                *("-H", f"unix://{self.socket}"),
                *("--containerd", str(self.state / "containerd.sock")),
                *("--data-root", str(self.root / "docker")),
                *("--exec-root", str(self.state / "exec")),
                *("--pidfile", str(self.state / "docker.pid")),
                *("--bridge", "none", "--iptables=false", "--ip6tables=false"),
                *("--ip-forward=false", "--ip-masq=false", "--log-level", "warn"),
                *("--shutdown-timeout", "5", *flags),
            ],
            clean_environment(DOCKER_RAMDISK="true"),
            self.state / "dockerd.log",
            listens_on(self.socket),
        )

    async def start(self, *, live_restore: bool) -> None:
        """Start both processes, and load the runner image when it is not there."""
        flags = ["--live-restore"] if live_restore else []
        self.dockerd = self._dockerd(*flags)
        await self.containerd.start()
        await self.dockerd.start()
        await asyncio.to_thread(self._load)

    async def restart(self, *, kill: bool = False) -> None:
        """Stop the daemon, in order or by force, and start it again."""
        if kill:
            self.dockerd.kill()
            # What a killed daemon leaves there would keep the next one from starting.
            (self.state / "docker.pid").unlink(missing_ok=True)
        else:
            self.dockerd.terminate()
            await self.dockerd.ended(30)
        await self.dockerd.start()

    async def stop(self) -> None:
        """Remove all containers, end all processes, undo all mounts."""
        if self.dockerd.running:
            self.dockerd.thaw()
            await asyncio.to_thread(self._remove_containers)
            await self.dockerd.stop()
        await self.containerd.stop()
        for shim in shims(self.state):
            with contextlib.suppress(ProcessLookupError):
                os.kill(shim, 9)
        await until(lambda: not shims(self.state), 10, "the end of the shims")
        for directory in (self.root, self.state):
            unmount_below(directory)
        (self.state / "docker.pid").unlink(missing_ok=True)

    def _load(self) -> None:
        client = docker.APIClient(base_url=f"unix://{self.socket}", version="auto")
        try:
            if client.images(RUNNER_IMAGE):
                return
        finally:
            client.close()
        with subprocess.Popen(
            ["docker", "save", RUNNER_IMAGE], stdout=subprocess.PIPE
        ) as saving:
            subprocess.run(
                ["docker", "-H", f"unix://{self.socket}", "load"],
                stdin=saving.stdout,
                check=True,
                capture_output=True,
            )

    def _remove_containers(self) -> None:
        client = docker.APIClient(
            base_url=f"unix://{self.socket}", version="auto", timeout=20
        )
        try:
            for container in client.containers(all=True):
                with contextlib.suppress(docker.errors.APIError):
                    client.remove_container(container["Id"], force=True, v=True)
        finally:
            client.close()


def shims(state: Path) -> list[int]:
    """Return the containerd shims, and what else runs, of one daemon."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            words = (entry / "cmdline").read_bytes().split(b"\0")
            if b"containerd-shim" in words[0] and any(
                word.startswith(str(state).encode() + b"/") for word in words
            ):
                found.append(int(entry.name))
    return found


def unmount_below(directory: Path) -> None:
    """Undo the mounts below a directory, the innermost first."""
    mounts = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    for mount in reversed(mounts):
        if mount.startswith(f"{directory}/"):
            subprocess.run(["umount", "--lazy", mount], capture_output=True)


def remove_tree(directory: Path) -> None:
    """Remove what a stopped daemon left."""
    unmount_below(directory)
    shutil.rmtree(directory, ignore_errors=True)
