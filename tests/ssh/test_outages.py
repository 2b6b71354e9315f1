"""Scripts that outlive their connection, their worker, and what is done to them."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from contracts.errors import EngineUnavailable, ErrorInfo, HostLost
from contracts.events import EventSpec
from contracts.server_errors import SshUnavailable
from engines.ssh import SshEngine
from engines.ssh.place import Found
from tests.ssh.conftest import Output, begun, engine_with, run_to_end
from tests.ssh.ground import Ground, Server

COUNT = "for n in $(seq 1 {last}); do echo $n; sleep 0.1; done; exit 9"


def numbers(last: int) -> str:
    return "".join(f"{n}\n" for n in range(1, last + 1))


@pytest.fixture(scope="module")
def other(ground: Ground) -> Server:
    """A server that tests of this module cut off and mend."""
    return ground.server()


@pytest.fixture
async def quick() -> AsyncIterator[SshEngine]:
    """An engine that notices a dead connection, and comes back, soon."""
    made = engine_with(
        keepalive_interval=0.5,
        keepalive_count=2,
        retry_seconds=0.5,
        breaker_seconds=1,
    )
    yield made
    await made.close()


async def test_a_reset_connection_is_made_anew_and_goes_on_at_the_same_byte(
    quick: SshEngine, other: Server
) -> None:
    sandbox, output = await begun(quick, other.spec(), COUNT.format(last=40))
    for mark in ("5\n", "15\n", "25\n"):
        await output.until(mark)
        other.hang_up()
    end = await asyncio.wait_for(asyncio.shield(sandbox.exited), 30)
    assert (end.code, output.out) == (9, numbers(40))
    await quick.place(other.spec()).remove(sandbox)


async def test_dropped_packets_for_a_while_lose_nothing(
    quick: SshEngine, other: Server
) -> None:
    spec = other.spec(deadlines={"connectSeconds": 1})
    sandbox, output = await begun(quick, spec, COUNT.format(last=60))
    await output.until("5\n")
    other.cut()
    try:
        # The script ends meanwhile, and nobody hears of it.
        await asyncio.sleep(7)
        assert not sandbox.exited.done()
        assert "60\n" not in output.out
    finally:
        other.mend()
    end = await asyncio.wait_for(asyncio.shield(sandbox.exited), 90)
    assert (end.code, output.out) == (9, numbers(60))
    await quick.place(spec).remove(sandbox)


async def test_a_script_outlives_the_terminal_that_it_was_started_over(
    quick: SshEngine, other: Server
) -> None:
    """The end of a terminal is a hang-up to whoever is attached to it."""
    spec = other.spec(pty=True)
    sandbox, output = await begun(quick, spec, COUNT.format(last=40))
    await output.until("5\n")
    other.hang_up()
    end = await asyncio.wait_for(asyncio.shield(sandbox.exited), 60)
    assert (end.code, output.out) == (9, numbers(40))
    await quick.place(spec).remove(sandbox)


async def test_another_worker_takes_over_from_the_first_byte(
    engine: SshEngine, server: Server
) -> None:
    first = engine_with()
    sandbox, output = await begun(first, server.spec(), COUNT.format(last=30))
    await output.until("3\n")
    sandbox.detach()
    await first.close()
    again, whole = engine.place(server.spec()).sandbox(sandbox.run_key), Output()
    assert await again.status() == "running"
    began = await again.started_at()
    assert began is not None
    assert 0 < time.time() - began < 10
    again.watch()
    await again.replay(whole.take, follow=True)
    end = await asyncio.wait_for(asyncio.shield(again.exited), 30)
    assert (end.code, whole.out) == (9, numbers(30))
    assert await again.status() == "exited"
    copy = Output()
    await again.replay(copy.take, follow=False)
    await asyncio.wait_for(asyncio.shield(again.output_ended), 10)
    assert copy.out == whole.out
    await engine.place(server.spec()).remove(again)
    assert await again.status() is None


async def test_a_server_that_stays_away_is_given_up(other: Server) -> None:
    engine = engine_with(
        keepalive_interval=0.5, keepalive_count=2, retry_seconds=0.5, outage_window=2
    )
    spec = other.spec(deadlines={"connectSeconds": 1})
    sandbox, output = await begun(engine, spec, "echo up; sleep 300")
    await output.until("up")
    other.cut()
    try:
        with pytest.raises(EngineUnavailable, match="away"):
            await asyncio.wait_for(asyncio.shield(sandbox.exited), 20)
        with pytest.raises(SshUnavailable):
            await sandbox.remove()
    finally:
        other.mend()
    await engine.close()
    engine = engine_with()
    assert await engine.place(spec).runs() == [Found(sandbox.run_key, True)]
    await engine.place(spec).sandbox(sandbox.run_key).remove()
    assert other.processes("sleep 300") == []
    await engine.close()


async def test_a_stop_waits_for_a_server_that_is_away(
    quick: SshEngine, other: Server
) -> None:
    spec = other.spec(deadlines={"connectSeconds": 1})
    sandbox, output = await begun(quick, spec, "echo up; sleep 301")
    await output.until("up")
    other.cut()
    stopping = asyncio.ensure_future(sandbox.stop(1))
    try:
        done, _ = await asyncio.wait([stopping], timeout=3)
        assert not done
        assert len(other.processes("sleep 301")) == 1
    finally:
        other.mend()
    end = await asyncio.wait_for(stopping, 90)
    assert end.code == 143
    assert other.processes("sleep 301") == []
    await quick.place(spec).remove(sandbox)


async def test_a_start_whose_answer_is_lost_happens_once(
    quick: SshEngine, other: Server
) -> None:
    place = quick.place(other.spec())
    for round_ in range(3):
        other.run("rm", "-f", "/home/plain/starts")
        sandbox, output = await begun_while_cut(quick, other)
        end = await asyncio.wait_for(asyncio.shield(sandbox.exited), 90)
        assert (end.code, output.out) == (3, "done\n"), round_
        assert other.run("cat", "/home/plain/starts") == "once\n"
        await place.remove(sandbox)


async def begun_while_cut(engine: SshEngine, server: Server):  # type: ignore[no-untyped-def]
    from tests.ssh.conftest import spec_of

    sandbox = await engine.place(server.spec()).create(
        spec_of("echo once >> ~/starts; sleep 1; echo done; exit 3")
    )
    output = Output()
    await sandbox.attach(output.take)
    starting = asyncio.ensure_future(sandbox.start())
    await asyncio.sleep(0)
    server.hang_up()
    await starting
    return sandbox, output


async def test_a_reboot_is_recognised(other: Server) -> None:
    """The kernel is the host's, so the file that tells boots apart is one of ours."""
    other.run("sh", "-c", "echo first > /boot-id; chmod 644 /boot-id")
    engine = engine_with(
        boot_id="/boot-id", keepalive_interval=0.5, keepalive_count=2, retry_seconds=0.5
    )
    spec = other.spec()
    sandbox, output = await begun(engine, spec, "echo up; sleep 302")
    await output.until("up")
    other.stop()
    other.start()
    other.run("sh", "-c", "echo second > /boot-id")
    with pytest.raises(HostLost, match="anew"):
        await asyncio.wait_for(asyncio.shield(sandbox.exited), 90)
    assert await sandbox.status() == "dead"
    await engine.place(spec).remove(sandbox)
    assert await sandbox.status() is None
    await engine.close()


