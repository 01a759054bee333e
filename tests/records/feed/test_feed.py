"""The feed read and followed: in order, whole commits, nothing missed."""

from __future__ import annotations

import threading
import time

import pytest
from following import HERE, add_patient, names, observation, observe

from xinglin.records.feed import Feed
from xinglin.records.service import Records
from xinglin.records.stored import Change, Operation
from xinglin.trust import local_system


def test_every_version_comes_once_in_the_order_of_commits(records: Records) -> None:
    add_patient(records, "p")
    first = observe(records, "p")
    records.update(HERE, "Observation", first.id, first.body)
    records.delete(HERE, "Observation", first.id)
    found, reached = Feed(records).read(HERE)
    assert names(found) == [
        ("Patient", "p", 1), ("Observation", first.id, 1), ("Observation", first.id, 2), ("Observation", first.id, 3),
    ]  # fmt: skip
    assert [change.method for change in found] == ["PUT", "POST", "PUT", "DELETE"]
    assert {change.patient for change in found} == {"p"}
    assert reached == found[-1].position == Feed(records).last()


def test_it_says_what_the_record_itself_says(records: Records) -> None:
    add_patient(records, "p")
    for value in range(60):
        observe(records, "p" if value % 2 else None, value)
    records.write(HERE, [Operation("create", "Observation", body=observation("p", n)) for n in range(50)])
    for _ in range(80):
        records.write(HERE, [Operation("create", "Observation", body=observation("p", n)) for n in range(2)])
    for limit in (1, 7, 40, 100, 1000):  # 40: more commits are looked at than are given
        found: list[Change] = []
        reached = 0
        while True:
            more, after = Feed(records).read(HERE, reached, limit)
            if after == reached:
                break
            found, reached = found + more, after
        assert found == records.changes(HERE, 0, 1000)


def test_a_commit_is_never_cut(records: Records) -> None:
    records.write(HERE, [Operation("create", "Observation", body=observation(None, n)) for n in range(30)])
    found, _ = Feed(records).read(HERE, 0, 10)
    assert len(found) == 30


def test_one_goes_on_from_where_one_stopped_past_what_one_does_not_want(records: Records) -> None:
    add_patient(records, "p")
    observe(records, "p")
    feed = Feed(records)
    found, reached = feed.read(HERE, 0, types=("Patient",))
    assert names(found) == [("Patient", "p", 1)]
    assert reached == feed.last()
    assert feed.read(HERE, reached) == ([], reached)


def test_another_tenants_changes_are_not_seen(records: Records) -> None:
    records.set_tenant(2, "second", "UTC")
    add_patient(records, "p")
    records.create(local_system(2), "Observation", observation(None))
    feed = Feed(records)
    assert {change.tenant for change in feed.read(HERE)[0]} == {1}
    assert {change.tenant for change in feed.read(local_system(2))[0]} == {2}
    assert [change.tenant for change in feed.read_house(None, 0, 100)[0]] == [1, 2]
    assert [change.tenant for change in feed.read_house(2, 0, 100)[0]] == [2]


def test_a_follower_is_woken_by_a_commit_and_ends_when_it_is_told_to(records: Records) -> None:
    stop = threading.Event()
    seen: list[tuple[float, Change]] = []

    def follow() -> None:
        for changes in Feed(records).follow(HERE, stop=stop):
            seen.extend((time.time(), change) for change in changes)

    thread = threading.Thread(target=follow)
    thread.start()
    time.sleep(0.2)
    for value in range(20):
        observe(records, None, value)
        time.sleep(0.01)
    time.sleep(0.2)
    stop.set()
    thread.join(5)
    assert not thread.is_alive()
    late = sorted(at - change.at_us / 1e6 for at, change in seen)
    assert len(late) == 20
    assert late[10] < 0.05, late


def test_a_position_that_lies_ahead_is_waited_for(records: Records) -> None:
    observe(records, None)
    assert Feed(records).read(HERE, 1000) == ([], 1000)


@pytest.mark.parametrize("writers", [4])
def test_writers_at_once_leave_no_gap(records: Records, writers: int) -> None:
    stop = threading.Event()
    seen: list[Change] = []

    def follow() -> None:
        for changes in Feed(records).follow(HERE, 0, stop=stop):
            seen.extend(changes)

    def write() -> None:
        for value in range(40):
            observe(records, None, value)

    reader = threading.Thread(target=follow)
    reader.start()
    threads = [threading.Thread(target=write) for _ in range(writers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    deadline = time.monotonic() + 10
    while len(seen) < 40 * writers and time.monotonic() < deadline:
        time.sleep(0.02)
    stop.set()
    reader.join()
    assert [change.position for change in seen] == list(range(1, 40 * writers + 1))
