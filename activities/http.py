"""`run_http`: one try of one HTTP request, under Temporal's eyes.

A request leaves nothing behind that another worker could go on with. When this one is
lost or drains, the workflow decides by `EventSpec.may_repeat`, and by whether progress
with a `started_at` is known: without it nothing was sent.
"""

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from temporalio import activity
from temporalio.client import AsyncActivityCancelledError, Client
from temporalio.service import RPCError

from activities.failures import application_error, known
from activities.phases import Phases
from activities.watching import Watch, queue_wait
from contracts.errors import (
    CroniumError,
    HttpError,
    LogStorageFull,
    StaleAttempt,
    WorkerDraining,
)
from contracts.logs import Stream
from contracts.results import EXIT_CANCELLED, EXIT_TIMEOUT, LogCounts, Status
from contracts.runs import RUN_HTTP, RunOutcome, RunProgress, RunRequest
from engines.http import HttpEnd, HttpEngine, PreparedRequest, cancelled
from engines.secrets import SecretStore
from logstream import Redactor, RunLog, SpoolDirectory

EXIT_FAILURE = 1
CLAIM_SECONDS = 20.0


@dataclass
class HttpActivities:
    """The HTTP requests of one host.

    Args:
        engine: Sends them.
        spools: Where log lines are kept until the gateway has them.
        secrets: Resolves references.
        client: Temporal, for the claim that must be durable before a request is sent
            that may not be sent twice.
        host: Id of this host.
        heartbeat_interval: Seconds between two signs of life.
        log_cap: Bytes of log kept per try.
        watch: Told what happens to each try.
    """

    engine: HttpEngine
    spools: SpoolDirectory
    secrets: SecretStore
    client: Client
    host: str
    heartbeat_interval: float
    log_cap: int
    watch: Watch = field(default_factory=Watch)

    @activity.defn(name=RUN_HTTP.name)
    async def run_http(self, run: RunRequest) -> RunOutcome:
        """Send one request; its outcome is a result, whatever the server does.

        Raises:
            ApplicationError: Nothing was sent; or, with progress in its details, the
                worker drains and what became of the request is not known.
        """
        attempt = _Try(self, run)
        self.watch.received(run, queue_wait())
        try:
            outcome = await attempt.run()
        except WorkerDraining as error:
            raise application_error(error, attempt.progress()) from None
        except CroniumError as error:
            self.watch.refused(run, error)
            raise application_error(error) from None
        except Exception as error:
            trouble = known(error)
            self.watch.refused(run, trouble)
            # With the progress: a request that may have been sent is not sent anew.
            raise application_error(trouble, attempt.progress()) from None
        self.watch.ended(run, outcome)
        return outcome

    def open_log(self, run: RunRequest, secrets: tuple[str, ...]) -> RunLog:
        """Return the log of a try.

        Raises:
            LogStorageFull: There is no room for lines.
        """
        problem = self.spools.problem
        if problem is not None:
            raise LogStorageFull(problem)
        return RunLog(
            execution_id=run.request.execution_id,
            target=run.target,
            attempt=run.attempt,
            dispatch=run.dispatch,
            spool=self.spools.open(run.run_key),
            redactor=Redactor(secrets),
            cap_bytes=self.log_cap,
        )


