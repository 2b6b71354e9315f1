"""Servers that are cut off, hang or die, through the whole product.

The scripts say beforehand what they will write; the servers say how often they ran.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncssh
import docker
import pytest

from contracts.results import ExecutionResult, TargetResult
from tests.caller import event
from tests.chaos.conftest import LONG, length
from tests.chaos.fleet import HOME, SECRET, Fleet, running_fleet
from tests.chaos.plant import Plant
from tests.chaos.scripts import Numbered
from tests.chaos.truth import broken_numbers, complain, wrong_text
from tests.chaos.wire import until
from tests.ssh.ground import Server, public_text
from tests.ssh.test_connections import Hanging, listener

SERVERS = 4
CUT_SECONDS = length(8, 60)
HEALTHY = 490 if LONG else 30
# After so long without a server its run is handed back, and after as long again LOST.
OUTAGE = 3.0
# A server that vanishes under a connection is noticed by three missing keepalives.
NOTICED = 60.0
MARK = "echo s >> starts; trap 'echo e >> ends' EXIT"


@pytest.fixture(scope="module")
def fleet(docker_client: docker.APIClient) -> Iterator[Fleet]:
    with running_fleet(docker_client, SERVERS, HEALTHY) as made:
        yield made


@pytest.fixture
async def plant(fleet: Fleet, tmp_path: Path) -> AsyncIterator[Plant]:
    """A plant whose workers know the servers' key, and lose patience soon."""
    keys = tmp_path / "keys"
    keys.mkdir()
    (keys / SECRET).write_text(fleet.key)
    made = Plant(
        tmp_path / "plant",
        wired=False,
        SECRETS_DIRECTORY=keys,
        SSH_OUTAGE_WINDOW=f"{OUTAGE + CUT_SECONDS * 2}s",
        WORKER_RESUME_WINDOW=f"{OUTAGE}s",
        SSH_SLOTS=600,
        # As it is by default: five hundred scripts at once miss a timeout of 3 s.
        WORKER_HEARTBEAT_TIMEOUT="10s",
        WORKER_HEARTBEAT_INTERVAL="1s",
    )
    try:
        await made.start()
        yield made
    finally:
        await made.stop()


@pytest.mark.timeout(400)
@pytest.mark.parametrize("ends", ["afterwards", "meanwhile"])
async def test_a_server_that_was_cut_off_costs_no_line_and_no_second_run(
    ends: str, plant: Plant, fleet: Fleet
) -> None:
    """A cut of a minute (8 s by default), in which the script ends, or does not."""
    server, name = fleet.servers[0], fleet.names[0]
    await asyncio.to_thread(fleet.prepare)
    seconds = CUT_SECONDS / 2 if ends == "meanwhile" else CUT_SECONDS + 4
    script = Numbered(lines=int(seconds / 0.05), pause=0.05, code=9, trap=MARK)
    target = fleet.target(name, deadlines={"connectSeconds": 2})
    run = await plant.begin(script, targets=[target])
    stdout = f"cat {HOME}/.cronium/runs/*/stdout"
    await until(lambda: "out 5 " in server.run("sh", "-c", stdout), 30, "five lines")
    server.cut()
    try:
        # Both ends are dead: what comes back is another connection.
        server.hang_up()
        await asyncio.sleep(CUT_SECONDS)
    finally:
        server.mend()
    result = await plant.result(run, 60 + NOTICED)
    log = await plant.caller.logs(run.execution, 30)
    found = broken_numbers(log) + wrong_text(log, script)
    if (result.exit_code, result.attempts) != (9, 1):
        found.append(f"the result is {result.status} {result.exit_code} {result.error}")
    for file in ("starts", "ends"):
        if (times := fleet.count(file)[name]) != 1:
            found.append(f"{times} {file}")
    await complain(plant, run.execution, found)
    await fleet.emptied(30)


