"""One process of the local stack: started, watched, started again, stopped."""

import asyncio
import contextlib
import ctypes
import signal
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

FIRST_WAIT, LONGEST_WAIT = 0.5, 15.0
# A process that lived this long has worked: its next end is a new story.
GOOD_SECONDS = 30.0
LINE_LIMIT = 1 << 20
PR_SET_PDEATHSIG = 1

Say = Callable[[str, str], None]


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """How to start a process, and how long it may take to stop."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    stop_seconds: float = 15.0


class Child:
    """A process that is there until it is told to stop.

    Args:
        spec: The process.
        say: Takes a name and a line: its output, and remarks on it.
        changed: Called with every new process id.
    """

    def __init__(
        self, spec: ChildSpec, say: Say, changed: Callable[[str, int], None]
    ) -> None:
        self.spec = spec
        self._say = say
        self._changed = changed
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = False
        self._task: asyncio.Task[None] | None = None

    def start(self, ready: Callable[[], Awaitable[None]] | None = None) -> None:
        """Start the process and keep it there.

        Args:
            ready: Awaited before each start: what it needs must be there.
        """
        self._task = asyncio.create_task(self._keep(ready))

    async def stop(self) -> None:
        """Ask the process to end; kill it when it does not in its time."""
        self._stopping = True
        if self._task is None:
            return
        if self._process is None:
            # Waiting for its turn to be started.
            self._task.cancel()
        self._signal(signal.SIGTERM)
        done, _ = await asyncio.wait([self._task], timeout=self.spec.stop_seconds)
        if not done:
            self._say(self.spec.name, "does not stop: killed")
            self.kill()
            await asyncio.wait([self._task], timeout=5)

    def kill(self) -> None:
        """End the process at once."""
        self._stopping = True
        self._signal(signal.SIGKILL)

    async def _keep(self, ready: Callable[[], Awaitable[None]] | None) -> None:
        wait = FIRST_WAIT
        while not self._stopping:
            if ready is not None:
                await ready()
            began = time.monotonic()
            code = await self._run()
            if self._stopping:
                return
            if time.monotonic() - began > GOOD_SECONDS:
                wait = FIRST_WAIT
            self._say(
                self.spec.name, f"ended ({_ending(code)}): starts again in {wait:g} s"
            )
            await asyncio.sleep(wait)
            wait = min(2 * wait, LONGEST_WAIT)

    async def _run(self) -> int:
        process = await asyncio.create_subprocess_exec(
            *self.spec.command,
            env=dict(self.spec.environment),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            # Ctrl-C on the terminal is for the supervisor, which stops all in order.
            start_new_session=True,
            preexec_fn=_die_with_parent,
            limit=LINE_LIMIT,
        )
        self._process = process
        self._changed(self.spec.name, process.pid)
        try:
            if self._stopping:
                self._signal(signal.SIGTERM)
            await self._pump(process)
            return await process.wait()
        finally:
            self._process = None

    async def _pump(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        while True:
            try:
                line = await process.stdout.readline()
            except ValueError:
                # A line above the limit; the reader has thrown it away.
                continue
            if not line:
                return
            self._say(self.spec.name, line.decode(errors="replace").rstrip())

    def _signal(self, number: signal.Signals) -> None:
        process = self._process
        if process is not None and process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(number)


def _ending(code: int) -> str:
    if code >= 0:
        return f"code {code}"
    with contextlib.suppress(ValueError):
        return signal.Signals(-code).name
    return f"signal {-code}"


def _die_with_parent() -> None:
    """Have Linux stop this process when the supervisor is killed."""
    # Two servers on one database would be the price of an orphan.
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
