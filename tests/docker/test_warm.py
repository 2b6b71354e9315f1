"""Sandboxes that wait for their script: taken once, exact at every death."""

import asyncio
import dataclasses
import secrets
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import docker
import pytest

from contracts import names
from contracts.events import Resources
from contracts.logs import Stream
from engines.docker import DockerEngine, Sandbox, SandboxRunsAlready
from engines.docker.gate import NOTE, Gate
from engines.docker.janitor import Janitor
from engines.docker.proof import RULES_SCRIPT
from engines.docker.standby import NAME
from engines.docker.warm import IDLE_SECONDS, Kind, Warm, WarmPool
from tests.docker.conftest import spec_of


@pytest.fixture
async def warm(engine: DockerEngine, tmp_path: Path) -> AsyncIterator[DockerEngine]:
    """An engine that keeps up to two sandboxes waiting."""
    made = _another(engine, tmp_path)
    yield made
    await made.standby.close()
    made.close()


def _another(engine: DockerEngine, directory: Path) -> DockerEngine:
    config = dataclasses.replace(
        engine.config,
        run_directory=directory / "run",
        warm=2,
        instance=engine.config.instance,
        host_id="warm-" + secrets.token_hex(4),
    )
    return DockerEngine(config)


def waiting(client: docker.APIClient, engine: DockerEngine) -> list[dict[str, Any]]:
    """Return the containers of a host that wait for a run."""
    label = f"{names.LABEL_HOST}={engine.config.host_id}"
    found = client.containers(all=True, filters={"label": label, "name": NAME})
    return list(found)


async def prepared(engine: DockerEngine, script: str = "echo", **fields: Any) -> Warm:
    """Have one sandbox ready for scripts of a kind, and look at it."""
    kind = Kind.of(spec_of(script, **fields))
    engine.standby.pool.refill(kind)
    ready = await engine.standby.pool.take(kind)
    assert ready is not None
    put_back(engine.standby.pool, kind, ready)
    return ready


def put_back(pool: WarmPool, kind: Kind, ready: Warm) -> None:
    async def made(_: Kind) -> Warm:
        return ready

    usual, pool.make = pool.make, made
    pool.refill(kind)
    pool.make = usual


async def finish(engine: DockerEngine, sandbox: Sandbox) -> tuple[int, str, str]:
    """Start, follow and remove; return code and output."""
    output: dict[Stream, list[bytes]] = {s: [] for s in Stream}
    await sandbox.attach(lambda stream, data: output[stream].append(data))
    await sandbox.start()
    end = await asyncio.wait_for(asyncio.shield(sandbox.exited), 30)
    await sandbox.drain()
    await engine.remove(sandbox)
    out, err = b"".join(output[Stream.STDOUT]), b"".join(output[Stream.STDERR])
    return end.code, out.decode(), err.decode()


async def test_a_run_takes_the_sandbox_that_waits_and_leaves_a_fresh_one(
    warm: DockerEngine, docker_client: docker.APIClient
) -> None:
    ready = await prepared(warm)
    spec = spec_of("echo out; echo err >&2; exit 7", env={"WHO": "me"})
    sandbox = await warm.create(spec)
    state = docker_client.inspect_container(spec.name)
    assert state["Id"] == ready.container
    assert state["Config"]["Env"] == [
        variable for variable in state["Config"]["Env"] if "WHO" not in variable
    ]
    assert await sandbox.status() == "created"
    assert await finish(warm, sandbox) == (7, "out\n", "err\n")
    fresh = await warm.standby.pool.take(Kind.of(spec))
    assert fresh is not None
    assert fresh.container != ready.container
    put_back(warm.standby.pool, Kind.of(spec), fresh)
    assert [entry["Id"] for entry in waiting(docker_client, warm)] == [fresh.container]
    await warm.standby.close()
    assert waiting(docker_client, warm) == []
    assert list(warm.directories.parent.iterdir()) == []


async def test_the_rules_are_the_same_inside(warm: DockerEngine) -> None:
    cold = await finish(warm, await warm.create(spec_of(RULES_SCRIPT)))
    await prepared(warm)
    assert await finish(warm, await warm.create(spec_of(RULES_SCRIPT))) == cold
    assert "done=yes" in cold[1]


