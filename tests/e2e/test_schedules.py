"""Schedules as a user has them: files, the command, and real runs in containers."""

import json
import re
import shlex
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Cronium

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "schedules"
PAGE = (ROOT / "docs" / "schedules.md").read_text()
BLOCK = re.compile(r"^```(\w+) schedules\n(.*?)^```", re.M | re.S)
YAML = [body for language, body in BLOCK.findall(PAGE) if language == "yaml"]
CONSOLE = [body for language, body in BLOCK.findall(PAGE) if language == "console"]
IDS = ("nightly-backup", "often", "trial")


@pytest.fixture
def directory(tmp_path: Path, cronium: Cronium) -> Iterator[Path]:
    """The example, where it can be changed; its schedules are gone afterwards."""
    copy = tmp_path / "schedules"
    shutil.copytree(EXAMPLE, copy)
    yield copy
    for known in listed(cronium):
        cronium("schedule", "delete", known["id"])


def listed(cronium: Cronium) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(
        cronium("schedule", "list", "--json").stdout
    )
    return found


def ok(cronium: Cronium, *arguments: str, **options: Any) -> str:
    done = cronium(*arguments, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return str(done.stdout)


def acts(text: str) -> dict[str, str]:
    lines = [line.split() for line in text.splitlines() if not line.startswith(" ")]
    return {words[1]: words[0] for words in lines if len(words) == 2}


def test_a_directory_is_applied_as_a_whole_and_only_once(
    directory: Path, cronium: Cronium
) -> None:
    where = str(directory)
    assert set(acts(ok(cronium, "apply", where, "--diff")).values()) == {"create"}
    assert listed(cronium) == [], "a diff applies nothing"
    assert acts(ok(cronium, "apply", where)) == dict.fromkeys(IDS, "create")
    assert acts(ok(cronium, "apply", where)) == dict.fromkeys(IDS, "unchanged")
    # An event that is shared changes all schedules that start it.
    event = directory / "events" / "backup.yaml"
    event.write_text(event.read_text().replace("600", "900"))
    (directory / "schedules" / "nightly.yaml").unlink()
    said = ok(cronium, "apply", where, "--prune", "--diff")
    assert acts(said) == {
        "nightly-backup": "delete", "often": "update", "trial": "unchanged",
    }  # fmt: skip
    assert re.search(r"^ +- +timeoutSeconds: 600", said, re.M), said
    assert re.search(r"^ +\+ +timeoutSeconds: 900", said, re.M), said
    assert acts(ok(cronium, "apply", where, "--prune"))["nightly-backup"] == "delete"
    assert {known["id"] for known in listed(cronium)} == {"often", "trial"}


def test_nothing_is_applied_when_one_file_is_wrong(
    directory: Path, cronium: Cronium
) -> None:
    (directory / "schedules" / "bad.yaml").write_text("every: 7x\nevent: backup\n")
    (directory / "events" / "worse.yaml").write_text("type: bash\n")
    done = cronium("apply", str(directory))
    assert done.returncode == 2
    assert re.search(r"error: \S+bad.yaml:1: every: expected a duration", done.stderr)
    assert re.search(r"error: \S+worse.yaml:1: .*script", done.stderr), done.stderr
    assert "hint: Nothing was applied" in done.stderr
    assert listed(cronium) == []


def test_pruning_wants_a_project_with_a_name(directory: Path, cronium: Cronium) -> None:
    (directory / "cronium.yaml").unlink()
    done = cronium("apply", str(directory), "--prune")
    assert done.returncode == 2
    assert "cronium.yaml" in done.stderr
    ok(cronium, "apply", str(directory), "--prune", "--project", "named")
    assert {known["project"] for known in listed(cronium)} == {"named"}


def test_a_run_is_found_by_list_status_and_logs(
    directory: Path, cronium: Cronium
) -> None:
    ok(cronium, "apply", str(directory))
    execution = ok(cronium, "schedule", "trigger", "nightly-backup").strip()
    said = ok(cronium, "logs", "-f", execution)
    assert re.search(r"backup of 20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ", said), said
    status = json.loads(ok(cronium, "status", execution, "--json"))
    assert (status["executionId"], status["status"]) == (execution, "SUCCESS")
    assert status["output"]["for"] in said
    rows = json.loads(ok(cronium, "list", "--json"))
    assert [row["eventId"] for row in rows if row["executionId"] == execution] == [
        "backup"
    ]
    workflow = next(r["workflowId"] for r in rows if r["executionId"] == execution)
    by_workflow = json.loads(ok(cronium, "status", workflow, "--json"))
    assert by_workflow["executionId"] == execution
    assert f"{execution} SUCCESS" in ok(cronium, "cancel", execution)
    shown = json.loads(ok(cronium, "schedule", "show", "nightly-backup", "--json"))
    assert shown["recent"][0]["executionId"] == execution
    assert execution in ok(cronium, "schedule", "show", "nightly-backup")


def test_a_span_of_the_past_is_filled_with_real_runs(
    directory: Path, cronium: Cronium
) -> None:
    ok(cronium, "apply", str(directory))
    span = ("--from", "2026-03-28", "--to", "2026-03-29T23:59")
    done = cronium("schedule", "backfill", "nightly-backup", *span)
    assert done.returncode == 0, done.stderr
    assert "2 runs asked for" in done.stderr
    deadline = time.monotonic() + 60
    while True:
        rows = json.loads(ok(cronium, "list", "--json"))
        mine = [row for row in rows if "nightly-backup-20260" in row["executionId"]]
        if sum(row["status"] == "SUCCESS" for row in mine) == 2:
            break
        assert time.monotonic() < deadline, rows
    times = sorted(row["executionId"].split("-")[2] for row in mine)
    assert times == ["20260328T013000Z", "20260329T010000Z"], "02:30, then 03:00"


def test_after_its_maximum_a_schedule_is_paused_by_the_worker(
    cronium: Cronium, tmp_path: Path
) -> None:
    file = tmp_path / "twice.yaml"
    file.write_text("every: 1s\nmaxRuns: 2\nevent: {type: bash, script: echo once}\n")
    ok(cronium, "schedule", "apply", str(file))
    try:
        deadline = time.monotonic() + 60
        while True:
            (known,) = (one for one in listed(cronium) if one["id"] == "twice")
            if known["paused"]:
                break
            assert time.monotonic() < deadline, known
        assert known["note"] == "every run of maxRuns is done (2)"
        assert (known["started"], known["remainingRuns"]) == (2, 0)
        done = cronium("schedule", "resume", "twice")
        assert done.returncode == 1
        assert "--runs N" in done.stderr
    finally:
        ok(cronium, "schedule", "delete", "twice")


def test_pause_and_resume_are_told_with_their_notes(
    directory: Path, cronium: Cronium
) -> None:
    ok(cronium, "apply", str(directory))
    ok(cronium, "schedule", "pause", "often", "--note", "disk is full")
    said = ok(cronium, "schedule", "show", "often")
    assert "paused" in said
    assert "disk is full" in said
    ok(cronium, "schedule", "resume", "often")
    assert "every 7 minutes" in ok(cronium, "schedule", "list")
    assert all(not known["paused"] for known in listed(cronium))


def test_next_times_need_no_server_and_name_the_gap(cronium: Cronium) -> None:
    file = EXAMPLE / "schedules" / "nightly.yaml"
    options = ("-n", "2", "--after", "2027-03-27T12:00")
    done = cronium("schedule", "next", str(file), *options)
    assert done.returncode == 0, done.stderr
    gap, moved, usual, jitter = done.stdout.splitlines()
    assert gap.startswith("(Sun 2027-03-28 02:30")
    assert "does not exist in Europe/Berlin" in gap
    assert moved.startswith("Sun 2027-03-28 03:00 +02:00")
    assert usual == "Mon 2027-03-29 02:30 +02:00"
    assert jitter == "each up to 5 minutes later (jitter)"


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("show", "none"), 1, "there is no schedule none"),
        (("trigger", "none"), 1, "`cronium schedule list` shows all"),
        (("next", "none"), 1, "there is no schedule none"),
        (("next", "none.yaml"), 2, "none.yaml: cannot be read"),
        (("apply", "none.yaml"), 2, "none.yaml: cannot be read"),
    ],
)
def test_what_is_not_there_is_said(
    arguments: tuple[str, ...], code: int, said: str, cronium: Cronium
) -> None:
    done = cronium("schedule", *arguments)
    assert done.returncode == code
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("body", YAML)
def test_the_schedules_of_the_page_are_applied(
    body: str, cronium: Cronium, tmp_path: Path
) -> None:
    file = tmp_path / "schedule.yaml"
    file.write_text(body)
    assert ok(cronium, "schedule", "next", str(file), "-n", "3").count("\n") >= 3
    made = acts(ok(cronium, "schedule", "apply", str(file)))
    for id in made:
        ok(cronium, "schedule", "trigger", id)
        ok(cronium, "schedule", "delete", id)
    assert made


@pytest.mark.parametrize("body", CONSOLE)
def test_the_commands_of_the_page_work(
    body: str, directory: Path, cronium: Cronium
) -> None:
    ok(cronium, "apply", str(directory))
    for line in body.splitlines():
        if line.startswith("$ cronium "):
            ok(cronium, *shlex.split(line)[2:], cwd=directory.parent)


def test_the_page_has_both() -> None:
    assert YAML
    assert CONSOLE
