"""How often something may happen: a bucket per key that drains evenly.

The numbers are this process's own: several gateways count apart. What is counted is
bounded in memory; the keys that were quiet longest are forgotten first.
"""

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable

_MAX_KEYS = 20_000
# Sums of intervals are not exact.
_SLACK_SECONDS = 1e-6


class Rates:
    """The generic cell rate algorithm: one number per key, no timers.

    Args:
        clock: Seconds that never go back.
        size: How many keys are remembered.
    """

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, size: int = _MAX_KEYS
    ) -> None:
        self._clock = clock
        self._size = size
        self._full_at: OrderedDict[Hashable, float] = OrderedDict()

    def take(self, key: Hashable, per_minute: float, burst: int) -> float:
        """Count one; return 0.0, or the seconds to wait when it is one too many.

        Args:
            key: Whose.
            per_minute: How many in the long run.
            burst: How many at once after a time of rest.
        """
        wait = self.wait(key, per_minute, burst)
        if wait <= 0:
            now = self._clock()
            before = max(self._full_at.get(key, now), now)
            self._full_at[key] = before + 60.0 / per_minute
            self._full_at.move_to_end(key)
            while len(self._full_at) > self._size:
                self._full_at.popitem(last=False)
        return wait

    def wait(self, key: Hashable, per_minute: float, burst: int) -> float:
        """Return the seconds until the next one is taken, without counting it."""
        ahead = self._full_at.get(key, 0.0) - self._clock()
        wait = ahead - (burst - 1) * 60.0 / per_minute
        return wait if wait > _SLACK_SECONDS else 0.0


def address_key(address: str) -> str:
    """Return what counts as one caller: an IPv4 address, or a /64 of IPv6."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return "unknown"
    if found.version == 4:
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.ip_network((found, 64), strict=False))
