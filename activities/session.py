"""One try in one sandbox, from pick-up to outcome, whatever happens in between.

The steps are the same for every engine: make, follow, stop, drain, remove. A stop may
be asked for at any moment; each step is either abandoned at once or finished first, so
that a sandbox is never left behind.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from contracts.errors import CroniumError, ErrorInfo, SandboxFailed
from contracts.results import (
    EXIT_CANCELLED,
    EXIT_TIMEOUT,
    PhaseDurations,
    Status,
)
from contracts.runs import RunOutcome, RunProgress, RunRequest
from engines.docker import DockerEngine, Sandbox, SandboxExit, SandboxSpec, verdict
from logstream import RunLog

logger = logging.getLogger(__name__)
Value = TypeVar("Value")

# The daemon's words when PID 1's program is not in the image.
NO_LAUNCHER_WORDS = ("no such file or directory", "executable file not found")


class StopRequestedError(Exception):
    """Somebody asked for a stop before the script began."""


class Session:
    """Runs one script and keeps what is known about it.

    Args:
        run: The try.
        spec: What the sandbox is made from.
        engine: Where it is made.
        log: Where its output goes.
        host: Id of this host.
    """

    def __init__(
        self,
        run: RunRequest,
        spec: SandboxSpec,
        engine: DockerEngine,
        log: RunLog,
        host: str,
    ) -> None:
        self._run = run
        self._event = run.request.event
        self._spec = spec
        self._engine = engine
        self._log = log
        self._host = host
        self._stop = asyncio.Event()
        self._phase = "setup"
        self._script_started: float | None = None
        self._marks = [time.monotonic()]

    def stop(self) -> None:
        """Ask for the end: TERM, grace, KILL, gone."""
        self._stop.set()

    def progress(self) -> RunProgress:
        """Return what a heartbeat carries: never empty, since that wipes the last."""
        counts = self._log.counts
        return RunProgress(
            host=self._host,
            sandbox=self._spec.name,
            phase=self._phase,
            event=self._event.name,
            attempt=self._run.attempt,
            started_at=self._script_started,
            lines=counts.lines,
            bytes=counts.bytes,
            dropped_lines=counts.dropped_lines,
            tail=self._log.tail,
        )

    async def run(self, claim: Callable[[], Awaitable[None]]) -> RunOutcome:
        """Run the script to its end.

        Args:
            claim: Tells Temporal, durably, that this host owns the try. The script is
                not started before it has returned.

        Raises:
            EngineError: The script was not started.
        """
        self._log.notice(
            f"try {self._run.attempt}/{self._run.max_attempts} of {self._event.name} "
            f"on {self._host}"
        )
        sandbox: Sandbox | None = None
        try:
            sandbox = await self._make(claim)
            return await self._follow(sandbox)
        except StopRequestedError:
            return await self._stopped_early(sandbox)
        except CroniumError as error:
            self._log.notice(f"{error} {error.user_hint}".strip())
            raise
        finally:
            if sandbox is not None and self._phase != "gone":
                await self._remove(sandbox)
            self._log.close()

    async def _make(self, claim: Callable[[], Awaitable[None]]) -> Sandbox:
        claiming = asyncio.ensure_future(claim())
        creating = asyncio.ensure_future(self._engine.create(self._spec))
        try:
            await self._unless_stopped(creating)
            await self._unless_stopped(claiming)
        except BaseException:
            claiming.cancel()
            await asyncio.wait([claiming])
            await self._discard(creating)
            raise
        return creating.result()

    async def _discard(self, creating: asyncio.Task[Sandbox]) -> None:
        """Undo a creation: a pull is broken off, a create call finished and removed."""
        creating.cancel()
        await asyncio.wait([creating])
        if not creating.cancelled() and creating.exception() is None:
            await self._remove(creating.result())
        elif creating.cancelled():
            # The daemon may have made it although nobody waited for the answer.
            await self._remove(
                Sandbox(self._engine.calls, self._spec.name, self._spec.run_key, None)
            )

    async def _follow(self, sandbox: Sandbox) -> RunOutcome:
        try:
            await sandbox.attach(self._log.feed)
            if self._stop.is_set():
                raise StopRequestedError
            await sandbox.start()
        except SandboxFailed as error:
            if any(words in str(error).lower() for words in NO_LAUNCHER_WORDS):
                info = verdict.launcher_missing(self._event)
                return await self._end(sandbox, None, info)
            raise
        self._script_started = time.time()
        self._phase = "running"
        self._marks.append(time.monotonic())
        reason = await self._until_end(sandbox)
        if reason is not None:
            self._phase = "stopping"
            self._log.notice(
                f"{reason.message} TERM, then KILL after "
                f"{self._event.grace_seconds:g} s"
            )
            end = await sandbox.stop(self._event.grace_seconds)
        else:
            end = sandbox.exited.result()
        return await self._end(sandbox, end, reason)

    async def _until_end(self, sandbox: Sandbox) -> ErrorInfo | None:
        """Return None when the script ended by itself, else why it must be stopped."""
        stopping = asyncio.ensure_future(self._stop.wait())
        try:
            await asyncio.wait(
                [sandbox.exited, stopping],
                timeout=self._event.timeout_seconds,
                return_when=asyncio.FIRST_COMPLETED,
            )
        finally:
            stopping.cancel()
        if sandbox.exited.done():
            return None
        if self._stop.is_set():
            return verdict.cancelled()
        return verdict.timed_out(self._event)

    async def _end(
        self, sandbox: Sandbox, end: SandboxExit | None, stopped: ErrorInfo | None
    ) -> RunOutcome:
        self._marks.append(time.monotonic())
        self._phase = "cleanup"
        if end is not None and not await sandbox.drain():
            self._log.notice("the output did not end with the script; the rest is lost")
        # Removal is slow and needs no output: the log is settled beside it.
        removing = asyncio.ensure_future(self._remove(sandbox))
        outcome = self._outcome(end, stopped)
        await removing
        self._phase = "gone"
        return outcome.model_copy(update={"durations": self._durations()})

    def _outcome(
        self, end: SandboxExit | None, stopped: ErrorInfo | None
    ) -> RunOutcome:
        status, code, error = self._judge(end, stopped)
        if error is not None and stopped is None:
            self._log.notice(f"{error.message} {error.hint}".strip())
        return RunOutcome(
            status=status,
            exit_code=code,
            error=error,
            logs=self._log.close(),
            host=self._host,
        )

    def _judge(
        self, end: SandboxExit | None, stopped: ErrorInfo | None
    ) -> tuple[Status, int | None, ErrorInfo | None]:
        if end is None:
            return Status.FAILURE, None, stopped
        if stopped is not None:
            if self._stop.is_set():
                return Status.CANCELLED, EXIT_CANCELLED, stopped
            return Status.TIMEOUT, EXIT_TIMEOUT, stopped
        if end.code == 0:
            return Status.SUCCESS, 0, None
        return (
            Status.FAILURE,
            end.code,
            verdict.judge(self._event, end, self._log.tail),
        )

    async def _stopped_early(self, sandbox: Sandbox | None) -> RunOutcome:
        if sandbox is not None:
            await self._remove(sandbox)
            self._phase = "gone"
        self._log.notice("cancelled before the script began")
        return RunOutcome(
            status=Status.CANCELLED,
            exit_code=EXIT_CANCELLED,
            error=verdict.cancelled(),
            durations=self._durations(),
            logs=self._log.close(),
            host=self._host,
        )

    def _durations(self) -> PhaseDurations:
        now = time.monotonic()
        begin, start, end = (*self._marks, now, now)[:3]
        return PhaseDurations(
            setup_ms=round((start - begin) * 1000),
            execution_ms=round((end - start) * 1000),
            cleanup_ms=round((now - end) * 1000),
            total_ms=round((now - begin) * 1000),
        )

    async def _remove(self, sandbox: Sandbox) -> None:
        try:
            await self._engine.remove(sandbox)
        except CroniumError as error:
            # The outcome is more than a clean host: the janitor comes by later.
            logger.warning("%s", error)

    async def _unless_stopped(self, task: "asyncio.Future[Value]") -> Value:
        stopping = asyncio.ensure_future(self._stop.wait())
        either: list[asyncio.Future[Any]] = [task, stopping]
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
        if not task.done() or self._stop.is_set():
            raise StopRequestedError
        return task.result()
