"""How long ago something was, over a restart of the process and a jump of the clock.

The kernel's boot clock goes on whatever the wall clock does, and means the same to
every process until the host is started anew.
"""

import time
from functools import cache
from pathlib import Path

from contracts.base import TolerantModel

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Moment(TolerantModel):
    """A moment on the boot clock of one boot."""

    boot: str
    seconds: float

    def seconds_ago(self) -> float | None:
        """Return how long ago it was; None after the host was started anew."""
        if self.boot != _boot():
            return None
        return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - self.seconds)


def now() -> Moment:
    """Return the present moment."""
    return Moment(boot=_boot(), seconds=time.clock_gettime(time.CLOCK_BOOTTIME))


@cache
def _boot() -> str:
    try:
        return BOOT_ID.read_text().strip()
    except OSError:
        return ""
