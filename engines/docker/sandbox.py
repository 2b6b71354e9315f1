"""One sandbox: created, attached, started, stopped, read and removed."""

import asyncio
import contextlib
import logging
import re
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from docker.errors import NotFound

from contracts.errors import (
    EgressUnavailable,
    EngineUnavailable,
    HostLost,
    SandboxFailed,
)
from contracts.names import RUN_DIRECTORY
from engines.docker import attach, logs, starting
from engines.docker.calls import Calls, reason
from engines.docker.gate import Gate
from engines.docker.rundir import LAUNCHER
from engines.docker.watching import EngineWatch
from engines.places import OnData, SandboxExit

logger = logging.getLogger(__name__)

COMMAND = ["/bin/sh", f"{RUN_DIRECTORY}/{LAUNCHER}"]
# After the container's end the daemon still copies what is in the pipes.
DRAIN_SECONDS = 5.0
# What the daemon says of a start when the container's network is not there any more.
NETWORK_GONE = re.compile(r"network \S+ not found")
REMOVE_TRIES = 5
EXIT_POLL_SECONDS = 1.0
# How long a daemon that went away is waited for before its sandboxes count as lost.
PATIENCE_SECONDS = 300.0
# How a script ends that the kernel killed, and how long its reason is waited for.
KILLED_CODE = 137
OOM_LOOKS = 6
OOM_LOOK_SECONDS = 0.1
# What a script's death looks like when the daemon or the host took it down.
TAKEN_DOWN_CODES = frozenset({137, 143, 255})


