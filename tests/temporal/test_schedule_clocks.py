"""Temporal itself is asked when it will run what it was told: it must be what we say.

Start times lie in the future, so that months and years ahead take no time.
"""

from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from temporalio.client import ScheduleState

from contracts.schedules import ScheduleSpec
from schedules.compiled import compile_times
from schedules.temporal import differs, schedule_of
from schedules.times import upcoming
from tests.schedules import schedule
from tests.temporal.scripted import Scripted
from tests.unit.test_cron import EXPRESSIONS

ASKED = 10
"""So many times Temporal tells."""
CHANGES = [
    ("Europe/Berlin", "2027-03-27T20:00Z"),
    ("Europe/Berlin", "2027-10-30T20:00Z"),
    ("America/New_York", "2027-03-13T20:00Z"),
    ("America/New_York", "2027-11-06T20:00Z"),
    ("Australia/Lord_Howe", "2027-04-03T12:00Z"),
    ("Australia/Lord_Howe", "2027-10-02T12:00Z"),
    ("Atlantic/Azores", "2027-10-30T21:00Z"),
    ("Africa/Cairo", "2027-04-29T18:00Z"),
    ("America/Havana", "2027-11-06T20:00Z"),
    ("Asia/Kolkata", "2027-04-29T18:00Z"),
]
CRONS = [
    "30 2 * * *", "30 1 * * *", "0 * * * *", "*/15 * * * *", "*/30 2 * * *",
    "*/20 1,2 * * *", "0 2,3 * * *", "0 0-23/2 * * *", "30 0,1,2,3 * * 0",
    "*/10 * 28-31 * *", "0 2 29 2 *", "30 2 13 * 5", "15 0 1 * *",
]  # fmt: skip


async def answers(server: Scripted, spec: ScheduleSpec) -> list[datetime]:
    """What Temporal says of the next times."""
    made = schedule_of(spec, server.queue, datetime.now(UTC), ScheduleState())
    handle = await server.client.create_schedule(spec.id, made)
    try:
        described = await handle.describe()
    finally:
        await handle.delete()
    assert not differs(made, described.schedule), "read back as it was told"
    return list(described.info.next_action_times)


def says(spec: ScheduleSpec) -> list[datetime]:
    return list(islice(upcoming(spec, datetime.now(UTC)), ASKED))


@pytest.mark.parametrize(("zone", "start"), CHANGES)
async def test_temporal_agrees_when_clocks_change(
    zone: str, start: str, server: Scripted
) -> None:
    for number, cron in enumerate(CRONS):
        spec = schedule(id=f"clocks-{number}", cron=cron, timezone=zone, startAt=start)
        assert await answers(server, spec) == says(spec), cron


async def test_temporal_agrees_over_two_years_of_nights(server: Scripted) -> None:
    """Each change of the clock of two years is among the times that are compared."""
    spec = schedule(cron="30 2 * * *", timezone="Europe/Berlin", startAt="2027-01-01")
    start = datetime(2027, 1, 1, tzinfo=UTC)
    for week in range(105):
        at = start + timedelta(days=7 * week)
        moved = spec.model_copy(update={"start_at": at, "id": f"nights-{week}"})
        assert await answers(server, moved) == says(moved)


@pytest.mark.parametrize(
    "fields",
    [
        {"everySeconds": 420},
        {"everySeconds": 420, "startAt": "2027-01-01T10:03:20Z"},
        {"everySeconds": 86_400, "startAt": "2027-03-27T01:30:00+01:00"},
        {"cron": ["0 6 * * *", "0 18 * * 1-5"], "startAt": "2027-01-01"},
        {"cron": "0 * * * *", "startAt": "2027-01-01", "endAt": "2027-01-01T04:00"},
        {"everySeconds": 60, "startAt": "2027-01-01", "endAt": "2027-01-01T00:03"},
    ],
    ids=["every", "start", "days", "two", "cron-end", "every-end"],
)
async def test_temporal_agrees_on_intervals_starts_and_ends(
    fields: dict[str, Any], server: Scripted
) -> None:
    spec = schedule(id="ends", timezone="Europe/Berlin", **fields)
    assert await answers(server, spec) == says(spec)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    cron=st.lists(EXPRESSIONS, min_size=1, max_size=3),
    change=st.sampled_from(CHANGES),
    hours=st.integers(-100, 10),
)
async def test_temporal_agrees_on_whatever_is_asked_around_a_change(
    cron: list[str], change: tuple[str, str], hours: int, server: Scripted
) -> None:
    zone, start = change
    begin = datetime.fromisoformat(start) + timedelta(hours=hours)
    spec = schedule(id="any", cron=cron, timezone=zone, startAt=begin)
    assert await answers(server, spec) == says(spec)


def test_the_same_words_give_the_same_times_all_year() -> None:
    spec = schedule(cron="30 2 * * *", timezone="Europe/Berlin")

    def told(month: int, day: int) -> Any:
        return compile_times(spec, datetime(2027, month, day, tzinfo=UTC))

    assert told(1, 1) == told(12, 31)
    assert len(told(1, 1).intervals) == 20, "two changes a year, for ten years"


def test_dense_expressions_are_exact_for_as_long_as_there_is_room() -> None:
    spec = schedule(cron="* 0-6 * * *", timezone="Europe/Berlin")
    made = compile_times(spec, datetime(2027, 1, 1, tzinfo=UTC))
    assert 100 < len(made.intervals) <= 400


def test_every_hour_needs_no_exceptions() -> None:
    spec = schedule(cron="*/15 * * * *", timezone="Asia/Kolkata")
    made = compile_times(spec, datetime(2027, 1, 1, tzinfo=UTC))
    assert (made.time_zone_name, len(made.calendars), len(made.intervals)) == (
        "UTC", 1, 0,
    )  # fmt: skip
