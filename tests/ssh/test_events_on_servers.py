"""Events on servers through the whole stack: workflow, activity, real sshd, gateway."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import docker
import pytest
from prometheus_client import generate_latest

from contracts.results import ExecutionResult
from engines.ssh import SshPlace
from engines.ssh.shell import Shell
from tests.ssh.ground import Ground, Server, key_text
from tests.stack import Stack, event, running_stack
from tests.temporal.test_faults import breaks_once

SECRET = "a value that only the worker knows"
# sudo gets its password from a pipe, so that it is on no command line.
SURVIVES = """
echo 'correct horse' | sudo -S -p '' sh -c 'trap "" TERM; sleep 371' &
trap 'exit 8' TERM
while :; do sleep 0.1; done
"""


@pytest.fixture(scope="module")
async def stack(
    docker_client: docker.APIClient, temporal_binary: str, tmp_path_factory: Any
) -> AsyncIterator[Stack]:
    directory = tmp_path_factory.mktemp("stack")
    async with running_stack(directory, temporal_binary, docker_client) as running:
        yield running


@pytest.fixture(scope="module")
def servers(ground: Ground) -> list[Server]:
    return [ground.server() for _ in range(3)]


def described(stack: Stack, server: Server, name: str, **more: Any) -> dict[str, Any]:
    """A server as an event names it: its key is a secret of the worker."""
    assert stack.settings.secrets.directory is not None
    key = stack.settings.secrets.directory / "SSH_KEY"
    key.write_text(key_text(server.ground.user_key))
    spec = server.spec(name=name, credentials={"key": {"secret": "SSH_KEY"}}, **more)
    return spec.model_dump(mode="json", by_alias=True, exclude_defaults=True)


async def test_a_script_runs_on_a_server_and_talks_back(
    stack: Stack, servers: list[Server]
) -> None:
    target = described(stack, servers[0], "one")
    script = """
