"""A daemon that is slow to answer a start: the script is started once, or never."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from contracts.errors import EngineUnavailable, HostLost, StartUnknown
from engines.docker import DockerConfig, DockerEngine, starting
from engines.docker.calls import Calls
from engines.docker.sandbox import Sandbox
from tests.chaos.plant import DOCKER_SOCKET
from tests.chaos.wire import Gate
from tests.conftest import new_instance
from tests.docker.conftest import spec_of
from tests.remains import remove_remains

ANSWER_SECONDS = 1
SCRIPT = "echo once; sleep 1; exit 3"


@pytest.fixture
async def gate(tmp_path: Path) -> AsyncIterator[Gate]:
    made = Gate(tmp_path / "slow.sock", Path(DOCKER_SOCKET))
    await made.start()
    yield made
    made.open()
    await made.close()


@pytest.fixture
async def engine(gate: Gate, tmp_path: Path) -> AsyncIterator[DockerEngine]:
    instance = new_instance()
    made = DockerEngine(
        DockerConfig(
            run_directory=tmp_path / "runs",
            socket=str(gate.path),
            instance=instance,
            api_timeout=ANSWER_SECONDS,
            outage_window=8,
        )
    )
    yield made
    made.close()
    await asyncio.to_thread(remove_remains, instance)


async def attached(engine: DockerEngine) -> tuple[Sandbox, list[bytes]]:
    sandbox, said = await engine.create(spec_of(SCRIPT)), list[bytes]()
    await sandbox.attach(lambda stream, data: said.append(data))
    return sandbox, said


async def test_a_start_that_comes_late_is_one_start(
    engine: DockerEngine, gate: Gate
) -> None:
    sandbox, said = await attached(engine)
    hold = gate.arm("POST", "/start")
    starting_ = asyncio.create_task(sandbox.start())
    await hold.reached.wait()
    # The call gives up meanwhile, but no answer is no "no".
    await asyncio.sleep(ANSWER_SECONDS * 2)
    assert not starting_.done()
    gate.open()
    await asyncio.wait_for(starting_, 30)
    end = await asyncio.wait_for(asyncio.shield(sandbox.exited), 30)
    assert end.code == 3
    assert await sandbox.drain()
    assert b"".join(said) == b"once\n"
    await engine.remove(sandbox)


async def test_a_start_that_never_comes_leaves_nothing_and_says_so(
    engine: DockerEngine, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(starting, "SETTLE_SECONDS", 1.0)
    sandbox, said = await attached(engine)
    gate.arm("POST", "/start")
    with pytest.raises(EngineUnavailable) as refused:
        await asyncio.wait_for(sandbox.start(), 30)
    assert type(refused.value) is EngineUnavailable
    # Should the daemon hear of it after all, there is nothing to start.
    gate.open()
    assert await sandbox.status() is None
    assert said == []


async def test_a_start_that_comes_as_it_is_given_up_counts(
    engine: DockerEngine, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It begins between the last look and the removal, which the daemon refuses."""

    async def looks_too_early(calls: Calls, name: str, patience: float) -> bool:
        gate.open()
        async with asyncio.timeout(30):
            while await sandbox.status() != "running":  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        return False

    sandbox, _ = await attached(engine)
    gate.arm("POST", "/start")
    monkeypatch.setattr(starting, "_began", looks_too_early)
    await asyncio.wait_for(sandbox.start(), 60)
    end = await asyncio.wait_for(asyncio.shield(sandbox.exited), 30)
    assert end.code == 3
    await engine.remove(sandbox)


async def test_one_that_began_and_ended_before_it_was_taken_away_is_no_new_start(
    engine: DockerEngine, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The daemon removes it without a word; its events still know."""

    async def looks_too_early(calls: Calls, name: str, patience: float) -> bool:
        gate.open()
        async with asyncio.timeout(30):
            while await sandbox.status() != "exited":  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        return False

    sandbox, _ = await attached(engine)
    gate.arm("POST", "/start")
    monkeypatch.setattr(starting, "_began", looks_too_early)
    with pytest.raises(HostLost):
        await asyncio.wait_for(sandbox.start(), 60)


async def test_a_daemon_that_falls_silent_leaves_it_open_whether_it_began(
    engine: DockerEngine, gate: Gate
) -> None:
    sandbox, _ = await attached(engine)
    hold = gate.arm("POST", "/start")
    starting_ = asyncio.create_task(sandbox.start())
    await hold.reached.wait()
    await gate.close()
    with pytest.raises(StartUnknown):
        await asyncio.wait_for(starting_, 60)


async def test_what_waits_to_begin_is_taken_away_only_if_it_has_not_begun(
    engine: DockerEngine,
) -> None:
    """As the next worker does it, of which the last one died after its call."""
    waits, _ = await attached(engine)
    assert await waits.status() == "created"
    assert await waits.never_begins()
    assert await waits.status() is None
    runs, _ = await attached(engine)
    await runs.start()
    assert not await runs.never_begins()
    assert (await asyncio.wait_for(asyncio.shield(runs.exited), 30)).code == 3
    await engine.remove(runs)
