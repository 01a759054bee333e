"""FHIRPath's Date, DateTime and Time: partial values, three-valued comparison, calendar arithmetic.

A value is a tuple of the components that were written, so ``@2018-03`` has two. Seconds and their fraction are one
component (FHIRPath N1 §6.2: "seconds and milliseconds are considered a single precision").

Source: FHIRPath N1 §4.1.5–4.1.7, §6.1, §6.2, §6.6.7.
"""

from __future__ import annotations

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import ClassVar

_DATE = r"(\d{4})(?:-(\d\d)(?:-(\d\d))?)?"
_TIME = r"(\d\d)(?::(\d\d)(?::(\d\d(?:\.\d+)?))?)?"
_ZONE = r"(Z|[+-]\d\d:\d\d)?"
_DATE_PATTERN = re.compile(_DATE)
_TIME_PATTERN = re.compile(_TIME)
_DATE_TIME_PATTERN = re.compile(rf"{_DATE}(?:T(?:{_TIME})?{_ZONE})?")

Component = int | Decimal

_UNIT_ORDER = ("year", "month", "day", "hour", "minute", "second")
#: Time zones in use reach from UTC-12 to UTC+14.
EAST_MINUTES, WEST_MINUTES = 14 * 60, -12 * 60


@dataclass(frozen=True, slots=True)
class Temporal:
    """What the three share: the components that were written, and a zone in minutes east of UTC, if any."""

    parts: tuple[Component, ...]
    zone: int | None = None

    first: ClassVar[int] = 0  # index of parts[0] in _UNIT_ORDER

    @property
    def end(self) -> int:
        """Index in year…second one past the finest component written."""
        return self.first + len(self.parts)


@dataclass(frozen=True, slots=True)
class Date(Temporal):
    """A year, month or day.

    >>> str(Date((2018, 3)))
    '2018-03'
    """

    def __str__(self) -> str:
        return "-".join(f"{part:0{2 if at else 4}d}" for at, part in enumerate(map(int, self.parts)))


@dataclass(frozen=True, slots=True)
class Time(Temporal):
    """A time of day to the hour, minute, second or a fraction of one."""

    first: ClassVar[int] = 3

    def __str__(self) -> str:
        return ":".join(map(_two, self.parts))


@dataclass(frozen=True, slots=True)
class DateTime(Temporal):
    """A date with, at its finest, a fraction of a second and a zone."""

    def __str__(self) -> str:
        text = str(Date(self.parts[:3]))
        if len(self.parts) > 3:
            text += "T" + str(Time(self.parts[3:]))
        return text + _zone_text(self.zone)


def _two(part: Component) -> str:
    whole, _, rest = f"{part:f}".partition(".") if isinstance(part, Decimal) else (str(part), "", "")
    return whole.zfill(2) + (f".{rest}" if rest else "")


def _zone_text(zone: int | None) -> str:
    if zone is None:
        return ""
    if zone == 0:
        return "Z"
    hours, minutes = divmod(abs(zone), 60)
    return f"{'-' if zone < 0 else '+'}{hours:02d}:{minutes:02d}"


def _zone_minutes(text: str | None) -> int | None:
    if not text:
        return None
    if text == "Z":
        return 0
    minutes = int(text[1:3]) * 60 + int(text[4:6])
    return -minutes if text[0] == "-" else minutes


def _checked(date: tuple[str | None, ...], time: tuple[str | None, ...]) -> tuple[Component, ...] | None:
    parts: list[Component] = [int(part) for part in date if part]
    if date:
        if parts[0] == 0 or (len(parts) > 1 and not 1 <= parts[1] <= 12):
            return None
        if len(parts) > 2 and not 1 <= parts[2] <= monthrange(int(parts[0]), int(parts[1]))[1]:
            return None
    hour, minute, second = time or (None, None, None)
    if (hour and int(hour) > 23) or (minute and int(minute) > 59):
        return None
    parts += [int(part) for part in (hour, minute) if part]
    if second:
        seconds = Decimal(second) if "." in second else int(second)
        if seconds >= 60 and not (60 <= seconds < 61):  # a leap second, allowed by FHIR's pattern
            return None
        parts.append(seconds)
    return tuple(parts)


def parse_date(text: str) -> Date | None:
    """A date such as ``2018``, ``2018-03``, ``2018-03-01``; None where the text is no date."""
    found = _DATE_PATTERN.fullmatch(text)
    parts = _checked(found.groups(), ()) if found else None
    return Date(parts) if parts else None


def parse_time(text: str) -> Time | None:
    """A time such as ``14``, ``14:30``, ``14:30:05.25``; None where the text is no time."""
    found = _TIME_PATTERN.fullmatch(text)
    parts = _checked((), found.groups()) if found else None
    return Time(parts) if parts else None


