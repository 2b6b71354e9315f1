"""Scripts on real servers: languages, data, odd shells, other users, ends."""

import asyncio
import hashlib
import json
import secrets
import time

import pytest

from contracts.errors import ScriptError, SshServerRefused
from contracts.events import EventSpec, EventType
from engines.places import SandboxRunsAlready
from engines.ssh import SshEngine
from tests.ssh.conftest import begun, engine_with, run_to_end, spec_of
from tests.ssh.ground import PASSWORD, Ground, Server


def event() -> EventSpec:
    return EventSpec.model_validate(
        {"id": "e", "name": "e", "type": "bash", "script": "true"}
    )


@pytest.mark.parametrize(
    ("kind", "script"),
    [
        (EventType.BASH, "echo out; echo err >&2; exit 7"),
        (
            EventType.PYTHON,
            "import sys; print('out'); print('err', file=sys.stderr); sys.exit(7)",
        ),
        (EventType.NODEJS, "console.log('out'); console.error('err'); process.exit(7)"),
    ],
)
async def test_each_language_keeps_streams_apart_and_its_exit_code(
    kind: EventType, script: str, engine: SshEngine, server: Server
) -> None:
    ran = await run_to_end(engine, server.spec(), script, event_type=kind)
    assert (ran.end.code, ran.output.out, ran.output.err) == (7, "out\n", "err\n")


@pytest.mark.parametrize("user", ["plain", "noisy", "csh", "fish", "dash"])
async def test_the_login_shell_does_not_matter(
    user: str, engine: SshEngine, server: Server
) -> None:
    spec = server.spec(user)
    ran = await run_to_end(engine, spec, "printf 'a\\0b'; printf x >&2; exit 3")
    assert (ran.end.code, ran.output.out, ran.output.err) == (3, "a\0b", "x")
    assert server.run("ls", "-A", f"/home/{user}/.cronium/runs").strip() == ""
