"""When schedules run: intervals that are even, and clocks that change under them."""

from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schedules.clocks import changes
from schedules.times import moments, upcoming
from tests.schedules import schedule
from tests.unit.test_cron import EXPRESSIONS


def times(zone: str, cron: str, after: str, count: int) -> list[str]:
    spec = schedule(cron=cron, timezone=zone)
    since = datetime.fromisoformat(after).replace(tzinfo=ZoneInfo(zone))
    return [
        at.astimezone(spec.zone).strftime("%m-%d %H:%M %z")
        for at in islice(upcoming(spec, since.astimezone(UTC)), count)
    ]


@pytest.mark.parametrize("every", [7 * 60, 45, 5 * 3600, 86_400])
def test_an_interval_is_even_across_hours_days_and_changes_of_the_clock(
    every: int,
) -> None:
    spec = schedule(everySeconds=every, timezone="Europe/Berlin")
    since = datetime(2027, 3, 27, 22, 1, tzinfo=UTC)
    found = list(islice(upcoming(spec, since), 200))
    assert {after - before for before, after in pairwise(found)} == {
        timedelta(seconds=every)
    }
    assert since < found[0] <= since + timedelta(seconds=every)


def test_an_interval_begins_exactly_at_its_start() -> None:
    spec = schedule(everySeconds=420, startAt="2027-01-01T10:03:20Z")
    first, second = islice(upcoming(spec, datetime(2026, 1, 1, tzinfo=UTC)), 2)
    assert first == datetime(2027, 1, 1, 10, 3, 20, tzinfo=UTC)
    assert second == first + timedelta(minutes=7)


def test_the_last_time_may_be_the_end_itself() -> None:
    spec = schedule(cron="0 * * * *", startAt="2027-01-01", endAt="2027-01-01T02:00")
    found = list(upcoming(spec, datetime(2026, 1, 1, tzinfo=UTC)))
    assert [at.hour for at in found] == [0, 1, 2]


def test_a_start_without_an_offset_is_a_time_of_the_zone() -> None:
    spec = schedule(
        cron="0 3 * * *", timezone="America/New_York", startAt="2027-06-01T03:00"
    )
    assert spec.start == datetime(2027, 6, 1, 7, tzinfo=UTC)


def test_a_time_that_several_expressions_mean_is_one_run() -> None:
    spec = schedule(cron=["0 6 * * *", "0 6 * * MON", "30 6 * * *"])
    found = islice(upcoming(spec, datetime(2026, 11, 30, tzinfo=UTC)), 3)
    assert [(at.hour, at.minute) for at in found] == [(6, 0), (6, 30), (6, 0)]


@pytest.mark.parametrize(
    ("zone", "cron", "after", "expected"),
    [
        # Forward: what does not exist runs at the end of the gap.
        (
            "Europe/Berlin", "30 2 * * *", "2027-03-27",
            ["03-27 02:30 +0100", "03-28 03:00 +0200", "03-29 02:30 +0200"],
        ),
        (
            "America/New_York", "0,30 2 * * *", "2027-03-14",
            ["03-14 03:00 -0400", "03-15 02:00 -0400", "03-15 02:30 -0400"],
        ),
        # Back: what comes twice runs the first time.
        (
            "Europe/Berlin", "30 2 * * *", "2027-10-30",
            ["10-30 02:30 +0200", "10-31 02:30 +0200", "11-01 02:30 +0100"],
        ),
        (
            "America/New_York", "30 1 * * *", "2027-11-06",
            ["11-06 01:30 -0400", "11-07 01:30 -0400", "11-08 01:30 -0500"],
        ),
        # With `*` the real clock counts: each hour that there is.
        (
            "Europe/Berlin", "0 * * * *", "2027-10-31T01:30",
            ["10-31 02:00 +0200", "10-31 02:00 +0100", "10-31 03:00 +0100"],
        ),
        (
            "Europe/Berlin", "0 * * * *", "2027-03-28T01:00",
            ["03-28 03:00 +0200", "03-28 04:00 +0200"],
        ),
        (
            "America/New_York", "*/30 1 * * *", "2027-11-07T00:30",
            ["11-07 01:00 -0400", "11-07 01:30 -0400",
             "11-07 01:00 -0500", "11-07 01:30 -0500", "11-08 01:00 -0500"],
        ),
        ("UTC", "0 12 29 2 *", "2026-11-26", ["02-29 12:00 +0000"] * 2),
    ],
)  # fmt: skip
def test_clocks_change_and_runs_follow_the_rule(
    zone: str, cron: str, after: str, expected: list[str]
) -> None:
    assert times(zone, cron, after, len(expected)) == expected


