"""Print the lines of a log: coloured on a terminal, byte for byte into a pipe."""

import base64
import os
import sys
from collections.abc import Iterable
from itertools import groupby
from typing import BinaryIO

from cli.sanitising import neutralise
from contracts.logs import LogLine, Stream

RED, DIM, RESET = "\x1b[31m", "\x1b[2m", "\x1b[0m"


class LinePrinter:
    """Writes stdout lines to stdout, stderr and system lines to stderr.

    Each side is a terminal or not by itself. A terminal gets colours and nothing that
    could take it over; a pipe gets the script's own bytes and no decoration.

    Args:
        stdout: Where lines of stdout go; the process's own when None.
        stderr: Where the others go.
        colours: Whether a terminal gets colours of ours.
    """

    def __init__(
        self,
        stdout: BinaryIO | None = None,
        stderr: BinaryIO | None = None,
        *,
        colours: bool = True,
    ) -> None:
        self._sides: dict[bool, BinaryIO | None] = {
            True: stdout or sys.stdout.buffer,
            False: stderr or sys.stderr.buffer,
        }
        self._terminal = {
            side: output is not None and output.isatty()
            for side, output in self._sides.items()
        }
        self._colours = colours

    def print(self, lines: Iterable[LogLine]) -> None:
        """Print lines; a reader that has gone away is not an error."""
        for side, group in groupby(lines, _is_stdout):
            output = self._sides[side]
            if output is None:
                continue
            show = self._decorated if self._terminal[side] else _exact
            try:
                output.write(b"".join(show(line) + b"\n" for line in group))
                output.flush()
            except (BrokenPipeError, ConnectionResetError):
                self._sides[side] = None
                _silence(output)

    @property
    def reader_gone(self) -> bool:
        """Whether the reader of stdout has gone away."""
        return self._sides[True] is None

    def _decorated(self, line: LogLine) -> bytes:
        text = neutralise(line.text)
        if _is_notice(line):
            text = f"{DIM}· {text}{RESET}" if self._colours else f"· {text}"
        elif line.stream is Stream.STDERR and self._colours:
            text = f"{RED}{text}{RESET}"
        return text.encode("utf-8", "replace")


def _is_notice(line: LogLine) -> bool:
    return line.stream is Stream.SYSTEM or line.dropped > 0


def _is_stdout(line: LogLine) -> bool:
    return line.stream is Stream.STDOUT and not _is_notice(line)


def _exact(line: LogLine) -> bytes:
    if line.raw is not None:
        return base64.b64decode(line.raw)
    return line.text.encode("utf-8", "surrogateescape")


def _silence(output: BinaryIO) -> None:
    # Python flushes at exit once more and would complain about the pipe then.
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, output.fileno())
    os.close(null)
