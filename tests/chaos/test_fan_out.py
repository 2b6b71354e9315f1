"""kill -9 of the worker in a fan-out: what ended stays, what runs is taken over."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import docker
import pytest

from contracts.results import ExecutionResult
from tests.chaos.conftest import LONG
from tests.chaos.fleet import SECRET, Fleet, running_fleet
from tests.chaos.plant import Plant, Run
from tests.chaos.scripts import Numbered
from tests.chaos.truth import broken_numbers, complain, entries, wrong_text
from tests.chaos.wire import until

SERVERS = 4
TARGETS = 12
FORKS = 6
# In three windows and more, so that one has not begun when the worker dies.
CROWD = 200 if LONG else 120
CROWD_FORKS = 60 if LONG else 40
# Some have ended and some run at every moment: they begin one after the other.
STAGGER = 1
UP_SECONDS = 60.0
AFTER_SECONDS = 120.0
CROWD_SECONDS = 300.0
LEFT_SECONDS = 30.0
BAD = "t005"
BAD_CODE = 7

# Each target has a directory of its own, and a line in it for each time it ran.
SCRIPT = Numbered(
    lines=60,
    pause=0.05,
    trap=f"echo s >> starts; trap 'echo e >> ends; [ ! -e bad ] || exit {BAD_CODE}' "
    "EXIT",
)


@pytest.fixture(scope="module")
def fleet(docker_client: docker.APIClient) -> Iterator[Fleet]:
    with running_fleet(docker_client, SERVERS, TARGETS) as made:
        yield made


@pytest.fixture
async def plant(fleet: Fleet, tmp_path: Path) -> AsyncIterator[Plant]:
    """A plant whose workers know the servers' key."""
    keys = tmp_path / "keys"
    keys.mkdir()
    (keys / SECRET).write_text(fleet.key)
    made = Plant(tmp_path / "plant", wired=False, SECRETS_DIRECTORY=keys)
    try:
        await made.start()
        yield made
    finally:
        await made.stop()


CROWD_SCRIPT = dataclasses.replace(SCRIPT, lines=30, pause=0.2)


@pytest.mark.parametrize("successor", ["the same host", "another host"])
@pytest.mark.timeout(300)
async def test_a_fan_out_outlives_its_worker_and_runs_nothing_twice(
    successor: str, plant: Plant, fleet: Fleet
) -> None:
    await asyncio.to_thread(fleet.prepare, BAD)
    run = await plant.begin(
        SCRIPT,
        targets=fleet.targets(),
        fanOut={"forks": FORKS, "staggerSeconds": STAGGER},
    )
    await until(lambda: fleet.ended() >= 3, UP_SECONDS, "three servers that ended")
    plant.worker.kill()
    begun, ended = await asyncio.to_thread(
        lambda: (fleet.count("starts").total(), fleet.ended())
    )
    assert ended < begun, "nothing ran when the worker died: this shows nothing"
    assert begun < TARGETS, "all had begun when the worker died"
    if successor == "the same host":
        await plant.worker.start()
    else:
        # Nothing of the dead worker's disk is there: the servers have all of it.
        other = plant.add_worker("other", plant.directory / "other")
        await other.start()
    result = await plant.result(run, AFTER_SECONDS)
    await complain(plant, run.execution, await deviations(plant, fleet, run, result))


@pytest.mark.timeout(600)
async def test_two_hundred_servers_outlive_the_death_of_their_worker(
    plant: Plant, fleet: Fleet
) -> None:
    """As above (120 by default), most of a window being under way when it dies."""
    crowd = Fleet(fleet.servers, CROWD)
    await asyncio.to_thread(crowd.prepare, BAD)
    run = await plant.begin(
        CROWD_SCRIPT,
        targets=crowd.targets(),
        fanOut={"forks": CROWD_FORKS},
    )
    # The first window has ended in part; the second has just begun and takes a while.
    second = CROWD_FORKS + 10
    await until(
        lambda: crowd.count("starts").total() >= second, UP_SECONDS, "a second window"
    )
    plant.worker.kill()
    begun, ended = await asyncio.to_thread(
        lambda: (crowd.count("starts").total(), crowd.ended())
    )
    assert ended < begun, "nothing ran when the worker died: this shows nothing"
    assert begun < CROWD, "all had begun when the worker died"
    # Its Docker is of no matter here, and a busy machine proves it slowly.
    await plant.worker.start(wait=False)
    result = await plant.result(run, CROWD_SECONDS)
    await complain(plant, run.execution, await deviations(plant, crowd, run, result))


async def deviations(
    plant: Plant, fleet: Fleet, run: Run, result: ExecutionResult
) -> list[str]:
    """Hold result, log and servers against what must be true."""
    found = []
    for file in ("starts", "ends"):
        counts = await asyncio.to_thread(fleet.count, file)
        found += [f"{name}: {n} {file}" for name, n in counts.items() if n != 1]
    if (result.status, result.exit_code) != ("PARTIAL", 101):
        found.append(f"the result is {result.status} {result.exit_code}")
    for row in result.targets:
        wanted = BAD_CODE if row.target == BAD else 0
        if (row.exit_code, row.attempts, row.error is None) != (wanted, 1, not wanted):
            found.append(f"{row.target}: {row.exit_code} {row.attempts} {row.error}")
    log = await plant.caller.logs(run.execution, 30)
    found += broken_numbers(log)
    for name in fleet.names:
        lines = [line for line in log if line["target"] == name]
        found += [f"{name}: {words}" for words in wrong_text(lines, run.script)]
    await fleet.emptied(LEFT_SECONDS)
    if "other" not in plant.workers:
        found += await kept_for(LEFT_SECONDS, plant)
    return found


async def kept_for(seconds: float, plant: Plant) -> list[str]:
    """Return what the worker still holds of runs after a while, sooner if nothing."""
    try:
        await until(lambda: not kept(plant), seconds, "")
    except AssertionError:
        return [f"kept after {seconds:g} s: {name}" for name in kept(plant)]
    return []


def kept(plant: Plant) -> list[str]:
    """What the worker's state directory still holds of runs."""
    return [
        name
        for directory in ("server-runs", "channels", "sockets")
        for name in entries(plant.state / directory)
    ]
