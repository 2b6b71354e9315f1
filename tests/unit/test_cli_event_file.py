"""What `cronium run` is given: read, completed and checked before anything starts."""

import json
from pathlib import Path
from typing import Any

import pytest

from cli.errors import InvalidRequest
from cli.event_file import (
    RunOptions,
    read_input,
    request_of_code,
    request_of_file,
    slug,
)
from contracts.actions import EventAction
from contracts.events import EventRequest, EventType, Network
from contracts.limits import MAX_SCRIPT_BYTES

NOTHING = RunOptions()


def from_file(
    path: Path, text: str | bytes, options: RunOptions = NOTHING
) -> EventRequest:
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return request_of_file(path, options, "x1")


def problems(call: Any, *arguments: Any) -> list[str]:
    with pytest.raises(InvalidRequest) as caught:
        call(*arguments)
    return [f"{problem.path}: {problem.message}" for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.sh", EventType.BASH),
        ("a.bash", EventType.BASH),
        ("a.py", EventType.PYTHON),
        ("a.js", EventType.NODEJS),
        ("a.mjs", EventType.NODEJS),
    ],
)
def test_a_bare_script_is_an_event_of_its_suffix(
    name: str, kind: EventType, tmp_path: Path
) -> None:
    event = from_file(tmp_path / name, "x").event
    assert (event.type, event.script, event.id, event.name) == (kind, "x", "a", "a")


@pytest.mark.parametrize(
    ("first", "kind"),
    [
        ("#!/bin/sh", EventType.BASH),
        ("#!/usr/bin/env bash", EventType.BASH),
        ("#!/usr/bin/env python3", EventType.PYTHON),
        ("#!/usr/bin/env node", EventType.NODEJS),
    ],
)
def test_without_a_suffix_the_first_line_tells_the_type(
    first: str, kind: EventType, tmp_path: Path
) -> None:
    assert from_file(tmp_path / "job", f"{first}\nx\n").event.type is kind


def test_a_type_that_cannot_be_told_is_asked_for(tmp_path: Path) -> None:
    (found,) = problems(from_file, tmp_path / "job", "x")
    assert found == "event.type: cannot tell the language of job"
    given = from_file(tmp_path / "job", "x", RunOptions(type="python"))
    assert given.event.type is EventType.PYTHON


@pytest.mark.parametrize(
    "text",
    [
        "type: bash\nscript: echo\ntimeoutSeconds: 5\nresources: {memoryMb: 64}\n",
        "type: bash\nscript: echo\ntimeout_seconds: 5\nresources: {memory_mb: 64}\n",
        '{"type": "bash", "script": "echo", "timeoutSeconds": 5,'
        ' "resources": {"memoryMb": 64}}',
    ],
)
def test_an_event_file_has_camel_case_or_snake_case(text: str, tmp_path: Path) -> None:
    event = from_file(tmp_path / "My event.yaml", text).event
    assert (event.timeout_seconds, event.resources.memory_mb) == (5, 64)
    assert (event.id, event.name) == ("My-event", "My event")


def test_a_script_file_is_found_beside_the_event(tmp_path: Path) -> None:
    (tmp_path / "job.py").write_text("print(1)")
    text = "type: python\nscriptFile: job.py\n"
    assert from_file(tmp_path / "e.yaml", text).event.script == "print(1)"
    (found,) = problems(from_file, tmp_path / "e.yaml", text + "script: x\n")
    assert "either `script` or `scriptFile`" in found
    (found,) = problems(from_file, tmp_path / "e.yaml", "scriptFile: nope.py\n")
    assert found.startswith("event.scriptFile: cannot read")


def test_env_is_a_list_or_a_mapping_and_numbers_are_text(tmp_path: Path) -> None:
    head = "type: bash\nscript: echo\n"
    mapping = "env: {A: 1, B: {secret: TOKEN}, C: true, D: }\n"
    listed = (
        "env: [{name: A, value: 1}, {name: B, secret: TOKEN},"
        " {name: C, value: true}, {name: D, value: ''}]\n"
    )
    for text in (mapping, listed):
        env = from_file(tmp_path / "e.yaml", head + text).event.env
        assert [(v.name, v.value, v.secret) for v in env] == [
            ("A", "1", None),
            ("B", None, "TOKEN"),
            ("C", "true", None),
            ("D", "", None),
        ]


