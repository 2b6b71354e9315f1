"""A schedule's times in Temporal's form, right through changes of the clock.

Temporal (1.32) reads calendars in a time zone. On the day when clocks go back it leaves
runs out, or makes them an hour late, in zones east of Greenwich, and makes those of the
repeated hour twice in others; a time that does not exist it leaves out. So the
calendars leave out the hours around each change of the coming years, and the runs of
these hours are put in one by one, as intervals too long to come again.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta

from temporalio.client import (
    ScheduleCalendarSpec,
    ScheduleIntervalSpec,
    ScheduleRange,
    ScheduleSpec,
)

from contracts.cron import Cron
from contracts.schedules import ScheduleSpec as Ours
from schedules.clocks import HOUR, Change, changes
from schedules.times import EPOCH, MINUTE, SECOND, cron_times, offset_of, until

ONCE = timedelta(days=50 * 365)
"""Temporal finds the next time of an interval by whole intervals since 1970 that have
passed: it must be shorter than that, and long enough not to come again."""
YEARS = 10
# So many single runs are put in; changes of the clock after them are left to Temporal.
MAX_SINGLES = 400
# Temporal knows no others.
FIRST_YEAR, LAST_YEAR = 2000, 2100

LeftOut = dict[date, set[int]]
Box = tuple[set[int], set[int], set[int], set[int]]


def compile_times(spec: Ours, now: datetime) -> ScheduleSpec:
    """Return the times of a schedule as Temporal is told.

    Args:
        spec: The schedule.
        now: Changes of the clock from the year before this on are looked at, so that
            the same file gives the same times for a year.
    """
    made = ScheduleSpec(
        start_at=spec.start,
        end_at=spec.end,
        jitter=timedelta(seconds=spec.jitter_seconds) if spec.jitter_seconds else None,
        time_zone_name=spec.timezone,
    )
    if spec.every_seconds is not None:
        every, offset = timedelta(seconds=spec.every_seconds), offset_of(spec)
        made.intervals = [_interval(every, timedelta(seconds=offset))]
        return made
    year = max(now.year - 1, spec.start.year if spec.start else 0)
    begin = datetime(year, 1, 1, tzinfo=UTC)
    known = changes(spec.zone, begin, begin.replace(year=year + YEARS))
    minutes = _minutes_in_utc(spec, known, begin)
    if minutes is not None:
        made.time_zone_name = "UTC"
        made.calendars = [_calendar(minutes, range(24))]
        return made
    handled, singles = _around_changes(spec, known)
    made.calendars = [part for cron in spec.crons for part in _parts(cron, handled)]
    made.intervals = [_interval(ONCE, (at - EPOCH) % ONCE) for at in singles]
    return made


def _minutes_in_utc(
    spec: Ours, known: tuple[Change, ...], begin: datetime
) -> list[int] | None:
    """Return the minutes in UTC, when each hour of each day is like the others."""
    if not all(cron.every_hour for cron in spec.crons):
        return None
    offsets = {change.before for change in known} | {change.after for change in known}
    offsets.add(begin.astimezone(spec.zone).utcoffset() or timedelta(0))
    shifts = {offset % HOUR for offset in offsets}
    if len(shifts) != 1 or any(shift % MINUTE for shift in shifts):
        return None
    shift = shifts.pop() // MINUTE
    wanted = {minute for cron in spec.crons for minute in cron.minutes}
    return sorted((minute - shift) % 60 for minute in wanted)


def _around_changes(
    spec: Ours, known: tuple[Change, ...]
) -> tuple[LeftOut, list[datetime]]:
    """Return the hours that calendars leave out, and the runs to put in."""
    left_out: LeftOut = {}
    put_in: list[datetime] = []
    for change in known:
        hours = [hour for hour in change.hours() if _runs_in(spec, hour)]
        if not hours:
            continue
        singles = _runs_around(spec, change, set(hours))
        if len(put_in) + len(singles) > MAX_SINGLES:
            break
        put_in += singles
        for hour in hours:
            left_out.setdefault(hour.date(), set()).add(hour.hour)
    return left_out, put_in


def _runs_in(spec: Ours, hour: datetime) -> bool:
    return any(
        hour.hour in cron.hours and cron.matches_day(hour.date()) for cron in spec.crons
    )


def _runs_around(spec: Ours, change: Change, hours: set[datetime]) -> list[datetime]:
    """Return the runs that no calendar makes any more, and those that none has made."""
    # Hours are left out as a whole, where changes of half an hour cut them in two.
    begin, end = change.window[0] - HOUR, change.window[1] + HOUR
    found = {
        at
        for cron in spec.crons
        for at in until(cron_times(cron, spec.zone, begin - SECOND), end)
    }
    kept = []
    for at in sorted(found):
        shown = at.astimezone(spec.zone).replace(tzinfo=None)
        moved = not any(cron.matches(shown) for cron in spec.crons)
        if moved or shown.replace(minute=0, second=0) in hours:
            kept.append(at)
    return kept


def _parts(cron: Cron, left_out: LeftOut) -> list[ScheduleCalendarSpec]:
    """Return calendars that are one expression without the hours left out."""
    every_day, every_weekday = set(range(1, 32)), set(range(7))
    in_month, in_week = set(cron.days), set(cron.weekdays)
    products = [(in_month, in_week)]
    if cron.either_day:
        products = [(in_month, every_weekday), (every_day, in_week)]
    return [
        _calendar(cron.minutes, hours, days & in_month, months, in_week, years)
        for in_month, in_week in products
        for years, months, days, hours in _boxes(cron, left_out)
        if days & in_month and months and hours
    ]


def _boxes(cron: Cron, left_out: LeftOut) -> Iterator[Box]:
    """Yield years, months, days and hours that cover all that is not left out."""
    months, days, hours = set(cron.months), set(range(1, 32)), set(cron.hours)
    if not left_out:
        yield set(), months, days, hours
        return
    odd_years = {day.year for day in left_out}
    yield set(range(FIRST_YEAR, LAST_YEAR + 1)) - odd_years, months, days, hours
    for year in sorted(odd_years):
        odd_months = {day.month for day in left_out if day.year == year}
        yield {year}, months - odd_months, days, hours
        for month in sorted(odd_months & months):
            odd = {day for day in left_out if (day.year, day.month) == (year, month)}
            yield {year}, {month}, days - {day.day for day in odd}, hours
            for day in sorted(odd):
                yield {year}, {month}, {day.day}, hours - left_out[day]


def _calendar(
    minutes: Iterable[int],
    hours: Iterable[int],
    days: Iterable[int] = range(1, 32),
    months: Iterable[int] = range(1, 13),
    weekdays: Iterable[int] = range(7),
    years: Iterable[int] = (),
) -> ScheduleCalendarSpec:
    return ScheduleCalendarSpec(
        minute=_ranges(minutes),
        hour=_ranges(hours),
        day_of_month=_ranges(days),
        month=_ranges(months),
        day_of_week=_ranges(weekdays),
        year=_ranges(years),
    )


def _interval(every: timedelta, offset: timedelta) -> ScheduleIntervalSpec:
    return ScheduleIntervalSpec(every=every, offset=offset or None)


def _ranges(values: Iterable[int]) -> tuple[ScheduleRange, ...]:
    """Return numbers as ranges, those that follow each other as one."""
    found: list[ScheduleRange] = []
    for value in sorted(values):
        if found and found[-1].end == value - 1:
            found[-1] = ScheduleRange(found[-1].start, value)
        else:
            found.append(ScheduleRange(value, value))
    return tuple(found)
