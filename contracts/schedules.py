"""When an event or a graph runs by itself: the contract of a schedule.

Times of the day are those of `timezone`. What becomes of them when clocks change is the
rule of Debian's cron: a time that does not exist runs at the end of the gap, a time
that comes twice runs the first time; expressions with `*` in minutes or hours go on by
the real clock.
"""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Self
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from contracts import limits, names
from contracts.base import WireModel
from contracts.cron import Cron, parse_cron
from contracts.events import EventRequest, EventSpec, Trigger
from contracts.graphs import GraphRequest, GraphSpec
from contracts.identity import Identifier
from contracts.results import Status
from contracts.runs import ActivityStub
from contracts.schedule_link import ScheduleId, ScheduleLink
from contracts.validation import problems_of, sentence
from contracts.wire_text import WireJson, WireText

EXHAUSTED = "every run of maxRuns is done"
"""How the note of a schedule begins that was paused at its maximum."""


class Overlap(StrEnum):
    """What becomes of a run that is due while the one before is not over."""

    SKIP = "skip"
    BUFFER_ONE = "buffer_one"
    """It runs afterwards; more that become due meanwhile are left out."""
    BUFFER_ALL = "buffer_all"
    """All run, one after the other."""
    CANCEL_OTHER = "cancel_other"
    """The one before is cancelled, and then it runs."""
    ALLOW_ALL = "allow_all"
    """They run side by side."""


def _one_or_many(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _is_cron(text: str) -> str:
    parse_cron(text)
    return text


def _is_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(
            "no time zone of this name: expected one of IANA's, such as Europe/Berlin"
        ) from None
    return name


CronText = Annotated[str, AfterValidator(_is_cron)]


class ScheduleSpec(WireModel):
    """One schedule: what runs, when, and what happens when that does not fit."""

    id: ScheduleId
    description: Annotated[WireText, Field(max_length=limits.MAX_DESCRIPTION_CHARS)] = (
        ""
    )
    event: EventSpec | None = None
    workflow: GraphSpec | None = None
    input: WireJson = None
    """Any JSON value, the same for each run."""
    every_seconds: int | None = Field(
        None, ge=limits.MIN_EVERY_SECONDS, le=limits.MAX_EVERY_SECONDS
    )
    """Seconds from run to run, whatever the clock does. Counted from `startAt`,
    else from 1970-01-01T00:00Z, so that applying a file again shifts nothing."""
    cron: Annotated[list[CronText], BeforeValidator(_one_or_many)] = Field(
        [], max_length=limits.MAX_CRONS
    )
    """Expressions of five fields; a time that several mean is one run."""
    timezone: Annotated[str, AfterValidator(_is_zone)] = "UTC"
    start_at: datetime | None = None
    """No run before it; with `everySeconds` the first run. Without an offset it is a
    time in `timezone`."""
    end_at: datetime | None = None
    """No run after it."""
    jitter_seconds: int = Field(0, ge=0, le=limits.MAX_JITTER_SECONDS)
    """Each run begins up to so much later; how much differs from run to run."""
    overlap: Overlap = Overlap.SKIP
    catch_up_seconds: int = Field(
        limits.DEFAULT_CATCH_UP_SECONDS,
        ge=limits.MIN_CATCH_UP_SECONDS,
        le=limits.MAX_CATCH_UP_SECONDS,
    )
    """Runs that Temporal missed while it was down are made up for when they are at most
    so old."""
    max_runs: int | None = Field(None, ge=1, le=limits.MAX_RUNS)
    """After so many runs it is paused; those by hand do not count."""
    pause_on_failure: bool = False
    """Whether a run that does not succeed pauses it; a cancelled one does not."""
    paused: bool | None = None
    """What applying the file does: pause or resume; None leaves it as it is."""
    user: Identifier = "local"
    """Whose executions they are."""
    priority: int = Field(3, ge=1, le=5)

    @field_validator("start_at", "end_at")
    @classmethod
    def _whole_seconds(cls, value: datetime | None) -> datetime | None:
        if value is not None and value.microsecond:
            raise ValueError("expected whole seconds")
        return value

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        if (self.every_seconds is None) == (not self.cron):
            raise ValueError("give either `every` (`everySeconds`) or `cron`")
        if (self.event is None) == (self.workflow is None):
            raise ValueError("give either `event` or `workflow`: what is to run")
        for name, value in (("startAt", self.start_at), ("endAt", self.end_at)):
            if value is not None and value.tzinfo is None and self._is_gap(value):
                raise ValueError(
                    f"{name}: there is no such time in {self.timezone}, since clocks "
                    "go forward then"
                )
        if self.start and self.end and self.start > self.end:
            raise ValueError("endAt: before `startAt`")
        try:
            request = self.request()
        except ValidationError as error:
            model = EventRequest if self.event is not None else GraphRequest
            raise ValueError(sentence(problems_of(error, model))) from None
        if len(request.model_dump_json().encode()) > limits.MAX_REQUEST_BYTES:
            raise ValueError(
                "what runs and its input are more than "
                f"{limits.MAX_REQUEST_BYTES} bytes"
            )
        return self

    @property
    def zone(self) -> ZoneInfo:
        """The time zone."""
        return ZoneInfo(self.timezone)

    @property
    def crons(self) -> list[Cron]:
        """The expressions, read."""
        return [parse_cron(text) for text in self.cron]

    @property
    def start(self) -> datetime | None:
        """`startAt` in UTC."""
        return self._instant(self.start_at)

    @property
    def end(self) -> datetime | None:
        """`endAt` in UTC."""
        return self._instant(self.end_at)

    @property
    def target(self) -> EventSpec | GraphSpec:
        """What runs."""
        found = self.event or self.workflow
        assert found is not None
        return found

    @property
    def workflow_type(self) -> str:
        """Name of the Temporal workflow that runs it."""
        return names.EVENT_WORKFLOW if self.event else names.GRAPH_WORKFLOW

    @property
    def workflow_id(self) -> str:
        """What the ids of its workflows begin with; Temporal appends the time."""
        name = names.workflow_id if self.event else names.graph_id
        return name(self.target.id, self.id)

    def request(self) -> EventRequest | GraphRequest:
        """Return what each run is started with.

        Raises:
            ValidationError: Target and input are too large together.
        """
        common: dict[str, Any] = {
            "schedule": ScheduleLink(
                id=self.id,
                pause_on_failure=self.pause_on_failure,
                max_runs=self.max_runs,
            ),
            "input": self.input,
            "trigger": Trigger.SCHEDULE,
            "user": self.user,
            "priority": self.priority,
        }
        if self.event is not None:
            return EventRequest(event=self.event, **common)
        assert self.workflow is not None
        return GraphRequest(workflow=self.workflow, **common)

    def _instant(self, value: datetime | None) -> datetime | None:
        if value is None:
            return None
        aware = value if value.tzinfo else value.replace(tzinfo=self.zone)
        return aware.astimezone(UTC)

    def _is_gap(self, value: datetime) -> bool:
        there = value.replace(tzinfo=self.zone).astimezone(UTC)
        return there.astimezone(self.zone).replace(tzinfo=None) != value


class ScheduleOutcome(WireModel):
    """How an execution that a schedule started has ended: of `settle_schedule`."""

    schedule: ScheduleLink
    execution_id: str
    status: Status
    failed: bool
    """Whether that is an end that pauses a schedule."""


SETTLE_SCHEDULE = ActivityStub("settle_schedule", ScheduleOutcome, bool)
