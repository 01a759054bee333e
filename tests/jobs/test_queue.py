"""The queue's contract, on both databases."""

from __future__ import annotations

import threading
import time as real
from collections.abc import Mapping
from itertools import pairwise

import pytest

from jobs.conftest import Clock
from xinglin.jobs import Cancelled, Job, Kind, LeaseLost, NoSuchJob, Permanent, Queue, Work, Worker
from xinglin.jobs.errors import NotNow
from xinglin.kernel.database import Connection
from xinglin.kernel.language import Language
from xinglin.records.errors import NotFound


def test_a_job_is_run_and_its_result_kept(queue: Queue) -> None:
    job = queue.add("sum", {"of": [1, 2]})
    assert (job.state, job.attempts) == ("queued", 0)
    worker = Worker(queue, [Kind("sum", lambda work: {"sum": sum(work.arguments["of"])})])
    assert worker.run_pending() == 1
    done = queue.get(job.id)
    assert (done.state, done.result, done.attempts) == ("done", {"sum": 3}, 1)
    assert (done.started_us or 0) <= (done.ended_us or 0)
    assert worker.run_pending() == 0


def test_a_job_enqueued_in_a_unit_that_fails_is_not_there(queue: Queue) -> None:
    def unit(connection: Connection) -> None:
        queue.enqueue(connection, "a")
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        queue.database.write(unit)
    assert queue.list() == []
    assert queue.database.write(lambda connection: queue.enqueue(connection, "a")).kind == "a"
    assert [job.kind for job in queue.list()] == ["a"]


def test_another_tenant_sees_none_of_it(queue: Queue) -> None:
    job = queue.add("a", tenant=2)
    assert queue.list(1) == []
    assert [found.id for found in queue.list(2)] == [job.id]
    for ask in (queue.get, queue.cancel, queue.retry, queue.log):
        with pytest.raises(NoSuchJob):
            ask(job.id, tenant=1)  # type: ignore[operator]
    assert queue.counts(1)["queued"] == 0
    assert queue.counts(2)["queued"] == queue.counts(None)["queued"] == 1


def test_higher_priority_runs_first_and_equals_in_order(queue: Queue) -> None:
    ran: list[str] = []
    for name, priority in (("a", 0), ("b", 5), ("c", -3), ("d", 5), ("e", 0)):
        queue.add("note", {"name": name}, priority=priority)
    Worker(queue, [Kind("note", lambda work: ran.append(work.arguments["name"]))]).run_pending()
    assert ran == ["b", "d", "a", "e", "c"]


def test_a_job_waits_for_its_time(queue: Queue, time: Clock) -> None:
    queue.add("a", run_at_us=time.us + 10_000_000, priority=9)
    queue.add("a")
    worker = Worker(queue, [Kind("a", lambda work: None)])
    assert worker.run_pending() == 1
    time.pass_s(9.9)
    assert worker.run_pending() == 0
    time.pass_s(0.1)
    assert worker.run_pending() == 1


def test_a_kind_that_the_worker_does_not_know_is_left(queue: Queue) -> None:
    queue.add("strange")
    job = queue.add("a")
    assert Worker(queue, [Kind("a", lambda work: None)]).run_pending() == 1
    assert queue.get(job.id).state == "done"
    assert queue.counts()["queued"] == 1


def test_a_unique_key_holds_until_the_job_ends(queue: Queue) -> None:
    first = queue.add("a", unique="k")
    assert queue.add("a", unique="k").id == first.id
    assert queue.add("b", unique="k").id != first.id
    assert queue.add("a", unique="k", tenant=2).id != first.id
    Worker(queue, [Kind("a", lambda work: None)]).run_pending()
    assert queue.add("a", unique="k").id != first.id


