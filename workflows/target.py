"""One target of an event: the retry loop around its tries."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
    TimeoutError,
    TimeoutType,
    is_cancelled_exception,
)

with workflow.unsafe.imports_passed_through():
    from contracts import names
    from contracts.errors import (
        EngineUnavailable,
        ErrorInfo,
        HostLost,
        ScriptError,
        WorkerDraining,
    )
    from contracts.events import EventRequest
    from contracts.results import (
        EXIT_CANCELLED,
        LogCounts,
        PhaseDurations,
        Status,
        TargetResult,
    )
    from contracts.runs import (
        RUN_CONTAINER,
        Admission,
        RunOutcome,
        RunProgress,
        RunRequest,
    )

# A try that has claimed its host must never be started by a retry of Temporal's: the
# workflow decides, with the last heartbeat in its hands.
ONE_ATTEMPT = RetryPolicy(maximum_attempts=1)
# Trouble of the engine before the script began is tried again on any host: after 1, 2,
# 4, 8 … s, at most 30 s apart, so for about four minutes in all.
ENGINE_TRIES = 11
MAX_ENGINE_WAIT = 30.0
# A daemon comes back; a registry that refuses mostly goes on to refuse.
OTHER_ENGINE_TRIES = 3
PATIENT_TYPES = frozenset({EngineUnavailable().type})


class TargetRun:
    """Runs an event on one target and keeps the row that people see.

    Args:
        request: The order.
        target: Name of the target.
        admission: What the operator's settings allow.
        changed: Called when the row has changed.
    """

    def __init__(
        self,
        request: EventRequest,
        target: str,
        admission: Admission,
        changed: Callable[[], None],
    ) -> None:
        self._request = request
        self._admission = admission
        self._changed = changed
        self._started = workflow.now()
        self._logs = LogCounts()
        self.row = TargetResult(target=target, status=Status.PENDING)

    async def run(self) -> TargetResult:
        """Try until it succeeds, cannot succeed, is cancelled, or tries are used up."""
        tries = self._request.event.retries + 1
        for attempt in range(1, tries + 1):
            self._update(status=Status.RUNNING, attempts=attempt)
            outcome = await self._try(attempt, tries)
            self._settle(outcome)
            if not _worth_another_try(outcome) or attempt == tries:
                break
            try:
                await self._wait(attempt, tries)
            except asyncio.CancelledError:
                self._settle(_cancelled("cancelled while waiting for the next try"))
                break
        return self.row

    def cancel(self, why: str) -> None:
        """End without having begun."""
        self._settle(_cancelled(why))

    async def _wait(self, attempt: int, tries: int) -> None:
        delay = self._request.event.backoff.delay(attempt)
        if delay > 0:
            await workflow.sleep(
                delay, summary=f"back-off before {attempt + 1}/{tries}"
            )

    async def _try(self, attempt: int, tries: int) -> RunOutcome:
        engine_failures = 0
        while True:
            try:
                return await self._run_container(attempt, tries)
            except asyncio.CancelledError:
                return _cancelled("cancelled before the script began")
            except ActivityError as error:
                if is_cancelled_exception(error):
                    return _cancelled("cancelled before the script began")
                verdict = self._explain(error)
            engine_failures += 1
            if verdict is not None and (
                not verdict.retryable or engine_failures >= _tries_for(verdict)
            ):
                return RunOutcome(status=_status_of(verdict), error=verdict)
            try:
                await workflow.sleep(
                    min(MAX_ENGINE_WAIT, 2.0 ** (engine_failures - 1)),
                    summary=f"engine trouble: {verdict.type if verdict else 'worker'}",
                )
            except asyncio.CancelledError:
                return _cancelled("cancelled while waiting for the engine")

    async def _run_container(self, attempt: int, tries: int) -> RunOutcome:
        event, admission, info = self._request.event, self._admission, workflow.info()
        longest = event.timeout_seconds + event.grace_seconds + admission.setup_seconds
        outcome: RunOutcome = await workflow.execute_activity(
            RUN_CONTAINER.name,
            RunRequest(
                request=self._request,
                target=self.row.target,
                attempt=attempt,
                max_attempts=tries,
                run_key=names.run_key(
                    info.workflow_id, info.run_id, self.row.target, attempt
                ),
            ),
            result_type=RUN_CONTAINER.result,
            # Two minutes for draining the log and removing the sandbox.
            start_to_close_timeout=timedelta(seconds=longest + 120),
            schedule_to_start_timeout=timedelta(
                seconds=admission.schedule_to_start_seconds
            ),
            heartbeat_timeout=timedelta(seconds=admission.heartbeat_timeout_seconds),
            retry_policy=ONE_ATTEMPT,
            cancellation_type=(
                workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED
            ),
            summary=f"{event.type} {event.name} → {self.row.target} "
            f"(try {attempt}/{tries})"[:200],
        )
        return outcome

    def _explain(self, error: ActivityError) -> ErrorInfo | None:
        """Say what became of a try without outcome; None means: safe to try again."""
        cause = error.cause
        if isinstance(cause, TimeoutError):
            return self._explain_timeout(cause)
        if isinstance(cause, ApplicationError):
            if cause.type == WorkerDraining().type:
                return self._lost("the worker was stopped while the script ran")
            hint = str(cause.details[0]) if cause.details else ""
            return ErrorInfo(
                type=cause.type or "EngineError",
                message=cause.message,
                hint=hint,
                retryable=not cause.non_retryable,
            )
        return ErrorInfo(type="EngineError", message=str(cause or error))

    def _explain_timeout(self, cause: TimeoutError) -> ErrorInfo | None:
        if cause.type == TimeoutType.SCHEDULE_TO_START:
            waited = self._admission.schedule_to_start_seconds
            return ErrorInfo(
                type="NoFreeSlot",
                message=f"No worker took the run within {waited:g} s.",
                hint="Start a worker (`cronium worker`) or raise its slots.",
            )
        if not cause.last_heartbeat_details:
            # The worker died before it claimed the run: nothing was started.
            return None
        progress = RunProgress.model_validate(cause.last_heartbeat_details[0])
        self._update(host=progress.host)
        return self._lost(f"host {progress.host} stopped answering")

    def _lost(self, why: str) -> ErrorInfo | None:
        if self._request.event.idempotent:
            return None
        return HostLost(
            f"The outcome of the script is unknown: {why}.",
            hint="Look at the log, then run the event again. Events with "
            "`idempotent: true` are run again by themselves.",
        ).info

    def _settle(self, outcome: RunOutcome) -> None:
        self._logs = _sum(self._logs, outcome.logs)
        elapsed = (workflow.now() - self._started).total_seconds()
        self._update(
            status=outcome.status,
            exit_code=outcome.exit_code,
            durations=PhaseDurations(
                setup_ms=outcome.durations.setup_ms,
                execution_ms=outcome.durations.execution_ms,
                cleanup_ms=outcome.durations.cleanup_ms,
                total_ms=int(elapsed * 1000),
            ),
            output=outcome.output,
            condition=outcome.condition,
            error=outcome.error,
            logs=self._logs,
            host=outcome.host or self.row.host,
        )

    def _update(self, **fields: object) -> None:
        self.row = self.row.model_copy(update=fields)
        self._changed()


def _worth_another_try(outcome: RunOutcome) -> bool:
    if outcome.status not in (Status.FAILURE, Status.TIMEOUT):
        return False
    return outcome.error is None or outcome.error.retryable


def _tries_for(error: ErrorInfo) -> int:
    return ENGINE_TRIES if error.type in PATIENT_TYPES else OTHER_ENGINE_TRIES


def _status_of(error: ErrorInfo) -> Status:
    return Status.LOST if error.type == HostLost().type else Status.FAILURE


def _cancelled(why: str) -> RunOutcome:
    return RunOutcome(
        status=Status.CANCELLED,
        exit_code=EXIT_CANCELLED,
        error=ErrorInfo(type=ScriptError.CANCELLED, message=f"The run was {why}."),
    )


def _sum(before: LogCounts, new: LogCounts) -> LogCounts:
    return LogCounts(
        lines=before.lines + new.lines,
        bytes=before.bytes + new.bytes,
        dropped_lines=before.dropped_lines + new.dropped_lines,
        dropped_bytes=before.dropped_bytes + new.dropped_bytes,
        stored=before.stored + new.stored,
        last_lines=new.last_lines or before.last_lines,
    )
