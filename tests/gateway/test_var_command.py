"""`cronium var` against a real gateway."""

import asyncio
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cli.main import run_command
from tests.gateway.conftest import SECRET, Gateway
from worker.settings import child_environment

Command = Callable[..., Any]


@pytest.fixture
def var(
    gateway: Gateway,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> Command:
    """Run `cronium var …`; return status, stdout and stderr."""
    for name in child_environment():
        if name.startswith(("CRONIUM_", "TEMPORAL_")):
            monkeypatch.delenv(name)
    secret = tmp_path / "secret"
    secret.write_text(SECRET)
    monkeypatch.setenv("CRONIUM_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("CRONIUM_TEMPORAL_ADDRESS", "127.0.0.1:1")
    url = f"http://127.0.0.1:{gateway.server.port}"
    monkeypatch.setenv("CRONIUM_GATEWAY_URL", url)
    monkeypatch.setenv("CRONIUM_GATEWAY_SECRET_FILE", str(secret))

    async def run(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = await asyncio.to_thread(run_command, ["var", *arguments])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


@pytest.mark.parametrize(
    ("typed", "stored", "printed"),
    [
        ("20", 20, "20"),
        ("1.50", 1.5, "1.5"),
        ("true", True, "true"),
        ("null", None, "null"),
        ("", "", ""),
        ("hello world", "hello world", "hello world"),
        ('"20"', "20", "20"),
        ("NaN", "NaN", "NaN"),
        ('{"ü": [1, "a"]}', {"ü": [1, "a"]}, '{"ü": [1, "a"]}'),
    ],
)
async def test_values_are_json_when_they_are_json(
    var: Command, typed: str, stored: Any, printed: str
):
    assert (await var("set", "A", typed))[0] == 0
    code, out, _ = await var("get", "A")
    assert (code, out) == (0, printed + "\n")
    found = json.loads((await var("get", "A", "--json"))[1])
    assert found["value"] == stored
    assert type(found["value"]) is type(stored)


async def test_string_keeps_what_looks_like_json_as_text(var: Command):
    code, out, err = await var("set", "ZIP", "01234", "--string")
    assert (code, out, err) == (0, "", "ZIP is set (version 1)\n")
    await var("set", "N", "5", "--string", "--description", "five")
    found = json.loads((await var("get", "N", "--json"))[1])
    assert (found["value"], found["description"]) == ("5", "five")


async def test_a_dash_reads_the_value_from_stdin(
    var: Command, monkeypatch: pytest.MonkeyPatch
):
    for text, value in (("[1,\n2]\n", [1, 2]), ("some text\n", "some text")):
        monkeypatch.setattr("sys.stdin", io.StringIO(text))
        await var("set", "A", "-")
        assert json.loads((await var("get", "A", "--json"))[1])["value"] == value


async def test_set_can_depend_on_what_is_there(var: Command):
    assert (await var("set", "A", "1", "--if-absent"))[0] == 0
    code, out, err = await var("set", "A", "2", "--if-absent")
    assert (code, out) == (1, "")
    assert err.startswith("error: the variable is set already.\nhint: ")
    assert (await var("set", "A", "2", "--expected", '"1"'))[0] == 1
    assert (await var("set", "A", "2", "--expected", "1"))[0] == 0


async def test_the_list_shows_keys_values_and_versions(var: Command):
    assert (await var("list"))[2] == "No variables.\n"
    await var("set", "B", '{"n": 1}')
    await var("set", "A_1", "x\x1b[2J" + "y" * 100)
    await var("set", "A_1", "x\x1b[2J" + "y" * 100)
    code, out, _ = await var("list")
    assert code == 0
    assert out.index("A_1") < out.index("B ")
    assert '{"n": 1}' in out
    assert "…" in out
    assert "\x1b" not in out
    only = json.loads((await var("list", "A_", "--json"))[1])
    assert [(v["key"], v["version"]) for v in only] == [("A_1", 2)]


async def test_each_user_has_variables_apart(var: Command):
    await var("set", "A", "1")
    await var("set", "A", "2", "--user", "ann")
    assert (await var("get", "A"))[1] == "1\n"
    assert (await var("get", "A", "--user", "ann"))[1] == "2\n"
    assert (await var("get", "A", "--user", "local"))[1] == "1\n"
    for command in (["get", "A"], ["list"]):
        code, _, err = await var(*command, "--user", "a/b")
        assert code == 2
        assert err.startswith("error: --user: ")


async def test_deleting_says_whether_there_was_something(var: Command):
    await var("set", "A", "1")
    assert await var("delete", "A") == (0, "", "A is deleted\n")
    assert await var("delete", "A") == (1, "", "A was not set\n")
    code, out, err = await var("get", "A")
    assert (code, out) == (1, "")
    assert err.startswith("error: the variable is not set.\nhint: Check the key")


@pytest.mark.parametrize("key", ["CRONIUM_X", "a b", "a/b", "Ü"])
async def test_a_refused_key_is_told_with_the_rule(var: Command, key: str):
    code, out, err = await var("set", key, "1")
    assert (code, out) == (1, "")
    assert err.startswith("error: key: ")
    assert "hint: " in err


@pytest.mark.parametrize("key", ["..", ".", ""])
async def test_a_key_never_leads_to_another_place(var: Command, key: str):
    assert (await var("delete", key))[0] == 2


async def test_a_gateway_that_is_away_is_said(
    var: Command, monkeypatch: pytest.MonkeyPatch, free_port: int
):
    monkeypatch.setenv("CRONIUM_GATEWAY_URL", f"http://127.0.0.1:{free_port}")
    code, _, err = await var("list")
    assert code == 1
    assert "does not answer" in err
    assert "cronium dev" in err
