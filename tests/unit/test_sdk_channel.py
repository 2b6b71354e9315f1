"""What the helper does when its channel is away, refuses, or is not there at all."""

import shutil
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts.events import EventType
from tests.compat.channel import Channel, serve_later, serving
from tests.compat.script import Bench, Ran

PYTHON, NODE, BASH = EventType.PYTHON, EventType.NODEJS, EventType.BASH
LANGUAGES = [PYTHON, NODE, BASH]
CALL = {
    PYTHON: """
import json
try:
    print(json.dumps({}))
except cronium.CroniumError as error:
    print(type(error).__name__, getattr(error, "status_code", None), error)
""",
    NODE: """
try {{
  console.log(JSON.stringify({}));
}} catch (error) {{
  console.log(error.name, error.statusCode, error.message);
}}
""",
    BASH: "{} 2>&1 || echo code $?",
}
GET = {
    PYTHON: 'cronium.get_variable("N")',
    NODE: 'cronium.getVariable("N")',
    BASH: "cronium_get_variable N",
}
INCREMENT = {
    PYTHON: 'cronium.increment_variable("N")',
    NODE: 'cronium.incrementVariable("N")',
    BASH: "cronium_increment_variable N",
}


@pytest.fixture
def channel() -> Channel:
    return Channel(variables={"N": 1})


@pytest.fixture
def bench(channel: Channel, tmp_path: Path) -> Iterator[Bench]:
    with serving(channel, tmp_path / "api.sock") as address:
        yield Bench(tmp_path, address)


def tried(bench: Bench, language: EventType, call: str, **env: str) -> Ran:
    return bench.run(language, CALL[language].format(call), **env)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    "faults", [[502, 503, 504, 503], ["close", "close"], [500, 500], ["close", 500]]
)
def test_a_channel_that_is_away_for_a_while_is_waited_for(
    language: EventType, faults: list[object], bench: Bench, channel: Channel
) -> None:
    channel.faults = list(faults)
    assert tried(bench, language, GET[language]).out == "1\n"
    assert len(channel.requests) == len(faults) + 1


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_error_of_the_server_is_met_three_times_and_then_told(
    language: EventType, bench: Bench, channel: Channel
) -> None:
    channel.faults = [500] * 9
    out = tried(bench, language, GET[language]).out
    assert len(channel.requests) == 3
    assert "API Error (500): told to answer 500" in out
    assert language is BASH or out.startswith("CroniumAPIError 500 ")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("status", [400, 401, 403, 409, 413, 429])
def test_a_refusal_is_told_at_once(
    language: EventType, status: int, bench: Bench, channel: Channel
) -> None:
    channel.faults = [status] * 9
    ran = tried(bench, language, GET[language])
    said = f"API Error ({status}): told to answer {status}\n"
    assert len(channel.requests) == 1
    before = "Error: " if language is BASH else f"CroniumAPIError {status} "
    assert ran.out == before + said + ("code 1\n" if language is BASH else "")


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_wrong_token_is_refused_without_showing_it(
    language: EventType, bench: Bench, channel: Channel
) -> None:
    wrong = "wrong-token-abcdef"
    ran = tried(bench, language, GET[language], CRONIUM_EXECUTION_TOKEN=wrong)
    assert "API Error (401): the token is not valid" in ran.out
    assert wrong not in ran.out + ran.err
    assert len(channel.requests) == 1


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_increment_whose_answer_was_lost_counts_once(
    language: EventType, bench: Bench, channel: Channel
) -> None:
    channel.faults = ["lost", 503]
    assert tried(bench, language, INCREMENT[language]).out == "2\n"
    assert channel.variables == {"N": 2}
    assert len(channel.requests) == 3


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_worker_that_restarts_is_waited_for(
    language: EventType, channel: Channel, tmp_path: Path
) -> None:
    socket = tmp_path / "api.sock"
    thread = serve_later(channel, socket, 0.8)
    try:
        ran = tried(Bench(tmp_path, str(socket)), language, GET[language])
    finally:
        channel.released.set()
        thread.join()
    assert (ran.out, ran.err) == ("1\n", "")


RECONNECT = {
    PYTHON: """
import os, time
for name in "ab":
    print(cronium.get_variable("N"))
    open(name, "w").close()
    while name == "a" and not os.path.exists("go"): time.sleep(0.01)
""",
    NODE: """
const fs = require("fs");
for (const name of "ab") {
  console.log(cronium.getVariable("N"));
  fs.writeFileSync(name, "");
  while (name === "a" && !fs.existsSync("go")) cronium.sleep(0.01);
}
""",
}


@pytest.mark.parametrize("language", RECONNECT)
def test_a_connection_that_was_closed_meanwhile_is_made_anew(
    language: EventType, channel: Channel, tmp_path: Path
) -> None:
    socket, found = tmp_path / "api.sock", []

    def script() -> None:
        found.append(Bench(tmp_path, str(socket)).run(language, RECONNECT[language]))

    thread = threading.Thread(target=script)
    with serving(channel, socket):
        thread.start()
        wait_for(tmp_path / "a")
    second = Channel(variables={"N": 2})
    with serving(second, socket):
        (tmp_path / "go").touch()
        thread.join()
    assert (found[0].out, found[0].err) == ("1\n2\n", "")


