"""A queue on each database, and the time in our hands."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from xinglin.jobs import Queue
from xinglin.kernel import clock
from xinglin.kernel.database import open_database
from xinglin.records.schema import migrate


@dataclass
class Clock:
    """The time that the queue sees, in µs; it stands still until it is moved."""

    us: int = 1_800_000_000_000_000

    def __call__(self) -> int:
        return self.us

    def pass_s(self, seconds: float) -> None:
        self.us += int(seconds * 1_000_000)


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Replaces the clock everywhere in the queue."""
    found = Clock()
    for module in ("queue", "work", "worker", "ending", "keeping", "schedules.timetable"):
        monkeypatch.setattr(f"xinglin.jobs.{module}.now_us", found)
    assert clock.now_us() != found.us
    return found


@pytest.fixture
def queue(database_url: str) -> Iterator[Queue]:
    """An empty queue in a database with the record's schema."""
    with open_database(database_url, durable=False) as database:
        migrate(database)
        yield Queue(database)
