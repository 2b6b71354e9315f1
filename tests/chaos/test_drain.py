"""SIGTERM: the worker hands its runs over within seconds, and the scripts go on."""

import time

import pytest

from contracts.results import Status
from tests.chaos.conftest import rounds
from tests.chaos.plant import Plant
from tests.chaos.scripts import Numbered
from tests.chaos.truth import check, nothing_left
from tests.chaos.wire import until

# The time to hand over (3 s here), the flush of the log, and the end of Python.
SECONDS_TO_STOP = 12.0


async def test_a_deploy_is_not_noticed_by_a_script(plant: Plant) -> None:
    run = await plant.begin(Numbered(lines=100, pause=0.05, code=5))
    await plant.running(run, lines=10)
    plant.worker.terminate()
    assert await plant.worker.ended(SECONDS_TO_STOP) == 0
    assert not plant.watch.of(run.execution, "die"), "the script was stopped"
    await plant.worker.start()
    result = await check(plant, run)
    assert result.attempts == 1
    await nothing_left(plant)


async def test_many_deploys_in_a_row_are_not_noticed(plant: Plant) -> None:
    runs = [await plant.begin(Numbered(lines=100, pause=0.05)) for _ in range(3)]
    for run in runs:
        await plant.running(run)
    for _ in rounds(2, 10):
        plant.worker.terminate()
        assert await plant.worker.ended(SECONDS_TO_STOP) == 0
        await plant.worker.start()
    for run in runs:
        await check(plant, run)
    await nothing_left(plant)


async def test_a_standby_takes_over_when_the_first_is_told_to_stop(
    plant: Plant,
) -> None:
    standby = plant.add_worker("standby", WORKER_STANDBY="true")
    await standby.start(wait=False)
    run = await plant.begin(Numbered(lines=100, pause=0.05, code=6))
    await plant.running(run, lines=5)
    plant.worker.terminate()
    assert await plant.worker.ended(SECONDS_TO_STOP) == 0
    await standby.ready()
    result = await check(plant, run)
    assert result.attempts == 1
    await nothing_left(plant)


async def test_a_standby_takes_over_when_the_first_is_killed(plant: Plant) -> None:
    standby = plant.add_worker("standby", WORKER_STANDBY="true")
    await standby.start(wait=False)
    run = await plant.begin(Numbered(lines=100, pause=0.05, code=6))
    await plant.running(run, lines=5)
    plant.worker.kill()
    await standby.ready()
    await check(plant, run)
    await nothing_left(plant)


async def test_a_second_signal_ends_the_worker_at_once(plant: Plant) -> None:
    run = await plant.begin(Numbered(lines=120, pause=0.05))
    await plant.running(run)
    # Nobody answers, so that an orderly hand-over would take its full time.
    plant.temporal.freeze()
    plant.worker.terminate()
    await until(
        lambda: "drain" in plant.worker.last_lines(15).lower(),
        10,
        plant.worker.words("does not say that it drains"),
    )
    begun = time.monotonic()
    plant.worker.terminate()
    await plant.worker.ended(3)
    assert time.monotonic() - begun < 2
    assert not plant.watch.of(run.execution, "die"), "the script was stopped"
    plant.temporal.thaw()
    await plant.worker.start()
    await check(plant, run)
    await nothing_left(plant)


@pytest.mark.parametrize("how", ["swallow", "cut"])
async def test_a_worker_leaves_in_time_while_temporal_is_away(
    how: str, plant: Plant
) -> None:
    run = await plant.begin(Numbered(lines=200, pause=0.05, code=6))
    await plant.running(run, lines=5)
    getattr(plant.to_temporal, how)()
    plant.worker.terminate()
    assert await plant.worker.ended(SECONDS_TO_STOP) == 0
    assert not plant.watch.of(run.execution, "die"), "the script was stopped"
    plant.to_temporal.heal()
    await plant.worker.start()
    result = await check(plant, run)
    assert result.attempts == 1
    await nothing_left(plant)


async def test_a_cancel_while_no_worker_lives_is_carried_out_by_the_next(
    plant: Plant,
) -> None:
    run = await plant.begin(Numbered(lines=2000, pause=0.05))
    await plant.running(run)
    plant.worker.terminate()
    assert await plant.worker.ended(SECONDS_TO_STOP) == 0
    await run.handle.cancel()
    await plant.worker.start()
    result = await plant.result(run)
    assert result.status is Status.CANCELLED, result
    # Cancelled means stopped: TERM, the grace of 5 s, KILL, gone.
    await plant.watch.saw("destroy", run.execution, 7)
    assert len(plant.watch.of(run.execution, "start")) == 1
    await nothing_left(plant)


async def test_a_host_that_never_comes_back_ends_the_run_as_lost(
    plant: Plant,
) -> None:
    # How long a host is waited for is fixed when a run begins.
    plant.worker.kill()
    brief = plant.add_worker("brief", WORKER_RESUME_WINDOW="3s")
    await brief.start()
    run = await plant.begin(Numbered(lines=60, pause=0.05))
    await plant.running(run)
    brief.kill()
    # Another host with workflows, so that somebody can say that the first is gone.
    other = plant.add_worker(
        "other",
        plant.directory / "other",
        INSTANCE=plant.instance + "-o",
        ROLE="workflow",
    )
    await other.start()
    result = await plant.result(run)
    assert result.status is Status.LOST
    assert result.error is not None
    assert result.error.type == "HostLost"
    await plant.worker.start()
    await nothing_left(plant)
