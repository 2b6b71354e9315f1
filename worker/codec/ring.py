"""The keys that a process has now: read from their file, and again when it changes.

An operator who adds a key need restart nothing; a file that is broken for a moment
takes no key away.
"""

import logging
import stat
import time
from collections.abc import Callable
from pathlib import Path

from contracts.encryption_errors import EncryptionKeyMissing, KeyFileInvalid
from worker.codec.keys import Key, KeyFile, read_keys

logger = logging.getLogger(__name__)

LOOK_SECONDS = 2.0
WARN_SECONDS = 3600.0
# For this long after somebody asked in vain, a missing key is a problem to show.
MISSED_SECONDS = 900.0
# Ids come with payloads, from whoever may write some: they must not fill the memory.
MAX_MISSED = 20


class KeyRing:
    """Keys by their ids.

    Args:
        path: The key file; None: there are no keys, and payloads stay as they are.
        clock: Seconds, steadily growing.

    Raises:
        KeyFileInvalid: The file cannot be used.
    """

    def __init__(
        self, path: Path | None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._path = path
        self._clock = clock
        self._missed: dict[str, float] = {}
        self._problem: str | None = None
        self._state: tuple[int, ...] = ()
        self._looked = self._warn_again = clock()
        self._content: KeyFile | None = None
        if path is not None:
            self._state = _state_of(path)
            self._content = read_keys(path)
            _warn_of_readers(path)

    @property
    def encrypts(self) -> bool:
        """Whether payloads are encrypted."""
        return self._path is not None

    @property
    def active(self) -> Key | None:
        """The key that writes; None without keys."""
        self._look()
        if self._content is None:
            return None
        return self._content.find(self._content.active)

    def key(self, key_id: str) -> Key:
        """Return a key that reads.

        Raises:
            EncryptionKeyMissing: It is not in the file; the message names the id.
        """
        self._look()
        found = self._find(key_id)
        if found is None:
            # It may have been added a moment ago, by whoever wrote with it.
            self._look(at_once=True)
            found = self._find(key_id)
        if found is None:
            self._miss(key_id)
            raise EncryptionKeyMissing(
                f"the encryption key {_printable(key_id)} is not here"
                if self.encrypts
                else f"this was encrypted with the key {_printable(key_id)}, and this "
                "process has no keys"
            )
        self._missed.pop(key_id, None)
        return found

    def has(self, key_id: str) -> bool:
        """Return whether a key is here, without asking for it."""
        self._look()
        return self._find(key_id) is not None

    def note_plain_text(self) -> None:
        """Say, not too often, that somebody writes without encryption."""
        now = self._clock()
        if self.encrypts and now >= self._warn_again:
            self._warn_again = now + WARN_SECONDS
            logger.warning(
                "payloads come as plain text: somebody starts runs, or works, without "
                "CRONIUM_ENCRYPTION_KEYS_FILE"
            )

    @property
    def problem(self) -> str | None:
        """What is wrong with the keys: a broken file, or ids asked for in vain."""
        self._look()
        if self._problem is not None:
            return self._problem
        now = self._clock()
        known = {key.id for key in self._content.keys} if self._content else set()
        self._missed = {
            key_id: when
            for key_id, when in self._missed.items()
            if now - when < MISSED_SECONDS and key_id not in known
        }
        if not self._missed:
            return None
        ids = ", ".join(sorted(map(_printable, self._missed)))
        return f"payloads cannot be read: no key {ids} here"

    def _find(self, key_id: str) -> Key | None:
        return self._content.find(key_id) if self._content else None

    def _look(self, *, at_once: bool = False) -> None:
        """Read the file again if it is another one than before."""
        now = self._clock()
        early = not at_once and now - self._looked < LOOK_SECONDS
        if self._path is None or early:
            return
        self._looked = now
        try:
            state = _state_of(self._path)
            if state == self._state and self._problem is None:
                return
            self._content, self._state = read_keys(self._path), state
        except KeyFileInvalid as error:
            said = str(error)
            if said != self._problem:
                logger.error("the keys stay as they were: %s", said)
            self._problem = said
            return
        self._problem = None
        logger.info("keys were read anew; %s writes", self._content.active)

    def _miss(self, key_id: str) -> None:
        if len(self._missed) < MAX_MISSED or key_id in self._missed:
            self._missed[key_id] = self._clock()


def _state_of(path: Path) -> tuple[int, ...]:
    try:
        found = path.stat()
    except OSError:
        return ()
    return found.st_ino, found.st_mtime_ns, found.st_size


def _warn_of_readers(path: Path) -> None:
    if path.stat().st_mode & stat.S_IROTH:
        logger.warning("%s may be read by every user of this host", path)


def _printable(key_id: str) -> str:
    return key_id if key_id.isprintable() else ascii(key_id)
