"""The plant that the tests of this folder break, mended before each of them."""

import asyncio
import contextlib
import os
import random
import secrets
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from tests.chaos.plant import DOCKER_SOCKET, Plant
from tests.chaos.truth import leftovers
from tests.chaos.wire import Gate

LONG = os.environ.get("CRONIUM_CHAOS") == "long"
SEED = int(os.environ.get("CRONIUM_CHAOS_SEED") or secrets.randbelow(1_000_000))
# Those that take minutes in the long form come first, so that none runs on alone.
SLOWEST = (
    "test_servers.py",
    "test_talking_back.py",
    "test_gateway_outage.py",
    "test_worker_death.py",
    "test_docker_daemon.py",
    "test_fan_out.py",
    "test_temporal_outage.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the slow files of the long form first."""
    if LONG:
        places = {name: place for place, name in enumerate(SLOWEST)}
        items.sort(key=lambda item: places.get(item.path.name, len(places)))


def pytest_report_header() -> str:
    """Print what makes the moments of a run of the tests come again."""
    return f"chaos: CRONIUM_CHAOS_SEED={SEED}{' (long form)' if LONG else ''}"


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Add to a failed test what the processes said last."""
    outcome: Any = yield
    report = outcome.get_result()
    plant = getattr(item, "funcargs", {}).get("plant")
    if not report.failed or not isinstance(plant, Plant):
        return
    report.sections.append(("chaos", f"CRONIUM_CHAOS_SEED={SEED}"))
    if "\n--- worker" in str(report.longrepr):
        return
    for part in plant.parts:
        report.sections.append((f"last lines of {part.name}", part.last_lines()))


@pytest.fixture
def dice(request: pytest.FixtureRequest) -> random.Random:
    """Chance that `CRONIUM_CHAOS_SEED` repeats, for each test its own."""
    return random.Random(f"{SEED} {request.node.name}")


long_only = pytest.mark.skipif(not LONG, reason="in the long form alone: `make chaos`")


def rounds(short: int, long: int) -> range:
    """Return how often to try: few times by default, often in the long form."""
    return range(long if LONG else short)


def length(short: float, long: float) -> float:
    """Return how many seconds an outage lasts, by form."""
    return long if LONG else short


@pytest.fixture(scope="package")
async def standing(
    docker_client: docker.APIClient, temporal_binary: str, tmp_path_factory: Any
) -> AsyncIterator[Plant]:
    """One plant for all tests of a process."""
    directory: Path = tmp_path_factory.mktemp("plant")
    plant = Plant(directory)
    try:
        await plant.start()
        yield plant
    finally:
        await plant.stop()


@pytest.fixture
async def plant(standing: Plant) -> Plant:
    """The plant, with all of its parts at work."""
    return await mended(standing)


@contextlib.asynccontextmanager
async def gated_plant(
    directory: Path, **settings: Any
) -> AsyncIterator[tuple[Plant, Gate]]:
    """A plant whose worker reaches Docker through a gate that holds requests.

    Args:
        directory: For the gate's socket and the plant.
        settings: More `CRONIUM_*` variables of the worker, without the prefix.
    """
    gate = Gate(directory / "docker.sock", Path(DOCKER_SOCKET))
    await gate.start()
    plant = Plant(directory / "plant", wired=False, **settings)
    # Only the worker goes through the gate: what watches it must see all.
    plant.replace_worker(DOCKER_SOCKET=gate.path)
    try:
        await plant.start()
        yield plant, gate
    finally:
        gate.open()
        await plant.stop()
        await gate.close()


async def mended(plant: Plant) -> Plant:
    """Return a plant that works again, and forget what an earlier test left."""
    await plant.mend()
    found = await asyncio.to_thread(leftovers, plant)
    plant.litter = frozenset(name for names in found.values() for name in names)
    return plant