async def test_a_directory_that_vanished_is_a_lost_run(
    quick: SshEngine, other: Server
) -> None:
    sandbox, output = await begun(quick, other.spec(), "echo up; sleep 303")
    await output.until("up")
    other.run("sh", "-c", "rm -rf /home/plain/.cronium/runs/*")
    other.hang_up()
    with pytest.raises(HostLost, match="not there"):
        await asyncio.wait_for(asyncio.shield(sandbox.exited), 30)
    other.run("pkill", "-f", "sleep 303")


def judged(engine: SshEngine, server: Server, sandbox_end: object) -> ErrorInfo:
    event = EventSpec.model_validate(
        {"id": "e", "name": "e", "type": "bash", "script": "true"}
    )
    return engine.place(server.spec()).judge(event, sandbox_end, [])  # type: ignore[arg-type]


async def test_a_keeper_that_was_killed_takes_the_script_with_it(
    engine: SshEngine, server: Server
) -> None:
    sandbox, output = await begun(engine, server.spec(), "echo up; sleep 304")
    await output.until("up")
    server.run("pkill", "-KILL", "-f", f"keep .*/{sandbox.run_key}")
    end = await asyncio.wait_for(asyncio.shield(sandbox.exited), 30)
    assert end.interrupted
    assert judged(engine, server, end).type == "SandboxInterrupted"
    assert server.processes("sleep 304") == []
    await engine.place(server.spec()).remove(sandbox)


async def test_a_script_that_was_killed_by_somebody_says_so(
    engine: SshEngine, server: Server
) -> None:
    sandbox, output = await begun(engine, server.spec(), "echo up; sleep 305")
    await output.until("up")
    server.run("pkill", "-KILL", "-f", f"{sandbox.run_key}/script")
    end = await asyncio.wait_for(asyncio.shield(sandbox.exited), 30)
    assert end.code == 137
    assert "SIGKILL" in judged(engine, server, end).message
    await engine.place(server.spec()).remove(sandbox)


