"""The helper channel from inside a real sandbox without network."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from contracts.events import EventType
from contracts.logs import Stream
from engines.channel import Channel, ChannelState, channel_environment
from engines.docker import DockerEngine, Sandbox
from tests.docker.conftest import spec_of
from tests.unit.channel import TOKEN, Channels

CALL = """
call() {
  curl -sS --unix-socket "$CRONIUM_SOCKET" -H "Authorization: Bearer \
$CRONIUM_EXECUTION_TOKEN" -H 'Content-Type: application/json' \
    -w ' %{http_code}\\n' -X "$1" "http://cronium$2" ${3:+-d "$3"}
}
"""
ENV = channel_environment(TOKEN, 0)


@dataclass
class Scripts:
    """Runs scripts that have a channel; `channels` is the worker's side."""

    engine: DockerEngine
    channels: Channels

    def __post_init__(self) -> None:
        self.output: dict[Stream, bytearray] = {s: bytearray() for s in Stream}
        self.path = Path()

    async def begin(self, script: str, **changes: Any) -> tuple[Sandbox, Channel]:
        """Start a script as a worker does: directory, socket, then the start."""
        sandbox = await self.engine.create(spec_of(script, env=ENV, **changes))
        assert sandbox.directory is not None
        self.path = sandbox.directory / "api.sock"
        channel = await self.channels.server.open(self.channels.run(), self.path)
        await sandbox.attach(lambda stream, data: self.output[stream].extend(data))
        await sandbox.start()
        return sandbox, channel

    async def finish(self, sandbox: Sandbox, channel: Channel) -> ChannelState:
        """Wait for the script's end; return what it said on its channel."""
        try:
            end = await asyncio.wait_for(asyncio.shield(sandbox.exited), 60)
            assert await sandbox.drain()
            state = await self.channels.server.close(channel)
        finally:
            await self.engine.remove(sandbox)
        assert end.code == 0, self.text(Stream.STDERR)
        return state

    async def run(self, script: str, **changes: Any) -> ChannelState:
        return await self.finish(*await self.begin(script, **changes))

    def text(self, stream: Stream = Stream.STDOUT) -> str:
        return self.output[stream].decode()

    async def printed(self, word: str) -> None:
        """Wait until the script has printed a word."""
        async with asyncio.timeout(30):
            while word not in self.text():  # noqa: ASYNC110
                await asyncio.sleep(0.02)


@pytest.fixture
async def scripts(engine: DockerEngine, tmp_path: Path) -> AsyncIterator[Scripts]:
    made = Scripts(engine, Channels(tmp_path))
    yield made
    await made.channels.server.close_all()


async def test_a_bash_script_reaches_its_channel(scripts: Scripts) -> None:
    state = await scripts.run(
        CALL
        + """
        id -u
        call GET /executions/x1/input
        call POST /executions/x1/output '{"data": {"sum": 3}}'
        call PUT /executions/x1/variables/A '{"value": false}'
        call GET /executions/x1/variables/A
        call POST /executions/x1/condition '{"condition": true}'
        call GET /executions/x2/input
        ls /sys/class/net
        """
    )
    lines = scripts.text().splitlines()
    assert lines[0] == "1000"
    assert lines[1] == '{"success":true,"data":{"n": 1}} 200'
    assert lines[4] == '{"success":true,"data":{"key":"A","value":false}} 200'
    assert lines[6].endswith(" 403")
    assert lines[7:] == ["lo"]
    assert json.loads(state.output or "") == {"sum": 3}
    assert state.condition is True
    assert scripts.channels.variables.values == {("ann", "A"): False}


async def test_a_python_script_reaches_its_channel(scripts: Scripts) -> None:
    state = await scripts.run(
        """
import http.client, json, os, socket
made = http.client.HTTPConnection("cronium")
made.sock = socket.socket(socket.AF_UNIX)
made.sock.connect(os.environ["CRONIUM_SOCKET"])
headers = {"Authorization": "Bearer " + os.environ["CRONIUM_EXECUTION_TOKEN"]}
for n in range(50):
    made.request("POST", "/executions/x1/output", json.dumps({"data": n}), headers)
    assert json.load(made.getresponse()) == {"success": True, "data": None}
""",
        event_type=EventType.PYTHON,
    )
    assert state.output == "49"


async def test_a_node_script_reaches_its_channel(scripts: Scripts) -> None:
    state = await scripts.run(
        """
const http = require('http');
const request = http.request({
  socketPath: process.env.CRONIUM_SOCKET, method: 'POST',
  path: '/executions/x1/output',
  headers: {Authorization: 'Bearer ' + process.env.CRONIUM_EXECUTION_TOKEN},
}, answer => { console.log(answer.statusCode); answer.resume(); });
request.end(JSON.stringify({data: 'ü'}));
""",
        event_type=EventType.NODEJS,
    )
    assert scripts.text() == "200\n"
    assert state.output == '"ü"'


async def test_a_script_can_neither_replace_its_socket_nor_see_the_state(
    scripts: Scripts,
) -> None:
    await scripts.run(
        """
        rm -f "$CRONIUM_SOCKET"; mv "$CRONIUM_SOCKET" /tmp/x
        chmod 600 "$CRONIUM_SOCKET"
        touch /run/cronium/x; ln -s /etc/passwd /run/cronium/y
        test -S "$CRONIUM_SOCKET" && stat -c %a "$CRONIUM_SOCKET"
        ls -A /run/cronium; find / -name 'x1.json' 2>/dev/null; true
        """
    )
    assert scripts.text().split() == [
        *("666", "api.sock", "environment", "node_modules", "script.sh", "sdk"),
        "start",
    ]
    errors = scripts.text(Stream.STDERR)
    assert errors.count("Read-only file system") == 5


async def test_a_script_goes_on_when_the_worker_comes_back(scripts: Scripts) -> None:
    sandbox, first = await scripts.begin(
        CALL
        + """
        call POST /executions/x1/output '{"data": "before"}'
        until call GET /executions/x1/variables/GO 2>/dev/null | grep -q 'false'
        do sleep 0.05; done
        echo away
        until call POST /executions/x1/condition '{"condition": true}' \
            2>/dev/null | grep -q 200
        do sleep 0.05; done
        """
    )
    await scripts.printed("200")
    scripts.channels.variables.values["ann", "GO"] = False
    await scripts.channels.server.close(first)
    assert not scripts.path.exists()
    # Another worker, which knows the token from the saved state alone.
    again = Channels(scripts.channels.directory)
    again.variables.values["ann", "GO"] = False
    second = await again.server.open(again.run(token=""), scripts.path)
    scripts.channels = again
    state = await scripts.finish(sandbox, second)
    assert "away" in scripts.text()
    assert (state.output, state.condition) == ('"before"', True)


async def test_a_socket_is_replaced_under_a_running_script(scripts: Scripts) -> None:
    sandbox, _ = await scripts.begin(
        CALL
        + """
        for n in $(seq 60); do
          call GET /executions/x1/condition || echo failed
        done
        """
    )
    await scripts.printed("200")
    for _ in range(5):
        again = Channels(scripts.channels.directory)
        last = await again.server.open(again.run(token=""), scripts.path)
        await asyncio.sleep(0.05)
    scripts.channels = again
    await scripts.finish(sandbox, last)
    assert scripts.text().count(" 200\n") == 60
    assert scripts.text(Stream.STDERR) == ""
