"""The task queues that a worker process polls.

Two of them where scripts run: the shared queue, on which any host takes what it has
room for, and the host's own, on which only this host can go on with what it began.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from temporalio.client import Client
from temporalio.worker import FixedSizeSlotSupplier, Worker, WorkerTuner

from contracts import names
from worker.intake import Intake
from worker.sandboxing import workflow_runner
from worker.settings import Settings
from workflows import ALL

logger = logging.getLogger(__name__)

STICKY_SECONDS = 3.0
# Until no workflow task comes here any more; it takes one call of the server's.
WORKFLOWS_SECONDS = 2.0
# For the words of the last activities to reach Temporal.
FLUSH_SECONDS = 3.0

Activities = Sequence[Callable[..., Any]]
Polled = tuple[Worker, asyncio.Task[None]]


class Polling:
    """Runs the SDK's workers of one process.

    Args:
        client: Temporal.
        settings: Everything an operator chose.
    """

    def __init__(self, client: Client, settings: Settings) -> None:
        self._client = client
        self._settings = settings
        self._workers: list[Polled] = []
        self._workflows: Polled | None = None

    def start_workflows(self, activities: Activities) -> None:
        """Run workflows, and the local activities that they need.

        Apart from scripts on the same queue, so that it can be ended before them.
        """
        self._workflows = self._start(
            self._settings.temporal.task_queue,
            activities,
            workflows=ALL,
            # Otherwise a workflow whose worker was killed waits 10 s for it.
            sticky_queue_schedule_to_start_timeout=timedelta(seconds=STICKY_SECONDS),
            # It must not take a script that only a host can run.
            no_remote_activities=True,
            workflow_runner=workflow_runner(),
        )

    def start_scripts(self, activities: Activities) -> None:
        """Take new scripts for containers."""
        self._start(
            self._settings.temporal.task_queue,
            activities,
            max_concurrent_activities=self._settings.docker.slots,
        )

    def start_http(self, activities: Activities) -> None:
        """Take HTTP requests: they need no Docker and no slot of it."""
        self._start(
            names.http_queue(self._settings.temporal.task_queue),
            activities,
            max_concurrent_activities=self._settings.http.slots,
        )

    def start_servers(self, activities: Activities) -> None:
        """Take scripts for servers, and go on with those of other workers."""
        self._start(
            names.ssh_queue(self._settings.temporal.task_queue),
            activities,
            tuner=tuner_of(Intake(self._settings.ssh.slots)),
        )

    def start_actions(self, activities: Activities) -> None:
        """Take messages and callbacks."""
        self._start(
            names.actions_queue(self._settings.temporal.task_queue),
            activities,
            max_concurrent_activities=self._settings.http.slots,
        )

    def start_host(self, host: str, activities: Activities) -> None:
        """Take what only this host can go on with.

        Its sandboxes are there already, so they count beside the slots for new ones.
        """
        self._start(
            names.host_queue(host),
            activities,
            max_concurrent_activities=self._settings.docker.slots,
        )

    @property
    def failure(self) -> BaseException | None:
        """Why polling ended by itself, or None."""
        for _, task in self._workers:
            if task.done() and not task.cancelled() and task.exception():
                return task.exception()
        return None

    async def stop(self) -> None:
        """Poll no more; return when every activity has ended or handed over.

        Workflows first: who hands over a run wakes its workflow, which then waits for
        no worker that is about to leave.

        The SDK waits for the answers to its open polls, and without a server, or when
        the server loses one, for ever. By then all that is ours has had its time.
        """
        workers, self._workers = self._workers, []
        workflows, self._workflows = self._workflows, None
        if not workers:
            return
        stopping: list[asyncio.Task[None]] = []
        if workflows is not None:
            stopping.append(asyncio.create_task(workflows[0].shutdown()))
            await asyncio.wait([workflows[1]], timeout=WORKFLOWS_SECONDS)
        stopping += [asyncio.create_task(worker.shutdown()) for worker, _ in workers]
        running = [task for _, task in workers]
        longest = self._settings.worker.drain_timeout + FLUSH_SECONDS
        _, late = await asyncio.wait(running, timeout=longest)
        if late:
            logger.warning(
                "Temporal does not let go of %d of %d task queues: leaving all the"
                " same; what it was not told it learns when this worker is missed",
                len(late),
                len(running),
            )
        for task in (*late, *stopping):
            task.cancel()
        await asyncio.wait([*running, *stopping])

    def _start(self, queue: str, activities: Activities, **options: Any) -> Polled:
        settings = self._settings.worker
        worker = Worker(
            self._client,
            task_queue=queue,
            activities=activities,
            graceful_shutdown_timeout=timedelta(seconds=settings.drain_timeout),
            max_heartbeat_throttle_interval=timedelta(
                seconds=settings.heartbeat_interval
            ),
            **options,
        )
        polled = (worker, asyncio.create_task(worker.run()))
        self._workers.append(polled)
        return polled


def tuner_of(activities: Intake) -> WorkerTuner:
    """Return the slots of a worker that has nothing but activities."""
    unused = FixedSizeSlotSupplier(1)
    return WorkerTuner.create_composite(
        workflow_supplier=unused,
        activity_supplier=activities,
        local_activity_supplier=unused,
        nexus_supplier=unused,
    )