async def test_term_gives_the_script_its_grace_and_kill_ends_the_whole_tree(
    engine: SshEngine, server: Server
) -> None:
    script = (
        "trap 'echo asked' TERM\n"
        "setsid sleep 311 & nohup sleep 312 >/dev/null 2>&1 &\n"
        "(trap '' TERM; (sleep 313 & wait) & wait) &\n"
        "python3 -c 'import os, time\nif os.fork(): os._exit(0)\nos.setsid()\n"
        'if os.fork(): os._exit(0)\ntime.sleep(314)\' "sleep 314"\n'
        "echo up; while :; do sleep 0.2; done"
    )
    sandbox, output = await begun(engine, server.spec(), script)
    await output.until("up")
    assert len([p for p in server.processes("sleep 31") if "bash" not in p]) == 4
    begin = time.monotonic()
    end = await sandbox.stop(1)
    took = time.monotonic() - begin
    assert (end.code, end.leftovers) == (137, ())
    assert "asked" in output.out
    assert 0.5 < took < 8
    assert server.processes("sleep 31") == []
    assert server.processes(sandbox.run_key) == []
    await engine.place(server.spec()).remove(sandbox)


async def test_a_script_may_clean_up_on_term(engine: SshEngine, server: Server) -> None:
    script = "trap 'echo cleaned; exit 9' TERM; echo up; while :; do sleep .1; done"
    sandbox, output = await begun(engine, server.spec(), script)
    await output.until("up")
    end = await sandbox.stop(5)
    assert end.code == 9
    assert output.out == "up\ncleaned\n"
    await engine.place(server.spec()).remove(sandbox)


async def test_a_sudo_child_goes_too_when_sudo_asks_for_nothing(
    engine: SshEngine, server: Server
) -> None:
    script = "sudo sleep 321 & sudo setsid sleep 322 & echo up; wait; sleep 60"
    sandbox, output = await begun(engine, server.spec("nopass"), script)
    await output.until("up")
    await asyncio.to_thread(server.wait_until_there, "root +sleep 322")
    end = await sandbox.stop(1)
    assert end.leftovers == ()
    assert server.processes("sleep 32") == []
    await engine.place(server.spec("nopass")).remove(sandbox)


async def test_what_cannot_be_ended_is_reported(
    engine: SshEngine, server: Server
) -> None:
    script = (
        "echo 'correct horse' | sudo -S -p '' sh -c 'trap \"\" TERM; sleep 331' & "
        "echo up; trap 'exit 8' TERM; while :; do sleep 0.1; done"
    )
    sandbox, output = await begun(engine, server.spec("sudoer"), script)
    await output.until("up")
    await asyncio.to_thread(server.wait_until_there, "root +sleep 331")
    end = await sandbox.stop(1)
    assert end.code == 8
    assert any("root sleep 331" in left for left in end.leftovers), end.leftovers
    server.run("pkill", "-KILL", "-f", "sleep 331")
    await engine.place(server.spec("sudoer")).remove(sandbox)


async def test_what_was_created_and_never_started_can_be_stopped(
    engine: SshEngine, server: Server
) -> None:
    from tests.ssh.conftest import spec_of

    place = engine.place(server.spec())
    spec = spec_of("echo started >> ~/starts")
    made = await place.create(spec)
    found = place.sandbox(spec.run_key)
    await found.remove()
    await made.attach(Output().take)
    with pytest.raises(SshUnavailable, match="removed before the script") as refused:
        await made.start()
    # The server was reached: whether it is up is not the question.
    assert "tried again by itself" in refused.value.user_hint
    assert "No such file" in server.run("cat", "/home/plain/starts")
    made.detach()


async def test_a_follower_leaves_nothing_behind_when_its_connection_dies(
    quick: SshEngine, other: Server
) -> None:
    sandbox, output = await begun(quick, other.spec(), COUNT.format(last=60))
    for mark in ("5\n", "12\n", "20\n"):
        await output.until(mark)
        other.hang_up()
    await output.until("40\n")
    assert len(other.processes("tail -s")) == 2
    await quick.place(other.spec()).remove(sandbox)
    assert other.processes("tail -s") == []


async def test_without_a_tail_that_waits_the_files_are_looked_at(
    engine: SshEngine, ground: Ground
) -> None:
    """As on servers whose tail knows no --pid: busybox, BSD."""
    server = ground.server()
    server.run(
        "sh",
        "-c",
        "mv /usr/bin/tail /usr/bin/gnu-tail; printf '%s\\n' '#!/bin/sh' "
        "'case $1 in --pid*) exit 1;; esac' 'exec gnu-tail \"$@\"' > /usr/bin/tail; "
        "chmod 755 /usr/bin/tail; mv /usr/bin/setsid /usr/bin/no-setsid",
    )
    ran = await run_to_end(engine, server.spec(), COUNT.format(last=15))
    assert (ran.end.code, ran.output.out) == (9, numbers(15))
