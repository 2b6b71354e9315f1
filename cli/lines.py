"""Print the lines of a log: coloured on a terminal, byte for byte into a pipe."""

import base64
import os
import sys
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import BinaryIO
from zlib import crc32

from cli.sanitising import neutralise
from contracts.logs import LogLine, Stream
from contracts.names import LOCAL_TARGET

RED, YELLOW, DIM, RESET = "\x1b[31m", "\x1b[33m", "\x1b[2m", "\x1b[0m"
LEVEL_COLOURS = {"error": RED, "warning": YELLOW, "debug": DIM}
# A progress line stays on its row until something else is printed.
WIPE = b"\r\x1b[2K"
BAR_CELLS = 20
MAX_BAR_TEXT = 56
# Red and dim have a meaning already.
SERVER_COLOURS = (32, 33, 34, 35, 36, 92, 93, 94, 95, 96)
MAX_PREFIX = 24


class LinePrinter:
    """Writes stdout lines to stdout; stderr, structured and system lines to stderr.

    Each side is a terminal or not by itself. A terminal gets colours and nothing that
    could take it over; a pipe gets the script's own bytes and no decoration, but for
    the name of the server in front of each line where several write.

    Args:
        stdout: Where lines of stdout go; the process's own when None.
        stderr: Where the others go.
        colours: Whether a terminal gets colours of ours.
        names: Targets whose lines come; with less than two no name is shown. None:
            not known, so that names are shown but for a container's.
    """

    def __init__(
        self,
        stdout: BinaryIO | None = None,
        stderr: BinaryIO | None = None,
        *,
        colours: bool = True,
        names: Sequence[str] | None = None,
    ) -> None:
        self._named = names is None or len(names) > 1
        self._width = max(map(len, names or [""]))
        self._sides: dict[bool, BinaryIO | None] = {
            True: stdout or sys.stdout.buffer,
            False: stderr or sys.stderr.buffer,
        }
        self._terminal = {
            side: output is not None and output.isatty()
            for side, output in self._sides.items()
        }
        self._colours = colours
        self._bar: LogLine | None = None

    def print(self, lines: Iterable[LogLine]) -> None:
        """Print lines; a reader that has gone away is not an error."""
        for side, group in groupby(lines, _is_stdout):
            shown = [line for line in group if not self._is_bar(line)]
            if shown:
                self._wipe_bar()
                show = self._decorated if self._terminal[side] else _exact
                self._write(
                    side,
                    b"".join(
                        self._prefix(line, side) + show(line) + b"\n" for line in shown
                    ),
                )
        if self._bar is not None:
            self._write(False, WIPE + _bar(self._bar, self._colours))

    def close(self) -> None:
        """Leave the row of a progress line behind, at the end of the log."""
        self._wipe_bar()

    def _is_bar(self, line: LogLine) -> bool:
        if not self._terminal[False] or "progress" not in (line.data or {}):
            return False
        if self._is_named(line):
            return False  # Bars of many servers would wipe each other.
        self._bar = line
        return True

    def _is_named(self, line: LogLine) -> bool:
        return self._named and line.target != LOCAL_TARGET

    def _prefix(self, line: LogLine, side: bool) -> bytes:
        """Return the server's name in a colour of its own, the same in every run."""
        if not self._is_named(line):
            return b""
        name = neutralise(line.target, colours=False)
        self._width = min(MAX_PREFIX, max(self._width, len(name)))
        text = f"{name:<{self._width}} |"
        if self._terminal[side] and self._colours:
            colour = SERVER_COLOURS[crc32(name.encode()) % len(SERVER_COLOURS)]
            text = f"\x1b[{colour}m{text}{RESET}"
        return f"{text} ".encode("utf-8", "replace")

    def _wipe_bar(self) -> None:
        if self._bar is not None:
            self._bar = None
            self._write(False, WIPE)

    def _write(self, side: bool, data: bytes) -> None:
        output = self._sides[side]
        if output is None:
            return
        try:
            output.write(data)
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
        elif line.stream is Stream.LOG and self._colours:
            colour = LEVEL_COLOURS.get(str((line.data or {}).get("level")))
            text = f"{colour}{text}{RESET}" if colour else text
        return text.encode("utf-8", "replace")


def _is_notice(line: LogLine) -> bool:
    return line.stream is Stream.SYSTEM or line.dropped > 0


def _is_stdout(line: LogLine) -> bool:
    return line.stream is Stream.STDOUT and not _is_notice(line)


def _bar(line: LogLine, colours: bool) -> bytes:
    """Return a progress line: a bar, the share, and what the script says."""
    fraction = (line.data or {}).get("progress", {}).get("fraction")
    text = neutralise(line.text, colours=False)[:MAX_BAR_TEXT]
    if isinstance(fraction, int | float):
        full = round(min(1.0, max(0.0, fraction)) * BAR_CELLS)
        text = f"{'━' * full}{'╌' * (BAR_CELLS - full)} {text}"
    return (f"{DIM}{text}{RESET}" if colours else text).encode("utf-8", "replace")


def _exact(line: LogLine) -> bytes:
    if line.raw is not None:
        return base64.b64decode(line.raw)
    return line.text.encode("utf-8", "surrogateescape")


def _silence(output: BinaryIO) -> None:
    # Python flushes at exit once more and would complain about the pipe then.
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, output.fileno())
    os.close(null)
