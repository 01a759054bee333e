"""Durable consumers: once led, at least once handled, in order per patient, failures held back."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from following import add_patient, consumers, names, observe

from xinglin.kernel.database import Unavailable
from xinglin.records.feed import Consumer, repository
from xinglin.records.feed.errors import NoSuchConsumer
from xinglin.records.service import Records
from xinglin.records.stored import Change


class Seen:
    """A handler that remembers; ``fails``: what it refuses."""

    def __init__(self, fails: Callable[[Change], bool] = lambda change: False) -> None:
        self.changes: list[Change] = []
        self.fails = fails
        self._lock = threading.Lock()
        self.inside: dict[str | None, int] = {}
        self.overlapping = False

    def __call__(self, changes: list[Change]) -> None:
        patients = {change.patient for change in changes}
        with self._lock:
            for patient in patients:
                self.inside[patient] = self.inside.get(patient, 0) + 1
                self.overlapping |= self.inside[patient] > 1
        try:
            if any(self.fails(change) for change in changes):
                raise ValueError("no")
            with self._lock:
                self.changes += changes
        finally:
            with self._lock:
                for patient in patients:
                    self.inside[patient] -= 1

    def of(self, patient: str) -> list[int]:
        return [change.position for change in self.changes if change.patient == patient]


def until(what: Callable[[], Any], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


def test_what_is_written_is_handled_soon_and_remembered(records: Records) -> None:
    seen = Seen()
    with consumers(records, Consumer("a", seen)) as running:
        until(lambda: running.lag()["a"].led)
        add_patient(records, "p")
        observe(records, "p")
        until(lambda: len(seen.changes) == 2)
    again = Seen()
    observe(records, "p")
    consumers(records, Consumer("a", again)).catch_up()
    assert len(again.changes) == 1
    assert running.lag()["a"][:2] == (0, 0.0)


def test_a_new_consumer_begins_now_or_at_the_beginning(records: Records) -> None:
    add_patient(records, "p")
    now, old = Seen(), Seen()
    both = consumers(records, Consumer("now", now), Consumer("old", old, start="beginning"))
    both.catch_up()
    observe(records, "p")
    both.catch_up()
    assert len(now.changes) == 1
    assert len(old.changes) == 2


def test_only_the_types_asked_for_are_given(records: Records) -> None:
    seen = Seen()
    one = consumers(records, Consumer("a", seen, types=frozenset({"Patient"}), start="beginning"))
    add_patient(records, "p")
    observe(records, "p")
    one.catch_up()
    assert names(seen.changes) == [("Patient", "p", 1)]
    assert one.lag()["a"].commits == 0


def test_patients_are_handled_side_by_side_and_each_in_order(records: Records) -> None:
    patients = [f"p{n}" for n in range(8)]
    for patient in patients:
        add_patient(records, patient)
    seen = Seen()
    with consumers(records, Consumer("a", seen, batch=7, start="beginning")) as running:
        for value in range(160):
            observe(records, patients[value % 8], value)
        until(lambda: running.lag()["a"].commits == 0 and len(seen.changes) >= 168)
    assert not seen.overlapping
    for patient in patients:
        assert seen.of(patient) == sorted(seen.of(patient))
        assert len(seen.of(patient)) == 21


def test_a_change_that_always_fails_parks_its_patient_and_nobody_else(records: Records) -> None:
    for patient in ("good", "bad"):
        add_patient(records, patient)
    poison = observe(records, "bad")
    after = observe(records, "bad")
    fine = observe(records, "good")
    seen = Seen(lambda change: change.id == poison.id)
    one = consumers(records, Consumer("a", seen, start="beginning", attempts=2, backoff_s=0.0))
    one.catch_up()
    assert {change.id for change in seen.changes} == {"good", "bad", fine.id}
    ((lane, waiting),) = one.parked("a")
    assert (lane.lane, lane.parked, lane.attempts) == ("Patient/bad", True, 2)
    assert [change.id for change in waiting] == [poison.id, after.id]
    assert "ValueError" in lane.reason
    assert one.lag()["a"][:3] == (0, 0.0, 1)

    later = observe(records, "bad")
    one.catch_up()
    assert later.id not in {change.id for change in seen.changes}

    seen.fails = lambda change: False
    assert one.retry("a") == 1
    one.catch_up()
    tail = [change.id for change in seen.changes if change.patient == "bad"][-3:]
    assert tail == [poison.id, after.id, later.id]
    assert one.parked("a") == []
    assert one.lag()["a"].parked == 0


def test_a_parked_change_can_be_given_up_by_hand(records: Records) -> None:
    add_patient(records, "p")
    poison, after = observe(records, "p"), observe(records, "p")
    seen = Seen(lambda change: change.id == poison.id)
    one = consumers(records, Consumer("a", seen, start="beginning", attempts=1, backoff_s=0.0))
    one.catch_up()
    gone = one.skip("a", "Patient/p")
    assert gone is not None
    assert gone.id == poison.id
    one.catch_up()
    assert [change.id for change in seen.changes] == ["p", after.id]


def test_a_failure_that_passes_is_tried_again_by_itself(records: Records) -> None:
    add_patient(records, "p")
    failures = iter([True] * 4 + [False] * 100)
    seen = Seen(lambda change: change.type == "Observation" and next(failures))
    with consumers(records, Consumer("a", seen, backoff_s=0.02)) as running:
        until(lambda: running.lag()["a"].led)
        first, second = observe(records, "p"), observe(records, "p")
        until(lambda: len(seen.changes) == 2)
        until(lambda: running.parked("a") == [])
    assert [change.id for change in seen.changes] == [first.id, second.id]


def test_a_database_that_is_away_is_waited_for_and_nothing_is_parked(records: Records) -> None:
    away = threading.Event()
    away.set()
    seen = Seen()

    def handle(changes: list[Change]) -> None:
        if away.is_set():
            raise Unavailable("kernel.database-away")
        seen(changes)

    with consumers(records, Consumer("a", handle, backoff_s=0.02)) as running:
        until(lambda: running.lag()["a"].led)
        observe(records, None)
        until(lambda: running.lag()["a"].reason is not None)
        assert running.lag()["a"].commits == 1
        away.clear()
        until(lambda: running.lag()["a"].commits == 0)
        assert running.lag()["a"].reason is None
    assert len(seen.changes) == 1


def test_with_one_lane_everything_comes_in_the_order_of_the_feed(records: Records) -> None:
    seen = Seen()
    one = consumers(records, Consumer("a", seen, lanes=1, start="beginning"))
    for value in range(30):
        observe(records, None, value)
    one.catch_up()
    assert [change.position for change in seen.changes] == list(range(1, 31))


def test_of_two_processes_one_leads_and_the_other_takes_over(records: Records) -> None:
    first, second = Seen(), Seen()
    one = consumers(records, Consumer("a", first), lease_s=0.6).start()
    until(lambda: one.lag()["a"].led)
    other = consumers(records, Consumer("a", second), lease_s=0.6).start()
    try:
        observe(records, None)
        until(lambda: first.changes)
        time.sleep(0.9)  # longer than a lease: it is renewed
        observe(records, None)
        until(lambda: len(first.changes) == 2)
        assert second.changes == []
        one.close()
        observe(records, None)
        until(lambda: len(second.changes) == 1)
    finally:
        one.close()
        other.close()


def test_who_has_lost_the_lead_moves_nothing_any_more(records: Records) -> None:
    usurped = threading.Event()

    def handle(changes: list[Change]) -> None:
        if not usurped.is_set():
            usurped.set()
            records.database.write(
                lambda c: c.execute("UPDATE consumer SET owner = 'another', fence = fence + 1, until_us = 0")
            )

    one = consumers(records, Consumer("a", handle, start="beginning"))
    observe(records, None)
    handled: list[Change] = []
    two = consumers(records, Consumer("a", handled.extend, start="beginning"))
    two.lag()
    leader_position = records.database
    one.catch_up()  # fenced once, then it takes the expired lead again and handles the change once more
    with leader_position.read() as connection:
        assert repository.states(connection)[0, "a"].position == 1


def test_after_a_restore_to_an_earlier_moment_new_changes_are_seen(records: Records) -> None:
    seen = Seen()
    one = consumers(records, Consumer("a", seen))
    observe(records, None)
    one.catch_up()
    records.database.write(lambda c: c.execute("UPDATE consumer SET position = 1000"))
    with consumers(records, Consumer("a", seen)) as running:
        until(lambda: running.lag()["a"].led)
        time.sleep(0.1)
        observe(records, None)
        until(lambda: len(seen.changes) == 1)


def test_a_name_that_nobody_has_is_told(records: Records) -> None:
    with pytest.raises(NoSuchConsumer, match="There are: a"):
        consumers(records, Consumer("a", print)).retry("b")


def test_idle_followers_cost_next_to_nothing(small: Records) -> None:
    with consumers(small, *(Consumer(f"c{n}", lambda changes: None) for n in range(4))) as running:
        until(lambda: all(lag.led for lag in running.lag().values()))
        time.sleep(0.5)
        before = time.process_time()
        time.sleep(2)
        spent = time.process_time() - before
    assert spent / 2 < 0.03, spent  # measured: under 0.01; the bound leaves room for a busy machine
