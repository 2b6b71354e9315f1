"""One target of an event: the retry loop around its tries."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from contracts import names
    from contracts.errors import ErrorInfo
    from contracts.events import EventRequest
    from contracts.results import LogCounts, PhaseDurations, Status, TargetResult
    from contracts.runs import Admission, RunOutcome
    from contracts.servers import ServerSpec
    from workflows.attempt import Attempt
    from workflows.endings import cancelled, cancelling, total
    from workflows.pacing import Pacer, history_is_full


@dataclass(frozen=True)
class Place:
    """Where in an execution a target stands: everywhere, or in a node of a graph."""

    node: str = ""
    """Name of the node; "" when the execution is one event."""
    earlier: int = 0
    """Tries of an earlier round, when somebody let the node run again."""


WHOLE = Place()


class TargetRun:
    """Runs an event on one target and keeps the row that people see.

    Args:
        request: The order.
        admission: What the operator's settings allow.
        changed: Called when the row has changed.
        server: Where it runs; None is a container or an HTTP request.
        pacer: Asked before every start, where many targets are sent out at once.
        place: Where in a graph it stands.
        alone: Whether the node has no other targets, so that its name is enough.
    """

    def __init__(
        self,
        request: EventRequest,
        admission: Admission,
        changed: Callable[[], None],
        server: ServerSpec | None = None,
        pacer: Pacer | None = None,
        place: Place = WHOLE,
        *,
        alone: bool = True,
    ) -> None:
        self._request = request
        self._admission = admission
        self._changed = changed
        self._server = server
        self._pacer = pacer
        self._place = place
        self._alone = alone
        self._started = workflow.now()
        self._logs = LogCounts()
        self._dispatches = 0
        self.row = TargetResult(
            target=names.LOCAL_TARGET if server is None else server.name,
            status=Status.PENDING,
        )

    async def run(self) -> TargetResult:
        """Try until it succeeds, cannot succeed, is cancelled, or tries are used up."""
        # Of many targets most wait for their turn, which is no time of theirs.
        self._started = workflow.now()
        earlier = self._place.earlier
        tries = earlier + self._request.event.retries + 1
        for attempt in range(earlier + 1, tries + 1):
            self._update(status=Status.RUNNING, attempts=attempt, error=None)
            outcome = await self._try(attempt, tries)
            self._settle(outcome)
            # A cancel that came as the script ended by itself: no other try.
            if not _worth_another_try(outcome) or attempt == tries or cancelling():
                break
            if history_is_full():
                break
            try:
                await self._wait(attempt, tries)
            except asyncio.CancelledError:
                self._settle(cancelled("while it waited for the next try"))
                break
        return self.row

    def cancel(self, why: str) -> None:
        """End without having begun."""
        self._settle(cancelled(why))

    def skip(self, why: ErrorInfo) -> None:
        """End without having begun, since others had failed."""
        self._update(status=Status.SKIPPED, error=why)

    def explain(self, why: ErrorInfo) -> None:
        """Say why it was stopped."""
        self._update(error=why)

    async def _wait(self, attempt: int, tries: int) -> None:
        delay = self._request.event.backoff.delay(attempt - self._place.earlier)
        if delay > 0:
            await workflow.sleep(
                delay, summary=f"back-off before {attempt + 1}/{tries}"
            )

    async def _try(self, number: int, last: int) -> RunOutcome:
        attempt = Attempt(
            self._request,
            self._log_name,
            number,
            last,
            self._dispatches,
            self._admission,
            self._waiting,
            self._server,
            self._pacer,
        )
        try:
            return await attempt.run()
        finally:
            self._dispatches = attempt.dispatches

    @property
    def _log_name(self) -> str:
        if not self._place.node:
            return self.row.target
        server = None if self._alone else self.row.target
        return names.node_target(self._place.node, server)

    def _waiting(self, error: ErrorInfo | None, host: str | None) -> None:
        self._update(error=error, host=host or self.row.host)

    def _settle(self, outcome: RunOutcome) -> None:
        self._logs = total(self._logs, outcome.logs)
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
