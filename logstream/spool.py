"""The durable copy of log records, until the gateway has acknowledged them.

A spool is one append-only file. A record is 4 bytes length, 4 bytes CRC-32 (both
big-endian) and its JSON; length 0 marks the end of a complete spool. Every record is
handed to the kernel at once, so it survives the death of the process; a tail that a
crash tore is cut off when the file is opened again. How far the gateway has come is in
a small file beside it.
"""

import asyncio
import json
import logging
import os
import shutil
import struct
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from contracts.limits import MIB
from contracts.logs import ExecutionRecord

logger = logging.getLogger(__name__)

HEADER = struct.Struct(">II")
SUFFIX, ACK_SUFFIX, DRAFT_SUFFIX = ".spool", ".ack", ".new"
RECORDS_NAME = "executions"
MAX_RECORD_BYTES = 8 * MIB
# An acknowledged position is written this often at most; what was sent twice after a
# crash is stored once, because lines have an identity.
ACK_SECONDS = 0.5
# A spool whose writer died without completing it is kept this long for a writer that
# may come back.
ABANDONED_SECONDS = 86_400.0
END = HEADER.pack(0, 0)
CLOSED = -1


class Spool:
    """One file of records. Made by `SpoolDirectory.open`."""

    def __init__(self, owner: "SpoolDirectory", path: Path) -> None:
        self._owner = owner
        self.path = path
        self.name = path.name.removesuffix(SUFFIX)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        self.size, self.completed = _valid_prefix(self._file)
        if os.fstat(self._file).st_size != self.size:
            logger.warning("cutting the torn tail of %s", path.name)
            os.ftruncate(self._file, self.size)
        acked = _read_ack(self._ack_path)
        self.acked = min(acked, self.size)
        if acked > self.size:
            # Left as it is, it would cover what is written from now on.
            _write_ack(self._ack_path, self.acked)
        self._ack_written = 0.0
        self.writer = False
        self.epoch = 0
        """How often it was emptied: offsets of an earlier epoch mean nothing."""
        self._oldest: tuple[int, int, float] | None = None

    @property
    def _ack_path(self) -> Path:
        return self.path.with_suffix(ACK_SUFFIX)

    @property
    def settled(self) -> bool:
        """Whether everything in it has been acknowledged."""
        return self.acked >= self.size

    @property
    def waiting_since(self) -> float | None:
        """When the first record that is not acknowledged was written; None: all are.

        Seconds since 1970, as the record says, so that it outlives the process.
        """
        if self.settled:
            return None
        place = (self.epoch, self.acked)
        # While the gateway is away this is asked again and again about the same record.
        if self._oldest is None or self._oldest[:2] != place:
            first = self.read(self.acked, 1)
            if not first or not first[0][1]:
                return None
            self._oldest = (*place, float(orjson.loads(first[0][1])["timestamp"]))
        return self._oldest[2]

    def append(self, payload: bytes) -> bool:
        """Write one record; False when the disk did not take it."""
        frame = HEADER.pack(len(payload), zlib.crc32(payload)) + payload
        return self._write(frame)

    def complete(self) -> None:
        """Say that no record will follow."""
        if not self.completed:
            self._write(END)
            self.completed = True
            self.writer = False
            self._owner.changed.set()

    def read(self, offset: int, budget: int) -> list[tuple[int, bytes]]:
        """Return records from an offset: each with the offset behind it.

        Args:
            offset: Where a record begins.
            budget: About how many bytes to read; at least one record is returned when
                there is one.
        """
        if offset >= self.size:
            return []
        wanted = max(budget, HEADER.size)
        data = os.pread(self._file, min(wanted, self.size - offset), offset)
        records = list(_frames(data, offset))
        if not records:
            (length, _) = HEADER.unpack_from(data)
            data = os.pread(self._file, HEADER.size + length, offset)
            records = list(_frames(data, offset))
        return records

    def ack(self, offset: int) -> None:
        """Note that the gateway has everything before an offset."""
        self.acked = max(self.acked, offset)
        now = time.monotonic()
        if self.settled or now - self._ack_written > ACK_SECONDS:
            self._ack_written = now
            _write_ack(self._ack_path, self.acked)

    def delete(self) -> None:
        """Remove the files; their records are in the gateway."""
        os.close(self._file)
        # The number may be another file's from now on.
        self._file = CLOSED
        self.path.unlink(missing_ok=True)
        self._ack_path.unlink(missing_ok=True)

    def rewind_if_settled(self) -> None:
        """Empty a spool that is reused for ever, once the gateway has all of it."""
        # The position first: what is sent twice is stored once, but a position left
        # behind would cover what is written later.
        if self.settled and self.size > MIB and _write_ack(self._ack_path, 0):
            os.ftruncate(self._file, 0)
            self.size = self.acked = 0
            self.epoch += 1

    def _write(self, frame: bytes) -> bool:
        try:
            written = os.write(self._file, frame)
        except OSError as error:
            logger.error("cannot write %s: %s", self.path.name, error.strerror)
            return False
        if written != len(frame):
            os.ftruncate(self._file, self.size)
            return False
        self.size += written
        self._owner.grew(written)
        return True