@pytest.mark.parametrize(
    "other",
    [
        {"resources": Resources(memory_mb=128, cpus=1.0, pids=64, tmp_mb=64)},
        {"resources": Resources(memory_mb=256, cpus=1.0, pids=64, tmp_mb=32)},
        {"image": "127.0.0.1:9/nothing:1"},
    ],
    ids=["memory", "tmp", "image"],
)
async def test_another_kind_is_not_taken(
    other: dict[str, Any], warm: DockerEngine
) -> None:
    ready = await prepared(warm)
    assert await warm.standby.pool.take(Kind.of(spec_of("echo", **other))) is None
    assert await warm.standby.pool.take(Kind.of(spec_of("echo"))) == ready
    put_back(warm.standby.pool, Kind.of(spec_of("echo")), ready)


async def test_one_that_has_not_begun_is_replaced_by_the_next_life(
    warm: DockerEngine, engine: DockerEngine
) -> None:
    await prepared(warm)
    spec = spec_of("echo once")
    left = await warm.create(spec)
    left.detach()  # as the death of its worker does
    again = await warm.create(spec)
    assert await finish(warm, again) == (0, "once\n", "")


async def test_a_script_that_began_is_never_started_again(warm: DockerEngine) -> None:
    await prepared(warm)
    spec = spec_of("echo begun; sleep 30")
    first = await warm.create(spec)
    await first.start()
    with pytest.raises(SandboxRunsAlready):
        await warm.create(spec)
    assert await warm.sandbox(spec.run_key).status() == "running"
    assert await warm.sandbox(spec.run_key).started_at() is not None
    await warm.remove(first)


async def test_a_worker_that_died_between_note_and_word_loses_nothing(
    warm: DockerEngine,
) -> None:
    await prepared(warm)
    spec = spec_of("echo only once; sleep 0.2; exit 3")
    first = await warm.create(spec)
    assert first.directory is not None
    (first.directory / NOTE).write_text("1.5")
    first.detach()
    # The next process: it knows that the script was started, and sees it to its end.
    second = warm.sandbox(spec.run_key)
    assert await second.status() == "running"
    assert await second.started_at() == 1.5
    output: list[bytes] = []
    await second.replay(lambda _, data: output.append(data), follow=True)
    second.watch()
    # And a third, which comes when the word was given: nobody hears it twice.
    third = warm.sandbox(spec.run_key)
    third.watch()
    end = await asyncio.wait_for(second.exited, 20)
    await asyncio.wait_for(third.exited, 20)
    await second.drain()
    assert (end.code, b"".join(output)) == (3, b"only once\n")
    await warm.remove(second)


async def test_a_sandbox_that_ended_while_it_waited_is_not_used(
    warm: DockerEngine, docker_client: docker.APIClient
) -> None:
    ready = await prepared(warm)
    await asyncio.to_thread(docker_client.kill, ready.container)
    await asyncio.to_thread(docker_client.wait, ready.container)
    assert await finish(warm, await warm.create(spec_of("echo here"))) == (
        0,
        "here\n",
        "",
    )


async def test_a_sandbox_that_somebody_removed_is_not_used(
    warm: DockerEngine, docker_client: docker.APIClient
) -> None:
    ready = await prepared(warm)
    await asyncio.to_thread(
        lambda: docker_client.remove_container(ready.container, force=True)
    )
    sandbox = await warm.create(spec_of("echo here"))
    assert await finish(warm, sandbox) == (0, "here\n", "")


async def test_a_sandbox_of_an_image_that_was_replaced_is_not_used(
    warm: DockerEngine, docker_client: docker.APIClient
) -> None:
    image = "cronium-test-" + secrets.token_hex(4)
    docker_client.tag(names.RUNNER_IMAGE, image, "latest")
    made = docker_client.create_container(names.RUNNER_IMAGE, ["true"])
    try:
        ready = await prepared(warm, image=f"{image}:latest")
        docker_client.commit(made["Id"], image, "latest")
        sandbox = await warm.create(spec_of("echo new", image=f"{image}:latest"))
        state = docker_client.inspect_container(sandbox.name)
        assert state["Id"] != ready.container
        assert await finish(warm, sandbox) == (0, "new\n", "")
    finally:
        await warm.standby.close()
        docker_client.remove_container(made["Id"], force=True)
        docker_client.remove_image(f"{image}:latest", force=True)


