"""What executions and tries leave in the audit log."""

from collections.abc import Iterable

from temporalio import activity

from activities.watching import Watch
from contracts.audit import AuditKind, audit, audited, secret_names
from contracts.errors import CroniumError
from contracts.events import EventRequest, EventSpec
from contracts.fanout import name_of
from contracts.graphs import GraphRequest, GraphSpec
from contracts.logs import ExecutionRecord
from contracts.runs import RunOutcome, RunRequest
from contracts.servers import ServerSpec


class AuditWatch(Watch):
    """Writes the tries down: who runs what, where, with which secrets by name.

    Args:
        host: Id of this host.
    """

    def __init__(self, host: str) -> None:
        self._host = host

    def received(self, run: RunRequest, waited: float) -> None:
        """See base class."""
        if not audited():
            return
        info = activity.info()
        event = run.request.event
        # What actions use is looked up when they are done.
        alone = event.model_copy(update={"actions": []})
        self._write(
            AuditKind.TRY_STARTED,
            run,
            secrets=secret_names([alone, run.server]),
            server=run.server and _login(run.server),
            image=event.image,
            workflow_id=info.workflow_id,
            workflow_run_id=info.workflow_run_id,
        )

    def cancelled(self, run: RunRequest) -> None:
        """See base class."""
        self._write(AuditKind.TRY_CANCELLED, run)

    def refused(self, run: RunRequest, error: CroniumError) -> None:
        """See base class."""
        self._write(AuditKind.TRY_ENDED, run, error=error.type)

    def ended(self, run: RunRequest, outcome: RunOutcome) -> None:
        """See base class."""
        self._write(
            AuditKind.TRY_ENDED,
            run,
            status=outcome.status,
            exit_code=outcome.exit_code,
            error=outcome.error and outcome.error.type,
            seconds=outcome.durations.total_ms / 1000,
        )

    def _write(self, kind: AuditKind, run: RunRequest, **fields: object) -> None:
        request = run.request
        audit(
            kind,
            execution_id=request.execution_id,
            user=request.user,
            trigger=request.trigger,
            event_id=request.event.id,
            event_name=request.event.name,
            event_type=request.event.type,
            target=run.target,
            host=self._host,
            attempt=run.attempt,
            dispatch=run.dispatch,
            **fields,
        )


def audit_admission(
    request: EventRequest | GraphRequest,
    events: Iterable[EventSpec],
    error: CroniumError | None = None,
) -> None:
    """Write down that an execution begins, or why it does not.

    Args:
        request: What was asked for.
        events: All events in it.
        error: Why it is refused; None: it begins.
    """
    if not audited():
        return
    info = activity.info()
    if isinstance(request, EventRequest):
        spec: EventSpec | GraphSpec = request.event
        kind, targets = str(request.event.type), request.event.targets
    else:
        spec, kind, targets = request.workflow, "workflow", None
    audit(
        AuditKind.EXECUTION_REFUSED if error else AuditKind.EXECUTION_STARTED,
        execution_id=request.execution_id,
        user=request.user,
        trigger=request.trigger,
        event_id=spec.id,
        event_name=spec.name,
        event_type=kind,
        targets=targets and [name_of(target) for target in targets],
        secrets=secret_names(list(events)),
        error=error and error.type,
        workflow_id=info.workflow_id,
        workflow_run_id=info.workflow_run_id,
    )


def audit_end(record: ExecutionRecord) -> None:
    """Write down how an execution ended."""
    result = record.result
    audit(
        AuditKind.EXECUTION_ENDED,
        execution_id=record.execution_id,
        user=record.user,
        trigger=record.trigger,
        event_id=record.event_id,
        event_name=record.event_name,
        event_type=record.event_type,
        status=record.status,
        exit_code=result and result.exit_code,
        error=result.error.type if result and result.error else None,
        workflow_id=record.workflow_id,
        workflow_run_id=record.run_id,
    )


def _login(server: ServerSpec) -> str:
    return f"{server.username}@{server.address}:{server.port}"