def test_options_win_over_the_file(tmp_path: Path) -> None:
    options = RunOptions(
        name="Mine",
        timeout=9,
        retries=4,
        network="none",
        image="alpine",
        env=["A=b=c", "NEW="],
        secret_env=["TOKEN", "S=other"],
        input='{"n": 1}',
    )
    text = "type: bash\nscript: x\ntimeout_seconds: 5\nenv: {A: old, KEPT: k}\n"
    request = from_file(tmp_path / "e.yaml", text, options)
    event = request.event
    assert (event.name, event.timeout_seconds, event.retries) == ("Mine", 9, 4)
    assert (event.network, event.image) == (Network.NONE, "alpine")
    assert [(v.name, v.value, v.secret) for v in event.env] == [
        ("KEPT", "k", None),
        ("A", "b=c", None),
        ("NEW", "", None),
        ("TOKEN", None, "TOKEN"),
        ("S", None, "other"),
    ]
    assert request.input == {"n": 1}


def test_everything_wrong_in_a_file_is_said_at_once_with_its_path(
    tmp_path: Path,
) -> None:
    text = "typ: bash\nscript: x\ntimeoutSeconds: -1\nretries: 99\nenv: {1x: y}\n"
    found = problems(from_file, tmp_path / "e.yaml", text)
    assert "event.type: required, but missing" in found
    assert "event.typ: unknown field (did you mean type?)" in found
    assert any(line.startswith("event.timeoutSeconds: ") for line in found)
    assert any(line.startswith("event.retries: ") for line in found)
    assert any(line.startswith("event.env[0].name: ") for line in found)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("script: [\n", "e.yaml:2:1: "),
        ("- a\n", "must have fields"),
        ("", "must have fields"),
        ("[" * 5000, "event: "),
    ],
)
def test_a_file_that_is_no_event_is_refused(
    text: str, words: str, tmp_path: Path
) -> None:
    assert words in problems(from_file, tmp_path / "e.yaml", text)[0]


@pytest.mark.parametrize("data", [b"a\0b", b"\xff\xfe\x01", b"\x7fELF\x00"])
def test_a_binary_file_is_refused(data: bytes, tmp_path: Path) -> None:
    (found,) = problems(from_file, tmp_path / "a.sh", data)
    assert found.endswith("is not text in UTF-8, but binary")


def test_missing_large_and_unreadable_files_are_refused(tmp_path: Path) -> None:
    assert (
        "No such file"
        in problems(request_of_file, tmp_path / "nope.sh", NOTHING, "x")[0]
    )
    assert "Is a directory" in problems(request_of_file, tmp_path, NOTHING, "x")[0]
    (found,) = problems(from_file, tmp_path / "a.sh", "x" * (MAX_SCRIPT_BYTES + 1))
    assert "more than 1048576 bytes" in found


