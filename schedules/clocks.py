"""When the clocks of a time zone change."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

HOUR = timedelta(hours=1)
# Two changes of one zone have never been closer than some days, Ramadan's included.
STEP = timedelta(days=1)


@dataclass(frozen=True)
class Change:
    """One change of the clock."""

    at: datetime
    """The first second with the new offset, in UTC."""
    before: timedelta
    """Offset from UTC until then."""
    after: timedelta

    @property
    def shift(self) -> timedelta:
        """How far clocks go forward; negative when they go back."""
        return self.after - self.before

    @property
    def from_time(self) -> datetime:
        """What clocks show when it comes, without a zone."""
        return _clock(self.at, self.before)

    @property
    def to_time(self) -> datetime:
        """What clocks show after it, without a zone."""
        return _clock(self.at, self.after)

    @property
    def window(self) -> tuple[datetime, datetime]:
        """The instants around it at which clocks show an hour that it touches."""
        reach = abs(self.shift) + HOUR
        return self.at - reach, self.at + reach

    def hours(self) -> list[datetime]:
        """The hours that clocks show in the window, without a zone, in order."""
        begin, end = self.window
        quarter = timedelta(minutes=15)
        shown: set[datetime] = set()
        while begin < end:
            offset = self.before if begin < self.at else self.after
            shown.add(_clock(begin, offset).replace(minute=0, second=0))
            begin += quarter
        # Those of a gap are shown by no clock, but may be asked for.
        missing = self.from_time.replace(minute=0, second=0)
        while missing < self.to_time:
            shown.add(missing)
            missing += HOUR
        return sorted(shown)


@lru_cache(maxsize=256)
def changes(zone: ZoneInfo, begin: datetime, end: datetime) -> tuple[Change, ...]:
    """Return the changes between two instants, in order."""
    found: list[Change] = []
    last = begin
    while last < end:
        next_ = min(last + STEP, end)
        if _offset(zone, last) != _offset(zone, next_):
            found.append(_locate(zone, last, next_))
        last = next_
    return tuple(found)


def _locate(zone: ZoneInfo, low: datetime, high: datetime) -> Change:
    before, after = _offset(zone, low), _offset(zone, high)
    while high - low > timedelta(seconds=1):
        middle = low + (high - low) / 2
        middle = middle.replace(microsecond=0)
        if middle in (low, high):
            break
        if _offset(zone, middle) == before:
            low = middle
        else:
            high = middle
    return Change(high, before, after)


def _offset(zone: ZoneInfo, at: datetime) -> timedelta:
    found = at.astimezone(zone).utcoffset()
    assert found is not None
    return found


def _clock(at: datetime, offset: timedelta) -> datetime:
    return (at.astimezone(UTC) + offset).replace(tzinfo=None)
