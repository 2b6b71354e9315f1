"""What workflow and activities say to each other about one try on one target."""

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import Field

from contracts.base import TolerantModel, WireModel
from contracts.errors import ErrorInfo
from contracts.events import EventRequest
from contracts.logs import ExecutionRecord
from contracts.results import LogCounts, PhaseDurations, Status
from contracts.servers import ServerSpec

Argument = TypeVar("Argument")
Result = TypeVar("Result")


class Admission(TolerantModel):
    """What the workflow must know of the operator's settings, fixed at the start."""

    search_attributes: bool = False
    """Whether the namespace knows ours; writing unknown ones would stall the run."""
    logs_url: str = ""
    """Where a person can read the log; "" when there is no gateway."""
    schedule_to_start_seconds: float = 3600.0
    """How long a try may wait for a free slot."""
    setup_seconds: float = 600.0
    """How long image pull and sandbox creation may take."""
    heartbeat_timeout_seconds: float = 10.0
    """After this long without a sign of life a worker counts as dead."""
    resume_window_seconds: float = 300.0
    """How long a host that stopped answering is waited for."""


class RunRequest(WireModel):
    """One try of one event on one target: argument of `run_container`, `run_ssh`."""

    request: EventRequest
    target: str
    attempt: int = Field(ge=1)
    """The user-visible try, from 1."""
    max_attempts: int = Field(ge=1)
    dispatch: int = Field(1, ge=1)
    """How often the workflow has sent this target out, this time included."""
    run_key: str
    server: ServerSpec | None = None
    """Where it runs; None is a container, or an HTTP request. The event's own list of
    targets is left out of the request then."""


class RunProgress(TolerantModel):
    """Heartbeat details: where a run is, so that another worker can go on with it."""

    host: str
    """Id of the host; its stable queue is `names.host_queue(host)`."""
    sandbox: str
    """Name of the container; "" for an HTTP request, which has none."""
    phase: str
    """`setup`, `running`, `stopping` or `cleanup`."""
    event: str = ""
    attempt: int = 1
    dispatch: int = 1
    started_at: float | None = None
    """Start of the script: seconds since 1970, the daemon's clock."""
    lines: int = 0
    bytes: int = 0
    dropped_lines: int = 0
    stored: int = 0
    cursors: dict[str, int] = {}
    """Lines read so far, by stream."""
    tail: list[str] = []
    """The newest lines, redacted: at most 20 lines and 2 KiB."""
    fraction: float | None = None
    """How far the script says that it is, from 0 to 1."""
    progress: str = ""
    """What the script says of its progress, redacted."""


class ResumeRequest(WireModel):
    """Go on with a run that another worker process began: of the resume activities."""

    run: RunRequest
    progress: RunProgress
    """What was last heard of it."""
    cancel: bool = False
    """Whether it is to be stopped, since somebody cancelled it meanwhile."""


class RunOutcome(WireModel):
    """How one try ended, whatever the exit code: result of `run_container`."""

    status: Status
    exit_code: int | None = None
    durations: PhaseDurations = PhaseDurations()
    output: Any = None
    condition: bool | None = None
    error: ErrorInfo | None = None
    logs: LogCounts = LogCounts()
    host: str | None = None


@dataclass(frozen=True, slots=True)
class ActivityStub(Generic[Argument, Result]):
    """Name and types of an activity, for workflows that must not import its code."""

    name: str
    argument: type[Argument]
    result: type[Result]


RUN_HTTP = ActivityStub("run_http", RunRequest, RunOutcome)
RUN_CONTAINER = ActivityStub("run_container", RunRequest, RunOutcome)
RESUME_CONTAINER = ActivityStub("resume_container", ResumeRequest, RunOutcome)
RUN_SSH = ActivityStub("run_ssh", RunRequest, RunOutcome)
RESUME_SSH = ActivityStub("resume_ssh", ResumeRequest, RunOutcome)
ADMIT_EXECUTION = ActivityStub("admit_execution", EventRequest, Admission)
RECORD_EXECUTION = ActivityStub("record_execution", ExecutionRecord, bool)
