"""Five-field cron lines in a time zone, daylight saving included.

A wall-clock time that the spring change leaves out is taken at the first instant after the gap; one that the autumn
change has twice counts the first time only. A line with ``*`` for the hour goes by real time: it comes in every hour
there is, in the doubled one twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from xinglin.jobs.errors import BadSchedule

_BOUNDS: Final = {"minute": (0, 59), "hour": (0, 23), "day": (1, 31), "month": (1, 12), "weekday": (0, 7)}
_NAMES: Final = {
    "month": ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"),
    "weekday": ("sun", "mon", "tue", "wed", "thu", "fri", "sat"),
}
_DAYS_MOST: Final = 366 * 8 + 2  # 29 February is at most eight years away (1896 to 1904)
_NAMED: Final = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
}
_MINUTE: Final = timedelta(minutes=1)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Cron:
    """When a line comes due. Weekdays count from Sunday, 0; where both day and weekday are given, either suffices."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either: bool
    every_hour: bool
    zone: ZoneInfo

    @classmethod
    def parse(cls, line: str, zone: str = "UTC") -> Cron:
        """Read a line. Raises BadSchedule.

        >>> Cron.parse("*/20 8-9 * * mon").minutes
        (0, 20, 40)
        """
        words = _NAMED.get(line.strip().lower(), line).split()
        if len(words) != 5:
            raise BadSchedule("jobs.cron-fields", line=line)
        fields = [_field(name, word, line) for name, word in zip(_BOUNDS, words, strict=True)]
        minutes, hours, days, months, weekdays = fields
        try:
            place = ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise BadSchedule("jobs.zone-unknown", zone=zone) from None
        return cls(
            minutes=tuple(sorted(minutes)),
            hours=tuple(sorted(hours)),
            days=frozenset(days),
            months=frozenset(months),
            weekdays=frozenset(weekday % 7 for weekday in weekdays),
            either=not words[2].startswith("*") and not words[4].startswith("*"),
            every_hour=words[1] == "*",
            zone=place,
        )

    def next_us(self, after_us: int) -> int:
        """The first instant after ``after_us`` (µs UTC). Raises BadSchedule where none comes (31 February).

        >>> at = Cron.parse("30 2 * * *", "Europe/Berlin").next_us(1_774_735_200_000_000)  # 29 March 2026, 0:00
        >>> (_EPOCH + timedelta(microseconds=at)).isoformat()  # 2:30 is left out that night: 3:00 summer time
        '2026-03-29T01:00:00+00:00'
        """
        after = _EPOCH + timedelta(microseconds=after_us)
        for instant in self._real(after) if self.every_hour else self._wall(after):
            if instant > after:
                return (instant - _EPOCH) // timedelta(microseconds=1)
        raise BadSchedule("jobs.cron-never")

    def _day(self, day: date) -> bool:
        if day.month not in self.months:
            return False
        on_day, on_weekday = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        return on_day or on_weekday if self.either else on_day and on_weekday

    def _wall(self, after: datetime) -> Iterator[datetime]:
        """Instants of the days from that of ``after`` on, in order, as clocks on the wall would have them."""
        first = after.astimezone(self.zone).date()
        for day in (first + timedelta(days=number) for number in range(_DAYS_MOST)):
            if self._day(day):
                for hour in self.hours:
                    for minute in self.minutes:
                        yield self._instant(datetime.combine(day, time(hour, minute)))

    def _instant(self, wall: datetime) -> datetime:
        """The instant of a wall-clock time: the first of two, or the first after a gap."""
        found = wall.replace(tzinfo=self.zone).astimezone(UTC)
        if found.astimezone(self.zone).replace(tzinfo=None) == wall:
            return found
        # In a gap: fold 1 goes by the offset after it, hence lies before it. The change is the first minute in between
        # whose wall-clock time is later than ours.
        low = wall.replace(tzinfo=self.zone, fold=1).astimezone(UTC)
        while low.astimezone(self.zone).replace(tzinfo=None) < wall:
            low += _MINUTE
        return low

    def _real(self, after: datetime) -> Iterator[datetime]:
        """Instants by real time, for lines that come in every hour."""
        first = after.astimezone(self.zone).date()
        for day in (first + timedelta(days=number) for number in range(_DAYS_MOST)):
            if not self._day(day):
                continue
            instant = self._instant(datetime.combine(day, time(0)))
            if instant < after - timedelta(days=2):
                continue
            while (wall := instant.astimezone(self.zone)).date() == day:
                if wall.minute in self.minutes and instant.second == 0:
                    yield instant
                instant += _MINUTE


def _field(name: str, word: str, line: str) -> set[int]:
    """The numbers that one field names."""
    least, most = _BOUNDS[name]
    found: set[int] = set()
    for part in word.lower().split(","):
        span, slash, step = part.partition("/")
        start, dash, end = span.partition("-")
        try:
            if span == "*":
                low, high = least, most
            else:
                low = _number(name, start)
                high = _number(name, end) if dash else most if slash else low
            stride = int(step) if slash else 1
        except ValueError:
            raise BadSchedule("jobs.cron-field", field=name, word=part, line=line) from None
        if not (least <= low <= high <= most) or stride < 1:
            raise BadSchedule("jobs.cron-field", field=name, word=part, line=line)
        found.update(range(low, high + 1, stride))
    return found


def _number(name: str, word: str) -> int:
    names = _NAMES.get(name, ())
    if word in names:
        return names.index(word) + (1 if name == "month" else 0)
    if not word.isascii() or not word.isdigit():
        raise ValueError(word)
    return int(word)
