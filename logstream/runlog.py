"""All lines of one start of a script: redacted, split, numbered, capped and spooled."""

import time
from collections import deque
from collections.abc import Callable
from typing import Any

from contracts import limits
from contracts.logs import Stream
from contracts.results import LogCounts
from logstream.flood import Dropped, Flood
from logstream.lines import LINE_OVERHEAD_BYTES, Splitter, to_text
from logstream.redact import Redactor
from logstream.spool import Spool, encode
from logstream.written import Written, read_written

BATCH_LINES = 2000
BATCH_BYTES = 64 * limits.KIB
HEAD_SHARE = 0.75
"""How much of the cap is for the beginning; the rest keeps the end."""
TAIL_LINE_CHARS = 160
SOURCES = (Stream.STDOUT, Stream.STDERR)
OWN = (Stream.SYSTEM, Stream.LOG)


class RunLog:
    """Takes the output of one try and hands numbered records to a spool.

    Args:
        execution_id: Whose log it is.
        target: Which target of the execution.
        attempt: Which try, from 1.
        dispatch: How often the target was sent out, from 1.
        spool: Where the records go. What is in it is not written again: the output is
            expected from its first byte.
        redactor: Knows the run's secrets.
        cap_bytes: How much is kept; about 16 bytes are added per line.
        clock: Seconds since 1970.
    """

    def __init__(
        self,
        *,
        execution_id: str,
        target: str,
        attempt: int,
        dispatch: int = 1,
        spool: Spool,
        redactor: Redactor,
        cap_bytes: int = limits.DEFAULT_LOG_CAP_BYTES,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._head = {
            "kind": "lines",
            "executionId": execution_id,
            "target": target,
            "attempt": attempt,
            "dispatch": dispatch,
        }
        self._spool = spool
        self._redactor = redactor
        self._streams = {source: redactor.stream() for source in SOURCES}
        self._splitters = {source: Splitter() for source in SOURCES}
        self._next = dict.fromkeys(Stream, 1)
        self._taken = dict.fromkeys(SOURCES, 0)
        self._written = read_written(spool)
        for stream in OWN:
            # No source tells these again: they go on where they were.
            self._next[stream] += self._written.highest.get(stream, 0)
        self._cap = cap_bytes
        self._room = int(cap_bytes * HEAD_SHARE)
        self._flood: Flood | None = None
        if self._written.flood_at is not None:
            self._flood = Flood(self._flood_room)
        self._gaps: dict[Stream, int] = {}
        self._clock = clock
        self._lines = 0
        self._bytes = 0
        self._lost = Dropped(0, 0)
        self._stored = self._written.stored
        self._recent: deque[str] = deque(maxlen=limits.MAX_TAIL_LINES)
        self._final: LogCounts | None = None
        if redactor.too_short and not self._written.stored:
            self.notice(
                f"{redactor.too_short} secret(s) shorter than 4 characters are not "
                "masked in this log"
            )

    def feed(self, stream: Stream, data: bytes) -> None:
        """Take a piece of output. Never raises, never blocks the script."""
        if self._final is not None:
            return
        self._bytes += len(data)
        ready = self._streams[stream].feed(data)
        if ready:
            self._take(stream, ready)

    def notice(self, text: str) -> None:
        """Write a line of the executor's own."""
        if self._final is None:
            for line in self._redactor.text(text).splitlines():
                self._emit(Stream.SYSTEM, [line.encode("utf-8", "replace")])

    def say(self, text: str, data: dict[str, Any]) -> None:
        """Write a structured line of the script.

        Args:
            text: How people read it; one line.
            data: What it was made from, a JSON object.
        """
        if self._final is not None:
            return
        line = self._redactor.text(" ".join(text.splitlines())).encode()
        line = line[: limits.MAX_LINE_BYTES]
        if self._flood is not None:
            self._next[Stream.LOG] += 1
            self._lose(Stream.LOG, [line])
            return
        self._emit(Stream.LOG, [line], data={0: self._redactor.value(data)})
        self._room -= 2 * len(line) + LINE_OVERHEAD_BYTES
        if self._room <= 0:
            self._begin_flood()

    def masked(self, text: str) -> str:
        """Return a text as it would stand in this log."""
        return self._redactor.text(text)[:TAIL_LINE_CHARS]

    @property
    def written(self) -> Written:
        """What was on disk when this log was opened."""
        return self._written

    @property
    def cursors(self) -> dict[str, int]:
        """Lines of the script read so far, by stream."""
        flooded = self._flood.lines() if self._flood else {}
        return {s.value: self._next[s] - 1 + flooded.get(s, 0) for s in SOURCES}

    @property
    def counts(self) -> LogCounts:
        """What was written so far."""
        if self._final is not None:
            return self._final
        dropped = self._flood.dropped() if self._flood else Dropped(0, 0)
        return LogCounts(
            lines=self._lines,
            bytes=self._bytes,
            dropped_lines=dropped.lines + self._lost.lines,
            dropped_bytes=dropped.bytes + self._lost.bytes,
            stored=self._stored,
            last_lines=_newest(self._recent, limits.MAX_LAST_LINES_BYTES),
        )

    @property
    def tail(self) -> list[str]:
        """The newest lines, short enough for a heartbeat."""
        return _newest(
            [line[:TAIL_LINE_CHARS] for line in self._recent], limits.MAX_TAIL_BYTES
        )

    def close(self) -> LogCounts:
        """Write what is left and say what was dropped; `complete` comes after it."""
        if self._final is not None:
            return self._final
        for source in SOURCES:
            rest = self._streams[source].flush()
            if rest:
                self._take(source, rest)
        if self._flood is not None:
            self._settle_flood(self._flood)
        for source in SOURCES:
            self._write_lines(source, self._splitters[source].flush())
        for stream in Stream:
            # The disk may have room again, and no line came to say it.
            self._say_gap(stream, self._next[stream])
        # From the numbers given, so that count and numbers can never disagree.
        written = sum(self._next[source] - 1 for source in SOURCES)
        final = self.counts.model_copy(update={"lines": written})
        self._final = final
        return final

    def complete(self) -> None:
        """Mark the spool as whole; once relayed it may be deleted."""
        self._spool.complete()

    def skip_to(self, cursors: dict[str, int]) -> None:
        """Go on behind lines that the source no longer has.

        Args:
            cursors: How many lines of each stream were read by an earlier worker.
        """
        for source in SOURCES:
            known = max(cursors.get(source, 0), self._written.highest.get(source, 0))
            gap = known - self._written.highest.get(source, 0)
            self._next[source] = known + 1
            self._lines += known
            if gap:
                self._gaps[source] = gap
                self._lost = Dropped(self._lost.lines + gap, self._lost.bytes)
        self.notice(
            "the engine's copy of the output had rotated while no worker was attached: "
            "lines before this point may be missing, and counts are a lower bound"
        )

    def _take(self, stream: Stream, data: bytes) -> None:
        known = self._written.flood_at
        if self._flood is not None and known is not None:
            # The cap was reached in an earlier life, and must be at the same place.
            head = max(0, known.get(stream, 0) - self._taken[stream])
            self._taken[stream] += len(data)
            if head:
                self._write_lines(stream, self._splitters[stream].feed(data[:head]))
            data = data[head:]
        if self._flood is not None:
            if data:
                self._lines += self._flood.add(stream, data)
            return
        self._taken[stream] += len(data)
        lines = self._splitters[stream].feed(data)
        if not lines:
            return
        self._write_lines(stream, lines)
        self._room -= sum(map(len, lines)) + LINE_OVERHEAD_BYTES * len(lines)
        if self._room <= 0:
            self._begin_flood()

    def _write_lines(self, stream: Stream, lines: list[bytes]) -> None:
        self._lines += len(lines)
        self._emit(stream, lines)

    @property
    def _flood_room(self) -> int:
        return self._cap - int(self._cap * HEAD_SHARE)

    def _begin_flood(self) -> None:
        flood = Flood(self._flood_room)
        begins = {}
        for source in SOURCES:
            # A line that has begun belongs to what is only counted.
            rest = b"".join(self._splitters[source].flush())
            begins[source.value] = self._taken[source] - len(rest)
            if rest:
                flood.add(source, rest)
        text = (
            f"the log reached its cap of {self._cap} bytes: from here on lines are "
            f"counted, and the last {self._flood_room} bytes are shown when the script "
            "has ended"
        )
        self._emit(Stream.SYSTEM, [text.encode()], floodAt=begins)
        self._flood = flood

    def _settle_flood(self, flood: Flood) -> None:
        rows = flood.settle()
        self._flood = None
        for stream, dropped, data in rows:
            if dropped.lines:
                self._lost = Dropped(
                    self._lost.lines + dropped.lines, self._lost.bytes + dropped.bytes
                )
                self._mark(stream, dropped)
            splitter = self._splitters[stream]
            lines = splitter.feed(data)
            self._emit(stream, lines)

    def _mark(self, stream: Stream, dropped: Dropped) -> None:
        text = f"[{dropped.lines} lines, {dropped.bytes} bytes left out: log cap]"
        first = self._next[stream]
        number = first + dropped.lines - 1
        self._next[stream] = number + 1
        known = self._written.highest.get(stream, 0)
        if number <= known:
            return
        covered = number - max(first - 1, known)
        if self._say_gap(stream, first) and self._append(
            stream, number, [text], dropped=covered
        ):
            self._stored += 1
        else:
            # Counted as lost already; only its number must be accounted for.
            self._gaps[stream] = self._gaps.get(stream, 0) + covered

    def _emit(self, stream: Stream, lines: list[bytes], **more: Any) -> None:
        for batch in _batches(lines):
            first = self._next[stream]
            self._next[stream] = first + len(batch)
            if stream in SOURCES:
                self._recent.extend(to_text(batch[-limits.MAX_TAIL_LINES :]).texts)
            batch, first = self._without_written(stream, batch, first)
            if not batch:
                continue
            decoded = to_text(batch)
            if self._say_gap(stream, first) and self._append(
                stream, first, decoded.texts, raw=decoded.raw, **more
            ):
                self._stored += len(batch)
            else:
                self._lose(stream, batch)

    def _without_written(
        self, stream: Stream, lines: list[bytes], first: int
    ) -> tuple[list[bytes], int]:
        """Leave out what is on disk already; what a mark there stands for is lost."""
        known = self._written.highest.get(stream, 0)
        if stream in OWN or first > known:
            return lines, first
        skipped = lines[: known - first + 1]
        lost = [
            line
            for number, line in enumerate(skipped, first)
            if self._written.lost(stream, number)
        ]
        if lost:
            self._lost = Dropped(
                self._lost.lines + len(lost), self._lost.bytes + sum(map(len, lost))
            )
        return lines[len(skipped) :], first + len(skipped)

    def _lose(self, stream: Stream, lines: list[bytes]) -> None:
        """Count what the disk did not take; the next record that fits says so."""
        self._gaps[stream] = self._gaps.get(stream, 0) + len(lines)
        self._lost = Dropped(
            self._lost.lines + len(lines), self._lost.bytes + sum(map(len, lines))
        )

    def _say_gap(self, stream: Stream, upcoming: int) -> bool:
        gap = self._gaps.get(stream, 0)
        if not gap:
            return True
        why = "no room for logs on the worker's disk"
        if stream is Stream.LOG:
            why = "log cap, or no room on the worker's disk"
        text = f"[{gap} lines left out: {why}]"
        if not self._append(stream, upcoming - 1, [text], dropped=gap):
            return False
        del self._gaps[stream]
        self._stored += 1
        return True

    def _append(
        self,
        stream: Stream,
        first: int,
        texts: list[str],
        **more: Any,
    ) -> bool:
        record: dict[str, Any] = {
            **self._head,
            "stream": stream,
            "firstSeq": first,
            "timestamp": self._clock(),
            "lines": texts,
        }
        record |= {name: value for name, value in more.items() if value}
        return self._spool.append(encode(record))


def _batches(lines: list[bytes]) -> list[list[bytes]]:
    """Cut lines into records of at most 2000 lines and about 64 KiB."""
    if len(lines) <= BATCH_LINES and sum(map(len, lines)) <= BATCH_BYTES:
        return [lines] if lines else []
    batches: list[list[bytes]] = [[]]
    size = 0
    for line in lines:
        if batches[-1] and (
            len(batches[-1]) >= BATCH_LINES or size + len(line) > BATCH_BYTES
        ):
            batches.append([])
            size = 0
        batches[-1].append(line)
        size += len(line)
    return batches


def _newest(lines: "deque[str] | list[str]", budget: int) -> list[str]:
    kept: list[str] = []
    for line in reversed(lines):
        cut = line.encode("utf-8", "replace")[:budget].decode("utf-8", "ignore")
        budget -= len(cut.encode())
        if cut != line and kept:
            break
        kept.append(cut)
        if budget <= 0:
            break
    return kept[::-1]
