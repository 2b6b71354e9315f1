"""The Docker Engine as a maker of sandboxes."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from docker.errors import NotFound

from contracts import names
from contracts.errors import (
    CeilingExceeded,
    EngineUnavailable,
    ErrorInfo,
    ImageMissing,
    SandboxFailed,
)
from contracts.events import EventSpec, Network, Resources
from contracts.limits import EGRESS_POOL, MIB
from engines.docker import logs, verdict
from engines.docker.calls import Calls, reason
from engines.docker.gate import Gate
from engines.docker.images import Images, PullPolicy
from engines.docker.network import EgressNetwork, EgressPolicy
from engines.docker.profile import container_config
from engines.docker.rundir import RunDirectories
from engines.docker.sandbox import COMMAND, Sandbox
from engines.docker.standby import Standby
from engines.docker.warm import Kind
from engines.docker.watching import EngineWatch
from engines.places import NAME_PREFIX, SandboxExit, SandboxRunsAlready, SandboxSpec

logger = logging.getLogger(__name__)

NAME_CONFLICT = "is already in use by container"
# Besides one waiting call per sandbox: creates, starts, stops and inspections.
SPARE_THREADS = 8


@dataclass(frozen=True, slots=True)
class DockerConfig:
    """The operator's choices for one Docker host. Sizes in MB, times in seconds."""

    run_directory: Path
    socket: str = "/var/run/docker.sock"
    image: str = names.RUNNER_IMAGE
    pull_policy: PullPolicy = "missing"
    pull_timeout: float = 300.0
    runtime: str | None = None
    slots: int = 10
    max_memory_mb: int = 2048
    max_cpus: float = 2.0
    max_pids: int = 1000
    max_tmp_mb: int = 512
    max_timeout: float = 86_400.0
    egress: EgressPolicy = "filtered"
    blocked_networks: list[str] = field(default_factory=lambda: ["169.254.0.0/16"])
    egress_pool: list[str] = field(default_factory=lambda: list(EGRESS_POOL))
    owner_file: Path | None = None
    tmp_exec: bool = False
    api_timeout: float = 60.0
    outage_window: float = 300.0
    log_bytes: int = 32 * MIB
    warm: int = 0
    instance: str = "default"
    host_id: str = "local"


def check_ceilings(config: DockerConfig, event: EventSpec) -> None:
    """Refuse an event that asks for more than the operator allows.

    Raises:
        CeilingExceeded: The message has the field and both numbers.
    """
    wanted = event.resources
    overrides = event.fan_out.overrides if event.fan_out else {}
    for path, asked, ceiling in (
        ("event.resources.memoryMb", wanted.memory_mb, config.max_memory_mb),
        ("event.resources.cpus", wanted.cpus, config.max_cpus),
        ("event.resources.pids", wanted.pids, config.max_pids),
        ("event.resources.tmpMb", wanted.tmp_mb, config.max_tmp_mb),
        ("event.timeoutSeconds", event.timeout_seconds, config.max_timeout),
        *(
            (
                f"event.fanOut.overrides.{name}.timeoutSeconds",
                override.timeout_seconds or 0,
                config.max_timeout,
            )
            for name, override in overrides.items()
        ),
    ):
        if asked > ceiling:
            raise CeilingExceeded(
                f"{path}: {asked:g} asked, at most {ceiling:g} allowed"
            )


