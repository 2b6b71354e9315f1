"""The product as separate processes that can be killed, frozen and started again.

Every part keeps its port and its state over its lives. Each is started so that the
kernel kills it when the test process dies: nothing outlives a broken-off test run.
"""

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import httpx

from tests.caller import plain_http

Ready = Callable[[], Awaitable[str]]
"""Returns what is missing, "" when it does its work."""

POLL_SECONDS = 0.05
START_SECONDS = 60.0
STOP_SECONDS = 20.0
SETPRIV = shutil.which("setpriv") or "/usr/bin/setpriv"


class Part:
    """One process of ours, over all its lives.

    Args:
        name: What messages call it.
        command: The same for every life.
        environment: All of its variables.
        log: File that the output of all lives goes to.
        ready: Says what it lacks to do its work.
    """

    def __init__(
        self,
        name: str,
        command: list[str],
        environment: Mapping[str, str],
        log: Path,
        ready: Ready,
    ) -> None:
        self.name = name
        self.log = log
        self._command = command
        self._environment = dict(environment)
        self._ready = ready
        self._process: subprocess.Popen[bytes] | None = None
        self._frozen = False

    @property
    def pid(self) -> int:
        """Id of the process that lives now."""
        assert self._process is not None, f"{self.name} was never started"
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it lives, frozen or not."""
        return self._process is not None and self._process.poll() is None

    async def start(self, *, wait: bool = True) -> None:
        """Start it, and by default wait until it is ready."""
        assert not self.running, f"{self.name} runs already"
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: ASYNC220
                [SETPRIV, "--pdeathsig", "KILL", *self._command],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                process_group=0,
            )
        self._frozen = False
        if wait:
            await self.ready()

    async def ready(self, seconds: float = START_SECONDS) -> None:
        """Wait until it does its work.

        Raises:
            AssertionError: It ended, or it is not ready in time; with its last words.
        """
        missing = "no answer"
        try:
            async with asyncio.timeout(seconds):
                while missing := await self._ready():
                    assert self.running, self.words("ended instead of getting ready")
                    await asyncio.sleep(POLL_SECONDS)
        except TimeoutError:
            raise AssertionError(
                self.words(f"was not ready within {seconds:g} s ({missing})")
            ) from None

    def signal(self, number: int) -> None:
        """Send a signal to the process, if it lives."""
        if self.running:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it as a power cut would; returns when the kernel has taken it away."""
        self.signal(signal.SIGKILL)
        if self._process is not None:
            self._process.wait(STOP_SECONDS)
        self._frozen = False

    def terminate(self) -> None:
        """Ask it to end."""
        self.signal(signal.SIGTERM)

    def freeze(self) -> None:
        """Take the processor away: it lives, holds all it has, and does nothing."""
        self.signal(signal.SIGSTOP)
        self._frozen = True

    def thaw(self) -> None:
        """Give the processor back."""
        self.signal(signal.SIGCONT)
        self._frozen = False

    async def ended(self, seconds: float = STOP_SECONDS) -> int:
        """Wait for its end and return the exit status.

        Raises:
            AssertionError: It goes on.
        """
        assert self._process is not None
        try:
            async with asyncio.timeout(seconds):
                while self._process.poll() is None:  # noqa: ASYNC110
                    await asyncio.sleep(POLL_SECONDS)
        except TimeoutError:
            raise AssertionError(
                self.words(f"did not end within {seconds:g} s")
            ) from None
        return int(self._process.returncode)

    async def stop(self) -> None:
        """End it in order, or by force when that takes too long."""
        if self._frozen:
            self.thaw()
        self.terminate()
        with contextlib.suppress(AssertionError):
            if self._process is not None:
                await self.ended()
        self.kill()

    async def mend(self) -> None:
        """Make it run and be ready, whatever a test did to it."""
        if self._frozen:
            self.thaw()
        if self.running:
            await self.ready()
        else:
            await self.start()

    def last_lines(self, count: int = 20) -> str:
        """Return the end of its output."""
        if not self.log.exists():
            return ""
        lines = self.log.read_text(errors="replace").splitlines()[-count:]
        return "\n".join(lines)

    def words(self, problem: str) -> str:
        """Return a problem together with the end of the output."""
        return f"{self.name} {problem}; its last lines:\n{self.last_lines()}"

    def resources(self) -> "Resources":
        """Return what the process holds now."""
        return resources_of(self.pid)


class Resources:
    """What a process holds: memory in MiB and open file descriptors."""

    def __init__(self, memory: float, descriptors: int) -> None:
        self.memory = memory
        self.descriptors = descriptors

    def __str__(self) -> str:
        return f"{self.memory:.0f} MiB, {self.descriptors} descriptors"


def resources_of(pid: int) -> Resources:
    """Return what a process holds now."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    memory = pages * os.sysconf("SC_PAGE_SIZE") / 2**20
    return Resources(memory, len(os.listdir(f"/proc/{pid}/fd")))


def answers(url: str) -> Ready:
    """Return a check for 200 from a URL."""

    async def ask() -> str:
        try:
            async with plain_http(timeout=2) as http:
                reply = await http.get(url)
        except httpx.HTTPError as error:
            return repr(error)
        return "" if reply.status_code == 200 else reply.text

    return ask


def listens(port: int) -> Ready:
    """Return a check for a listener on a port of this machine."""

    async def ask() -> str:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError as error:
            return repr(error)
        writer.close()
        return ""

    return ask


def listens_on(path: Path) -> Ready:
    """Return a check for a listener on a Unix socket."""

    async def ask() -> str:
        try:
            _, writer = await asyncio.open_unix_connection(str(path))
        except OSError as error:
            return repr(error)
        writer.close()
        return ""

    return ask


def ours(name: str) -> list[str]:
    """Return the command of one of our processes."""
    # With -P the directory the tests run in cannot shadow our modules.
    return [sys.executable, "-P", "-m", "cli.main", name]


def clean_environment(**variables: str) -> dict[str, str]:
    """Return this process's variables without our own, and those given."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("CRONIUM_")}
    return {**kept, "PYTHONUNBUFFERED": "1", **variables}
