"""The Docker daemon is restarted, killed or hangs; a daemon of the tests' own.

Scripts run without network there, see `tests.chaos.daemon`. What is shown: nothing
hangs, nothing is called a success that was none, the host says that it is not ready and
why, and afterwards everything works again with all of its slots.
"""

import asyncio
import secrets
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from contracts.results import Status
from tests.chaos.conftest import long_only
from tests.chaos.daemon import Daemon, remove_tree
from tests.chaos.plant import DOCKER_SOCKET, Plant
from tests.chaos.processes import Part
from tests.chaos.scripts import Numbered
from tests.chaos.truth import broken_numbers, check, complain, nothing_left

Start = Callable[..., Awaitable[tuple[Plant, Daemon]]]
SLOTS = 4
API_SECONDS = 3


@pytest.fixture(scope="module")
def root() -> Any:
    """Images of the daemons of this module; the runner image is loaded once."""
    directory = Path(tempfile.mkdtemp(prefix="crn-daemon-"))
    yield directory
    remove_tree(directory)


@pytest.fixture
async def start(root: Path, tmp_path: Path) -> AsyncIterator[Start]:
    """Start a daemon and a plant on it."""
    state = Path(tempfile.mkdtemp(prefix="crn-d-"))
    daemon = Daemon(root, state)
    plant = Plant(
        tmp_path / "plant",
        socket=str(daemon.socket),
        wired=False,
        DOCKER_SLOTS=SLOTS,
        DOCKER_API_TIMEOUT=f"{API_SECONDS}s",
        DOCKER_JANITOR_INTERVAL="500ms",
        DOCKER_EGRESS="off",
    )

    async def begin(*, live_restore: bool) -> tuple[Plant, Daemon]:
        await daemon.start(live_restore=live_restore)
        await plant.start()
        return plant, daemon

    try:
        yield begin
    finally:
        if daemon.dockerd.running:
            daemon.dockerd.thaw()
            await plant.stop()
        else:
            for part in reversed(plant.parts):
                part.kill()
            await plant.watch.close()
        await daemon.stop()
        remove_tree(state)


async def all_slots_work(plant: Plant) -> None:
    """Run more scripts at once than there are slots."""
    await plant.worker.ready()
    runs = [await plant.begin(Numbered(lines=10, pause=0.02)) for _ in range(SLOTS + 2)]
    for run in runs:
        await check(plant, run)
    await nothing_left(plant)


@pytest.mark.parametrize("kill", [False, True], ids=["in order", "by force"])
async def test_with_live_restore_a_run_goes_on_over_a_restart_of_the_daemon(
    kill: bool, start: Start
) -> None:
    plant, daemon = await start(live_restore=True)
    run = await plant.begin(Numbered(lines=120, pause=0.05, code=5))
    await plant.running(run, lines=10)
    await daemon.restart(kill=kill)
    await check(plant, run)
    await all_slots_work(plant)


async def test_without_live_restore_a_run_ends_and_does_not_pass_for_its_own_failure(
    start: Start,
) -> None:
    plant, daemon = await start(live_restore=False)
    run = await plant.begin(Numbered(lines=400, pause=0.05))
    await plant.running(run, lines=10)
    await daemon.restart()
    result = await plant.result(run)
    log = await plant.caller.logs(run.execution, 30)
    problems = broken_numbers(log)
    if result.status not in (Status.LOST, Status.FAILURE) or result.error is None:
        problems.append(f"the result is {result.status} with {result.error}")
    elif result.error.type in ("ScriptFailed", "OutOfMemory"):
        problems.append(f"the user is blamed: {result.error}")
    if len(plant.watch.of(run.execution, "start")) != 1:
        problems.append("it was started again although it is not idempotent")
    await complain(plant, run.execution, problems)
    await all_slots_work(plant)


@long_only
async def test_without_live_restore_an_idempotent_event_is_run_again(
    start: Start,
) -> None:
    plant, daemon = await start(live_restore=False)
    run = await plant.begin(Numbered(lines=120, pause=0.05), idempotent=True)
    await plant.running(run, lines=10)
    await daemon.restart()
    result = await plant.result(run)
    if result.status is not Status.SUCCESS:
        await complain(plant, run.execution, [f"{result.status}: {result.error}"])
    await all_slots_work(plant)


async def test_a_daemon_that_is_down_is_waited_for(start: Start) -> None:
    plant, daemon = await start(live_restore=True)
    daemon.dockerd.terminate()
    await daemon.dockerd.ended()
    assert str(daemon.socket) in await plant.not_ready("docker")
    run = await plant.begin(Numbered(lines=10))
    await asyncio.sleep(2)
    await daemon.dockerd.start()
    await check(plant, run)
    await all_slots_work(plant)


async def test_a_daemon_that_hangs_makes_the_host_not_ready_and_others_take_over(
    start: Start, tmp_path: Path
) -> None:
    plant, daemon = await start(live_restore=True)
    run = await plant.begin(Numbered(lines=150, pause=0.05, code=5))
    await plant.running(run, lines=10)
    daemon.dockerd.freeze()
    assert str(daemon.socket) in await plant.not_ready("docker", API_SECONDS * 3 + 5)
    other = second_host(plant, tmp_path)
    await other.start()
    meanwhile = await plant.begin(Numbered(lines=5))
    result = await plant.result(meanwhile)
    assert result.status is Status.SUCCESS, result
    daemon.dockerd.thaw()
    await check(plant, run)
    await plant.worker.ready()
    await other.stop()
    await all_slots_work(plant)


@long_only
async def test_a_worker_that_dies_while_the_daemon_hangs_finds_its_run_again(
    start: Start,
) -> None:
    plant, daemon = await start(live_restore=True)
    run = await plant.begin(Numbered(lines=200, pause=0.05, code=5))
    await plant.running(run, lines=10)
    daemon.dockerd.freeze()
    plant.worker.kill()
    await plant.worker.start(wait=False)
    await asyncio.sleep(2)
    daemon.dockerd.thaw()
    await plant.worker.ready()
    await check(plant, run)
    await all_slots_work(plant)


def second_host(plant: Plant, directory: Path) -> Part:
    """Return a worker of another host, on the machine's own daemon."""
    return plant.add_worker(
        "second",
        directory / "second",
        INSTANCE=f"{plant.instance}-{secrets.token_hex(2)}",
        DOCKER_SOCKET=DOCKER_SOCKET,
    )
