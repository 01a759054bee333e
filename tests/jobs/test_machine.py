"""Whatever is done to the queue in whatever order, it does what a dictionary with a few rules does."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)

from jobs.conftest import Clock
from xinglin.jobs import Kind, Permanent, Queue, Worker
from xinglin.jobs.errors import LeaseLost, NotNow
from xinglin.jobs.model import Job
from xinglin.jobs.work import Work
from xinglin.kernel.database import Connection, Database

LEASE_S = 30
LATE_S = 700
"""Longer than the longest delay between attempts, and than a lease."""


@dataclass
class Held:
    """A claim as the model knows it; ``claim`` 0: the job was put back at once, and whoever acts on it comes too late."""

    job: Job
    worker: int
    claim: int


@dataclass
class Known:
    """A job as the model knows it."""

    tenant: int
    priority: int
    run_at_us: int
    number: int
    attempts_most: int
    unique: str
    state: str = "queued"
    attempts: int = 0
    cancel_asked: bool = False
    claim: int | None = None
    waits: bool = False  # put off by a chance delay: due within LATE_S
    checkpoint: dict[str, int] = field(default_factory=dict)


TERMS: dict[str, st.SearchStrategy[Any]] = {
    "tenant": st.sampled_from([1, 2]),
    "priority": st.sampled_from([0, 0, 5]),
    "delay_s": st.sampled_from([0, 0, 0, 60]),
    "attempts": st.integers(1, 3),
    "unique": st.sampled_from(["", "", "k"]),
}


class Machine(RuleBasedStateMachine):
    """Two workers that die and come back, jobs of two tenants; `database` and `time` are set by the test."""

    database: Database
    time: Clock

    jobs = Bundle("jobs")
    claims = Bundle("claims")

    @initialize(target=jobs, first=st.lists(st.tuples(*TERMS.values()), min_size=4, max_size=8))
    def begin(self, first: list[tuple[Any, ...]]) -> Any:
        """With jobs from the start: Hypothesis leaves rules out of whole examples, `add` among them."""
        self.database.write(_empty)
        self.queue = Queue(self.database)
        self.known: dict[str, Known] = {}
        self.numbers = 0
        self.claimed = 0
        self.held: list[Held] = []
        self.workers = [self._worker(), self._worker()]
        self.turns = [-1, -1]
        return multiple(*(self.add(**dict(zip(TERMS, one, strict=True)), undone=False) for one in first))

    def _worker(self) -> Worker:
        worker = Worker(self.queue, [Kind("a", lambda work: None)], lease_s=LEASE_S, seed=3, name="x")
        worker.keeper._renew()
        return worker

    @rule(target=jobs, undone=st.booleans(), **TERMS)
    def add(
        self, tenant: int, priority: int, delay_s: int, attempts: int, unique: str, undone: bool
    ) -> tuple[str, int]:
        at = self.time.us + delay_s * 1_000_000
        options: dict[str, Any] = {
            "tenant": tenant, "priority": priority, "run_at_us": at, "attempts": attempts, "unique": unique,
        }  # fmt: skip
        if undone:
            with pytest.raises(ZeroDivisionError):
                self.database.write(
                    lambda connection: (self.queue.enqueue(connection, "a", **options), 1 // 0)
                )
        job = self.queue.add("a", **options)
        holder = self._holder(tenant, unique)
        if holder is not None:
            assert job.id == holder
            return job.id, tenant
        assert job.id not in self.known
        self.numbers += 1
        self.known[job.id] = Known(tenant, priority, at, self.numbers, attempts, unique)
        return job.id, tenant

    def _holder(self, tenant: int, unique: str) -> str | None:
        for id_, known in self.known.items():
            if (
                unique
                and (known.tenant, known.unique) == (tenant, unique)
                and known.state in ("queued", "running")
            ):
                return id_
        return None

    @rule(seconds=st.sampled_from([1, LEASE_S - 1, LATE_S]))
    def pass_time(self, seconds: int) -> None:
        """The workers of this installation live on, unless their rule says otherwise."""
        self.time.pass_s(seconds)
        for worker in self.workers:
            if seconds < LEASE_S:
                worker.keeper._renew()

    @rule(target=claims, number=st.integers(0, 1))
    def claim(self, number: int) -> Any:
        return multiple(*self._claim(number))

    def _claim(self, number: int) -> list[Held]:
        worker = self.workers[number]
        worker.keeper._renew()
        jobs = worker.claim()
        worker._hand.clear()
        certain = {
            id_: known
            for id_, known in self.known.items()
            if known.state == "queued" and known.run_at_us <= self.time.us and not known.waits
        }
        perhaps = [known for known in self.known.values() if known.state == "queued" and known.waits]
        if not jobs:
            assert not certain
            return []
        for job in jobs:
            known = self.known[job.id]
            assert known.state == "queued"
            assert known.run_at_us <= self.time.us or known.waits
        if not perhaps:  # then the order is known to the last place
            assert [job.id for job in jobs] == in_turn(certain, self.turns[number])[: len(jobs)]
        self.turns[number] = jobs[-1].tenant
        late = []
        for job in jobs[1:]:
            worker.endings.put_back(job)  # one at a time is enough to be wrong about
            self.known[job.id].run_at_us = self.time.us
            self.known[job.id].waits = False
            late.append(Held(job, number, 0))
        return [self._took(jobs[0], number), *late]

    def _took(self, job: Job, number: int) -> Held:
        known = self.known[job.id]
        known.attempts += 1
        self.claimed += 1
        known.state, known.claim, known.waits = "running", self.claimed, False
        assert job.attempts == known.attempts
        assert job.checkpoint == known.checkpoint
        self.held.append(Held(job, number, self.claimed))
        return self.held[-1]

    def _current(self, held: Held) -> Known | None:
        """The job of a claim while the claim holds."""
        known = self.known[held.job.id]
        return known if known.claim == held.claim and known.state == "running" else None

    @rule(held=claims)
    def succeed(self, held: Held) -> None:
        known = self._current(held)
        work = Work(self.queue, held.job)
        if known is None:
            with pytest.raises(LeaseLost):
                work.complete(lambda connection: None)
        else:
            work.complete(lambda connection: None)
            known.state, known.claim = "done", None

    @rule(held=claims)
    def succeed_with_others(self, held: Held) -> None:
        worker = self.workers[held.worker]
        known = self._current(held)
        worker.endings.done(Work(self.queue, held.job), None)
        worker.endings.flush()
        if known is not None:
            known.state, known.claim = "done", None

    @rule(held=claims, at=st.integers(0, 9))
    def save(self, held: Held, at: int) -> None:
        known = self._current(held)
        work = Work(self.queue, held.job)
        if known is None:
            with pytest.raises(LeaseLost):
                work.save({"at": at})
        else:
            work.save({"at": at})
            known.checkpoint = {"at": at}

    @rule(held=claims, permanent=st.booleans())
    def fail(self, held: Held, permanent: bool) -> None:
        known = self._current(held)
        error = Permanent("jobs.cron-never") if permanent else OSError()
        self.workers[held.worker].endings.broke(Work(self.queue, held.job), error)
        if known is None:
            return
        known.claim = None
        if known.cancel_asked:
            known.state = "cancelled"
        elif permanent or known.attempts >= known.attempts_most:
            known.state = "failed"
        else:
            known.state, known.waits = "queued", True

    @rule(target=claims, number=st.integers(0, 1))
    def die(self, number: int) -> Any:
        """A worker is killed; when its lease is over its jobs are taken up, and one is claimed again."""
        dead = self.workers[number]
        self.workers[number], self.turns[number] = self._worker(), -1
        self.time.pass_s(LATE_S)
        for worker in self.workers:
            worker.keeper._renew()
            worker.keeper._take_up_orphans()
        for known in self.known.values():
            if known.state != "running" or known.claim is None:
                continue
            job = self.queue.get(
                next(id_ for id_, each in self.known.items() if each is known), tenant=known.tenant
            )
            if job.state == "running":
                assert job.owner != dead.token
                continue
            # Held by the dead one, or by one whose lease had run out before it was renewed just now.
            known.claim = None
            if known.cancel_asked:
                known.state = "cancelled"
            elif known.attempts >= known.attempts_most:
                known.state = "failed"
            else:
                known.state, known.waits = "queued", True
        self.time.pass_s(LEASE_S - 1)  # longer than the delay after a worker's death
        return multiple(*self._claim(number))

    @precondition(lambda self: any(self._current(held) for held in self.held))
    @rule(
        place=st.integers(0, 5),
        how=st.sampled_from(["done", "together", "save", "fail", "permanent", "back", "unbegun"]),
        asked=st.sampled_from([False, False, True]),
    )
    def end_what_runs(self, place: int, how: str, asked: bool) -> None:
        """Most claims of the bundle are over: these hold."""
        running = [held for held in self.held if self._current(held)]
        held = running[place % len(running)]
        if asked:
            self.cancel((held.job.id, self.known[held.job.id].tenant))
        if how == "done":
            self.succeed(held)
        elif how == "together":
            self.succeed_with_others(held)
        elif how == "save":
            self.save(held, place)
        elif how == "back":
            self.give_back(held, cancelled=False)
        elif how == "unbegun":
            self.workers[held.worker]._give_back([held.job])
            self._given_back(held, held.job.run_at_us)  # never begun, it keeps its place
        else:
            self.fail(held, permanent=how == "permanent")

    @rule(target=claims, held=claims)
    def fail_and_be_claimed_again(self, held: Held) -> Any:
        """By the same worker: what the earlier claim still does must not count for the later one."""
        self.fail(held, permanent=False)
        self.pass_time(LEASE_S - 1)
        return multiple(*self._claim(held.worker))

    @rule(held=claims, cancelled=st.booleans())
    def give_back(self, held: Held, cancelled: bool) -> None:
        known = self._current(held)
        if cancelled and known is not None:
            self.cancel((held.job.id, known.tenant))
        self.workers[held.worker].endings.put_back(held.job)
        self._given_back(held, self.time.us)

    def _given_back(self, held: Held, run_at_us: int) -> None:
        known = self._current(held)
        if known is not None:
            known.attempts -= 1
            known.claim, known.run_at_us, known.waits = None, run_at_us, False
            known.state = "cancelled" if known.cancel_asked else "queued"

    @rule(job=jobs)
    def cancel(self, job: tuple[str, int]) -> None:
        known = self.known[job[0]]
        if known.state == "queued":
            assert self.queue.cancel(*job).state == "cancelled"
            known.state, known.cancel_asked = "cancelled", True
        elif known.state == "running":
            assert self.queue.cancel(*job).cancel_asked
            known.cancel_asked = True
        else:
            with pytest.raises(NotNow):
                self.queue.cancel(*job)

    @rule(job=jobs)
    def retry(self, job: tuple[str, int]) -> None:
        known = self.known[job[0]]
        if known.state in ("failed", "cancelled") and self._holder(known.tenant, known.unique) is None:
            assert self.queue.retry(*job).state == "queued"
            known.state, known.attempts, known.cancel_asked = "queued", 0, False
            known.run_at_us, known.waits = self.time.us, False
        else:
            with pytest.raises(NotNow):
                self.queue.retry(*job)

    @invariant()
    def same(self) -> None:
        if not hasattr(self, "known"):
            return
        found = {job.id: job for tenant in (1, 2) for job in self.queue.list(tenant, limit=1000)}
        assert found.keys() == self.known.keys()
        for id_, known in self.known.items():
            job = found[id_]
            assert (job.state, job.tenant, job.attempts, job.cancel_asked, job.checkpoint) == (
                known.state, known.tenant, known.attempts, known.cancel_asked, known.checkpoint,
            )  # fmt: skip
            assert (job.owner is None) or job.state != "queued"


def in_turn(jobs: dict[str, Known], after: int) -> list[str]:
    """Higher priorities first; within one the tenants in turn, from behind ``after``; of a tenant in order of time."""
    found: list[str] = []
    for priority in sorted({known.priority for known in jobs.values()}, reverse=True):
        lines: dict[int, list[str]] = {}
        for id_, known in sorted(jobs.items(), key=lambda one: (one[1].run_at_us, one[1].number)):
            if known.priority == priority:
                lines.setdefault(known.tenant, []).append(id_)
        circle = sorted(lines, key=lambda tenant: (tenant <= after, tenant))
        turns = zip_longest(*(lines[tenant] for tenant in circle))
        found += [id_ for turn in turns for id_ in turn if id_ is not None]
    return found


def _empty(connection: Connection) -> None:
    for table in ("job", "job_log", "job_worker", "job_schedule"):
        connection.execute(f"DELETE FROM {table}")


def run_machine(queue: Queue, time: Clock, examples: int, steps: int) -> None:
    class Bound(Machine):
        database = queue.database

    Bound.time = time
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        Bound,
        settings=settings(
            max_examples=examples, stateful_step_count=steps, deadline=None,
            suppress_health_check=list(HealthCheck), database=None, derandomize=True,
        ),
    )  # fmt: skip


def test_the_queue_does_what_the_model_does(queue: Queue, time: Clock) -> None:
    run_machine(queue, time, examples=120, steps=40)


@pytest.mark.long
def test_the_queue_does_what_the_model_does_for_long(queue: Queue, time: Clock) -> None:
    run_machine(queue, time, examples=600, steps=60)
