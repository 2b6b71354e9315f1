"""How long the phases of a run took, across worker processes."""

import time
from enum import StrEnum

from contracts.results import PhaseDurations


class Phase(StrEnum):
    """What is done with a run just now, as heartbeats say it."""

    SETUP = "setup"
    RUNNING = "running"
    STOPPING = "stopping"
    CLEANUP = "cleanup"
    GONE = "gone"


class Phases:
    """Marks where set-up, script and clean-up begin, on the monotonic clock."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self.started: float | None = None
        """When the script was started."""
        self._ended: float | None = None

    def start(self, seconds_ago: float = 0.0) -> float:
        """Mark the script's start; return it."""
        self.started = time.monotonic() - seconds_ago
        # Of a script that another process started the set-up is not known.
        self._began = min(self._began, self.started)
        return self.started

    def end(self) -> None:
        """Mark the script's end."""
        self._ended = time.monotonic()

    def durations(self) -> PhaseDurations:
        """Return the phases so far."""
        now = time.monotonic()
        started = now if self.started is None else self.started
        ended = now if self._ended is None else self._ended
        return PhaseDurations(
            setup_ms=round((started - self._began) * 1000),
            execution_ms=round((ended - started) * 1000),
            cleanup_ms=round((now - ended) * 1000),
            total_ms=round((now - self._began) * 1000),
        )
