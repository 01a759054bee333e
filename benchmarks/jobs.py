"""Jobs: small ones a second through the whole queue, each run exactly once, beside bare claims in the same table.

A small job notes its number and ends; the notes of all processes are put together, and every number must be there once.
The floor claims and ends rows of the same table by ``UPDATE … RETURNING`` from one bare connection, 64 to a transaction.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / folder) for folder in ("src", "tests")]

from xinglin.jobs import Kind, Queue, Work, Worker  # noqa: E402
from xinglin.kernel.database import Connection, open_database  # noqa: E402
from xinglin.records.schema import migrate  # noqa: E402

TOGETHER = 64


def work(url: str, notes: Path) -> None:
    """A worker process: until nothing is left to do."""
    ran: list[int] = []
    with open_database(url) as database:
        queue = Queue(database)

        def run(work: Work) -> None:
            ran.append(work.arguments["n"])

        worker = Worker(queue, [Kind("small", run)])
        print("ready", flush=True)
        sys.stdin.readline()
        worker.start()
        while True:
            counts = queue.counts()
            if not counts["queued"] and not counts["running"]:
                break
            time.sleep(0.1)
        worker.stop()
    notes.write_text("\n".join(map(str, ran)))


def measured(url: str, folder: Path, jobs: int, workers: int) -> tuple[float, float]:
    """Jobs a second, and a second of the workers' processor time, their start included. Every job must have been run once."""
    spent = processor_s()
    with open_database(url) as database:
        migrate(database)
        queue = Queue(database)
        queue.add_many("small", [{"n": n} for n in range(jobs)])
        files = [folder / f"{workers}-{number}" for number in range(workers)]
        processes = [
            subprocess.Popen(
                [sys.executable, __file__, "--worker", url, str(file)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            )
            for file in files
        ]  # fmt: skip
        for process in processes:
            assert process.stdout is not None
            process.stdout.readline()
        began = time.perf_counter()
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        while queue.counts()["done"] < jobs:
            time.sleep(0.02)
        took = time.perf_counter() - began
        for process in processes:
            process.communicate()
        ran = Counter(int(line) for file in files for line in file.read_text().split())
        assert sorted(ran) == list(range(jobs)), "a job was not run"
        assert set(ran.values()) == {1}, "a job was run twice"
        return jobs / took, jobs / (processor_s() - spent)


def processor_s() -> float:
    """What ended child processes have spent."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def floor(url: str, jobs: int) -> float:
    """Rows a second claimed and ended by bare statements."""
    with open_database(url) as database:
        migrate(database)
        Queue(database).add_many("small", [{"n": n} for n in range(jobs)])

        def bare(connection: Connection) -> float:
            began = time.perf_counter()
            left = jobs
            while left:
                connection.execute("BEGIN IMMEDIATE" if connection.dialect == "sqlite" else "BEGIN")
                rows = connection.execute(
                    "UPDATE job SET state = 1, owner = 'x', attempts = 1 WHERE tenant = 1 AND seq IN"
                    f" (SELECT seq FROM job WHERE state = 0 ORDER BY priority, run_at_us, seq LIMIT {TOGETHER})"
                    " RETURNING seq"
                ).fetchall()
                connection.execute("COMMIT")
                connection.execute("BEGIN IMMEDIATE" if connection.dialect == "sqlite" else "BEGIN")
                marks = ",".join("?" * len(rows))
                connection.execute(
                    f"UPDATE job SET state = 2, ended_us = 1 WHERE tenant = 1 AND seq IN ({marks})",
                    [row[0] for row in rows],
                )
                connection.execute("COMMIT")
                left -= len(rows)
            return jobs / (time.perf_counter() - began)

        return database.exclusively(bare)


@contextmanager
def databases(only: str | None, folder: Path) -> Iterator[dict[str, Any]]:
    """Name → what gives the address of a new, empty database."""
    made: dict[str, Any] = {}
    number = iter(range(100))
    if only != "postgresql":
        made["SQLite"] = lambda: f"sqlite:///{folder}/{next(number)}.db"
    if only == "sqlite":
        yield made
        return
    from postgres import Cluster

    cluster = Cluster()  # as it comes: every commit is synced
    made["PostgreSQL"] = cluster.new_database
    try:
        yield made
    finally:
        cluster.close()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--worker", nargs=2, metavar=("URL", "FILE"))
    parser.add_argument("--jobs", type=int, default=30_000)
    parser.add_argument("--only", choices=("sqlite", "postgresql"))
    given = parser.parse_args()
    if given.worker:
        work(given.worker[0], Path(given.worker[1]))
        return
    with tempfile.TemporaryDirectory() as name, databases(given.only, Path(name)) as made:
        print(f"{given.jobs:,} small jobs; every one was run exactly once.\n")
        print("| database | workers | jobs/s | bare claims/s | ratio | jobs per CPU-second of the workers |")
        print("|---|---:|---:|---:|---:|---:|")
        for database, address in made.items():
            bare = floor(address(), given.jobs)
            for workers in (1, 4):
                rate, per_cpu = measured(address(), Path(name), given.jobs, workers)
                ratio = f"{rate / bare:.2f}"
                print(
                    f"| {database} | {workers} | {rate:,.0f} | {bare:,.0f} | {ratio} | {per_cpu:,.0f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
