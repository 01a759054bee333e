# ruff: noqa: S608  what is put into statements are names and conditions of our own
"""The SQL of leases. A worker's lease covers every job it runs: a heartbeat is one row, however many there are."""

from __future__ import annotations

from collections.abc import Sequence

from xinglin.jobs.model import Job
from xinglin.jobs.repository import COLUMNS, job_of
from xinglin.kernel.database import Connection


def renew_lease(connection: Connection, worker: str, name: str, now_us: int, lease_us: int) -> None:
    """Say that ``worker`` lives, at least until ``lease_us``."""
    connection.execute(
        "INSERT INTO job_worker (worker, name, started_us, lease_us) VALUES (?,?,?,?)"
        " ON CONFLICT (worker) DO UPDATE SET lease_us = excluded.lease_us",
        (worker, name, now_us, lease_us),
    )


def end_leases(connection: Connection, workers: Sequence[str]) -> None:
    """Forget workers that have ended."""
    connection.executemany("DELETE FROM job_worker WHERE worker = ?", [(worker,) for worker in workers])


def workers(connection: Connection, now_us: int) -> list[tuple[str, str, int, int]]:
    """Workers whose lease holds: token, name, since when, until when."""
    rows = connection.execute(
        "SELECT worker, name, started_us, lease_us FROM job_worker WHERE lease_us > ? ORDER BY started_us, worker",
        (now_us,),
    )
    return [(worker, name, started, lease) for worker, name, started, lease in rows]


def orphans(connection: Connection, now_us: int, limit: int = 100) -> list[Job]:
    """Running jobs whose worker's lease is over."""
    rows = connection.execute(
        f"SELECT {COLUMNS} FROM job WHERE state = 1 AND NOT EXISTS"
        " (SELECT 1 FROM job_worker w WHERE w.worker = job.owner AND w.lease_us > ?) LIMIT ?",
        (now_us, limit),
    )
    return [job_of(row) for row in rows]


def still_orphan(connection: Connection, job: Job, now_us: int) -> bool:
    """Whether the worker of ``job`` is still without a lease, now inside a transaction; its row is then locked."""
    lock = " FOR UPDATE" if connection.dialect == "postgresql" else ""
    row = connection.execute(
        f"SELECT lease_us FROM job_worker WHERE worker = ?{lock}", (job.owner,)
    ).fetchone()
    return row is None or row[0] <= now_us


def forget_workers(connection: Connection, before_us: int) -> None:
    """Drop leases that ended long ago and that no job names."""
    connection.execute(
        "DELETE FROM job_worker WHERE lease_us < ? AND NOT EXISTS"
        " (SELECT 1 FROM job WHERE state = 1 AND job.owner = job_worker.worker)",
        (before_us,),
    )
