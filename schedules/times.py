"""When a schedule runs, told before it does, with what becomes of odd times."""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from zoneinfo import ZoneInfo

from cronsim import CronSim

from contracts.cron import Cron
from contracts.schedules import ScheduleSpec
from schedules.clocks import Change, changes

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Who asks for the next runs is told of clock changes until the last of them, but
# never of those in a time that nobody plans for.
MOST_YEARS = timedelta(days=50 * 366)


@dataclass(frozen=True, order=True)
class Moment:
    """One run, or a time of the day that there is not."""

    at: datetime
    """In UTC; of a time that there is not, when clocks jump over it."""
    shown: str
    """What clocks show then."""
    note: str = ""
    runs: bool = True


def upcoming(spec: ScheduleSpec, after: datetime) -> Iterator[datetime]:
    """Yield the times of a schedule's runs after an instant, in UTC, without jitter."""
    if spec.start is not None:
        after = max(after, spec.start - SECOND)
    sources = [cron_times(cron, spec.zone, after) for cron in spec.crons]
    if spec.every_seconds is not None:
        sources.append(_interval(spec.every_seconds, offset_of(spec), after))
    last = None
    for at in heapq.merge(*sources):
        if spec.end is not None and at > spec.end:
            return
        if at != last:
            yield at
        last = at


def cron_times(cron: Cron, zone: ZoneInfo, after: datetime) -> Iterator[datetime]:
    """Yield the times of one expression after an instant, in UTC."""
    last = after
    found_by = CronSim(cron.text, after.astimezone(zone))
    # What an expression means is said in one place: the library reads `5-5/2` as `5/2`.
    found_by.minutes, found_by.hours = set(cron.minutes), set(cron.hours)
    found_by.days, found_by.months = set(cron.days), set(cron.months)
    found_by.weekdays = set(cron.weekdays)
    for found in found_by:
        at = found.astimezone(UTC)
        # A time that was moved out of a gap may meet one that stands there anyway.
        if at > last:
            yield at
            last = at


def moments(spec: ScheduleSpec, after: datetime, count: int) -> list[Moment]:
    """Return the next runs, and between them the times that do not exist.

    Args:
        spec: The schedule.
        after: From when on.
        count: How many runs; there are fewer when the schedule ends before.
    """
    runs = [at for _, at in zip(range(count), upcoming(spec, after), strict=False)]
    if not runs:
        return []
    until = min(runs[-1], after + MOST_YEARS) + timedelta(days=1)
    known = changes(spec.zone, after.replace(microsecond=0), until)
    found = [_moment(spec, at, known) for at in runs]
    for change in known:
        if spec.cron and change.shift > timedelta(0):
            found += _missing(spec, change, after, runs[-1])
    return sorted(found)


def offset_of(spec: ScheduleSpec) -> int:
    """Return how many seconds after a multiple of its interval a schedule runs."""
    if spec.start is None or spec.every_seconds is None:
        return 0
    return int((spec.start - EPOCH).total_seconds()) % spec.every_seconds


def _interval(every: int, offset: int, after: datetime) -> Iterator[datetime]:
    passed = int((after - EPOCH).total_seconds()) - offset
    number = passed // every + 1
    while True:
        yield EPOCH + timedelta(seconds=number * every + offset)
        number += 1


def _moment(spec: ScheduleSpec, at: datetime, known: tuple[Change, ...]) -> Moment:
    note = ""
    for change in known:
        back = -change.shift
        if change.at - back <= at < change.at + back:
            note = (
                "the first of two: clocks go back afterwards"
                if at < change.at
                else "the second of two: clocks went back"
            )
        if at == change.at and change.shift > timedelta(0) and spec.cron:
            gone = [time for time in _gap(spec, change) if not _by_clock(spec, time)]
            if gone:
                times = ", ".join(f"{time:%H:%M}" for time in gone)
                note = f"instead of {times}, which does not exist on this day"
    return Moment(at, show(at, spec.zone), note)


def _missing(
    spec: ScheduleSpec, change: Change, after: datetime, last: datetime
) -> Iterator[Moment]:
    if not after < change.at <= last:
        return
    gone = [time for time in _gap(spec, change) if _by_clock(spec, time)]
    moved = [time for time in _gap(spec, change) if not _by_clock(spec, time)]
    for times, outcome in ((gone, "no run"), (moved, "runs then")):
        if not times:
            continue
        many = f" to {times[-1]:%H:%M}" if len(times) > 1 else ""
        yield Moment(
            # Before the run at the end of the gap.
            change.at - SECOND,
            f"{times[0]:%a %Y-%m-%d %H:%M}{many}",
            f"does not exist in {spec.timezone}: clocks go forward from "
            f"{change.from_time:%H:%M} to {change.to_time:%H:%M}; {outcome}",
            runs=False,
        )


def _gap(spec: ScheduleSpec, change: Change) -> list[datetime]:
    """Return the times in a gap that expressions mean."""
    found = set()
    time = change.from_time
    while time < change.to_time:
        if any(cron.matches(time) for cron in spec.crons):
            found.add(time)
        time += MINUTE
    return sorted(found)


def _by_clock(spec: ScheduleSpec, time: datetime) -> bool:
    return all(cron.by_the_clock for cron in spec.crons if cron.matches(time))


def show(at: datetime, zone: ZoneInfo) -> str:
    """Return an instant as clocks of a zone show it, with the offset."""
    local = at.astimezone(zone)
    seconds = ":%S" if local.second else ""
    text = local.strftime(f"%a %Y-%m-%d %H:%M{seconds} %z")
    return f"{text[:-2]}:{text[-2:]}"


def until(times: Iterator[datetime], end: datetime) -> list[datetime]:
    """Return the times up to an instant, that one included."""
    return list(takewhile(lambda at: at <= end, times))
