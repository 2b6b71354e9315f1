"""Temporal dies, or cannot be reached: containers go on, results come, cancels too."""

import asyncio
import random

from contracts.results import Status
from tests.chaos.conftest import length, rounds
from tests.chaos.plant import HEARTBEAT_TIMEOUT, Plant
from tests.chaos.scripts import Numbered
from tests.chaos.truth import check, complain, nothing_left
from tests.chaos.wire import until


async def test_runs_outlive_a_dead_temporal(plant: Plant) -> None:
    run = await plant.begin(Numbered(lines=60, pause=0.05, code=3))
    await plant.running(run, lines=5)
    plant.temporal.kill()
    assert "Temporal" in await plant.not_ready("temporal")
    await asyncio.sleep(length(HEARTBEAT_TIMEOUT + 2, 60))
    await plant.temporal.start()
    result = await check(plant, run)
    assert result.attempts == 1
    await plant.worker.ready()
    await nothing_left(plant)


async def test_a_short_outage_of_temporal_is_not_noticed(plant: Plant) -> None:
    # Longer than all the outages take, on a slow machine as well.
    lines = int(length(200, 800))
    run = await plant.begin(Numbered(lines=lines, pause=0.05, code=3))
    for _ in rounds(2, 6):
        await plant.running(run)
        plant.temporal.kill()
        await plant.temporal.start()
    await check(plant, run)
    await nothing_left(plant)


async def test_temporal_and_worker_killed_together_lose_nothing(plant: Plant) -> None:
    run = await plant.begin(Numbered(lines=100, pause=0.05, code=2))
    await plant.running(run, lines=5)
    plant.worker.kill()
    plant.temporal.kill()
    await asyncio.gather(plant.temporal.start(), plant.worker.start(wait=False))
    await plant.worker.ready()
    await check(plant, run)
    await nothing_left(plant)


async def test_a_worker_cut_off_for_longer_than_its_timeout_runs_nothing_twice(
    plant: Plant,
) -> None:
    run = await plant.begin(Numbered(lines=160, pause=0.05, code=4))
    await plant.running(run, lines=5)
    plant.to_temporal.swallow()
    await asyncio.sleep(length(HEARTBEAT_TIMEOUT * 2, 30))
    plant.to_temporal.heal()
    await check(plant, run)
    await nothing_left(plant)


async def test_a_script_that_ends_while_its_worker_is_cut_off_keeps_its_result(
    plant: Plant,
) -> None:
    run = await plant.begin(Numbered(lines=40, pause=0.05, code=4))
    await plant.running(run, lines=5)
    plant.to_temporal.swallow()
    await asyncio.sleep(HEARTBEAT_TIMEOUT * 2 + 1)
    plant.to_temporal.heal()
    await check(plant, run)
    await nothing_left(plant)


async def test_a_connection_that_flickers_costs_nothing(
    plant: Plant, dice: random.Random
) -> None:
    runs = [await plant.begin(Numbered(lines=120, pause=0.04)) for _ in range(4)]
    for _ in rounds(6, 40):
        await asyncio.sleep(dice.uniform(0.1, 0.8))
        plant.to_temporal.cut()
        await asyncio.sleep(dice.uniform(0, 0.5))
        plant.to_temporal.heal()
    for run in runs:
        await check(plant, run)
    await nothing_left(plant)


async def test_a_cancel_during_a_partition_is_applied_when_it_heals(
    plant: Plant,
) -> None:
    run = await plant.begin(Numbered(lines=2000, pause=0.05))
    await plant.running(run)
    plant.to_temporal.swallow()
    await run.handle.cancel()
    await asyncio.sleep(length(2, 30))
    plant.to_temporal.heal()
    result = await plant.result(run, 60)
    assert result.status is Status.CANCELLED
    await plant.watch.saw("destroy", run.execution, 20)
    await nothing_left(plant)


async def test_a_cancel_during_a_long_partition_is_applied_too(plant: Plant) -> None:
    run = await plant.begin(Numbered(lines=2000, pause=0.05))
    await plant.running(run)
    plant.to_temporal.swallow()
    await run.handle.cancel()
    await asyncio.sleep(HEARTBEAT_TIMEOUT * 2 + 1)
    plant.to_temporal.heal()
    result = await plant.result(run, 60)
    assert result.status is Status.CANCELLED
    await plant.watch.saw("destroy", run.execution, 20)
    await nothing_left(plant)


async def test_a_worker_that_was_frozen_meets_the_order_to_go_on_with_its_own_run(
    plant: Plant,
) -> None:
    # Its old activity knows nothing of the timeout: both claim the same container.
    run = await plant.begin(Numbered(lines=180, pause=0.05, code=8))
    await plant.running(run, lines=5)
    plant.worker.freeze()
    await asyncio.sleep(HEARTBEAT_TIMEOUT * 2)
    plant.worker.thaw()
    await check(plant, run)
    await nothing_left(plant)


async def test_an_idempotent_event_never_runs_on_two_hosts_at_the_end(
    plant: Plant,
) -> None:
    run = await plant.begin(Numbered(lines=200, pause=0.05), idempotent=True)
    await plant.running(run, lines=5)
    plant.worker.freeze()
    other = plant.add_worker("other", plant.directory / "other-host")
    await other.start()
    await asyncio.sleep(HEARTBEAT_TIMEOUT * 2)
    plant.worker.thaw()
    result = await plant.result(run)
    assert result.status is Status.SUCCESS
    log = await plant.caller.logs(run.execution, 30)
    script = run.script
    complete = [
        key
        for key in {(line["attempt"], line.get("dispatch", 1)) for line in log}
        if [
            line["text"]
            for line in log
            if line["stream"] == "stdout"
            and (line["attempt"], line.get("dispatch", 1)) == key
        ]
        == script.stdout
    ]
    if not complete:
        await complain(plant, run.execution, ["no start wrote the whole output"])
    await nothing_left(plant)


async def test_a_worker_says_that_it_cannot_reach_temporal(plant: Plant) -> None:
    plant.worker.kill()
    plant.to_temporal.cut()
    await plant.worker.start(wait=False)
    await until(
        lambda: "temporal" in plant.worker.last_lines().lower(),
        60,
        plant.worker.words("says nothing of Temporal"),
    )
    plant.to_temporal.heal()
    await plant.worker.ready()
