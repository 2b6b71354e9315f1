"""The worker's half of the log way: masked, cut, numbered, capped, on disk."""

import base64
import itertools
import json
import re
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from contracts.limits import MAX_LINE_BYTES, MIB
from contracts.logs import ExecutionRecord, LineBatch, Stream
from contracts.results import LogCounts, Status
from logstream import Redactor, RunLog, Spool, SpoolDirectory
from logstream.lines import Splitter, to_text
from logstream.spool import HEADER

SECRET = 'hunter2"/+ü pass'
PEM = "-----BEGIN KEY-----\nMIIEvQIBADANBgkq\nhkiG9w0BAQEFAASC\n-----END KEY-----"


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """Cut data at some places."""
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[a:b] for a, b in itertools.pairwise(edges)]


def masked(secrets: list[str], chunks: list[bytes]) -> bytes:
    stream = Redactor(secrets).stream()
    return b"".join([*(stream.feed(chunk) for chunk in chunks), stream.flush()])


FORMS = [
    SECRET.encode(),
    base64.b64encode(SECRET.encode()),
    base64.b64encode(b"user:" + SECRET.encode() + b"!"),
    base64.b64encode(b"u:" + SECRET.encode() + b"!"),
    base64.urlsafe_b64encode(b"xy" + SECRET.encode()),
    quote(SECRET, safe="").encode(),
    quote(SECRET, safe="").lower().encode(),
    json.dumps(SECRET).encode(),
    json.dumps(SECRET, ensure_ascii=False).encode(),
    SECRET.encode().hex().encode(),
]


@pytest.mark.parametrize("form", FORMS)
@given(places=st.lists(st.integers(0, 500), max_size=8))
@settings(max_examples=30, deadline=None)
def test_no_form_of_a_secret_passes_however_it_is_cut(
    form: bytes, places: list[int]
) -> None:
    text = b"before " + form + b" after\n"
    out = masked([SECRET], cut(text, places))
    assert out == masked([SECRET], [text])
    assert b"***" in out
    core = form.strip(b'"=')[4:-4]
    assert core not in out
    assert out.startswith(b"before ")
    assert out.endswith(b" after\n")


@given(places=st.lists(st.integers(0, 500), max_size=8))
@settings(max_examples=50, deadline=None)
def test_of_two_secrets_that_begin_alike_nothing_is_left(places: list[int]) -> None:
    text = b"x abcd abcdefgh ababab y"
    out = masked(["abcd", "abcdefgh", "abab"], cut(text, places))
    assert out == b"x *** *** ***ab y"


@given(places=st.lists(st.integers(0, 200), max_size=6))
@settings(max_examples=50, deadline=None)
def test_a_key_with_several_lines_is_masked_whole_and_by_line(
    places: list[int],
) -> None:
    out = masked([PEM], cut(PEM.encode() + b"\n", places))
    assert out == b"***\n"
    assert masked([PEM], [b"  hkiG9w0BAQEFAASC \n"]) == b"  *** \n"


@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=5))
@settings(max_examples=50, deadline=None)
def test_what_is_not_secret_is_untouched(data: bytes, places: list[int]) -> None:
    assert masked([], cut(data, places)) == data


def test_a_complete_line_is_never_held_back() -> None:
    stream = Redactor(["password"]).stream()
    assert stream.feed(b"my pass\n") == b"my pass\n"
    assert stream.feed(b"pass") == b""
    assert stream.feed(b"word\n") == b"***\n"


def test_short_secrets_are_counted_and_said(tmp_path: Path) -> None:
    redactor = Redactor(["abc", "long enough", ""])
    assert redactor.too_short == 1
    log, spool = run_log(tmp_path, redactor=redactor)
    log.close()
    assert "shorter than 4" in batches(spool)[0].lines[0]


@given(
    st.lists(st.sampled_from([b"a", b"bcd", b"\r", b"\n", b"\0", b"\xff", b"\xc3"])),
    st.lists(st.integers(0, 100), max_size=8),
)
@example([b"abcdefgh", b"\r", b"\n"], [8, 9])
@example([b"abcdefgh" * 2, b"\n"], [16])
@settings(max_examples=1000, deadline=None)
def test_the_lines_as_they_were_cut_are_the_bytes_of_the_source(
    tokens: list[bytes], places: list[int]
) -> None:
    limit = 8
    source = b"".join(tokens)
    splitter = Splitter(limit)
    lines = [line for chunk in cut(source, places) for line in splitter.feed(chunk)]
    lines += splitter.flush()
    decoded = to_text(lines)
    rest = source
    for index, text in enumerate(decoded.texts):
        raw = decoded.raw.get(index)
        line = text.encode() if raw is None else base64.b64decode(raw)
        assert len(line) <= limit
        assert rest.startswith(line)
        rest = rest[len(line) :]
        ending = re.match(rb"\r?\n", rest)
        if ending:
            # A carriage return before the newline is the ending's, never the line's.
            assert ending[0] == b"\r\n" or not line.endswith(b"\r")
            rest = rest[ending.end() :]
        else:
            assert line
            assert len(line) == limit or not rest
    assert not rest


