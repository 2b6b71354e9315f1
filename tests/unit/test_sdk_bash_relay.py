"""The Bash helper's relay: as fast as it is, a script must not notice that it is there.

In a sandbox cronium.sh starts it by itself; here, on the machine, scripts ask for it.
"""

import asyncio
import json
import os
import threading
import time
from pathlib import Path

import pytest

from engines.channel import ChannelRun, ChannelServer
from tests.compat.bash import CASES
from tests.compat.channel import EVENT, EXECUTION, TOKEN, Channel, serving
from tests.compat.script import Bench
from tests.compat.steps import Case
from tests.unit.channel import MemoryVariables
from tests.unit.relay import (
    ALONE,
    BASH,
    READY,
    alive,
    bench_fixture,
    channel_fixture,
    expect,
    pid_of,
    place_fixture,
    tried,
)
from tests.unit.test_sdk_channel import only

# Used by their names.
__all__ = ["bench_fixture", "channel_fixture", "place_fixture"]


def test_calls_go_over_one_connection(bench: Bench, channel: Channel) -> None:
    ran = tried(bench, "for _ in {1..30}; do cronium_get_variable N; done")
    expect(ran, "1\n" * 30)
    assert channel.connections == 1


def test_the_first_call_starts_it_and_does_not_wait(
    bench: Bench, channel: Channel, place: Path
) -> None:
    ran = bench.run(
        BASH,
        "_CRONIUM_RELAY=$PWD/relay; cronium_get_variable N\n"
        "until [[ -s relay ]]; do command sleep 0.01; done\n"
        + ALONE
        + "cronium_get_variable N",
    )
    expect(ran, "1\n1\n")
    assert alive(place)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
async def test_the_script_runs_as_promised(
    case: Case, tmp_path: Path, place: Path
) -> None:
    """Against the worker's own server, which answers with text."""
    store = MemoryVariables()
    store.values = {("ann", key): value for key, value in case.before.items()}

    async def act(tool: str, action: str, config: object) -> object:
        return {"sent": True, "tool": tool}

    run = ChannelRun(
        execution_id=EXECUTION,
        user="ann",
        token=TOKEN,
        state_file=tmp_path / "state" / "run.json",
        input=json.dumps(case.input).encode(),
        context=EVENT,
        tool_action=act,
    )
    server = ChannelServer(store)
    channel = await server.open(run, tmp_path / "api.sock")
    bench = Bench(tmp_path, str(tmp_path / "api.sock"))
    try:
        ran = await asyncio.to_thread(tried, bench, case.script)
    finally:
        state = await server.close(channel)
    expect(ran, case.stdout)
    have = {
        "variables": {key: value for (_, key), value in store.values.items()},
        "output": None if state.output is None else json.loads(state.output),
        "condition": state.condition,
    }
    wanted = {name: value for name, value in case.after.items() if name in have}
    assert {name: have[name] for name in wanted} == wanted


STRICT = "set -euo pipefail\n"


