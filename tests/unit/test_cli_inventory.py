"""Servers by name, group, tag or inline; the inventory file; the commands around it."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from rich.console import Console

from cli.errors import InvalidRequest
from cli.event_file import RunOptions, request_of_code, request_of_file
from cli.inventory import append, parse, read_inventory
from cli.main import run_command
from cli.server import check_table
from cli.ssh import place_of
from contracts.server_errors import SshAuthFailed
from engines.ssh import Checked

FILE = Path("servers.yaml")
TEXT = """
# Kept by hand.
defaults:
  username: deploy
  port: 2222
  credentials: {key: {secret: DEPLOY_KEY}}
servers:
  - name: web-1
    address: 10.0.0.11
    groups: [web]
    tags: [production]
  - name: web-2
    address: 10.0.0.12
    groups: [web]
  - name: db 1
    address: db.example.com
    username: root
    groups: [db]
    tags: [production]
"""


def problems(call: Any, *arguments: Any) -> list[str]:
    with pytest.raises(InvalidRequest) as caught:
        call(*arguments)
    found = [f"{problem.path}: {problem.message}" for problem in caught.value.problems]
    return [*found, caught.value.user_hint]


def test_defaults_are_true_of_every_server_that_does_not_say_otherwise() -> None:
    servers = parse(TEXT, FILE).servers
    assert list(servers) == ["web-1", "web-2", "db 1"]
    assert (servers["web-1"].username, servers["web-1"].port) == ("deploy", 2222)
    assert (servers["db 1"].username, servers["db 1"].id) == ("root", "db-1")


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("web-1", ["web-1"]),
        ("db 1", ["db 1"]),
        ("group:web", ["web-1", "web-2"]),
        ("tag:production", ["web-1", "db 1"]),
        ("all", ["web-1", "web-2", "db 1"]),
        ("root@10.0.0.9", ["root@10.0.0.9"]),
    ],
)
def test_a_word_means_servers(word: str, expected: list[str]) -> None:
    found = parse(TEXT, FILE).select(word, "--target")
    assert [server.name for server in found] == expected


@pytest.mark.parametrize(
    ("word", "address", "port"),
    [
        ("root@a.example", "a.example", 2222),
        ("root@a.example:22", "a.example", 22),
        ("root@[2001:db8::1]", "2001:db8::1", 2222),
        ("root@[2001:db8::1]:99", "2001:db8::1", 99),
    ],
)
def test_an_inline_server_has_the_defaults(word: str, address: str, port: int) -> None:
    (server,) = parse(TEXT, FILE).select(word, "--target")
    assert (server.address, server.port, server.username) == (address, port, "root")
    assert server.credentials.key is not None


def test_an_inline_server_without_inventory_logs_in_with_the_agent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (server,) = read_inventory(None).select("me@h", "--target")
    assert server.credentials.agent


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("web-3", ["there is no server web-3 in", "web-2 or web-1"]),
        ("group:wep", ["there is no group wep in", "Did you mean web"]),
        ("tag:prod", ["there is no tag prod in", "production"]),
        ("zzz", ["there is no server zzz in", "shows all 3 servers"]),
        ("root@", ["expected user@host"]),
        ("root@h:1:2", ["expected user@host"]),
    ],
)
def test_an_unknown_word_is_told_with_what_is_close(word: str, said: list[str]) -> None:
    text = " ".join(problems(parse(TEXT, FILE).select, word, "--target"))
    assert text.startswith("--target: ")
    for words in said:
        assert words in text


def test_every_problem_of_a_file_is_told() -> None:
    text = """
fallbacks: {}
servers:
  - name: a
    adress: x
  - 7
  - {name: b, address: h, username: u, credentials: {agent: true}}
  - {name: b, address: h, username: u, credentials: {agent: true}}
"""
    found = "\n".join(problems(parse, text, FILE))
    assert "unknown field fallbacks; known: defaults, servers" in found
    assert (
        "servers.yaml: servers[0].adress: unknown field (did you mean address?)"
        in found
    )
    assert "servers.yaml: servers[1]: expected fields" in found
    assert "servers.yaml: servers[3]: b is there twice" in found


@pytest.mark.parametrize("text", ["[", "a", "servers: 3", "1: 2", "[]x: {"])
def test_what_is_no_inventory_is_refused(text: str) -> None:
    assert problems(parse, text, FILE)


def test_targets_of_the_command_line_are_written_out(tmp_path: Path) -> None:
    (tmp_path / "servers.yaml").write_text(TEXT)
    options = RunOptions(
        targets=["group:web", "web-1", "tag:production"],
        servers=tmp_path / "servers.yaml",
    )
    event = request_of_code("true", options, "x1").event
    assert [server.name for server in event.servers] == ["web-1", "web-2", "db 1"]


def test_targets_of_an_event_file_are_written_out_also_of_events_it_starts(
    tmp_path: Path,
) -> None:
    (tmp_path / "servers.yaml").write_text(TEXT)
    (tmp_path / "event.yaml").write_text(
        """
script: "true"
type: bash
targets:
  - group:web
  - {id: x, name: x, address: h, username: u, credentials: {agent: true}}
fanOut: {forks: 50%, overrides: {web-2: {retries: 3}}}
actions:
  - kind: event
    event: {id: e, name: e, type: bash, script: "true", targets: ["db 1"]}
