"""The gateway's secret as a text of one or more keys, and its replacement.

    4f1c…                  the key that signs
    9a07… 1764140400       one before: its tokens are good until then (since 1970)

The first key signs and seals. Those before verify tokens until their time is up, and
still open what was sealed under them, so that nothing is lost by a quick replacement.
"""

import contextlib
import os
import secrets
import time
from collections.abc import Callable
from pathlib import Path

from gateway.errors import TokenRefused

KEY_BYTES = 32
# Of those before: enough for replacements in a row, and an end to it.
_MAX_FORMER = 4
_LOOK_SECONDS = 1.0


def signing_key(secret: str) -> str:
    """Return the key that signs."""
    return secret.strip().splitlines()[0].strip()


def valid_keys(secret: str, now: float | None = None) -> list[str]:
    """Return the keys whose tokens are good now, the signing one first."""
    moment = time.time() if now is None else now
    return [key for key, until in _keys(secret) if until is None or until > moment]


def all_keys(secret: str) -> list[str]:
    """Return every key, those whose time is up as well."""
    return [key for key, _ in _keys(secret)]


def load_or_create_secret(path: Path) -> str:
    """Return the secret in the file `path`; make one of 32 random bytes if missing.

    Processes that start at the same moment agree: the file appears complete or not at
    all, and the first one wins.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        _create(path)
    secret = path.read_text(encoding="ascii").strip()
    _check(path, secret)
    if path.stat().st_mode & 0o077:
        path.chmod(0o600)
    return secret


def replace_key(path: Path, grace_seconds: float) -> float:
    """Put a new key into the file `path`; return until when the one before is good.

    Processes that read the file again, as ours do, go on without a gap.
    """
    before = load_or_create_secret(path)
    now = time.time()
    until = now + grace_seconds
    former = [(signing_key(before), until)]
    for key, end in _keys(before)[1:]:
        former.append((key, min(end or 0.0, until)))
    lines = [secrets.token_hex(KEY_BYTES)]
    lines += [f"{key} {int(end)}" for key, end in former[:_MAX_FORMER]]
    draft = _draft(path, "\n".join(lines) + "\n")
    draft.replace(path)
    return until


class SecretFile:
    """The secret of a running process, which follows its file.

    Args:
        secret: What the process began with.
        path: The file to look at; None keeps what it began with.
    """

    def __init__(
        self,
        secret: str,
        path: Path | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._secret = secret
        self._path = path
        self._clock = clock
        self._look_at = 0.0
        self._seen: tuple[int, int, int] | None = None

    def current(self) -> str:
        """Return the secret as its file has it now, give or take a second."""
        now = self._clock()
        if self._path is not None and now >= self._look_at:
            self._look_at = now + _LOOK_SECONDS
            # A file that is away or damaged for a moment ends nobody's access.
            with contextlib.suppress(OSError, ValueError, TokenRefused):
                self._look(self._path)
        return self._secret

    def _look(self, path: Path) -> None:
        found = path.stat()
        mark = (found.st_mtime_ns, found.st_ino, found.st_size)
        if mark != self._seen:
            self._secret = load_or_create_secret(path)
            self._seen = mark


def _check(path: Path, secret: str) -> None:
    hint = "Delete the file; a good one is made at the next start."
    try:
        keys = all_keys(secret) or [""]
    except ValueError:
        raise TokenRefused(
            f"{path}: expected a key on each line, and after all but the first the "
            "seconds since 1970 until which it is good.",
            hint=hint,
        ) from None
    if any(len(key) < KEY_BYTES for key in keys):
        raise TokenRefused(
            f"The secret in {path} is shorter than {KEY_BYTES} characters.", hint=hint
        )


def _keys(secret: str) -> list[tuple[str, int | None]]:
    found: list[tuple[str, int | None]] = []
    for line in secret.strip().splitlines():
        if not found:
            found.append((line.strip(), None))
            continue
        key, _, until = line.strip().partition(" ")
        found.append((key, int(until or 0)))
    return found


def _create(path: Path) -> None:
    draft = _draft(path, secrets.token_hex(KEY_BYTES))
    try:
        # A hard link fails when the name is taken, where a rename would replace it.
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink()


def _draft(path: Path, text: str) -> Path:
    """Write a file of our own beside `path`, on the disk for good."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    return draft
