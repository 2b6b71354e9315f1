"""The gate of a sandbox that was started before its script was known.

Its launcher waits at a named pipe of the run directory until the worker writes the word
there, and only then becomes the script. Whether the word was given is on disk as well,
beside the pipe, so that another process knows whether a script has begun.

The note comes first and the word after it. A worker that dies between the two closes
the pipe without the word: the launcher waits on, and the next worker gives it again.
One that gave it already finds nobody who reads.
"""

import asyncio
import contextlib
import errno
import os
import select
import time
from pathlib import Path

from contracts.errors import SandboxFailed
from contracts.names import RUN_DIRECTORY

PIPE = "gate"
NOTE = "begun"
WORD = "go"
# Only the worker's user may write to it; the sandbox sees it read-only besides.
PIPE_MODE = 0o644
NOTE_MODE = 0o444
# A container is running a moment before its launcher reads the pipe.
READER_SECONDS = 2.0
POLL_SECONDS = 0.002
GONE = "the sandbox ended before its script began, or was removed by somebody else"


def waiting_program(launcher: str) -> str:
    """Return the sh program that waits at the gate and then becomes the launcher.

    Args:
        launcher: Name of the launcher in the run directory; written before the word.
    """
    pipe = f"{RUN_DIRECTORY}/{PIPE}"
    return (
        f'until read -r word < {pipe} && [ "$word" = {WORD} ]; do :; done\n'
        f"exec /bin/sh {RUN_DIRECTORY}/{launcher}\n"
    )


class Gate:
    """One run directory's gate, which may not be there.

    Args:
        directory: The run's directory on the host.
    """

    def __init__(self, directory: Path) -> None:
        self._pipe = directory / PIPE
        self._note = directory / NOTE
        self._descriptor: int | None = None

    @property
    def there(self) -> bool:
        """Whether the sandbox has a gate at all."""
        return self._pipe.exists()

    def begun_at(self) -> float | None:
        """Return when the word was given: seconds since 1970; None: not yet."""
        try:
            return float(self._note.read_text())
        except (OSError, ValueError):
            # A note that was cut by a full disk or a crash still says that it was.
            return self._written_at()

    def make(self) -> None:
        """Make the pipe.

        Raises:
            OSError: The file system cannot.
        """
        os.mkfifo(self._pipe)
        self._pipe.chmod(PIPE_MODE)

    def move(self, directory: Path) -> None:
        """Follow the run directory to its new name."""
        self._pipe = directory / PIPE
        self._note = directory / NOTE

    @property
    def waiting(self) -> bool:
        """Whether the launcher that is held still waits."""
        if self._descriptor is None:
            return False
        poll = select.poll()
        poll.register(self._descriptor, 0)
        return not poll.poll(0)

    async def reach(self) -> None:
        """Take hold of the launcher as soon as it waits.

        Raises:
            SandboxFailed: It does not within `READER_SECONDS`.
        """
        deadline = time.monotonic() + READER_SECONDS
        while not self.hold():
            if time.monotonic() > deadline:
                raise SandboxFailed("the launcher does not wait at its gate")
            await asyncio.sleep(POLL_SECONDS)

    def hold(self) -> bool:
        """Take hold of the waiting launcher; False when nobody waits."""
        if self._descriptor is None:
            try:
                self._descriptor = os.open(self._pipe, os.O_WRONLY | os.O_NONBLOCK)
            except OSError as error:
                if error.errno not in (errno.ENXIO, errno.ENOENT):
                    raise
        return self._descriptor is not None

    def open(self) -> None:
        """Let the script begin.

        Raises:
            SandboxFailed: The sandbox ended before, or the disk takes no note.
        """
        try:
            if not self.hold():
                raise SandboxFailed(GONE)
            _write(self._note, f"{time.time():.6f}")
            self._say()
        except OSError as error:
            # Whatever was noted: nobody heard the word.
            with contextlib.suppress(OSError):
                self._note.unlink()
            if error.errno == errno.EPIPE:
                raise SandboxFailed(GONE) from None
            raise SandboxFailed(
                f"the script could not be started: {error.strerror}"
            ) from error
        finally:
            self.close()

    def open_again(self) -> None:
        """Give the word to a launcher that still waits for it, after a note of it."""
        if self.begun_at() is not None:
            with contextlib.suppress(OSError):
                if self.hold():
                    self._say()
            self.close()

    def close(self) -> None:
        """Let go of the launcher; without the word it waits on."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def _say(self) -> None:
        assert self._descriptor is not None
        os.write(self._descriptor, f"{WORD}\n".encode())

    def _written_at(self) -> float | None:
        try:
            return self._note.stat().st_mtime
        except OSError:
            return None


def _write(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, NOTE_MODE)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
