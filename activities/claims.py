"""Which runs of this host Temporal still waits for, and what a restart tells it.

A sandbox without a worker is not a leftover as long as its workflow wants it: another
activity comes for it. Only Temporal knows, so it is asked, and without an answer
everything stays as it is.
"""

import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from enum import Enum

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import ResetStickyTaskQueueRequest
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from activities.failures import application_error
from activities.ledger import Entry, Ledger
from contracts import names
from contracts.errors import CroniumError, WorkerDraining
from contracts.runs import RunProgress
from engines.places import NAME_PREFIX

logger = logging.getLogger(__name__)

# Between two activities for one run a workflow may wait for a moment.
PASSED_BY_SECONDS = 30.0
# Mostly Temporal knows of an end by then, so that it is asked once.
SETTLED_SECONDS = 5.0


class Stand(Enum):
    """How a workflow stands to a run of this host."""

    WAITS = "waits"
    PASSED_BY = "has gone on to something else"
    CLOSED = "is closed"
    UNKNOWN = "Temporal does not answer"


class Claims:
    """Asks Temporal about the runs in the ledger.

    Args:
        client: Temporal.
        ledger: What this host knows of its runs.
        status: Returns how the sandbox of a run is, None when it is not there.
        host: Id of this host.
        forget: Told the run keys that nobody will ask for again.
    """

    def __init__(
        self,
        client: Client,
        ledger: Ledger,
        status: Callable[[str], Awaitable[str | None]],
        host: str,
        forget: Callable[[str], None],
    ) -> None:
        self._client = client
        self._ledger = ledger
        self._status = status
        self._host = host
        self._forget = forget
        self._passed_by: dict[str, float] = {}
        self._closed: set[tuple[str, str]] = set()

    async def wanted(self, labels: Mapping[str, str]) -> bool:
        """Whether a workflow waits for a run, or may in a moment.

        Args:
            labels: Of the run's sandbox: they say whose it is when the ledger is lost,
                or is another worker's.
        """
        run_key = labels.get(names.LABEL_RUN_KEY, "")
        entry = self._ledger.find(run_key) or _entry_of(labels)
        return entry is not None and not await self._is_over(entry)

    async def hand_back(self) -> None:
        """Tell Temporal that the process which had claimed the open runs is gone.

        Without this their workflows would learn it from the heartbeat timeout.
        """
        for entry in self._ledger.entries():
            handle = self._client.get_async_activity_handle(
                workflow_id=entry.workflow_id,
                run_id=entry.workflow_run,
                activity_id=entry.activity_id,
            )
            try:
                await self._wake(entry)
                if entry.outcome is not None:
                    await handle.complete(entry.outcome)
                else:
                    await handle.fail(await self._gone(entry))
            except RPCError as error:
                if error.status is not RPCStatusCode.NOT_FOUND:
                    logger.warning("cannot hand back a run: %s", error.message)

    async def forget_settled(self, active: Callable[[], frozenset[str]]) -> None:
        """Drop the entries that nobody will ask for.

        Args:
            active: Returns the run keys of which something is still written, by
                somebody who may not know yet that nobody waits for it.
        """
        # All targets of a fan-out have a workflow in common, and a closed one stays so.
        self._closed.clear()
        for entry in self._ledger.entries():
            key = entry.run_key
            if key in active() or self._ledger.age(key) < SETTLED_SECONDS:
                continue
            if entry.outcome is None and await self._exists(key):
                continue
            if await self._is_over(entry):
                # The entry last: whoever dies in between leaves it for the next.
                self._forget(key)
                self._ledger.forget(key)
                self._passed_by.pop(key, None)

    async def _is_over(self, entry: Entry) -> bool:
        """Whether the workflow is closed, or has gone on to something else."""
        stand = await self._stand(entry)
        if stand is not Stand.PASSED_BY:
            self._passed_by.pop(entry.run_key, None)
            return stand is Stand.CLOSED
        since = self._passed_by.setdefault(entry.run_key, time.monotonic())
        return time.monotonic() - since >= PASSED_BY_SECONDS

    async def _wake(self, entry: Entry) -> None:
        """Have any workflow worker go on, not only the one that may be dead as well."""
        await self._client.workflow_service.reset_sticky_task_queue(
            ResetStickyTaskQueueRequest(
                namespace=self._client.namespace,
                execution=WorkflowExecution(
                    workflow_id=entry.workflow_id, run_id=entry.workflow_run
                ),
            )
        )

    async def _gone(self, entry: Entry) -> Exception:
        progress = RunProgress(
            host=self._host,
            sandbox=NAME_PREFIX + entry.run_key,
            phase="running" if entry.started else "setup",
        )
        return application_error(
            WorkerDraining(f"the worker of {self._host} was restarted"), progress
        )

    async def _exists(self, run_key: str) -> bool:
        try:
            return await self._status(run_key) is not None
        except CroniumError:
            return True

    async def _stand(self, entry: Entry) -> Stand:
        workflow = (entry.workflow_id, entry.workflow_run)
        if workflow in self._closed:
            return Stand.CLOSED
        stand = await self._stand_now(entry)
        if stand is Stand.CLOSED:
            self._closed.add(workflow)
        return stand

    async def _stand_now(self, entry: Entry) -> Stand:
        handle = self._client.get_workflow_handle(
            entry.workflow_id, run_id=entry.workflow_run
        )
        try:
            found = await handle.describe()
        except RPCError as error:
            gone = error.status is RPCStatusCode.NOT_FOUND
            return Stand.CLOSED if gone else Stand.UNKNOWN
        if found.status is not WorkflowExecutionStatus.RUNNING:
            return Stand.CLOSED
        raw = found.raw_description
        waits = any(
            names.is_start(pending.activity_id, entry.start_id)
            for pending in raw.pending_activities
        )
        # A workflow that has yet to take in what happened may still ask for the run.
        if waits or raw.HasField("pending_workflow_task"):
            return Stand.WAITS
        return Stand.PASSED_BY


def _entry_of(labels: Mapping[str, str]) -> Entry | None:
    """Return what a sandbox's labels say of its run; None for one of the proof."""
    try:
        start = names.start_id(
            labels[names.LABEL_TARGET],
            int(labels[names.LABEL_TRY]),
            int(labels[names.LABEL_DISPATCH]),
        )
        return Entry(
            run_key=labels[names.LABEL_RUN_KEY],
            workflow_id=labels[names.LABEL_WORKFLOW],
            workflow_run=labels[names.LABEL_WORKFLOW_RUN],
            activity_id="",
            start_id=start,
        )
    except (KeyError, ValueError):
        return None
