"""Tenants take turns: the thousand jobs of one are not in the way of another's."""

from __future__ import annotations

from jobs.conftest import Clock
from xinglin.jobs import Kind, Queue, Worker


def test_a_tenants_thousand_jobs_do_not_hold_up_anothers_one(queue: Queue) -> None:
    ran: list[int] = []
    queue.add_many("a", [{}] * 1000, tenant=1)
    queue.add_many("a", [{}] * 3, tenant=2)
    queue.add_many("a", [{}], tenant=7)
    Worker(queue, [Kind("a", lambda work: ran.append(work.job.tenant))]).run_pending()
    assert ran[:8] == [1, 2, 7, 1, 2, 1, 2, 1]
    assert len(ran) == 1004


def test_one_job_at_a_time_still_goes_round(queue: Queue) -> None:
    for tenant in (1, 1, 1, 1, 2, 3):
        queue.add("a", tenant=tenant)
    worker = Worker(queue, [Kind("a", lambda work: None, concurrency=1)], threads=1)
    worker.keeper.keep()
    ran = []
    while claimed := worker.claim():
        (job,) = claimed
        worker._hand.clear()
        ran.append(job.tenant)
    assert ran == [1, 2, 3, 1, 1, 1]


def test_a_tenant_whose_jobs_are_not_due_takes_nothing_from_another(queue: Queue, time: Clock) -> None:
    queue.add_many("a", [{}] * 400, tenant=1)
    for tenant in range(2, 12):
        queue.add("a", tenant=tenant, run_at_us=time.us + 60_000_000)
    worker = Worker(queue, [Kind("a", lambda work: None)])
    worker._cost_s["a"] = 1e-6  # known to be quick: as many as may be
    worker.keeper.keep()
    assert len(worker.claim()) == 256


def test_tenants_whose_jobs_are_not_due_do_not_stand_before_one_that_has_any(
    queue: Queue, time: Clock
) -> None:
    for tenant in range(1, 12):
        queue.add("a", tenant=tenant, run_at_us=time.us + 60_000_000)
    queue.add("a", tenant=12)
    ran: list[int] = []
    Worker(queue, [Kind("a", lambda work: ran.append(work.job.tenant))]).run_pending()
    assert ran == [12]


def test_priority_comes_before_turns(queue: Queue) -> None:
    ran: list[tuple[int, int]] = []
    for tenant, priority in ((1, 0), (2, 0), (1, 5), (1, 5), (2, 0)):
        queue.add("a", tenant=tenant, priority=priority)
    Worker(queue, [Kind("a", lambda work: ran.append((work.job.priority, work.job.tenant)))]).run_pending()
    assert ran == [(5, 1), (5, 1), (0, 2), (0, 1), (0, 2)]