def wait_for(path: Path) -> None:
    end = time.monotonic() + 30
    while not path.exists():
        assert time.monotonic() < end, f"{path} did not appear"
        time.sleep(0.01)


TIMEOUT = {
    PYTHON: """
from cronium import CroniumTimeoutError, cronium
cronium.timeout, cronium._channel.outage = 1.0, 1.2
print(cronium.get_variable("N"))
try: cronium.get_variable("N")
except CroniumTimeoutError as error: print(error)
""",
    NODE: """
const { cronium, CroniumTimeoutError } = require("cronium");
cronium.timeout = 1000; cronium.channel.outage = 1200;
(async () => {
  console.log(await cronium.getVariable("N"));
  await cronium.getVariable("N").catch((error) => {
    if (error instanceof CroniumTimeoutError) console.log(error.message);
  });
})();
""",
}


@pytest.mark.parametrize("language", TIMEOUT)
def test_a_call_without_an_answer_is_made_again_and_then_given_up(
    language: EventType, bench: Bench, channel: Channel
) -> None:
    channel.faults = ["hang", None, "hang", "hang", "hang"]
    ran = bench.run(language, TIMEOUT[language])
    assert ran.err == ""
    assert ran.out.startswith("1\nThe executor did not answer within 1 s.")
    assert len(channel.requests) == 4


NOBODY = {
    PYTHON: """
from cronium import CroniumError, cronium
cronium._channel.outage = 0.3
try: cronium.get_variable("N")
except CroniumError as error: print(type(error).__name__, error)
""",
    NODE: """
const { cronium } = require("cronium");
cronium.channel.outage = 300;
cronium.getVariable("N").catch((error) => console.log(error.name, error.message));
""",
}


@pytest.mark.parametrize("language", NOBODY)
def test_a_channel_that_stays_away_is_told_with_its_address(
    language: EventType, tmp_path: Path
) -> None:
    ran = Bench(tmp_path, f"{tmp_path}/none.sock").run(language, NOBODY[language])
    assert ran.err == ""
    assert ran.out.startswith("CroniumError The executor cannot be reached at unix:/")
    assert ran.out.endswith("is the worker running?\n")


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_executor_says_how_long_calls_wait_for_it(
    language: EventType, tmp_path: Path
) -> None:
    bench = Bench(tmp_path, f"{tmp_path}/none.sock")
    ran = tried(bench, language, GET[language], CRONIUM_OUTAGE_SECONDS="1")
    assert "it was tried for up to 1 s; is the worker running?" in ran.out.lower()


INPUT = {
    PYTHON: "print(cronium.input())",
    NODE: "console.log(cronium.input())",
    BASH: "cronium_input",
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_its_files_say_is_read_there_when_nobody_answers(
    language: EventType, tmp_path: Path
) -> None:
    documents = {"input.json": b"12"}
    bench = Bench(tmp_path, f"{tmp_path}/none.sock", documents=documents)
    ran = bench.run(language, INPUT[language], CRONIUM_OUTAGE_SECONDS="1")
    assert (ran.code, ran.out, ran.err) == (0, "12\n", "")


@pytest.mark.parametrize("given", ["", "0", "-1", "soon", "nan"])
@pytest.mark.parametrize("language", [PYTHON, NODE])
def test_nonsense_in_place_of_an_outage_is_30_seconds(
    language: EventType, given: str, bench: Bench
) -> None:
    shown = {
        PYTHON: "from cronium import cronium as c; print(int(c._channel.outage))",
        NODE: "console.log(require('cronium').cronium.channel.outage / 1000)",
    }
    ran = bench.run(language, shown[language], CRONIUM_OUTAGE_SECONDS=given)
    assert ran.out == "30\n"


@pytest.mark.parametrize("language", [PYTHON, NODE])
def test_a_success_that_says_it_is_none_is_an_error(
    language: EventType, bench: Bench, channel: Channel
) -> None:
    channel.faults = ["unsuccessful"]
    ran = tried(bench, language, GET[language])
    assert ran.out.split()[0] == "CroniumError"
    assert "it did not work" in ran.out


LARGE = {
    PYTHON: 'cronium.output("ü" * {})',
    NODE: 'cronium.output("ü".repeat({}))',
    BASH: "cronium_output \"$(printf 'ü%.0s' $(seq {}))\"",
}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("size", "said"),
    [(200_000, "output may have at most 262144 bytes"), (800_000, "at most 1 MiB")],
)
def test_data_that_is_too_large_is_refused_with_the_limit(
    language: EventType, size: int, said: str, bench: Bench, channel: Channel
) -> None:
    ran = tried(bench, language, LARGE[language].format(size))
    assert "API Error (413): " in ran.out
    assert said in ran.out
    assert channel.output is None


