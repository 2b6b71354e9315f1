"""What a script is told on a server whose sshd forwards no sockets."""

import asyncio
import time
from pathlib import Path

import pytest

from contracts.events import EventType
from tests.ssh.conftest import Output, engine_with, spec_of
from tests.ssh.ground import Ground, Server
from tests.ssh.test_channel import ENV, answering, channels

__all__ = ["channels"]


@pytest.fixture(scope="module")
def silent(ground: Ground) -> Server:
    return ground.server("-o", "AllowStreamLocalForwarding=no")


@pytest.mark.parametrize(
    ("kind", "script"),
    [
        (
            EventType.PYTHON,
            "import cronium\nprint(cronium.input())\n"
            "try:\n    cronium.output(1)\nexcept cronium.CroniumError as error:\n"
            "    print(error)\n",
        ),
        (
            EventType.NODEJS,
            "console.log(String(cronium.input()));"
            "try { cronium.output(1) } catch (error) { console.log(error.message) }",
        ),
        (EventType.BASH, "cronium_input; echo; cronium_output 1 2>&1 || :"),
    ],
)
async def test_a_server_that_forwards_nothing_says_so_at_once(
    kind: EventType, script: str, silent: Server, channels: Path
) -> None:
    engine = engine_with()
    place = engine.place(silent.spec(), channels)
    env = {**ENV, "CRONIUM_EXECUTION_ID": "x", "CRONIUM_EXECUTION_TOKEN": "t"}
    spec = spec_of(script, event_type=kind, env=env, documents={"input.json": b"41"})
    worker = await answering(channels, spec.run_key)
    begin = time.monotonic()
    sandbox, output = await place.create(spec), Output()
    await sandbox.attach(output.take)
    await sandbox.start()
    end = await asyncio.wait_for(asyncio.shield(sandbox.exited), 30)
    await sandbox.drain()
    # Far less than the 30 s for which an executor that is away is waited for.
    assert time.monotonic() - begin < 10
    first, said = output.out.split("\n", 1)
    assert (end.code, first) == (0, "41"), output.err
    assert "AllowStreamLocalForwarding" in said
    await place.remove(sandbox)
    worker.close()
    await engine.close()
