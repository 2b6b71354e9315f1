"""Whom the Docker engine tells how long its calls took."""

import contextlib
import time
from collections.abc import Iterator


class EngineWatch:
    """Told of calls for sandboxes. This one heeds nothing of it."""

    def took(self, operation: str, seconds: float) -> None:
        """A call has ended: `create`, `pull`, `start` or `remove`."""

    def adopted(self, *, warm: bool) -> None:
        """A run has a sandbox: one that waited for it, or one of its own making."""

    @contextlib.contextmanager
    def timing(self, operation: str) -> Iterator[None]:
        """Tell how long the block takes, also when it fails."""
        began = time.monotonic()
        try:
            yield
        finally:
            self.took(operation, time.monotonic() - began)
