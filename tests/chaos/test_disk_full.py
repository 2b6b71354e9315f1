"""The disk of the state directory is full: running scripts end well, no new ones begin.

The state directory lies on a small file system of its own.
"""

import asyncio
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.caller import plain_http
from tests.chaos.daemon import unmount_below
from tests.chaos.plant import Plant
from tests.chaos.scripts import Numbered
from tests.chaos.truth import broken_numbers, check, complain, nothing_left

SIZE_MB = 16


@pytest.fixture
async def cramped(tmp_path: Path) -> AsyncIterator[tuple[Plant, Path]]:
    """A plant whose worker keeps its state on a disk of 16 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount("-t", "tmpfs", "-o", f"size={SIZE_MB}m", "tmpfs", str(disk))
    # The files of the runs lie elsewhere, as by default (/run/cronium).
    plant = Plant(
        tmp_path / "plant", DOCKER_RUN_DIR=tmp_path / "run", LOGS_MIN_FREE="4MB"
    )
    plant.replace_worker(state=disk / "state")
    try:
        await plant.start()
        yield plant, disk
    finally:
        await plant.stop()
        unmount_below(tmp_path)


def mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True, capture_output=True)


def fill(disk: Path) -> Path:
    """Take the last byte of a disk."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        block = 1 << 16
        while block:
            try:
                file.write(b"\0" * block)
            except OSError:
                block //= 2
    return ballast


async def readiness(plant: Plant) -> httpx.Response:
    async with plain_http(timeout=10) as http:
        return await http.get(plant.health["worker"] + "/ready")


async def test_a_full_disk_spoils_no_running_script_and_takes_no_new_one(
    cramped: tuple[Plant, Path],
) -> None:
    plant, disk = cramped
    run = await plant.begin(Numbered(lines=100, pause=0.04, code=3))
    await plant.running(run, lines=10)
    # Nothing is freed by sending: what is written now has to lie on the disk.
    plant.to_gateway.swallow()
    ballast = fill(disk)
    await plant.watch.saw("die", run.execution)
    async with asyncio.timeout(20):
        while (reply := await readiness(plant)).status_code != 503:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    assert "disk" in reply.text
    waiting = await plant.begin(Numbered(lines=5))
    await asyncio.sleep(1)
    assert not plant.watch.of(waiting.execution, "create")
    ballast.unlink()
    plant.to_gateway.heal()
    result = await plant.result(run)
    assert result.exit_code == 3, result
    assert result.logs.lines == len(run.script.stdout) + len(run.script.stderr)
    log = await plant.caller.logs(run.execution)
    await complain(plant, run.execution, broken_numbers(log))
    await plant.worker.ready()
    await check(plant, waiting)
    await nothing_left(plant)


async def test_a_worker_killed_on_a_full_disk_comes_back_with_what_it_had(
    cramped: tuple[Plant, Path],
) -> None:
    plant, disk = cramped
    run = await plant.begin(Numbered(lines=100, pause=0.04, code=3))
    await plant.running(run, lines=10)
    ballast = fill(disk)
    plant.worker.kill()
    ballast.unlink()
    await plant.worker.start()
    await check(plant, run)
    await nothing_left(plant)
