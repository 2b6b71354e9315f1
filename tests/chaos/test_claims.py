"""Two worker processes that both believe to be the host of a run."""

import asyncio

from contracts.results import Status
from tests.chaos.conftest import long_only
from tests.chaos.plant import HEARTBEAT_TIMEOUT, Plant
from tests.chaos.scripts import Numbered
from tests.chaos.truth import (
    check,
    complain,
    nothing_left,
    wrong_containers,
    wrong_result,
)


async def test_a_second_process_with_the_same_state_does_not_start(
    plant: Plant,
) -> None:
    second = plant.add_worker("second")
    await second.start(wait=False)
    assert await second.ended() == 1
    assert "CRONIUM_STATE_DIR" in second.last_lines()


async def test_two_hosts_of_one_name_never_run_a_script_twice(plant: Plant) -> None:
    # A copied state directory, or a host id given twice by hand: the lock cannot help.
    host = (plant.state / "host-id").read_text().strip()
    run = await plant.begin(Numbered(lines=240, pause=0.05, code=4))
    await plant.running(run, lines=5)
    twin = plant.add_worker("twin", plant.directory / "twin", HOST_ID=host)
    await twin.start()
    plant.worker.freeze()
    await asyncio.sleep(HEARTBEAT_TIMEOUT * 2)
    plant.worker.thaw()
    result = await plant.result(run)
    # Two who both believe to own it may lose it, but not run it again, nor say that
    # it went well when it did not.
    problems = wrong_containers(plant, run.execution)
    if result.status is not Status.LOST:
        problems += wrong_result(result, run.script)
    await complain(plant, run.execution, problems)
    await twin.stop()


@long_only
async def test_a_standby_that_cannot_have_the_lock_takes_no_run(plant: Plant) -> None:
    # The first is frozen, not dead: it still holds the lock and comes back.
    standby = plant.add_worker("standby", WORKER_STANDBY="true")
    await standby.start(wait=False)
    run = await plant.begin(Numbered(lines=240, pause=0.05, code=4))
    await plant.running(run, lines=5)
    plant.worker.freeze()
    await asyncio.sleep(HEARTBEAT_TIMEOUT * 2)
    plant.worker.thaw()
    await check(plant, run)
    await nothing_left(plant)