def test_text_keeps_what_it_can_and_raw_keeps_the_rest() -> None:
    lines = to_text(
        [b"plain", "ü€".encode(), b"nul\0", b"bad\xff", b"10%\r99%\r", b"\x1b[31m"]
    )
    assert lines.texts == ["plain", "ü€", "nul␀", "bad\ufffd", "10%\r99%\r", "\x1b[31m"]
    assert {i: base64.b64decode(raw) for i, raw in lines.raw.items()} == {
        2: b"nul\0",
        3: b"bad\xff",
    }


def run_log(
    path: Path, cap: int = 16 * MIB, redactor: Redactor | None = None
) -> tuple[RunLog, Spool]:
    spool = SpoolDirectory(path).open("run")
    log = RunLog(
        execution_id="x",
        target="local",
        attempt=1,
        spool=spool,
        redactor=redactor or Redactor([]),
        cap_bytes=cap,
    )
    return log, spool


def batches(spool: Spool) -> list[LineBatch]:
    found, offset = [], 0
    while records := spool.read(offset, 1 << 20):
        for end, payload in records:
            offset = end
            if payload:
                found.append(LineBatch.model_validate_json(payload))
    return found


def numbers(found: list[LineBatch], stream: Stream) -> Iterator[tuple[int, int]]:
    """The numbers of a stream's entries, and how many each stands for."""
    for batch in found:
        if batch.stream is stream:
            for index in range(len(batch.lines)):
                yield batch.first_seq + index, max(1, batch.dropped)


def assert_honest(found: list[LineBatch], counts: LogCounts) -> None:
    """Numbers have no hole, and the counts agree with them."""
    total = 0
    for stream in (Stream.STDOUT, Stream.STDERR):
        last = 0
        for number, stands_for in numbers(found, stream):
            assert number == last + stands_for
            last = number
        total += last
    assert counts.lines == total
    assert counts.stored == sum(len(batch.lines) for batch in found)
    dropped = sum(batch.dropped for batch in found)
    assert counts.dropped_lines == dropped


def test_streams_are_numbered_apart_and_the_last_line_needs_no_newline(
    tmp_path: Path,
) -> None:
    log, spool = run_log(tmp_path)
    log.notice("begin")
    log.feed(Stream.STDOUT, b"a\nb\n")
    log.feed(Stream.STDERR, b"e\n")
    log.feed(Stream.STDOUT, b"c")
    counts = log.close()
    assert log.close() == counts
    log.feed(Stream.STDOUT, b"too late\n")
    found = batches(spool)
    assert_honest(found, counts)
    out = [line for b in found if b.stream is Stream.STDOUT for line in b.lines]
    assert out == ["a", "b", "c"]
    assert counts.last_lines == ["a", "b", "e", "c"]
    assert (counts.lines, counts.bytes, counts.stored) == (4, 7, 5)


@pytest.mark.parametrize("chunk", [1, 7, 4096, 100_000])
def test_above_the_cap_head_and_tail_are_kept_and_the_rest_is_counted(
    chunk: int, tmp_path: Path
) -> None:
    count = 3000 if chunk == 1 else 30_000
    data = b"".join(b"line %d\n" % i for i in range(1, count + 1))
    log, spool = run_log(tmp_path, cap=20_000)
    for start in range(0, len(data), chunk):
        log.feed(Stream.STDOUT, data[start : start + chunk])
    counts = log.close()
    found = batches(spool)
    assert_honest(found, counts)
    assert counts.lines == count
    kept = [
        line
        for b in found
        if b.stream is Stream.STDOUT and not b.dropped
        for line in b.lines
    ]
    assert kept[0] == "line 1"
    if chunk < 100_000:
        assert kept[-1] == f"line {count}"
        assert counts.dropped_lines == count - len(kept) > 0
    assert sum(map(len, kept)) < 2 * 20_000 + chunk


def test_both_streams_of_a_flood_stay_honest(tmp_path: Path) -> None:
    log, spool = run_log(tmp_path, cap=10_000)
    for i in range(5_000):
        log.feed(Stream.STDOUT if i % 3 else Stream.STDERR, b"out %d\nhalf" % i)
    assert log.counts.dropped_bytes > 0
    counts = log.close()
    assert_honest(batches(spool), counts)


def test_a_million_empty_lines_are_counted_and_cheap(tmp_path: Path) -> None:
    log, spool = run_log(tmp_path)
    for _ in range(100):
        log.feed(Stream.STDOUT, b"\n" * 10_000)
    counts = log.close()
    assert counts.lines == 1_000_000
    assert_honest(batches(spool), counts)
    assert spool.size < 20 * MIB


