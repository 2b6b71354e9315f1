"""Scripts on many servers: the whole product and its engine against four others.

All of it in one run, in turns, against the same sshds: each tool logs in anew, checks
every host key (parallel-ssh cannot), and runs `echo hi`. Ours does more: the script is
detached, survives connection and worker, is followed, and is cleaned up after.
"""

import asyncio
import os
import resource
import secrets
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from bench.fleet import Fleet, Target
from bench.local import Local
from bench.measures import Row
from bench.ssh_rivals import (
    COMMAND,
    ansible,
    bare_asyncssh,
    bare_connection,
    parallel_ssh,
)
from contracts.events import EventType, Network, Resources
from contracts.logs import Stream
from engines.places import SandboxSpec
from engines.secrets import SecretStore
from engines.ssh import SshConfig, SshEngine

PAGE_BYTES = 4096
TICKS = os.sysconf("SC_CLK_TCK")
MEANING = """
*Servers* are ports of sshds in containers on the same machine, {containers} with
{ports} ports each, so the servers' own work is part of every figure: of the processor
time for one server sshd and the script had {sshd:.0f} ms with ours (bare asyncssh:
{bare_sshd:.0f} ms), our worker {worker:.0f} ms, Temporal {temporal:.0f} ms and the
gateway {gateway:.0f} ms. Every tool starts without a connection (ours with its helper
on the servers, as after the first run there), checks all host keys (parallel-ssh has no
way to) and runs `echo hi` on all servers at once (Ansible on 100, `-f 100`; with the
module `command` when nothing else is said). *Ours* is from the start of the event to
its result: Temporal, detached scripts, logs in the gateway; the *engine* is the same
without Temporal and gateway. Ansible is measured as its users start it; parallel-ssh
without its own start. The pooled command is the engine's, from its call to exit code
and last line, in turns with asyncssh on a connection that is there as well.
"""


@dataclass
class Seen:
    """What was measured, by tool, in seconds."""

    times: dict[str, list[float]] = field(default_factory=dict)
    cpu: dict[str, list[float]] = field(default_factory=dict)
    """Processor seconds per server, by who used them."""

    def add(self, name: str, seconds: float) -> None:
        self.times.setdefault(name, []).append(seconds)

    def median(self, name: str) -> float:
        return statistics.median(self.times[name])

    def cpu_ms(self, name: str) -> float:
        return statistics.median(self.cpu[name]) * 1000


def new_engine(**changes: int) -> SshEngine:
    return SshEngine(SshConfig(instance="bench", **changes), SecretStore({}, []))


def order(script: str) -> SandboxSpec:
    return SandboxSpec(
        run_key=secrets.token_hex(16),
        event_type=EventType.BASH,
        script=script,
        resources=Resources(),
        network=Network.EGRESS,
        image="",
    )


async def run(engine: SshEngine, target: Target, *, clean: bool = True) -> float:
    """Run a script as a session does; return the seconds until all is known of it."""
    lines: list[bytes] = []
    place = engine.place(target.spec())
    begin = time.perf_counter()
    sandbox = await place.create(order(COMMAND))
    await sandbox.attach(lambda _, data: lines.append(data))
    await sandbox.start()
    end = await sandbox.exited
    await sandbox.drain()
    took = time.perf_counter() - begin
    assert (end.code, b"".join(lines)) == (0, b"hi\n")
    if clean:
        await place.remove(sandbox)
    return took


async def engine_alone(fleet: Fleet) -> float:
    """Seconds for all targets, cleaned up after, without Temporal and gateway."""
    engine = new_engine()
    begin = time.perf_counter()
    await asyncio.gather(*(run(engine, target) for target in fleet.targets))
    took = time.perf_counter() - begin
    await engine.close()
    return took


async def warm_up(fleet: Fleet) -> None:
    """Bring the helper to every machine: it is kept there for later runs."""
    engine = new_engine()
    machines = {target.address: target for target in fleet.targets}
    await asyncio.gather(*(run(engine, target) for target in machines.values()))
    await engine.close()


async def whole(local: Local, fleet: Fleet) -> tuple[float, float]:
    """Seconds until the result, and until the first line of the last server."""
    waiting = {target.name for target in fleet.targets}
    begin = time.perf_counter()
    handle = await local.start(
        COMMAND,
        targets=[target.wire() for target in fleet.targets],
        fanOut={"forks": len(fleet.targets)},
    )

    async def all_seen() -> float:
        async for line in local.lines(handle):
            if line.stream is Stream.STDOUT:
                waiting.discard(line.target)
                if not waiting:
                    return time.perf_counter() - begin
        raise SystemExit(f"bench: no line of {sorted(waiting)[:5]}")

    watching = asyncio.ensure_future(all_seen())
    result = await handle.result()
    took = time.perf_counter() - begin
    if result.status != "SUCCESS":
        raise SystemExit(f"bench: the fan-out ended as {result.status} {result.error}")
    return took, await watching


def cpu_of(pid: int) -> float:
    """Return the processor seconds that a process has used."""
    words = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    return (int(words[11]) + int(words[12])) / TICKS


def own_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_BYTES


