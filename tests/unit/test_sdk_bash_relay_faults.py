"""The Bash helper's relay when the executor is away, or when the relay itself is."""

import threading
import time
from pathlib import Path

import pytest

from tests.compat.channel import Channel, serve_later, serving
from tests.compat.script import Bench
from tests.unit.relay import (
    BASH,
    READY,
    alive,
    bench_fixture,
    channel_fixture,
    expect,
    place_fixture,
    tried,
    wait_for,
)

# Used by their names.
__all__ = ["bench_fixture", "channel_fixture", "place_fixture"]


@pytest.mark.parametrize(
    "faults", [[502, 503, 504, 503], ["close", "close"], [500, 500], ["close", 500]]
)
def test_an_executor_that_is_away_for_a_while_is_waited_for(
    faults: list[object], bench: Bench, channel: Channel
) -> None:
    channel.faults = list(faults)
    expect(tried(bench, "cronium_get_variable N"), "1\n")
    assert len(channel.requests) == len(faults) + 1


def test_an_increment_whose_answer_was_lost_counts_once(
    bench: Bench, channel: Channel
) -> None:
    channel.faults = [None, "lost", 503, "lost", "close"]
    ran = tried(bench, "cronium_increment_variable N; cronium_increment_variable N")
    expect(ran, "2\n3\n")


@pytest.mark.parametrize("status", [400, 401, 403, 409, 413, 429])
def test_a_refusal_is_told_at_once(status: int, bench: Bench, channel: Channel) -> None:
    channel.faults = [status] * 9
    ran = tried(bench, "cronium_get_variable N || echo code $?")
    said = f"Error: API Error ({status}): told to answer {status}\n"
    expect(ran, "code 1\n", err=said)
    assert len(channel.requests) == 1


def test_an_executor_that_restarts_is_waited_for(
    channel: Channel, tmp_path: Path, place: Path
) -> None:
    thread = serve_later(channel, tmp_path / "api.sock", 0.8)
    try:
        bench = Bench(tmp_path, str(tmp_path / "api.sock"))
        ran = tried(bench, "cronium_get_variable N")
    finally:
        channel.released.set()
        thread.join()
    expect(ran, "1\n")


def test_a_connection_that_was_closed_meanwhile_is_made_anew(
    channel: Channel, tmp_path: Path, place: Path
) -> None:
    socket, found = tmp_path / "api.sock", []
    script = (
        "cronium_get_variable N; : > a\n"
        "until [[ -e go ]]; do command sleep 0.01; done; cronium_get_variable N"
    )

    def run() -> None:
        found.append(tried(Bench(tmp_path, str(socket)), script))

    thread = threading.Thread(target=run)
    with serving(channel, socket):
        thread.start()
        wait_for(tmp_path / "a")
    with serving(Channel(variables={"N": 2}), socket):
        (tmp_path / "go").touch()
        thread.join()
    expect(found[0], "1\n2\n")


def test_without_an_answer_in_time_it_is_said(bench: Bench, channel: Channel) -> None:
    channel.faults = ["hang"] * 9
    ran = tried(bench, "cronium_get_variable N || echo $?", "_CRONIUM_WAIT=1\n" + READY)
    assert ran.out == "1\n"
    assert ran.err.startswith("Error: the executor did not answer within 1 s; try")


@pytest.mark.parametrize("signal", ["KILL", "TERM"])
def test_a_relay_that_is_ended_is_done_without_and_started_anew(
    signal: str, bench: Bench, channel: Channel, place: Path
) -> None:
    ran = tried(
        bench,
        f"cronium_get_variable N; read -r port pid < relay; kill -{signal} $pid\n"
        "while kill -0 $pid 2>/dev/null; do command sleep 0.01; done\n"
        "cronium_get_variable N; unset _cronium_tried; cronium_get_variable N\n"
        "until read -r _ new < relay; [[ $new != $pid ]]; do command sleep 0.01; done\n"
        "cronium_get_variable N",
        before=READY,
    )
    expect(ran, "1\n" * 4)
    assert alive(place)


def test_a_relay_that_ends_in_the_middle_of_a_call_is_done_without(
    bench: Bench, channel: Channel
) -> None:
    channel.faults = ["hang"]
    ran = tried(
        bench,
        "read -r port pid < relay; { sleep 0.5; kill -9 $pid; } &\n"
        "cronium_increment_variable N",
        before=READY,
    )
    expect(ran, "2\n")


def test_a_relay_that_is_stopped_is_done_without(bench: Bench, place: Path) -> None:
    ran = tried(
        bench,
        "_CRONIUM_WAIT=1; read -r _ pid < relay; kill -STOP $pid\n"
        "cronium_increment_variable N",
        before=READY,
    )
    expect(ran, "2\n")


def test_somebody_else_at_its_port_is_no_problem(bench: Bench, place: Path) -> None:
    """As after a relay that ended: its place is there, its port is another's."""
    with serving(Channel(), None) as other:
        place.write_text(f"{other.rsplit(':', 1)[1]} 0\n")
        ran = bench.run(BASH, "_CRONIUM_RELAY=$PWD/relay; cronium_get_variable N")
    expect(ran, "1\n")
    end = time.monotonic() + 30
    while place.read_text().endswith(" 0\n"):
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.parametrize(
    "text",
    ["", "x y\n", "99999999 1\n", "1 1\n"],
    ids=["empty", "no number", "no port", "closed port"],
)
def test_a_broken_place_is_done_without(text: str, bench: Bench, place: Path) -> None:
    place.write_text(text)
    Path(f"{place}.lock").mkdir()  # No relay can come.
    ran = bench.run(BASH, "_CRONIUM_RELAY=$PWD/relay; cronium_get_variable N")
    expect(ran, "1\n")
    place.unlink()
