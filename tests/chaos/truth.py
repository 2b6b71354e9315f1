"""Facts about a run: what it wrote, what arrived, how often it ran, what is left.

Nothing here is measured against an impression. The script says beforehand what it will
write; the daemon says how many containers there were; the log has numbers on every
line. Each function returns the deviations as sentences, none when all is well.
"""

import asyncio
import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path
from typing import Any

import docker

from contracts import names
from contracts.results import ExecutionResult, Status
from engines.docker.rundir import WARM_PREFIX
from engines.docker.standby import is_warm
from logstream.spool import RECORDS_NAME, SUFFIX
from tests.chaos.plant import JANITOR_INTERVAL, PATIENCE, Plant, Run
from tests.chaos.scripts import Numbered

Line = dict[str, Any]
Try = tuple[str, int, int]
"""Target, attempt and dispatch: the lines of one start of a script."""

# A run whose workflow is over is nobody's after 30 s; then the janitor comes.
LEFTOVER_SECONDS = 30.0 + 10 * JANITOR_INTERVAL


def broken_numbers(log: Iterable[Line]) -> list[str]:
    """Check that `seq` counts all lines, and `streamSeq` those of each stream."""
    found = []
    upcoming = 1
    streams: dict[tuple[Any, ...], int] = defaultdict(int)
    for line in log:
        if line["seq"] != upcoming:
            found.append(f"seq {line['seq']} stands where {upcoming} should be")
        upcoming = line["seq"] + 1
        stream = (*try_of(line), line["stream"])
        wanted = streams[stream] + max(1, line["dropped"])
        if line["streamSeq"] != wanted:
            found.append(f"{stream}: number {line['streamSeq']} instead of {wanted}")
        streams[stream] = line["streamSeq"]
    return found


