"""The newest lines of the executions that somebody is looking at.

The store is the truth and a viewer reads it from its own cursor; what is kept here
only spares that reading for lines that were stored a moment ago. Nothing is kept for an
execution without viewers.
"""

import asyncio
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

import orjson

from contracts.limits import KIB, MIB
from contracts.results import Status

MAX_MESSAGE_LINES = 1_000
MAX_MESSAGE_CHARS = 256 * KIB
_MAX_KEPT_CHARS = 16 * MIB

LineRow = tuple[int, int, int, int, float, str, str | None, int, str | None]
"""A row of the table `lines`, in the order of its columns."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What a viewer must know of an execution besides its lines."""

    user: str
    status: Status
    status_at: float
    final_at: float | None
    """When the gateway stored the final status: seconds since 1970."""
    expected_lines: int


@dataclass(frozen=True, slots=True)
class Source:
    """Where the lines of a chunk come from."""

    target: str
    attempt: int
    dispatch: int
    stream: str


def line_fields(source: Source, row: LineRow) -> dict[str, object]:
    """Return one stored line with the wire names of a `LogLine`."""
    return {
        "seq": row[1],
        "target": source.target,
        "attempt": source.attempt,
        "dispatch": source.dispatch,
        "stream": source.stream,
        "streamSeq": row[3],
        "timestamp": datetime.fromtimestamp(row[4], UTC),
        "text": row[5],
        "raw": row[6],
        "dropped": row[7],
        "data": row[8] and orjson.Fragment(row[8]),
    }


@dataclass(slots=True)
class Chunk:
    """Consecutive lines of one source that were stored together."""

    source: Source
    rows: list[LineRow]
    chars: int = 0
    _encoded: bytes = b""

    def __post_init__(self) -> None:
        self.chars = sum(len(row[5]) for row in self.rows)

    @property
    def first(self) -> int:
        """`seq` of the first line."""
        return self.rows[0][1]

    @property
    def last(self) -> int:
        """`seq` of the last line."""
        return self.rows[-1][1]

    def encoded_from(self, seq: int) -> bytes:
        """Return the lines from `seq` on as JSON objects with commas between."""
        if seq > self.first:
            return self._encode(self.rows[seq - self.first :])
        # Encoded once, whatever the number of viewers.
        if not self._encoded:
            self._encoded = self._encode(self.rows)
        return self._encoded

    def _encode(self, rows: Sequence[LineRow]) -> bytes:
        fields = [line_fields(self.source, row) for row in rows]
        return orjson.dumps(fields, option=orjson.OPT_UTC_Z)[1:-1]


def lines_message(parts: Sequence[bytes]) -> str:
    """Return the JSON of a `ViewerLines` made of encoded lines."""
    return (b'{"type":"lines","lines":[' + b",".join(parts) + b"]}").decode()


@dataclass(slots=True)
class Channel:
    """What one execution's viewers share."""

    max_lines: int
    summary: Summary | None = None
    """None: the execution is not known (yet)."""
    last_seq: int = 0
    wakers: set[asyncio.Event] = field(default_factory=set)
    _chunks: deque[Chunk] = field(default_factory=deque)
    _lines: int = 0
    _chars: int = 0

    def publish(
        self, summary: Summary, last_seq: int, chunks: Sequence[Chunk] = ()
    ) -> None:
        """Take over what was just committed and wake the viewers."""
        self.summary, self.last_seq = summary, max(last_seq, self.last_seq)
        for chunk in chunks:
            self._chunks.append(chunk)
            self._lines += len(chunk.rows)
            self._chars += chunk.chars
        while self._chunks and (
            self._lines > self.max_lines or self._chars > _MAX_KEPT_CHARS
        ):
            oldest = self._chunks.popleft()
            self._lines -= len(oldest.rows)
            self._chars -= oldest.chars
        for waker in self.wakers:
            waker.set()

    def read(self, cursor: int) -> tuple[str, int] | None:
        """Return the next message for a viewer and its next cursor.

        None when the line at `cursor` is not kept here.
        """
        wanted: list[Chunk] = []
        # From the newest: that is where nearly all viewers are.
        for chunk in reversed(self._chunks):
            if chunk.last < cursor:
                break
            wanted.append(chunk)
            if chunk.first <= cursor:
                break
        if not wanted or wanted[-1].first > cursor:
            return None
        parts: list[bytes] = []
        lines = chars = 0
        for chunk in reversed(wanted):
            parts.append(chunk.encoded_from(cursor))
            lines, chars = lines + len(chunk.rows), chars + chunk.chars
            cursor = chunk.last + 1
            if lines >= MAX_MESSAGE_LINES or chars >= MAX_MESSAGE_CHARS:
                break
        return lines_message(parts), cursor


class Hub:
    """The channels of the executions that somebody is looking at."""

    def __init__(self, max_lines: int) -> None:
        self._max_lines = max_lines
        self._channels: dict[str, Channel] = {}

    def channel(self, execution_id: str) -> Channel | None:
        """Return the channel of an execution, or None when nobody looks at it."""
        return self._channels.get(execution_id)

    @contextmanager
    def attach(self, execution_id: str, waker: asyncio.Event) -> Iterator[Channel]:
        """Give the channel and have `waker` set at each change, until left."""
        channel = self._channels.setdefault(execution_id, Channel(self._max_lines))
        channel.wakers.add(waker)
        try:
            yield channel
        finally:
            channel.wakers.discard(waker)
            if not channel.wakers:
                del self._channels[execution_id]
