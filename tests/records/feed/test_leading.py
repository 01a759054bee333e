"""Who leads a consumer when handlers hang, leases run out, clocks are set back and too much is held."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path
from zlib import crc32

import pytest
import structlog.testing
from following import HERE, add_patient, consumers, names, observation, observe
from test_consumers import Seen, until

from xinglin.kernel.clock import now_us
from xinglin.kernel.database import Connection, Unavailable
from xinglin.records.feed import Consumer, Feed, leader, repository
from xinglin.records.feed.errors import Fenced
from xinglin.records.service import Records
from xinglin.records.stored import Change, Operation


def states(records: Records) -> dict[repository.Key, repository.State]:
    with records.database.read() as connection:
        return repository.states(connection)


def test_a_handler_that_hangs_is_shown_as_the_reason_until_it_comes_back(
    records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leader, "LONG_S", 0.3)
    going_on = threading.Event()
    with consumers(
        records, Consumer("a", lambda changes: going_on.wait(20) and None), lease_s=0.6
    ) as running:  # type: ignore[func-returns-value]
        until(lambda: running.lag()["a"].led)
        observe(records, None)
        until(lambda: running.lag()["a"].reason is not None)
        reason = running.lag()["a"].reason
        assert reason is not None
        assert reason[0] == "records.feed-long"
        assert running.lag()["a"].commits == 1
        going_on.set()
        until(lambda: running.lag()["a"] == (0, 0.0, 0, True, None))


HANGS = """
import sys, threading, time
from following import consumers, observe
from xinglin.records.feed import Consumer, consumers as module
from xinglin.records.feed.errors import Fenced
from xinglin.records.service import open_records
module.CLOSE_S = 0.2
records = open_records(sys.argv[1])
began = threading.Event()
def handle(changes):
    began.set()
    time.sleep(60)
running = consumers(records, Consumer("a", handle, start="beginning")).start()
observe(records, None)
assert began.wait(10)
running.close()
records.close()
"""


def test_a_handler_that_hangs_does_not_keep_its_process_from_ending(sqlite_url: str) -> None:
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", HANGS, sqlite_url],
        cwd=Path(__file__).parent,
        timeout=45,
        check=False,
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert time.monotonic() - began < 40


def test_who_catches_up_longer_than_a_lease_keeps_the_lead(records: Records) -> None:
    for value in range(12):
        observe(records, None, value)
    seen, other = Seen(), Seen()

    def slowly(changes: list[Change]) -> None:
        time.sleep(0.1)
        seen(changes)

    one = consumers(
        records, Consumer("a", slowly, start="beginning", batch=1, lanes=1, gather_s=0), lease_s=0.5
    )
    with consumers(records, Consumer("a", other, start="beginning"), lease_s=0.5) as beside:
        until(lambda: len(other.changes) == 12)
        beside.close()
        other.changes.clear()
        records.database.write(lambda c: c.execute("UPDATE consumer SET position = 0"))
        thread = threading.Thread(target=one.catch_up)
        thread.start()
        until(lambda: seen.changes)
        beside.start()
        thread.join(20)
    assert [change.position for change in seen.changes] == list(range(1, 13))
    assert other.changes == []


def led(records: Records, consumer: Consumer, lease_us: int = 5_000_000) -> leader.Leader:
    records.database.write(lambda c: repository.register(c, consumer.key, 0))
    state = records.database.write(lambda c: repository.take(c, consumer.key, "here", lease_us))
    assert state is not None
    return leader.Leader(Feed(records), consumer, state, lease_us)


def test_nothing_is_given_out_any_more_once_another_process_has_taken_over(records: Records) -> None:
    """As after a stop of the process, or of its machine, in the middle of a round."""
    for value in range(6):
        observe(records, None, value)
    given: list[int] = []

    def handle(changes: list[Change]) -> None:
        given.extend(change.position for change in changes)
        if len(given) == 2:
            time.sleep(0.3)  # longer than the lease
            assert records.database.write(lambda c: repository.take(c, (0, "a"), "another", 5_000_000))

    led(records, Consumer("a", handle, batch=1, lanes=1), 200_000).catch_up(6)
    assert given == [1, 2]
    assert states(records)[0, "a"].position == 0


def test_a_lead_that_ended_while_the_database_was_away_is_taken_up_again(
    records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its process keeps the leases of what else it leads."""
    load, release, away = leader.Leader._load, repository.release, [1, 1]

    def loading(self: leader.Leader) -> None:
        if self.consumer.name == "a" and len(away) == 2:
            away.pop()
            raise Unavailable("kernel.database-away")
        load(self)

    def releasing(connection: Connection, key: repository.Key, fence: int) -> None:
        if key == (0, "a") and len(away) == 1:
            away.pop()
            raise Unavailable("kernel.database-away")
        release(connection, key, fence)

    monkeypatch.setattr(leader.Leader, "_load", loading)
    monkeypatch.setattr(repository, "release", releasing)
    seen, other = Seen(), Seen()
    with consumers(records, Consumer("b", other), Consumer("a", seen), lease_s=0.6) as running:
        until(lambda: not away and running.lag()["b"].led)
        observe(records, None)
        until(lambda: len(seen.changes) == 1)


