"""What a spool already holds of a run, for a worker that goes on with it.

A run that is taken over is read again from its first byte. Lines are numbered by
counting, so each gets the number it had before, and those that are written already are
left out: nothing is lost between two workers, and nothing comes twice.
"""

from dataclasses import dataclass, field
from typing import Any

import orjson

from contracts.limits import MIB
from contracts.logs import Stream
from logstream.spool import Spool


@dataclass(slots=True)
class Written:
    """The records of one run that are on disk."""

    highest: dict[Stream, int] = field(default_factory=dict)
    """The last stream number that is accounted for."""
    stored: int = 0
    """Entries: lines, notices and drop marks."""
    gaps: dict[Stream, list[range]] = field(default_factory=dict)
    """Stream numbers that drop marks stand for."""
    flood_at: dict[Stream, int] | None = None
    """Where the cap was reached: bytes of each stream before that; None: not yet."""
    first_timestamp: float | None = None
    """When the first line of the script itself was read: seconds since 1970."""

    def take(self, record: dict[str, Any]) -> None:
        """Count one record."""
        stream, first = Stream(record["stream"]), record["firstSeq"]
        count, dropped = len(record["lines"]), record.get("dropped", 0)
        last = first + count - 1
        self.highest[stream] = max(last, self.highest.get(stream, 0))
        self.stored += count
        if dropped:
            covered = range(first - dropped + 1, first + 1)
            self.gaps.setdefault(stream, []).append(covered)
        if "floodAt" in record:
            self.flood_at = {Stream(k): v for k, v in record["floodAt"].items()}
        if self.first_timestamp is None and stream is not Stream.SYSTEM:
            self.first_timestamp = record["timestamp"]

    def lost(self, stream: Stream, number: int) -> bool:
        """Whether a drop mark stands for this line."""
        return any(number in gap for gap in self.gaps.get(stream, ()))


def read_written(spool: Spool) -> Written:
    """Return what a spool holds."""
    written, offset = Written(), 0
    while records := spool.read(offset, MIB):
        for _, payload in records:
            if payload:
                written.take(orjson.loads(payload))
        offset = records[-1][0]
    return written
