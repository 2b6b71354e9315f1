"""What every place where scripts run has in common: one script, one sandbox.

A session drives a sandbox through these protocols and does not know whether it is a
container or a directory with a process on a server.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from contracts.errors import ErrorInfo, SandboxFailed
from contracts.events import EventSpec, EventType, Network, Resources
from contracts.logs import Stream

NAME_PREFIX = "cronium-"

OnData = Callable[[Stream, bytes], None]


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
        """The sandbox's name; the same run and try always has the same."""
        return NAME_PREFIX + self.run_key


@dataclass(frozen=True, slots=True)
class SandboxExit:
    """How a sandbox's main process ended."""

    code: int
    oom_killed: bool
    started_at: float | None
    """Seconds since 1970, the clock of whoever started it."""
    finished_at: float | None
    interrupted: bool = False
    """Whether the place itself took the script down."""
    flooded: bool = False
    """Whether it was stopped because it wrote more than it may."""
    leftovers: tuple[str, ...] = ()
    """Processes of the script that could not be ended, each as `pid user command`."""


class SandboxRunsAlready(SandboxFailed):
    """A sandbox of that name was started by an earlier life of this very run."""


class Sandbox(Protocol):
    """A sandbox that exists, or may exist."""

    name: str
    run_key: str

    async def attach(self, on_data: OnData) -> None:
        """Follow both output streams; before the start, so that nothing is missed."""

    async def replay(self, on_data: OnData, *, follow: bool) -> None:
        """Read the output again from its first byte; the last reading ends."""

    def detach(self) -> None:
        """Stop reading; the script goes on."""

    async def start(self) -> None:
        """Start the script."""

    def watch(self) -> None:
        """Wait for the end of a script that was started, here or in another life."""

    @property
    def output_ended(self) -> "asyncio.Future[None]":
        """Done when there is nothing more to read, or the reading broke off."""

    @property
    def exited(self) -> "asyncio.Future[SandboxExit]":
        """Done when the script has ended."""

    async def drain(self) -> bool:
        """Wait for the rest of the output; False when it did not end in time."""

    async def stop(self, grace: float) -> SandboxExit:
        """Send TERM, wait for the grace, send KILL, and wait for the end."""

    async def status(self) -> str | None:
        """Return `created`, `running`, `exited` or `dead`; None: it is not there."""

    async def never_begins(self) -> bool:
        """Make sure that what is `created` never begins; False when it has begun."""

    async def started_at(self) -> float | None:
        """Return when the script was started: seconds since 1970."""

    async def first_output_at(self) -> float | None:
        """Return when the oldest output that can still be read was written."""


class Engine(Protocol):
    """A place that makes sandboxes."""

    async def create(self, spec: SandboxSpec) -> Sandbox:
        """Make a sandbox that is ready to be attached and started.

        Raises:
            SandboxRunsAlready: There is one that was started: go on with that.
        """

    def sandbox(self, run_key: str) -> Sandbox:
        """Return the handle of a run's sandbox, whether it exists or not."""

    async def remove(self, sandbox: Any) -> None:
        """Remove a sandbox of this engine and all that belongs to it."""

    def judge(
        self, event: EventSpec, end: SandboxExit, last_lines: list[str]
    ) -> ErrorInfo:
        """Say why a script that exited with a code other than 0 did not succeed."""