def test_a_failing_job_is_tried_again_later_and_later_and_then_is_failed(queue: Queue, time: Clock) -> None:
    tries: list[int] = []

    def fail(work: Work) -> None:
        tries.append(time.us)
        raise OSError("away")

    job = queue.add("a", attempts=4)
    worker = Worker(queue, [Kind("a", fail)], seed=1)
    for _ in range(400):
        worker.run_pending()
        time.pass_s(0.1)
    waits = [(later - earlier) / 1e6 for earlier, later in pairwise(tries)]
    assert len(tries) == 4
    assert [
        low <= wait <= high for (low, high), wait in zip(((0.5, 1.6), (1, 3.1), (2, 6.1)), waits, strict=True)
    ]
    failed = queue.get(job.id)
    assert (failed.state, failed.attempts) == ("failed", 4)
    assert "OSError" in (failed.reason() or "")
    assert "OSError" in (failed.reason("zh") or "")
    assert len(queue.log(job.id)) == 4


@pytest.mark.parametrize(
    "error", [Permanent("jobs.cron-never"), NotFound("records.not-found", type="A", id="b")]
)
def test_an_error_that_no_attempt_mends_fails_at_once(queue: Queue, error: Exception) -> None:
    def fail(work: Work) -> None:
        raise error

    job = queue.add("a")
    assert Worker(queue, [Kind("a", fail)]).run_pending() == 1
    assert queue.get(job.id).state == "failed"
    assert queue.get(job.id).reason() == str(error)


def test_a_failed_job_is_retried_by_hand_from_its_checkpoint(queue: Queue) -> None:
    seen: list[dict[str, int]] = []

    def run(work: Work) -> None:
        seen.append(dict(work.checkpoint))
        work.save({"at": work.checkpoint.get("at", 0) + 1})
        if len(seen) == 1:
            raise Permanent("jobs.cron-never")

    job = queue.add("a")
    worker = Worker(queue, [Kind("a", run)])
    worker.run_pending()
    assert queue.get(job.id).state == "failed"
    assert queue.retry(job.id).state == "queued"
    with pytest.raises(NotNow):
        queue.retry(job.id)
    worker.run_pending()
    assert (queue.get(job.id).state, queue.get(job.id).attempts) == ("done", 1)
    assert seen == [{}, {"at": 1}]


def test_a_queued_job_is_cancelled_at_once(queue: Queue) -> None:
    job = queue.add("a")
    assert queue.cancel(job.id).state == "cancelled"
    assert Worker(queue, [Kind("a", lambda work: None)]).run_pending() == 0
    with pytest.raises(NotNow):
        queue.cancel(job.id)


def test_a_running_job_is_told_to_end(queue: Queue) -> None:
    cleaned: list[bool] = []

    def run(work: Work) -> None:
        assert queue.cancel(work.job.id).state == "running"
        try:
            work.check()
        except Cancelled:
            cleaned.append(True)
            raise

    job = queue.add("a")
    Worker(queue, [Kind("a", run)]).run_pending()
    assert cleaned == [True]
    assert (queue.get(job.id).state, queue.get(job.id).error) == ("cancelled", None)


def test_completion_and_work_are_one_transaction(queue: Queue) -> None:
    def run(work: Work) -> None:
        def unit(connection: Connection) -> dict[str, str]:
            return {"next": queue.enqueue(connection, "b").id}

        work.complete(unit)
        raise ValueError("after the end: nobody hears it")

    job = queue.add("a")
    Worker(queue, [Kind("a", run)]).run_pending()
    done = queue.get(job.id)
    assert done.state == "done"
    assert done.result == {"next": queue.list(kind="b")[0].id}


def test_a_worker_that_lost_its_lease_completes_nothing(queue: Queue, time: Clock) -> None:
    ran: list[str] = []

    def slow(work: Work) -> None:
        ran.append("slow")
        if len(ran) == 1:
            time.pass_s(31)
            other.run_pending()  # takes the job up and finishes it
            assert ran == ["slow", "slow"]
            work.complete(lambda connection: queue.enqueue(connection, "b"))

    other = Worker(queue, [Kind("a", slow)])
    job = queue.add("a")
    Worker(queue, [Kind("a", slow)]).run_pending()
    assert queue.list(kind="b") == []
    assert (queue.get(job.id).state, queue.get(job.id).attempts) == ("done", 2)


