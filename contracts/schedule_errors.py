"""Errors of schedules: they hang below `CroniumError` like those of `contracts.errors`.

ScheduleError            a schedule cannot be used as asked
├── ScheduleNotFound     there is none of this id
├── ScheduleForeign      it belongs to another project, or is not ours
├── ScheduleSpent        all its runs are done
└── ScheduleRefused      Temporal does not take it
"""

from contracts.errors import CroniumError


class ScheduleError(CroniumError):
    """A schedule cannot be used as asked."""


class ScheduleNotFound(ScheduleError):
    """There is no schedule of this id."""

    hint = "`cronium schedule list` shows all of them."


class ScheduleForeign(ScheduleError):
    """The schedule belongs to another project, or was not made by Cronium."""

    hint = "Choose another id, or delete that schedule first."


class ScheduleSpent(ScheduleError):
    """All runs that `maxRuns` allows are done."""

    hint = "`cronium schedule resume ID --runs N` gives it N more."


class ScheduleRefused(ScheduleError):
    """Temporal does not take the schedule."""