def test_a_lease_from_a_clock_that_was_set_back_holds_nobody_up(records: Records) -> None:
    observe(records, None)
    seen = Seen()
    one = consumers(records, Consumer("a", seen, start="beginning"))
    one.lag()
    hour = 3_600_000_000
    records.database.write(
        lambda c: c.execute("UPDATE consumer SET owner = 'gone', until_us = ?", (now_us() + hour,))
    )
    assert not one.lag()["a"].led
    one.catch_up(5)
    assert len(seen.changes) == 1


def test_a_lane_whose_time_was_told_by_a_clock_that_was_set_back_is_tried(records: Records) -> None:
    poison = observe(records, "p")
    seen = Seen(lambda change: True)
    one = consumers(records, Consumer("a", seen, start="beginning", backoff_s=0.05))
    one.catch_up()
    assert len(one.parked("a")) == 1
    hour = 3_600_000_000
    records.database.write(
        lambda c: c.execute("UPDATE consumer_lane SET parked = 0, due_us = ?", (now_us() + hour,))
    )
    seen.fails = lambda change: False
    with one:
        until(lambda: [change.id for change in seen.changes] == [poison.id])


def test_what_stands_still_for_too_much_held_goes_on_once_some_is_asked_for(
    records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leader, "HELD_MOST", 3)
    monkeypatch.setattr(leader, "WAIT_MOST_S", 0.05)
    for patient in ("p0", "p1", "p2", "p3", "fine"):
        add_patient(records, patient)
    for number in range(4):
        observe(records, f"p{number}", number)
    last = observe(records, "fine")
    seen = Seen(lambda change: change.patient != "fine")
    wanted = frozenset({"Observation"})
    with consumers(records, Consumer("a", seen, wanted, start="beginning", attempts=1, lanes=1)) as running:
        until(lambda: len(running.parked("a")) == 3 and running.lag()["a"].reason is not None)
        assert seen.changes == []
        assert running.skip("a", running.parked("a")[0][0].lane) is not None
        until(lambda: names(seen.changes) == [("Observation", last.id, 1)])
        until(lambda: len(running.parked("a")) == 3)