def test_an_old_claim_does_nothing_to_a_new_one(queue: Queue, time: Clock) -> None:
    job = queue.add("a")
    worker = Worker(queue, [Kind("a", lambda work: None)])
    worker.keeper.keep()
    (old,) = worker.claim()
    time.pass_s(31)
    worker.keeper.keep(renew=False)  # its own lease has run out: the job is queued again
    worker.keeper.keep()
    (new,) = worker.claim()
    stale = Work(queue, old)
    for act in (
        lambda: stale.complete(lambda connection: queue.enqueue(connection, "b")),
        lambda: stale.save({"at": 1}, lambda connection: queue.enqueue(connection, "b")),
    ):
        with pytest.raises(LeaseLost):
            act()
    worker.endings.broke(stale, OSError())
    worker.endings.put_back(old)
    worker.endings.done(stale, None)
    worker.endings.flush()
    stale.progress(5)
    with pytest.raises(LeaseLost):
        stale.check()
    now = queue.get(job.id)
    assert (now.state, now.fence, now.done, now.checkpoint) == ("running", new.fence, 0, {})
    assert queue.list(kind="b") == []
    Work(queue, new).complete(lambda connection: None)
    assert queue.get(job.id).state == "done"


def test_a_job_that_was_asked_to_end_and_fails_is_cancelled(queue: Queue) -> None:
    def run(work: Work) -> None:
        queue.cancel(work.job.id)
        raise OSError

    job = queue.add("a")
    Worker(queue, [Kind("a", run)]).run_pending()
    assert queue.get(job.id).state == "cancelled"


def test_a_job_whose_workers_die_is_failed_after_its_attempts(queue: Queue, time: Clock) -> None:
    job = queue.add("a", attempts=3)
    for attempt in range(1, 4):
        dying = Worker(queue, [Kind("a", lambda work: None)])
        dying.keeper.keep()
        assert [claimed.attempts for claimed in dying.claim()] == [attempt]
        time.pass_s(60)  # never heard of again
        Worker(queue, []).run_pending()
        time.pass_s(60)
    failed = queue.get(job.id)
    assert (failed.state, failed.error) == ("failed", ("jobs.worker-lost", {"attempts": 3}))


def test_old_ended_jobs_are_deleted_with_their_logs(queue: Queue, time: Clock) -> None:
    def run(work: Work) -> None:
        work.say("info", "kernel.done")

    old, kept = queue.add("a"), queue.add("never")
    worker = Worker(queue, [Kind("a", run)], retention_s=86400)
    worker.run_pending()
    assert [line.say("zh") for line in queue.log(old.id)] == ["完成"]
    time.pass_s(86400 + 3600)
    worker.run_pending()
    with pytest.raises(NoSuchJob):
        queue.get(old.id)
    assert queue.get(kept.id).state == "queued"


def test_unknown_kinds_and_full_ones_cost_no_writes(queue: Queue) -> None:
    queue.add("strange")
    worker = Worker(queue, [Kind("a", lambda work: None, concurrency=1)])
    assert not worker._due()
    queue.add("a")
    queue.add("a")
    assert worker._due()
    assert len(worker.claim()) == 1
    assert not worker._due()


