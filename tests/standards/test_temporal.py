"""FHIR dates as half-open intervals."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xinglin.standards.fhir.r4.model import Period, Timing, Timing_Repeat
from xinglin.standards.fhir.temporal import (
    MAX_US,
    MIN_US,
    interval,
    period_interval,
    read,
    site_zone,
    timing_interval,
    widened,
)

SHANGHAI = site_zone("Asia/Shanghai")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
OFFSETS = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


def us(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(microseconds=1)


@given(st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30)), OFFSETS, st.sampled_from([0, 1, 2, 3, 5, 6]))  # noqa: DTZ001
def test_a_time_stands_for_as_long_as_it_is_precise(moment: datetime, zone: timezone, digits: int) -> None:
    unit = 10 ** (6 - digits)
    moment = moment.replace(microsecond=moment.microsecond // unit * unit, tzinfo=zone)
    text = moment.strftime("%Y").zfill(4) + moment.strftime("-%m-%dT%H:%M:%S")
    if digits:
        text += f".{moment.microsecond:06d}"[: digits + 1]
    offset = moment.strftime("%z")
    text += f"{offset[:3]}:{offset[3:5]}"
    assert interval(text) == read(text) == (us(moment), us(moment) + (1_000_000 if digits == 0 else unit))


@given(st.dates(date(1, 1, 1), date(9999, 12, 30)))
def test_a_date_is_its_day_in_the_sites_zone(day: date) -> None:
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    assert interval(day.isoformat()) == (us(start), us(start) + 86_400_000_000)
    low, high = interval(day.isoformat(), SHANGHAI)
    if day.year >= 1992:  # no summer time in Shanghai since: eight hours ahead all year
        assert (low, high) == (us(start) - 8 * 3_600_000_000, us(start) + 16 * 3_600_000_000)
    # Consecutive days leave neither gap nor overlap, whatever the zone did.
    assert high == interval((day + timedelta(days=1)).isoformat(), SHANGHAI)[0]


@given(st.integers(1, 9998), st.integers(1, 12))
def test_months_tile_years_and_years_tile_time(year: int, month: int) -> None:
    low, high = interval(f"{year:04d}-{month:02d}")
    following = f"{year:04d}-{month + 1:02d}" if month < 12 else f"{year + 1:04d}-01"
    assert high == interval(following)[0]
    assert interval(f"{year:04d}")[0] <= low < high <= interval(f"{year:04d}")[1]
    assert interval(f"{year:04d}")[1] == interval(f"{year + 1:04d}")[0]


def test_the_last_year_ends_where_open_periods_do() -> None:
    assert interval("9999")[1] == interval("9999-12")[1] == interval("9999-12-31")[1] == MAX_US
    assert interval("0001")[0] == MIN_US


def test_a_day_of_changing_clocks_has_its_true_length() -> None:
    low, high = interval("2024-03-31", site_zone("Europe/Berlin"))
    assert high - low == 23 * 3_600_000_000
    assert low == us(datetime(2024, 3, 31, tzinfo=ZoneInfo("Europe/Berlin")))


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("1970-01-01T00:01", 60_000_000, 120_000_000),
        ("1970-01-01T00:01Z", 60_000_000, 120_000_000),
        ("1970-01-01T00:00:01.5+01:00", -3_598_500_000, -3_598_400_000),
        ("1970-01-01T00:00:00.1234567Z", 123_456, 123_457),
        ("1970-01-01T23:59:60Z", 86_400_000_000, 86_401_000_000),
    ],
)
def test_searches_may_leave_out_seconds_and_offset(text: str, low: int, high: int) -> None:
    assert read(text) == (low, high)


@pytest.mark.parametrize(
    "text",
    ["", "0000", "20", "2024-13", "2024-00-01", "2024-02-30", "2023-02-29", "2024-1-1", "2024-01-01T", "2024-01-01T10",
     "2024-01-01T24:00:00Z", "2024-01-01T10:60:00Z", "2024-01T10:00:00Z", "2024-01-01T10:00:00+15:00", "２０２４", "2024-W01-1",
     "2024-01-01 10:00:00", "now", "2024-01-01T10:00:00z", "2024-01-01\n"],
)  # fmt: skip
def test_what_is_no_date_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        read(text)


def test_periods_are_open_where_an_end_is_missing() -> None:
    assert period_interval(Period(start="1970-01-01", end="1970-01-02")) == (0, 2 * 86_400_000_000)
    assert period_interval(Period(start="1970-01-01")) == (0, MAX_US)
    assert period_interval(Period(end="1970")) == (MIN_US, interval("1970")[1])
    assert period_interval(Period()) is None
    assert period_interval(Period(start="1970-01-02", end="1970-01-01")) == (0, 2 * 86_400_000_000)


def test_a_timing_counts_by_its_outer_limits() -> None:
    timing = Timing(
        event=["1970-01-05", "1970-01-02"],
        repeat=Timing_Repeat(boundsPeriod=Period(start="1970-01-03", end="1970-01-09")),
    )
    assert timing_interval(timing) == (86_400_000_000, 9 * 86_400_000_000)
    assert timing_interval(Timing(repeat=Timing_Repeat(count=3))) is None


def test_approximately_widens_by_a_tenth_of_the_distance_from_now() -> None:
    assert widened(100, 200, 1100) == (0, 300)


def test_an_unknown_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        site_zone("Mars/Olympus")
