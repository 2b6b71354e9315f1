"""Bytes to lines: bounded, exact, and quick for what scripts usually print."""

import base64
from dataclasses import dataclass, field

from contracts.limits import MAX_LINE_BYTES

NUL_PICTURE = "\u2400"
# Besides its text a stored line costs about this much; counted so that a million empty
# lines reach the cap like a few long ones.
LINE_OVERHEAD_BYTES = 16


@dataclass(slots=True)
class Lines:
    """Consecutive lines as text, and the exact bytes where text cannot hold them."""

    texts: list[str]
    raw: dict[int, str] = field(default_factory=dict)


class Splitter:
    """Cuts one stream into lines; one longer than 64 KiB becomes several.

    At most one line is in memory, whatever the script writes. The lines are the same
    however the output is cut into chunks.
    """

    def __init__(self, limit: int = MAX_LINE_BYTES) -> None:
        self._limit = limit
        self._partial = b""

    def feed(self, data: bytes) -> list[bytes]:
        """Return the lines that are complete now, without their ends.

        A line ends with a newline; a carriage return directly before it is a part of
        the end, and any other one a part of the line.
        """
        data = self._partial + data
        if b"\r" in data:
            data = data.replace(b"\r\n", b"\n")
        pieces = data.split(b"\n")
        self._partial = pieces.pop()
        limit = self._limit
        if len(self._partial) > limit or any(len(p) > limit for p in pieces):
            return self._cut(pieces)
        return pieces

    def flush(self) -> list[bytes]:
        """Return the last line when it came without a newline."""
        rest, self._partial = self._partial, b""
        return _slices(rest, self._limit) if rest else []

    def _cut(self, pieces: list[bytes]) -> list[bytes]:
        limit = self._limit
        lines = [line for piece in pieces for line in _slices(piece, limit)]
        # Whether a carriage return at the end is a part of the line is not known yet,
        # and a line that has exactly the limit must not be followed by an empty one.
        known = len(self._partial.removesuffix(b"\r"))
        whole = max(0, known - 1) // limit * limit
        lines += [self._partial[i : i + limit] for i in range(0, whole, limit)]
        self._partial = self._partial[whole:]
        return lines


def _slices(line: bytes, limit: int) -> list[bytes]:
    return [line[i : i + limit] for i in range(0, len(line), limit)] or [line]


def to_text(lines: list[bytes]) -> Lines:
    """Return lines as text, and as exact bytes those that text cannot hold."""
    if not lines:
        return Lines([])
    joined = b"\n".join(lines)
    if b"\0" not in joined:
        try:
            # The usual case: one call for all lines.
            return Lines(joined.decode().split("\n"))
        except UnicodeDecodeError:
            pass
    result = Lines([])
    for index, line in enumerate(lines):
        text, exact = _decode(line)
        if not exact:
            result.raw[index] = base64.b64encode(line).decode()
        result.texts.append(text)
    return result


def _decode(line: bytes) -> tuple[str, bool]:
    try:
        text, exact = line.decode(), True
    except UnicodeDecodeError:
        text, exact = line.decode(errors="replace"), False
    if "\0" in text:
        return text.replace("\0", NUL_PICTURE), False
    return text, exact
