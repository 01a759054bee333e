"""Adding durations to dates and times, and the boundaries of partial values.

Source: FHIRPath N1 §6.6.7 (date/time arithmetic); FHIRPath 3.0.0-ballot, lowBoundary, highBoundary, precision.
"""

from __future__ import annotations

from calendar import monthrange
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TypeVar

from xinglin.standards.fhir.fhirpath.numbers import CONTEXT, written_decimals
from xinglin.standards.fhir.fhirpath.temporal import (
    EAST_MINUTES,
    WEST_MINUTES,
    Component,
    Date,
    DateTime,
    Temporal,
    Time,
    boundary,
)

T = TypeVar("T", bound=Temporal)

_SECONDS = {
    "week": Decimal(604800),
    "day": Decimal(86400),
    "hour": Decimal(3600),
    "minute": Decimal(60),
    "second": Decimal(1),
    "millisecond": Decimal("0.001"),
}
_PRECISIONS = ("year", "month", "day", "hour", "minute", "second")
_DIGITS = {1: 4, 2: 6, 3: 8, 4: 10, 5: 12, 6: 14}  # of a date and time, by component


def _add_months(parts: tuple[Component, ...], months: int) -> tuple[Component, ...]:
    year, month = divmod(int(parts[0]) * 12 + (int(parts[1]) - 1 if len(parts) > 1 else 0) + months, 12)
    if not 1 <= year <= 9999:
        raise OverflowError
    if len(parts) == 1:
        return (year,)
    if len(parts) == 2:
        return (year, month + 1)
    return (year, month + 1, min(int(parts[2]), monthrange(year, month + 1)[1]), *parts[3:])


def _add_seconds(parts: tuple[Component, ...], seconds: Decimal) -> tuple[Component, ...]:
    whole = int(seconds)
    rest: Component = 0
    if len(parts) > 5:
        total = CONTEXT.add(Decimal(parts[5]), seconds)
        whole = int(total.to_integral_value("ROUND_FLOOR"))
        fraction = total - whole
        rest = fraction if written_decimals(fraction) else 0
    clock = [int(part) for part in parts[3:5]] + [0, 0]
    moved = datetime(int(parts[0]), int(parts[1]), int(parts[2]), clock[0], clock[1], tzinfo=UTC)
    moved += timedelta(seconds=whole)
    fresh: list[Component] = [moved.year, moved.month, moved.day, moved.hour, moved.minute]
    fresh.append(moved.second + rest if rest or isinstance(rest, Decimal) else moved.second)
    return tuple(fresh[: len(parts)])


def add(value: T, amount: Decimal, unit: str) -> T:
    """The value moved by a number of calendar units (``year`` … ``millisecond``, ``week`` too).

    Fractions count for seconds and milliseconds only. Where the value is coarser than the unit, the amount is first brought
    to the value's precision and truncated (``@2014 + 24 months`` is ``@2016``). A day past the month's end becomes its last;
    a time of day goes round the clock.

    Raises
    ------
    OverflowError
        The result lies outside the years 1 to 9999.
    ValueError
        Days and longer are not defined for a time of day.
    """
    precision = _PRECISIONS[value.end - 1]
    if unit in ("year", "month"):
        if isinstance(value, Time):
            raise ValueError(unit)
        months = int(amount) * (12 if unit == "year" else 1)
        if precision == "year":
            months = int(months / 12) * 12
        return type(value)(_add_months(value.parts, months), value.zone)
    seconds = CONTEXT.multiply(amount if unit.endswith("second") else Decimal(int(amount)), _SECONDS[unit])
    if isinstance(value, Time):
        if unit in ("week", "day"):
            raise ValueError(unit)
        day = _add_seconds((2000, 1, 1, *value.parts), _truncated(seconds, precision))
        return type(value)(day[3:])
    if precision in ("year", "month"):
        days = int(seconds / _SECONDS["day"])
        months = int(days / 365) * 12 if precision == "year" else int(days / 30)
        return type(value)(_add_months(value.parts, months), value.zone)
    return type(value)(_add_seconds(value.parts, _truncated(seconds, precision)), value.zone)


def _truncated(seconds: Decimal, precision: str) -> Decimal:
    if precision == "second":
        return seconds
    return int(seconds / _SECONDS[precision]) * _SECONDS[precision]


def precision(value: Temporal) -> int:
    """Digits written: 4 a year, 6 a month, 8 a day, 10, 12, 14 hour to second, 17 with milliseconds; 2, 4, 6, 9 for times."""
    digits = _DIGITS[value.end]
    if value.end == 6:
        fraction = value.parts[-1]
        digits += min(3, written_decimals(fraction)) if isinstance(fraction, Decimal) else 0
    return digits - 8 if isinstance(value, Time) else digits


def bounded(value: T, high: bool, digits: int | None) -> T | None:
    """The earliest or latest value that a partial one can stand for, at a precision in digits (see :func:`precision`).

    A DateTime without zone takes the zone in which the moment comes earliest (+14:00) or latest (-12:00). None where a value
    of this kind has no such precision.
    """
    known = dict(zip((2, 4, 6, 9), (4, 5, 6, 7), strict=True)) if isinstance(value, Time) else None
    if known is None:
        known = {4: 1, 6: 2, 8: 3} | ({} if isinstance(value, Date) else {10: 4, 12: 5, 14: 6, 17: 7})
    end = known.get(digits if digits is not None else max(known))
    if end is None:
        return None
    parts = boundary(value, high, min(end, 6))
    if end == 7:
        second = parts[-1]
        filled = "59.999" if high else "0.000"
        if value.end == 6:
            filled = (
                f"{second:.3f}" if isinstance(second, Decimal) else f"{second}.{'999' if high else '000'}"
            )
        parts = (*parts[:-1], Decimal(filled))
    elif end == 6:
        parts = (*parts[:-1], int(parts[-1]))
    zone = value.zone
    if isinstance(value, DateTime) and zone is None and len(parts) > 3:
        zone = WEST_MINUTES if high else EAST_MINUTES
    return type(value)(parts, zone if len(parts) > 3 else None)
