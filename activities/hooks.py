"""How a session and whoever drives it tell each other what happened."""

from collections.abc import Callable
from dataclasses import dataclass

from contracts.runs import RunOutcome
from engines.places import Sandbox


class StopRequestedError(Exception):
    """Somebody asked for an end before the script began."""


class DetachedError(Exception):
    """The session was ended and left the script as it was."""


@dataclass(frozen=True, slots=True)
class Hooks:
    """Whom a session tells what it has done, at once and durably."""

    started: Callable[[], None]
    """The script was started."""
    settled: Callable[[RunOutcome], None]
    """The outcome is known; nothing was removed yet."""
    release: Callable[[Sandbox], None]
    """The sandbox is done with and may be removed at leisure."""