def test_29_february_is_in_leap_years_alone() -> None:
    spec = schedule(cron="0 0 29 2 *")
    found = islice(upcoming(spec, datetime(2026, 1, 1, tzinfo=UTC)), 4)
    assert [at.year for at in found] == [2028, 2032, 2036, 2040]


def test_a_time_that_does_not_exist_is_named() -> None:
    spec = schedule(cron="30 2 * * *", timezone="Europe/Berlin")
    found = moments(spec, datetime(2027, 3, 27, 12, tzinfo=UTC), 2)
    assert [moment.runs for moment in found] == [False, True, True]
    gap, moved, usual = found
    assert gap.shown == "Sun 2027-03-28 02:30"
    assert "does not exist in Europe/Berlin" in gap.note
    assert "from 02:00 to 03:00; runs then" in gap.note
    assert moved.shown == "Sun 2027-03-28 03:00 +02:00"
    assert moved.note == "instead of 02:30, which does not exist on this day"
    assert (usual.shown, usual.note) == ("Mon 2027-03-29 02:30 +02:00", "")


def test_a_time_that_comes_twice_is_named() -> None:
    spec = schedule(cron="30 2 * * *", timezone="Europe/Berlin")
    (only, later) = moments(spec, datetime(2027, 10, 30, 12, tzinfo=UTC), 2)
    assert (only.shown[-6:], later.shown[-6:]) == ("+02:00", "+01:00")
    assert "the first of two" in only.note
    spec = schedule(cron="*/30 * * * *", timezone="Europe/Berlin")
    four = moments(spec, datetime(2027, 10, 30, 23, 59, tzinfo=UTC), 5)
    assert [moment.note[:14] for moment in four] == [
        "the first of t", "the first of t", "the second of ", "the second of ", "",
    ]  # fmt: skip


def test_with_a_star_a_time_that_does_not_exist_is_no_run() -> None:
    spec = schedule(cron="*/30 2 * * *", timezone="Europe/Berlin")
    found = moments(spec, datetime(2027, 3, 27, 12, tzinfo=UTC), 1)
    assert [moment.runs for moment in found] == [False, True]
    assert found[0].shown == "Sun 2027-03-28 02:00 to 02:30"
    assert found[0].note.endswith("no run")
    assert found[1].shown == "Mon 2027-03-29 02:00 +02:00"


def test_clock_changes_of_a_zone_are_found_to_the_second() -> None:
    zone = ZoneInfo("America/New_York")
    begin = datetime(2027, 1, 1, tzinfo=UTC)
    spring, autumn = changes(zone, begin, begin.replace(year=2028))
    assert spring.at == datetime(2027, 3, 14, 7, tzinfo=UTC)
    assert autumn.at == datetime(2027, 11, 7, 6, tzinfo=UTC)
    assert (spring.shift, autumn.shift) == (timedelta(hours=1), timedelta(hours=-1))


@settings(max_examples=100, deadline=None)
@given(
    EXPRESSIONS,
    st.sampled_from(
        ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Cairo"]
    ),
    st.datetimes(datetime(2026, 1, 1), datetime(2029, 1, 1)),
)
def test_times_grow_and_are_those_that_clocks_show(
    cron: str, zone: str, after: datetime
) -> None:
    spec = schedule(cron=cron, timezone=zone)
    since = after.replace(tzinfo=UTC, microsecond=0)
    found = list(islice(upcoming(spec, since), 20))
    assert found == sorted(set(found))
    assert found[0] > since
    ends = {
        change.at for change in changes(spec.zone, since, found[-1] + timedelta(days=1))
    }
    for at in found:
        shown = at.astimezone(spec.zone).replace(tzinfo=None)
        assert at in ends or spec.crons[0].matches(shown)
