"""A worker that is busy asks Temporal for no more than it can begin."""

import asyncio
import secrets
import time
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.common import RetryPolicy
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from tests.temporal.scripted import Scripted
from worker.intake import Intake
from worker.polling import tuner_of

ACTIVITIES = 80
MISSED = timedelta(seconds=2)
# So long the process does something else between two turns of its event loop: eighty
# turns last twice as long as a heartbeat may stay away.
TURN_SECONDS = 0.05


@activity.defn
async def script() -> int:
    """Shows that it is alive for a second, as scripts do; returns its attempt."""
    for _ in range(10):
        activity.heartbeat()
        await asyncio.sleep(0.1)
    return activity.info().attempt


@workflow.defn
class Fan:
    """Starts all at once, and those that missed their time again."""

    @workflow.run
    async def run(self, queue: str) -> int:
        """Return how many times they were begun altogether."""
        tries = await asyncio.gather(
            *(
                workflow.execute_activity(
                    script,
                    task_queue=queue,
                    start_to_close_timeout=timedelta(seconds=60),
                    heartbeat_timeout=MISSED,
                    retry_policy=RetryPolicy(maximum_attempts=5),
                )
                for _ in range(ACTIVITIES)
            )
        )
        return sum(tries)


async def busy() -> None:
    while True:
        time.sleep(TURN_SECONDS)  # noqa: ASYNC251
        await asyncio.sleep(0)


async def test_a_busy_worker_takes_only_what_it_begins_in_time(
    server: Scripted,
) -> None:
    queue = f"intake-{secrets.token_hex(4)}"
    scripts = Worker(
        server.client,
        task_queue=f"{queue}-scripts",
        activities=[script],
        tuner=tuner_of(Intake(ACTIVITIES)),
        max_heartbeat_throttle_interval=timedelta(seconds=0.1),
    )
    plans = Worker(
        server.client,
        task_queue=queue,
        workflows=[Fan],
        workflow_runner=UnsandboxedWorkflowRunner(),
        # Without the SDK's guard, which takes a busy loop for a stuck workflow.
        debug_mode=True,
    )
    async with plans, scripts:
        working = asyncio.ensure_future(busy())
        try:
            tries = await server.client.execute_workflow(
                Fan.run, f"{queue}-scripts", id=queue, task_queue=queue
            )
        finally:
            working.cancel()
    # A machine that stands still for two seconds makes a few of them late; without the
    # measure each one is.
    assert tries < ACTIVITIES * 1.25