def test_jobs_wait_in_no_hand_behind_long_ones(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xinglin.jobs.worker.WAITED_S", 0.2)
    slow, let_go = threading.Event(), threading.Event()

    def run(work: Work) -> None:
        if work.arguments.get("long"):
            slow.set()
            assert let_go.wait(20)

    worker = Worker(queue, [Kind("a", run)], threads=1, lease_s=1)
    queue.add_many("a", [{}] * 50)
    worker.run_pending()  # now it takes the kind for a quick one, and claims many at a time
    queue.add_many("a", [{"long": True}, *[{}] * 20])
    other = Worker(queue, [Kind("a", run)], name="other")
    worker.start()
    try:
        assert slow.wait(10)
        deadline = real.monotonic() + 10
        while queue.counts()["done"] < 70:
            assert real.monotonic() < deadline
            other.run_pending()
            real.sleep(0.05)
    finally:
        let_go.set()
        worker.stop()
    assert queue.counts()["done"] == 71
    assert {job.attempts for job in queue.list(limit=100)} == {1}


def test_a_kind_runs_no_more_at_a_time_than_it_may(queue: Queue) -> None:
    at_once: list[int] = []
    running: set[str] = set()

    def run(work: Work) -> None:
        running.add(work.job.id)
        at_once.append(len(running))
        real.sleep(0.02)
        running.discard(work.job.id)

    worker = Worker(queue, [Kind("a", run, concurrency=2)], threads=6)
    queue.add_many("a", [{}] * 20)
    worker.start()
    try:
        deadline = real.monotonic() + 20
        while queue.counts()["done"] < 20:
            assert real.monotonic() < deadline
            real.sleep(0.02)
    finally:
        worker.stop()
    assert 1 <= max(at_once) <= 2


def test_a_job_is_tried_as_often_as_its_kind_says(queue: Queue, time: Clock) -> None:
    def fail(work: Work) -> None:
        raise OSError

    jobs = [queue.add("a"), queue.add("a", attempts=1), queue.add("b")]
    worker = Worker(queue, [Kind("a", fail, attempts=2), Kind("b", fail)])
    for _ in range(12):
        worker.run_pending()
        time.pass_s(60)
    assert [queue.get(job.id).attempts for job in jobs] == [2, 1, 5]
    assert {queue.get(job.id).state for job in jobs} == {"failed"}


def test_progress_is_seen_while_it_runs(queue: Queue) -> None:
    seen: list[tuple[int, int | None, str]] = []

    def run(work: Work) -> None:
        work.progress(3, 10, "kernel.done")
        work.save({})  # behind it in the same queue of writes
        job = queue.get(work.job.id)
        seen.append((job.done, job.of, job.stage))
        for done in range(4, 11):
            work.progress(done, 10, "kernel.done")

    job = queue.add("a")
    Worker(queue, [Kind("a", run)]).run_pending()
    assert seen == [(3, 10, "kernel.done")]
    assert (queue.get(job.id).done, queue.get(job.id).of) == (10, 10)


def test_a_result_that_is_no_json_is_a_failure(queue: Queue) -> None:
    job = queue.add("a", attempts=1)
    Worker(queue, [Kind("a", lambda work: {"x": object()})]).run_pending()
    assert queue.get(job.id).state == "failed"


def test_a_job_ends_even_where_what_shows_it_refuses(queue: Queue) -> None:
    class Refusing:
        def changed(self, connection: Connection, job: Job, titles: Mapping[Language, str]) -> None:
            if job.ended:
                raise ValueError("no")

    queue.observer = Refusing()
    jobs = [queue.add("a", attempts=1, shown=True), queue.add("a", attempts=1)]
    Worker(queue, [Kind("a", lambda work: None)]).run_pending()
    assert [queue.get(job.id).state for job in jobs] == ["failed", "done"]


def test_a_job_given_back_is_cancelled_where_that_was_asked(queue: Queue) -> None:
    jobs = [queue.add("a"), queue.add("a"), queue.add("a")]
    worker = Worker(queue, [Kind("a", lambda work: None)], threads=3)
    worker.keeper.keep()
    first, second, third = worker.claim()
    for job in (first, second):
        assert queue.cancel(job.id).state == "running"
    worker.endings.put_back(first)
    worker._give_back([second, third])
    assert [queue.get(job.id).state for job in jobs] == ["cancelled", "cancelled", "queued"]
    assert [queue.get(job.id).ended_us is None for job in jobs] == [False, False, True]
