"""Who an egress network belongs to, and the proof that its owner is gone.

The owner holds a shared lock on a file in its state directory while it lives; the
kernel gives it back however the owner ends. The network's labels name that file, and
the view in which the name means anything: machine, mounts and network namespace.
Whoever is in the same view and gets the file's exclusive lock, or sees that the whole
directory is gone, knows that the owner is dead. Otherwise nothing is proven.
"""

import asyncio
import contextlib
import fcntl
import hashlib
import os
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path

from contracts.errors import EgressUnavailable
from contracts.names import LABEL_OWNER, LABEL_VIEW

# Creating a network takes Docker less than a second; some workers may stand in line.
TURN_SECONDS = 30.0
POLL_SECONDS = 0.02
MACHINE_FILES = (Path("/etc/machine-id"), Path("/proc/sys/kernel/random/boot_id"))
NAMESPACES = Path("/proc/self/ns")


class Owner:
    """This process as an owner.

    Args:
        file: The file that is locked while we live; None when nobody needs to know.
    """

    def __init__(self, file: Path | None) -> None:
        self.file = file.absolute() if file else None
        self._lock: int | None = None

    async def hold(self) -> None:
        """Take the lock for as long as we live; free when we have it.

        Raises:
            EgressUnavailable: The file cannot be written, or somebody keeps it.
        """
        if self.file is None or self._lock is not None:
            return
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            lock = os.open(self.file, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise EgressUnavailable(
                f"{self.file} cannot be written: {error.strerror}",
                hint="Give the worker a CRONIUM_STATE_DIR that it may write to.",
            ) from error
        try:
            await _locked(lock, fcntl.LOCK_SH, str(self.file))
        except BaseException:
            os.close(lock)
            raise
        self._lock = lock

    def release(self) -> None:
        """Say that we do not use the network any more."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    @contextlib.contextmanager
    def alone(self) -> Iterator[bool]:
        """Whether nobody else holds the lock; nobody takes it in the block."""
        self.release()
        with contextlib.ExitStack() as stack:
            yield self.file is None or _is_free(str(self.file), stack)

    def labels(self) -> dict[str, str]:
        """Return the labels by which others can tell whether we live."""
        if self.file is None:
            return {}
        return {LABEL_OWNER: str(self.file), LABEL_VIEW: view()}


def view() -> str:
    """Return a digest of what must be the same for a path and a rule to mean the same.

    "" when the kernel does not say; then nothing can be proven.
    """
    try:
        root = Path("/").stat()
        seen = [
            _machine(),
            *((NAMESPACES / name).stat().st_ino for name in ("mnt", "net")),
            root.st_dev,
            root.st_ino,
        ]
    except OSError:
        return ""
    return hashlib.sha256(" ".join(map(str, seen)).encode()).hexdigest()[:16]


def _machine() -> str:
    texts = (file.read_text().strip() for file in MACHINE_FILES if file.exists())
    found = next((text for text in texts if text), None)
    if found is None:
        raise FileNotFoundError("nothing tells this machine from others")
    return found


@contextlib.contextmanager
def proven_dead(labels: Mapping[str, str]) -> Iterator[bool]:
    """Whether the owner with these labels is dead; it cannot come back in the block."""
    with contextlib.ExitStack() as stack:
        yield _is_dead(labels, stack)


def _is_dead(labels: Mapping[str, str], stack: contextlib.ExitStack) -> bool:
    file, seen_from = labels.get(LABEL_OWNER), labels.get(LABEL_VIEW)
    if not file or not seen_from or seen_from != view():
        return False
    return _is_free(file, stack)


def _is_free(file: str, stack: contextlib.ExitStack) -> bool:
    """Take the lock of a file until the stack ends; False when somebody has it."""
    try:
        lock = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    except FileNotFoundError:
        # A directory without the file proves nothing: somebody removed it.
        return not os.path.lexists(Path(file).parent)
    except OSError:
        return False
    stack.callback(os.close, lock)
    return _try_lock(lock, fcntl.LOCK_EX)


@contextlib.asynccontextmanager
async def our_turn() -> AsyncIterator[None]:
    """Change networks and rules of this host as the only one of all workers.

    The lock lies on the network namespace itself: whoever shares the rules shares it,
    whichever files it sees.

    Raises:
        EgressUnavailable: Another process has it for too long.
    """
    try:
        lock = os.open(NAMESPACES / "net", os.O_RDONLY)
    except OSError as error:
        raise EgressUnavailable(
            f"{NAMESPACES}/net cannot be opened: {error.strerror}"
        ) from error
    try:
        await _locked(lock, fcntl.LOCK_EX, "the network namespace")
        yield
    finally:
        os.close(lock)


async def _locked(lock: int, kind: int, what: str) -> None:
    try:
        async with asyncio.timeout(TURN_SECONDS):
            # The kernel tells nobody when a lock is free, but a thread that it blocks.
            while not _try_lock(lock, kind):  # noqa: ASYNC110
                await asyncio.sleep(POLL_SECONDS)
    except TimeoutError:
        raise EgressUnavailable(
            f"another process has kept the lock of {what} for {TURN_SECONDS:g} s",
            hint="Look at the other workers of this host: one of them hangs.",
        ) from None


def _try_lock(lock: int, kind: int) -> bool:
    try:
        fcntl.flock(lock, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