class SpoolDirectory:
    """All spools of one worker.

    Args:
        path: Directory; made with mode 0700.
        max_total_bytes: Above this no new run is taken.
        min_free_bytes: With less than this free on the disk no new run is taken.
    """

    def __init__(
        self,
        path: Path,
        *,
        max_total_bytes: int = 2048 * MIB,
        min_free_bytes: int = 0,
    ) -> None:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path = path
        self._max = max_total_bytes
        self._min_free = min_free_bytes
        self.changed = asyncio.Event()
        self.spools: dict[str, Spool] = {}
        for file in sorted(path.glob("*" + SUFFIX)):
            spool = Spool(self, file)
            self.spools[spool.name] = spool
        self._discard_orphans()
        self.bytes_used = sum(spool.size for spool in self.spools.values())
        self._records = self.open(RECORDS_NAME)

    @property
    def problem(self) -> str | None:
        """Why there is no room for another run's lines, or None."""
        return self.backlog_problem or self.disk_problem

    @property
    def backlog_problem(self) -> str | None:
        """Why the lines that wait for the gateway are too many, or None."""
        if self.bytes_used >= self._max:
            return (
                f"{self.bytes_used} bytes of log wait for the gateway, at most "
                f"{self._max} may (logs.spool_max): start the gateway"
            )
        return None

    @property
    def disk_problem(self) -> str | None:
        """Why the disk has too little room, or None."""
        free = shutil.disk_usage(self._path).free
        if free < self._min_free:
            return (
                f"{free} bytes are free on the disk of {self._path}, at least "
                f"{self._min_free} are needed (logs.min_free)"
            )
        return None

    @property
    def unacked_bytes(self) -> int:
        """How much the gateway has not acknowledged."""
        return sum(spool.size - spool.acked for spool in self.spools.values())

    def lag_seconds(self, now: float) -> float:
        """Return the age of the oldest record that the gateway has not stored.

        Args:
            now: Seconds since 1970.
        """
        waiting = (spool.waiting_since for spool in self.spools.values())
        return max((now - since for since in waiting if since is not None), default=0.0)

    def _discard_orphans(self) -> None:
        """Delete what a process left that died while it wrote or removed a position."""
        for draft in self._path.glob("*" + DRAFT_SUFFIX):
            draft.unlink(missing_ok=True)
        for position in self._path.glob("*" + ACK_SUFFIX):
            if position.stem not in self.spools:
                position.unlink(missing_ok=True)

    def open(self, name: str) -> Spool:
        """Return the spool of that name, new or with what is already in it."""
        spool = self.spools.get(name)
        if spool is None or spool.completed:
            if spool is not None:
                # A try that is run again after a crash begins a log of its own.
                name = f"{name}-{time.time_ns()}"
            spool = Spool(self, self._path / (name + SUFFIX))
            self.spools[name] = spool
        spool.writer = True
        return spool

    def give_up(self, name: str) -> None:
        """Say that nobody will write to a spool any more, if there is one."""
        spool = self.spools.get(name)
        if spool is not None:
            spool.complete()
            self.tidy()

    def record(self, record: ExecutionRecord) -> bool:
        """Write what happened to an execution; False when the disk did not take it."""
        payload = record.model_dump(mode="json", by_alias=True)
        return self._records.append(encode(payload))

    def grew(self, size: int) -> None:
        """Note that a spool has new records."""
        self.bytes_used += size
        self.changed.set()

    def tidy(self) -> None:
        """Delete the spools that the gateway has whole and nobody writes to."""
        self._records.rewind_if_settled()
        for name, spool in list(self.spools.items()):
            if spool is self._records or spool.writer or not spool.settled:
                continue
            age = time.time() - spool.path.stat().st_mtime
            if spool.completed or age > ABANDONED_SECONDS:
                spool.delete()
                del self.spools[name]
        self.bytes_used = sum(spool.size for spool in self.spools.values())


def encode(record: dict[str, Any]) -> bytes:
    """Return a record's JSON; what users hand over may hold integers of any size."""
    try:
        return orjson.dumps(record, option=orjson.OPT_NON_STR_KEYS)
    except TypeError:
        # The quick writer stops at 64 bits.
        text = json.dumps(record, ensure_ascii=False, separators=(",", ":"))
        return text.encode()


def _valid_prefix(file: int) -> tuple[int, bool]:
    """Return how many bytes are whole records, and whether the last is the end."""
    position, size = 0, os.fstat(file).st_size
    while position + HEADER.size <= size:
        header = os.pread(file, HEADER.size, position)
        length, checksum = HEADER.unpack(header)
        if header == END:
            return position + HEADER.size, True
        if length > MAX_RECORD_BYTES or position + HEADER.size + length > size:
            break
        payload = os.pread(file, length, position + HEADER.size)
        if length == 0 or zlib.crc32(payload) != checksum:
            break
        position += HEADER.size + length
    return position, False


def _frames(data: bytes, offset: int) -> Iterator[tuple[int, bytes]]:
    position = 0
    while position + HEADER.size <= len(data):
        length, _ = HEADER.unpack_from(data, position)
        end = position + HEADER.size + length
        if end > len(data):
            return
        yield offset + end, data[position + HEADER.size : end]
        position = end


def _read_ack(path: Path) -> int:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return 0


def _write_ack(path: Path, offset: int) -> bool:
    new = path.with_suffix(ACK_SUFFIX + DRAFT_SUFFIX)
    try:
        new.write_text(str(offset))
        new.replace(path)
    except OSError as error:
        # Only means that some records are sent again after a crash.
        logger.warning("cannot note the position of %s: %s", path.name, error.strerror)
        return False
    return True
