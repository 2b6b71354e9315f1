"""What runs left on a server is removed by whoever comes next; nothing else is."""

import asyncio
from collections.abc import AsyncIterator, Mapping

import pytest

from contracts import names
from contracts.server_errors import SshIdleTimeout
from engines.ssh import ServerJanitor, SshEngine, SshSandbox
from tests.ssh.conftest import Output, begun, engine_with, spec_of
from tests.ssh.ground import Ground, Server

RUNS = "/home/plain/.cronium/runs"


@pytest.fixture(scope="module")
def shared(ground: Ground) -> Server:
    """A server that several installations use."""
    return ground.server()


@pytest.fixture
async def next_worker() -> AsyncIterator[SshEngine]:
    """The engine of a worker that has seen nothing of what was left."""
    made = engine_with()
    yield made
    await made.close()


def janitor_of(engine: SshEngine, wanted: set[str]) -> ServerJanitor:
    async def is_wanted(labels: Mapping[str, str]) -> bool:
        return labels[names.LABEL_RUN_KEY] in wanted

    made = ServerJanitor(engine.place, frozenset, is_wanted, interval=0)
    engine.upkeep = made
    return made


async def left(engine: SshEngine, server: Server, script: str) -> SshSandbox:
    """Begin a run and forget it, as a worker does that dies."""
    spec = spec_of(script)
    spec.labels[names.LABEL_RUN_KEY] = spec.run_key
    place = engine.place(server.spec())
    sandbox = await place.create(spec)
    await sandbox.attach(Output().take)
    await sandbox.start()
    if "sleep" not in script:
        await sandbox.exited
    sandbox.detach()
    return sandbox


async def test_the_next_run_on_a_server_has_what_was_left_removed(
    shared: Server, next_worker: SshEngine
) -> None:
    dead, foreign = engine_with(), engine_with(instance="test 4711")
    running = await left(dead, shared, "setsid sleep 361 & sleep 362")
    ended = await left(dead, shared, "true")
    wanted = await left(dead, shared, "sleep 363")
    others = await left(foreign, shared, "sleep 364")
    unlabelled, _ = await begun(dead, shared.spec(), "sleep 365")
    shared.run("mkdir", f"{RUNS}/somebody-else-s", user="plain")
    await dead.close()
    await foreign.close()
    janitor = janitor_of(next_worker, {wanted.run_key})
    assert await janitor.sweep() == [], "nobody has told of the server yet"
    mine, _ = await begun(next_worker, shared.spec(), "true")
    removed = await janitor.sweep()
    assert sorted(removed) == sorted([running.run_key, ended.run_key])
    assert shared.processes("sleep 361") + shared.processes("sleep 362") == []
    for number in (363, 364, 365):
        assert len(shared.processes(f"sleep {number}")) == 1, number
    kept = set(shared.run("ls", RUNS).split())
    assert kept == {
        wanted.run_key,
        others.run_key,
        unlabelled.run_key,
        mine.run_key,
        "somebody-else-s",
    }
    # Somebody waited for one of them: it is gone once nobody does any more.
    assert janitor.due == 1
    janitor_of(next_worker, set())
    place = next_worker.place(shared.spec())
    for key in kept - {"somebody-else-s"}:
        await place.sandbox(key).remove()
    shared.run("rmdir", f"{RUNS}/somebody-else-s")


async def test_a_server_that_was_away_at_the_clean_up_is_swept_later(
    ground: Ground,
) -> None:
    server = ground.server()
    engine = engine_with(
        keepalive_interval=0.5,
        keepalive_count=2,
        retry_seconds=0.5,
        outage_window=1,
        breaker_seconds=0.5,
    )
    janitor = janitor_of(engine, set())
    spec = server.spec(deadlines={"connectSeconds": 1})
    made = spec_of("echo up; sleep 366")
    made.labels[names.LABEL_RUN_KEY] = made.run_key
    sandbox, output = await engine.place(spec).create(made), Output()
    await sandbox.attach(output.take)
    await sandbox.start()
    await output.until("up")
    server.cut()
    try:
        with pytest.raises(Exception, match="has been away"):
            await sandbox.exited
        assert janitor.due == 1
        assert await janitor.sweep() == []
        assert janitor.due == 1
    finally:
        server.mend()
    for _ in range(20):
        if await janitor.sweep():
            break
    assert server.processes("sleep 366") == []
    assert server.run("ls", RUNS) == ""
    # It is looked at for a while: something may still come late.
    assert janitor.due == 1
    await engine.close()


async def test_what_a_busy_server_makes_when_nobody_waits_any_more_is_removed(
    ground: Ground, next_worker: SshEngine
) -> None:
    """It begins to read its orders three seconds late; the first of them has one."""
    server = ground.server()
    server.run(
        "sh",
        "-c",
        "mv /bin/sh /bin/was-sh; printf '#!/bin/was-sh\\nsleep 3\\nexec /bin/was-sh"
        ' "$@"\\n\' > /bin/sh; chmod 755 /bin/sh',
    )
    janitor = janitor_of(next_worker, set())
    spec = spec_of("true")
    spec.labels[names.LABEL_RUN_KEY] = spec.run_key
    hasty = server.spec(deadlines={"idleSeconds": 1})
    with pytest.raises(SshIdleTimeout):
        await next_worker.place(hasty).create(spec)
    async with asyncio.timeout(30):
        while spec.run_key not in server.run("was-sh", "-c", f"ls {RUNS}; true"):  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    server.run("was-sh", "-c", "mv /bin/was-sh /bin/sh")
    async with asyncio.timeout(30):
        while spec.run_key not in await janitor.sweep():  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    assert server.run("ls", RUNS).split() == []