async def test_the_janitor_knows_whose_a_waiting_sandbox_is(
    warm: DockerEngine, docker_client: docker.APIClient
) -> None:
    ready = await prepared(warm)
    taken = await _taken_over(warm)
    dead = DockerEngine(warm.config)  # the process before, of the same host
    left = await prepared(dead)
    stray, _ = dead.directories.create_warm()
    asked: list[Mapping[str, str]] = []

    async def wanted(labels: Mapping[str, str]) -> bool:
        asked.append(labels)
        return True

    removed = await Janitor(warm, frozenset, wanted, lambda _: False).sweep()
    assert left.name in removed
    assert ready.name not in removed
    assert taken.name not in removed
    assert [labels[names.LABEL_RUN_KEY] for labels in asked] == [taken.run_key]
    present = [NAME + name for name in warm.directories.present_warm()]
    assert ready.name in present
    assert not {left.name, NAME + stray} & set(present)
    dead.close()
    await warm.remove(taken)


async def _taken_over(engine: DockerEngine) -> Sandbox:
    """A run in a sandbox that waited, beside one that still waits."""
    await prepared(engine)
    sandbox = await engine.create(spec_of("sleep 60"))
    await sandbox.start()
    sandbox.exited.add_done_callback(lambda task: task.exception())
    return sandbox


async def test_a_cancel_while_one_is_taken_leaves_nothing(
    warm: DockerEngine, docker_client: docker.APIClient
) -> None:
    ready = await prepared(warm)
    spec = spec_of("echo")
    creating = asyncio.ensure_future(warm.create(spec))
    for _ in range(1000):
        await asyncio.sleep(0)
        if warm.directories.has(spec.run_key):
            break
    creating.cancel()
    with pytest.raises(asyncio.CancelledError):
        await creating
    with pytest.raises(docker.errors.NotFound):
        docker_client.inspect_container(ready.container)
    assert not warm.directories.has(spec.run_key)


async def test_a_pool_keeps_no_more_than_its_size_and_the_newest_kinds() -> None:
    made: list[Kind] = []
    gone: list[str] = []

    async def make(kind: Kind) -> Warm:
        made.append(kind)
        name = f"w{len(made)}"
        return Warm(name, name, "image", Gate(Path("/nowhere")))

    async def discard(ready: Warm) -> None:
        gone.append(ready.name)

    pool = WarmPool(2, make, discard)
    kinds = [Kind.of(spec_of("x", image=f"i{n}")) for n in range(3)]
    for kind in (kinds[0], kinds[0], kinds[0], kinds[1], kinds[2]):
        pool.refill(kind)
    assert await pool.take(kinds[0]) is None
    assert (await pool.take(kinds[1])) is not None
    await pool.close()
    assert len(made) == 4
    assert len(gone) == 3
    pool.refill(kinds[0])
    assert await pool.take(kinds[0]) is None


async def test_what_nobody_takes_is_removed_in_time() -> None:
    gone = asyncio.Event()

    async def make(_: Kind) -> Warm:
        return Warm("w", "w", "image", Gate(Path("/nowhere")))

    async def discard(_: Warm) -> None:
        gone.set()

    pool = WarmPool(1, make, discard, idle=0.01)
    pool.refill(Kind.of(spec_of("x")))
    await asyncio.wait_for(gone.wait(), 5)
    assert IDLE_SECONDS >= 60


async def test_one_that_cannot_be_made_is_no_trouble_of_the_run() -> None:
    async def make(_: Kind) -> Warm:
        raise docker.errors.NotFound("no network")

    async def discard(_: Warm) -> None:
        raise AssertionError("there is none")

    pool = WarmPool(1, make, discard)
    kind = Kind.of(spec_of("x"))
    pool.refill(kind)
    assert await pool.take(kind) is None
    await pool.close()
