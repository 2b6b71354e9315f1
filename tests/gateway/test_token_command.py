"""`cronium token`: made, looked at, and their key replaced."""

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.main import run_command
from gateway.keys import load_or_create_secret, valid_keys
from gateway.tokens import Scope, mint, verify
from tests.gateway.conftest import SECRET
from worker.settings import child_environment

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The gateway's key file."""
    path = tmp_path / "secret"
    path.write_text(SECRET)
    return path


@pytest.fixture
def token(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """Run `cronium token …`; return status, stdout and stderr."""
    for name in child_environment():
        if name.startswith("CRONIUM_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(file.parent)
    monkeypatch.setenv("CRONIUM_STATE_DIR", str(file.parent / "state"))
    monkeypatch.setenv("CRONIUM_GATEWAY_SECRET_FILE", str(file))

    def run(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = run_command(["token", *arguments])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


@pytest.mark.parametrize("scope", list(Scope))
def test_a_token_of_each_scope_is_made(token: Command, scope: Scope):
    code, out, err = token(
        "create", "--scope", scope, "--subject", "ann", "--lifetime", "8h"
    )
    assert code == 0
    claims = verify(SECRET, out.strip())
    assert (claims.scope, claims.subject) == (scope, "ann")
    assert f"{scope} token of ann, good until" in err


def test_a_token_is_printed_as_json(token: Command):
    arguments = ("--scope", "user", "-s", "ann", "--json")
    found = json.loads(token("create", *arguments)[1])
    assert set(found) == {"token", "scope", "subject", "expiresAt"}
    assert verify(SECRET, found["token"]).subject == "ann"


def test_show_says_what_a_token_is_good_for(
    token: Command, monkeypatch: pytest.MonkeyPatch
):
    made = token("create", "--scope", "user", "--subject", "ann")[1].strip()
    code, out, _ = token("show", made)
    assert code == 0
    assert "user" in out
    assert "ann" in out
    monkeypatch.setattr("sys.stdin", io.StringIO(made + "\n"))
    assert token("show", "-")[1] == out
    old = mint(SECRET, Scope.USER, subject="ann", lifetime_seconds=-5)
    code, out, err = token("show", old)
    assert (code, out, err) == (1, "", "The token has expired.\n")


def test_rotate_keeps_tokens_good_for_the_grace(token: Command, file: Path):
    made = token("create", "--scope", "user", "--subject", "ann")[1].strip()
    code, _, err = token("rotate", "--grace", "1h")
    assert code == 0
    assert "the old one is good until" in err
    assert len(valid_keys(load_or_create_secret(file))) == 2
    assert token("show", made)[0] == 0
    token("rotate", "--grace", "0")
    code, _, err = token("show", made)
    assert (code, err) == (1, "The token was signed with another secret.\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("create", "--scope", "root", "-s", "a"), "--scope: expected one of"),
        (("create", "--scope", "user", "-s", ""), "--subject: expected 1 to"),
        (("create", "--scope", "user", "-s", "a\nb"), "--subject: expected 1 to"),
        (
            ("create", "--scope", "user", "-s", "a", "--lifetime", "0"),
            "--lifetime: expected more than 0",
        ),
        (
            ("create", "--scope", "user", "-s", "a", "--lifetime", "9999d"),
            "at most 366d",
        ),
        (("rotate", "--grace", "soon"), "--grace: expected a duration"),
    ],
)
def test_what_is_wrong_is_said(
    token: Command, file: Path, arguments: tuple[str, ...], message: str
):
    code, out, err = token(*arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert file.read_text() == SECRET


def test_without_the_key_nothing_is_made(token: Command, file: Path):
    file.unlink()
    code, out, err = token("create", "--scope", "user", "--subject", "ann")
    assert (code, out) == (1, "")
    assert "is not on this machine" in err
    assert "CRONIUM_GATEWAY_SECRET_FILE" in err
    assert not file.exists()
