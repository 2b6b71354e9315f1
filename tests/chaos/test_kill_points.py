"""kill -9 of the worker at exact points of a run's life.

A gate in front of the Docker socket holds the request that makes the point, so that the
death falls between two acts every time and not by luck: the container is made but not
started, started but the worker does not know it, ended but not removed.
"""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.conftest import gated_plant, mended
from tests.chaos.plant import Plant
from tests.chaos.scripts import Numbered
from tests.chaos.truth import check, nothing_left
from tests.chaos.wire import Gate, Hold

CREATE = ("POST", r"/containers/create\?name=cronium-[0-9a-f]{32}")
ATTACH = ("POST", r"/containers/cronium-[0-9a-f]{32}/attach")
START = ("POST", r"/containers/cronium-[0-9a-f]{32}/start")
WAIT = ("POST", r"/containers/cronium-[0-9a-f]{32}/wait")
REMOVE = ("DELETE", r"/containers/cronium-[0-9a-f]{32}")

POINTS = {
    "before the container is made": (CREATE, False),
    "when it is made and the worker does not know": (CREATE, True),
    "when it is made and not followed": (ATTACH, False),
    "when it is followed and not started": (START, False),
    "when it is started and the worker does not know": (START, True),
    "when it runs": (WAIT, False),
    "when the script has ended and nobody was told": (WAIT, True),
    "when the script has ended and it is not removed": (REMOVE, False),
    "when it is removed and the worker does not know": (REMOVE, True),
}


@pytest.fixture(scope="module")
async def gated(tmp_path_factory: Any) -> AsyncIterator[tuple[Plant, Gate]]:
    async with gated_plant(tmp_path_factory.mktemp("gated")) as made:
        yield made


async def reached(hold: Hold) -> None:
    async with asyncio.timeout(30):
        await hold.reached.wait()


@pytest.mark.parametrize("point", list(POINTS))
async def test_a_worker_that_dies_costs_nothing(
    point: str, gated: tuple[Plant, Gate]
) -> None:
    plant, gate = gated
    gate.open()
    await mended(plant)
    (method, path), answer = POINTS[point]
    hold = gate.arm(method, path, answer=answer)
    run = await plant.begin(Numbered(lines=25, pause=0.02, code=4))
    await reached(hold)
    plant.worker.kill()
    gate.drop()
    gate.open()
    await plant.worker.start()
    result = await check(plant, run)
    assert result.attempts == 1
    await nothing_left(plant)


@pytest.mark.parametrize(
    "point", ["when it is followed and not started", "when it runs"]
)
async def test_a_worker_told_to_stop_hands_over(
    point: str, gated: tuple[Plant, Gate]
) -> None:
    plant, gate = gated
    gate.open()
    await mended(plant)
    (method, path), answer = POINTS[point]
    hold = gate.arm(method, path, answer=answer)
    run = await plant.begin(Numbered(lines=60, pause=0.05, code=4))
    await reached(hold)
    plant.worker.terminate()
    gate.open()
    assert await plant.worker.ended(15) == 0
    await plant.worker.start()
    result = await check(plant, run)
    assert result.attempts == 1
    await nothing_left(plant)


@pytest.mark.parametrize("dies", [False, True], ids=["lives", "dies"])
@pytest.mark.parametrize("answer", [False, True], ids=["call", "answer"])
async def test_a_start_that_the_daemon_is_slow_with_is_one_start(
    dies: bool, answer: bool, tmp_path: Path
) -> None:
    """The worker gives its call up, and nobody knows whether the script has begun."""
    async with gated_plant(tmp_path, DOCKER_API_TIMEOUT="2s") as (plant, gate):
        hold = gate.arm(*START, answer=answer)
        run = await plant.begin(Numbered(lines=60, pause=0.05, code=4))
        await reached(hold)
        await asyncio.sleep(3)
        if dies:
            plant.worker.kill()
            await plant.worker.start(wait=False)
        gate.open()
        result = await check(plant, run)
        assert result.attempts == 1
        await nothing_left(plant)
