"""Find the stack that a command works with, or start one in the background."""

import asyncio
import contextlib
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from rich.markup import escape

from cli import record
from cli.errors import StackFailed, StackMissing
from cli.record import StackRecord
from cli.terminal import notes

if TYPE_CHECKING:
    from worker.settings import Settings

START_SECONDS = 60.0
STOP_SECONDS = 30.0
TAIL_LINES = 15


@dataclass(frozen=True, slots=True)
class Stack:
    """Where Temporal, its web UI and the gateway are."""

    temporal: str | None
    """`host:port`; None leaves it to the Temporal environment and profile."""
    namespace: str
    gateway: str
    public_gateway: str
    ui: str | None
    secret_file: Path
    started_here: bool = False

    def links(self, execution_id: str, workflow_id: str) -> dict[str, str]:
        """Return where a person can look at an execution: name → URL."""
        found = {"Logs": f"{self.public_gateway}/logs/{quote(execution_id)}"}
        if self.ui:
            namespace = quote(self.namespace)
            found["Temporal"] = (
                f"{self.ui}/namespaces/{namespace}/workflows/{quote(workflow_id)}"
            )
        return found


def find(settings: "Settings") -> Stack | None:
    """Return the stack that is configured, else the local one that runs, else None."""
    from temporalio.envconfig import ClientConfig

    profile = ClientConfig.load_client_connect_config()
    if settings.temporal.address or profile.get("target_host"):
        return _stack(
            settings,
            temporal=settings.temporal.address,
            gateway=settings.gateway.url,
            ui=None,
            namespace=profile.get("namespace"),
        )
    running = record.read(settings.state_dir)
    return _local(settings, running) if running else None


def require(settings: "Settings") -> Stack:
    """Return the stack to work with.

    Raises:
        StackMissing: There is none.
    """
    found = find(settings)
    if found is None:
        raise StackMissing(
            f"no Temporal server is configured and no local stack runs with "
            f"{settings.state_dir}"
        )
    return found


def find_or_start(settings: "Settings", config: Path | None) -> Stack:
    """Return the stack to work with; start a local one when there is none.

    Raises:
        StackFailed: It does not start.
    """
    found = find(settings)
    if found is not None:
        return found
    notes().print("No stack is running: starting one in the background.")
    running = start_background(settings, ["--config", str(config)] if config else [])
    notes().print("It stays there for the next run; `cronium down` stops it.\n")
    return _local(settings, running, started_here=True)


def start_background(settings: "Settings", options: list[str]) -> StackRecord:
    """Start a local stack as a daemon and wait until everything answers.

    Raises:
        StackFailed: With the part that failed and the tail of the log.
    """
    from cli.supervisor import OURS
    from worker.settings import child_environment

    state = settings.state_dir
    state.mkdir(parents=True, exist_ok=True)
    log = state / "dev.log"
    with log.open("ab") as output:
        begin = output.tell()
        process = subprocess.Popen(
            [*OURS, "dev", "--state-dir", str(state), "--log-to", str(log), *options],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=child_environment(),
            start_new_session=True,
        )
    return asyncio.run(_wait_for(process, state, log, begin))


async def _wait_for(
    process: subprocess.Popen[bytes], state: Path, log: Path, begin: int
) -> StackRecord:
    from cli.readiness import PARTS, Readiness

    def alive() -> bool:
        return process.poll() is None

    waiting = dict.fromkeys(PARTS, "not started")
    with notes().status("Starting Temporal, gateway and worker …") as spinner:
        stack = await _recorded(process.pid, state, alive)
        if stack is not None:
            readiness = Readiness(stack)
            waiting = readiness.waiting
            showing = asyncio.create_task(_show(waiting, spinner.update))
            try:
                if await readiness.wait(START_SECONDS, alive):
                    return stack
            finally:
                showing.cancel()
    tail = _tail(log, begin)
    if not alive():
        raise StackFailed("the stack ended at once", hint=f"See {log}.", tail=tail)
    # Half a stack would be found by the next command, which then would hang.
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        await asyncio.to_thread(process.wait, STOP_SECONDS)
    reasons = "; ".join(f"{part}: {why}" for part, why in waiting.items())
    raise StackFailed(
        f"not ready after {START_SECONDS:g} s: {reasons}",
        tail=tail,
        hint=f"`cronium doctor` checks this host. All of the log is in {log}.",
    )


async def _recorded(
    pid: int, state: Path, alive: Callable[[], bool]
) -> StackRecord | None:
    """Return the record of the supervisor with this process id."""
    for _ in range(int(START_SECONDS / 0.05)):
        found = record.read(state)
        if found is not None and found.pid == pid:
            return found
        if not alive():
            return None
        await asyncio.sleep(0.05)
    return None


async def _show(waiting: dict[str, str], update: Callable[[str], None]) -> None:
    while True:
        reasons = "; ".join(f"{part} ({why})" for part, why in waiting.items())
        update(f"Waiting for {escape(reasons)} …")
        await asyncio.sleep(0.2)


def _tail(log: Path, begin: int) -> str:
    with log.open("rb") as stream:
        stream.seek(begin)
        text = stream.read().decode(errors="replace")
    return "\n".join(text.splitlines()[-TAIL_LINES:])


def _local(
    settings: "Settings", running: StackRecord, *, started_here: bool = False
) -> Stack:
    return _stack(
        settings,
        temporal=running.temporal,
        gateway=running.gateway,
        ui=running.ui,
        namespace=None,
        started_here=started_here,
    )


def _stack(
    settings: "Settings",
    *,
    temporal: str | None,
    gateway: str,
    ui: str | None,
    namespace: str | None,
    started_here: bool = False,
) -> Stack:
    gateway = gateway.rstrip("/")
    return Stack(
        temporal=temporal,
        namespace=settings.temporal.namespace or namespace or "default",
        gateway=gateway,
        public_gateway=(settings.gateway.public_url or gateway).rstrip("/"),
        ui=ui,
        secret_file=settings.gateway.secret_file,
        started_here=started_here,
    )