LENGTH = {
    PYTHON: "print(len(cronium.input()))",
    NODE: "console.log(cronium.input().length)",
    BASH: "cronium_input | jq length",
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_input_of_a_megabyte_arrives_whole(
    language: EventType, bench: Bench, channel: Channel
) -> None:
    channel.input = 'é"\\\n☃' * 200_000
    ran = bench.run(language, LENGTH[language])
    assert (ran.out, ran.err) == ("1000000\n", "")


@pytest.mark.parametrize("language", LANGUAGES)
def test_without_a_channel_input_and_event_come_from_the_run_s_files(
    language: EventType, tmp_path: Path
) -> None:
    bench = Bench(
        tmp_path, documents={"input.json": b'{"a":[1]}', "event.json": b'{"id":"7"}'}
    )
    script = {
        PYTHON: 'print(cronium.input()["a"], cronium.event()["id"])',
        NODE: "console.log(cronium.input().a, cronium.event().id)",
        BASH: "echo $(cronium_input) $(cronium_event_field id)",
    }[language]
    ran = bench.run(language, script)
    assert ran.out.split() in (["[1]", "7"], ["[", "1", "]", "7"], ['{"a":[1]}', "7"])
    told = tried(bench, language, GET[language])
    assert "CRONIUM_SOCKET is not set" in told.out


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_address_of_a_server_with_a_path_works_as_well(
    language: EventType, channel: Channel, tmp_path: Path
) -> None:
    with serving(channel, None, "/api/v1") as address:
        bench = Bench(tmp_path, address)
        assert tried(bench, language, GET[language]).out == "1\n"
        assert tried(bench, language, INCREMENT[language]).out == "2\n"
    path = "/api/v1/executions/exec_1/variables/N"
    assert channel.requests == [("GET", path), ("POST", path + "/increment")]


@pytest.mark.parametrize(
    "tools",
    ["curl jq", "curl python3", "curl node", "python3", "node", "socat jq", "jq node"],
)
def test_bash_makes_do_with_the_tools_that_are_there(
    tools: str, channel: Channel, tmp_path: Path
) -> None:
    channel.input = {"é": [1, None]}
    with serving(channel, tmp_path / "api.sock") as address:
        bench = Bench(tmp_path, address, path=only(tmp_path, tools))
        ran = bench.run(
            BASH,
            "cronium_input; cronium_increment_variable N\n"
            "cronium_set_variable T 'a \"b\"'; cronium_get_variable T\n"
            "cronium_output '[0, \"☃\"]'; cronium_get_variable NONE\n"
            "cronium_event_field server.name; cronium_set_variable 1 x; echo $?",
        )
    assert ran.out == (
        '{\n  "é": [\n    1,\n    null\n  ]\n}\n2\na "b"\nweb-1\n1\n'
    ), ran  # fmt: skip
    assert ran.err == "Error: API Error (400): 1 is no name for a variable\n"
    assert (channel.output, channel.variables["T"]) == ([0, "☃"], 'a "b"')


def test_bash_without_tools_says_which_it_needs(tmp_path: Path) -> None:
    bench = Bench(
        tmp_path,
        f"{tmp_path}/none.sock",
        path=only(tmp_path, ""),
        documents={"input.json": b'{"a": 1}'},
    )
    ran = bench.run(BASH, "cronium_input; cronium_set_variable N 1; echo $?")
    assert ran.out == '{"a": 1}\n1\n'
    assert ran.err == (
        "Error: one of curl, python3, node, nc.openbsd or socat is needed to reach the "
        "executor, or in a sandbox perl; there is none\n"
    )


def only(parent: Path, tools: str) -> str:
    """A PATH with bash, the basics, and the given tools."""
    folder = parent / "bin"
    folder.mkdir()
    for tool in ("bash", "cat", "sleep", "seq", *tools.split()):
        # A Python of a version manager may be a script that needs more tools.
        python = str(Path(sys.executable).resolve())
        found = python if tool == "python3" else shutil.which(tool)
        if found is None:
            pytest.fail(f"{tool} is missing: run `make test-setup`", pytrace=False)
        (folder / tool).symlink_to(found)
    return str(folder)


def test_the_token_is_on_no_command_line(channel: Channel, tmp_path: Path) -> None:
    folder = Path(only(tmp_path, "jq"))
    real = shutil.which("curl")
    (folder / "curl").write_text(
        f'#!/bin/bash\nprintf "%s\\n" "$@" >> {tmp_path}/seen\nexec {real} "$@"\n'
    )
    (folder / "curl").chmod(0o755)
    with serving(channel, tmp_path / "api.sock") as address:
        bench = Bench(tmp_path, address, path=str(folder))
        ran = bench.run(BASH, "set -x; cronium_increment_variable N")
    assert ran.out == "2\n"
    assert "--unix-socket" in (tmp_path / "seen").read_text()
    assert "run-token" not in (tmp_path / "seen").read_text()