@pytest.mark.timeout(400)
async def test_a_run_that_was_lost_is_cleaned_up_once_its_server_is_back(
    plant: Plant, fleet: Fleet
) -> None:
    server, name = fleet.servers[1], fleet.names[1]
    await asyncio.to_thread(fleet.prepare)
    target = fleet.target(name, deadlines={"connectSeconds": 1})
    run = await plant.begin(Numbered(lines=9000, trap=MARK), targets=[target])
    await until(lambda: fleet.count("starts")[name] == 1, 30, "a script that runs")
    server.stop()  # and nothing of it runs on: the directory alone is left
    result = await plant.result(run, 60 + NOTICED + OUTAGE + CUT_SECONDS * 2)
    assert (result.status, result.exit_code) == ("LOST", None)
    server.start()
    assert fleet.left(), "there was nothing to clean up: this shows nothing"
    # Its breaker may be open for a minute; the janitor looks again after 2, 4, 8 … s.
    await fleet.emptied(180)


@dataclass(frozen=True)
class Bad:
    """A server that hangs in a way of its own."""

    name: str
    reason: str
    """Its error's type."""
    seconds: float
    """The longest that it may take: its own deadline, three times, and some room."""
    target: dict[str, Any]


@contextlib.asynccontextmanager
async def ten_ways(
    fleet: Fleet, hole: Server, mute: Server, dying: Server
) -> AsyncIterator[list[Bad]]:
    """Ten servers that hang, each in another way; `dying` does so when it is cut."""
    hole.cut()
    mute.run("sh", "-c", "mv /bin/sh /bin/was-sh; printf '#!/bin/was-sh\\nexec sleep"
             " 900\\n' > /bin/sh; chmod 755 /bin/sh")  # fmt: skip
    one = fleet.servers[0]
    key = asyncssh.generate_private_key("ssh-ed25519")
    async with (
        listener(b"") as silent,
        listener(b"welcome to the tarpit\r\n" * 200, pause=0.3) as tarpit,
        listener(b"SSH-2.0-OpenSSH_9.2\r\n") as stuck,
        listener(b"") as slow,
        asyncssh.listen(
            "127.0.0.1", 0, server_factory=Hanging, server_host_keys=[key]
        ) as hanging,
    ):

        def local(port: int, **deadlines: float) -> dict[str, Any]:
            return {"address": "127.0.0.1", "port": port, "deadlines": deadlines}

        login = {
            **local(hanging.get_port(), authSeconds=2),
            "hostKeys": [public_text(key)],
            "credentials": {"password": {"secret": "SSH_PASSWORD"}},
        }
        slowly = local(slow, totalSeconds=2, bannerSeconds=60)
        ways = [
            ("black-hole", "SshConnectTimeout", 25, _at(hole, connectSeconds=2)),
            ("silent", "SshBannerTimeout", 25, local(silent, bannerSeconds=2)),
            ("tarpit", "SshBannerTimeout", 25, local(tarpit, bannerSeconds=2)),
            ("stuck", "SshBannerTimeout", 25, local(stuck, bannerSeconds=2)),
            ("slow", "SshTotalTimeout", 25, slowly),
            ("login", "SshAuthTimeout", 25, login),
            ("mute", "SshIdleTimeout", 30, _at(mute, idleSeconds=2)),
            ("endless", "ScriptTimeout", 40, _at(one, "/tmp")),
            ("stubborn", "ScriptTimeout", 50, _at(one, "/var/tmp")),
            (
                "vanishing",
                "HostLost",
                NOTICED + 40 + CUT_SECONDS * 2,
                _at(dying, connectSeconds=1),
            ),
        ]
        yield [
            Bad(name, reason, seconds, _described(fleet, name, how))
            for name, reason, seconds, how in ways
        ]


def _at(server: Server, directory: str = HOME, **deadlines: float) -> dict[str, Any]:
    return {
        "address": server.address,
        "workingDirectory": directory,
        "hostKeys": [public_text(server.host_key)],
        "deadlines": deadlines,
    }


