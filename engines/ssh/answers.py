"""What the program on a server answers, as data and as errors."""

import time
from dataclasses import dataclass
from typing import Self

from contracts.errors import CroniumError
from contracts.server_errors import SshServerRefused, SshUnavailable
from engines.places import SandboxRunsAlready
from engines.ssh.shell import Answered

STATUSES = {
    "none": None,
    "created": "created",
    "running": "running",
    "exited": "exited",
    "rebooted": "dead",
    "gone": "dead",
}


def seconds(word: str) -> float | None:
    """Return a time of the server's; None when it has none."""
    try:
        return float(word)
    except ValueError:
        return None


def ours(then: float | None, now: float | None) -> float | None:
    """Return a time of the server's by our clock: theirs may be wrong.

    Args:
        then: The time, by the server's clock.
        now: What the server's clock says as we hear it.
    """
    if then is None or now is None:
        return None
    return time.time() - (now - then)


@dataclass(frozen=True, slots=True)
class Standing:
    """Answer to `status`."""

    status: str | None
    began: float | None

    @classmethod
    def of(cls, words: list[str]) -> Self:
        """Read `STATUS state began now`."""
        _, state, began, now = words[:4]
        return cls(STATUSES[state], ours(seconds(began), seconds(now)))


@dataclass(frozen=True, slots=True)
class End:
    """The last answer to `follow`."""

    state: str
    code: int
    began: float | None
    ended: float | None
    flooded: bool
    sizes: tuple[int, int]
    """What there is of both streams; 0 when all of it was sent in any case."""

    @classmethod
    def of(cls, words: list[str]) -> Self:
        """Read `END state code began ended now flooded stdout stderr`."""
        _, state, code, began, ended, now, flooded, out, err = words
        clock = seconds(now)
        return cls(
            state=state,
            code=int(code) if code.isdecimal() else -1,
            began=ours(seconds(began), clock),
            ended=ours(seconds(ended), clock),
            flooded=flooded == "1",
            sizes=(_count(out), _count(err)),
        )


def _count(word: str) -> int:
    return int(word) if word.isdecimal() else 0


def explain(answer: Answered, place: str) -> CroniumError:
    """Return our error for what the server cannot do."""
    if answer.kind == "exists":
        return SandboxRunsAlready(f"the run is on {place} already ({answer.text})")
    if answer.kind in ("taken", "missing"):
        # By what an earlier connection, given up long ago, did only now.
        return SshUnavailable(
            f"the run's directory on {place} was removed before the script began",
            hint="It is tried again by itself; look who else removes files there.",
        )
    if answer.kind == "noroom":
        return SshServerRefused(
            f"{place} has no place for the run's directory: {answer.text}",
            hint="Free disk space and inodes in the home directory, /tmp or /var/tmp.",
        )
    if answer.kind == "nodirectory":
        return SshServerRefused(
            f"the working directory {answer.text} cannot be entered on {place}",
            hint="Correct `workingDirectory`, or create the directory.",
        )
    if answer.kind == "nosetsid":
        return SshServerRefused(
            f"{place} has neither setsid nor perl nor python3 to detach a script with",
            hint="Install util-linux on the server.",
        )
    return SshServerRefused(f"{place} cannot do it: {answer.kind} {answer.text}")
