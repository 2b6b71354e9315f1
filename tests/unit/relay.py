"""What the tests of the Bash helper's relay share."""

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts.events import EventType
from tests.compat.channel import Channel, serving
from tests.compat.script import Bench, Ran

BASH = EventType.BASH
# Waits for the relay, so that what follows goes by way of it.
READY = (
    "_CRONIUM_RELAY=$PWD/relay\n_cronium_start_relay\n"
    "until [[ -s $_CRONIUM_RELAY ]]; do command sleep 0.01; done\n"
)
# What a shell falls back to would make the same calls; here they must not be made.
ALONE = "_cronium_send_http() { return 7; }\n_cronium_send_bytes() { return 7; }\n"


@pytest.fixture(name="channel")
def channel_fixture() -> Channel:
    return Channel(variables={"N": 1})


@pytest.fixture(name="place")
def place_fixture(tmp_path: Path) -> Iterator[Path]:
    """Where the relay says how it is found; it is ended after the test."""
    path = tmp_path / "relay"
    yield path
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        os.kill(pid_of(path), signal.SIGKILL)


@pytest.fixture(name="bench")
def bench_fixture(channel: Channel, tmp_path: Path, place: Path) -> Iterator[Bench]:
    with serving(channel, tmp_path / "api.sock") as address:
        yield Bench(tmp_path, address)


def pid_of(place: Path) -> int:
    return int(place.read_text().split()[1])


def alive(place: Path) -> bool:
    return Path(f"/proc/{pid_of(place)}").exists()


def tried(bench: Bench, script: str, before: str = READY + ALONE, **env: str) -> Ran:
    return bench.run(BASH, before + script, **env)


def expect(ran: Ran, out: str, code: int = 0, err: str = "") -> None:
    assert (ran.out, ran.err, ran.code) == (out, err, code)


def wait_for(path: Path) -> None:
    end = time.monotonic() + 30
    while not path.exists():
        assert time.monotonic() < end, f"{path} did not appear"
        time.sleep(0.01)
