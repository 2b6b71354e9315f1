"""Leaves a server alone that failed too often, and tries it again by itself.

Only failures to reach it count: a wrong password says nothing about the server.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum

from contracts.server_errors import SshBreakerOpen, SshRefused, SshUnavailable


class BreakerState(StrEnum):
    """Whether a server may be tried."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


class Breaker:
    """Counts one server's failures.

    Args:
        name: The server, for messages.
        failures: Consecutive failures that open it.
        seconds: How long it stays open.
        probes: Tries at once while it is half-open.
        successes: Successes in a row that close it again.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        name: str,
        *,
        failures: int = 5,
        seconds: float = 60.0,
        probes: int = 3,
        successes: int = 2,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name = name
        self._failures = failures
        self._seconds = seconds
        self._probes = probes
        self._successes = successes
        self._clock = clock
        self._failed = 0
        self._opened_at: float | None = None
        self._probing = 0
        self._succeeded = 0
        self.last_error = ""

    @property
    def state(self) -> BreakerState:
        """Where it stands now."""
        if self._opened_at is None:
            return BreakerState.CLOSED
        if self._clock() - self._opened_at < self._seconds:
            return BreakerState.OPEN
        return BreakerState.HALF_OPEN

    @property
    def standing(self) -> str:
        """What people should know of it; empty when there is nothing to say."""
        if self._failed < 2:
            return ""
        times = f"It failed {self._failed} times in a row"
        if self._opened_at is not None:
            return f"{times} and is left alone for {self._seconds:g} s."
        return (
            f"{times}; after {self._failures} it is left alone for {self._seconds:g} s."
        )

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Count one try to reach the server.

        Raises:
            SshBreakerOpen: The server is not to be tried now.
        """
        probe = self._admit()
        self._probing += probe
        try:
            yield
        except SshBreakerOpen:
            # Another server's, on the way through it.
            raise
        except SshUnavailable as error:
            self._failure(str(error))
            error.user_hint = f"{error.user_hint} {self.standing}".strip()
            raise
        except SshRefused:
            # It says no, so it is there.
            self._success()
            raise
        else:
            self._success()
        finally:
            self._probing -= probe

    def check(self) -> None:
        """Raise SshBreakerOpen when it opened after this try was admitted."""
        if self.state is BreakerState.OPEN:
            self._admit()

    def _admit(self) -> bool:
        state = self.state
        if state is BreakerState.CLOSED:
            return False
        if state is BreakerState.HALF_OPEN and self._probing < self._probes:
            return True
        left = self._seconds - (self._clock() - (self._opened_at or 0.0))
        when = f"in {left:.0f} s" if left > 0 else "when the probes under way are done"
        raise SshBreakerOpen(
            f"{self._name} failed {self._failed} times in a row and is tried again "
            f"{when}; the last failure: {self.last_error}"
        )

    def _failure(self, text: str) -> None:
        self._failed += 1
        self._succeeded = 0
        self.last_error = text
        if self._opened_at is not None or self._failed >= self._failures:
            self._opened_at = self._clock()

    def _success(self) -> None:
        if self._opened_at is not None:
            self._succeeded += 1
            if self._succeeded < self._successes:
                return
        self._failed = self._succeeded = 0
        self._opened_at = None
        self.last_error = ""