def wrong_text(log: Iterable[Line], script: Numbered, starts: int = 1) -> list[str]:
    """Check that each start wrote what the script writes, and the last one all of it.

    Args:
        log: The lines of one target.
        script: What ran.
        starts: How often it may have written anything.
    """
    tries: dict[Try, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for line in log:
        if line["stream"] != "system":
            tries[try_of(line)][line["stream"]].append(line["text"])
    if len(tries) != starts:
        return [f"{len(tries)} starts wrote lines, {starts} should have"]
    found = []
    *broken_off, last = [tries[key] for key in sorted(tries)]
    for name, wanted in (("stdout", script.stdout), ("stderr", script.stderr)):
        if digest(last[name]) != digest(wanted):
            found.append(f"{name} differs: {difference(last[name], wanted)}")
        found += [
            f"{name} of an earlier start is no beginning of the script's output"
            for earlier in broken_off
            if earlier[name] != wanted[: len(earlier[name])]
        ]
    return found


def wrong_result(result: ExecutionResult, script: Numbered) -> list[str]:
    """Check status, exit code and counted lines of a script that came to its end."""
    status = Status.SUCCESS if script.code == 0 else Status.FAILURE
    found = []
    if (result.status, result.exit_code) != (status, script.code):
        found.append(
            f"the result is {result.status} {result.exit_code} ({result.error}) "
            f"instead of {status} {script.code}"
        )
    wanted = len(script.stdout) + len(script.stderr)
    if result.logs.lines != wanted:
        found.append(f"the result counts {result.logs.lines} lines, not {wanted}")
    if result.logs.dropped_lines:
        found.append(f"{result.logs.dropped_lines} lines were dropped")
    return found


def wrong_containers(plant: Plant, execution: str, wanted: int = 1) -> list[str]:
    """Check how often a script was started, and that no container was made twice."""
    found = []
    starts = plant.watch.of(execution, "start")
    if len(starts) != wanted:
        found.append(f"{len(starts)} containers were started instead of {wanted}")
    made = Counter(event.run_key for event in plant.watch.of(execution, "create"))
    # A container that was made and never started may be replaced by another dispatch,
    # whose key is another one.
    found += [f"{n} containers were made for {key}" for key, n in made.items() if n > 1]
    return found


def leftovers(plant: Plant) -> dict[str, list[str]]:
    """Return what exists of the plant's runs: kind → names."""
    client = docker.APIClient(base_url=f"unix://{plant.socket}", version="auto")
    filters = {"label": f"{names.LABEL_INSTANCE}={plant.instance}"}
    try:
        containers = client.containers(all=True, filters=filters)
        networks = client.networks(filters=filters)
    finally:
        client.close()
    return {
        # What waits for a run is no leftover of one.
        "containers": [
            name
            for entry in containers
            if not is_warm(name := entry["Names"][0].lstrip("/"))
        ],
        # The egress network of the instance is no leftover of a run.
        "networks": [n["Name"] for n in networks if "-egress-" not in n["Name"]],
        "run directories": [
            name for name in entries(plant.run_dir) if not name.startswith(WARM_PREFIX)
        ],
        "states of channels": entries(plant.state / "channels"),
        "spool files": [
            name
            for name in entries(plant.state / "spool")
            if name.endswith(SUFFIX) and name != RECORDS_NAME + SUFFIX
        ],
    }


async def check(
    plant: Plant, run: Run, *, seconds: float = PATIENCE, starts: int = 1
) -> ExecutionResult:
    """Wait for a run's result and hold it against every fact.

    Args:
        plant: Where it runs.
        run: What was started.
        seconds: How long its result may take.
        starts: How many containers are right; more than 1 only for idempotent events.

    Raises:
        AssertionError: With all deviations and the evidence.
    """
    result = await plant.result(run, seconds)
    try:
        log = await plant.caller.logs(run.execution, 30)
    except TimeoutError:
        await complain(plant, run.execution, ["the log is not complete within 30 s"])
    await complain(
        plant,
        run.execution,
        broken_numbers(log)
        + wrong_text(log, run.script, starts)
        + wrong_result(result, run.script)
        + wrong_containers(plant, run.execution, starts),
    )
    return result


async def nothing_left(plant: Plant, seconds: float = LEFTOVER_SECONDS) -> None:
    """Wait until no trace of any run is left.

    Raises:
        AssertionError: Something stays.
    """
    deadline = asyncio.get_running_loop().time() + seconds
    while True:
        found = await asyncio.to_thread(leftovers, plant)
        kept = {
            kind: new
            for kind, items in found.items()
            if (new := [item for item in items if item not in plant.litter])
        }
        if not kept:
            return
        if asyncio.get_running_loop().time() > deadline:
            keys = [event.execution for event in plant.watch.events[-1:]]
            await complain(plant, *keys, [f"left over after {seconds:g} s: {kept}"])
        await asyncio.sleep(0.2)


async def complain(plant: Plant, execution: str, problems: list[str]) -> None:
    """Fail with the evidence when there are problems."""
    if problems:
        told = "\n".join(f"* {problem}" for problem in problems[:10])
        raise AssertionError(f"{told}\n\n{await plant.evidence(execution)}")


def try_of(line: Line) -> Try:
    """Return which start of the script a line belongs to."""
    return line["target"], line["attempt"], line.get("dispatch", 1)


def digest(lines: list[str]) -> str:
    """Return the SHA-256 of lines joined to one text."""
    return hashlib.sha256("".join(f"{line}\n" for line in lines).encode()).hexdigest()


def difference(seen: list[str], wanted: list[str]) -> str:
    """Say where two lists of lines part, and what is missing or doubled."""
    place = next(
        (i for i, (a, b) in enumerate(zip(seen, wanted, strict=False)) if a != b),
        min(len(seen), len(wanted)),
    )
    doubled = sum(len(list(g)) - 1 for _, g in groupby(sorted(seen)))
    missing = len(set(wanted) - set(seen))
    return (
        f"{len(seen)} lines instead of {len(wanted)}, {missing} missing, {doubled} "
        f"doubled; from line {place + 1}: {seen[place : place + 3]} instead of "
        f"{wanted[place : place + 3]}"
    )


def entries(directory: Path) -> list[str]:
    """Return the names in a directory, none when it does not exist."""
    return sorted(p.name for p in directory.iterdir()) if directory.is_dir() else []
