"""What happens above the log cap: count everything, keep the newest.

Chunks are kept whole and counted with C speed; only what is left at the end is cut into
lines. So a script that prints without end costs neither memory nor much time.
"""

from collections import deque
from dataclasses import dataclass

from contracts.logs import Stream
from logstream.lines import LINE_OVERHEAD_BYTES


@dataclass(slots=True)
class _Chunk:
    stream: Stream
    data: bytes
    lines: int


@dataclass(frozen=True, slots=True)
class Dropped:
    """What was left out of one stream."""

    lines: int
    bytes: int


class Flood:
    """The newest output above the cap, and the count of what came before it.

    Args:
        keep_bytes: How much to keep.
    """

    def __init__(self, keep_bytes: int) -> None:
        self._keep = keep_bytes
        self._chunks: deque[_Chunk] = deque()
        self._size = 0
        self._dropped: dict[Stream, Dropped] = {}
        self._cut: set[Stream] = set()
        """Streams whose newest dropped byte is in the middle of a line."""

    def add(self, stream: Stream, data: bytes) -> int:
        """Keep a chunk, drop the oldest; return how many newlines came."""
        lines = data.count(b"\n")
        self._chunks.append(_Chunk(stream, data, lines))
        self._size += _weight(data, lines)
        while self._size > self._keep and len(self._chunks) > 1:
            self._drop_oldest()
        return lines

    def lines(self) -> dict[Stream, int]:
        """Return how many newlines came, by stream."""
        found = {stream: lost.lines for stream, lost in self._dropped.items()}
        for chunk in self._chunks:
            found[chunk.stream] = found.get(chunk.stream, 0) + chunk.lines
        return found

    def dropped(self) -> Dropped:
        """Return what was left out so far, of all streams."""
        return Dropped(
            sum(counts.lines for counts in self._dropped.values()),
            sum(counts.bytes for counts in self._dropped.values()),
        )

    def settle(self) -> list[tuple[Stream, Dropped, bytes]]:
        """Return per stream what was dropped and the kept data after it.

        The kept data begins with a whole line: the rest of a line whose beginning was
        dropped is dropped with it.
        """
        kept: dict[Stream, list[bytes]] = {}
        for chunk in self._chunks:
            kept.setdefault(chunk.stream, []).append(chunk.data)
        self._chunks.clear()
        result = []
        for stream in sorted({*kept, *self._dropped}):
            lost = self._dropped.get(stream, Dropped(0, 0))
            data = b"".join(kept.get(stream, []))
            if stream in self._cut:
                head, newline, data = data.partition(b"\n")
                size = lost.bytes + len(head) + len(newline)
                lost = Dropped(lost.lines + 1, size)
            result.append((stream, lost, data))
        return result

    def _drop_oldest(self) -> None:
        chunk = self._chunks.popleft()
        self._size -= _weight(chunk.data, chunk.lines)
        lost = self._dropped.get(chunk.stream, Dropped(0, 0))
        self._dropped[chunk.stream] = Dropped(
            lost.lines + chunk.lines, lost.bytes + len(chunk.data)
        )
        if chunk.data.endswith(b"\n"):
            self._cut.discard(chunk.stream)
        else:
            self._cut.add(chunk.stream)


def _weight(data: bytes, lines: int) -> int:
    return len(data) + lines * LINE_OVERHEAD_BYTES