def _described(fleet: Fleet, name: str, how: dict[str, Any]) -> dict[str, Any]:
    target = fleet.target(fleet.names[0])
    return {**target, "id": name, "name": name, **how}


# The healthy ones have a directory each; the others tell by it how they are to hang.
SCRIPT = f"""
case $PWD in
    {HOME}/*) {MARK}; echo healthy ;;
    /var/tmp) trap '' TERM; while :; do sleep 1; done ;;
    *) sleep 600 ;;
esac
"""


# Five hundred connections at once take the whole machine.
@pytest.mark.alone
@pytest.mark.timeout(900)
async def test_servers_that_hang_in_ten_ways_hold_up_nobody_else(
    plant: Plant, fleet: Fleet
) -> None:
    """490 healthy ones (30 by default) end as soon as without the ten."""
    (plant.directory.parent / "keys" / "SSH_PASSWORD").write_text("no matter")
    ground = fleet.servers[0].ground
    hole, mute, dying = [await asyncio.to_thread(ground.server) for _ in range(3)]
    await asyncio.to_thread(fleet.prepare)
    alone = await duration(plant, fleet)
    await asyncio.to_thread(fleet.prepare)
    async with ten_ways(fleet, hole, mute, dying) as bad:
        targets = [*(way.target for way in bad), *fleet.targets()]
        begin = time.monotonic()
        run = await plant.caller.start(event_of(targets))
        cutting = asyncio.create_task(cut_when_up(dying))
        healthy = await until_ended(fleet, begin)
        await asyncio.wait_for(cutting, 60)
        result = await asyncio.wait_for(run.result(), 500)
    assert healthy < 2 * alone + 10, (healthy, alone)
    check_rows(fleet, result, bad, alone)
    # What ran where it hung is gone as well, but on the server that vanished.
    await fleet.emptied(60)


def event_of(targets: list[dict[str, Any]]) -> dict[str, Any]:
    return event(
        SCRIPT,
        targets=targets,
        timeoutSeconds=15,
        graceSeconds=1,
        fanOut={"forks": 500},
    )


async def duration(plant: Plant, fleet: Fleet) -> float:
    """Seconds that the healthy ones take by themselves."""
    begin = time.monotonic()
    run = await plant.caller.start(event_of(fleet.targets()))
    took = await until_ended(fleet, begin)
    result = await asyncio.wait_for(run.result(), 300)
    assert result.status == "SUCCESS", result.error
    return took


async def until_ended(fleet: Fleet, begin: float) -> float:
    async with asyncio.timeout(400):
        while await asyncio.to_thread(fleet.ended) < fleet.size:  # noqa: ASYNC110
            await asyncio.sleep(0.2)
    return time.monotonic() - begin


async def cut_when_up(server: Server) -> None:
    """Cut a server off once the script runs there."""
    async with asyncio.timeout(60):
        while not await asyncio.to_thread(server.processes, "sleep 600"):  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    server.cut()


def check_rows(
    fleet: Fleet, result: ExecutionResult, bad: list[Bad], alone: float
) -> None:
    """Each healthy one ran once, and each other one ended with its own reason.

    What the others may take is reckoned for an idle machine; here the healthy ones
    keep it busy for so long as they take alone.
    """
    rows = {row.target: row for row in result.targets}
    ended = {(rows[name].status, rows[name].attempts) for name in fleet.names}
    assert ended == {("SUCCESS", 1)}
    for file in ("starts", "ends"):
        assert set(fleet.count(file).values()) == {1}
    assert (result.status, result.exit_code) == ("PARTIAL", 100 + len(bad))
    told = {way.name: reason_of(rows[way.name]) for way in bad}
    assert told == {way.name: way.reason for way in bad}
    late = {
        way.name: rows[way.name].durations.total_ms
        for way in bad
        if rows[way.name].durations.total_ms > (way.seconds + alone) * 1000
    }
    assert late == {}


def reason_of(row: TargetResult) -> str:
    return row.error.type if row.error is not None else str(row.status)