@pytest.mark.parametrize(
    ("script", "out"),
    [
        ("x=$(cronium_get_variable N); echo \"<$x>\"", "<1>\n"),
        ("cronium_get_variable N | cat | { read -r x; echo $x; }", "1\n"),
        ("echo a | { cronium_get_variable N; cat; }", "1\na\n"),
        ("exec 61>&1 62>&1; cronium_get_variable N; echo x >&61; echo y >&62",
         "1\nx\ny\n"),
        ("exec 61<&- 62<&-; cronium_get_variable N", "1\n"),
        ("set -o posix; cronium_get_variable N", "1\n"),
        ("set -f; IFS=13; shopt -s nocasematch; cronium_get_variable N", "1\n"),
        ("set -m; cronium_get_variable N; jobs", "1\n"),
        ("set -C; cronium_get_variable N", "1\n"),
        ("f() { local N=$(cronium_get_variable N); echo $N; }; f", "1\n"),
        ("export LC_ALL=C; cronium_set_variable É ü 2>&1 || echo $?",
         "Error: API Error (400): É is no name for a variable\n1\n"),
        ("if ! cronium_variable_exists NO; then echo no; fi", "no\n"),
        ("trap 'echo bye' EXIT; cronium_get_variable N; exit 7", "1\nbye\n"),
        ("trap 'echo err' ERR; set -E; cronium_get_variable N; false || true", "1\n"),
        ("trap 'echo pipe' PIPE; cronium_get_variable N", "1\n"),
        ("trap 'echo alarm' ALRM; cronium_get_variable N; kill -ALRM $$", "1\nalarm\n"),
        ("trap 'echo child' CHLD; trap - CHLD; cronium_get_variable N; wait", "1\n"),
        ("cronium_get_variable N; exec echo end", "1\nend\n"),
    ],
)  # fmt: skip
def test_what_a_script_does_with_its_shell_is_left_alone(
    script: str, out: str, bench: Bench
) -> None:
    ran = tried(bench, STRICT + script)
    expect(ran, out, 7 if "exit 7" in script else 0)


def test_a_script_without_stderr_does_without_the_relay(bench: Bench) -> None:
    expect(tried(bench, "exec 2>&-; cronium_get_variable N", READY), "1\n")


def test_the_relay_is_no_job_and_no_child(bench: Bench, place: Path) -> None:
    ran = tried(
        bench,
        "sleep 0 & mine=$!\ncronium_get_variable N\n"
        "[[ $! == $mine ]] && wait && jobs -r && echo waited\n"
        "pgrep -P $$ -f relay.pl || echo none",
    )
    expect(ran, "1\nwaited\nnone\n")
    # A script that signals its own group does not meet it.
    assert os.getpgid(pid_of(place)) == pid_of(place)


def test_nobody_waits_for_the_relay(bench: Bench, place: Path) -> None:
    begin = time.monotonic()
    ran = bench.run(
        BASH,
        "exec 7> >(cat; echo the pipe ended) 9> lock; flock 9\n"
        + READY
        + "cronium_get_variable N; exec 7>&- 9>&-\nflock lock echo the lock is free",
        seconds=30,
    )
    assert sorted(ran.out.splitlines()) == ["1", "the lock is free", "the pipe ended"]
    assert time.monotonic() - begin < 20
    assert alive(place)
    held = {os.readlink(f"/proc/{pid_of(place)}/fd/{fd}") for fd in range(3)}
    assert held == {"/dev/null"}
    assert os.readlink(f"/proc/{pid_of(place)}/cwd") == "/"


def test_calls_of_many_processes_at_once_do_not_meet(
    bench: Bench, channel: Channel
) -> None:
    ran = tried(
        bench,
        "for n in {1..40}; do cronium_increment_variable C & done; wait\n"
        "for n in {1..5}; do (cronium_set_variable V$n text$n; "
        "cronium_get_variable V$n | cat) & done; wait",
    )
    lines = ran.out.splitlines()
    assert (ran.code, ran.err) == (0, "")
    assert sorted(map(int, lines[:40])) == list(range(1, 41))
    assert sorted(lines[40:]) == [f"text{n}" for n in range(1, 6)]
    assert channel.connections <= 16


def test_one_relay_is_enough_for_all_shells(bench: Bench, place: Path) -> None:
    ran = bench.run(
        BASH,
        "_CRONIUM_RELAY=$PWD/relay\n"
        "for n in {1..8}; do cronium_get_variable N & done; wait\n"
        "until [[ -s relay ]]; do command sleep 0.01; done\n"
        # The others find the lock taken and end.
        "until (($(pgrep -c -f $PWD/relay) == 1)); do command sleep 0.01; done",
        seconds=30,
    )
    expect(ran, "1\n" * 8)
    assert alive(place)


