"""How long a viewer of a live log sees nothing while a worker gives way to the next.

The only tests here that hold a time against a promise of docs/reliability.md; what they
measure is printed, so that a slow machine shows itself.
"""

import asyncio
import contextlib
import itertools
import time

import pytest

from tests.chaos.conftest import LONG
from tests.chaos.plant import HEARTBEAT_TIMEOUT, Plant, Run
from tests.chaos.scripts import Numbered
from tests.chaos.truth import check
from tests.chaos.wire import until

pytestmark = pytest.mark.alone

# In the short form other tests run beside these, on machines of any speed.
SLACK = 0.0 if LONG else 3.0
HAND_OVER_SECONDS = 3.0 + SLACK
AFTER_DEATH_SECONDS = HEARTBEAT_TIMEOUT + 5.0 + SLACK
# A line every 10 ms.
SCRIPT = Numbered(lines=700, pause=0.01, code=6)


async def longest_silence(plant: Plant, run: Run) -> float:
    """Return the longest time between two arrivals of lines, in seconds."""
    moments = [
        time.monotonic()
        async for page in plant.caller.pages(run.execution)
        if any(line["stream"] != "system" for line in page)
    ]
    pairs = itertools.pairwise(moments)
    return max(later - earlier for earlier, later in pairs)


async def test_a_hand_over_to_a_standby_is_a_short_silence(plant: Plant) -> None:
    standby = plant.add_worker("standby", WORKER_STANDBY="true")
    await standby.start(wait=False)
    await until(lambda: "standing by" in standby.last_lines(), 60, "a standby")
    run = await plant.begin(SCRIPT)
    async with contextlib.AsyncExitStack() as stack:
        looking = asyncio.ensure_future(longest_silence(plant, run))
        stack.callback(looking.cancel)
        await plant.running(run, lines=20)
        plant.worker.terminate()
        await check(plant, run)
        silence = await looking
    print(f"silence at a hand-over: {silence:.2f} s")
    assert silence <= HAND_OVER_SECONDS, await plant.evidence(run.execution)


async def test_a_death_is_a_silence_of_a_heartbeat_timeout_at_most(
    plant: Plant,
) -> None:
    run = await plant.begin(SCRIPT)
    async with contextlib.AsyncExitStack() as stack:
        looking = asyncio.ensure_future(longest_silence(plant, run))
        stack.callback(looking.cancel)
        await plant.running(run, lines=20)
        plant.worker.kill()
        killed = time.monotonic()
        await plant.worker.start()
        starting = time.monotonic() - killed
        await check(plant, run)
        silence = await looking
    print(f"silence after a death: {silence:.2f} s, {starting:.2f} s of them starting")
    # How long a process takes to start beside other tests is no matter of the worker's.
    allowed = AFTER_DEATH_SECONDS if LONG else AFTER_DEATH_SECONDS + starting
    assert silence <= allowed, await plant.evidence(run.execution)
