"""`dev.json`: what a running local stack says of itself, and the lock that proves it.

A process id alone proves nothing, since it may belong to somebody else by now: a stack
is alive as long as its supervisor holds the lock.
"""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, ValidationError

from contracts.errors import CroniumError

# Others hold the lock for an instant when they look whether it is free.
LOCK_TRIES, LOCK_WAIT = 20, 0.05


class StackRunning(CroniumError):
    """A local stack runs with this state directory already."""

    hint = "`cronium down` stops it; another --state-dir gives a stack of its own."


class StackRecord(BaseModel):
    """One local stack."""

    pid: int
    """Process id of the supervisor."""
    temporal: str
    """`host:port` of the Temporal server."""
    ui: str
    gateway: str
    worker: str
    """Where the worker answers /ready."""
    codec: str = ""
    """Where the codec server answers; "" without encryption."""
    log: str = ""
    """File with the output of all parts; "" when they print on a terminal."""
    parts: dict[str, int] = {}
    """Process ids of the parts."""


def read(state_dir: Path) -> StackRecord | None:
    """Return the record of the stack that is alive, or None."""
    if not is_held(state_dir):
        return None
    try:
        return StackRecord.model_validate_json(record_file(state_dir).read_text())
    except (OSError, ValidationError):
        # The lock is taken a moment before the record is written.
        return None


def write(state_dir: Path, record: StackRecord) -> None:
    """Write the record; readers see the old one or the new one, never half of it."""
    file = record_file(state_dir)
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    draft.write_text(record.model_dump_json(indent=2) + "\n")
    draft.replace(file)


def record_file(state_dir: Path) -> Path:
    """Return where the record is."""
    return state_dir / "dev.json"


def is_held(state_dir: Path) -> bool:
    """Return whether a supervisor runs with this directory."""
    try:
        with (state_dir / "dev.lock").open("r") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


@contextlib.contextmanager
def hold(state_dir: Path) -> Iterator[None]:
    """Be the one supervisor of a directory; the record is gone afterwards.

    Raises:
        StackRunning: Another one is.
    """
    state_dir.mkdir(parents=True, exist_ok=True)
    with (state_dir / "dev.lock").open("a") as lock:
        for _ in range(LOCK_TRIES):
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                time.sleep(LOCK_WAIT)
        else:
            raise StackRunning(f"a local stack runs with {state_dir} already")
        record_file(state_dir).unlink(missing_ok=True)
        try:
            yield
        finally:
            record_file(state_dir).unlink(missing_ok=True)