class _Try:
    """One request from pick-up to outcome."""

    def __init__(self, host: HttpActivities, run: RunRequest) -> None:
        self._host = host
        self._run = run
        self._event = run.request.event
        self._log: RunLog | None = None
        self._sent: float | None = None
        self._phases = Phases()
        self._telling = asyncio.Lock()

    async def run(self) -> RunOutcome:
        beating = asyncio.ensure_future(self._beat())
        try:
            return await self._send(await self._prepare())
        except CroniumError as error:
            # Its message names fields and secrets, never values.
            if self._log is None and not isinstance(error, LogStorageFull):
                self._log = self._host.open_log(self._run, ())
            if self._log is not None:
                self._log.notice(f"{error} {error.user_hint}".strip())
            raise
        finally:
            beating.cancel()
            if self._log is not None:
                self._log.close()
                self._log.complete()

    async def _prepare(self) -> PreparedRequest:
        host, run = self._host, self._run
        host.engine.check_ceilings(self._event)
        data = {"input": run.request.input, "event": _event_data(run)}
        spec = self._event.http
        assert spec is not None
        request = await host.engine.prepare(spec, data, host.secrets.resolve)
        self._log = host.open_log(run, request.secrets)
        self._log.notice(
            f"try {run.attempt}/{run.max_attempts} of {self._event.name} on {host.host}"
        )
        return request

    async def _send(self, request: PreparedRequest) -> RunOutcome:
        log = self._log
        assert log is not None
        self._sent = time.time()
        self._phases.start()
        if not self._event.may_repeat and not await self._claim():
            return self._outcome(Status.CANCELLED, EXIT_CANCELLED, None)
        sending = asyncio.ensure_future(
            self._host.engine.send(
                self._event,
                request,
                say=lambda line: log.feed(Stream.STDOUT, _line(line)),
                mask=Redactor(request.secrets),
            )
        )
        try:
            end = await asyncio.shield(sending)
        except asyncio.CancelledError:
            sending.cancel()
            await asyncio.wait([sending])
            details = activity.cancellation_details()
            if details is not None and details.cancel_requested:
                self._host.watch.cancelled(self._run)
                return self._outcome(Status.CANCELLED, EXIT_CANCELLED, None)
            if details is None or not details.worker_shutdown:
                # Temporal gave this activity up: nobody would read an outcome.
                raise
            raise WorkerDraining(
                f"the worker of {self._host.host} was stopped while the request was "
                "under way"
            ) from None
        return self._outcome(*_judge(end), end)

    async def _claim(self) -> bool:
        """Make it known that the request may have been sent; False when cancelled.

        Without a heartbeat on record a worker's death means that nothing was sent.
        """
        try:
            await asyncio.wait_for(self._tell(), CLAIM_SECONDS)
        except AsyncActivityCancelledError:
            return False
        except (TimeoutError, RPCError) as error:
            raise StaleAttempt(
                "Temporal did not confirm that this host owns the request"
            ) from error
        return True

    def _outcome(self, status: Status, code: int, end: HttpEnd | None) -> RunOutcome:
        log = self._log
        assert log is not None
        self._phases.end()
        error = end.error if end is not None else cancelled()
        if error is not None:
            log.notice(f"{error.message} {error.hint}".strip())
        return RunOutcome(
            status=status,
            exit_code=code,
            output=end and end.response.model_dump(mode="json"),
            error=error,
            logs=log.close(),
            durations=self._phases.durations(),
            host=self._host.host,
        )

    async def _tell(self) -> None:
        """Send a heartbeat after those before it; return when Temporal has it."""
        token = activity.info().task_token
        handle = self._host.client.get_async_activity_handle(task_token=token)
        async with self._telling:
            await handle.heartbeat(self.progress())

    async def _beat(self) -> None:
        # A heartbeat that the SDK queues may reach Temporal after the claim, and would
        # take it back.
        while self._sent is None and not self._event.may_repeat:
            with suppress(TimeoutError, RPCError, AsyncActivityCancelledError):
                await asyncio.wait_for(self._tell(), CLAIM_SECONDS)
            await asyncio.sleep(self._host.heartbeat_interval)
        while True:
            activity.heartbeat(self.progress())
            await asyncio.sleep(self._host.heartbeat_interval)

    def progress(self) -> RunProgress:
        """Return what a heartbeat carries."""
        counts = self._log.counts if self._log else LogCounts()
        return RunProgress(
            host=self._host.host,
            sandbox="",
            phase="setup" if self._sent is None else "running",
            event=self._event.name,
            attempt=self._run.attempt,
            dispatch=self._run.dispatch,
            started_at=self._sent,
            lines=counts.lines,
            bytes=counts.bytes,
            dropped_lines=counts.dropped_lines,
            stored=counts.stored,
            tail=self._log.tail if self._log else [],
        )


def _judge(end: HttpEnd) -> tuple[Status, int]:
    if end.error is None:
        return Status.SUCCESS, 0
    if end.error.type == HttpError.TIMEOUT:
        return Status.TIMEOUT, EXIT_TIMEOUT
    return Status.FAILURE, EXIT_FAILURE


def _line(text: str) -> bytes:
    return text.encode("utf-8", "replace") + b"\n"


def _event_data(run: RunRequest) -> dict[str, Any]:
    event, request = run.request.event, run.request
    return {
        "id": event.id,
        "name": event.name,
        "type": event.type.value,
        "executionId": request.execution_id,
        "userId": request.user,
        "trigger": request.trigger.value,
        "attempt": run.attempt,
        "maxAttempts": run.max_attempts,
        "tags": event.tags,
    }