"""
    )
    options = RunOptions(servers=tmp_path / "servers.yaml")
    event = request_of_file(tmp_path / "event.yaml", options, "x1").event
    assert [server.name for server in event.servers] == ["web-1", "web-2", "x"]
    inner = event.actions[0].event  # type: ignore[union-attr]
    assert inner is not None
    assert [server.name for server in inner.servers] == ["db 1"]
    assert len(event.model_dump_json()) < 2500


def test_an_unknown_target_of_an_event_file_is_told_with_its_place(
    tmp_path: Path,
) -> None:
    (tmp_path / "servers.yaml").write_text(TEXT)
    (tmp_path / "event.yaml").write_text("{type: bash, script: x, targets: [wep-1]}")
    options = RunOptions(servers=tmp_path / "servers.yaml")
    found = problems(request_of_file, tmp_path / "event.yaml", options, "x1")
    assert found[0].startswith("event.targets: there is no server wep-1")


def test_a_container_event_needs_no_inventory(tmp_path: Path) -> None:
    options = RunOptions(servers=tmp_path / "missing.yaml")
    assert request_of_code("true", options, "x1").event.targets is None


@pytest.mark.parametrize(
    "before",
    [
        "",
        "servers:\n",
        TEXT,
        TEXT.rstrip(),
        "servers:\n- {name: z, address: h, username: u, credentials: {agent: true}}\n",
    ],
)
def test_a_server_is_added_and_nothing_else_changes(
    before: str, tmp_path: Path
) -> None:
    file = tmp_path / "servers.yaml"
    file.write_text(before)
    file.chmod(0o640)
    entry = {
        "name": "new", "address": "h", "username": "u", "credentials": {"agent": True},
    }  # fmt: skip
    append(file, entry)
    text = file.read_text()
    assert text.startswith(before)
    assert read_inventory(file).servers["new"].address == "h"
    assert file.stat().st_mode & 0o777 == 0o640
    assert [path.name for path in tmp_path.iterdir()] == ["servers.yaml"]


@pytest.mark.parametrize("before", ["servers: []\n", "servers: []\ndefaults: {}\n"])
def test_a_file_that_cannot_be_added_to_is_left_alone(
    before: str, tmp_path: Path
) -> None:
    file = tmp_path / "servers.yaml"
    file.write_text(before)
    entry = {"name": "new", "address": "h", "username": "u"}
    found = problems(append, file, entry)
    assert "Put this in by hand:\n- name: new" in found[-1]
    assert file.read_text() == before


def test_the_add_command_writes_names_of_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = [
        "server",
        "add",
        "web-1",
        "deploy@10.0.0.11:2222",
        "--key",
        "DEPLOY_KEY",
    ]
    assert run_command([*arguments, "--group", "web", "--group", "eu"]) == 0
    assert "cronium ssh scan 10.0.0.11" in capsys.readouterr().err
    assert yaml.safe_load(Path("servers.yaml").read_text()) == {
        "servers": [
            {
                "name": "web-1",
                "address": "10.0.0.11",
                "port": 2222,
                "username": "deploy",
                "credentials": {"key": {"secret": "DEPLOY_KEY"}},
                "groups": ["web", "eu"],
            }
        ]
    }
    assert run_command(arguments) == 2
    assert "web-1 is there twice" in capsys.readouterr().err


def test_the_add_command_wants_a_way_to_log_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_command(["server", "add", "web-1", "deploy@10.0.0.11"]) == 2
    assert "credentials: required" in capsys.readouterr().err
    assert not Path("servers.yaml").exists()


def test_the_list_command_shows_what_was_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("servers.yaml").write_text(TEXT)
    assert run_command(["server", "list", "tag:production"]) == 0
    shown = capsys.readouterr().out
    assert "deploy@10.0.0.11:2222" in shown
    assert "db 1" in shown
    assert "web-2" not in shown
    assert run_command(["server", "list", "--json"]) == 0
    assert [row["name"] for row in json.loads(capsys.readouterr().out)] == [
        "web-1", "web-2", "db 1",
    ]  # fmt: skip
    assert run_command(["server", "list", "group:wbe"]) == 2
    assert "Did you mean web?" in capsys.readouterr().err


FOUND = Checked(
    took=0.123,
    interpreters={"bash": "5.2.15", "python3": "3.11.2", "node": None},
    disk_free=5 << 30,
    clock_offset=-61.0,
)


def test_a_check_says_what_a_server_has_and_what_is_wrong() -> None:
    servers = list(parse(TEXT, FILE).servers.values())[:2]
    error = SshAuthFailed("deploy@10.0.0.12:2222 does not accept the key")
    console = Console(record=True, width=160)
    console.print(check_table(servers, [FOUND, error]))
    text = " ".join(console.export_text().split())
    for words in ("123 ms", "bash 5.2.15", "node –", "5.0 GB", "-61.0 s"):
        assert words in text
    assert "SshAuthFailed: deploy@10.0.0.12:2222 does not accept the key" in text


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("h", ("h", 22)),
        ("h:2222", ("h", 2222)),
        ("[::1]:2222", ("::1", 2222)),
        ("[::1]", ("::1", 22)),
        ("2001:db8::1", ("2001:db8::1", 22)),
    ],
)
def test_a_host_to_scan_may_have_a_port(text: str, place: tuple[str, int]) -> None:
    assert place_of(text) == place


@pytest.mark.parametrize("text", ["", ":22", "h:x", "h:0", "h:70000", "[::1"])
def test_a_host_to_scan_that_is_none_is_refused(text: str) -> None:
    assert problems(place_of, text)
