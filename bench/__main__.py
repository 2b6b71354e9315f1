"""`make bench`: measure, print the table, and write docs/performance.md."""

import argparse
import asyncio
import os
from collections.abc import Awaitable, Callable
from functools import partial

from rich.console import Console

from bench import calls, measures, page, replays
from bench.local import Local, running
from bench.measures import Row
from worker.exit import leave

Work = Callable[[], Awaitable[Row]]

MEANING = """
The rival and ours run in turns, so that noise of the machine meets both. *Start to
result* is what a client waits: Temporal, our worker, the sandbox and the log, with the
same image and limits as the rival has (its removal included; ours follows the result).
A run takes over a sandbox that was started in advance; the next one is made before the
rival's turn, so that neither pays for it. Runs that follow each other without a pause
wait for it, and come near to the second row, where each starts a container of its own.
*Pick-up to first act* is the time from the moment the worker has the task to the time
that the script prints as its first act, against create, attach and start by the SDK
with the same body. *Line latency* is from the script's clock to a WebSocket subscriber.
*Lines a second* are counted at a subscriber. *Helper calls* are measured by the script
itself, in turns `input`, `progress`, `get_variable` and `increment_variable`; the last
two go on to the gateway and its database. In Bash the first call starts a relay, which
those that are measured go through. *Start of Python* is `python -c pass` against import
and first use of the helper, in the sandbox. *Workflow code* is a recorded history gone
through by the SDK: as workers do, and in the sandbox that our tests run it in, which
imports it for each run ([Changing workflows](changing-workflows.md)). All parts, the
measuring too, share the machine.
"""


def works(local: Local, quick: bool) -> dict[str, Work]:
    """Return all measurements by name, in the order of the table."""
    rounds, count = (10, 100) if quick else (40, 800)
    lines, runs = (100_000, 100) if quick else (400_000, 1000)
    found: dict[str, Work] = {
        "end to end": lambda: measures.end_to_end(local, rounds),
        "each its own container": lambda: measures.end_to_end_cold(rounds),
        "our share": lambda: measures.our_share(local, rounds),
        "latency": lambda: measures.latency(local, 5 if quick else 20),
        "throughput": lambda: measures.throughput(local, lines),
    }
    for kind in calls.SCRIPTS:
        found[f"calls in {kind}"] = partial(calls.call_latency, local, kind, count)
    return found | {
        "import": lambda: calls.import_cost(local, rounds),
        "many runs": lambda: measures.many(local, runs),
        "flood": lambda: measures.flood(local),
        "workflow code": lambda: replays.workflow_code(rounds),
    }


async def measure(quick: bool, only: str = "") -> list[Row]:
    """Run all measurements; about 5 minutes, or 1 when quick.

    Args:
        quick: Fewer rounds.
        only: What the names of the measurements to run begin with.
    """
    console = Console(stderr=True)
    rows = []
    async with running() as local:
        for name, work in works(local, quick).items():
            if not name.startswith(only):
                continue
            with console.status(name):
                rows.append(await work())
            console.print(f"{name}: {rows[-1].ours} {rows[-1].compared}")
    return rows


def main() -> int:
    """Measure and report; 1 when a target was missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds, no page")
    parser.add_argument(
        "--only",
        metavar="NAME",
        default="",
        help="only measurements whose names begin like this, no page",
    )
    chosen = parser.parse_args()
    load = os.getloadavg()[0]
    rows = asyncio.run(measure(chosen.quick, chosen.only))
    if not rows:
        parser.error("no measurement has such a name; `calls in bash` is one")
    page.show(rows)
    if not (chosen.quick or chosen.only):
        page.put_head(rows, MEANING, load)
    return 0 if page.reached(rows) else 1


if __name__ == "__main__":
    leave(main())
