"""`cronium init`: starters that are valid events, files that are left alone."""

from pathlib import Path

import pytest

from cli.event_file import RunOptions, request_of_file
from cli.init import STARTERS, TYPES
from cli.main import run_command
from contracts.events import EventType


@pytest.fixture(autouse=True)
def _elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("kind", EventType)
def test_there_is_a_starter_of_each_type_and_it_is_valid(kind: EventType) -> None:
    file = Path(f"{kind.value.replace('_', '-')}-event.yaml")
    assert run_command(["init", kind.value]) == 0
    request = request_of_file(file, RunOptions(), "x")
    assert request.event.type is kind
    assert f"cronium run {file} --input" in file.read_text()


def test_each_type_has_one_starter_and_words() -> None:
    named = {kind.value for kind in EventType}
    assert {file.stem for file in STARTERS.iterdir()} == named == set(TYPES)


def test_a_file_that_is_there_is_left_alone_unless_forced(
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = Path("mine.yaml")
    file.write_text("precious")
    assert run_command(["init", "bash", str(file)]) == 2
    said = capsys.readouterr().err
    assert "mine.yaml is there already" in said
    assert "--force" in said
    assert file.read_text() == "precious"
    assert run_command(["init", "bash", str(file), "--force"]) == 0
    assert "type: bash" in file.read_text()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["perl"], "'perl' is none of bash, python"),
        ([], "required; one of bash, python, nodejs, http_request"),
        (["bash", "event.txt"], "must end with .yaml"),
        (["bash", "no/such/folder.yaml"], "cannot write no/such/folder.yaml"),
    ],
)
def test_a_mistake_is_said_and_nothing_is_written(
    arguments: list[str],
    words: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    assert run_command(["init", *arguments]) == 2
    assert words in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_name_with_a_space_can_be_pasted(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["init", "python", "my event.yaml"]) == 0
    assert "next: cronium run 'my event.yaml'" in capsys.readouterr().err


def test_the_url_of_a_request_is_the_users_to_fill_in(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run_command(["init", "http_request", "check.yaml"]) == 0
    assert "put your own address into `url`" in capsys.readouterr().err
    request = request_of_file(Path("check.yaml"), RunOptions(), "x")
    assert request.event.http is not None
    # A name of this kind never has an address (RFC 6761).
    assert ".invalid/" in request.event.http.url
