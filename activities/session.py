"""One script in one sandbox, from pick-up to outcome, whatever happens in between.

The steps are the same for every engine: make, follow, stop, drain, remove. A stop may
be asked for at any moment; each step is either abandoned at once or finished first, so
that a sandbox is never left behind. A session may also be detached, which leaves the
script running for the next worker process, and begin with a sandbox that another
process started.
"""

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from activities.dialogue import Dialogue
from activities.failures import known
from activities.hooks import DetachedError, Hooks, StopRequestedError
from activities.judgement import judge, never_began
from activities.output import Output
from activities.phases import Phase, Phases
from activities.waiting import first_of
from contracts.errors import (
    CroniumError,
    ErrorInfo,
    HostLost,
    SandboxFailed,
    ScriptNotStarted,
    StaleAttempt,
    StartUnknown,
)
from contracts.runs import RunOutcome, RunProgress, RunRequest
from engines import endings
from engines.docker import verdict
from engines.places import (
    Engine,
    Sandbox,
    SandboxExit,
    SandboxRunsAlready,
    SandboxSpec,
)

logger = logging.getLogger(__name__)
Value = TypeVar("Value")


class Session:
    """Runs one script and keeps what is known about it.

    Args:
        run: The run.
        spec: What the sandbox is made from.
        engine: Where it is made.
        output: Where its output goes.
        dialogue: What it and the worker say to each other.
        host: Id of this host.
        hooks: Whom to tell.
    """

    def __init__(
        self,
        run: RunRequest,
        spec: SandboxSpec,
        engine: Engine,
        output: Output,
        dialogue: Dialogue,
        host: str,
        hooks: Hooks,
    ) -> None:
        self._run = run
        self._event = run.request.event
        self._spec = spec
        self._engine = engine
        self._output = output
        self._dialogue = dialogue
        self._host = host
        self._hooks = hooks
        self._stop = asyncio.Event()
        self._detach = asyncio.Event()
        self._phase = Phase.SETUP
        self._script_started: float | None = None
        self._deadline = math.inf
        self._phases = Phases()

    def stop(self) -> None:
        """Ask for the end: TERM, grace, KILL, gone."""
        self._stop.set()

    def detach(self) -> None:
        """Let go of the script; one that has not begun is given up."""
        self._detach.set()

    def progress(self) -> RunProgress:
        """Return what a heartbeat carries: never empty, since that wipes the last."""
        counts = self._output.log.counts
        said = self._dialogue.progress
        return RunProgress(
            host=self._host,
            sandbox=self._spec.name,
            phase=self._phase,
            event=self._event.name,
            attempt=self._run.attempt,
            dispatch=self._run.dispatch,
            started_at=self._script_started,
            lines=counts.lines,
            bytes=counts.bytes,
            dropped_lines=counts.dropped_lines,
            stored=counts.stored,
            cursors=self._output.log.cursors,
            tail=self._output.log.tail,
            fraction=said.fraction if said else None,
            progress=self._output.log.masked(said.text) if said else "",
        )

    async def run(self, claim: Callable[[], Awaitable[None]]) -> RunOutcome:
        """Run the script to its end.

        Args:
            claim: Tells Temporal, durably, that this host owns the run. The script is
                not started before it has returned.

        Raises:
            EngineError: The script was not started, or its outcome is not known.
            DetachedError: The session was detached.
        """
        try:
            sandbox = await self._make(claim)
        except SandboxRunsAlready:
            # Whatever comes now, it is not to be sent out as one that never began.
            self._script_started = time.time()
            return await self._take_over(self._engine.sandbox(self._run.run_key), {})
        except StopRequestedError:
            return await self._stopped_early()
        except Exception as error:
            trouble = known(error)
            self._refused(trouble)
            raise trouble from trouble.__cause__
        return await self._keep_clean(sandbox, self._follow(sandbox))

    async def resume(
        self,
        progress: RunProgress,
        *,
        was_started: bool,
        seconds_ago: float | None = None,
    ) -> RunOutcome:
        """Go on with a script that another process started.

        Args:
            progress: What was last heard of it.
            was_started: Whether this host knows that the script was started.
            seconds_ago: When, if it knows that better than the wall clock does.

        Raises:
            ScriptNotStarted: It was not started, and will not be.
            HostLost: It was started, and nothing of it is left.
            EngineUnavailable: The daemon does not answer.
            DetachedError: The session was detached.
        """
        sandbox = self._engine.sandbox(self._run.run_key)
        status = await sandbox.status()
        if status == "created" and await sandbox.never_begins():
            await self._remove(sandbox)
            self._output.end()
            raise ScriptNotStarted
        if status is None:
            self._output.end()
            if was_started or progress.started_at is not None:
                raise HostLost(
                    f"{sandbox.name} is not there any more, and nobody has seen how "
                    "its script ended"
                )
            raise ScriptNotStarted
        return await self._take_over(
            sandbox, progress.cursors, status=status, seconds_ago=seconds_ago
        )

    async def _take_over(
        self,
        sandbox: Sandbox,
        cursors: dict[str, int],
        *,
        status: str = "",
        seconds_ago: float | None = None,
    ) -> RunOutcome:
        self._phase = Phase.RUNNING
        began = await sandbox.started_at() or time.time()
        self._script_started = began
        gone_by = time.time() - began if seconds_ago is None else seconds_ago
        start = self._phases.start(gone_by)
        if status not in ("exited", "dead"):
            # One that ended by itself keeps its result, however late it was.
            self._deadline = start + self._event.timeout_seconds
        return await self._keep_clean(sandbox, self._go_on(sandbox, cursors, gone_by))

    async def _go_on(
        self, sandbox: Sandbox, cursors: dict[str, int], gone_by: float
    ) -> RunOutcome:
        await self._dialogue.reopen()
        await self._output.read_again(sandbox, cursors, follow=True)
        # Not before: it takes a thread of the engine's until the script ends.
        sandbox.watch()
        self._output.notice(
            f"worker of {self._host} went on with the script, {gone_by:.1f} s after "
            "its start"
        )
        return await self._conduct(sandbox)

    async def _make(self, claim: Callable[[], Awaitable[None]]) -> Sandbox:
        claiming = asyncio.ensure_future(claim())
        creating = asyncio.ensure_future(self._engine.create(self._spec))
        try:
            await self._unless_ended(claiming)
            # Not before: a worker that owns nothing writes nothing.
            self._output.notice(
                f"try {self._run.attempt}/{self._run.max_attempts} of "
                f"{self._event.name} on {self._host}"
            )
            await self._unless_ended(creating)
            await self._dialogue.open()
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
            await self._remove(self._engine.sandbox(self._run.run_key))

    async def _keep_clean(
        self, sandbox: Sandbox, work: Awaitable[RunOutcome]
    ) -> RunOutcome:
        """Remove the sandbox after trouble, unless somebody else goes on with it."""
        try:
            return await work
        except DetachedError:
            sandbox.detach()
            await self._dialogue.close()
            raise
        except StopRequestedError:
            await self._remove(sandbox)
            return await self._stopped_early()
        except Exception as error:
            trouble = known(error)
            if isinstance(trouble, StartUnknown | HostLost):
                self._script_started = self._script_started or time.time()
            # Whoever goes on with the script has a log and a channel of its own.
            sandbox.detach()
            await self._dialogue.close()
            if self._script_started is None:
                await self._remove(sandbox)
                self._refused(trouble)
            raise trouble from trouble.__cause__

    async def _follow(self, sandbox: Sandbox) -> RunOutcome:
        try:
            await self._output.attach(sandbox)
            if self._stop.is_set() or self._detach.is_set():
                raise StopRequestedError
            await sandbox.start()
        except SandboxFailed as error:
            info = verdict.launcher_trouble(self._event, error)
            if info is not None:
                return await self._end(sandbox, None, info)
            raise
        self._script_started = time.time()
        self._phase = Phase.RUNNING
        self._hooks.started()
        self._deadline = self._phases.start() + self._event.timeout_seconds
        return await self._conduct(sandbox)

    async def _conduct(self, sandbox: Sandbox) -> RunOutcome:
        reason = await self._until_end(sandbox)
        if reason is None:
            return await self._end(sandbox, sandbox.exited.result(), None)
        self._phase = Phase.STOPPING
        self._output.notice(
            f"{reason.message} TERM, then KILL after {self._event.grace_seconds:g} s"
        )
        stopping = asyncio.ensure_future(sandbox.stop(self._event.grace_seconds))
        await first_of(stopping, self._detach)
        if not stopping.done():
            stopping.cancel()
            raise DetachedError
        return await self._end(sandbox, stopping.result(), reason)

    async def _until_end(self, sandbox: Sandbox) -> ErrorInfo | None:
        """Return None when the script ended by itself, else why it must be stopped."""
        while True:
            reading = asyncio.ensure_future(self._output.keep_up(sandbox))
            try:
                await first_of(
                    sandbox.exited,
                    self._stop,
                    self._detach,
                    reading,
                    timeout=self._deadline - time.monotonic(),
                )
            finally:
                reading.cancel()
            if sandbox.exited.done():
                return None
            if self._detach.is_set():
                raise DetachedError
            if self._stop.is_set():
                return endings.cancelled()
            if time.monotonic() >= self._deadline:
                return endings.timed_out(self._event)

    async def _end(
        self, sandbox: Sandbox, end: SandboxExit | None, stopped: ErrorInfo | None
    ) -> RunOutcome:
        self._phases.end()
        self._phase = Phase.CLEANUP
        if end is not None:
            await self._output.drain(sandbox)
        given = await self._dialogue.end()
        outcome = self._outcome(end, stopped).model_copy(
            update={"output": given.output, "condition": given.condition}
        )
        self._hooks.settled(outcome)
        self._output.log.complete()
        self._dialogue.forget()
        if stopped is None:
            # Removal is slow, and whoever waits for the result needs none of it.
            self._hooks.release(sandbox)
        else:
            await self._remove(sandbox)
        self._phase = Phase.GONE
        return outcome.model_copy(update={"durations": self._phases.durations()})

    def _outcome(
        self, end: SandboxExit | None, stopped: ErrorInfo | None
    ) -> RunOutcome:
        status, code, error = judge(
            self._engine,
            self._event,
            end,
            stopped,
            cancelled=self._stop.is_set(),
            tail=self._output.log.tail,
        )
        if error is not None and stopped is None:
            self._output.notice(error.text)
        for process in end.leftovers if end is not None else ():
            self._output.notice(f"could not be ended: process {process}")
        return RunOutcome(
            status=status,
            exit_code=code,
            durations=self._phases.durations(),
            error=error,
            logs=self._output.log.close(),
            host=self._host,
        )

    async def _stopped_early(self) -> RunOutcome:
        await self._dialogue.close()
        self._dialogue.forget()
        if not self._stop.is_set():
            self._output.end()
            raise DetachedError
        self._phase = Phase.GONE
        self._output.notice("cancelled before the script began")
        outcome = never_began(
            self._phases.durations(), self._output.log.close(), self._host
        )
        self._hooks.settled(outcome)
        self._output.log.complete()
        return outcome

    def _refused(self, error: CroniumError) -> None:
        # Whoever lost the run to another writes nothing into its log.
        if not isinstance(error, StaleAttempt):
            self._output.notice(error.info.text)
        self._output.end()

    async def _remove(self, sandbox: Sandbox) -> None:
        try:
            await self._engine.remove(sandbox)
        except Exception as error:
            # The outcome is more than a clean host: the janitor comes by later.
            logger.warning("%s", known(error))

    async def _unless_ended(self, task: "asyncio.Future[Value]") -> Value:
        await first_of(task, self._stop, self._detach)
        if not task.done() or self._stop.is_set() or self._detach.is_set():
            raise StopRequestedError
        return task.result()
