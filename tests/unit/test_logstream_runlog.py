"""A run's log stays honest whatever is printed and whenever the disk refuses."""

from pathlib import Path

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.limits import MAX_LINE_BYTES
from contracts.logs import LineBatch, Stream
from contracts.results import LogCounts
from logstream import Redactor, RunLog, Spool, SpoolDirectory


class MoodySpool:
    """Takes or refuses records as a disk that is full now and then."""

    def __init__(self) -> None:
        self.payloads: list[bytes] = []
        self.refuses = False
        self.completed = 0

    def append(self, payload: bytes) -> bool:
        if not self.refuses:
            self.payloads.append(payload)
        return not self.refuses

    @property
    def taken(self) -> list[LineBatch]:
        return [LineBatch.model_validate(orjson.loads(p)) for p in self.payloads]

    def read(self, offset: int, budget: int) -> list[tuple[int, bytes]]:
        return list(enumerate(self.payloads[offset:], offset + 1))

    def complete(self) -> None:
        self.completed += 1


def log_into(spool: object, cap: int) -> RunLog:
    assert isinstance(spool, MoodySpool | Spool)
    return RunLog(
        execution_id="x",
        target="local",
        attempt=1,
        spool=spool,  # type: ignore[arg-type]
        redactor=Redactor([]),
        cap_bytes=cap,
    )


def assert_no_hole(found: list[LineBatch], counts: LogCounts) -> None:
    """Each number is the one before it plus what its entry stands for."""
    last = dict.fromkeys(Stream, 0)
    kept = dropped = entries = 0
    for batch in found:
        for index in range(len(batch.lines)):
            number = batch.first_seq + index
            assert number == last[batch.stream] + max(1, batch.dropped)
            last[batch.stream] = number
            entries += 1
            if batch.stream is not Stream.SYSTEM and not batch.dropped:
                kept += 1
        if batch.stream is not Stream.SYSTEM:
            dropped += batch.dropped
    assert counts.lines == last[Stream.STDOUT] + last[Stream.STDERR] == kept + dropped
    assert counts.stored == entries


@given(
    st.lists(
        st.tuples(
            st.sampled_from([Stream.STDOUT, Stream.STDERR]),
            st.text("ab\n", max_size=300).map(str.encode),
            st.booleans(),
        ),
        max_size=30,
    ),
    st.sampled_from([200, 1000, 1 << 20]),
)
@settings(max_examples=400, deadline=None)
def test_no_number_is_missing_when_the_disk_refuses_now_and_then(
    pieces: list[tuple[Stream, bytes, bool]], cap: int
) -> None:
    spool = MoodySpool()
    log = log_into(spool, cap)
    for stream, data, refuses in pieces:
        spool.refuses = refuses
        log.feed(stream, data)
    # The disk has room again before the run ends.
    spool.refuses = False
    counts = log.close()
    assert_no_hole(spool.taken, counts)
    assert counts.bytes == sum(len(data) for _, data, _ in pieces)


def test_a_gap_at_the_very_end_is_said() -> None:
    spool = MoodySpool()
    log = log_into(spool, 1 << 20)
    log.feed(Stream.STDOUT, b"one\n")
    spool.refuses = True
    log.feed(Stream.STDOUT, b"two\nthree\n")
    spool.refuses = False
    counts = log.close()
    assert [batch.dropped for batch in spool.taken] == [0, 2]
    assert_no_hole(spool.taken, counts)
    assert (counts.lines, counts.dropped_lines, counts.dropped_bytes) == (3, 2, 8)


def test_a_disk_that_never_takes_anything_ends_well() -> None:
    spool = MoodySpool()
    spool.refuses = True
    log = log_into(spool, 500)
    for _ in range(100):
        log.feed(Stream.STDOUT, b"lost line\n")
    counts = log.close()
    assert (counts.lines, counts.stored) == (100, 0)
    assert counts.dropped_lines >= 100
    assert counts.last_lines[-1] == "lost line"


def test_closing_twice_completes_the_spool_once() -> None:
    spool = MoodySpool()
    log = log_into(spool, 500)
    assert log.close() is log.close()
    assert spool.completed == 0
    log.complete()
    assert spool.completed == 1


@pytest.mark.parametrize("size", [MAX_LINE_BYTES, MAX_LINE_BYTES + 1])
def test_a_line_is_cut_above_64_kilobytes_and_not_before(
    size: int, tmp_path: Path
) -> None:
    spool = MoodySpool()
    log = log_into(spool, 1 << 20)
    log.feed(Stream.STDOUT, b"x" * size + b"\n")
    counts = log.close()
    lengths = [len(line) for batch in spool.taken for line in batch.lines]
    assert lengths == [MAX_LINE_BYTES, 1][: 1 + (size > MAX_LINE_BYTES)]
    assert counts.lines == len(lengths)


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"x\r\ny\r", ["x", "y\r"]),
        (b"\r", ["\r"]),
        (
            b"x" * (MAX_LINE_BYTES - 1) + b"\ry\n",
            ["x" * (MAX_LINE_BYTES - 1) + "\r", "y"],
        ),
        (b"x" * MAX_LINE_BYTES + b"\ry", ["x" * MAX_LINE_BYTES, "\ry"]),
        (b"x" * MAX_LINE_BYTES + b"\r", ["x" * MAX_LINE_BYTES, "\r"]),
        (b"x" * MAX_LINE_BYTES + b"\r\n", ["x" * MAX_LINE_BYTES]),
    ],
)
def test_a_carriage_return_is_lost_only_before_a_newline(
    data: bytes, lines: list[str]
) -> None:
    for step in (len(data), 32 * 1024, MAX_LINE_BYTES, MAX_LINE_BYTES + 1):
        spool = MoodySpool()
        log = log_into(spool, 1 << 20)
        for start in range(0, len(data), step):
            log.feed(Stream.STDOUT, data[start : start + step])
        counts = log.close()
        assert [line for batch in spool.taken for line in batch.lines] == lines
        assert_no_hole(spool.taken, counts)


def test_counts_while_it_runs_agree_with_the_end() -> None:
    spool = MoodySpool()
    log = log_into(spool, 1000)
    for number in range(500):
        log.feed(Stream.STDOUT, b"line %d\n" % number)
        assert log.counts.lines == number + 1
    before = log.counts
    after = log.close()
    assert after.lines == before.lines == 500
    assert after.dropped_lines == before.dropped_lines > 0


def test_a_real_spool_and_a_real_log_agree(tmp_path: Path) -> None:
    spool = SpoolDirectory(tmp_path).open("run")
    log = log_into(spool, 2000)
    for _ in range(300):
        log.feed(Stream.STDERR, b"0123456789\n")
    counts = log.close()
    found = [
        LineBatch.model_validate_json(payload)
        for _, payload in spool.read(0, 1 << 20)
        if payload
    ]
    assert_no_hole(found, counts)
    log.complete()
    assert spool.completed


def test_a_structured_line_may_hold_a_number_of_any_size(tmp_path: Path) -> None:
    spool = SpoolDirectory(tmp_path).open("run")
    log = log_into(spool, 2000)
    log.say("INFO many", {"fields": {"n": 2**70}})
    log.say("INFO next", {})
    assert log.close().stored == 2
    found = [
        LineBatch.model_validate_json(payload)
        for _, payload in spool.read(0, 1 << 20)
        if payload
    ]
    assert [batch.first_seq for batch in found] == [1, 2]
    assert found[0].data == {0: {"fields": {"n": 2**70}}}
