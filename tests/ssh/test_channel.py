"""Scripts on servers have the helper, and reach the worker that listens for them."""

import asyncio
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import sdk
from contracts.events import EventType
from engines.channel import ChannelRun, ChannelServer, channel_environment
from engines.ssh import SshEngine
from tests.ssh.conftest import Output, engine_with, run_to_end, spec_of
from tests.ssh.ground import Ground, Server
from tests.unit.channel import TOKEN, MemoryVariables

ASK = (
    "import os, socket, sys, time\n"
    "def ask():\n"
    "    line = socket.socket(socket.AF_UNIX)\n"
    "    line.connect(os.environ['CRONIUM_SOCKET'])\n"
    "    line.sendall(b'hello\\n')\n"
    "    return line.recv(100).decode().strip()\n"
)
ENV = {"CRONIUM_SOCKET": "/run/cronium/api.sock"}


@pytest.fixture
def channels() -> Iterator[Path]:
    """The worker's directory of sockets; short, since a socket's path is limited."""
    with tempfile.TemporaryDirectory(prefix="crn-") as directory:
        yield Path(directory)


async def answering(channels: Path, run_key: str) -> asyncio.Server:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        said = await reader.readline()
        writer.write(b"worker heard " + said)
        await writer.drain()
        writer.close()

    directory = channels / run_key
    await asyncio.to_thread(directory.mkdir)
    return await asyncio.start_unix_server(serve, directory / "api.sock")


@pytest.mark.parametrize(
    ("kind", "script"),
    [
        (EventType.PYTHON, "import cronium\nprint(cronium.__name__)"),
        (EventType.NODEJS, "console.log(require('cronium') && 'cronium')"),
        (EventType.BASH, "type cronium.input >/dev/null && echo cronium"),
    ],
)
async def test_every_language_finds_the_helper(
    kind: EventType, script: str, engine: SshEngine, server: Server
) -> None:
    for _ in range(2):
        ran = await run_to_end(engine, server.spec(), script, event_type=kind)
        assert (ran.end.code, ran.output.out) == (0, "cronium\n"), ran.output.err


async def test_the_helper_is_sent_once_and_whole(
    engine: SshEngine, ground: Ground
) -> None:
    server = ground.server()
    await asyncio.gather(*(run_to_end(engine, server.spec(), "true") for _ in range(5)))
    found = server.run("sh", "-c", "ls -d /home/plain/.cronium/runs/.helper-*").split()
    assert len(found) == 1
    files = server.run("find", found[0], "-type", "f").splitlines()
    assert {f.removeprefix(f"{found[0]}/") for f in files} == {
        *sdk.carried(),
        "keep",
        "helper.sh",
        "tail-waits",
    }


async def test_a_script_reaches_its_worker_and_again_after_an_outage(
    ground: Ground, channels: Path
) -> None:
    server = ground.server()
    engine = engine_with(retry_seconds=0.3)
    place = engine.place(server.spec(), channels)
    spec = spec_of(
        ASK + "print(ask(), flush=True)\n"
        "while not os.path.exists('/tmp/go'): time.sleep(0.1)\n"
        "print(ask())\n",
        event_type=EventType.PYTHON,
        env=ENV,
    )
    worker = await answering(channels, spec.run_key)
    sandbox, output = await place.create(spec), Output()
    await sandbox.attach(output.take)
    await sandbox.start()
    await output.until("worker heard hello\n")
    server.hang_up()
    async with asyncio.timeout(20):
        await asyncio.to_thread(wait_until_forwarded, server)
    server.run("touch", "/tmp/go")
    end = await asyncio.wait_for(asyncio.shield(sandbox.exited), 30)
    assert (end.code, output.out) == (0, "worker heard hello\n" * 2), output.err
    await place.remove(sandbox)
    worker.close()
    await engine.close()


def wait_until_forwarded(server: Server) -> None:
    """Return when the new connection's sshd listens: the old one's socket is gone."""
    look = (
        "import glob, socket\n"
        "for path in glob.glob('/home/plain/.cronium/runs/*/api.sock'):\n"
        "    socket.socket(socket.AF_UNIX).connect(path); print('yes')\n"
    )
    while "yes" not in server.run("python3", "-c", look):
        time.sleep(0.1)


async def test_a_server_that_forwards_nothing_runs_scripts_all_the_same(
    engine: SshEngine, ground: Ground, channels: Path
) -> None:
    server = ground.server("-o", "AllowStreamLocalForwarding=no")
    place = engine.place(server.spec(), channels)
    spec = spec_of("echo alone$CRONIUM_SOCKET; exit 4", env=ENV)
    sandbox, output = await place.create(spec), Output()
    await sandbox.attach(output.take)
    await sandbox.start()
    end = await asyncio.wait_for(asyncio.shield(sandbox.exited), 30)
    assert (end.code, output.out) == (4, "alone\n")
    await place.remove(sandbox)


async def test_a_bash_script_talks_to_the_worker_s_own_server_without_a_relay(
    engine: SshEngine, ground: Ground, channels: Path, tmp_path: Path
) -> None:
    server = ground.server()
    place = engine.place(server.spec(), channels)
    spec = spec_of(
        "set -euo pipefail\nfor n in 1 2 3; do cronium_increment_variable N & done\n"
        "wait; cronium_set_variable T 'a \"☃\"'; x=$(cronium_get_variable T)\n"
        'echo "$x"; cronium_input; ls -A /dev/shm; cronium_output "[$x" || exit 4',
        env={**ENV, **channel_environment(TOKEN, 0), "CRONIUM_EXECUTION_ID": "x1"},
    )
    store = MemoryVariables()
    (channels / spec.run_key).mkdir()
    worker = ChannelServer(store)
    channel = await worker.open(
        ChannelRun(
            execution_id="x1",
            user="ann",
            token=TOKEN,
            state_file=tmp_path / "state.json",
            input=b"[1]",
        ),
        channels / spec.run_key / "api.sock",
    )
    sandbox, output = await place.create(spec), Output()
    await sandbox.attach(output.take)
    await sandbox.start()
    end = await asyncio.wait_for(asyncio.shield(sandbox.exited), 60)
    assert (end.code, output.err) == (0, "")
    *counts, text, opened, one, closed = output.out.splitlines()
    assert sorted(counts) == ["1", "2", "3"]
    assert [text, opened, one, closed] == ['a "☃"', "[", "  1", "]"]
    assert store.values == {("ann", "N"): 3, ("ann", "T"): 'a "☃"'}
    await place.remove(sandbox)
    state = await worker.close(channel)
    assert state.output == '"[a \\"☃\\""'
