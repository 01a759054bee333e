"""Cron lines in time zones, and ticks that come once whoever makes them."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.conftest import Clock
from xinglin.jobs import Kind, Queue, Work, Worker
from xinglin.jobs.errors import BadSchedule
from xinglin.jobs.schedules import Cron
from xinglin.kernel.database import Unavailable

CHANGES = (
    "2026-03-29 01:00", "2026-10-25 01:00", "2026-03-08 07:00", "2026-11-01 06:00", "2026-10-03 15:30", "2026-04-04 15:00",
)  # fmt: skip  # of summer time: Berlin, New York, Lord Howe
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def us(text: str) -> int:
    return (datetime.fromisoformat(text).replace(tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)


def ticks(line: str, zone: str, after: str, count: int) -> list[str]:
    """The next ticks, as UTC."""
    cron, found, at = Cron.parse(line, zone), [], us(after)
    for _ in range(count):
        at = cron.next_us(at)
        found.append((EPOCH + timedelta(microseconds=at)).strftime("%Y-%m-%d %H:%M"))
    return found


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("*/20 * * * *", ["2026-02-27 22:20", "2026-02-27 22:40", "2026-02-27 23:00"]),
        ("30 2 * * *", ["2026-02-28 02:30", "2026-03-01 02:30", "2026-03-02 02:30"]),
        ("0 0 29 2 *", ["2028-02-29 00:00", "2032-02-29 00:00", "2036-02-29 00:00"]),
        ("0 9 * * mon-fri", ["2026-03-02 09:00", "2026-03-03 09:00", "2026-03-04 09:00"]),
        ("0 9 * * 7", ["2026-03-01 09:00", "2026-03-08 09:00", "2026-03-15 09:00"]),
        ("0 12 1 * 1", ["2026-03-01 12:00", "2026-03-02 12:00", "2026-03-09 12:00"]),  # the 1st, or a Monday
        ("5,10 8-10/2 28 feb *", ["2026-02-28 08:05", "2026-02-28 08:10", "2026-02-28 10:05"]),
        ("@monthly", ["2026-03-01 00:00", "2026-04-01 00:00", "2026-05-01 00:00"]),
    ],
)
def test_lines_come_when_they_say(line: str, expected: list[str]) -> None:
    assert ticks(line, "UTC", "2026-02-27 22:00", 3) == expected


def test_a_time_that_summer_time_leaves_out_comes_right_after_the_gap() -> None:
    # 29 March 2026: in Berlin 2:00 becomes 3:00 at 1:00 UTC.
    assert ticks("30 2 * * *", "Europe/Berlin", "2026-03-27 12:00", 3) == [
        "2026-03-28 01:30", "2026-03-29 01:00", "2026-03-30 00:30",
    ]  # fmt: skip
    assert ticks("0,30 2 * * *", "Europe/Berlin", "2026-03-28 12:00", 2) == [
        "2026-03-29 01:00", "2026-03-30 00:00",
    ]  # fmt: skip


def test_a_time_that_comes_twice_ticks_the_first_time() -> None:
    # 25 October 2026: in Berlin 3:00 summer time becomes 2:00 at 1:00 UTC.
    assert ticks("30 2 * * *", "Europe/Berlin", "2026-10-24 12:00", 2) == [
        "2026-10-25 00:30",
        "2026-10-26 01:30",
    ]


def test_every_hour_is_every_hour_there_is() -> None:
    for after in ("2026-03-28 22:30", "2026-10-24 22:30"):
        found = ticks("0 * * * *", "Europe/Berlin", after, 5)
        assert [text[-5:] for text in found] == ["23:00", "00:00", "01:00", "02:00", "03:00"]


def test_half_hour_shifts_and_other_places() -> None:
    # Lord Howe shifts by half an hour: 4 October 2026, 2:00 becomes 2:30.
    assert ticks("15 2 * * *", "Australia/Lord_Howe", "2026-10-03 00:00", 2) == [
        "2026-10-03 15:30",
        "2026-10-04 15:15",
    ]
    assert ticks("0 8 * * *", "Asia/Shanghai", "2026-01-01 00:00", 1) == ["2026-01-02 00:00"]
    # Apia went over the date line: 30 December 2011 was left out.
    assert ticks("0 12 * * *", "Pacific/Apia", "2011-12-29 00:00", 3) == [
        "2011-12-29 22:00", "2011-12-30 10:00", "2011-12-30 22:00",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "line",
    [
        "",
        "* * * *",
        "60 * * * *",
        "* 24 * * *",
        "a * * * *",
        "*/0 * * * *",
        "5-1 * * * *",
        "0 0 31 2 *",
        "-1 * * * *",
    ],
)
def test_what_says_no_time_is_refused(line: str) -> None:
    with pytest.raises(BadSchedule):
        Cron.parse(line).next_us(us("2026-01-01 00:00"))


def test_an_unknown_zone_is_refused() -> None:
    for zone in ("Mars/Olympus", "", "../etc/passwd"):
        with pytest.raises(BadSchedule):
            Cron.parse("* * * * *", zone)


@settings(max_examples=150, deadline=None)
@given(
    minutes=st.sets(st.integers(0, 59), min_size=1, max_size=3),
    hours=st.one_of(st.none(), st.sets(st.integers(0, 23), min_size=1, max_size=4)),
    zone=st.sampled_from(
        ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"]
    ),
    start=st.one_of(
        st.integers(us("2024-01-01 00:00"), us("2027-01-01 00:00")),
        st.builds(
            lambda change, minutes: us(change) + minutes * 60_000_000,
            st.sampled_from(CHANGES),
            st.integers(-1600, 1600),
        ),
    ),
)
def test_ticks_are_those_of_a_walk_through_every_minute(
    minutes: set[int], hours: set[int] | None, zone: str, start: int
) -> None:
    line = f"{','.join(map(str, minutes))} {'*' if hours is None else ','.join(map(str, hours))} * * *"
    assert Cron.parse(line, zone).next_us(start) == walked(minutes, hours, ZoneInfo(zone), start)


def walked(minutes: set[int], hours: set[int] | None, zone: ZoneInfo, after_us: int) -> int:
    """The next tick by looking at what the clock on the wall shows, minute by minute."""
    instant = (EPOCH + timedelta(microseconds=after_us)).replace(second=0, microsecond=0)
    while True:
        instant += timedelta(minutes=1)
        wall, before = (
            moment.astimezone(zone).replace(tzinfo=None)
            for moment in (instant, instant - timedelta(minutes=1))
        )
        if hours is None:
            shown = wall.minute in minutes
        else:
            # What the clock shows now, and what it has just jumped over.
            passed = [
                before + timedelta(minutes=n)
                for n in range(1, int((wall - before) / timedelta(minutes=1)) + 1)
            ]
            shown = any(each.hour in hours and each.minute in minutes for each in passed)
            if shown and instant.astimezone(zone).fold:  # the second time round does not count
                shown = False
        if shown:
            return (instant - EPOCH) // timedelta(microseconds=1)


def test_a_tick_is_made_once_by_many_workers(queue: Queue, time: Clock) -> None:
    queue.schedule("s", "a", {"x": 1}, every_s=60, priority=3)
    others = [Queue(queue.database) for _ in range(4)]
    for _ in range(5):
        time.pass_s(60)
        start = threading.Barrier(4)

        def tick(each: Queue, start: threading.Barrier = start) -> None:
            start.wait()
            each.timetable.tick()

        threads = [threading.Thread(target=tick, args=(each,)) for each in others]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        Worker(queue, [Kind("a", lambda work: None)]).run_pending()
    assert [(job.arguments, job.priority) for job in queue.list()] == [({"x": 1}, 3)] * 5


def test_missed_ticks_are_made_up_for_once_and_the_rhythm_stays(queue: Queue, time: Clock) -> None:
    began = time.us
    queue.schedule("s", "a", every_s=60)
    worker = Worker(queue, [Kind("a", lambda work: None)])
    time.pass_s(60 * 10 + 7)
    assert worker.run_pending() == 1
    (schedule,) = queue.schedules()
    assert (schedule.next_us - began) // 1_000_000 == 60 * 11


def test_a_tick_adds_nothing_while_its_forerunner_waits(queue: Queue, time: Clock) -> None:
    queue.schedule("s", "a", every_s=60)
    for _ in range(3):
        time.pass_s(60)
        Worker(queue, []).run_pending()  # a worker that knows no such kind
    assert queue.counts()["queued"] == 1


def test_saying_a_schedule_again_does_not_put_it_off(queue: Queue, time: Clock) -> None:
    first = queue.schedule("s", "a", every_s=60)
    time.pass_s(30)
    assert queue.schedule("s", "b", every_s=60).next_us == first.next_us
    assert queue.schedules()[0].kind == "b"
    assert queue.schedule("s", "b", every_s=90).next_us == time.us + 90_000_000
    with pytest.raises(BadSchedule):
        queue.schedule("s", "b", every_s=90, cron="* * * * *")
    with pytest.raises(BadSchedule):
        queue.schedule("t", "b", cron="0 0 31 2 *")
    assert [schedule.name for schedule in queue.schedules()] == ["s"]
    assert queue.unschedule("s")
    assert not queue.unschedule("s")
    assert queue.schedules() == []


def test_schedules_of_tenants_are_apart(queue: Queue, time: Clock) -> None:
    queue.schedule("s", "a", every_s=60, tenant=1)
    queue.schedule("s", "a", every_s=60, tenant=2)
    assert [schedule.tenant for schedule in queue.schedules(2)] == [2]
    time.pass_s(60)
    assert queue.timetable.tick() == 2
    assert (queue.counts(1)["queued"], queue.counts(2)["queued"]) == (1, 1)
    assert queue.unschedule("s", 2)
    assert len(queue.schedules(None)) == 1


def test_what_waits_for_a_time_that_the_clock_was_put_back_from_goes_on(
    queue: Queue, time: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("xinglin.jobs.keeping.CLOCK_S", 0.0)
    worker = Worker(queue, [Kind("a", lambda work: None)])
    queue.schedule("often", "a", every_s=60)
    time.pass_s(60)
    assert worker.run_pending() == 1
    at_once, later = queue.add("a"), queue.add("a", run_at_us=time.us + 3 * 3_600_000_000)
    time.pass_s(-2 * 3600)
    worker.run_pending()
    assert [queue.get(job.id).state for job in (at_once, later)] == ["done", "queued"]
    assert queue.get(later.id).run_at_us == time.us + 3 * 3_600_000_000
    assert queue.schedules()[0].next_us == time.us + 60_000_000
    waits = queue.add("a", run_at_us=time.us + 3_600_000_000)
    worker.run_pending()
    assert queue.get(waits.id).state == "queued", "what is put off stays so"


def test_a_job_whose_next_attempt_was_told_by_a_clock_that_was_put_back_is_tried(
    queue: Queue, time: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("xinglin.jobs.keeping.CLOCK_S", 0.0)
    tried: list[int] = []

    def run(work: Work) -> None:
        tried.append(time.us)
        if len(tried) < 3:
            raise Unavailable("kernel.database-away")

    job = queue.add("a")
    time.pass_s(2 * 3600)
    worker = Worker(queue, [Kind("a", run)])
    worker.run_pending()
    assert len(tried) == 1
    time.pass_s(-2 * 3600)
    for _ in range(60):
        worker.run_pending()
        time.pass_s(10)
    assert (len(tried), queue.get(job.id).state) == (3, "done")