class DockerEngine:
    """Makes hardened sandboxes on one Docker host.

    Args:
        config: The operator's choices.
        watch: Told how long calls took.

    Attributes:
        probes: Keys of the containers that prove the host just now.
    """

    def __init__(self, config: DockerConfig, watch: EngineWatch | None = None) -> None:
        self.config = config
        self._watch = watch or EngineWatch()
        self.calls = Calls(
            config.socket, config.slots + SPARE_THREADS, config.api_timeout
        )
        self.images = Images(
            self.calls, config.pull_policy, config.pull_timeout, self._watch
        )
        self.network = EgressNetwork(
            self.calls,
            config.instance,
            config.egress,
            config.blocked_networks,
            config.egress_pool,
            config.slots,
            config.owner_file,
        )
        self.directories = RunDirectories(config.run_directory)
        self.probes: set[str] = set()
        # Another runtime may not let a sandbox wait at a pipe of the host's, and an
        # image that is asked for each time cannot be had in advance.
        usual = config.runtime in (None, "runc") and config.pull_policy != "always"
        self.standby = Standby(
            self.calls,
            self.directories,
            self._waiting_config,
            config.warm if usual else 0,
        )

    async def create(self, spec: SandboxSpec) -> Sandbox:
        """Make a sandbox that is ready to be attached and started.

        The name is the run's own, so a container of that name is what an earlier
        life of this very run left behind. One that never started is replaced.

        Raises:
            SandboxRunsAlready: There is one that was started: go on with that.
            EngineError: What could not be had, by kind.
        """
        with self._watch.timing("create"):
            return await self._made(spec)

    async def _made(self, spec: SandboxSpec) -> Sandbox:
        if self.directories.has(spec.run_key):
            # Its files must not be touched under a script that runs.
            await self._replace(spec.run_key)
        if spec.network is Network.EGRESS:
            await self.network.ensure()
        gate = await self.standby.adopt(
            spec, lambda more: self._write_files(spec, self.directories.fill, more)
        )
        made = (
            await self._create_anew(spec)
            if gate is None
            else self.sandbox(spec.run_key, gate)
        )
        if self.standby.pool.size:
            self._watch.adopted(warm=gate is not None)
        self.standby.replace(spec)
        return made

    async def _create_anew(self, spec: SandboxSpec) -> Sandbox:
        directory = self._write_files(spec, self.directories.create, {})
        config = self.container_config(
            image=spec.image,
            command=COMMAND,
            resources=spec.resources,
            network=spec.network,
            run_directory=str(directory),
            labels=self.labels(spec.labels),
        )
        sandbox = self.sandbox(spec.run_key)
        try:
            await self._create(spec.run_key, spec.image, config)
        except BaseException:
            self.directories.remove(spec.run_key)
            raise
        return sandbox

    def _write_files(
        self, spec: SandboxSpec, write: Callable[..., Path], more: dict[str, bytes]
    ) -> Path:
        try:
            return write(
                spec.run_key,
                event_type=spec.event_type,
                script=spec.script,
                env=spec.env,
                documents={**spec.documents, **more},
            )
        except OSError as error:
            # What there is of it may hold secrets.
            self.directories.remove(spec.run_key)
            raise EngineUnavailable(
                f"the run directory takes nothing: {error.strerror}",
                hint="Free space on its disk, or set CRONIUM_DOCKER_RUN_DIR.",
            ) from error

    def sandbox(self, run_key: str, gate: Gate | None = None) -> Sandbox:
        """Return the handle of a run's sandbox, whether it exists or not."""
        return Sandbox(
            self.calls,
            NAME_PREFIX + run_key,
            run_key,
            self.directories.parent / run_key,
            self.config.outage_window,
            gate,
            self.network.restore,
            self._watch,
        )

    def container_config(
        self,
        *,
        image: str,
        command: list[str],
        resources: Resources,
        network: Network,
        run_directory: str | None,
        labels: dict[str, str],
    ) -> dict[str, Any]:
        """Return the create body; the one place every container of ours comes from."""
        return container_config(
            image=image,
            command=command,
            resources=resources,
            network=network,
            egress_network=self.network.name,
            run_directory=run_directory,
            labels=labels,
            runtime=self.config.runtime,
            tmp_exec=self.config.tmp_exec,
            log_bytes=self.config.log_bytes,
        )

    def labels(self, more: dict[str, str]) -> dict[str, str]:
        """Return the labels that make a container ours, and those given."""
        return {
            names.LABEL_INSTANCE: self.config.instance,
            names.LABEL_HOST: self.config.host_id,
            **more,
        }

    async def remove(self, sandbox: Sandbox) -> None:
        """Remove a sandbox and its directory."""
        try:
            with self._watch.timing("remove"):
                await sandbox.remove()
        finally:
            self.directories.remove(sandbox.run_key)
            self.standby.ended(sandbox.run_key)

    def judge(
        self, event: EventSpec, end: SandboxExit, last_lines: list[str]
    ) -> ErrorInfo:
        """Say why a script that exited with a code other than 0 did not succeed."""
        return verdict.judge(event, end, last_lines)

    async def ping(self, seconds: float) -> None:
        """Return when the daemon answers.

        Raises:
            EngineUnavailable: Not within that time.
        """
        await logs.ping(self.config.socket, seconds)

    async def version(self) -> dict[str, Any]:
        """Return the daemon's version record."""
        return await self.calls.run(lambda client: client.version())

    def close(self) -> None:
        """Let go of the daemon; sandboxes stay as they are."""
        self.network.close()
        self.calls.close()

    def _waiting_config(
        self, kind: Kind, command: list[str], directory: Path, labels: dict[str, str]
    ) -> dict[str, Any]:
        return self.container_config(
            image=kind.image,
            command=command,
            resources=kind.resources,
            network=kind.network,
            run_directory=str(directory),
            labels=self.labels(labels),
        )

    async def _create(self, key: str, image: str, config: dict[str, Any]) -> None:
        name = NAME_PREFIX + key
        if self.config.pull_policy == "always":
            await self.images.ensure(image)
        try:
            await self._create_call(name, config)
        except ImageMissing:
            # Asking first would cost every run a call; the daemon tells us anyway.
            await self.images.ensure(image)
            await self._create_call(name, config)
        except SandboxFailed as error:
            if NAME_CONFLICT not in str(error):
                raise
            await self._replace(key)
            await self._create_call(name, config)

    async def _replace(self, key: str) -> None:
        """Take away a container that never started.

        Raises:
            SandboxRunsAlready: It was started.
        """
        old = self.sandbox(key)
        status = await old.status()
        if status is not None and (status != "created" or not await old.never_begins()):
            raise SandboxRunsAlready(f"{old.name} was started before")
        logger.info("replacing %s, which never started", old.name)
        await old.remove()

    async def _create_call(self, name: str, config: dict[str, Any]) -> None:
        creating = asyncio.ensure_future(
            self.calls.run(
                lambda client: client.create_container_from_config(config, name)
            )
        )
        try:
            await asyncio.shield(creating)
        except asyncio.CancelledError:
            # The daemon goes on all the same: whoever cancelled can only remove what
            # it made once it has made it.
            await asyncio.wait([creating])
            raise
        except NotFound as error:
            # All there is to miss, besides the image, is the network: look again.
            self.network.forget()
            raise SandboxFailed(f"Docker refused: {reason(error)}") from error