import cronium, os
cronium.log("info", "on the server")
cronium.output({"n": cronium.input()["n"] + 1, "secret": len(os.environ["TOKEN"])})
"""
    assert stack.settings.secrets.directory is not None
    (stack.settings.secrets.directory / "TOKEN").write_text("planted-on-a-server")
    result = await stack.run(
        event(
            script,
            type="python",
            targets=[target],
            env=[{"name": "TOKEN", "secret": "TOKEN"}],
        ),
        input={"n": 41},
    )
    lines = await stack.logs(result.execution_id)
    assert result.status == "SUCCESS", [line["text"] for line in lines]
    assert result.output == {"n": 42, "secret": len("planted-on-a-server")}
    assert result.targets[0].target == "one"
    assert "INFO on the server" in [line["text"] for line in lines]
    assert len(lines) == result.logs.stored


async def test_three_servers_of_which_one_fails_are_partial(
    stack: Stack, servers: list[Server]
) -> None:
    targets = [
        described(stack, server, f"s{number}") for number, server in enumerate(servers)
    ]
    # A server that refuses: nothing listens on this port.
    targets[1] = {**targets[1], "port": 1}
    result = await stack.run(event("echo here; hostname", targets=targets))
    statuses = {row.target: str(row.status) for row in result.targets}
    assert statuses == {"s0": "SUCCESS", "s1": "FAILURE", "s2": "SUCCESS"}
    assert (result.status, result.exit_code) == ("PARTIAL", 101)
    failed = next(row for row in result.targets if row.target == "s1")
    assert failed.error is not None
    assert failed.error.type.startswith("Ssh")
    lines = await stack.logs(result.execution_id)
    here = [line["target"] for line in lines if line["text"] == "here"]
    assert sorted(here) == ["s0", "s2"]


async def test_a_cancel_reaches_every_server(
    stack: Stack, servers: list[Server]
) -> None:
    targets = [
        described(stack, server, f"s{number}") for number, server in enumerate(servers)
    ]
    handle = await stack.start(
        event("echo up; sleep 351", targets=targets, graceSeconds=1)
    )
    async with asyncio.timeout(60):
        while not all(s.processes("sleep 351") for s in servers):  # noqa: ASYNC110
            await asyncio.sleep(0.2)
    await handle.cancel()
    result: ExecutionResult = await asyncio.wait_for(handle.result(), 60)
    assert result.status == "CANCELLED"
    assert [server.processes("sleep 351") for server in servers] == [[], [], []]


async def test_no_credential_is_in_the_history_or_the_log(
    stack: Stack, servers: list[Server]
) -> None:
    target = described(stack, servers[0], "one")
    handle = await stack.start(event("echo hi", targets=[target]))
    result: ExecutionResult = await handle.result()
    text = (await handle.fetch_history()).to_json()
    text += str(await stack.logs(result.execution_id)) + str(result)
    assert "PRIVATE KEY" not in text


async def test_what_survived_the_kill_is_told_to_people(
    stack: Stack, servers: list[Server]
) -> None:
    target = described(stack, servers[0], "one", user="sudoer")
    handle = await stack.start(
        event(SURVIVES, targets=[target], timeoutSeconds=3, graceSeconds=1)
    )
    result: ExecutionResult = await handle.result()
    lines = [line["text"] for line in await stack.logs(result.execution_id)]
    servers[0].run("pkill", "-KILL", "-f", "sleep 371")
    assert (result.status, result.exit_code) == ("TIMEOUT", -1)
    assert result.error is not None
    assert "root" in result.error.hint
    assert "end it by hand" in result.error.hint
    # The command line is the log's alone, where secrets are masked.
    assert "sleep 371" not in result.error.hint
    assert [line for line in lines if "could not be ended" in line and "371" in line]


@pytest.mark.parametrize(
    ("owner", "name", "status", "code"),
    [(SshPlace, "create", "FAILURE", None), (Shell, "follow", "SUCCESS", 0)],
)
async def test_a_fault_that_nobody_foresaw_has_a_type_and_gives_nothing_away(
    owner: type,
    name: str,
    status: str,
    code: int | None,
    stack: Stack,
    servers: list[Server],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Before the start it is the run's end; after it another activity goes on."""
    servers[0].run("rm", "-f", "/home/plain/starts")
    calls = breaks_once(monkeypatch, owner, name, ValueError(SECRET))
    if status == "FAILURE":

        async def always(*_: Any, **__: Any) -> None:
            calls.append(name)
            raise ValueError(SECRET)

        monkeypatch.setattr(owner, name, always)
    target = described(stack, servers[0], "one")
    handle = await stack.start(event("echo once >> ~/starts", targets=[target]))
    result: ExecutionResult = await asyncio.wait_for(handle.result(), 120)
    assert calls
    text = (await handle.fetch_history()).to_json() + str(result)
    text += str(await stack.logs(result.execution_id))
    assert SECRET not in text
    assert (result.status, result.exit_code) == (status, code)
    if status == "FAILURE":
        assert result.error is not None
        assert result.error.type == "WorkerFault"
        assert "ValueError" in result.error.message
        assert result.error.hint
    else:
        assert servers[0].run("cat", "/home/plain/starts") == "once\n"


def shown(stack: Stack) -> str:
    """What the worker's /metrics answers."""
    return generate_latest(stack.app._metrics.registry).decode()


async def test_the_metrics_name_the_servers_that_are_left_alone(
    stack: Stack, servers: list[Server]
) -> None:
    target = described(stack, servers[2], "dead", port=1)
    with_quick_end = {**target, "deadlines": {"unreachableSeconds": 8}}
    result = await stack.run(event("true", targets=[with_quick_end]))
    assert result.error is not None
    assert "in a row" in result.error.hint
    name = f"{servers[2].address}:1"
    async with asyncio.timeout(10):
        while name not in shown(stack):  # noqa: ASYNC110
            await asyncio.sleep(0.2)
    text = shown(stack)
    assert f'cronium_ssh_breaker_open{{server="{name}"}}' in text
    assert "cronium_ssh_connections" in text
