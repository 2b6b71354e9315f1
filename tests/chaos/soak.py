"""`make soak`: an event a second, while worker, gateway and Temporal die in turn.

Afterwards every run is held against what it should have done, and what the processes
hold and what lies around is counted. Exit status 1 when anything is not as it should.
"""

import argparse
import asyncio
import datetime
import os
import platform
import random
import secrets
import signal
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import docker
from rich.console import Console
from rich.table import Table
from temporalio.service import RPCError

from contracts.results import Status
from tests.caller import event
from tests.chaos.plant import DOCKER_SOCKET, Plant, Run
from tests.chaos.processes import Part, Resources
from tests.chaos.scripts import FIRST_LINE, Numbered
from tests.chaos.truth import leftovers
from tests.pages import put_section
from worker.exit import leave
from worker.units import parse_duration

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
ASIDE = Console(stderr=True)
# Between two deaths: long enough that the part has come back and done some work.
CALM = (4.0, 10.0)
# For runs that were under way at the end, and for what follows them.
SETTLE_SECONDS = 180.0
LOG_SECONDS = 30.0
BAD = (
    "runs lost",
    "runs with a wrong result",
    "runs started twice",
    "lines lost",
    "lines doubled",
)


@dataclass
class Tally:
    """What was counted."""

    numbers: Counter[str] = field(default_factory=Counter)
    deaths: Counter[str] = field(default_factory=Counter)
    held: dict[str, tuple[Resources, Resources]] = field(default_factory=dict)
    left: dict[str, list[str]] = field(default_factory=dict)
    stories: list[str] = field(default_factory=list)
    """For each run that went wrong: which one, and how."""

    @property
    def good(self) -> bool:
        """Whether nothing was lost, doubled, run twice or left."""
        return not any(self.numbers[name] for name in BAD) and not any(
            self.left.values()
        )

    def rows(self) -> list[tuple[str, str]]:
        """Return the table."""
        counted = ("runs started", "runs finished", "lines written", *BAD)
        rows = [(name, str(self.numbers[name])) for name in counted]
        rows[1:1] = [
            (f"times {part} was ended ({how})", str(count))
            for (part, how), count in sorted(
                (tuple(key.split(" ")), count) for key, count in self.deaths.items()
            )
        ]
        for part, (first, last) in self.held.items():
            rows += [
                (
                    f"{part}: descriptors, first → last",
                    f"{first.descriptors} → {last.descriptors}",
                ),
                (
                    f"{part}: memory, first → last",
                    f"{first.memory:.0f} → {last.memory:.0f} MiB",
                ),
            ]
        return [
            *rows,
            *((f"left over: {kind}", str(len(n))) for kind, n in self.left.items()),
        ]


