"""Leases that lapse while their worker lives, and jobs that hang."""

from __future__ import annotations

import threading
import time as real
from collections.abc import Callable, Mapping

import pytest

from jobs.conftest import Clock
from xinglin.jobs import Job, Kind, LeaseLost, Queue, Work, Worker
from xinglin.jobs.ending import Endings
from xinglin.kernel.database import Connection, DatabaseError, Unavailable, open_database
from xinglin.kernel.language import Language
from xinglin.records.schema import migrate


def _soon(until: Callable[[], bool], within_s: float = 10.0) -> None:
    deadline = real.monotonic() + within_s
    while not until():
        assert real.monotonic() < deadline, "it does not come about"
        real.sleep(0.01)


def test_what_a_worker_let_go_is_queued_again_though_its_lease_holds_anew(
    queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("xinglin.jobs.keeping.RECONCILE_S", 0.0)
    job = queue.add("a")
    worker = Worker(queue, [Kind("a", lambda work: None)])
    worker.keeper.keep()
    (claimed,) = worker.claim()
    work = Work(queue, claimed)
    worker._hand.clear()
    worker._running[claimed.seq] = work
    worker.keeper.keep()
    assert queue.get(job.id).state == "running", "what runs is left alone"
    work.interrupt(
        LeaseLost
    )  # the lease seemed to be over; nobody else took the job, and the lease is renewed
    with pytest.raises(LeaseLost) as lost:
        work.check()
    worker.endings.broke(work, lost.value)
    del worker._running[claimed.seq]
    worker.keeper.keep()
    back = queue.get(job.id)
    assert (back.state, back.attempts) == ("queued", 0), "the newest claim of all: no later one will come"
    assert worker.run_pending() == 1


def test_a_claim_under_way_is_not_given_back(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xinglin.jobs.keeping.RECONCILE_S", 0.0)
    job = queue.add("a")
    worker = Worker(queue, [Kind("a", lambda work: None)])
    worker.keeper.keep()
    write = queue.database.write

    def late(unit):  # type: ignore[no-untyped-def]
        claimed = write(unit)
        monkeypatch.setattr(queue.database, "write", write)
        worker.keeper.keep()  # committed, and not yet in hand
        return claimed

    monkeypatch.setattr(queue.database, "write", late)
    (claimed,) = worker.claim()
    assert (claimed.id, queue.get(job.id).state) == (job.id, "running")


def test_a_lease_is_told_from_when_it_is_written(
    queue: Queue, time: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = Worker(queue, [])
    write = queue.database.write

    def waits(unit):  # type: ignore[no-untyped-def]
        time.pass_s(40)  # the disk lets it wait for longer than a lease
        return write(unit)

    monkeypatch.setattr(queue.database, "write", waits)
    worker.keeper._renew()
    assert [token for token, _, _, _ in queue.workers()] == [worker.token]


def test_a_job_that_takes_too_long_is_asked_to_end_and_has_failed_once(queue: Queue) -> None:
    def slow(work: Work) -> None:
        while True:
            work.check()
            real.sleep(0.01)

    job = queue.add("slow", attempts=1)
    worker = Worker(queue, [Kind("slow", slow, most_s=0.2)], threads=1, lease_s=0.4)
    worker.start()
    try:
        _soon(lambda: queue.get(job.id).ended)
    finally:
        worker.stop(2)
    failed = queue.get(job.id)
    assert (failed.state, failed.error and failed.error[0]) == ("failed", "jobs.too-long")
    for language in ("en", "zh"):
        assert "jobs." not in (failed.reason(language) or "jobs.")


def test_a_job_that_hangs_is_given_up_and_its_worker_goes_on(queue: Queue) -> None:
    go = threading.Event()
    runs: list[int] = []

    def hang(work: Work) -> dict[str, int]:
        runs.append(len(runs))
        if len(runs) == 1:
            go.wait(30)
            return {"of": 1}
        return {"of": 2}

    job = queue.add("hang")
    worker = Worker(
        queue, [Kind("hang", hang, most_s=0.2), Kind("other", lambda work: None)], threads=1, lease_s=0.4
    )
    worker.start()
    try:
        _soon(lambda: len(runs) == 1)
        other = queue.add("other")
        _soon(lambda: queue.get(other.id).state == "done")  # in the place of the thread that hangs
        _soon(lambda: queue.get(job.id).state == "done")
        go.set()
        real.sleep(0.1)
        done = queue.get(job.id)
        assert (done.result, done.attempts, len(runs)) == ({"of": 2}, 2, 2), "what hung counts for nothing"
        assert "jobs.too-long" in [line.key for line in queue.log(job.id)]
    finally:
        go.set()
        worker.stop(2)


@pytest.mark.postgres
def test_a_job_added_by_another_process_wakes_who_waits(postgres_url: str) -> None:
    with (
        open_database(postgres_url, durable=False) as ours,
        open_database(postgres_url, durable=False) as other,
    ):
        migrate(ours)
        for add in (lambda: Queue(other).add("a"), lambda: Queue(other).add_many("a", [{}])):
            pulse = ours.pulse()
            pulse.wait(0.3)
            began = real.monotonic()
            threading.Timer(0.1, add).start()
            assert pulse.wait(5.0)
            assert real.monotonic() - began < 2.0


class Refusing:
    """What shows jobs, and cannot show some."""

    def __init__(self, refuses: Callable[[Job], bool]) -> None:
        self.refuses = refuses

    def changed(self, connection: Connection, job: Job, titles: Mapping[Language, str]) -> None:
        if self.refuses(job):
            raise ValueError("no")


def test_a_job_that_cannot_be_shown_is_in_nobodys_way(queue: Queue) -> None:
    jobs = [queue.add("a", shown=True, priority=5), queue.add("a")]
    queue.observer = Refusing(lambda job: job.state == "running")
    assert Worker(queue, [Kind("a", lambda work: None)]).run_pending() == 2
    assert [queue.get(job.id).state for job in jobs] == ["done", "done"]


def test_an_orphan_that_cannot_be_shown_is_taken_up_with_the_others(queue: Queue, time: Clock) -> None:
    jobs = [queue.add("a", shown=True), queue.add("a")]
    lost = Worker(queue, [Kind("a", lambda work: None)], threads=2)
    lost.keeper.keep()
    assert len(lost.claim()) == 2
    time.pass_s(31)
    queue.observer = Refusing(lambda job: True)
    Worker(queue, []).keeper.keep()
    assert [queue.get(job.id).state for job in jobs] == ["queued", "queued"]


def test_a_worker_ends_though_its_database_is_away(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    def stays(work: Work) -> None:
        while True:
            work.check()
            real.sleep(0.01)

    job = queue.add("a")
    worker = Worker(queue, [Kind("a", stays)], threads=1, lease_s=5)
    worker.start()
    _soon(lambda: queue.get(job.id).state == "running")
    with monkeypatch.context() as away:

        def refuses(unit: object) -> None:
            raise Unavailable("kernel.database-away")

        away.setattr(queue.database, "write", refuses)
        began = real.monotonic()
        worker.stop(1.5)
        assert real.monotonic() - began < 8
    assert queue.get(job.id).state == "running", "its lease runs out, and another worker takes it up"


def test_a_job_that_gives_no_sign_of_life_is_asked_to_end_and_one_that_does_is_not(queue: Queue) -> None:
    def hangs(work: Work) -> None:
        real.sleep(0.8)  # without a sign of life
        work.check()

    def works(work: Work) -> None:
        for _ in range(80):
            real.sleep(0.01)
            work.check()

    jobs = [queue.add("hangs", attempts=1), queue.add("works", attempts=1)]
    worker = Worker(
        queue,
        [Kind("hangs", hangs, silent_s=0.5), Kind("works", works, silent_s=0.5)],
        lease_s=0.4,
    )
    worker.start()
    try:
        _soon(lambda: all(queue.get(job.id).ended for job in jobs))
    finally:
        worker.stop(2)
    hung, worked = (queue.get(job.id) for job in jobs)
    assert (hung.state, hung.error and hung.error[0]) == ("failed", "jobs.silent")
    assert worked.state == "done"


def test_a_worker_goes_on_where_the_end_of_a_job_cannot_be_written(
    queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("xinglin.jobs.keeping.RECONCILE_S", 0.2)
    refused: list[int] = []
    fail = Endings.fail

    def refuses(self: Endings, *given: object, **more: object) -> None:
        if len(refused) < 4:
            refused.append(1)
            raise DatabaseError("kernel.database-failed", reason="x")
        fail(self, *given, **more)  # type: ignore[arg-type]

    def run(work: Work) -> None:
        raise OSError

    monkeypatch.setattr(Endings, "fail", refuses)
    jobs = [queue.add("a", attempts=1), queue.add("a", attempts=1), queue.add("b")]
    worker = Worker(queue, [Kind("a", run), Kind("b", lambda work: None)], threads=1, lease_s=0.4)
    worker.start()
    try:
        _soon(lambda: [queue.get(job.id).state for job in jobs] == ["failed", "failed", "done"])
    finally:
        worker.stop(2)


def test_a_worker_that_is_back_in_time_keeps_its_jobs(queue: Queue, time: Clock) -> None:
    job = queue.add("a")
    worker, other = (Worker(queue, [Kind("a", lambda work: None)], name=name) for name in ("x", "y"))
    worker.keeper.keep()
    (claimed,) = worker.claim()
    time.pass_s(29)
    other.keeper.keep()
    assert queue.get(job.id).state == "running", "its lease holds for another second"
    time.pass_s(2)
    worker.keeper._renew()  # between the other's look and its deed
    with pytest.raises(LeaseLost):
        queue.database.write(lambda connection: other.endings.lost(connection, claimed))
    assert queue.get(job.id).state == "running"
