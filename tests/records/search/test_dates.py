"""Dates: every prefix against intervals of every relation, at both ends of the long-interval index, single and repeated."""

from __future__ import annotations

from itertools import product

import pytest
from shelf import Shelf, number

from xinglin.records.index.rows import IndexRows
from xinglin.standards.fhir.temporal import MAX_US, MIN_US

DAY = 86_400_000_000
DATE = number("Encounter", "date")  # Encounter.period: one row
LOCATION = number("Encounter", "location-period")  # repeats

# The search interval is [30, 40) days.
LOW, HIGH = 30 * DAY, 40 * DAY
ROWS = {
    f"r{n}": (low * DAY, high * DAY)
    for n, (low, high) in enumerate(
        [
            (10, 20), (10, 30), (10, 35), (10, 40), (10, 50), (30, 35), (30, 40), (30, 50), (32, 38), (32, 40),
            (32, 50), (40, 41), (40, 60), (50, 60), (29, 31), (39, 41), (-20, 35), (-20, 100), (0, 40), (33, 400),
        ]
    )
} | {"open": (MIN_US, MAX_US), "from": (35 * DAY, MAX_US), "until": (MIN_US, 35 * DAY), "ended": (MIN_US, 10 * DAY)}  # fmt: skip

# search.html#prefix, on half-open intervals
EXPECTED = {
    "eq": lambda low, high: low >= LOW and high <= HIGH,
    "ne": lambda low, high: not (low >= LOW and high <= HIGH),
    "gt": lambda low, high: high > HIGH,
    "lt": lambda low, high: low < LOW,
    "ge": lambda low, high: high > HIGH or (low >= LOW and high <= HIGH),
    "le": lambda low, high: low < LOW or (low >= LOW and high <= HIGH),
    "sa": lambda low, high: low >= HIGH,
    "eb": lambda low, high: high <= LOW,
    "ap": lambda low, high: low < HIGH and high > LOW,
}


@pytest.fixture
def dated(shelf: Shelf) -> Shelf:
    for name, (low, high) in ROWS.items():
        shelf.put(f"Encounter/{name}", IndexRows(dates=[(DATE, low, high), (LOCATION, low, high)]))
    for (first, a), (second, b) in product(list(ROWS.items())[:6], list(ROWS.items())[8:14]):
        shelf.put(f"Encounter/{first}-{second}", IndexRows(dates=[(LOCATION, *a), (LOCATION, *b)]))
    shelf.put("Encounter/none", IndexRows())
    return shelf


def interval(shelf: Shelf, name: str, prefix: str) -> str:
    """January 31 to February 9, 1970 is days 30 to 40: no single date text says so, so the query is built by hand."""
    return f"Encounter?{name}={prefix}1970-01-31"


@pytest.mark.parametrize("prefix", EXPECTED)
def test_prefix_compares_as_the_specification_says(dated: Shelf, prefix: str) -> None:
    from msgspec.structs import replace

    query = dated.query(interval(dated, "date", "ge"))
    (criterion,) = query.criteria
    value = replace(criterion.values[0], prefix=prefix, low_us=LOW, high_us=HIGH)
    query = replace(query, criteria=(replace(criterion, values=(value,)),), count=500)
    expected = {name for name, row in ROWS.items() if EXPECTED[prefix](*row)}
    assert set(dated.ids(query)) == expected
    assert len(dated.ids(query)) == len(expected)
    sorted_ids = dated.ids(replace(query, sort=dated.query("Encounter?_sort=date").sort))
    assert sorted(sorted_ids) == sorted(expected)
    assert [ROWS[name][0] for name in sorted_ids] == sorted(ROWS[name][0] for name in expected)


@pytest.mark.parametrize("prefix", EXPECTED)
def test_repeated_date_matches_by_any_of_its_rows_and_once(dated: Shelf, prefix: str) -> None:
    from msgspec.structs import replace

    query = dated.query(interval(dated, "location-period", "ge"))
    (criterion,) = query.criteria
    value = replace(criterion.values[0], prefix=prefix, low_us=LOW, high_us=HIGH)
    query = replace(query, criteria=(replace(criterion, values=(value,)),), count=500)
    expected = set()
    for (first, a), (second, b) in product(list(ROWS.items())[:6], list(ROWS.items())[8:14]):
        if EXPECTED[prefix](*a) or EXPECTED[prefix](*b):
            expected.add(f"{first}-{second}")
    found = [name for name in dated.ids(query) if "-" in name]
    assert sorted(found) == sorted(expected)


def test_two_bounds_of_one_date_make_a_range(dated: Shelf) -> None:
    found = dated.names("Encounter?date=ge1970-01-31&date=lt1970-02-10&_sort=date")
    expected = [
        n for n, (low, high) in ROWS.items() if (high > 31 * DAY or low >= 30 * DAY) and low < 40 * DAY
    ]
    assert sorted(found) == sorted(f"Encounter/{n}" for n in expected)


def test_values_of_one_date_are_alternatives(dated: Shelf) -> None:
    assert dated.names("Encounter?date=eb1970-01-21,sa1970-02-15&_sort=date") == [
        "Encounter/ended",
        "Encounter/r0",
        "Encounter/r13",
    ]


def test_missing_date_is_found_by_missing_only(dated: Shelf) -> None:
    assert "Encounter/none" in dated.names("Encounter?date:missing=true")
    assert len(dated.names("Encounter?date:missing=false")) == len(ROWS)
