"""What a user would use instead, with the same limits."""

import asyncio
import secrets
import tempfile
import time
from pathlib import Path

from contracts.events import EventType, Network, Resources
from contracts.logs import Stream
from contracts.names import RUNNER_IMAGE
from engines.docker import DockerConfig, DockerEngine, Sandbox
from engines.docker.profile import seccomp_profile

LIMITS = Resources(memory_mb=256, cpus=1, pids=64)
ARGUMENTS = [
    word
    for line in (
        "--user 1000:1000 --network none --cap-drop ALL --read-only",
        "--security-opt no-new-privileges",
        "--tmpfs /tmp:rw,nosuid,nodev,noexec,size=64m",
        "--memory 256m --memory-swap 256m --pids-limit 64 --cpus 1 --init",
        "--ulimit nofile=1024:1024 --ulimit core=0:0",
    )
    for word in line.split()
]


async def docker_run(script: str, seccomp: Path) -> float:
    """Return the seconds that `docker run --rm` takes for a script."""
    begin = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        "docker", "run", "--rm", *ARGUMENTS,
        "--security-opt", f"seccomp={seccomp}", RUNNER_IMAGE, "bash", "-c", script,
        stdout=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    if await process.wait():
        raise SystemExit("docker run failed")
    return time.perf_counter() - begin


def seccomp_file() -> Path:
    """Write our seccomp profile where `docker run` can read it."""
    path = Path(tempfile.gettempdir()) / "cronium-bench-seccomp.json"
    path.write_text(seccomp_profile())
    return path


class Bare:
    """Create, attach and start through the SDK, with nothing of ours around it."""

    def __init__(self, directory: Path) -> None:
        self.engine = DockerEngine(
            DockerConfig(run_directory=directory, instance="bench-bare")
        )

    async def first_instruction(self, script: str) -> float:
        """Return the seconds from create to the time that the script prints."""
        key = secrets.token_hex(8)
        run = self.engine.directories.create(
            key, event_type=EventType.BASH, script=script, env={}, documents={}
        )
        config = self.engine.container_config(
            image=RUNNER_IMAGE,
            command=["/bin/sh", "/run/cronium/start"],
            resources=LIMITS,
            network=Network.NONE,
            run_directory=str(run),
            labels=self.engine.labels({}),
        )
        sandbox = Sandbox(self.engine.calls, f"bench-{key}", key, run)
        output: list[bytes] = []

        def keep(stream: Stream, data: bytes) -> None:
            output.append(data)

        begin = time.time()
        await self.engine.calls.run(
            lambda client: client.create_container_from_config(config, sandbox.name)
        )
        await sandbox.attach(keep)
        await sandbox.start()
        await sandbox.exited
        await sandbox.drain()
        await self.engine.remove(sandbox)
        return float(b"".join(output)) - begin
