"""Several worker processes on one queue, and what kill -9 does to them."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from postgres import Cluster
from xinglin.jobs import Queue
from xinglin.kernel.database import Unavailable, open_database
from xinglin.records.schema import migrate

SCRIPT = Path(__file__).with_name("worker_process.py")


class Workers:
    """Processes that work on the database at ``url``."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.running: list[subprocess.Popen[str]] = []

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, str(SCRIPT), self.url, *arguments], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        self.running.append(process)
        return process

    def kill(self, process: subprocess.Popen[str]) -> None:
        process.kill()
        process.wait()
        self.running.remove(process)

    def end(self) -> None:
        for process in self.running:
            process.send_signal(signal.SIGTERM)
        for process in self.running:
            process.communicate(timeout=20)


@pytest.fixture
def queue(database_url: str) -> Iterator[Queue]:
    with open_database(database_url, durable=False) as database:
        migrate(database)
        database.write(
            lambda connection: connection.execute(
                "CREATE TABLE ran (n INTEGER NOT NULL, worker INTEGER NOT NULL)"
            )
        )
        yield Queue(database)


@contextmanager
def working(url: str) -> Iterator[Workers]:
    workers = Workers(url)
    try:
        yield workers
    finally:
        workers.end()


def wait(until: Callable[[], bool], within_s: float = 30) -> None:
    deadline = time.monotonic() + within_s
    while not until():
        assert time.monotonic() < deadline, "it does not come about"
        time.sleep(0.02)


def ran(queue: Queue) -> list[tuple[int, int]]:
    with queue.database.read() as connection:
        return [(n, worker) for n, worker in connection.execute("SELECT n, worker FROM ran ORDER BY n")]


def all_done(queue: Queue, jobs: int) -> Callable[[], bool]:
    return lambda: queue.counts()["done"] == jobs


@pytest.mark.slow
def test_four_workers_run_each_job_once(queue: Queue, database_url: str) -> None:
    with working(database_url) as workers:
        for _ in range(4):
            workers.start()
        assert len(queue.workers()) == 4
        added = 0
        while added < 400 or (len({worker for _, worker in ran(queue)}) == 1 and added < 4000):
            queue.add_many("note", [{"n": added + n} for n in range(100)])
            queue.add_many("small", [{}] * 100)
            added += 100
        wait(all_done(queue, 2 * added))
        assert [n for n, _ in ran(queue)] == list(range(added))
        assert len({worker for _, worker in ran(queue)}) > 1
    assert queue.workers() == []
    assert {job.attempts for job in queue.list(limit=1000)} == {1}


@pytest.mark.slow
def test_a_job_goes_on_in_another_worker_after_kill_9(queue: Queue, database_url: str) -> None:
    with working(database_url) as workers:
        first = workers.start()
        job = queue.add("slow", {"n": 1, "steps": 12, "pause_s": 0.05})
        wait(lambda: len(ran(queue)) >= 3)
        workers.kill(first)
        reached = len(ran(queue))
        workers.start()
        wait(all_done(queue, 1))
        done = ran(queue)
        assert [n for n, _ in done] == list(range(1001, 1013))
        assert len({worker for _, worker in done}) == 2
        assert reached < 12
        assert queue.get(job.id).attempts == 2


@pytest.mark.slow
def test_a_lease_of_an_unseen_worker_runs_out(queue: Queue, database_url: str) -> None:
    with working(database_url) as workers:
        first = workers.start("1")
        queue.add("slow", {"n": 1, "steps": 6, "pause_s": 0.05})
        wait(lambda: len(ran(queue)) >= 2)
        first.send_signal(signal.SIGSTOP)  # silent, not dead: it will want to go on
        workers.start("1")
        wait(all_done(queue, 1))
        first.send_signal(signal.SIGCONT)
        time.sleep(0.3)
        assert [n for n, _ in ran(queue)] == list(range(1001, 1007))


@pytest.mark.slow
def test_a_job_that_kills_its_worker_ends_as_failed_and_the_others_are_done(
    queue: Queue, database_url: str
) -> None:
    with working(database_url) as workers:
        poison = queue.add("poison")
        queue.add_many("note", [{"n": n} for n in range(20)])
        deaths = 0
        process = workers.start()
        deadline = time.monotonic() + 40
        while queue.get(poison.id).state != "failed" or queue.counts()["done"] < 20:
            assert time.monotonic() < deadline
            if process.poll() is not None:
                workers.running.remove(process)
                deaths += 1
                process = workers.start()
            time.sleep(0.05)
    assert deaths == 3
    assert queue.get(poison.id).error == ("jobs.worker-lost", {"attempts": 3})
    assert [n for n, _ in ran(queue)] == list(range(20))


@pytest.mark.slow
def test_a_worker_that_is_stopped_gives_its_jobs_back(queue: Queue, database_url: str) -> None:
    with working(database_url) as workers:
        first = workers.start()
        jobs = [queue.add("slow", {"n": n, "steps": 100, "pause_s": 0.1}) for n in range(4)]
        wait(lambda: len(ran(queue)) >= 4)
        first.send_signal(signal.SIGTERM)
        first.wait(timeout=10)
        workers.running.remove(first)
        found = [queue.get(job.id) for job in jobs]
        assert {job.state for job in found} == {"queued"}
        assert {job.attempts for job in found} == {0}
        assert max(job.checkpoint.get("done", 0) for job in found) >= 2


@pytest.mark.long
def test_nothing_is_lost_or_done_twice_under_many_kills(queue: Queue, database_url: str) -> None:
    chance = random.Random(7)
    with working(database_url) as workers:
        queue.add_many("note", [{"n": n} for n in range(5000)])
        slow = [
            queue.add("slow", {"n": 10 + n, "steps": 40, "pause_s": 0.05}, attempts=500) for n in range(20)
        ]
        for _ in range(4):
            workers.start()
        for _ in range(40):
            time.sleep(chance.uniform(0.05, 1.0))
            workers.kill(chance.choice(workers.running))
            workers.start()
        wait(all_done(queue, 5000 + len(slow)), 300)
        numbers = [n for n, _ in ran(queue)]
        steps = [(10 + n) * 1000 + step for n in range(20) for step in range(1, 41)]
        assert sorted(numbers) == sorted([*range(5000), *steps])


@pytest.mark.slow
@pytest.mark.postgres
def test_workers_go_on_after_a_crash_of_postgresql() -> None:
    cluster = Cluster("shared_buffers=64MB")  # every commit synced: what was acknowledged survives
    try:
        url = cluster.new_database()
        with open_database(url) as database, working(url) as workers:
            migrate(database)
            database.write(
                lambda connection: connection.execute(
                    "CREATE TABLE ran (n INTEGER NOT NULL, worker INTEGER NOT NULL)"
                )
            )
            queue = Queue(database)
            workers.start()
            workers.start()
            for crash in range(2):
                queue.add_many("note", [{"n": crash * 1000 + n} for n in range(1000)])
                wait(lambda crash=crash: answers(queue) > crash * 1000 + 100)  # type: ignore[misc]
                cluster.crash()
                cluster.start()
            wait(lambda: answers(queue) == 2000, 60)
            assert [n for n, _ in ran(queue)] == list(range(2000))
    finally:
        cluster.close()


def answers(queue: Queue) -> int:
    """Jobs done, -1 while the database is away."""
    try:
        return queue.counts()["done"]
    except Unavailable:
        return -1
