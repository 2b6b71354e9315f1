"""Several Docker hosts: each has a daemon, a worker and a state directory of its own.

The second host is a daemon of the tests' own in a network namespace of its own; guard
and worker of it are processes, as on a machine of its own.
"""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import docker
import pytest

from contracts import names
from tests.chaos.daemon import Daemon, remove_tree
from tests.chaos.plant import Plant, Run
from tests.chaos.processes import Part, listens_on, ours
from tests.chaos.scripts import Numbered
from tests.chaos.wire import until

pytestmark = pytest.mark.timeout(400)

OTHER = "host-b"
# Longer than all that is done beside it takes.
LONG = Numbered(lines=200, pause=0.2)
SHORT = Numbered(lines=3)


class Hosts(Plant):
    """A plant with a second host; `second` is the socket of its daemon."""

    second: Path


@pytest.fixture(scope="module")
async def hosts(
    docker_client: docker.APIClient, temporal_binary: str, tmp_path_factory: Any
) -> AsyncIterator[Hosts]:
    """Two hosts with one slot each; the second one is behind a guard."""
    root, state = (Path(tempfile.mkdtemp(prefix=f"crn-{w}-")) for w in ("dr", "ds"))
    daemon = Daemon(root, state)
    directory: Path = tmp_path_factory.mktemp("hosts")
    plant = Hosts(
        directory / "plant",
        wired=False,
        DOCKER_SLOTS=1,
        DOCKER_EGRESS="off",
        HOST_ID="host-a",
    )
    plant.second = daemon.socket
    guard, worker = second_host(plant, daemon, directory)
    try:
        await daemon.start(live_restore=False)
        await plant.start()
        await guard.start()
        await worker.start()
        yield plant
    finally:
        await plant.stop()
        await guard.stop()
        await daemon.stop()
        shutil.rmtree(state, ignore_errors=True)
        remove_tree(root)


def second_host(plant: Plant, daemon: Daemon, directory: Path) -> tuple[Part, Part]:
    socket = daemon.state / "guard.sock"
    own = directory / OTHER
    (own / "run").mkdir(parents=True)
    common = {"DOCKER_RUN_DIR": own / "run", "HOST_ID": OTHER}
    worker = plant.add_worker(OTHER, own, DOCKER_SOCKET=socket, **common)
    guard = Part(
        "guard",
        [*ours("guard"), "--listen", str(socket)],
        plant._environment(own, DOCKER_SOCKET=daemon.socket, **common),
        directory / "guard.log",
        listens_on(socket),
    )
    return guard, worker


async def ready(plant: Plant) -> None:
    await asyncio.gather(*(worker.ready() for worker in plant.workers.values()))


async def test_each_run_lands_on_a_host_with_a_free_slot(hosts: Hosts) -> None:
    await ready(hosts)
    runs = [await hosts.begin(SHORT) for _ in range(6)]
    long = [await hosts.begin(Numbered(lines=75, pause=0.2)) for _ in range(2)]

    results = [await hosts.result(run) for run in [*runs, *long]]

    assert {result.status for result in results} == {"SUCCESS"}
    landed = [target.host for result in results for target in result.targets]
    assert set(landed) == {"host-a", OTHER}
    # Two that are under way at the same time have a host each.
    both = [result.targets[0] for result in results[-2:]]
    assert {target.host for target in both} == {"host-a", OTHER}


async def test_a_drained_host_gets_none_and_keeps_what_it_has(hosts: Hosts) -> None:
    await ready(hosts)
    runs = [await hosts.begin(LONG) for _ in range(2)]
    await until(lambda: all(place(hosts, run) for run in runs), 60, "both run")
    kept, other = sorted(runs, key=lambda run: place(hosts, run) != OTHER)
    await other.handle.cancel()
    assert (await hosts.result(other)).status == "CANCELLED"

    drained = hosts.workers[OTHER]
    drained.terminate()
    assert await drained.ended() == 0
    beside = [await hosts.result(await hosts.begin(SHORT)) for _ in range(4)]
    assert [result.targets[0].host for result in beside] == ["host-a"] * 4
    assert place(hosts, kept) == OTHER

    await drained.start()
    result = await hosts.result(kept, 120)
    assert (result.status, result.attempts) == ("SUCCESS", 1)
    assert result.targets[0].host == OTHER
    rows = await hosts.caller.logs(kept.execution)
    out = [row["text"] for row in rows if row["stream"] == "stdout"]
    assert out == LONG.stdout


def place(hosts: Hosts, run: Run) -> str:
    """Return which host has the container of a run; "" when none has."""
    sockets = {"host-a": hosts.socket, OTHER: hosts.second}
    for name, socket in sockets.items():
        client = docker.APIClient(base_url=f"unix://{socket}", version="auto")
        try:
            label = f"{names.LABEL_EXECUTION}={run.execution}"
            if client.containers(filters={"label": label}):
                return name
        finally:
            client.close()
    return ""
