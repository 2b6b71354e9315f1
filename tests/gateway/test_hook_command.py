"""`cronium hook`: from making a hook to a call of it, with a real gateway."""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from cli.main import run_command
from contracts.graphs import GraphRequest
from tests.conftest import pick_port
from tests.gateway.conftest import SECRET, Gateway, Start
from tests.gateway.hooks import Sender, asked, started
from worker.settings import child_environment
from worker.starts import TemporalStarts

Command = Callable[..., Awaitable[tuple[int, str, str]]]

EVENT = "name: Deploy\ntype: bash\nscript: echo deployed\n"


@pytest.fixture
async def served(start: Start, starts: TemporalStarts) -> Gateway:
    """A gateway whose hooks have whole addresses."""
    port = pick_port()
    url = f"http://127.0.0.1:{port}"
    return await start(port=port, starts=starts, public_url=url)


@pytest.fixture
def hook(
    served: Gateway,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> Command:
    """Run `cronium hook …`; return status, stdout and stderr."""
    for name in child_environment():
        if name.startswith(("CRONIUM_", "TEMPORAL_")):
            monkeypatch.delenv(name)
    secret = tmp_path / "secret"
    secret.write_text(SECRET)
    (tmp_path / "deploy.yaml").write_text(EVENT)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CRONIUM_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("CRONIUM_TEMPORAL_ADDRESS", "127.0.0.1:1")
    monkeypatch.setenv("CRONIUM_GATEWAY_URL", served.config.public_url)
    monkeypatch.setenv("CRONIUM_GATEWAY_SECRET_FILE", str(secret))

    async def run(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = await asyncio.to_thread(run_command, ["hook", *arguments])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


def printed(out: str) -> tuple[str, str]:
    """Return address and secret as `add` prints them."""
    address = re.search(r"^address: (\S+)$", out, re.M)
    secret = re.search(r"^secret: +(\S+)$", out, re.M)
    assert address, out
    assert secret, out
    return address[1], secret[1]


async def test_a_hook_that_is_added_takes_calls_with_the_printed_secret(
    hook: Command, served: Gateway, client: Client
):
    code, out, err = await hook("add", "deploy.yaml", "--user", "ann")
    assert code == 0, err
    assert "not shown again" in err
    url, secret = printed(out)
    sender = Sender(served, url.removeprefix(served.config.public_url), secret)
    answer = await sender.call({"ref": "main"})
    request = await started(client, answer)
    assert request.event.name == "Deploy"
    assert (request.user, request.input) == ("ann", {"ref": "main"})


async def test_every_option_reaches_the_hook(hook: Command):
    options = (
        "--id ci --priority 1 --signature github --signature cronium --off "
        "--allow-from 10.0.0.0/8 --allow-from ::1 --per-minute 5 --max-body 64KB "
        "--tolerance 1m --pass-header X-GitHub-Event --json"
    )
    code, out, err = await hook("add", "deploy.yaml", *options.split())
    assert code == 0, err
    found: Any = json.loads(out)["hook"]
    del found["event"], found["workflow"]
    assert found == {
        "id": "ci",
        "user": "local",
        "priority": 1,
        "enabled": False,
        "signatures": ["github", "cronium"],
        "toleranceSeconds": 60,
        "allowFrom": ["10.0.0.0/8", "::1"],
        "callsPerMinute": 5,
        "maxBodyBytes": 65536,
        "passHeaders": ["x-github-event"],
    }


GRAPH = """
id: release
name: Release
nodes:
  build: {event: {name: Build, type: bash, script: echo built}}
  ship: {event: {name: Ship, type: bash, script: echo shipped}, after: build}
"""


async def test_a_workflow_file_becomes_a_hook_of_its_graph(
    hook: Command, client: Client, tmp_path: Path
):
    (tmp_path / "release.yaml").write_text(GRAPH)
    code, _, err = await hook("add", "release.yaml")
    assert code == 0, err
    assert re.search(r"release +release +local", (await hook("list"))[1])
    assert "Release (release)" in (await hook("show", "release"))[1]
    code, out, err = await hook("test", "release")
    assert code == 0, err
    request = await asked(client, f"graph:release:{out.strip()}", GraphRequest)
    assert [node.id for node in request.workflow.nodes] == ["build", "ship"]
    code, _, err = await hook("add", "release.yaml", "--id", "b", "--target", "x")
    assert code == 2
    assert "--target: " in err


async def test_list_and_show_have_no_secret(hook: Command):
    assert (await hook("list"))[2] == "No webhooks.\n"
    url, secret = printed((await hook("add", "deploy.yaml"))[1])
    code, out, _ = await hook("list")
    assert code == 0
    assert re.search(r"deploy +deploy +local +on +cronium +any", out)
    shown = (await hook("show", "deploy"))[1]
    assert url in shown
    assert "1 valid" in shown
    as_json = json.loads((await hook("show", "deploy", "--json"))[1])
    assert json.loads((await hook("list", "--json"))[1]) == [as_json]
    for text in (out, shown, json.dumps(as_json)):
        assert secret not in text


async def test_a_hook_is_replaced_only_when_asked(hook: Command):
    await hook("add", "deploy.yaml")
    code, out, err = await hook("add", "deploy.yaml")
    assert (code, out) == (1, "")
    assert "hint: " in err
    code, out, err = await hook("add", "deploy.yaml", "--replace", "--off")
    assert code == 0, err
    assert "secret" not in out
    assert "(off)" in (await hook("show", "deploy"))[1]


async def test_rotate_prints_a_new_secret(hook: Command, served: Gateway):
    url, first = printed((await hook("add", "deploy.yaml"))[1])
    code, out, _ = await hook("rotate", "deploy", "--grace", "1h")
    assert code == 0
    same, second = printed(out)
    assert (url, first) != (same, second)
    assert url == same
    path = url.removeprefix(served.config.public_url)
    for number, secret in enumerate((first, second)):
        answer = await Sender(served, path, secret).call({"n": number})
        assert answer.status_code == 202
    await hook("rotate", "deploy", "--grace", "0")
    assert (await Sender(served, path, second).call({"n": 2})).status_code == 401


async def test_test_calls_the_hook_as_a_sender_would(
    hook: Command, served: Gateway, client: Client, tmp_path: Path
):
    await hook("add", "deploy.yaml")
    (tmp_path / "body.json").write_text('{"from": "file"}')
    for data, value in (('{"n": 1}', {"n": 1}), ("@body.json", {"from": "file"})):
        code, out, err = await hook("test", "deploy", "--data", data)
        assert code == 0, err
        assert f"/logs/{out.strip()}" in err
        workflow = f"event:deploy:{out.strip()}"
        assert (await asked(client, workflow)).input == value
    code, out, err = await hook("test", "deploy", "--data", '{"n": ')
    assert (code, out) == (1, "")
    assert "line 1 column 7" in err


async def test_a_refusal_of_a_test_call_is_said(hook: Command):
    await hook("add", "deploy.yaml", "--allow-from", "192.0.2.1")
    code, _, err = await hook("test", "deploy")
    assert code == 1
    assert "calls of this hook are not taken from the caller's address" in err
    assert "hint: " in err


async def test_deleting_says_whether_there_was_something(hook: Command):
    await hook("add", "deploy.yaml")
    assert (await hook("delete", "deploy"))[0] == 0
    code, _, err = await hook("delete", "deploy")
    assert (code, err) == (1, "there is no hook deploy\n")
    code, _, err = await hook("show", "deploy")
    assert (code, err.splitlines()[0]) == (1, "error: there is no such hook.")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("add", "missing.yaml"), "cannot read missing.yaml"),
        (("add", "deploy.yaml", "--id", "a/b"), "id: "),
        (("add", "deploy.yaml", "--allow-from", "x"), "allowFrom: [0] is no address"),
        (("add", "deploy.yaml", "--max-body", "x"), "--max-body: expected a size"),
        (("add", "deploy.yaml", "--tolerance", "x"), "--tolerance: expected a dur"),
        (("add", "deploy.yaml", "--target", "nope"), "nope"),
        (("show", "../x"), "ID: expected letters"),
        (("rotate", "deploy", "--grace", "soon"), "--grace: expected a duration"),
    ],
)
async def test_what_is_wrong_is_said_before_anything_is_sent(
    hook: Command, arguments: tuple[str, ...], message: str
):
    code, out, err = await hook(*arguments)
    assert (code, out) == (2, "")
    assert message in err