def test_a_script_of_one_megabyte_with_every_quote_is_kept_as_it_is(
    tmp_path: Path,
) -> None:
    script = ("echo \"$(x)\" '\\n' `y` é\n" * 50_000)[: MAX_SCRIPT_BYTES // 2]
    assert from_file(tmp_path / "a.sh", script).event.script == script


def test_input_is_json_or_a_file_of_it(tmp_path: Path) -> None:
    file = tmp_path / "in.json"
    file.write_text('{"a": [1, null, "é"]}')
    assert read_input(f"@{file}") == {"a": [1, None, "é"]}
    assert read_input('"$(rm -rf /)"') == "$(rm -rf /)"
    assert read_input(None) is None


@pytest.mark.parametrize("text", ["{bad", "", "NaN", "'x'", "[" * 100_000, "{} {}"])
def test_input_that_is_not_json_is_refused(text: str) -> None:
    assert problems(read_input, text)[0].startswith("input: ")


def test_an_input_of_5_mb_is_refused_by_size(tmp_path: Path) -> None:
    file = tmp_path / "in.json"
    file.write_text(json.dumps("x" * 5_000_000))
    assert "has more than" in problems(read_input, f"@{file}")[0]
    options = RunOptions(input=file.read_text())
    found = problems(request_of_code, "x", options, "x")[0]
    assert found.startswith("input: input may have at most")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (RunOptions(env=["A"]), "--env: expected NAME=VALUE"),
        (RunOptions(env=["=x"]), "--env: expected NAME=VALUE"),
        (RunOptions(env=["A=1", "A=2"]), "event.env: A is given twice"),
        (RunOptions(secret_env=["A="]), "--secret-env: expected NAME"),
        (RunOptions(type="ruby"), "event.type: "),
        (RunOptions(network="lan"), "event.network: "),
        (RunOptions(image="a b"), "event.image: "),
        (RunOptions(retries=-1), "event.retries: "),
        (RunOptions(timeout=0), "event.timeoutSeconds: "),
    ],
)
def test_a_bad_option_is_named(options: RunOptions, words: str) -> None:
    assert problems(request_of_code, "x", options, "x")[0].startswith(words)


def test_a_refused_value_is_not_repeated() -> None:
    options = RunOptions(env=["BAD-NAME=hunter2"], input='"hunter2"')
    assert "hunter2" not in "".join(problems(request_of_code, "x", options, "x"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("My job (2)", "My-job-2"),
        ("--", "event"),
        ("é", "event"),
        ("a" * 200, "a" * 100),
    ],
)
def test_a_slug_is_always_an_id(text: str, expected: str) -> None:
    assert slug(text) == expected


STARTS = "actions: [{kind: event, when: on_failure, eventFile: sub/next.yaml}]\n"


def test_actions_name_event_files_beside_theirs(tmp_path: Path) -> None:
    sub = tmp_path / "sub"
    sub.mkdir()
    (sub / "next.yaml").write_text(
        "type: bash\nscriptFile: next.sh\nenv: {A: 1}\n"
        "actions: [{kind: event, eventFile: last.py}]\n"
    )
    (sub / "next.sh").write_text("echo next")
    (sub / "last.py").write_text("print('last')")
    request = from_file(tmp_path / "e.yaml", "type: bash\nscript: ls\n" + STARTS)
    (action,) = request.event.actions
    assert isinstance(action, EventAction)
    started = action.spec
    assert (started.id, started.script, started.env[0].value) == (
        "next", "echo next", "1",
    )  # fmt: skip
    (last,) = started.actions
    assert isinstance(last, EventAction)
    assert (last.spec.type, last.spec.script) == ("python", "print('last')")


def test_event_files_that_start_each_other_in_a_circle_are_told(
    tmp_path: Path,
) -> None:
    text = "type: bash\nscript: ls\nactions: [{kind: event, eventFile: e.yaml}]\n"
    (found,) = problems(from_file, tmp_path / "e.yaml", text)
    assert "start each other more than 5 deep" in found
    assert "in a circle" in found


@pytest.mark.parametrize(
    ("action", "said"),
    [
        ("{kind: event, eventFile: no.yaml}", "event.actions[0].event: cannot read"),
        ("{kind: event, eventFile: 3}", "event.actions[0].eventFile: expected"),
        ("{kind: event, eventFile: a, event: {}}", "`event` or `eventFile`"),
        ("{kind: event, eventId: nightly}", "the worker keeps no events"),
        ("7", "event.actions[0]"),
    ],
)
def test_an_action_without_its_event_is_told_by_its_place(
    action: str, said: str, tmp_path: Path
) -> None:
    text = f"type: bash\nscript: ls\nactions: [{action}]\n"
    (found,) = problems(from_file, tmp_path / "e.yaml", text)
    assert said in found