class Sandbox:
    """A container of ours that exists. Made by `DockerEngine.create`.

    Args:
        calls: Connection to the daemon.
        name: The container's name.
        run_key: The run it belongs to.
        directory: The run's directory on the host.
        patience: Seconds that a daemon which went away is waited for.
        gate: What holds its launcher back, if it was started in advance.
        restore_network: Makes the network anew when somebody removed it.
        watch: Told how long the start took.
    """

    def __init__(
        self,
        calls: Calls,
        name: str,
        run_key: str,
        directory: Path | None,
        patience: float = PATIENCE_SECONDS,
        gate: Gate | None = None,
        restore_network: Callable[[], Awaitable[None]] | None = None,
        watch: EngineWatch | None = None,
    ) -> None:
        self._calls = calls
        self.name = name
        self.run_key = run_key
        self.directory = directory
        self.gate = gate or (Gate(directory) if directory else None)
        self._patience = patience
        self._restore_network = restore_network
        self._watch = watch or EngineWatch()
        self._on_data: OnData | None = None
        self._killed = False
        self.away_since: float | None = None
        """When the daemon went away, once it did: seconds since 1970."""
        self._attachment: attach.Attachment | None = None
        self._exit: asyncio.Task[SandboxExit] | None = None

    async def attach(self, on_data: OnData) -> None:
        """Follow both output streams; before the start, so that nothing is missed."""
        with self._there():
            raw = await self._calls.run(
                lambda client: client.attach_socket(
                    self.name, params={"stdout": 1, "stderr": 1, "stream": 1}
                )
            )
        self._attachment = await attach.follow(raw, on_data)
        self._on_data = on_data

    async def replay(self, on_data: OnData, *, follow: bool) -> None:
        """Read the output again from its first byte; the last reading ends.

        Raises:
            EngineUnavailable: The daemon does not answer.
        """
        self.detach()
        self._attachment = await logs.replay(
            self._calls.socket, self.name, on_data, follow=follow
        )

    def detach(self) -> None:
        """Stop reading; the script goes on."""
        if self.gate is not None:
            self.gate.close()
        if self._attachment is not None:
            self._attachment.close()

    async def start(self) -> None:
        """Start the script.

        Raises:
            SandboxFailed: The image cannot run our launcher, or the engine failed.
            EngineUnavailable: The daemon did not answer; nothing was started.
            StartUnknown: The daemon went away: it may have been started.
            EgressUnavailable: Its network is gone and cannot be made again.
        """
        with self._watch.timing("start"):
            if self._gated is not None:
                self._gated.open()
            else:
                await self._start_container()
        self.watch()

    async def _start_container(self) -> None:
        with self._there():
            try:
                await self._start_call()
            except NotFound as error:
                if self._restore_network is None or not _lacks_network(error):
                    raise
                # `docker network prune` takes one that no sandbox runs on yet.
                await self._restore_network()
                await self._start_again()

    async def _start_call(self) -> None:
        await starting.start(self._calls, self.name, self._patience)

    async def _start_again(self) -> None:
        # A start that fails closes the streams of those who were attached.
        if self._on_data is not None:
            self.detach()
            await self.attach(self._on_data)
        await self._start_call()

    def watch(self) -> None:
        """Wait for the end of a script that was started, here or in another life."""
        if self._gated is not None:
            # Whoever started it may have died with the word on the tongue.
            self._gated.open_again()
        self._exit = asyncio.create_task(self._wait())

    @property
    def output_ended(self) -> "asyncio.Future[None]":
        """Done when there is nothing more to read, or the daemon went away."""
        assert self._attachment is not None, "attach() or replay() comes first"
        return self._attachment.ended

    @property
    def exited(self) -> asyncio.Task[SandboxExit]:
        """The task that ends when the script has ended."""
        assert self._exit is not None, "start() comes first"
        return self._exit

    async def drain(self, seconds: float = DRAIN_SECONDS) -> bool:
        """Wait for the rest of the output; False when it did not end in time."""
        if self._attachment is None:
            return True
        done, _ = await asyncio.wait([self._attachment.ended], timeout=seconds)
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
        await self._deliver("TERM")
        done, _ = await asyncio.wait([self.exited], timeout=grace)
        if not done:
            self._killed = True
            await self._deliver("KILL")
        return await self.exited

    async def _deliver(self, name: str) -> None:
        while not self.exited.done():
            try:
                await self.signal(name)
                return
            except EngineUnavailable:
                # The wait for the end gives up when the daemon stays away too long.
                await asyncio.wait([self.exited], timeout=EXIT_POLL_SECONDS)

    async def remove(self) -> None:
        """Remove the container, running or not, and verify that it is gone.

        Raises:
            EngineUnavailable: The daemon did not remove it; the janitor will.
        """
        self.detach()
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

    async def status(self) -> str | None:
        """Return `created`, `running`, `exited` and the like; None: it is not there."""
        try:
            status = str((await self.inspect())["State"]["Status"])
        except NotFound:
            return None
        # Its container runs, but not the script.
        waits = self._gated is not None and self._gated.begun_at() is None
        return "created" if waits else status

    async def never_begins(self) -> bool:
        """Take away what has not begun; False when it has meanwhile.

        Raises:
            EngineUnavailable: The daemon does not answer.
        """
        if self._gated is not None:
            # Its word comes from a worker, and none has it now.
            return True
        return await starting.never_begins(self._calls, self.name)

    async def started_at(self) -> float | None:
        """Return when the script was started: seconds since 1970, this host's clock."""
        if self._gated is not None:
            return self._gated.begun_at()
        with self._there():
            return _seconds((await self.inspect())["State"].get("StartedAt"))

    async def first_output_at(self) -> float | None:
        """Return when the oldest output that the daemon still has was written."""
        return await logs.first_timestamp(self._calls.socket, self.name)

    @property
    def _gated(self) -> Gate | None:
        return self.gate if self.gate is not None and self.gate.there else None

    @contextlib.contextmanager
    def _there(self, *, began: bool = False) -> Iterator[None]:
        """Tell that the container is gone as an error of ours.

        Args:
            began: Whether its script was started, so that its end was missed.
        """
        try:
            yield
        except NotFound as error:
            if _lacks_network(error):
                raise EgressUnavailable(
                    f"somebody removed the network of {self.name}"
                ) from None
            removed = f"the container {self.name} was removed by somebody else"
            if began:
                raise HostLost(
                    f"{removed}, and nobody has seen how its script ended"
                ) from None
            raise SandboxFailed(removed) from None

    async def _end_state(self) -> dict[str, Any]:
        """Return the daemon's state of an end, with the reason of a kill.

        On a busy host the kernel's word that memory ran out comes after the exit.
        """
        for _ in range(OOM_LOOKS):
            state: dict[str, Any] = (await self.inspect())["State"]
            if state["ExitCode"] != KILLED_CODE or state["OOMKilled"] or self._killed:
                break
            await asyncio.sleep(OOM_LOOK_SECONDS)
        return state

    async def _wait(self) -> SandboxExit:
        since = 0.0
        while True:
            try:
                with self._there(began=True):
                    await self._calls.run(
                        lambda client: client.wait(self.name, timeout=None)
                    )
                    state = await self._end_state()
                if not state["Running"]:
                    began = self._gated.begun_at() if self._gated else None
                    return _exit_of(state, began, self.away_since)
                since = 0.0
            except EngineUnavailable:
                self.away_since = self.away_since or time.time()
                since = since or time.monotonic()
                if time.monotonic() - since > self._patience:
                    raise
            # The daemon let go of the call without an end: ask again, gently.
            await asyncio.sleep(EXIT_POLL_SECONDS)


def _lacks_network(error: NotFound) -> bool:
    return NETWORK_GONE.search(reason(error)) is not None


def _exit_of(
    state: dict[str, Any], began: float | None, away_since: float | None
) -> SandboxExit:
    code, finished = int(state["ExitCode"]), _seconds(state.get("FinishedAt"))
    taken_down = code in TAKEN_DOWN_CODES and not state.get("OOMKilled")
    return SandboxExit(
        code=code,
        oom_killed=bool(state.get("OOMKilled")),
        started_at=began or _seconds(state.get("StartedAt")),
        finished_at=finished,
        interrupted=taken_down
        and (away_since is not None or (finished or 0.0) < _boot_time()),
    )


def _boot_time() -> float:
    """Return when this host was started; 0 where the kernel does not say."""
    try:
        lines = Path("/proc/stat").read_text().splitlines()
    except OSError:
        return 0.0
    return next((float(li.split()[1]) for li in lines if li.startswith("btime")), 0.0)


def _seconds(text: str | None) -> float | None:
    if not text or text.startswith("0001"):
        return None
    # The daemon writes nanoseconds, Python reads microseconds.
    whole, _, fraction = text.rstrip("Z").partition(".")
    return datetime.fromisoformat(f"{whole}.{fraction[:6]:0<6}+00:00").timestamp()
