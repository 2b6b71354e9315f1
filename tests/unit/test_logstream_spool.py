"""What a crash may leave of a spool, and what is made of it."""

import os
import time
from pathlib import Path

import pytest

from contracts.limits import MIB
from logstream import Spool, SpoolDirectory
from logstream.spool import ABANDONED_SECONDS, ACK_SUFFIX, HEADER


def payloads(spool: Spool, offset: int = 0) -> list[bytes]:
    return [payload for _, payload in spool.read(offset, 16 * MIB)]


def test_a_position_behind_the_end_does_not_cover_what_is_written_later(
    tmp_path: Path,
) -> None:
    spool = SpoolDirectory(tmp_path).open("run")
    spool.append(b"first")
    first = spool.size
    spool.append(b"second, which the disk forgets")
    spool.ack(spool.size)
    os.truncate(spool.path, first)

    again = SpoolDirectory(tmp_path).open("run")
    assert again.acked == first
    again.append(b"third, which is as long as the second one")
    once_more = SpoolDirectory(tmp_path).spools["run"]
    assert payloads(once_more, once_more.acked) == [
        b"third, which is as long as the second one"
    ]


def test_the_lag_is_the_age_of_the_oldest_record_that_waits(tmp_path: Path) -> None:
    directory = SpoolDirectory(tmp_path)
    assert directory.lag_seconds(1000.0) == 0.0
    spool, other = directory.open("run"), directory.open("other")
    for at in (900.0, 950.0):
        spool.append(b'{"timestamp": %f, "text": "x"}' % at)
        if at == 900.0:
            first = spool.size
    other.append(b'{"timestamp": 990.0}')
    assert directory.lag_seconds(1000.0) == 100.0
    spool.ack(first)
    assert directory.lag_seconds(1000.0) == 50.0
    spool.ack(spool.size)
    assert directory.lag_seconds(1000.0) == 10.0
    other.ack(other.size)
    spool.complete()
    assert directory.lag_seconds(1000.0) == 0.0


def test_an_emptied_spool_sends_what_is_written_to_it_next(tmp_path: Path) -> None:
    directory = SpoolDirectory(tmp_path)
    spool = directory.spools["executions"]
    while spool.size <= MIB:
        spool.append(b"x" * 100_000)
    spool.ack(spool.size)
    directory.tidy()
    spool.append(b"next")
    again = SpoolDirectory(tmp_path).spools["executions"]
    assert payloads(again, again.acked) == [b"next"]


def test_a_spool_is_not_emptied_when_its_position_cannot_be_noted(
    tmp_path: Path,
) -> None:
    directory = SpoolDirectory(tmp_path)
    spool = directory.spools["executions"]
    while spool.size <= MIB:
        spool.append(b"x" * 100_000)
    spool.ack(spool.size)
    # A directory in the way of the new file: the disk says no.
    (tmp_path / ("executions" + ACK_SUFFIX + ".new")).mkdir()
    directory.tidy()
    assert (spool.size > MIB, spool.epoch) == (True, 0)


def test_what_a_killed_process_was_writing_is_gone_with_the_next(
    tmp_path: Path,
) -> None:
    spool = SpoolDirectory(tmp_path).open("run")
    spool.append(b"one")
    spool.ack(spool.size)
    before = {file.name for file in tmp_path.iterdir()}
    # It died while it noted a position, and between a spool and its position.
    (tmp_path / ("run" + ACK_SUFFIX + ".new")).write_text("")
    (tmp_path / ("removed" + ACK_SUFFIX)).write_text("7")
    again = SpoolDirectory(tmp_path)
    assert {file.name for file in tmp_path.iterdir()} == before
    assert again.spools["run"].settled


def test_a_position_that_cannot_be_read_sends_all_again(tmp_path: Path) -> None:
    spool = SpoolDirectory(tmp_path).open("run")
    spool.append(b"one")
    spool.ack(spool.size)
    (tmp_path / ("run" + ACK_SUFFIX)).write_text("12x")
    assert SpoolDirectory(tmp_path).spools["run"].acked == 0


@pytest.mark.parametrize("place", [0, 3, 4, 7, 8, 12])
def test_one_changed_byte_cuts_that_record_and_what_follows(
    place: int, tmp_path: Path
) -> None:
    spool = SpoolDirectory(tmp_path).open("run")
    spool.append(b"good")
    begin = spool.size
    spool.append(b"broken")
    spool.append(b"behind it")
    data = bytearray(spool.path.read_bytes())
    data[begin + place] ^= 0x40
    spool.path.write_bytes(data)
    again = SpoolDirectory(tmp_path).open("run")
    assert payloads(again) == [b"good"]
    assert again.append(b"next")
    assert payloads(SpoolDirectory(tmp_path).open("run")) == [b"good", b"next"]


def test_a_spool_whose_writer_may_come_back_is_kept_and_later_deleted(
    tmp_path: Path,
) -> None:
    spool = SpoolDirectory(tmp_path).open("run")
    spool.append(b"one")
    spool.ack(spool.size)
    later = SpoolDirectory(tmp_path)
    later.tidy()
    assert spool.path.exists(), "its writer may come back"
    old = time.time() - ABANDONED_SECONDS - 10
    os.utime(spool.path, (old, old))
    later.open("run")
    later.tidy()
    assert spool.path.exists(), "its writer has come back"
    SpoolDirectory(tmp_path).tidy()
    assert not spool.path.exists()


def test_what_is_not_acknowledged_is_never_deleted(tmp_path: Path) -> None:
    directory = SpoolDirectory(tmp_path)
    spool = directory.open("run")
    spool.append(b"one")
    spool.complete()
    old = time.time() - 2 * ABANDONED_SECONDS
    os.utime(spool.path, (old, old))
    directory.tidy()
    assert spool.path.exists()
    assert directory.unacked_bytes == HEADER.size * 2 + 3


def test_a_record_larger_than_a_reader_s_turn_is_read_whole(tmp_path: Path) -> None:
    spool = SpoolDirectory(tmp_path).open("run")
    spool.append(b"x" * 1000)
    spool.append(b"y")
    assert [payload for _, payload in spool.read(0, 100)] == [b"x" * 1000]


def test_a_full_disk_refuses_and_leaves_no_torn_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = SpoolDirectory(tmp_path).open("run")
    spool.append(b"one")
    real = os.write
    monkeypatch.setattr(os, "write", lambda file, data: real(file, data[:5]))
    assert not spool.append(b"two")
    monkeypatch.setattr(os, "write", real)
    assert spool.append(b"three")
    assert payloads(spool) == [b"one", b"three"]


def test_spools_are_for_their_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "spool"
    spool = SpoolDirectory(path).open("run")
    assert path.stat().st_mode & 0o077 == 0
    assert spool.path.stat().st_mode & 0o077 == 0


def test_a_spool_that_was_deleted_writes_into_no_other_file(tmp_path: Path) -> None:
    spool = SpoolDirectory(tmp_path).open("gone")
    spool.delete()
    # The kernel gives the lowest free number: the next file has the spool's old one.
    with (tmp_path / "other").open("wb+") as other:
        assert not spool.append(b"{}")
        assert other.seek(0, 2) == 0
