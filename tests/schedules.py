"""Schedules for tests: the fields that do not matter are filled in."""

from typing import Any

from contracts.schedules import ScheduleSpec
from tests.caller import event


def schedule(**fields: Any) -> ScheduleSpec:
    """A schedule of an event that does nothing."""
    fields.setdefault("id", "nightly")
    if "workflow" not in fields:
        fields.setdefault("event", event("true"))
    return ScheduleSpec.model_validate(fields)
