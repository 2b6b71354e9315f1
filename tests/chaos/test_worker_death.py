"""kill -9 of the worker at any moment: each script runs once, its log is whole."""

import asyncio
import random

import pytest

from tests.chaos.conftest import rounds
from tests.chaos.plant import Plant
from tests.chaos.scripts import Numbered
from tests.chaos.truth import check, nothing_left


async def test_a_run_outlives_the_death_of_its_worker(plant: Plant) -> None:
    run = await plant.begin(Numbered(lines=80, pause=0.05, code=7))
    await plant.running(run, lines=10)
    plant.worker.kill()
    await plant.worker.start()
    result = await check(plant, run)
    assert result.attempts == 1, "a death of ours is no try of the user's"
    await nothing_left(plant)


async def test_a_script_that_ended_while_no_worker_lived_is_not_run_again(
    plant: Plant,
) -> None:
    run = await plant.begin(Numbered(lines=20, pause=0.02, code=3))
    await plant.running(run, lines=2)
    plant.worker.kill()
    await plant.watch.saw("die", run.execution)
    await plant.worker.start()
    await check(plant, run)
    await nothing_left(plant)


@pytest.mark.parametrize("round_number", rounds(1, 20))
async def test_deaths_at_random_moments_cost_no_line_and_no_run(
    round_number: int, plant: Plant, dice: random.Random
) -> None:
    runs = [
        await plant.begin(
            Numbered(lines=dice.randint(1, 120), pause=0.04, code=dice.randint(0, 9))
        )
        for _ in range(6)
    ]
    for _ in range(3):
        await asyncio.sleep(dice.uniform(0.1, 3))
        plant.worker.kill()
        await plant.worker.start(wait=False)
    await plant.worker.ready()
    for run in runs:
        await check(plant, run)
    await nothing_left(plant)
