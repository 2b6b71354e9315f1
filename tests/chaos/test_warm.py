"""kill -9 of the worker around the moment that a run takes a sandbox which waited."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import docker
import pytest

from contracts import names
from engines.docker.standby import is_warm
from tests.chaos.conftest import gated_plant, mended
from tests.chaos.plant import JANITOR_INTERVAL, Plant, Run
from tests.chaos.scripts import Numbered
from tests.chaos.truth import (
    broken_numbers,
    check,
    complain,
    nothing_left,
    wrong_result,
    wrong_text,
)
from tests.chaos.wire import Gate, until

RENAME = ("POST", r"/containers/[0-9a-f]{64}/rename")
ATTACH = ("POST", r"/containers/cronium-[0-9a-f]{32}/attach")
WAIT = ("POST", r"/containers/cronium-[0-9a-f]{32}/wait")
REMOVE = ("DELETE", r"/containers/cronium-[0-9a-f]{32}")

POINTS = {
    "before the sandbox is the run's": (RENAME, False),
    "when it is the run's and the worker does not know": (RENAME, True),
    "when it is not followed": (ATTACH, False),
    "when the script runs": (WAIT, False),
    "when the script has ended and nobody was told": (WAIT, True),
    "when the script has ended and it is not removed": (REMOVE, False),
}


@pytest.fixture(scope="module")
async def gated(tmp_path_factory: Any) -> AsyncIterator[tuple[Plant, Gate]]:
    async with gated_plant(tmp_path_factory.mktemp("warm"), DOCKER_WARM=1) as made:
        yield made


def waiting(plant: Plant, client: docker.APIClient) -> list[str]:
    """Return the names of the sandboxes that wait for a run."""
    filters = {
        "label": f"{names.LABEL_INSTANCE}={plant.instance}",
        "status": "running",
    }
    found = (c["Names"][0].lstrip("/") for c in client.containers(filters=filters))
    return [name for name in found if is_warm(name)]


async def warmed(plant: Plant, client: docker.APIClient) -> list[str]:
    """Have a sandbox ready for the next run; return its name."""
    await check_warm(plant, await plant.begin(Numbered(lines=1, pause=0)))
    await until(lambda: bool(waiting(plant, client)), 30, "a sandbox that waits")
    return waiting(plant, client)


async def check_warm(plant: Plant, run: Run) -> None:
    """Hold a run against every fact but the number of containers."""
    result = await plant.result(run)
    log = await plant.caller.logs(run.execution, 30)
    await complain(
        plant,
        run.execution,
        broken_numbers(log)
        + wrong_text(log, run.script)
        + wrong_result(result, run.script),
    )
    assert result.attempts == 1


@pytest.mark.parametrize("point", list(POINTS))
async def test_a_worker_that_dies_around_the_taking_costs_nothing(
    point: str, gated: tuple[Plant, Gate], docker_client: docker.APIClient
) -> None:
    plant, gate = gated
    gate.open()
    await mended(plant)
    before = await warmed(plant, docker_client)
    (method, path), answer = POINTS[point]
    hold = gate.arm(method, path, answer=answer)
    run = await plant.begin(Numbered(lines=25, pause=0.02, code=4))
    async with asyncio.timeout(30):
        await hold.reached.wait()
    plant.worker.kill()
    gate.drop()
    gate.open()
    await plant.worker.start()
    await check_warm(plant, run)
    await nothing_left(plant)
    # What waited in the life before belongs to nobody.
    await until(
        lambda: not set(before) & set(waiting(plant, docker_client)),
        5 * JANITOR_INTERVAL,
        "the dead worker's sandboxes are gone",
    )


async def test_a_worker_that_is_told_to_stop_takes_what_waits_along(
    gated: tuple[Plant, Gate], docker_client: docker.APIClient
) -> None:
    plant, gate = gated
    gate.open()
    await mended(plant)
    await warmed(plant, docker_client)
    plant.worker.terminate()
    assert await plant.worker.ended(15) == 0
    assert waiting(plant, docker_client) == []


async def test_the_count_of_starts_holds_for_one_that_waited(
    gated: tuple[Plant, Gate], docker_client: docker.APIClient
) -> None:
    """The checks of the other tests count containers; a run here is none of those."""
    plant, gate = gated
    gate.open()
    await mended(plant)
    await warmed(plant, docker_client)
    run = await plant.begin(Numbered(lines=3, pause=0))
    with pytest.raises(AssertionError, match="0 containers were started"):
        await check(plant, run)
