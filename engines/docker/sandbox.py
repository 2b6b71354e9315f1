"""One sandbox: created, attached, started, stopped, read and removed."""

import asyncio
import logging
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from docker.errors import NotFound

from contracts.errors import EngineUnavailable, SandboxFailed
from contracts.events import EventType, Network, Resources
from contracts.names import RUN_DIRECTORY
from engines.docker import attach
from engines.docker.calls import Calls
from engines.docker.rundir import LAUNCHER

logger = logging.getLogger(__name__)

NAME_PREFIX = "cronium-"
COMMAND = ["/bin/sh", f"{RUN_DIRECTORY}/{LAUNCHER}"]
# After the container's end the daemon still copies what is in the pipes.
DRAIN_SECONDS = 5.0
REMOVE_TRIES = 5
EXIT_POLL_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class SandboxSpec:
    """Everything that one sandbox is made from."""

    run_key: str
    event_type: EventType
    script: str
    resources: Resources
    network: Network
    image: str
    env: dict[str, str] = field(default_factory=dict)
    documents: dict[str, bytes] = field(default_factory=dict)
    """Further files of the run directory, by name."""
    labels: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The container's name; the same run and try always has the same."""
        return NAME_PREFIX + self.run_key


@dataclass(frozen=True, slots=True)
class SandboxExit:
    """How a sandbox's main process ended."""

    code: int
    oom_killed: bool
    started_at: float | None
    """Seconds since 1970, the daemon's clock."""
    finished_at: float | None


class Sandbox:
    """A container of ours that exists. Made by `DockerEngine.create`."""

    def __init__(
        self, calls: Calls, name: str, run_key: str, directory: Path | None
    ) -> None:
        self._calls = calls
        self.name = name
        self.run_key = run_key
        self.directory = directory
        self._attachment: attach.Attachment | None = None
        self._exit: asyncio.Task[SandboxExit] | None = None

    async def attach(self, on_data: attach.OnData) -> None:
        """Follow both output streams; before the start, so that nothing is missed."""
        raw = await self._calls.run(
            lambda client: client.attach_socket(
                self.name, params={"stdout": 1, "stderr": 1, "stream": 1}
            )
        )
        self._attachment = await attach.follow(raw, on_data)

    async def start(self) -> None:
        """Start the script.

        Raises:
            SandboxFailed: The image cannot run our launcher, or the engine failed.
        """
        await self._calls.run(lambda client: client.start(self.name))
        self._exit = asyncio.create_task(self._wait())

    @property
    def exited(self) -> asyncio.Task[SandboxExit]:
        """The task that ends when the script has ended."""
        assert self._exit is not None, "start() comes first"
        return self._exit

    async def drain(self) -> bool:
        """Wait for the rest of the output; False when it did not end in time."""
        if self._attachment is None:
            return True
        done, _ = await asyncio.wait([self._attachment.ended], timeout=DRAIN_SECONDS)
        return bool(done)

    async def signal(self, name: str) -> None:
        """Send a signal to the script; one that has ended is fine."""
        try:
            await self._calls.run(lambda client: client.kill(self.name, name))
        except NotFound:
            return
        except SandboxFailed as error:
            if "is not running" not in str(error):
                raise

    async def stop(self, grace: float) -> SandboxExit:
        """Send TERM, wait for the grace, send KILL, and wait for the end."""
        await self.signal("TERM")
        done, _ = await asyncio.wait([self.exited], timeout=grace)
        if not done:
            await self.signal("KILL")
        return await self.exited

    async def remove(self) -> None:
        """Remove the container, running or not, and verify that it is gone.

        Raises:
            EngineUnavailable: The daemon did not remove it; the janitor will.
        """
        if self._attachment is not None:
            self._attachment.close()
        for attempt in range(REMOVE_TRIES):
            try:
                await self._calls.run(
                    lambda client: client.remove_container(
                        self.name, force=True, v=True
                    )
                )
            except NotFound:
                return
            except SandboxFailed as error:
                # "removal already in progress": somebody else is at it.
                logger.info("removing %s again: %s", self.name, error)
                await asyncio.sleep(0.2 * (attempt + 1))
            else:
                return
        raise EngineUnavailable(f"the container {self.name} could not be removed")

    async def inspect(self) -> dict[str, Any]:
        """Return the daemon's view of the container."""
        return await self._calls.run(lambda client: client.inspect_container(self.name))

    async def _wait(self) -> SandboxExit:
        while True:
            try:
                await self._calls.run(
                    lambda client: client.wait(self.name, timeout=None)
                )
                state = (await self.inspect())["State"]
                if not state["Running"]:
                    return _exit_of(state)
            except NotFound:
                raise SandboxFailed(
                    f"the container {self.name} was removed by somebody else"
                ) from None
            # The daemon let go of the call without an end: ask again, gently.
            await asyncio.sleep(EXIT_POLL_SECONDS)


def _exit_of(state: dict[str, Any]) -> SandboxExit:
    return SandboxExit(
        code=int(state["ExitCode"]),
        oom_killed=bool(state.get("OOMKilled")),
        started_at=_seconds(state.get("StartedAt")),
        finished_at=_seconds(state.get("FinishedAt")),
    )


def _seconds(text: str | None) -> float | None:
    if not text or text.startswith("0001"):
        return None
    # The daemon writes nanoseconds, Python reads microseconds.
    whole, _, fraction = text.rstrip("Z").partition(".")
    return datetime.fromisoformat(f"{whole}.{fraction[:6]:0<6}+00:00").timestamp()