async def memory(fleet: Fleet) -> Row:
    """What a connected server costs the worker's memory."""
    engine, targets = new_engine(), fleet.targets
    (await engine.pool.lease(targets[0].spec())).release()
    before = resident()
    leases = await asyncio.gather(*(engine.pool.lease(t.spec()) for t in targets[1:]))
    used = (resident() - before) / len(leases) / 1024
    for lease in leases:
        lease.release()
    await engine.close()
    return Row(
        f"Memory per connected server, of {len(targets)}",
        f"{used:.0f} KB",
        "–",
        "–",
        "–",
        True,
    )


async def pooled(fleet: Fleet, rounds: int) -> Row:
    """A second command on a connection that is there, against one of bare asyncssh."""
    target, engine = fleet.targets[0], new_engine()
    connection = await bare_connection(target)
    ours, bare = [], []
    for number in range(rounds + 2):
        mine = await run(engine, target)
        begin = time.perf_counter()
        await connection.run(COMMAND, check=True)
        theirs = time.perf_counter() - begin
        if number >= 2:
            ours.append(mine)
            bare.append(theirs)
    connection.close()
    await engine.close()
    over = (statistics.median(ours) - statistics.median(bare)) * 1000
    return Row(
        "Second command on a pooled connection, p50",
        f"{statistics.median(ours) * 1000:.0f} ms",
        f"{statistics.median(bare) * 1000:.0f} ms bare asyncssh",
        f"{over:+.0f} ms",
        "≤ 15 ms over",
        over <= 15,
    )


async def _count_cpu(
    seen: Seen, fleet: Fleet, local: Local, name: str, work: Awaitable[object]
) -> None:
    pids = {part: pid for part, pid in local.pids.items() if name == "ours"}
    before = {part: cpu_of(pid) for part, pid in pids.items()}
    servers, own = fleet.cpu_seconds(), own_cpu()
    await work
    count = len(fleet.targets)
    spent = {"sshd": fleet.cpu_seconds() - servers, "client": own_cpu() - own}
    spent |= {part: cpu_of(pid) - before[part] for part, pid in pids.items()}
    for part, seconds in spent.items():
        seen.cpu.setdefault(f"{name} {part}", []).append(seconds / count)


async def in_turns(
    local: Local, fleet: Fleet, rounds: int, *, rivals: bool
) -> AsyncIterator[Seen]:
    """Run every tool, again and again; yield what was seen after each round."""
    seen = Seen()

    async def ours() -> None:
        took, first = await whole(local, fleet)
        seen.add("ours", took)
        seen.add("first line", first)

    async def timed(name: str, work: Callable[[Fleet], Awaitable[float]]) -> None:
        seen.add(name, await work(fleet))

    for _ in range(rounds):
        await _count_cpu(seen, fleet, local, "ours", ours())
        await _count_cpu(seen, fleet, local, "bare", timed("bare", bare_asyncssh))
        await _count_cpu(seen, fleet, local, "engine", timed("engine", engine_alone))
        if rivals:
            await timed("parallel-ssh", parallel_ssh)
        yield seen
    if not rivals:
        return
    await timed("ansible", lambda fleet: ansible(fleet, "raw"))
    await timed("ansible command", lambda fleet: ansible(fleet, "command"))
    yield seen


def rows(seen: Seen, count: int) -> list[Row]:
    """Return the comparisons."""

    def rate(name: str) -> str:
        return f"{count / seen.median(name):.1f} /s"

    def against(ours: str, rival: str, title: str, least: float, what: str) -> Row:
        ratio = seen.median(rival) / seen.median(ours)
        return Row(
            f"{count} servers, {what}",
            rate(ours),
            f"{rate(rival)} {title}",
            f"{ratio:.1f} × its rate",
            f"≥ {least:g} ×",
            ratio >= least,
        )

    def slower(ours: str, what: str) -> Row:
        ratio = seen.median(ours) / seen.median("bare")
        return Row(
            f"{count} servers, {what}",
            f"{seen.median(ours):.1f} s",
            f"{seen.median('bare'):.1f} s bare asyncssh",
            f"{ratio:.2f} × its time",
            "≤ 1.3 ×",
            ratio <= 1.3,
        )

    end = "start to result"
    return [
        *(
            against(ours, rival, title, least, what)
            for ours, rival, title, least, what in (
                ("ours", "ansible command", "`ansible -f 100`", 4, end),
                ("ours", "ansible", "`ansible -f 100 -m raw`", 4, end),
                ("ours", "parallel-ssh", "parallel-ssh", 1, end),
                ("engine", "parallel-ssh", "parallel-ssh", 1, "engine alone"),
            )
            if rival in seen.times
        ),
        slower("ours", end),
        slower("first line", "first line of the last one"),
        slower("engine", "engine alone"),
    ]


def meaning(seen: Seen, fleet: Fleet) -> str:
    """Return what the page says about the figures."""
    containers = len({target.address for target in fleet.targets})
    return MEANING.format(
        containers=containers,
        ports=-(-len(fleet.targets) // containers),
        sshd=seen.cpu_ms("ours sshd"),
        bare_sshd=seen.cpu_ms("bare sshd"),
        worker=seen.cpu_ms("ours worker"),
        temporal=seen.cpu_ms("ours temporal"),
        gateway=seen.cpu_ms("ours gateway"),
    )


def settings(fleet: Fleet) -> dict[str, str]:
    """Return what the stack must know of the fleet."""
    return {
        "SECRETS_DIRECTORY": str(fleet.key.parent),
        "SSH_SLOTS": str(max(200, len(fleet.targets))),
    }
