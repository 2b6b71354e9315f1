"""One try on one target: sent out, waited for when its host is lost, sent out again.

Temporal retries nothing here. A host that has claimed a try may have started the
script, so what happens next is decided with its last heartbeat in hand:

- who can go on with the run is asked to: the host's own queue for a container, any
  worker for a server (see `workflows.routes`);
- when nobody answers there in time, the try is lost, or is sent out again elsewhere if
  the event says that its script may run twice.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from contracts import names
    from contracts.errors import (
        ErrorInfo,
        HostLost,
        SandboxInterrupted,
        ScriptNotStarted,
    )
    from contracts.events import EventRequest
    from contracts.results import LogCounts, Status
    from contracts.runs import (
        ActivityStub,
        Admission,
        ResumeRequest,
        RunOutcome,
        RunRequest,
    )
    from contracts.server_errors import UNREACHABLE_TYPES
    from contracts.servers import UNREACHABLE_SECONDS, ServerSpec
    from workflows.endings import (
        Ended,
        Lost,
        Trouble,
        cancelled,
        cancelling,
        logs_of,
        timed_out_in_queue,
        total,
        understand,
    )
    from workflows.pacing import Pacer, history_is_full
    from workflows.patience import is_final, longest_wait, worth_resuming
    from workflows.priorities import priority_of
    from workflows.routes import Resume, route_of

ONE_ATTEMPT = RetryPolicy(maximum_attempts=1)
# Somebody who cancels waits in front of a terminal.
CANCEL_WINDOW = 30.0
RESUME_WAIT = 2.0
SPARE_WINDOWS = 3
# For draining the log and for stopping what does not want to stop.
CLEANUP_SECONDS = 120.0


class Attempt:
    """Carries one try to its outcome.

    Args:
        request: The order.
        target: Name of the target.
        number: Which try, from 1.
        last: Which try is the last.
        dispatched: How often the target was sent out before.
        admission: What the operator's settings allow.
        waiting: Called with what is waited for, or None when it goes on.
        server: Where it runs; None is a container or an HTTP request.
        pacer: Asked before every start, where many targets are sent out at once.
    """

    def __init__(
        self,
        request: EventRequest,
        target: str,
        number: int,
        last: int,
        dispatched: int,
        admission: Admission,
        waiting: Callable[[ErrorInfo | None, str | None], None],
        server: ServerSpec | None = None,
        pacer: Pacer | None = None,
    ) -> None:
        self._request = request
        self._server = server
        self._route = route_of(request.event, server)
        self._pacer = pacer
        self._target = target
        self._number = number
        self._last = last
        self.dispatches = dispatched
        self._admission = admission
        self._waiting = waiting
        self._resumes = 0
        self._spare_windows = SPARE_WINDOWS
        self._away_since: datetime | None = None
        self._logs = LogCounts()

    async def run(self) -> RunOutcome:
        """Return the outcome; cancelling this task gives one as well."""
        troubles = 0
        while True:
            run = self._next_request()
            ended = await self._send(run)
            if isinstance(ended, Lost):
                ended = await self._after_loss(run, ended)
            if isinstance(ended, RunOutcome) and not self._runs_again(ended):
                return self._with_logs(ended)
            error = None
            if isinstance(ended, Trouble):
                error, self._logs = ended.error, total(self._logs, ended.logs)
            troubles += 1
            if error is not None and self._gives_up(error, troubles):
                return self._with_logs(RunOutcome(status=Status.FAILURE, error=error))
            if not await self._pause(error, troubles):
                return self._with_logs(cancelled("while it waited for the engine"))

    def _gives_up(self, error: ErrorInfo, troubles: int) -> bool:
        if error.retryable and self._waits_for_server(error) and not history_is_full():
            return False
        return is_final(error, troubles)

    def _waits_for_server(self, error: ErrorInfo) -> bool:
        """Whether a server that cannot be reached has time left to come back.

        A single server may be started anew just now, and its job is to survive that.
        Of many some are always dead: they must not hold the others up.
        """
        if self._server is None or error.type not in UNREACHABLE_TYPES:
            return False
        seconds = self._server.deadlines.unreachable_seconds
        if seconds is None:
            seconds = UNREACHABLE_SECONDS if self._pacer is None else 0.0
        if not seconds or not workflow.patched("unreachable-server"):
            return False
        now = workflow.now()
        self._away_since = self._away_since or now
        return (now - self._away_since).total_seconds() < seconds

    def _next_request(self) -> RunRequest:
        self.dispatches += 1
        info = workflow.info()
        return RunRequest(
            request=self._request,
            target=self._target,
            attempt=self._number,
            max_attempts=self._last,
            dispatch=self.dispatches,
            run_key=names.run_key(
                info.workflow_id,
                info.run_id,
                self._target,
                self._number,
                self.dispatches,
            ),
            server=self._server,
        )

    async def _send(self, run: RunRequest) -> Ended:
        wait = self._admission.schedule_to_start_seconds
        try:
            return await self._execute(
                self._route.run, run, run, wait, self._route.run_queue()
            )
        except asyncio.CancelledError:
            return cancelled("before the script began")
        except ActivityError as error:
            if timed_out_in_queue(error):
                return Trouble(_no_free_slot(wait))
            ended = understand(error)
        if isinstance(ended, Trouble) and ended.progress is not None:
            lost = Lost(ended.progress, "its outcome is unknown")
            return self._give_up(lost, ended.error)
        return ended

    async def _after_loss(self, run: RunRequest, lost: Lost) -> RunOutcome | Trouble:
        if self._route.resume is not None:
            return await self._resume(run, lost, self._route.resume)
        # A request leaves nothing behind that another worker could go on with.
        if lost.progress.started_at is None and not cancelling():
            return Trouble(logs=logs_of(lost.progress))
        return self._give_up(lost)

    async def _resume(
        self, run: RunRequest, lost: Lost, stub: Resume
    ) -> RunOutcome | Trouble:
        began = workflow.now()
        while True:
            cancel = cancelling()
            self._tell(lost)
            self._resumes += 1
            order = ResumeRequest(run=run, progress=lost.progress, cancel=cancel)
            window = self._window(began, cancel)
            if not cancel:
                window = self._route.resume_wait(self._admission, window)
            host = lost.progress.host
            try:
                outcome = await self._execute(
                    stub, order, run, window, self._route.resume_queue(host), host
                )
            except asyncio.CancelledError:
                continue
            except ActivityError as error:
                if timed_out_in_queue(error):
                    return self._give_up(lost)
                if is_cancelled_exception(error) and not cancel:
                    continue  # Nobody had it yet: now it is to be stopped.
                ended = understand(error)
            else:
                self._waiting(None, None)
                return outcome
            if isinstance(ended, Lost):
                lost = ended
                if lost.host_answers:
                    began = workflow.now()
                if self._window(began, cancel) <= 0:
                    return self._give_up(lost)
                if not lost.host_answers:
                    await self._breathe()
                continue
            if isinstance(ended, RunOutcome):
                return self._give_up(lost)
            if not worth_resuming(ended.error):
                return self._after_refusal(lost, ended.error)
            if self._window(began, cancel) <= 0:
                if cancel or ended.error is not None or not self._once_more():
                    return self._give_up(lost)
                began = workflow.now()
            await self._breathe()

    def _once_more(self) -> bool:
        """Whether to wait anew for a host that took the run up and was gone again.

        It had come back; the window went by while nobody ran this workflow. But not
        for ever: what takes the worker down may be the run.
        """
        self._spare_windows -= 1
        return self._spare_windows >= 0 and workflow.patched("host-was-back")

    async def _execute(
        self,
        stub: ActivityStub[Any, RunOutcome],
        argument: Any,
        run: RunRequest,
        schedule_to_start: float,
        queue: str | None,
        host: str | None = None,
    ) -> RunOutcome:
        if self._pacer is not None:
            await self._pacer.room(len(argument.model_dump_json()))
        event, admission = self._request.event, self._admission
        longest = event.timeout_seconds + event.grace_seconds + admission.setup_seconds
        verb, where = "", run.target
        if host is not None:
            verb, where = "resume ", self._route.resumer(host, run.target)
        handle: workflow.ActivityHandle[RunOutcome] = workflow.start_activity(
            stub.name,
            argument,
            activity_id=names.activity_id(
                run.target, run.attempt, run.dispatch, self._resumes if host else 0
            ),
            task_queue=queue,
            result_type=stub.result,
            start_to_close_timeout=timedelta(seconds=longest + CLEANUP_SECONDS),
            schedule_to_start_timeout=timedelta(seconds=max(1.0, schedule_to_start)),
            heartbeat_timeout=timedelta(seconds=admission.heartbeat_timeout_seconds),
            retry_policy=ONE_ATTEMPT,
            priority=priority_of(self._request),
            cancellation_type=(
                workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED
            ),
            summary=f"{verb}{event.type} {event.name} → {where} "
            f"(try {run.attempt}/{run.max_attempts})"[:200],
        )
        try:
            return await handle
        except asyncio.CancelledError:
            if handle.done() and not handle.cancelled():
                # Its end and the cancel came together: what it says still counts.
                return handle.result()
            raise

    def _after_refusal(
        self, lost: Lost, error: ErrorInfo | None
    ) -> RunOutcome | Trouble:
        """The host answered that it cannot go on with the run."""
        if error is None or error.type == ScriptNotStarted().type:
            if cancelling():
                return cancelled("before the script began")
            return Trouble()
        if error.type == HostLost().type:
            return self._give_up(lost, error)
        return RunOutcome(status=Status.FAILURE, error=error, host=lost.progress.host)

    def _give_up(
        self, lost: Lost, error: ErrorInfo | None = None
    ) -> RunOutcome | Trouble:
        progress = lost.progress
        self._logs = total(self._logs, logs_of(progress))
        if cancelling():
            return cancelled(self._route.left_behind(lost), host=progress.host)
        if self._request.event.may_repeat:
            return Trouble()
        if error is None:
            error = HostLost(self._route.unknown(lost, self._admission)).info
        return RunOutcome(status=Status.LOST, error=error, host=progress.host)

    def _runs_again(self, outcome: RunOutcome) -> bool:
        """Whether the engine took the script down and the event allows another run."""
        interrupted = (
            outcome.error is not None
            and outcome.error.type == SandboxInterrupted().type
        )
        again = interrupted and self._request.event.may_repeat and not cancelling()
        if again:
            self._logs = total(self._logs, outcome.logs)
        return again

    def _window(self, began: Any, cancel: bool) -> float:
        passed: float = (workflow.now() - began).total_seconds()
        whole = self._admission.resume_window_seconds
        return (min(CANCEL_WINDOW, whole) if cancel else whole) - passed

    def _tell(self, lost: Lost) -> None:
        self._waiting(
            ErrorInfo(
                type=HostLost().type,
                message=f"{lost.why[0].upper()}{lost.why[1:]} "
                f"({workflow.now():%H:%M:%S} UTC): waiting for it.",
                retryable=True,
            ),
            lost.progress.host,
        )

    async def _pause(self, error: ErrorInfo | None, troubles: int) -> bool:
        """Wait before the try is sent out again; False when somebody cancelled."""
        if cancelling():
            return False
        if error is not None:
            self._waiting(error, None)
        try:
            await workflow.sleep(
                min(longest_wait(error), 2.0 ** min(troubles - 1, 10)),
                summary=f"engine trouble: {error.type if error else 'worker'}",
            )
        except asyncio.CancelledError:
            return False
        return True

    async def _breathe(self) -> None:
        try:
            await workflow.sleep(RESUME_WAIT, summary="engine trouble on the host")
        except asyncio.CancelledError:
            return

    def _with_logs(self, outcome: RunOutcome) -> RunOutcome:
        return outcome.model_copy(update={"logs": total(self._logs, outcome.logs)})


def _no_free_slot(waited: float) -> ErrorInfo:
    return ErrorInfo(
        type="NoFreeSlot",
        message=f"No worker took the run within {waited:g} s.",
        hint="Start a worker (`cronium worker`) or raise its slots.",
    )
