"""The clock of the host jumps by an hour: timeouts and order do not care.

`libfaketime` shifts the wall clock of worker and gateway while they run; the monotonic
clock goes on as on a real host whose clock is set.
"""

import importlib.util
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from contracts.results import Status
from tests.chaos.conftest import mended
from tests.chaos.plant import Plant
from tests.chaos.scripts import Numbered
from tests.chaos.truth import check, nothing_left

HOUR = 3600
TIMEOUT = 60


def library() -> Path:
    """Return the shared object; asked for like this the package is not loaded."""
    found = importlib.util.find_spec("libfaketime")
    assert found is not None, "libfaketime is missing: run `make setup`"
    assert found.origin is not None, "libfaketime is not a package"
    return Path(found.origin).parent / "vendor/libfaketime/src/libfaketime.so.1"


class Clock:
    """The wall clock of worker and gateway."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.set(0)

    def set(self, seconds: int) -> None:
        """Let it differ from the real one."""
        new = self._file.with_suffix(".new")
        new.write_text(f"{seconds:+d}\n")
        new.replace(self._file)

    @property
    def environment(self) -> dict[str, str]:
        """What makes a process look at it."""
        return {
            "LD_PRELOAD": str(library()),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }


@pytest.fixture(scope="module")
async def shifted(tmp_path_factory: Any) -> AsyncIterator[tuple[Plant, Clock]]:
    directory: Path = tmp_path_factory.mktemp("clock")
    clock = Clock(directory / "clock")
    plant = Plant(directory / "plant", wired=False, variables=clock.environment)
    try:
        await plant.start()
        yield plant, clock
    finally:
        await plant.stop()


@pytest.mark.parametrize("jump", [HOUR, -HOUR], ids=["forward", "back"])
async def test_a_jump_while_a_script_runs_neither_ends_it_nor_mixes_its_lines(
    jump: int, shifted: tuple[Plant, Clock]
) -> None:
    plant, clock = shifted
    clock.set(0)
    await mended(plant)
    run = await plant.begin(Numbered(lines=60, pause=0.05), timeoutSeconds=TIMEOUT)
    await plant.running(run, lines=10)
    clock.set(jump)
    await plant.result(run)
    # Our own token is of the real time.
    clock.set(0)
    result = await check(plant, run)
    assert 0 < result.durations.total_ms < TIMEOUT * 1000, result.durations
    assert 0 < result.durations.execution_ms < TIMEOUT * 1000, result.durations
    await nothing_left(plant)


@pytest.mark.parametrize("jump", [HOUR, -HOUR], ids=["forward", "back"])
async def test_a_timeout_is_kept_over_a_jump(
    jump: int, shifted: tuple[Plant, Clock]
) -> None:
    plant, clock = shifted
    clock.set(0)
    await mended(plant)
    run = await plant.begin(Numbered(lines=2000, pause=0.05), timeoutSeconds=4)
    await plant.running(run)
    clock.set(jump)
    result = await plant.result(run, 30)
    assert result.status is Status.TIMEOUT, result
    assert 3000 < result.durations.execution_ms < 12_000, result.durations
    await nothing_left(plant)


@pytest.mark.parametrize("jump", [HOUR, -HOUR], ids=["forward", "back"])
async def test_a_worker_that_dies_after_a_jump_takes_its_run_over_as_ever(
    jump: int, shifted: tuple[Plant, Clock]
) -> None:
    plant, clock = shifted
    clock.set(0)
    await mended(plant)
    run = await plant.begin(Numbered(lines=80, pause=0.05), timeoutSeconds=TIMEOUT)
    await plant.running(run, lines=10)
    plant.worker.kill()
    clock.set(jump)
    await plant.worker.start()
    await plant.result(run)
    # Our own token is of the real time.
    clock.set(0)
    await check(plant, run)
    await nothing_left(plant)
