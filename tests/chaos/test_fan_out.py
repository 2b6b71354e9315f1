"""kill -9 of the worker in a fan-out: what ended stays, what runs is taken over."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import pytest

from contracts.results import ExecutionResult
from tests.chaos.plant import Plant, Run
from tests.chaos.scripts import Numbered
from tests.chaos.truth import broken_numbers, complain, entries, wrong_text
from tests.chaos.wire import until
from tests.ssh.ground import Ground, Server, key_text

SERVERS = 4
TARGETS = 12
FORKS = 6
# Some have ended and some run at every moment: they begin one after the other.
STAGGER = 0.4
UP_SECONDS = 60.0
AFTER_SECONDS = 120.0
LEFT_SECONDS = 30.0
BAD = "t05"
BAD_CODE = 7

# Each target has a directory of its own, and a line in it for each time it ran.
SCRIPT = Numbered(
    lines=60,
    pause=0.05,
    trap=f"echo s >> starts; trap 'echo e >> ends; [ ! -e bad ] || exit {BAD_CODE}' "
    "EXIT",
)


@dataclass
class Fleet:
    """Targets on a few servers."""

    servers: list[Server]

    @property
    def names(self) -> list[str]:
        return [f"t{number:02}" for number in range(1, TARGETS + 1)]

    def server_of(self, name: str) -> Server:
        return self.servers[self.names.index(name) % len(self.servers)]

    def prepare(self) -> None:
        """Make each target's directory anew."""
        for name in self.names:
            home = directory_of(name)
            bad = f"touch {home}/bad" if name == BAD else ":"
            command = f"rm -rf {home}; mkdir {home}; {bad}"
            self.server_of(name).run("sh", "-c", command, user="plain")

    def targets(self) -> list[dict[str, Any]]:
        found = []
        for name in self.names:
            spec = self.server_of(name).spec(
                id=name,
                name=name,
                credentials={"key": {"secret": "SSH_KEY"}},
                working_directory=directory_of(name),
            )
            found.append(
                spec.model_dump(mode="json", by_alias=True, exclude_defaults=True)
            )
        return found

    def count(self, file: str) -> Counter[str]:
        """How many lines a file has, by target."""
        counts: Counter[str] = Counter()
        for name in self.names:
            path = f"{directory_of(name)}/{file}"
            said = self.server_of(name).run("sh", "-c", f"cat {path} 2>/dev/null")
            counts[name] = len(said.splitlines())
        return counts

    def ended(self) -> int:
        return self.count("ends").total()

    def left(self) -> list[str]:
        """Run directories and processes of ours that are still there."""
        found = []
        for server in self.servers:
            found += server.run("ls", "/home/plain/.cronium/runs").split()
            found += server.processes("CRONIUM_KEEPER")
        return found


def directory_of(name: str) -> str:
    return f"/home/plain/{name}"


@pytest.fixture(scope="module")
def fleet(docker_client: docker.APIClient) -> Iterator[Fleet]:
    ground = Ground(docker_client)
    try:
        yield Fleet([ground.server() for _ in range(SERVERS)])
    finally:
        ground.close()


@pytest.fixture
async def plant(fleet: Fleet, tmp_path: Path) -> AsyncIterator[Plant]:
    """A plant whose workers know the servers' key."""
    keys = tmp_path / "keys"
    keys.mkdir()
    (keys / "SSH_KEY").write_text(key_text(fleet.servers[0].ground.user_key))
    made = Plant(tmp_path / "plant", wired=False, SECRETS_DIRECTORY=keys)
    try:
        await made.start()
        yield made
    finally:
        await made.stop()


@pytest.mark.parametrize("successor", ["the same host", "another host"])
@pytest.mark.timeout(300)
async def test_a_fan_out_outlives_its_worker_and_runs_nothing_twice(
    successor: str, plant: Plant, fleet: Fleet
) -> None:
    await asyncio.to_thread(fleet.prepare)
    run = await plant.begin(
        SCRIPT,
        targets=fleet.targets(),
        fanOut={"forks": FORKS, "staggerSeconds": STAGGER},
    )
    await until(lambda: fleet.ended() >= 3, UP_SECONDS, "three servers that ended")
    plant.worker.kill()
    begun, ended = await asyncio.to_thread(
        lambda: (fleet.count("starts").total(), fleet.ended())
    )
    assert ended < begun, "nothing ran when the worker died: this shows nothing"
    assert begun < TARGETS, "all had begun when the worker died"
    if successor == "the same host":
        await plant.worker.start()
    else:
        # Nothing of the dead worker's disk is there: the servers have all of it.
        other = plant.add_worker("other", plant.directory / "other")
        await other.start()
    result = await plant.result(run, AFTER_SECONDS)
    await complain(plant, run.execution, await deviations(plant, fleet, run, result))


async def deviations(
    plant: Plant, fleet: Fleet, run: Run, result: ExecutionResult
) -> list[str]:
    """Hold result, log and servers against what must be true."""
    found = []
    for file in ("starts", "ends"):
        counts = await asyncio.to_thread(fleet.count, file)
        found += [f"{name}: {n} {file}" for name, n in counts.items() if n != 1]
    if (result.status, result.exit_code) != ("PARTIAL", 101):
        found.append(f"the result is {result.status} {result.exit_code}")
    for row in result.targets:
        wanted = BAD_CODE if row.target == BAD else 0
        if (row.exit_code, row.attempts, row.error is None) != (wanted, 1, not wanted):
            found.append(f"{row.target}: {row.exit_code} {row.attempts} {row.error}")
    log = await plant.caller.logs(run.execution, 30)
    found += broken_numbers(log)
    for name in fleet.names:
        lines = [line for line in log if line["target"] == name]
        found += [f"{name}: {words}" for words in wrong_text(lines, SCRIPT)]
    await until(lambda: not fleet.left(), LEFT_SECONDS, "nothing left on the servers")
    if "other" not in plant.workers:
        await until(lambda: not kept(plant), LEFT_SECONDS, "nothing left of the runs")
    return found


def kept(plant: Plant) -> list[str]:
    """What the worker's state directory still holds of runs."""
    return [
        name
        for directory in ("server-runs", "channels", "sockets")
        for name in entries(plant.state / directory)
    ]
