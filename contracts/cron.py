"""Cron expressions of five fields: read, checked, and asked whether a time matches.

The dialect is that of Debian's cron: lists, ranges, steps, names of months and days,
0 or 7 for Sunday. When day of month and day of week are both restricted, either of them
is enough. What other dialects have besides (seconds, years, `L`, `W`, `#`, `?`) is
refused by name, never understood in another way.
"""

import re
from calendar import monthrange
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple

MACROS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
MONTHS = [
    "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
]  # fmt: skip
WEEKDAYS = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]
SUNDAY = 7
LEAP_YEAR = 2000
MAX_CHARS = 200


class _Field(NamedTuple):
    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()
    first: int = 0
    """The number of the first name."""


FIELDS = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of month", 1, 31),
    _Field("month", 1, 12, tuple(MONTHS), 1),
    _Field("day of week", 0, SUNDAY, tuple(WEEKDAYS)),
)


@dataclass(frozen=True)
class Cron:
    """One expression; weekdays are 0 (Sunday) to 6."""

    text: str
    """Five fields in upper case, without macros."""
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: tuple[int, ...]
    months: tuple[int, ...]
    weekdays: tuple[int, ...]

    @property
    def either_day(self) -> bool:
        """Whether day of month or day of week is enough, and not both needed."""
        fields = self.text.split()
        return not fields[2].startswith("*") and not fields[4].startswith("*")

    @property
    def by_the_clock(self) -> bool:
        """Whether it goes on through changes of the clock: `*` in minutes or hours.

        Others are meant for certain times of the day, once a day each.
        """
        return any(field.startswith("*") for field in self.text.split()[:2])

    @property
    def every_hour(self) -> bool:
        """Whether only the minutes are restricted."""
        return self.text.split()[1:] == ["*"] * 4

    def matches_day(self, day: date) -> bool:
        """Return whether it runs on a day."""
        if day.month not in self.months:
            return False
        in_month = day.day in self.days
        in_week = day.isoweekday() % 7 in self.weekdays
        return in_month or in_week if self.either_day else in_month and in_week

    def matches(self, time: datetime) -> bool:
        """Return whether it means what clocks show."""
        return (
            time.minute in self.minutes
            and time.hour in self.hours
            and self.matches_day(time.date())
        )


def parse_cron(text: str) -> Cron:
    """Return what an expression means.

    Raises:
        ValueError: It is none; the message says the field and what was expected.
    """
    if len(text) > MAX_CHARS:
        raise ValueError(f"more than {MAX_CHARS} characters")
    words = text.split()
    if len(words) == 1 and words[0].startswith("@"):
        macro = MACROS.get(words[0].lower())
        if macro is None:
            raise ValueError(f"an unknown word; known: {', '.join(MACROS)}")
        words = macro.split()
    if len(words) in (6, 7):
        raise ValueError(
            f"expected five fields, found {len(words)}: there are no seconds and no "
            "years; `every` has intervals of seconds"
        )
    if len(words) != len(FIELDS):
        raise ValueError(
            "expected five fields (minute, hour, day of month, month, day of week), "
            f"found {len(words)}"
        )
    words = [word.upper() for word in words]
    minutes, hours, days, months, weekdays = (
        _values(word, number, field)
        for number, (word, field) in enumerate(zip(words, FIELDS, strict=True), 1)
    )
    week = tuple(sorted({value % SUNDAY for value in weekdays}))
    cron = Cron(" ".join(words), minutes, hours, days, months, week)
    if not cron.either_day and min(days) > max(map(_longest, months)):
        raise ValueError("field 3 (day of month): no month that is named has that day")
    return cron


def _longest(month: int) -> int:
    return monthrange(LEAP_YEAR, month)[1]


def _values(word: str, number: int, field: _Field) -> tuple[int, ...]:
    def wrong(what: str) -> ValueError:
        return ValueError(f"field {number} ({field.name}): {what}")

    found: set[int] = set()
    for part in word.split(","):
        match = re.fullmatch(r"(\*|\w+(?:-\w+)?)(?:/(\d{1,3}))?", part, re.ASCII)
        if match is None:
            raise wrong(_why_not(part))
        span, step = match[1], int(match[2] or 1)
        if step < 1:
            raise wrong("a step is at least 1")
        low, dash, high = span.partition("-")
        if span == "*":
            first, last = field.low, field.high
        else:
            first = _number(low, field, wrong)
            last = _number(high, field, wrong) if dash else first
            if match[2] and not dash:
                last = field.high
        if last < first:
            raise wrong("a range must not run backwards: write it as two ranges")
        found.update(range(first, last + 1, step))
    return tuple(sorted(found))


def _number(word: str, field: _Field, wrong: Callable[[str], ValueError]) -> int:
    if word in field.names:
        return field.names.index(word) + field.first
    if word.isdigit() and len(word) <= 3 and field.low <= int(word) <= field.high:
        return int(word)
    names = f", or {field.names[0]} to {field.names[-1]}" if field.names else ""
    expected = f"expected {field.low} to {field.high}{names}"
    if re.search("[LWH#]", word):
        expected += "; L, W, H and # are not supported"
    raise wrong(expected)


def _why_not(part: str) -> str:
    if not part:
        return "a comma with nothing beside it"
    if "?" in part:
        return "`?` is not supported: write `*`"
    if "#" in part:
        return "`#` is not supported"
    return "expected `*`, a number, a range such as 1-5, or a step such as */10"