def parse_date_time(text: str) -> DateTime | None:
    """A date, or date and time, with or without zone; None where the text is neither."""
    found = _DATE_TIME_PATTERN.fullmatch(text)
    if found is None:
        return None
    groups = found.groups()
    parts = _checked(groups[:3], groups[3:6])
    if parts is None or (groups[3] is None and groups[6]):
        return None
    if groups[3] and not groups[2]:
        return None
    return DateTime(parts, _zone_minutes(groups[6]))


def now(zone_minutes: int = 0, moment: datetime | None = None) -> DateTime:
    """An instant (aware; default: the present one) as a DateTime with milliseconds."""
    from xinglin.kernel import clock

    local = (moment or clock.now()).astimezone(UTC) + timedelta(minutes=zone_minutes)
    second = Decimal(local.second) + Decimal(local.microsecond // 1000).scaleb(-3)
    return DateTime(
        (local.year, local.month, local.day, local.hour, local.minute, second.quantize(Decimal("0.001"))),
        zone_minutes,
    )


def _shifted(value: DateTime, minutes: int) -> tuple[Component, ...]:
    """The components of the value moved by some minutes; only for values with at least an hour."""
    parts = value.parts
    try:
        moved = datetime(
            int(parts[0]), int(parts[1]), int(parts[2]), int(parts[3]), int(parts[4]) if len(parts) > 4 else 0,
            tzinfo=UTC,
        ) + timedelta(minutes=minutes)  # fmt: skip
    except OverflowError:
        return parts
    fresh: tuple[Component, ...] = (moved.year, moved.month, moved.day, moved.hour, moved.minute)
    return fresh[: len(parts)] + parts[5:]


def _utc(value: Temporal) -> tuple[Component, ...]:
    if isinstance(value, DateTime) and value.zone and len(value.parts) > 3:
        return _shifted(value, -value.zone)
    return value.parts


def _by_component(first: tuple[Component, ...], second: tuple[Component, ...]) -> int | None:
    for one, two in zip(first, second, strict=False):
        if one != two:
            return 1 if one > two else -1
    return 0 if len(first) == len(second) else None


def _has_clock(value: Temporal) -> bool:
    return isinstance(value, DateTime) and len(value.parts) > 3


def compare(first: Temporal, second: Temporal) -> int | None:
    """-1, 0 or 1; None where the written precision or a missing zone leaves it open.

    A value without zone is any of those that UTC-12 to UTC+14 make of it when the other has a zone.

    >>> compare(parse_date("2018-03"), parse_date("2018-03-01")) is None
    True

    Raises
    ------
    TypeError
        A time of day against a date.
    """
    if isinstance(first, Time) != isinstance(second, Time):
        raise TypeError
    if first.zone == second.zone:
        return _by_component(first.parts, second.parts)
    if (first.zone is None) == (second.zone is None) or not (_has_clock(first) or _has_clock(second)):
        return _by_component(_utc(first), _utc(second))
    if first.zone is None:
        reverse = compare(second, first)
        return None if reverse is None else -reverse
    # Only the first has a zone: decided where every zone of the second gives one answer.
    if not _has_clock(second):
        low, high = _bounds(second)
    else:
        assert isinstance(second, DateTime)
        low = _shifted(second, -EAST_MINUTES)
        high = _shifted(second, -WEST_MINUTES)
    mine = _utc(first)
    answers = {_by_component(mine, low), _by_component(mine, high)}
    return answers.pop() if len(answers) == 1 else None


def _bounds(value: Temporal) -> tuple[tuple[Component, ...], tuple[Component, ...]]:
    """The earliest and latest UTC minute that a date without zone can touch."""
    low, high = boundary(value, False, 5), boundary(value, True, 5)
    one = DateTime((*low[:3], 0, 0))
    two = DateTime((*high[:3], 23, 59))
    return _shifted(one, -EAST_MINUTES), _shifted(two, -WEST_MINUTES)


def boundary(value: Temporal, high: bool, end: int) -> tuple[Component, ...]:
    """The components of the earliest or latest moment that a partial value can be, up to component ``end`` (6: seconds)."""
    parts = list(value.parts)
    for at in range(value.end, end):
        match at:
            case 1:
                parts.append(12 if high else 1)
            case 2:
                parts.append(monthrange(int(parts[0]), int(parts[1]))[1] if high else 1)
            case 3:
                parts.append(23 if high else 0)
            case 4:
                parts.append(59 if high else 0)
            case 5:
                parts.append(59 if high else 0)
    return tuple(parts[: end - value.first])
