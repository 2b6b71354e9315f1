"""Whom activities tell what they did, such as metrics and an audit log."""

from collections.abc import Sequence

from temporalio import activity

from contracts.errors import CroniumError
from contracts.runs import RunOutcome, RunRequest


class Watch:
    """Told of each try of an event on a target. This one heeds nothing of it.

    What is told has happened already: a watch cannot change it, and must not raise.
    """

    def received(self, run: RunRequest, waited: float) -> None:
        """A try was taken from its queue, where it had waited so many seconds."""

    def resumed(self, run: RunRequest) -> None:
        """A try that another process began goes on here."""

    def cancelled(self, run: RunRequest) -> None:
        """Somebody asked for a try's end."""

    def ended(self, run: RunRequest, outcome: RunOutcome) -> None:
        """A try has an outcome."""

    def refused(self, run: RunRequest, error: CroniumError) -> None:
        """A try has no outcome, and this is why."""


class Watches(Watch):
    """Several that are told the same."""

    def __init__(self, watches: Sequence[Watch]) -> None:
        self._watches = watches

    def received(self, run: RunRequest, waited: float) -> None:
        """See base class."""
        for watch in self._watches:
            watch.received(run, waited)

    def resumed(self, run: RunRequest) -> None:
        """See base class."""
        for watch in self._watches:
            watch.resumed(run)

    def cancelled(self, run: RunRequest) -> None:
        """See base class."""
        for watch in self._watches:
            watch.cancelled(run)

    def ended(self, run: RunRequest, outcome: RunOutcome) -> None:
        """See base class."""
        for watch in self._watches:
            watch.ended(run, outcome)

    def refused(self, run: RunRequest, error: CroniumError) -> None:
        """See base class."""
        for watch in self._watches:
            watch.refused(run, error)


def queue_wait() -> float:
    """Return how long the activity had waited for a worker, in seconds.

    Both times are the Temporal server's, so no clock of ours matters.
    """
    info = activity.info()
    waited = info.started_time - info.current_attempt_scheduled_time
    return max(0.0, waited.total_seconds())
