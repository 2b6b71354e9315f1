"""Events on servers through the whole stack: workflow, activity, real sshd, gateway."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import docker
import pytest

from contracts.results import ExecutionResult
from tests.ssh.ground import Ground, Server, key_text
from tests.stack import Stack, event, running_stack


@pytest.fixture(scope="session")
async def stack(
    docker_client: docker.APIClient, temporal_binary: str, tmp_path_factory: Any
) -> AsyncIterator[Stack]:
    directory = tmp_path_factory.mktemp("stack")
    async with running_stack(directory, temporal_binary, docker_client) as running:
        yield running


@pytest.fixture(scope="session")
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
