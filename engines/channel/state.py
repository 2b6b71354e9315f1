"""What a script has said so far, kept in a file so that it outlives the worker."""

import contextlib
import hashlib
import hmac
import json
import logging
import os
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

logger = logging.getLogger(__name__)

_SUFFIX = ".new"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a script says that it is."""

    fraction: float | None = None
    """From 0 to 1."""
    text: str = ""


@dataclass(frozen=True, slots=True)
class ChannelState:
    """The state of one run's channel; immutable, so that readers see a whole one."""

    token_digest: str = ""
    output: str | None = None
    """JSON text of the last output; None when there was none."""
    condition: bool | None = None
    progress: Progress | None = None
    acted: dict[str, str] = field(default_factory=dict)
    """Idempotency key → JSON answer of the newest tool actions: what was sent before
    the answer was lost is not sent again."""

    def fits(self, token: str) -> bool:
        """Return whether a token is the run's, in a time that tells nothing."""
        return hmac.compare_digest(digest(token), self.token_digest)

    def save(self, path: Path) -> None:
        """Write the state, whole or not at all; raises OSError."""
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # A file of this kind is open to nobody else.
        descriptor, draft = tempfile.mkstemp(
            prefix=f".{path.name}.", suffix=_SUFFIX, dir=path.parent
        )
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump(asdict(self), file, ensure_ascii=False)
            # Not synced: what survives a power cut finds no container to go on with.
            os.replace(draft, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(draft)
            raise

    @staticmethod
    def discard_drafts(directory: Path) -> None:
        """Delete what processes left that died while they saved a state.

        Only at a worker's start: what is being saved just now is a draft as well.
        """
        for draft in directory.glob(f".*{_SUFFIX}"):
            draft.unlink(missing_ok=True)

    @classmethod
    def load(cls, path: Path) -> "ChannelState":
        """Return what an earlier life of the worker saved; an empty state otherwise."""
        try:
            return cls._of(json.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return cls()
        except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
            logger.warning(
                "the channel's state %s is lost: %s", path, type(error).__name__
            )
            return cls()

    @classmethod
    def _of(cls, found: dict[str, Any]) -> "ChannelState":
        progress = found.pop("progress")
        return cls(**found, progress=Progress(**progress) if progress else None)

    @staticmethod
    def remove(path: Path) -> None:
        """Delete a saved state; one that is not there is fine."""
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            logger.warning("%s stays: %s", path, error.strerror)


def digest(token: str) -> str:
    """Return what is kept of a token: enough to know it, not enough to use it."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
