"""`python -m bench.ssh`: the SSH engine against bare asyncssh, on real sshds.

Ours does more: the script is detached, followed, cleaned up after, and the host key is
checked. Servers and measurement share the machine, so the servers' own work (a few
dozen processes per script) is part of every figure; the worker's CPU time is not.
parallel-ssh and `ansible -f 100` belong beside these rows; neither is a dependency.
"""

import argparse
import asyncio
import resource
import secrets
import statistics
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import asyncssh
import docker
from rich.console import Console
from rich.table import Table

from contracts.events import EventType, Network, Resources
from contracts.logs import Stream
from engines.places import SandboxSpec
from engines.secrets import SecretStore
from engines.ssh import SshConfig, SshEngine
from tests.ssh.ground import Ground, Server

PAGE_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Row:
    """One figure of ours, and of the rival where there is one."""

    name: str
    ours: str
    rival: str = ""


def new_engine() -> SshEngine:
    return SshEngine(SshConfig(instance="bench"), SecretStore({}, []))


def spec(script: str) -> SandboxSpec:
    return SandboxSpec(
        run_key=secrets.token_hex(16),
        event_type=EventType.BASH,
        script=script,
        resources=Resources(),
        network=Network.EGRESS,
        image="",
    )


async def run(engine: SshEngine, server: Server, script: str) -> None:
    """Run a script as a session does, to the end and clean."""
    place = engine.place(server.spec())
    sandbox = await place.create(spec(script))
    await sandbox.attach(lambda stream, data: None)
    await sandbox.start()
    end = await sandbox.exited
    assert end.code == 0
    await place.remove(sandbox)


async def bare(server: Server) -> asyncssh.SSHClientConnection:
    return await asyncssh.connect(
        server.address,
        username="plain",
        client_keys=[server.ground.user_key],
        known_hosts=([server.host_key.convert_to_public()], [], []),
        config=None,
    )


async def run_bare(server: Server) -> None:
    async with await bare(server) as connection:
        await connection.run("true", check=True)


async def timed(work: Callable[[], Awaitable[object]]) -> float:
    begin = time.perf_counter()
    await work()
    return time.perf_counter() - begin


def cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_BYTES


def medians(times: list[tuple[float, float]]) -> tuple[float, float]:
    """Return both columns' medians, in ms."""
    mine, theirs = zip(*times, strict=True)
    return statistics.median(mine) * 1000, statistics.median(theirs) * 1000


async def connecting(server: Server, rounds: int) -> Row:
    """Time to a login that can be used."""

    async def ours() -> None:
        engine = new_engine()
        (await engine.pool.lease(server.spec())).release()
        await engine.close()

    async def rival() -> None:
        (await bare(server)).close()

    times = [(await timed(ours), await timed(rival)) for _ in range(rounds)]
    mine, theirs = (
        statistics.median(column) * 1000 for column in zip(*times, strict=True)
    )
    return Row("connect and log in", f"{mine:.0f} ms", f"{theirs:.0f} ms")


async def reusing(server: Server, rounds: int) -> Row:
    """A whole script on a connection that is there, against one bare command."""
    engine, connection = new_engine(), await bare(server)
    await run(engine, server, "true")
    times = [
        (
            await timed(lambda: run(engine, server, "true")),
            await timed(lambda: connection.run("true")),
        )
        for _ in range(rounds)
    ]
    await engine.close()
    connection.close()
    mine, theirs = (
        statistics.median(column) * 1000 for column in zip(*times, strict=True)
    )
    return Row("again, connected", f"{mine:.0f} ms", f"{theirs:.0f} ms")


async def latency(server: Server) -> Row:
    """From the script's clock to ours, per line."""
    late: list[float] = []

    def take(stream: Stream, data: bytes) -> None:
        late.extend(time.time() - float(word) for word in data.split())

    engine = new_engine()
    place = engine.place(server.spec())
    sandbox = await place.create(
        spec("for n in $(seq 60); do echo $EPOCHREALTIME; sleep 0.03; done")
    )
    await sandbox.attach(take)
    await sandbox.start()
    await sandbox.exited
    await place.remove(sandbox)
    await engine.close()
    return Row("line latency, median", f"{statistics.median(late) * 1000:.1f} ms")


async def fan_out(servers: list[Server]) -> list[Row]:
    """`true` on all servers at once, from nothing."""
    engine, before = new_engine(), cpu()
    mine = await timed(
        lambda: asyncio.gather(*(run(engine, one, "true") for one in servers))
    )
    own = (cpu() - before) / len(servers) * 1000
    await engine.close()
    before = cpu()
    theirs = await timed(lambda: asyncio.gather(*map(run_bare, servers)))
    rival = (cpu() - before) / len(servers) * 1000
    count = len(servers)
    return [
        Row(f"{count} servers", f"{count / mine:.0f}/s", f"{count / theirs:.0f}/s"),
        Row("worker's CPU per server", f"{own:.1f} ms", f"{rival:.1f} ms"),
    ]


async def memory(server: Server, count: int) -> Row:
    """What one more connection costs the worker."""
    engine = SshEngine(SshConfig(channels=1), SecretStore({}, []))
    (await engine.pool.lease(server.spec())).release()
    before = resident()
    leases = await asyncio.gather(
        *(engine.pool.lease(server.spec()) for _ in range(count))
    )
    used = (resident() - before) / count / 1024
    for lease in leases:
        lease.release()
    await engine.close()
    return Row(f"memory per connection, of {count}", f"{used:.0f} KB")


async def measure(ground: Ground, count: int) -> list[Row]:
    """Return all rows; a minute or so with 20 servers."""
    # On a file system of its own, as on a real server: tail is then woken by inotify.
    servers = [
        ground.server("-o", "MaxSessions=100", tmpfs={"/home/plain": "rw,exec"})
        for _ in range(count)
    ]
    for server in servers:
        server.run("chown", "plain", "/home/plain")
    return [
        await connecting(servers[0], 20),
        await reusing(servers[0], 20),
        await latency(servers[0]),
        *await fan_out(servers),
        await memory(servers[0], 100),
    ]


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--servers", type=int, default=20)
    count = parser.parse_args().servers
    client = docker.APIClient(base_url="unix:///var/run/docker.sock", version="auto")
    ground = Ground(client)
    try:
        rows = asyncio.run(measure(ground, count))
    finally:
        ground.close()
    table = Table("What", "Ours", "Bare asyncssh")
    for row in rows:
        table.add_row(row.name, row.ours, row.rival)
    Console().print(table)


if __name__ == "__main__":
    main()
