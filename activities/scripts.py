"""Running a script and going on with one, for Temporal: the same for every place.

The session that drives a sandbox lives beside the activity that waits for it: when
Temporal loses sight of an activity, the script goes on, and the next activity for the
same run waits for the same session. A worker that is told to stop lets go of its
sessions, and the next worker process takes their sandboxes over.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from temporalio import activity
from temporalio.client import AsyncActivityCancelledError, Client
from temporalio.service import RPCError

from activities import clocks
from activities.clocks import Moment
from activities.failures import application_error, known
from activities.hooks import DetachedError, Hooks
from activities.ledger import Entry, Ledger
from activities.order import SessionFactory
from activities.session import Session
from activities.watching import Watch, queue_wait
from contracts import names
from contracts.errors import (
    CroniumError,
    EngineUnavailable,
    HostLost,
    HostNotReady,
    LogStorageFull,
    SandboxFailed,
    StaleAttempt,
    WorkerDraining,
    WorkerFault,
)
from contracts.runs import ResumeRequest, RunOutcome, RunRequest
from engines.places import Engine, Sandbox

logger = logging.getLogger(__name__)

CLAIM_SECONDS = 20.0
# A host that refuses at once would draw every run of the queue to itself.
REFUSAL_SECONDS = 1.0
# An error that nobody foresaw comes again at once if it is asked for again at once.
FAULT_SECONDS = 2.0
# Signs of life that all containers, or all servers' scripts, of a host send together:
# five hundred that each send one a second keep Temporal so busy that some are late.
BEATS_PER_SECOND = 150


def beat_pause(interval: float, runs: int, timeout: float) -> float:
    """Return the seconds until a run's next sign of life.

    Args:
        interval: What is wished for, in seconds.
        runs: How many of them a host has.
        timeout: Seconds after which Temporal misses one.
    """
    return max(interval, min(runs / BEATS_PER_SECOND, timeout / 3))


async def _or_lost(work: Awaitable[RunOutcome]) -> RunOutcome:
    """Return what a script that was taken over came to.

    Raises:
        HostLost: Its sandbox went away meanwhile. Somebody else may have seen its end,
            a worker of the same name for one, so it is not one to be tried again.
    """
    try:
        return await work
    except SandboxFailed as error:
        raise HostLost(
            f"{error.info.message}, and nobody here has seen how its script ended"
        ) from error


@dataclass(slots=True)
class Running:
    """A session at work and how many activities wait for it."""

    session: Session
    task: "asyncio.Task[RunOutcome]"
    waiting: int = 0


@dataclass
class ScriptActivities:
    """What the activities of containers and those of servers have in common.

    Args:
        sessions: Makes sessions from requests.
        ledger: What this host knows of its runs.
        client: Temporal, for the claim that must be durable before the start.
        heartbeat_interval: Seconds between two signs of life; with very many runs it
            is longer, up to a third of the heartbeat timeout.
        not_ready: Returns why this host takes no runs, or None.
        watch: Told what happens to each try.
    """

    sessions: SessionFactory
    ledger: Ledger
    client: Client
    heartbeat_interval: float
    not_ready: Callable[[], str | None] = lambda: None
    watch: Watch = field(default_factory=Watch)
    active: dict[str, Running] = field(default_factory=dict)
    _releases: dict[str, asyncio.Task[None]] = field(default_factory=dict)

    def claimed(self) -> frozenset[str]:
        """Return the run keys of the sandboxes that somebody is working on."""
        waited_for = {key for key, running in self.active.items() if running.waiting}
        return frozenset(waited_for | set(self._releases))

    def known(self) -> frozenset[str]:
        """Return the run keys that this process still has something to do with."""
        return frozenset({*self.active, *self._releases})

    def stop_orphan(self, run_key: str) -> bool:
        """Stop a session that nobody waits for; False when there is none."""
        running = self.active.get(run_key)
        if running is None:
            return False
        running.session.stop()
        return True

    async def released(self, seconds: float) -> None:
        """Wait until the sandboxes of ended scripts are removed."""
        if self._releases:
            await asyncio.wait(self._releases.values(), timeout=seconds)

    async def run(self, run: RunRequest) -> RunOutcome:
        """Run one script; its outcome is a result, whatever the exit code.

        Raises:
            ApplicationError: `type` says why there is no outcome; with progress in its
                details the script may have been started.
        """
        running = self.active.get(run.run_key)
        if running is None:
            self.watch.received(run, queue_wait())
            try:
                session = await self._opened(run)
            except CroniumError as error:
                self.watch.refused(run, error)
                raise application_error(error) from None
            claim = self._claim_of(session)
            running = self._begin(run, session, session.run(claim))
        return await self._wait_for(run, running)

    async def resume(self, order: ResumeRequest) -> RunOutcome:
        """Go on with a run that no activity waits for any more.

        Raises:
            ApplicationError: `ScriptNotStarted` when it may be sent out again,
                `HostLost` when its outcome will never be known.
        """
        run, key = order.run, order.run.run_key
        entry, running = self.ledger.find(key), self.active.get(key)
        if running is None:
            if entry is not None and entry.outcome is not None:
                # The sandbox of an outcome that nobody got may still be there.
                place = self.sessions.place(run)
                self._release(place, place.sandbox(key))
                return entry.outcome
            running = await self._take_over(order, entry)
        self.ledger.keep(self._entry(run, started=entry.started if entry else None))
        if order.cancel:
            self._stop(run, running)
        return await self._wait_for(run, running)

    async def _take_over(self, order: ResumeRequest, entry: Entry | None) -> Running:
        started = entry.started if entry else None
        try:
            session = await self._session(order.run, resume=True)
        except OSError as error:
            away = EngineUnavailable(
                f"the state directory gives nothing: {error.strerror}",
                hint="Check the disk of the worker's state directory.",
            )
            raise application_error(away) from None
        except Exception as error:
            raise application_error(known(error)) from None
        running = self.active.get(order.run.run_key)
        if running is not None:
            # Another activity was quicker while this one looked at the place.
            return running
        work = session.resume(
            order.progress,
            was_started=started is not None,
            seconds_ago=started.seconds_ago() if started else None,
        )
        self.watch.resumed(order.run)
        return self._begin(order.run, session, _or_lost(work))

    async def _opened(self, run: RunRequest) -> Session:
        try:
            await self._check_ready()
            # Before there is anything that somebody would have to remove.
            self.ledger.write(self._entry(run))
            try:
                return await self._session(run)
            except BaseException:
                self.ledger.forget(run.run_key)
                raise
        except OSError as error:
            raise LogStorageFull(
                f"the state directory takes nothing: {error.strerror}"
            ) from None
        except Exception as error:
            raise known(error) from None

    async def _check_ready(self) -> None:
        problem = self.not_ready()
        if problem is not None:
            await asyncio.sleep(REFUSAL_SECONDS)
            raise HostNotReady(f"this host takes no runs: {problem}")
        problem = self.sessions.spools.problem
        if problem is not None:
            await asyncio.sleep(REFUSAL_SECONDS)
            raise LogStorageFull(problem)

    async def _session(self, run: RunRequest, *, resume: bool = False) -> Session:
        key, place = run.run_key, self.sessions.place(run)
        hooks = Hooks(
            started=lambda: self.ledger.update(key, started=clocks.now()),
            settled=lambda outcome: self.ledger.update(key, outcome=outcome),
            release=lambda sandbox: self._release(place, sandbox),
        )
        info = activity.info()
        workflow = (info.workflow_id or "", info.workflow_run_id or "")
        return await self.sessions.open(run, workflow, hooks, resume=resume)

    def _begin(
        self,
        run: RunRequest,
        session: Session,
        work: Coroutine[Any, Any, RunOutcome],
    ) -> Running:
        task = asyncio.create_task(work)
        running = self.active[run.run_key] = Running(session, task)

        def end(done: asyncio.Task[RunOutcome]) -> None:
            del self.active[run.run_key]
            if done.cancelled():
                return
            error = done.exception()
            if error is None:
                self.watch.ended(run, done.result())
            elif isinstance(error, CroniumError):
                self.watch.refused(run, error)

        task.add_done_callback(end)
        return running

    async def _wait_for(self, run: RunRequest, running: Running) -> RunOutcome:
        session, task = running.session, running.task
        beating = asyncio.ensure_future(self._beat(session))
        shutdown = asyncio.ensure_future(activity.wait_for_worker_shutdown())
        running.waiting += 1
        try:
            await self._attend(run, running, shutdown)
            return task.result()
        except DetachedError:
            error = WorkerDraining(f"the worker of {self.sessions.host} was stopped")
            progress = session.progress()
            begun = progress if progress.started_at is not None else None
            raise application_error(error, begun) from None
        except Exception as error:
            trouble = known(error)
            if isinstance(trouble, WorkerFault):
                await asyncio.sleep(FAULT_SECONDS)
            # With the progress: a script that was started is not sent out anew.
            raise application_error(trouble, session.progress()) from None
        finally:
            running.waiting -= 1
            beating.cancel()
            shutdown.cancel()

    async def _attend(
        self,
        run: RunRequest,
        running: Running,
        shutdown: "asyncio.Future[None]",
    ) -> None:
        """Return when the session has ended, also when it was told to."""
        session, task = running.session, running.task
        either: list[asyncio.Future[Any]] = [task, shutdown]
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            details = activity.cancellation_details()
            if details is None or not details.cancel_requested:
                if details is None or not details.worker_shutdown:
                    # Temporal gave this activity up: another will come for the
                    # session, or the janitor, when the workflow wants none.
                    raise
                session.detach()
            else:
                self._stop(run, running)
                # Finished first, so that the container is gone when the run is.
                await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            session.detach()
            await asyncio.wait([task])

    def _stop(self, run: RunRequest, running: Running) -> None:
        self.watch.cancelled(run)
        running.session.stop()

    async def _beat(self, session: Session) -> None:
        while True:
            activity.heartbeat(session.progress())
            limit = activity.info().heartbeat_timeout
            timeout = limit.total_seconds() if limit else 0.0
            await asyncio.sleep(
                beat_pause(self.heartbeat_interval, len(self.active), timeout)
            )

    def _claim_of(self, session: Session) -> Callable[[], Coroutine[Any, Any, None]]:
        token = activity.info().task_token

        async def claim() -> None:
            # A plain heartbeat is queued; this call returns when the server has it.
            handle = self.client.get_async_activity_handle(task_token=token)
            try:
                await asyncio.wait_for(
                    handle.heartbeat(session.progress()), CLAIM_SECONDS
                )
            except AsyncActivityCancelledError:
                session.stop()
            except (TimeoutError, RPCError) as error:
                raise StaleAttempt(
                    "Temporal did not confirm that this host owns the run"
                ) from error

        return claim

    def _entry(self, run: RunRequest, *, started: Moment | None = None) -> Entry:
        info = activity.info()
        return Entry(
            run_key=run.run_key,
            workflow_id=info.workflow_id or "",
            workflow_run=info.workflow_run_id or "",
            activity_id=info.activity_id,
            start_id=names.start_id(run.target, run.attempt, run.dispatch),
            started=started,
        )

    def _release(self, place: Engine, sandbox: Sandbox) -> None:
        key = sandbox.run_key
        if key in self._releases:
            return

        async def remove() -> None:
            try:
                await place.remove(sandbox)
            except Exception as error:
                # What cannot be removed now is the janitor's.
                logger.info("%s is removed later: %s", sandbox.name, known(error))
            self.sessions.forget(key)

        task = self._releases[key] = asyncio.create_task(remove())
        task.add_done_callback(lambda _: self._releases.pop(key, None))
