"""Where the command prints: results to stdout, everything else to stderr."""

import sys
from collections.abc import Iterable
from typing import TextIO

import rich.box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.sanitising import neutralise

PIPE_WIDTH = 200


def notes() -> Console:
    """Return the console for tables, spinners and remarks: stderr."""
    return Console(stderr=True, highlight=False, width=_width(sys.stderr))


def answers() -> Console:
    """Return the console for what was asked for: stdout."""
    return Console(highlight=False, width=_width(sys.stdout))


def note(text: str) -> None:
    """Say something to the person in front; not part of any output."""
    print(text, file=sys.stderr, flush=True)


def below_interrupt(text: str) -> str:
    """Return what is said after Ctrl-C: a terminal has written `^C` on the line."""
    return "\n" + text if sys.stderr.isatty() else text


def safe(value: object, style: str = "") -> Text:
    """Return foreign words as text that is neither markup nor control sequence."""
    lines = str(value).splitlines() or [""]
    return Text("\n".join(neutralise(line, colours=False) for line in lines), style)


def table(
    columns: Iterable[str],
    *,
    title: str | None = None,
    fold: Iterable[str] = (),
    cut: Iterable[str] = (),
) -> Table:
    """Return an empty table in our style.

    Args:
        columns: Heads of the columns.
        title: What stands above.
        fold: Columns that go on in the next line when there is no room.
        cut: Columns of single words that end with `…` when there is no room.
    """
    made = Table(
        title=title,
        box=rich.box.SIMPLE,
        title_justify="left",
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    for column in columns:
        made.add_column(
            column,
            no_wrap=column not in (*fold, *cut),
            overflow="ellipsis" if column in cut else "fold",
        )
    return made


def facts(rows: Iterable[tuple[str, Text]]) -> Table:
    """Return a table of names and values without a head."""
    made = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    made.add_column(style="bold", no_wrap=True)
    made.add_column(overflow="fold")
    for name, value in rows:
        made.add_row(name, value)
    return made


def _width(stream: TextIO) -> int | None:
    # Rich takes 80 columns where there is no terminal; grep wants whole lines.
    return None if stream.isatty() else PIPE_WIDTH
