"""What an execution gives back: statuses, durations, counts, per-target rows."""

from enum import StrEnum
from typing import Any

from pydantic import Field

from contracts.actions import ActionKind, When
from contracts.base import WireModel
from contracts.errors import ErrorInfo

EXIT_TIMEOUT = -1
EXIT_CANCELLED = -2
EXIT_PARTIAL_BASE = 100
"""A fan-out with n failed servers exits with 100 + n."""


class Status(StrEnum):
    """Where an execution, a target or a graph node stands."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    SUCCESS = "SUCCESS"
    FAILURE = "FAILURE"
    TIMEOUT = "TIMEOUT"
    CANCELLED = "CANCELLED"
    PARTIAL = "PARTIAL"
    LOST = "LOST"
    SKIPPED = "SKIPPED"

    @property
    def final(self) -> bool:
        """Whether nothing more will happen."""
        return self not in (Status.PENDING, Status.RUNNING)


class PhaseDurations(WireModel):
    """How long each phase took, in whole milliseconds."""

    setup_ms: int = 0
    """From the worker's pick-up to the script's start: image, directory, sandbox."""
    execution_ms: int = 0
    """The script itself; the only phase the user's timeout covers."""
    cleanup_ms: int = 0
    """Draining the log and removing the sandbox."""
    total_ms: int = 0


class LogCounts(WireModel):
    """How much a script wrote, so that a reader can prove that it has all."""

    lines: int = 0
    """Lines the script wrote to stdout and stderr, dropped ones included."""
    bytes: int = 0
    dropped_lines: int = 0
    """Lines left out because the run's log cap was reached."""
    dropped_bytes: int = 0
    stored: int = 0
    """Entries sent to the gateway: kept lines, the executor's notices, drop marks."""
    last_lines: list[str] = []
    """The last lines, redacted; at most 20 lines and 4 KiB."""


class TargetResult(WireModel):
    """What happened on one target."""

    target: str
    status: Status
    exit_code: int | None = None
    durations: PhaseDurations = PhaseDurations()
    """Of the last try; `total_ms` covers all tries and the waits between them."""
    output: Any = None
    """None in a fan-out, whose outputs are in the execution's own."""
    condition: bool | None = None
    error: ErrorInfo | None = None
    logs: LogCounts = LogCounts()
    """Over all tries."""
    attempts: int = Field(0, ge=0)
    """Times the script was started or was about to be."""
    host: str | None = None
    """Id of the worker host that ran the last try."""


class ActionResult(WireModel):
    """What became of one action that fired. Never changes the event's own status."""

    index: int = Field(ge=0)
    """Its place in the event's list."""
    when: When
    kind: ActionKind
    status: Status
    """SUCCESS, FAILURE, or CANCELLED when somebody cancelled before it was done."""
    error: ErrorInfo | None = None
    execution_id: str | None = None
    """The execution that an event action started."""
    notified: int | None = None
    """How many targets took a message."""
    http_status: int | None = None
    """What the receiver of a callback answered in the end."""
    attempts: int = Field(0, ge=0)
    """Tries of the last worker that spoke of it; 0 when it was not begun."""


class TargetCounts(WireModel):
    """How many targets of a fan-out ended in which way."""

    total: int
    succeeded: int = 0
    failed: int = 0
    """With status FAILURE; those that timed out or were lost are counted apart."""
    timed_out: int = 0
    lost: int = 0
    cancelled: int = 0
    skipped: int = 0
    """Not begun, since others had failed."""


class ExecutionResult(WireModel):
    """The typed result of one execution: what `EventWorkflow` returns."""

    execution_id: str
    event_id: str
    event_name: str
    status: Status
    exit_code: int | None = None
    """The script's own code; −1 timed out, −2 cancelled, 100 + n when n servers of a
    fan-out failed and others did not. None when all failed with codes that differ."""
    durations: PhaseDurations = PhaseDurations()
    """Of a fan-out, the longest of each phase."""
    output: Any = None
    """What the script gave back. Of a fan-out: `servers`, a map from name to output;
    `default`, the output of the first server of the list that succeeded; `omitted`, the
    names for whose outputs there was no room. None when no server gave any."""
    condition: bool | None = None
    """Of a fan-out, that of the first server of the list that succeeded with one."""
    error: ErrorInfo | None = None
    logs: LogCounts = LogCounts()
    attempts: int = 0
    """Of a fan-out, the most that a server took."""
    targets: list[TargetResult] = []
    counts: TargetCounts | None = None
    """Of a fan-out: an event with more than one target."""
    actions: list[ActionResult] = []
    """One row per action that fired, in the order of firing."""
