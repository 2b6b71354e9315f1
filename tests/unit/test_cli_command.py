"""The command line itself: help, exit statuses, and one clear line per mistake."""

import io
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
import typer
from rich.console import Console
from temporalio.exceptions import ApplicationError

from cli.demo import EXAMPLES, SCENES
from cli.errors import (
    Interrupted,
    InvalidRequest,
    StackFailed,
    exit_status,
    lines_of,
    report,
)
from cli.event_file import RunOptions, request_of_file
from cli.execution import ExecutionFailed, LeftRunning, refusal
from cli.executions import _ago, _short
from cli.logs import LeftUnread
from cli.lookup import unknown
from cli.main import COMMANDS, GROUPS, build, run_command
from cli.outcome import print_result
from cli.run import new_execution_id
from cli.stack import Stack
from cli.terminal import table
from contracts.errors import ErrorInfo
from contracts.results import (
    ExecutionResult,
    LogCounts,
    Status,
    TargetCounts,
    TargetResult,
)
from worker.settings import child_environment


@pytest.fixture(autouse=True)
def _nothing_configured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in child_environment():
        if name.startswith(("CRONIUM_", "TEMPORAL_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("CRONIUM_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)


def result(status: Status, exit_code: int | None = None) -> ExecutionResult:
    return ExecutionResult(
        execution_id="x1",
        event_id="e",
        event_name="E",
        status=status,
        exit_code=exit_code,
    )


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (Status.SUCCESS, 0, 0),
        (Status.FAILURE, 7, 7),
        (Status.FAILURE, 255, 255),
        (Status.FAILURE, None, 1),
        (Status.FAILURE, 0, 1),
        (Status.FAILURE, -9, 1),
        (Status.FAILURE, 300, 1),
        (Status.TIMEOUT, -1, 124),
        (Status.CANCELLED, -2, 130),
        (Status.LOST, None, 1),
        (Status.PARTIAL, 102, 102),
        (Status.PARTIAL, 400, 255),
    ],
)
def test_the_exit_status_tells_how_a_run_ended(
    status: Status, code: int | None, expected: int
) -> None:
    assert exit_status(result(status, code)) == expected


