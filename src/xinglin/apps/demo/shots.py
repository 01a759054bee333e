"""What a person is vaccinated with in a life."""

from __future__ import annotations

from datetime import date, timedelta
from random import Random


def shots(rng: Random, born: date, start: date, last: date) -> list[tuple[date, str]]:
    """Day and vaccine of each, from ``start`` to ``last``: the national childhood programme, influenza, pneumococcus."""
    schedule = [
        ("hepb", 0),
        ("bcg", 1),
        ("hepb", 30),
        ("polio", 60),
        ("dtap", 91),
        ("polio", 91),
        ("dtap", 122),
        ("dtap", 152),
        ("hepb", 183),
        ("mmr", 243),
        ("mmr", 548),
        ("dtap", 548),
    ]
    given = [
        (born + timedelta(days=after), key)
        for key, after in schedule
        if start <= born + timedelta(days=after) <= last
    ]
    for year in range(start.year, last.year + 1):
        day = date(year, 10, 1) + timedelta(days=rng.randrange(60))
        age = (day - born).days / 365.25
        if start <= day <= last and rng.random() < (0.45 if age > 60 else 0.12):
            given.append((day, "flu"))
    at_65 = born + timedelta(days=round(65.4 * 365.25))
    if start <= at_65 <= last and rng.random() < 0.5:
        given.append((at_65, "pneumo"))
    return sorted(given)