class Soak:
    """One soak.

    Args:
        plant: What is killed; all its parts run.
        seconds: How long events are started.
        dice: Chooses lengths, moments and signals.
    """

    def __init__(self, plant: Plant, seconds: float, dice: random.Random) -> None:
        self._plant = plant
        self._seconds = seconds
        self._dice = dice
        self._runs: list[Run] = []
        self.tally = Tally()

    async def run(self) -> Tally:
        """Start, kill, wait, count."""
        parts = {"worker": self._plant.worker, "gateway": self._plant.gateway}
        await self._plant.caller.run(event("echo warm"), execution_id="warm-up")
        first = {name: part.resources() for name, part in parts.items()}
        stop = asyncio.Event()
        killing = asyncio.ensure_future(self._kill(stop))
        await self._start_all()
        stop.set()
        await killing
        await self._plant.mend()
        ASIDE.print(f"{len(self._runs)} runs started; waiting for their ends")
        await self._judge_all()
        self.tally.left = await self._settled()
        self.tally.held = {n: (first[n], p.resources()) for n, p in parts.items()}
        return self.tally

    async def _start_all(self) -> None:
        begun = time.monotonic()
        starting: list[asyncio.Task[None]] = []
        for number in range(int(self._seconds)):
            starting.append(asyncio.create_task(self._start(number)))
            await asyncio.sleep(max(0.0, begun + number + 1 - time.monotonic()))
        await asyncio.gather(*starting)

    async def _start(self, number: int) -> None:
        script = Numbered(
            lines=self._dice.randint(1, 80), pause=0.05, code=self._dice.choice([0, 3])
        )
        while True:
            try:
                # The same id again: a start whose answer was lost is no second one.
                handle = await self._plant.caller.start(
                    event(script.text, timeoutSeconds=600),
                    execution_id=f"soak-{number}",
                )
            except RPCError:
                await asyncio.sleep(0.5)
            else:
                break
        self._runs.append(Run(handle, script))
        self.tally.numbers["runs started"] += 1

    async def _kill(self, stop: asyncio.Event) -> None:
        parts = (self._plant.worker, self._plant.gateway, self._plant.temporal)
        turn = 0
        while not await _set_within(stop, self._dice.uniform(*CALM)):
            part = parts[turn % len(parts)]
            turn += 1
            await self._end(part, self._dice.choice([signal.SIGKILL, signal.SIGTERM]))
            await part.start(wait=part is not self._plant.worker)

    async def _end(self, part: Part, number: signal.Signals) -> None:
        self.tally.deaths[f"{part.name} {number.name}"] += 1
        if number is signal.SIGKILL:
            part.kill()
        else:
            part.terminate()
            await part.ended(30)

    async def _judge_all(self) -> None:
        deadline = asyncio.get_running_loop().time() + SETTLE_SECONDS
        room = asyncio.Semaphore(8)

        async def one(run: Run) -> None:
            async with room:
                rest = deadline - asyncio.get_running_loop().time()
                found = await self._judge(run, max(1.0, rest))
            if found:
                self.tally.numbers.update(found)
                self.tally.stories.append(f"{run.execution}: {dict(found)}")

        await asyncio.gather(*map(one, self._runs))
        starts = self._plant.watch.starts()
        for run in self._runs:
            if starts[run.execution] > 1:
                self.tally.numbers["runs started twice"] += 1
                self.tally.stories.append(f"{run.execution}: {starts[run.execution]}×")

    async def _judge(self, run: Run, seconds: float) -> Counter[str]:
        """Count what is wrong with a run, and what is right."""
        wanted = [("stdout", text) for text in run.script.stdout]
        wanted += [("stderr", text) for text in run.script.stderr]
        self.tally.numbers["lines written"] += len(wanted)
        try:
            result = await self._plant.result(run, seconds)
        except AssertionError:
            return Counter({"runs lost": 1})
        self.tally.numbers["runs finished"] += 1
        wrong: Counter[str] = Counter()
        if result.status is Status.LOST:
            wrong["runs lost"] += 1
        elif result.exit_code != run.script.code:
            wrong["runs with a wrong result"] += 1
        try:
            log = await self._plant.caller.logs(run.execution, LOG_SECONDS)
        except TimeoutError:
            wrong["lines lost"] += len(wanted)
            return wrong
        seen = Counter((line["stream"], line["text"]) for line in log)
        theirs = Counter({key: n for key, n in seen.items() if key[0] != "system"})
        wrong["lines lost"] += (Counter(wanted) - theirs).total()
        wrong["lines doubled"] += (theirs - Counter(wanted)).total()
        if seen["stdout", FIRST_LINE] > 1:
            wrong["runs started twice"] += 1
        return +wrong

    async def _settled(self) -> dict[str, list[str]]:
        """Return what is left when nothing more goes away."""
        found: dict[str, list[str]] = {}
        async with asyncio.timeout(60):
            for _ in range(60):
                found = await asyncio.to_thread(leftovers, self._plant)
                if not any(found.values()):
                    break
                await asyncio.sleep(0.5)
        return found


async def _set_within(flag: asyncio.Event, seconds: float) -> bool:
    try:
        await asyncio.wait_for(flag.wait(), seconds)
    except TimeoutError:
        return False
    return True


async def soak(seconds: float, seed: int) -> Tally:
    """Run a plant of its own for some seconds."""
    with tempfile.TemporaryDirectory(prefix="cronium-soak-") as directory:
        plant = Plant(Path(directory) / "plant", wired=False)
        try:
            await plant.start()
            tally = await Soak(plant, seconds, random.Random(seed)).run()
            for story in tally.stories[:10]:
                ASIDE.print(story, highlight=False)
            if not tally.good and tally.stories:
                broken = tally.stories[0].partition(":")[0]
                ASIDE.print(await plant.evidence(broken), markup=False)
            return tally
        finally:
            await plant.stop()


def measured(tally: Tally, command: str) -> str:
    """Return the section of docs/reliability.md that a soak writes."""
    engine = docker.APIClient(base_url=f"unix://{DOCKER_SOCKET}").version()["Version"]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    rows = [("What", "Count"), ("---", "---:"), *tally.rows()]
    table = "\n".join(f"| {name} | {count} |" for name, count in rows)
    return (
        f"Measured on {datetime.date.today()} by `{command}`: {os.cpu_count()} cores, "
        f"{memory:.0f} GiB, Linux {platform.release().split('-')[0]}, "
        f"Docker Engine {engine}.\n\n{table}\n"
    )


def main() -> int:
    """Soak and report; 1 when anything was lost, doubled, run twice or left."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--duration", default="10m", help="such as 90s, 10m or 24h")
    parser.add_argument(
        "--seed",
        type=int,
        default=int(os.environ.get("CRONIUM_CHAOS_SEED") or secrets.randbelow(10**6)),
        help="repeats the choices of an earlier soak",
    )
    parser.add_argument(
        "--write", action="store_true", help="put the table into docs/reliability.md"
    )
    arguments = parser.parse_args()
    ASIDE.print(f"soak of {arguments.duration}, --seed {arguments.seed}")
    tally = asyncio.run(soak(parse_duration(arguments.duration), arguments.seed))
    table = Table("What", "Count")
    for row in tally.rows():
        table.add_row(*row)
    Console().print(table)
    if arguments.write:
        command = f"make soak DURATION={arguments.duration}"
        put_section(PAGE, "soak", measured(tally, command))
    return 0 if tally.good else 1


if __name__ == "__main__":
    leave(main())
