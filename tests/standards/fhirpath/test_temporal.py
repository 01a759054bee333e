"""Dates and times: partial values, zones, arithmetic, boundaries."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xinglin.standards.fhir.fhirpath import Date, DateTime, Time, durations, temporal
from xinglin.standards.fhir.fhirpath.temporal import parse_date, parse_date_time, parse_time


@pytest.mark.parametrize("text", ["2018", "2018-03", "2018-03-01", "0001-01-01", "2020-02-29"])
def test_dates_are_written_as_they_were_read(text: str) -> None:
    assert str(parse_date(text)) == text


@pytest.mark.parametrize(
    "text", ["", "218", "2018-00", "2018-13", "2018-02-29", "2018-3", "0000", "2018-03-01T", "2018-03-01\n"]
)
def test_what_is_no_date_is_none(text: str) -> None:
    assert parse_date(text) is None


@pytest.mark.parametrize(
    "text",
    ["2018", "2018-03-01T10", "2018-03-01T10:30Z", "2018-03-01T10:30:00.000+05:30", "2016-12-31T23:59:60Z"],
)
def test_dates_with_times_are_written_as_they_were_read(text: str) -> None:
    assert str(parse_date_time(text)) == text


@pytest.mark.parametrize(
    "text", ["2018T10", "2018-03T10:00", "2018-03-01T24:00", "2018-03-01T10:60", "2018-03-01TZ", "10:00"]
)
def test_what_is_no_date_with_time_is_none(text: str) -> None:
    assert parse_date_time(text) is None


@pytest.mark.parametrize(
    ("first", "second", "order"),
    [
        ("2018", "2019", -1),
        ("2018-03", "2018-03-01", None),
        ("2018-03", "2018-04-01", -1),
        ("2018-03-01T10:30", "2018-03-01T10:30:00", None),
        ("2018-03-01T10:30:00", "2018-03-01T10:30:00.0", 0),
        ("2018-03-01T10:00:00+02:00", "2018-03-01T08:00:00Z", 0),
        ("2018-03-01T00:30:00+02:00", "2018-02-28T22:45:00Z", -1),
        ("2018-03-01T10:00:00Z", "2018-03-01T10:00:00", None),  # the zone is open
        ("2018-03-02T10:00:00Z", "2018-03-01T10:00:00", 1),  # whatever the zone
        ("2018-03-01T10:00:00Z", "2018-03-01", None),
        ("2018-03-03T00:00:00Z", "2018-03-01", 1),
        ("2018-02-27T00:00:00Z", "2018-03-01", -1),
        ("2018", "2018-06-01T10:00:00Z", None),
        ("2017", "2018-06-01T10:00:00Z", -1),
    ],
)
def test_order_of_partial_values(first: str, second: str, order: int | None) -> None:
    one, two = parse_date_time(first), parse_date_time(second)
    assert one is not None
    assert two is not None
    assert temporal.compare(one, two) == order
    assert temporal.compare(two, one) == (None if order is None else -order)


_MOMENTS = st.datetimes(min_value=datetime(1900, 1, 1), max_value=datetime(2100, 1, 1))  # noqa: DTZ001
_ZONES = st.integers(-12 * 4, 14 * 4).map(lambda quarters: quarters * 15)


def _date_time(moment: datetime, zone: int) -> DateTime:
    return temporal.now(zone, moment.replace(tzinfo=UTC, microsecond=0))


@given(_MOMENTS, _ZONES, _MOMENTS, _ZONES)
def test_values_with_zones_order_as_their_instants(
    a: datetime, zone_a: int, b: datetime, zone_b: int
) -> None:
    a, b = a.replace(microsecond=0), b.replace(microsecond=0)
    assert temporal.compare(_date_time(a, zone_a), _date_time(b, zone_b)) == (a > b) - (a < b)


@given(_MOMENTS, _ZONES, _MOMENTS, st.integers(1, 5))
def test_a_decided_order_holds_for_every_moment_a_partial_value_can_be(
    a: datetime, zone: int, b: datetime, precision: int
) -> None:
    partial = DateTime(_date_time(a, 0).parts[:precision])
    exact = _date_time(b, zone)
    order = temporal.compare(exact, partial)
    if order is not None:
        for high in (False, True):
            end = durations.bounded(partial, high, 17)
            assert end is not None
            assert temporal.compare(exact, end) == order


@given(_MOMENTS, st.integers(-100_000, 100_000), st.sampled_from(["week", "day", "hour", "minute", "second"]))
def test_adding_definite_durations_agrees_with_datetime(moment: datetime, amount: int, unit: str) -> None:
    moment = moment.replace(microsecond=0, tzinfo=UTC)
    expected = moment + timedelta(**{unit + "s": amount})
    assert durations.add(_date_time(moment, 0), Decimal(amount), unit) == _date_time(expected, 0)


@pytest.mark.parametrize(
    ("start", "amount", "unit", "expected"),
    [
        ("2020-01-31", 1, "month", "2020-02-29"),
        ("2020-02-29", 1, "year", "2021-02-28"),
        ("2020-03-31", -1, "month", "2020-02-29"),
        ("2014", 24, "month", "2016"),
        ("2014", 23, "month", "2015"),
        ("2014", -23, "month", "2013"),
        ("2014-01", 61, "day", "2014-03"),
        ("2019-12-31", 25, "hour", "2020-01-01"),
        ("2019-12-31", Decimal("1.9"), "day", "2020-01-01"),
    ],
)
def test_calendar_arithmetic(start: str, amount: int, unit: str, expected: str) -> None:
    date = parse_date(start)
    assert date is not None
    assert str(durations.add(date, Decimal(amount), unit)) == expected


def test_fractions_of_seconds_are_kept_to_the_digit() -> None:
    start = parse_date_time("2018-03-01T10:00:59.900Z")
    assert start is not None
    assert str(durations.add(start, Decimal("100"), "millisecond")) == "2018-03-01T10:01:00.000Z"
    assert str(durations.add(start, Decimal("0.25"), "second")) == "2018-03-01T10:01:00.150Z"


def test_times_go_round_the_clock_and_know_no_days() -> None:
    late = parse_time("23:30")
    assert late is not None
    assert durations.add(late, Decimal(45), "minute") == Time((0, 15))
    with pytest.raises(ValueError, match="day"):
        durations.add(late, Decimal(1), "day")


def test_leaving_the_calendar_is_an_overflow() -> None:
    for unit in ("year", "month", "day"):
        with pytest.raises(OverflowError):
            durations.add(Date((9999, 12, 31)), Decimal(10**9), unit)
