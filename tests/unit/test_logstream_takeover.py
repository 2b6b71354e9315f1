"""A log that one worker began and another ends has every line once."""

from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.logs import LineBatch, Stream
from logstream import Redactor, RunLog, SpoolDirectory
from tests.unit.test_logstream_runlog import MoodySpool, assert_no_hole, log_into

PLAIN = 1 << 20
SOURCES = (Stream.STDOUT, Stream.STDERR)


def written_by(script: int) -> dict[Stream, bytes]:
    out = b"".join(b"out %d %s\n" % (n, b"x" * (n % 17)) for n in range(script))
    err = b"".join(b"err %d\n" % n for n in range(script // 3)) + b"no newline"
    return {Stream.STDOUT: out, Stream.STDERR: err}


def pieces(
    source: dict[Stream, bytes], sizes: list[int]
) -> Iterator[tuple[Stream, bytes]]:
    """Both streams in turns, cut at the sizes."""
    position = dict.fromkeys(source, 0)
    turn = 0
    while any(position[s] < len(source[s]) for s in source):
        size = sizes[turn % len(sizes)]
        stream = SOURCES[(turn // 2 + turn) % 2]
        turn += 1
        data = source[stream][position[stream] : position[stream] + size]
        position[stream] += len(data)
        if data:
            yield stream, data


@settings(max_examples=150, deadline=None)
@given(
    cap=st.sampled_from([150, 700, 3000, PLAIN]),
    script=st.integers(0, 90),
    lives=st.lists(
        st.tuples(
            st.integers(0, 120),
            st.lists(st.integers(1, 90), min_size=1, max_size=4),
            st.booleans(),
        ),
        max_size=3,
    ),
    last=st.lists(st.integers(1, 90), min_size=1, max_size=4),
)
def test_whoever_dies_when_the_log_is_whole(
    cap: int,
    script: int,
    lives: list[tuple[int, list[int], bool]],
    last: list[int],
) -> None:
    spool, source = MoodySpool(), written_by(script)
    for reads, sizes, full in lives:
        spool.refuses = full
        log = log_into(spool, cap)
        for number, (stream, data) in enumerate(pieces(source, sizes)):
            if number >= reads:
                break  # the worker dies here
            log.feed(stream, data)
    spool.refuses = False
    log = log_into(spool, cap)
    for stream, data in pieces(source, last):
        log.feed(stream, data)
    counts = log.close()
    assert_no_hole(spool.taken, counts)
    assert counts.lines == sum(len(data.splitlines()) for data in source.values())
    if cap == PLAIN and not any(full for _, _, full in lives):
        assert texts(spool.taken) == {
            stream: data.decode().splitlines() for stream, data in source.items()
        }


def texts(found: list[LineBatch]) -> dict[Stream, list[str]]:
    result: dict[Stream, list[str]] = {stream: [] for stream in SOURCES}
    for batch in found:
        if batch.stream in result:
            result[batch.stream] += batch.lines
    return result


def test_the_numbers_of_notices_go_on(tmp_path: Path) -> None:
    first = SpoolDirectory(tmp_path).open("run")
    log = log_into(first, PLAIN)
    log.notice("try 1/1")
    log.feed(Stream.STDOUT, b"one\ntwo\nhalf a li")
    second = SpoolDirectory(tmp_path).open("run")
    log = log_into(second, PLAIN)
    log.notice("taken over")
    log.feed(Stream.STDOUT, b"one\ntwo\nhalf a line\n")
    counts = log.close()
    found = [
        (record["stream"], record["firstSeq"], record["lines"])
        for _, payload in second.read(0, PLAIN)
        for record in [orjson.loads(payload)]
    ]
    assert found == [
        ("system", 1, ["try 1/1"]),
        ("stdout", 1, ["one", "two"]),
        ("system", 2, ["taken over"]),
        ("stdout", 3, ["half a line"]),
    ]
    assert (counts.lines, counts.stored) == (3, 5)
    assert counts.last_lines == ["one", "two", "half a line"]


def test_a_secret_that_was_half_read_is_masked_by_the_next_worker() -> None:
    spool, secret = MoodySpool(), "correct-horse-battery"
    for end in (12, None):
        log = RunLog(
            execution_id="x",
            target="local",
            attempt=1,
            spool=spool,  # type: ignore[arg-type]
            redactor=Redactor([secret]),
        )
        log.feed(Stream.STDOUT, f"key {secret}\n".encode()[:end])
    log.close()
    assert texts(spool.taken)[Stream.STDOUT] == ["key ***"]


@pytest.mark.parametrize("cursor", [0, 3, 40])
def test_output_that_the_engine_no_longer_has_is_said_to_be_missing(
    cursor: int,
) -> None:
    spool = MoodySpool()
    log = log_into(spool, PLAIN)
    log.feed(Stream.STDOUT, b"a\nb\nc\n")
    log = log_into(spool, PLAIN)
    log.skip_to({"stdout": cursor})
    log.feed(Stream.STDOUT, b"much later\n")
    counts = log.close()
    assert_no_hole(spool.taken, counts)
    assert counts.lines == max(cursor, 3) + 1
    assert counts.dropped_lines == max(cursor, 3) - 3
    assert texts(spool.taken)[Stream.STDOUT][-1] == "much later"
