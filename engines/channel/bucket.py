"""How many calls a run may make: a token bucket."""

import time
from collections.abc import Callable


class TokenBucket:
    """Fills at a steady rate up to a burst; each call takes from it.

    Args:
        per_minute: Tokens that come each minute, and the most that are kept.
        clock: Seconds that only go forward.
    """

    def __init__(
        self, per_minute: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._rate = per_minute / 60
        self._most = float(per_minute)
        self._clock = clock
        self._tokens = self._most
        self._at = clock()

    def take(self) -> float:
        """Take one token; return 0, or the seconds to wait when there is none."""
        now = self._clock()
        self._tokens = min(self._most, self._tokens + (now - self._at) * self._rate)
        self._at = now
        if self._tokens >= 1:
            self._tokens -= 1
            return 0.0
        return (1 - self._tokens) / self._rate

    def charge(self, tokens: float) -> None:
        """Take more for a costly call; when it is too much, the next ones wait."""
        self._tokens -= tokens
