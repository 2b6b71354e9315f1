"""The measurements: each returns numbers that were seen, never ones that are hoped."""

import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from bench.local import Local, running
from bench.rivals import Bare, docker_run, seccomp_file
from contracts.logs import Stream

FIRST_INSTRUCTION = "echo $EPOCHREALTIME"
STEADY = """
import sys, time
begin = time.perf_counter()
for number in range(%d):
    wait = begin + number / 1000 - time.perf_counter()
    if wait > 0:
        time.sleep(wait)
    print(time.time())
"""
BURST = """
import sys
for start in range(0, %d, 50):
    sys.stdout.write(''.join('line %%08d of a burst of lines that are sixty bytes ok\\n'
                     %% n for n in range(start, start + 50)))
    sys.stdout.flush()
"""


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    name: str
    ours: str
    rival: str
    compared: str
    target: str
    reached: bool | None
    """None when there is nothing to reach."""


def percentile(values: list[float], share: float) -> float:
    """Return the value below which a share of the values lies."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


async def end_to_end(local: Local, rounds: int) -> Row:
    """Start to result of `echo hi`, against `docker run --rm`, in turns.

    Between two turns the sandbox for the next run is made, at nobody's cost.
    """
    ours, rival = await _in_turns(local, rounds, local.rest)
    ratio = statistics.median(ours) / statistics.median(rival)
    return Row(
        "`echo hi`, start to result, p50 (p95)",
        _ms(ours),
        _ms(rival) + " `docker run --rm`",
        f"{ratio:.2f} ×",
        "≤ 1.1 ×",
        ratio <= 1.1,
    )


async def end_to_end_cold(rounds: int) -> Row:
    """The same where each run starts a container of its own."""

    async def rest() -> None:
        """Nothing goes on between the turns."""

    async with running(DOCKER_WARM="0") as local:
        ours, rival = await _in_turns(local, rounds, rest)
    ratio = statistics.median(ours) / statistics.median(rival)
    return Row(
        "The same with `CRONIUM_DOCKER_WARM=0`",
        _ms(ours),
        _ms(rival) + " `docker run --rm`",
        f"{ratio:.2f} ×",
        "–",
        None,
    )


async def _in_turns(
    local: Local, rounds: int, rest: Callable[[], Awaitable[None]]
) -> tuple[list[float], list[float]]:
    profile = seccomp_file()
    ours, rival = [], []
    for number in range(rounds + 2):
        begin = time.perf_counter()
        await (await local.start("echo hi")).result()
        mine = time.perf_counter() - begin
        await rest()
        theirs = await docker_run("echo hi", profile)
        if number >= 2:  # the first two warm both
            ours.append(mine)
            rival.append(theirs)
    return ours, rival


async def our_share(local: Local, rounds: int) -> Row:
    """Worker pick-up to the script's first instruction, against the bare engine."""
    with tempfile.TemporaryDirectory() as directory:
        bare = Bare(Path(directory))
        ours, rival = [], []
        for number in range(rounds + 2):
            mine = await _first_instruction(local)
            await local.rest()
            theirs = await bare.first_instruction(FIRST_INSTRUCTION)
            if number >= 2:
                ours.append(mine)
                rival.append(theirs)
        bare.engine.close()
    share = (statistics.median(ours) - statistics.median(rival)) * 1000
    return Row(
        "Pick-up to first act, p50 (p95)",
        _ms(ours),
        _ms(rival) + " bare create + attach + start",
        f"{share:+.0f} ms",
        "≤ 25 ms",
        share <= 25,
    )


async def _first_instruction(local: Local) -> float:
    handle = await local.start(FIRST_INSTRUCTION)
    picked_up = printed = 0.0
    async for line in local.lines(handle):
        if line.stream is Stream.SYSTEM and not picked_up:
            picked_up = line.timestamp.timestamp()
        elif line.stream is Stream.STDOUT:
            printed = float(line.text)
    await handle.result()
    return printed - picked_up


async def latency(local: Local, seconds: int) -> Row:
    """Write in the script to arrival at a subscriber, at 1000 lines a second."""
    handle = await local.start(STEADY % (seconds * 1000), type="python")
    delays = []
    async for line in local.lines(handle):
        if line.stream is Stream.STDOUT:
            delays.append(time.time() - float(line.text))
    p50, p99 = percentile(delays, 0.5) * 1000, percentile(delays, 0.99) * 1000
    return Row(
        f"Line latency at 1000 lines/s, p50 / p99 of {len(delays)}",
        f"{p50:.1f} / {p99:.1f} ms",
        "–",
        "–",
        "p99 ≤ 100 ms",
        p99 <= 100 and len(delays) == seconds * 1000,
    )


async def throughput(local: Local, lines: int) -> Row:
    """Lines a second from one script through worker and gateway to a subscriber."""
    handle = await local.start(BURST % lines, type="python")
    seen = 0
    begin = end = 0.0
    async for batch in local.batches(handle):
        count = sum(line.stream is Stream.STDOUT for line in batch)
        if count and not begin:
            begin = time.perf_counter()
        if count:
            end = time.perf_counter()
        seen += count
    rate = seen / (end - begin)
    return Row(
        f"Lines a second, {lines:,} lines of 60 bytes",
        f"{rate:,.0f} /s, {lines - seen} lost",
        "–",
        "–",
        "≥ 20,000 /s, none lost",
        rate >= 20_000 and seen == lines,
    )


async def many(local: Local, runs: int) -> Row:
    """Short runs side by side: is every line there."""
    gate = asyncio.Semaphore(8)

    async def once() -> int:
        async with gate:
            handle = await local.start("echo hi")
            result = await handle.result()
            found = [line.text async for line in local.lines(handle)]
            return int(result.exit_code == 0 and found.count("hi") == 1)

    begin = time.perf_counter()
    good = sum(await asyncio.gather(*(once() for _ in range(runs))))
    rate = runs / (time.perf_counter() - begin)
    return Row(
        f"{runs} runs of `echo hi`, 8 at a time",
        f"{good} of {runs} lines, {rate:.1f} runs/s",
        "–",
        "–",
        "all lines",
        good == runs,
    )


async def flood(local: Local) -> Row:
    """What a flood costs the worker in memory."""
    before = local.memory_mb("worker")
    for script in ("timeout 10 yes; true", "head -c 200M /dev/zero | tr '\\0' x"):
        await (await local.start(script)).result()
    after = local.memory_mb("worker")
    return Row(
        "`yes` for 10 s, then a 200 MB line: worker's peak memory",
        f"{after:.0f} MB (before: {before:.0f})",
        "–",
        "–",
        "bounded",
        after < before + 200,
    )


def _ms(values: list[float]) -> str:
    middle, high = statistics.median(values) * 1000, percentile(values, 0.95) * 1000
    return f"{middle:.0f} ({high:.0f}) ms"