@pytest.mark.parametrize(
    "command",
    [
        [],
        *([name] for name in ("run", "logs", "status", "list", "cancel", "dev")),
        *([name] for name in ("down", "demo", "doctor", "worker", "gateway")),
        *(["var", name] for name in ("get", "set", "list", "delete")),
        ["apply"],
        *(["schedule", name] for name in ("apply", "list", "show", "next", "pause")),
        *(["schedule", name] for name in ("resume", "trigger", "backfill", "delete")),
    ],
)
def test_every_command_explains_itself(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command([*command, "--help"]) == 0
    printed = capsys.readouterr().out
    assert "Usage: cronium" in printed
    if command and command[0] not in ("demo", "down", "doctor"):
        assert "Examples:" in printed


@pytest.mark.parametrize(
    "name", [name for panel in (*COMMANDS.values(), *GROUPS.values()) for name in panel]
)
def test_a_command_is_the_same_whether_it_is_loaded_alone_or_with_the_others(
    name: str,
) -> None:
    alone, among = (typer.main.get_command(build(only)) for only in (name, ""))
    context = typer.Context(alone)
    assert isinstance(alone, typer.core.TyperGroup)
    assert isinstance(among, typer.core.TyperGroup)
    assert list(alone.commands) == [name]
    assert alone.commands[name].get_help(context) == among.commands[name].get_help(
        context
    )


def test_a_command_loads_nothing_of_the_others() -> None:
    code = (
        "import sys; from cli.main import run_command; run_command(['status', '-h']); "
        "sys.exit(', '.join({'cli.migrate', 'cli.schedule', 'worker.app'} "
        "& set(sys.modules)) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "Usage: cronium status" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["run"], "error: give either a FILE or -c CODE"),
        (["run", "nope.sh"], "error: script: cannot read nope.sh: No such file"),
        (["run", "-c", "x", "--input", "{bad"], "error: input: not valid JSON"),
        (["run", "-c", "x", "--env", "A"], "error: --env: expected NAME=VALUE"),
        (["run", "-c", "x", "--type", "ruby"], "error: event.type: Input should be"),
        (["run", "-c", "x", "--timeout", "5x"], "error: --timeout: expected a dur"),
        (["run", "-c", " "], "error: event: script: an event of type bash needs"),
        (["run", "-c", "x", "--execution-id", "a b"], "error: executionId: "),
        (["list", "--status", "odd"], "error: --status: expected one of PENDING"),
    ],
)
def test_a_mistake_is_one_clear_line_and_status_2(
    arguments: list[str], line: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert run_command(arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    errors = [text for text in printed.err.splitlines() if not text.startswith("hint")]
    assert len(errors) == 1
    assert errors[0].startswith(line)
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize("arguments", [["rnu"], ["run", "--nope"], ["list", "-n", "0"]])
def test_a_wrong_command_line_has_status_2(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(arguments) == 2
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [["list"], ["status", "x"], ["cancel", "x"], ["logs", "x"], ["var", "list"]],
)
def test_without_a_stack_the_way_to_one_is_said(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(arguments) == 1
    assert "cronium dev" in capsys.readouterr().err


def test_stopping_what_does_not_run_is_no_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run_command(["down"]) == 0
    assert "No local stack runs" in capsys.readouterr().err


def test_bad_settings_are_said_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CRONIUM_DOCKER_SLOTS", "many")
    assert run_command(["list"]) == 1
    printed = capsys.readouterr().err.splitlines()
    assert printed[0].startswith("error: CRONIUM_DOCKER_SLOTS: ")
    assert printed[1].startswith("hint: ")


def test_a_refusal_of_the_worker_is_told_like_one_of_ours() -> None:
    wrong = [{"path": "event.name", "message": "required, but missing"}]
    error = refusal(ApplicationError("bad", wrong, type="PayloadValidationError"))
    assert isinstance(error, InvalidRequest)
    assert lines_of(error) == ["error: event.name: required, but missing"]
    error = refusal(ApplicationError("9 asked", "Lower it.", type="CeilingExceeded"))
    assert lines_of(error) == ["error: 9 asked", "hint: Lower it."]
    assert report(error) == 2


def test_any_other_end_without_a_result_is_a_failure() -> None:
    error = refusal(ApplicationError("boom", type="KeyError"))
    assert isinstance(error, ExecutionFailed)
    assert report(error) == 1
    assert isinstance(refusal(None), ExecutionFailed)


def test_an_interrupt_is_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert report(Interrupted("stopped")) == 130
    assert report(LeftRunning("x1")) == 130
    printed = capsys.readouterr().err
    assert "error" not in printed
    assert "cronium logs -f x1" in printed


def test_ctrl_c_in_a_followed_log_says_that_the_run_goes_on(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert report(LeftUnread("x1")) == 130
    printed = capsys.readouterr().err
    assert "does not end the execution" in printed
    assert "`cronium cancel x1`" in printed


def test_a_long_name_takes_one_line_of_a_narrow_terminal() -> None:
    shown = table(("Execution", "Event", "Status", "Started"), cut=("Event",))
    shown.add_row("0" * 32, "a-script-with-quite-a-long-name", "CANCELLED", "15s ago")
    screen = io.StringIO()
    Console(file=screen, width=64).print(shown)
    row = next(line for line in screen.getvalue().splitlines() if "0000" in line)
    assert "0" * 32 in row
    assert re.search(r"a-scr\S*… +CANCELLED +15s ago", row)
    assert "long-name" not in screen.getvalue()


def test_a_stack_that_failed_shows_the_tail_of_its_log() -> None:
    error = StackFailed("not ready", hint="See it.", tail="one\ntwo")
    assert lines_of(error) == [
        "error: not ready",
        "  | one",
        "  | two",
        "hint: See it.",
    ]


def test_an_unknown_id_names_the_closest_known_ones() -> None:
    known = ["0199aa01", "0199aa02", "ffff"]
    assert unknown("0199aa", known).user_hint == "Did you mean 0199aa01 or 0199aa02?"
    assert unknown("0199ab01", known).user_hint.startswith("Did you mean 0199aa01")
    assert "cronium list" in unknown("zzz", known).user_hint


def test_later_execution_ids_sort_after_earlier_ones() -> None:
    ids = [new_execution_id() for _ in range(50)]
    assert len(set(ids)) == 50
    assert [i[:12] for i in ids] == sorted(i[:12] for i in ids)


def test_a_result_is_shown_with_all_that_matters(tmp_path: Path) -> None:
    shown = result(Status.FAILURE, 7).model_copy(
        update={
            "event_name": "[red]\x1b]0;x\x07E",
            "attempts": 3,
            "output": {"n": 1},
            "condition": False,
            "error": ErrorInfo(type="ScriptFailed", message="code 7", hint="Look."),
            "logs": LogCounts(lines=9, bytes=90, dropped_lines=4),
        }
    )
    console = Console(width=40, record=True, file=io.StringIO())
    link = "http://127.0.0.1:1/logs/" + "x" * 60
    print_result(console, shown, {"Logs": link})
    text = console.export_text()
    for words in ("FAILURE", "[red]E", "ScriptFailed: code 7", "Look.", '{"n": 1}'):
        assert words in text
    assert "false" in text
    assert "4 of them dropped" in " ".join(text.split())
    assert link in text


@pytest.mark.parametrize(
    ("output", "shown"),
    [
        (0, "0"),
        (False, "false"),
        ("a\nb", '"a\\nb"'),
        ({"é": [None]}, '{"é": [null]}'),
        ("x" * 5000, "--json has all of it"),
    ],
)
def test_an_output_is_shown_as_json_and_not_without_end(
    output: object, shown: str
) -> None:
    console = Console(width=200, record=True, file=io.StringIO())
    whole = result(Status.SUCCESS, 0).model_copy(update={"output": output})
    print_result(console, whole, {})
    text = console.export_text()
    assert shown in text
    assert len(text) < 3000


def fan_out(statuses: list[Status]) -> ExecutionResult:
    rows = [
        TargetResult(
            target=f"web-{number}",
            status=status,
            exit_code=0 if status is Status.SUCCESS else 3,
            error=None
            if status is Status.SUCCESS
            else ErrorInfo(type="ScriptFailed", message=f"code 3 on {number}"),
            attempts=1,
        )
        for number, status in enumerate(statuses)
    ]
    bad = sum(status is Status.FAILURE for status in statuses)
    return result(Status.PARTIAL, 100 + bad).model_copy(
        update={
            "targets": rows,
            "counts": TargetCounts(
                total=len(rows), succeeded=len(rows) - bad, failed=bad
            ),
            "output": {"default": 1, "servers": {"web-0": 1}, "omitted": ["web-1"]},
        }
    )


def printed(result: ExecutionResult) -> str:
    console = Console(width=120, record=True, file=io.StringIO())
    print_result(console, result, {})
    return console.export_text()


def test_a_fan_out_is_shown_with_a_row_per_server() -> None:
    text = printed(fan_out([Status.SUCCESS, Status.FAILURE]))
    assert "2: 1 succeeded, 1 failed" in text
    assert "of 2 servers; --json shows them" in text
    assert "web-0" in text
    assert "ScriptFailed: code 3 on 1" in text


def test_of_many_servers_those_are_shown_that_did_not_succeed() -> None:
    text = printed(fan_out([Status.SUCCESS] * 50 + [Status.FAILURE] * 25))
    assert "20 of the 25 that did not succeed" in text
    assert "web-50 " in text
    assert "web-0 " not in text


def test_links_carry_ids_that_need_quoting(tmp_path: Path) -> None:
    stack = Stack(
        temporal=None,
        namespace="a.b",
        gateway="http://g",
        public_gateway="https://p",
        ui="http://ui",
        secret_file=tmp_path / "s",
    )
    assert stack.links("x1", "event:e:x1") == {
        "Logs": "https://p/logs/x1",
        "Temporal": "http://ui/namespaces/a.b/workflows/event%3Ae%3Ax1",
    }


def test_every_example_of_the_demo_is_a_valid_event() -> None:
    for scene in SCENES:
        request = request_of_file(EXAMPLES / scene.file, RunOptions(), "x1")
        assert request.event.retries == scene.attempts - 1


def test_times_in_tables_are_short() -> None:
    assert [_short(n) for n in (0.44, 59.6, 150, 7300, 200_000)] == [
        "0.4s",
        "60s",
        "2m",
        "2h",
        "2d",
    ]
    assert _ago(datetime.now(UTC)) == "0.0s ago"
