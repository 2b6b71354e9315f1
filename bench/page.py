"""docs/performance.md: a head, and a section for each group of measurements."""

import datetime
import os
import platform
import re
from pathlib import Path

import docker
from rich.console import Console
from rich.table import Table

from bench.measures import Row

PAGE = Path(__file__).parents[1] / "docs" / "performance.md"
COLUMNS = ("What", "Ours", "Instead", "Compared", "To reach", "Reached")
QUIET_LOAD = 1.0


def put_head(rows: list[Row], meaning: str, load: float) -> None:
    """Write the page anew, with what was measured first."""
    engine = docker.from_env().version()["Version"]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    PAGE.write_text(
        "# Performance\n\n"
        f"By `make bench`: {os.cpu_count()} cores, {memory:.0f} GiB, "
        f"Linux {platform.release().split('-')[0]}, Docker Engine {engine}. "
        f"{_when(load)}\n\n{_markdown(rows)}\n{meaning}"
    )


def put_section(title: str, rows: list[Row], meaning: str, load: float) -> None:
    """Put a section at the end of the page, in the place of an older one."""
    section = f"## {title}\n\n{_when(load)}\n\n{_markdown(rows)}\n{meaning}"
    page = re.sub(
        rf"\n## {re.escape(title)}\n.*?(?=\n## |\Z)", "", PAGE.read_text(), flags=re.S
    )
    PAGE.write_text(f"{page.rstrip()}\n\n{section}")


def show(rows: list[Row]) -> None:
    """Print the rows."""
    table = Table(*COLUMNS)
    for row in rows:
        table.add_row(*_cells(row))
    Console(width=150).print(table)


def reached(rows: list[Row]) -> bool:
    """Whether nothing that was to be reached was missed."""
    return all(row.reached is not False for row in rows)


def _cells(row: Row) -> tuple[str, ...]:
    reached = {True: "yes", False: "no", None: "–"}[row.reached]
    return row.name, row.ours, row.rival, row.compared, row.target, reached


def _markdown(rows: list[Row]) -> str:
    lines = (COLUMNS, ("---",) * len(COLUMNS), *map(_cells, rows))
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _when(load: float) -> str:
    busy = "" if load <= QUIET_LOAD else f", on a busy machine (load {load:.1f})"
    return f"Measured on {datetime.date.today()}{busy}."
