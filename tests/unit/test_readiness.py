"""Readiness names the part that does not work, and why."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from logstream import SpoolDirectory
from worker.codec import KeyRing
from worker.host import ISOLATION, STARTING
from worker.readiness import Readiness

Make = Callable[..., Readiness]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def made(
        host: Any = None,
        keys: Path | None = None,
        *,
        scripts: bool = False,
        **spools: Any,
    ) -> Readiness:
        relay: Any = SimpleNamespace(connected=True, problem=None)
        directory = SpoolDirectory(tmp_path / "spool", **spools)
        return Readiness(directory, relay, KeyRing(keys), scripts, host)

    return made


def host(part: str, problem: str | None) -> Any:
    return SimpleNamespace(part=part, problem=problem)


def test_nothing_is_wrong(make: Make) -> None:
    ready = make(host("docker", None), scripts=True)
    assert ready.problems() == ready.warnings() == {}


async def test_a_full_spool_is_told_from_a_full_disk(make: Make) -> None:
    (part, reason), *more = make(max_total_bytes=0).problems().items()
    assert (part, more) == ("spool", [])
    assert "start the gateway" in reason
    (part, reason), *more = make(min_free_bytes=2**60).problems().items()
    assert (part, more) == ("disk", [])
    assert "logs.min_free" in reason


def test_a_broken_file_of_keys_is_named(make: Make, tmp_path: Path) -> None:
    keys = tmp_path / "keys.json"
    keys.write_text(
        '{"active": "k1", "keys": [{"id": "k1", "key": "' + "A" * 43 + '="}]}'
    )
    ready = make(keys=keys)
    assert ready.problems() == {}
    keys.write_text("{")
    ready.ring._looked = 0.0
    assert list(ready.problems()) == ["encryption"]


@pytest.mark.parametrize("part", ["docker", ISOLATION])
def test_what_the_host_lacks_is_named(part: str, make: Make) -> None:
    assert make(host(part, "why"), scripts=True).problems() == {part: "why"}


def test_a_host_that_is_not_there_yet_is_starting(make: Make) -> None:
    assert make(scripts=True).problems() == {ISOLATION: STARTING}


def test_a_gateway_that_is_away_costs_no_run(make: Make) -> None:
    ready = make()
    ready.relay.connected = False
    ready.relay.problem = "refused"
    assert ready.problems() == {}
    assert ready.warnings() == {"gateway": "refused; lines wait in the spool"}