def test_a_line_without_end_needs_little_memory(tmp_path: Path) -> None:
    log, spool = run_log(tmp_path)
    chunk = b"x" * 65_536
    tracemalloc.start()
    for _ in range(800):
        log.feed(Stream.STDOUT, chunk)
    counts = log.close()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert counts.bytes == 800 * 65_536
    assert peak < 40 * MIB
    assert_honest(batches(spool), counts)
    assert max(len(line) for b in batches(spool) for line in b.lines) <= MAX_LINE_BYTES


def test_a_full_disk_leaves_an_honest_gap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, spool = run_log(tmp_path)
    log.feed(Stream.STDOUT, b"one\n")
    real = Spool.append
    monkeypatch.setattr(Spool, "append", lambda self, payload: False)
    log.feed(Stream.STDOUT, b"two\nthree\n")
    monkeypatch.setattr(Spool, "append", real)
    log.feed(Stream.STDOUT, b"four\n")
    counts = log.close()
    found = batches(spool)
    assert_honest(found, counts)
    assert "2 lines left out" in found[1].lines[0]
    assert found[-1].lines == ["four"]


def test_the_tail_is_small_enough_for_a_heartbeat(tmp_path: Path) -> None:
    log, _ = run_log(tmp_path)
    for i in range(100):
        log.feed(Stream.STDOUT, b"%d " % i + "ü".encode() * 500 + b"\n")
    assert 1 <= len(log.tail) <= 20
    assert sum(len(line.encode()) for line in log.tail) <= 2048
    assert log.tail[-1].startswith("99 ")


def test_a_secret_is_in_no_part_of_the_log(tmp_path: Path) -> None:
    log, spool = run_log(tmp_path, redactor=Redactor(["top-secret"]))
    log.notice("notice top-secret")
    log.feed(Stream.STDOUT, b"a top-")
    log.feed(Stream.STDOUT, b"secret b\n")
    counts = log.close()
    seen = spool.path.read_bytes() + str(counts).encode() + str(log.tail).encode()
    assert b"top-secret" not in seen
    assert b"a *** b" in seen


def test_a_torn_tail_is_cut_and_nothing_before_it(tmp_path: Path) -> None:
    directory = SpoolDirectory(tmp_path)
    spool = directory.open("torn")
    for i in range(3):
        assert spool.append(b"record %d" % i)
    whole = spool.path.read_bytes()
    second = 2 * (HEADER.size + len(b"record 0"))
    for length in range(second, len(whole)):
        spool.path.write_bytes(whole[:length])
        again = SpoolDirectory(tmp_path).open("torn")
        assert [p for _, p in again.read(0, 1 << 20)] == [b"record 0", b"record 1"]
        assert spool.path.stat().st_size == second
    spool.path.write_bytes(whole[:-1] + b"!")
    assert len(SpoolDirectory(tmp_path).open("torn").read(0, 1 << 20)) == 2


def test_a_spool_is_deleted_when_it_is_complete_and_acknowledged(
    tmp_path: Path,
) -> None:
    directory = SpoolDirectory(tmp_path)
    spool = directory.open("run")
    spool.append(b"x" * 100)
    directory.tidy()
    assert directory.bytes_used > 100
    spool.complete()
    again = SpoolDirectory(tmp_path)
    assert again.spools["run"].completed
    again.spools["run"].ack(spool.size)
    again.tidy()
    assert not spool.path.exists()
    assert again.bytes_used == 0


def test_the_acknowledged_position_survives(tmp_path: Path) -> None:
    spool = SpoolDirectory(tmp_path).open("run")
    spool.append(b"one")
    end = spool.size
    spool.ack(end)
    spool.append(b"two")
    again = SpoolDirectory(tmp_path).spools["run"]
    assert again.acked == end
    assert [p for _, p in again.read(again.acked, 10)] == [b"two"]


def test_a_completed_name_begins_a_spool_of_its_own(tmp_path: Path) -> None:
    directory = SpoolDirectory(tmp_path)
    first = directory.open("run")
    first.complete()
    assert directory.open("run").path != first.path


def test_the_directory_is_full_at_its_limit(tmp_path: Path) -> None:
    directory = SpoolDirectory(tmp_path, max_total_bytes=1000)
    spool = directory.open("run")
    assert directory.problem is None
    spool.append(b"x" * 1000)
    assert "logs.spool_max" in (directory.problem or "")


def test_the_records_spool_is_emptied_when_it_is_acknowledged(tmp_path: Path) -> None:
    directory = SpoolDirectory(tmp_path)
    fields: dict[str, Any] = {
        "execution_id": "x" * 50,
        "event_id": "e",
        "event_name": "n" * 100,
        "event_type": "bash",
        "user": "u",
        "trigger": "api",
        "status": Status.RUNNING,
        "timestamp": 1.0,
        "workflow_id": "w",
    }
    spool = directory.spools["executions"]
    while spool.size <= MIB:
        directory.record(ExecutionRecord(**fields))
    spool.ack(spool.size)
    directory.tidy()
    assert (spool.size, spool.epoch) == (0, 1)
