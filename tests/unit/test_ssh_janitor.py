"""When the janitor of servers looks where, and how it gives up."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from contracts import names
from contracts.server_errors import SshAuthFailed, SshConnectFailed
from contracts.servers import ServerSpec
from engines.ssh import ServerJanitor
from engines.ssh.janitor import (
    LONGEST_WAIT,
    LOOK_AGAIN_SECONDS,
    PATIENCE_SECONDS,
    WANTED_INTERVALS,
)
from engines.ssh.place import Found

SERVER = ServerSpec.model_validate(
    {
        "id": "s",
        "name": "s",
        "address": "192.0.2.1",
        "username": "deploy",
        "credentials": {"key": {"secret": "KEY"}},
    }
)
INTERVAL = 10.0


@dataclass
class Somewhere:
    """A server in memory."""

    name: str = "deploy@192.0.2.1:22"
    found: list[Found] = field(default_factory=list)
    labelled: dict[str, dict[str, str]] = field(default_factory=dict)
    trouble: Exception | None = None
    looks: int = 0
    done: list[str] = field(default_factory=list)

    def has(self, key: str, *, running: bool = False, labels: bool = True) -> None:
        self.found.append(Found(key, running))
        self.labelled[key] = {names.LABEL_RUN_KEY: key} if labels else {}

    async def runs(self) -> list[Found]:
        self.looks += 1
        if self.trouble is not None:
            raise self.trouble
        return list(self.found)

    async def labels(self, key: str) -> dict[str, str]:
        return self.labelled[key]

    def sandbox(self, key: str) -> "Left":
        return Left(self, key)


@dataclass
class Left:
    place: Somewhere
    key: str

    async def end(self, grace: float) -> tuple[str, ...]:
        self.place.done.append(f"end {self.key}")
        return ()

    async def remove(self) -> None:
        self.place.done.append(f"remove {self.key}")
        self.place.found = [one for one in self.place.found if one.run_key != self.key]


@dataclass
class World:
    now: float = 0.0
    place: Somewhere = field(default_factory=Somewhere)
    known: frozenset[str] = frozenset()
    wanted: set[str] = field(default_factory=set)
    janitor: ServerJanitor = field(init=False)

    def __post_init__(self) -> None:
        async def is_wanted(labels: Mapping[str, str]) -> bool:
            return labels[names.LABEL_RUN_KEY] in self.wanted

        place: Any = self.place
        self.janitor = ServerJanitor(
            lambda _: place,
            lambda: self.known,
            is_wanted,
            INTERVAL,
            clock=lambda: self.now,
        )

    async def sweep_after(self, seconds: float) -> list[str]:
        self.now += seconds
        return await self.janitor.sweep()


@pytest.fixture
def world() -> World:
    return World()


async def test_a_run_that_nobody_wants_is_ended_and_removed(world: World) -> None:
    world.place.has("running", running=True)
    world.place.has("ended")
    world.janitor.met(SERVER, ["running", "ended"])
    assert await world.sweep_after(INTERVAL - 1) == []
    assert await world.sweep_after(2) == ["running", "ended"]
    assert world.place.done == ["end running", "remove running", "remove ended"]
    assert world.janitor.due == 0


async def test_what_is_known_wanted_or_foreign_stays(world: World) -> None:
    world.place.has("mine")
    world.place.has("waited-for", running=True)
    world.place.has("foreign", labels=False)
    world.known, world.wanted = frozenset({"mine"}), {"waited-for"}
    world.janitor.left(SERVER)
    assert await world.sweep_after(INTERVAL) == []
    assert world.place.done == []
    # Somebody waits for one of them still: it is looked for again, a while later.
    assert world.janitor.due == 1
    world.wanted.clear()
    assert await world.sweep_after(INTERVAL / 2) == []
    assert await world.sweep_after(INTERVAL) == ["waited-for"]


async def test_runs_of_this_worker_are_no_cause_to_look(world: World) -> None:
    world.known = frozenset({"mine"})
    world.janitor.met(SERVER, ["mine"])
    assert world.janitor.due == 0


async def test_strangers_are_looked_at_once_in_a_while(world: World) -> None:
    world.janitor.met(SERVER, ["gone"])
    await world.sweep_after(INTERVAL)
    assert world.place.looks == 1
    world.janitor.met(SERVER, ["another"])
    assert world.janitor.due == 0
    await world.sweep_after(LOOK_AGAIN_SECONDS + 1)
    world.janitor.met(SERVER, ["another"])
    assert world.janitor.due == 1


async def test_a_server_that_is_away_is_asked_less_and_less_often(world: World) -> None:
    world.place.trouble = SshConnectFailed("no route")
    world.janitor.left(SERVER)
    for _ in range(2000):
        await world.sweep_after(INTERVAL)
    assert 8 < world.place.looks < 20
    assert world.janitor.due == 1
    await world.sweep_after(PATIENCE_SECONDS)
    await world.sweep_after(LONGEST_WAIT)
    assert world.janitor.due == 0, "it is not asked for ever"


async def test_what_is_left_anew_is_looked_at_soon_however_long_it_was_away(
    world: World,
) -> None:
    world.place.trouble = SshConnectFailed("no route")
    world.janitor.left(SERVER)
    for _ in range(100):
        await world.sweep_after(INTERVAL)
    world.place.trouble = None
    world.place.has("ended")
    world.janitor.left(SERVER)
    assert await world.sweep_after(INTERVAL) == ["ended"]


async def test_what_somebody_wants_is_gone_soon_after_nobody_does(world: World) -> None:
    world.place.has("ended")
    world.wanted = {"ended"}
    world.janitor.left(SERVER)
    for _ in range(100):
        assert await world.sweep_after(INTERVAL) == []
    world.wanted = set()
    removed = [
        key
        for _ in range(WANTED_INTERVALS)
        for key in await world.sweep_after(INTERVAL)
    ]
    assert removed == ["ended"]


async def test_a_server_that_refuses_us_is_not_asked_again(world: World) -> None:
    world.place.trouble = SshAuthFailed("no")
    world.janitor.left(SERVER)
    await world.sweep_after(INTERVAL)
    assert (world.place.looks, world.janitor.due) == (1, 0)
