"""Cron expressions: read as Debian's cron reads them, refused with a way out."""

import re
from datetime import UTC, date, datetime, timedelta
from itertools import islice

import pytest
from cronsim import CronSim
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.cron import MONTHS, WEEKDAYS, parse_cron


@pytest.mark.parametrize(
    ("text", "minutes", "hours"),
    [
        ("30 2 * * *", (30,), (2,)),
        ("*/20 1-3 * * *", (0, 20, 40), (1, 2, 3)),
        ("5/25 0,12 * * *", (5, 30, 55), (0, 12)),
        ("0-10/5 23 * * *", (0, 5, 10), (23,)),
        ("@daily", (0,), (0,)),
    ],
)
def test_minutes_and_hours_are_read(
    text: str, minutes: tuple[int, ...], hours: tuple[int, ...]
) -> None:
    cron = parse_cron(text)
    assert (cron.minutes, cron.hours) == (minutes, hours)


def test_sunday_is_0_and_7_and_has_a_name() -> None:
    assert (
        parse_cron("0 0 * * 0").weekdays
        == parse_cron("0 0 * * 7").weekdays
        == parse_cron("0 0 * * sun").weekdays
        == (0,)
    )
    assert parse_cron("0 0 * * fri-7").weekdays == (0, 5, 6)


def test_day_of_month_or_day_of_week_is_enough_when_both_are_restricted() -> None:
    cron = parse_cron("0 0 13 * FRI")
    assert cron.matches_day(date(2026, 11, 13))  # a Friday
    assert cron.matches_day(date(2026, 11, 20))
    assert cron.matches_day(date(2026, 12, 13))
    assert not cron.matches_day(date(2026, 12, 14))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "expected five fields"),
        ("* * * *", "found 4"),
        ("0 0 2 * * *", "no seconds"),
        ("0 0 2 * * * 2027", "no seconds and no years"),
        ("60 * * * *", "field 1 (minute): expected 0 to 59"),
        ("0 24 * * *", "field 2 (hour): expected 0 to 23"),
        ("0 0 0 * *", "field 3 (day of month): expected 1 to 31"),
        ("0 0 * 13 *", "field 4 (month): expected 1 to 12, or JAN to DEC"),
        ("0 0 * * 8", "field 5 (day of week): expected 0 to 7, or SUN to SAT"),
        ("0 0 L * *", "L, W, H and # are not supported"),
        ("0 0 15W * *", "L, W, H and # are not supported"),
        ("0 0 * * 5#3", "`#` is not supported"),
        ("0 0 ? * 1", "write `*`"),
        ("0 0 * * FRI-MON", "backwards"),
        ("*/0 * * * *", "a step is at least 1"),
        ("1,,2 * * * *", "a comma with nothing beside it"),
        ("-5 * * * *", "expected `*`, a number"),
        ("0 0 30 2 *", "no month that is named has that day"),
        ("0 0 31 4,6,9,11 *", "no month that is named has that day"),
        ("@reboot", "@daily"),
        ("@every 5m", "expected five fields"),
        ("٣ * * * *", "expected"),
        ("0 " * 300, "more than 200 characters"),
    ],
)
def test_what_is_no_expression_is_refused_with_what_was_expected(
    text: str, said: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        parse_cron(text)


def test_the_value_is_not_echoed() -> None:
    with pytest.raises(ValueError, match="field 1") as caught:
        parse_cron("topsecret * * * *")
    assert "topsecret" not in str(caught.value).lower()


def numbers(low: int, high: int, names: list[str] | None = None) -> st.SearchStrategy:
    one = st.integers(low, high).map(str)
    if names:
        one |= st.sampled_from(names)
    # The library reads a step after a range of one as one without an end.
    span = st.tuples(st.integers(low, high - 1), st.integers(1, high)).map(
        lambda pair: f"{pair[0]}-{min(high, sum(pair))}"
    )
    step = st.integers(1, high)
    stepped = st.tuples(st.just("*") | span, step).map(lambda p: f"{p[0]}/{p[1]}")
    parts = st.lists(one | span | stepped, min_size=1, max_size=3).map(",".join)
    return st.just("*") | parts


EXPRESSIONS = st.tuples(
    numbers(0, 59),
    numbers(0, 23),
    numbers(1, 28),
    numbers(1, 12, MONTHS),
    numbers(0, 6, WEEKDAYS),
).map(" ".join)


@settings(max_examples=300, deadline=None)
@given(EXPRESSIONS, st.integers(0, 4 * 365))
def test_it_means_what_a_well_known_library_means(text: str, days: int) -> None:
    cron, library = parse_cron(text), CronSim(text, datetime(2026, 1, 1, tzinfo=UTC))
    assert set(cron.minutes) == library.minutes
    assert set(cron.hours) == library.hours
    assert cron.either_day is not library.day_and
    since = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=days)
    for found in islice(CronSim(text, since), 3):
        assert cron.matches(found)
    first = next(CronSim(text, since)).date()
    passed = since.date() + timedelta(days=1)
    while passed < first:
        assert not cron.matches_day(passed)
        passed += timedelta(days=1)
