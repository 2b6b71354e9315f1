"""`make bench`: measure, print the table, and write docs/performance.md."""

import argparse
import asyncio
import datetime
import os
import platform
from pathlib import Path

import docker
from rich.console import Console
from rich.table import Table

from bench import calls, measures
from bench.local import running
from bench.measures import Row
from worker.exit import leave

PAGE = Path(__file__).parents[1] / "docs" / "performance.md"
COLUMNS = ("What", "Ours", "Instead", "Compared", "To reach", "Reached")
QUIET_LOAD = 1.0
MEANING = """
The rival and ours run in turns, so that noise of the machine meets both. *Start to
result* is what a client waits: Temporal, our worker, the sandbox and the log, with the
same image and limits as the rival has (its removal included; ours follows the result).
*Pick-up to first act* is the time from the moment the worker has the task to the time
that the script prints as its first act, against create, attach and start by the SDK
with the same body. *Line latency* is from the script's clock to a WebSocket subscriber.
*Lines a second* are counted at a subscriber. *Helper calls* are measured by the script
itself, in turns `input`, `progress`, `get_variable` and `increment_variable`; the last
two go on to the gateway and its database. In Bash each call starts a program that
speaks HTTP. *Start of Python* is `python -c pass` against import and first use of the
helper, in the sandbox. All parts, the measuring too, share the machine.
"""


async def measure(quick: bool) -> list[Row]:
    """Run all measurements; about 5 minutes, or 1 when quick."""
    rounds = 10 if quick else 40
    console = Console(stderr=True)
    rows = []
    async with running() as local:
        for name, work in (
            ("end to end", lambda: measures.end_to_end(local, rounds)),
            ("our share", lambda: measures.our_share(local, rounds)),
            ("latency", lambda: measures.latency(local, 5 if quick else 20)),
            (
                "throughput",
                lambda: measures.throughput(local, 100_000 if quick else 400_000),
            ),
            *(
                (
                    f"calls in {kind}",
                    lambda kind=kind: calls.call_latency(
                        local, kind, 100 if quick else 800
                    ),
                )
                for kind in calls.SCRIPTS
            ),
            ("import", lambda: calls.import_cost(local, rounds)),
            ("many runs", lambda: measures.many(local, 100 if quick else 1000)),
            ("flood", lambda: measures.flood(local)),
        ):
            with console.status(name):
                rows.append(await work())
            console.print(f"{name}: {rows[-1].ours} {rows[-1].compared}")
    return rows


def cells(row: Row) -> tuple[str, ...]:
    """Return a row's texts."""
    reached = "yes" if row.reached else "no"
    return row.name, row.ours, row.rival, row.compared, row.target, reached


def page(rows: list[Row], command: str, load: float) -> str:
    """Return docs/performance.md."""
    engine = docker.from_env().version()["Version"]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    busy = "" if load <= QUIET_LOAD else f" The machine was busy (load {load:.1f})."
    table = "\n".join(
        "| " + " | ".join(line) + " |"
        for line in (COLUMNS, ("---",) * len(COLUMNS), *map(cells, rows))
    )
    return (
        "# Performance\n\n"
        f"Measured on {datetime.date.today()} by `{command}`: {os.cpu_count()} cores, "
        f"{memory:.0f} GiB, Linux {platform.release().split('-')[0]}, "
        f"Docker Engine {engine}.{busy}\n\n{table}\n{MEANING}"
    )


def main() -> int:
    """Measure and report; 1 when a target was missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds, no page")
    quick = parser.parse_args().quick
    load = os.getloadavg()[0]
    rows = asyncio.run(measure(quick))
    table = Table(*COLUMNS)
    for row in rows:
        table.add_row(*cells(row))
    Console().print(table)
    if not quick:
        PAGE.write_text(page(rows, "make bench", load))
    return 0 if all(row.reached for row in rows) else 1


if __name__ == "__main__":
    leave(main())