def test_what_is_held_stays_held_while_it_is_written(
    records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another thread's lane is at the bound, and writes what this one's has failed with; this one goes on meanwhile."""
    monkeypatch.setattr(leader, "HELD_MOST", 1)
    monkeypatch.setattr(leader, "WAIT_MOST_S", 0.1)
    first, second = (
        [id_ for id_ in map(str, range(20)) if crc32(f"Patient/{id_}".encode()) % 2 == lane]
        for lane in (0, 1)
    )
    fails, beside, other = first[0], first[1], second[0]
    for id_ in (fails, beside, other):
        add_patient(records, id_)
    start = Feed(records).last()
    for id_ in (fails, beside, fails, other):
        observe(records, id_)
    failed, writing, put_lane = threading.Event(), threading.Event(), repository.put_lane

    def putting(connection: Connection, name: str, lane: repository.Lane) -> None:
        writing.set()
        time.sleep(0.3)
        put_lane(connection, name, lane)

    monkeypatch.setattr(repository, "put_lane", putting)
    given: list[tuple[str | None, int]] = []

    def handle(changes: list[Change]) -> None:
        if len(changes) > 1:
            raise ValueError("one by one")
        change = changes[0]
        given.append((change.patient, change.position - start))
        if change.patient == fails and change.position == start + 1:
            failed.set()
            raise ValueError("no")
        if change.patient == beside:
            assert writing.wait(10)
        if change.patient == other:
            assert failed.wait(10)
            if not writing.is_set():
                raise ValueError("no")

    consumer = Consumer("a", handle, batch=2, lanes=2, backoff_s=60)
    records.database.write(lambda c: repository.register(c, consumer.key, start))
    state = records.database.write(lambda c: repository.take(c, consumer.key, "here", 30_000_000))
    assert state is not None
    leader.Leader(Feed(records), consumer, state, 30_000_000).catch_up(start + 4)
    assert (beside, 2) in given
    assert (fails, 3) not in given, "behind one that failed"


def test_a_lane_that_was_mended_has_all_its_attempts_again(records: Records) -> None:
    add_patient(records, "p")
    first = observe(records, "p")
    refused = {first.id}
    seen = Seen(lambda change: change.id in refused)
    consumer = Consumer("a", seen, attempts=3, backoff_s=0.0)
    running = led(records, consumer)
    running.round()
    running.round()  # the second attempt
    refused.clear()
    second = observe(records, "p")
    refused.add(second.id)
    running.round()  # the first is taken; the second is held behind it
    running.round()
    with records.database.read() as connection:
        ((attempts, parked),) = [(lane.attempts, lane.parked) for lane in repository.lanes(connection, "a")]
    assert (attempts, parked) == (1, False)
    running.close()


def test_commits_behind_are_counted_past_the_gap_that_a_restore_leaves(records: Records) -> None:
    one = consumers(records, Consumer("a", print))
    one.catch_up()
    observe(records, None)
    observe(records, None)
    records.database.write(
        lambda c: c.execute("UPDATE commits SET position = position + 1000000 WHERE position = 2")
    )
    assert one.lag()["a"].commits == 2


def test_an_outage_is_logged_when_it_begins_and_when_it_is_over(
    records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = threading.Event()
    write = records.database.write

    def refusing(unit: object) -> object:
        if away.is_set():
            raise Unavailable("kernel.database-away")
        return write(unit)  # type: ignore[arg-type]

    seen = Seen()
    with (
        structlog.testing.capture_logs() as logged,
        consumers(records, Consumer("a", seen), lease_s=0.3) as running,
    ):
        until(lambda: running.lag()["a"].led)
        monkeypatch.setattr(records.database, "write", refusing)
        away.set()
        observe(records, None)
        time.sleep(1.5)
        away.clear()
        until(lambda: running.lag()["a"].commits == 0)
        until(lambda: [one["event"] for one in logged].count("back") == 2)
    told = [(one["event"], one.get("consumer")) for one in logged]
    assert sorted(told, key=str) == [("back", "a"), ("back", None), ("waiting", "a"), ("waiting", None)]


def test_what_is_of_several_patients_is_handled_while_nothing_else_is(records: Records) -> None:
    add_patient(records, "p")
    poison = observe(records, "p")
    inside: set[str] = set()
    beside: list[str] = []

    def handle(changes: list[Change]) -> None:
        if poison.id in {change.id for change in changes} and not inside & {"tried"}:
            inside.add("tried")
            raise ValueError
        (change,) = changes
        if change.patient == "" and inside & {"p"}:
            beside.append(change.id)
        inside.add(str(change.patient))
        time.sleep(0.2)
        if change.patient == "p" and inside & {""}:
            beside.append(change.id)
        inside.discard(str(change.patient))

    running = led(records, Consumer("a", handle, batch=1, backoff_s=0.0))
    while running.position < 2:
        running.round()
    group = b"""{"resourceType":"Group","type":"person","actual":true,"member":[
        {"entity":{"reference":"Patient/p"}},{"entity":{"reference":"Patient/q"}}]}"""
    records.create(HERE, "Group", group)
    assert Feed(records).read(HERE, 2)[0][0].patient == ""
    running.round()
    running.close()
    assert "tried" in inside
    assert beside == []


def test_two_of_several_patients_are_handled_one_after_the_other(records: Records) -> None:
    inside, beside = [0], [0]

    def handle(changes: list[Change]) -> None:
        inside[0] += 1
        beside[0] = max(beside[0], inside[0])
        time.sleep(0.05)
        inside[0] -= 1

    running = led(records, Consumer("a", handle, batch=1))
    group = b"""{"resourceType":"Group","type":"person","actual":true,"member":[
        {"entity":{"reference":"Patient/p"}},{"entity":{"reference":"Patient/q"}}]}"""
    for _ in range(6):
        records.create(HERE, "Group", group)
    running.round()
    running.close()
    assert beside == [1]


class Crash(BaseException):
    """The process is gone in the middle of what it did."""


@pytest.mark.parametrize("lanes", [1, 4])
@pytest.mark.parametrize("after", range(9))
def test_whatever_was_under_way_at_a_crash_comes_again_and_in_order(
    small: Records, after: int, lanes: int
) -> None:
    patients = ["p", "q", "r"]
    for patient in patients:
        add_patient(small, patient)
    for value in range(6):
        observe(small, patients[value % 3], value)
    handled: list[Change] = []
    left = [after]

    def handle(changes: list[Change]) -> None:
        for change in changes:
            if left[0] == 0:
                raise Crash
            left[0] -= 1
            handled.append(change)

    consumer = Consumer("a", handle, batch=2, lanes=lanes, start="beginning")
    with pytest.raises(Crash):
        consumers(small, consumer).catch_up()
    left[0] = -1
    consumers(small, consumer).catch_up()
    for patient in patients:
        first = dict.fromkeys(change.position for change in handled if change.patient == patient)
        assert list(first) == [
            change.position for change in Feed(small).read(HERE)[0] if change.patient == patient
        ]


def test_who_has_lost_the_lead_while_it_handled_moves_and_holds_nothing(records: Records) -> None:
    add_patient(records, "p")
    observe(records, "p")

    def handle(changes: list[Change]) -> None:
        records.database.write(
            lambda c: c.execute("UPDATE consumer SET owner = 'another', fence = fence + 1")
        )
        if changes[0].type == "Observation":
            raise ValueError

    running = led(records, Consumer("a", handle, batch=1))
    with pytest.raises(Fenced):
        running.round()
    running.close()
    assert states(records)[0, "a"].position == 0
    assert states(records)[0, "a"].owner == "another"
    with records.database.read() as connection:
        assert repository.lanes(connection, "a") == []
        assert repository.held(connection, "a", 1, "Patient/p", 10) == []


def test_what_is_held_goes_on_in_the_order_of_the_feed_however_much_it_is(records: Records) -> None:
    add_patient(records, "p")
    bodies = [Operation("create", "Observation", body=observation("p", value)) for value in range(7)]
    for _ in range(2):
        records.write(HERE, bodies)
    seen = Seen(lambda change: change.type == "Observation")
    one = consumers(records, Consumer("a", seen, start="beginning", attempts=1, batch=3))
    one.catch_up()
    later = observe(records, "p")
    seen.fails = lambda change: False
    one.catch_up()
    assert [change.type for change in seen.changes] == ["Patient"], (
        "the later one must wait behind the others"
    )
    one.retry("a")
    one.catch_up()
    assert names(seen.changes) == names(Feed(records).read(HERE)[0])
    assert seen.changes[-1].id == later.id
    assert one.parked("a") == []
