"""What an execution knows of the schedule that starts it.

Temporal starts the same argument each time, so that such a request has no execution id
of its own: the workflow makes it of its ids, the same on every replay.
"""

from typing import Annotated, Any

from pydantic import (
    Field,
    StringConstraints,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    field_validator,
)

from contracts import limits, names
from contracts.base import WireModel
from contracts.identity import Identifier

ScheduleId = Annotated[
    str,
    StringConstraints(
        min_length=1,
        max_length=limits.MAX_SCHEDULE_ID_LENGTH,
        pattern=names.ID_PATTERN,
    ),
]


class ScheduleLink(WireModel):
    """Which schedule starts an execution, and what it wants at the end."""

    id: ScheduleId
    pause_on_failure: bool = False
    max_runs: int | None = Field(None, ge=1)


class Scheduled(WireModel):
    """What every request has that a schedule may start."""

    schedule: ScheduleLink | None = None
    """Set by schedules alone."""
    execution_id: Identifier = Field("", validate_default=True)
    """Left out by schedules; the workflow then makes it."""
    scheduled_for: str | None = Field(None, max_length=40)
    """Of a schedule: the time that the run stands for, in UTC; set by the workflow."""

    @field_validator("execution_id", mode="wrap")
    @classmethod
    def _has_id(
        cls, value: Any, handler: ValidatorFunctionWrapHandler, info: ValidationInfo
    ) -> Any:
        if value != "":
            return handler(value)
        if info.data.get("schedule") is None:
            raise ValueError("required, but missing")
        return value
