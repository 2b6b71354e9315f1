"""`cronium keys` and `cronium codec token`: what they write, print and refuse."""

import json
import stat
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jwt
import pytest

from cli.checks import Verdict, encryption
from cli.main import run_command
from worker.codec import Key, KeyFile
from worker.codec.keys import read_keys, write_keys

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Run:
    """Runs the command with a state directory of its own; returns status and output."""
    monkeypatch.setenv("CRONIUM_STATE_DIR", str(tmp_path / "state"))
    for name in ("CRONIUM_ENCRYPTION_KEYS_FILE", "TEMPORAL_ADDRESS"):
        monkeypatch.delenv(name, raising=False)

    def call(*arguments: str) -> tuple[int, str, str]:
        capfd.readouterr()
        code = run_command(list(arguments))
        said = capfd.readouterr()
        return code, said.out.strip(), said.err

    return call


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "keys.json"


def test_the_first_key_writes_and_the_next_ones_only_read(run: Run, file: Path) -> None:
    code, first, _ = run("keys", "generate", "--file", str(file))
    assert code == 0
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    code, second, said = run("keys", "generate", "--file", str(file), "--id", "two")
    assert (code, second) == (0, "two")
    assert "cronium keys rotate --to two" in said
    found = read_keys(file)
    assert found.active == first
    assert [key.id for key in found.keys] == [first, "two"]


def test_without_a_place_the_key_goes_to_the_state_directory_and_it_is_told(
    run: Run, tmp_path: Path
) -> None:
    code, _, said = run("keys", "generate")
    made = tmp_path / "state/encryption-keys.json"
    assert code == 0
    assert f"CRONIUM_ENCRYPTION_KEYS_FILE={made}" in said.replace("\n", "")
    assert read_keys(made)


def test_rotation_makes_a_key_or_takes_one_that_is_there(run: Run, file: Path) -> None:
    where = ("--file", str(file))
    _, first, _ = run("keys", "generate", *where)
    run("keys", "generate", *where, "--id", "two")
    assert run("keys", "rotate", *where, "--to", "two")[:2] == (0, "two")
    code, third, _ = run("keys", "rotate", *where)
    assert code == 0
    found = read_keys(file)
    assert found.active == third
    assert [key.id for key in found.keys] == [first, "two", third]


def test_keys_are_listed_without_their_values(run: Run, file: Path) -> None:
    where = ("--file", str(file))
    _, first, _ = run("keys", "generate", *where)
    value = json.loads(file.read_text())["keys"][0]["key"]
    code, out, _ = run("keys", "list", *where, "--json")
    (row,) = json.loads(out)
    assert (code, row["id"], row["active"]) == (0, first, True)
    assert row["check"] == read_keys(file).keys[0].check
    for options in (["--json"], []):
        assert value not in run("keys", "list", *where, *options)[1]


def test_an_old_key_is_removed_and_the_one_that_writes_is_not(
    run: Run, file: Path
) -> None:
    where = ("--file", str(file))
    _, first, _ = run("keys", "generate", *where)
    _, second, _ = run("keys", "rotate", *where)
    code, _, said = run("keys", "remove", second, *where, "--force")
    assert code == 1
    assert "is the key that writes" in said
    code, _, said = run("keys", "remove", first, *where)
    assert code == 1
    assert "no Temporal server is known" in said
    assert "--force" in said
    assert run("keys", "remove", first, *where, "--force")[0] == 0
    assert [key.id for key in read_keys(file).keys] == [second]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("keys", "list"), 1, "no file of keys is set"),
        (("codec", "serve"), 1, "no file of keys is set"),
        (("keys", "list", "--file", "gone.json"), 1, "gone.json: No such file"),
        (("keys", "generate", "--id", "a b", "--file", "x"), 2, "--id: expected"),
        (("keys", "rotate", "--to", "none", "--file", "GOOD"), 2, "--to: there is no"),
        (("keys", "remove", "none", "--file", "GOOD"), 2, "ID: there is no key"),
        (("keys", "generate", "--id", "one", "--file", "GOOD"), 2, "has a key of this"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_mistakes_are_refused_with_what_to_do(
    arguments: tuple[str, ...], code: int, words: str, run: Run, file: Path
) -> None:
    run("keys", "generate", "--file", str(file), "--id", "one")
    before = file.read_text()
    given = [str(file) if word == "GOOD" else word for word in arguments]
    found, _, said = run(*given)
    assert found == code
    assert words in said
    assert file.read_text() == before


@pytest.mark.parametrize(
    ("days", "verdict", "words"),
    [
        (None, Verdict.OK, "off: Temporal stores plain text"),
        (1, Verdict.OK, "k writes, 1 can be read"),
        (400, Verdict.WARN, "k writes"),
        (-1, Verdict.FAIL, "No such file"),
    ],
)
def test_the_doctor_looks_at_the_keys(
    days: int | None, verdict: Verdict, words: str, file: Path
) -> None:
    if days is not None and days > 0:
        made = datetime.now(UTC) - timedelta(days=days)
        key = Key(id="k", key=b"k" * 32, created=made)
        write_keys(file, KeyFile(active="k", keys=[key]))
    row = encryption(None if days is None else file)
    assert row.verdict is verdict
    assert words in row.detail
    assert bool(row.hint) is (verdict is not Verdict.OK)


def test_a_token_for_the_codec_server_is_good_for_that_alone(run: Run) -> None:
    code, token, _ = run("codec", "token", "--hours", "2", "--name", "proxy")
    claims = jwt.decode(token, options={"verify_signature": False})
    assert code == 0
    assert (claims["scope"], claims["sub"]) == ("codec", "proxy")
    assert claims["exp"] - claims["iat"] == 7200