def test_values_of_a_megabyte_arrive_whole(bench: Bench, channel: Channel) -> None:
    channel.input = 'é"\\\n☃' * 200_000
    expect(tried(bench, "cronium_input | jq length"), "1000000\n")


def test_an_output_of_many_kilobytes_arrives_whole(
    bench: Bench, channel: Channel
) -> None:
    ran = tried(bench, "cronium_output \"$(printf 'ü%.0s' {1..40000})\"")
    expect(ran, "")
    assert channel.output == "ü" * 40_000


def test_what_is_too_large_is_refused_with_the_limit(
    bench: Bench, channel: Channel
) -> None:
    ran = tried(bench, "cronium_output \"$(printf 'ü%.0s' $(seq 800000))\"")
    expect(ran, "", 1, "Error: API Error (413): at most 1 MiB a call\n")


def test_what_the_relay_would_not_take_is_refused_all_the_same(
    bench: Bench, channel: Channel
) -> None:
    ran = tried(
        bench,
        "printf -v x '%5000000s' x; cronium_output \"$x\" || cronium_get_variable N",
        before=READY,
    )
    expect(ran, "1\n", err="Error: API Error (413): at most 1 MiB a call\n")


def test_the_relay_alone_is_enough(channel: Channel, place: Path) -> None:
    """As in an image in which there is nothing but what Debian cannot do without."""
    with serving(channel, place.parent / "api.sock") as address:
        bench = Bench(place.parent, address, path=only(place.parent, "perl"))
        ran = bench.run(
            BASH,
            "_CRONIUM_RELAY=$PWD/relay; cronium_set_condition yes\n"
            "cronium_set_variable N '{\"a\": [1]}'; read -r _ pid < relay; kill $pid\n"
            "while kill -0 $pid 2>/dev/null; do command sleep 0.01; done\n"
            "cronium_progress 0.5",
        )
    expect(ran, "")
    assert channel.condition is True
    assert channel.variables == {"N": {"a": [1]}}
    assert channel.progress == [{"fraction": 0.5, "text": ""}]


def test_a_trap_of_the_script_speaks_in_the_middle_of_a_call(
    bench: Bench, channel: Channel
) -> None:
    channel.faults = ["hang"]
    release = threading.Timer(1.5, channel.released.set)
    release.start()
    ran = tried(
        bench,
        "trap 'echo out; echo err >&2' USR1\n"
        "{ sleep 0.5; kill -USR1 $$; } & cronium_get_variable N",
    )
    release.join()
    assert sorted(ran.out.splitlines()) == ["1", "out"]
    assert (ran.err, ran.code) == ("err\n", 0)


def test_a_call_that_is_killed_harms_no_other(bench: Bench, channel: Channel) -> None:
    channel.faults = ["hang"]
    ran = tried(
        bench,
        "cronium_increment_variable N & sleep 0.3; kill -9 $!\n"
        "wait $! 2>/dev/null || echo killed\ncronium_increment_variable N",
    )
    assert ran.out == "killed\n2\n"


def test_a_trace_does_not_show_the_token(bench: Bench) -> None:
    ran = tried(bench, "set -x; cronium_increment_variable N; echo $-")
    assert TOKEN not in ran.err + ran.out
    assert ran.out.startswith("2\n")
    assert "x" in ran.out.splitlines()[1]
    assert "cronium_increment_variable N" in ran.err


def test_the_token_is_on_no_command_line(bench: Bench, place: Path) -> None:
    expect(tried(bench, "cronium_get_variable N"), "1\n")
    line = Path(f"/proc/{pid_of(place)}/cmdline").read_bytes()
    assert b"relay.pl" in line
    assert TOKEN.encode() not in line


def test_outside_of_sandboxes_no_relay_is_started(bench: Bench) -> None:
    ran = bench.run(BASH, 'cronium_get_variable N; echo "<$_CRONIUM_RELAY>"')
    expect(ran, "1\n<>\n")
