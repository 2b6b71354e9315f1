"""`python -m bench.servers`: the measurements over SSH.

`make bench` has it write its section of docs/performance.md after the others. By hand
it also measures other sizes, for the slopes that docs/scale.md plans with.
"""

import argparse
import asyncio
import os

from rich.console import Console

from bench import page, ssh, ssh_rivals
from bench.fleet import running_fleet
from bench.local import running
from bench.measures import Row
from worker.exit import leave

COUNT, ROUNDS, POOLED_ROUNDS = 200, 3, 40
TITLE = "Scripts on servers"


async def measure(
    count: int = COUNT,
    rounds: int = ROUNDS,
    *,
    rivals: bool = True,
) -> tuple[list[Row], str]:
    """Return the rows and what they mean; about 4 minutes for 200 servers."""
    console = Console(stderr=True)
    if rivals:
        ssh_rivals.install()
    with running_fleet(count) as fleet:
        memory = await ssh.memory(fleet)
        await ssh.warm_up(fleet)
        async with running(**ssh.settings(fleet)) as local:
            turns = ssh.in_turns(local, fleet, rounds, rivals=rivals)
            async for seen in turns:
                shown = {
                    name: f"{times[-1]:.1f} s" for name, times in seen.times.items()
                }
                console.print(f"{count} servers: {shown}")
            console.print({k: f"{seen.cpu_ms(k):.1f} ms" for k in seen.cpu})
            memory_mb = local.memory_mb("worker")
        pooled = await ssh.pooled(fleet, POOLED_ROUNDS)
        console.print(f"worker's peak memory: {memory_mb:.0f} MB")
        return [*ssh.rows(seen, count), pooled, memory], ssh.meaning(seen, fleet)


def main() -> int:
    """Measure and print; 1 when a target was missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--servers", type=int, default=COUNT)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--alone", action="store_true", help="no tools from PyPI")
    parser.add_argument("--write", action="store_true", help="write the page's section")
    arguments = parser.parse_args()
    load = os.getloadavg()[0]
    rows, meaning = asyncio.run(
        measure(arguments.servers, arguments.rounds, rivals=not arguments.alone)
    )
    if arguments.write:
        page.put_section(TITLE, rows, meaning, load)
    page.show(rows)
    Console(width=150).print(meaning)
    return 0 if page.reached(rows) else 1


if __name__ == "__main__":
    leave(main())
