"""Where the command prints: results to stdout, everything else to stderr."""

import sys
from collections.abc import Iterable

import rich.box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.sanitising import neutralise


def notes() -> Console:
    """Return the console for tables, spinners and remarks: stderr."""
    return Console(stderr=True, highlight=False, soft_wrap=False)


def answers() -> Console:
    """Return the console for what was asked for: stdout."""
    return Console(highlight=False)


def note(text: str) -> None:
    """Say something to the person in front; not part of any output."""
    print(text, file=sys.stderr, flush=True)


def safe(value: object, style: str = "") -> Text:
    """Return foreign words as text that is neither markup nor control sequence."""
    lines = str(value).splitlines() or [""]
    return Text("\n".join(neutralise(line, colours=False) for line in lines), style)


def table(columns: Iterable[str], *, title: str | None = None) -> Table:
    """Return an empty table in our style."""
    made = Table(title=title, box=rich.box.SIMPLE, title_justify="left", pad_edge=False)
    for column in columns:
        # An id is there to be copied: it is never cut.
        made.add_column(column, no_wrap=column == "Execution", overflow="fold")
    return made


def facts(rows: Iterable[tuple[str, Text]]) -> Table:
    """Return a table of names and values without a head."""
    made = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    made.add_column(style="bold", no_wrap=True)
    made.add_column(overflow="fold")
    for name, value in rows:
        made.add_row(name, value)
    return made
