# ruff: noqa: S608  what is put into statements are names and conditions of our own
"""The SQL of the lines that queued jobs wait in, one for each priority and tenant, and of taking from them in turn."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, zip_longest
from typing import Final

from xinglin.jobs.model import Job
from xinglin.jobs.repository import BRIEF, COLUMNS, THESE, by_index, job_of, keys
from xinglin.kernel.database import Connection, Row

Candidate = tuple[int, int, str, int, int]
"""seq, tenant, kind, attempts, shown."""


# Looking


def under_way(connection: Connection, tenant: int, shown: bool | None, limit: int) -> list[Job]:
    """Running jobs, and those queued that come next, at most ``limit`` of each."""
    also = "" if shown is None else f" AND shown = {int(shown)}"
    running = connection.execute(
        f"SELECT {BRIEF} FROM {by_index(connection, 'job_running')} WHERE state = 1 AND tenant = ?{also} LIMIT ?",
        (tenant, limit),
    ).fetchall()
    queued: list[Row] = []
    below: int | None = None
    while len(queued) < limit and (priority := _priority(connection, below)) is not None:
        queued += connection.execute(
            f"SELECT {BRIEF} FROM {by_index(connection, 'job_ready')} WHERE state = 0 AND priority = ? AND tenant = ?{also}"
            " ORDER BY run_at_us, seq LIMIT ?",
            (priority, tenant, limit - len(queued)),
        ).fetchall()
        below = priority
    return [job_of(row) for row in (*running, *queued)]


def next_due_us(connection: Connection, after_us: int) -> int | None:
    """When the next queued job comes due after ``after_us``; None where none does."""
    found: list[int] = []
    for priority, tenant in _lines(connection):
        row = connection.execute(
            "SELECT min(run_at_us) FROM job WHERE state = 0 AND priority = ? AND tenant = ? AND run_at_us > ?",
            (priority, tenant, after_us),
        ).fetchone()
        if row is not None and row[0] is not None:
            found.append(row[0])
    return min(found, default=None)


def any_due(connection: Connection, kinds: Sequence[str], now_us: int) -> bool:
    """Whether any queued job of these kinds may run."""
    for priority, tenant in _lines(connection) if kinds else ():
        row = connection.execute(
            "SELECT 1 FROM job WHERE state = 0 AND priority = ? AND tenant = ? AND run_at_us <= ?"
            f" AND kind IN ({_marks(kinds)}) LIMIT 1",
            (priority, tenant, now_us, *kinds),
        ).fetchone()
        if row is not None:
            return True
    return False


# Claiming


def _priority(connection: Connection, below: int | None) -> int | None:
    """The highest priority that any queued job has, under ``below``: so that no claim reads past what is not due yet."""
    row = connection.execute(
        "SELECT priority FROM job WHERE state = 0"
        + (" AND priority < ?" if below is not None else "")
        + " ORDER BY priority DESC LIMIT 1",
        () if below is None else (below,),
    ).fetchone()
    return None if row is None else int(row[0])


def _tenants(connection: Connection, priority: int, after: int) -> Iterator[int]:
    """Tenants that have queued jobs of this priority, in a circle from behind ``after``; each is one seek."""
    for low, high in ((after, _HIGHEST), (-1, after)):
        while True:
            row = connection.execute(
                "SELECT min(tenant) FROM job WHERE state = 0 AND priority = ? AND tenant > ? AND tenant <= ?",
                (priority, low, high),
            ).fetchone()
            if row is None or row[0] is None:
                break
            low = int(row[0])
            yield low


_HIGHEST: Final = 2**31 - 1


def _lines(connection: Connection) -> Iterator[tuple[int, int]]:
    """The lines that jobs wait in, one for each priority and tenant: highest priority first."""
    below: int | None = None
    while (priority := _priority(connection, below)) is not None:
        for tenant in _tenants(connection, priority, -1):
            yield priority, tenant
        below = priority


def _marks(values: Sequence[object]) -> str:
    return ",".join("?" * len(values))


@dataclass(frozen=True)
class Claim:
    """What a worker would take: due jobs of ``kinds``, at most ``limit`` to choose from, beginning behind a tenant's turn."""

    worker: str
    fence: int
    kinds: Sequence[str]
    limit: int
    after_tenant: int


def claim(
    connection: Connection,
    asked: Claim,
    now_us: int,
    choose: Callable[[list[Candidate]], list[Candidate]],
) -> list[Job]:
    """Make due jobs the worker's: of the first, in order of priority, those that ``choose`` says.

    Within a priority tenants take turns, so that the thousand jobs of one are not in the way of another's one; each
    tenant's come in order of time. On PostgreSQL rows that another worker is claiming are passed over.
    """
    found: list[Candidate] = []
    below: int | None = None
    while len(found) < asked.limit and (priority := _priority(connection, below)) is not None:
        found += _in_turn(connection, asked, priority, now_us, asked.limit - len(found))
        below = priority
    chosen = choose(found)
    if not chosen:
        return []
    sql = (
        "UPDATE job SET state = 1, attempts = attempts + 1, owner = ?, fence = ?, started_us = ?"
        f" WHERE {THESE[connection.dialect]} AND state = 0 RETURNING {COLUMNS}"
    )
    rows = connection.execute(sql, (asked.worker, asked.fence, now_us, *keys(connection, chosen)))
    jobs = {job.seq: job for job in map(job_of, rows)}
    return [jobs[candidate[0]] for candidate in chosen if candidate[0] in jobs]


def _in_turn(connection: Connection, asked: Claim, priority: int, now_us: int, limit: int) -> list[Candidate]:
    """Due jobs of one priority, one of each tenant after another; a tenant that has few leaves its share to the rest."""
    lock = " FOR UPDATE SKIP LOCKED" if connection.dialect == "postgresql" else ""
    sql = (
        "SELECT seq, tenant, kind, attempts, shown FROM job WHERE state = 0 AND priority = ? AND tenant = ?"
        f" AND run_at_us <= ? AND kind IN ({_marks(asked.kinds)}) ORDER BY run_at_us, seq LIMIT ?{lock}"
    )

    def first(tenant: int, most: int) -> list[Candidate]:
        return connection.execute(sql, (priority, tenant, now_us, *asked.kinds, most)).fetchall()

    # However many tenants only have jobs that are not due, they must not stand before one that has: see who has any first.
    having = (
        (tenant, one)
        for tenant in _tenants(connection, priority, asked.after_tenant)
        if (one := first(tenant, 1))
    )
    due = dict(islice(having, limit))
    wanting, left = list(due), limit - len(due)
    while wanting and left > 0:
        share = -(-left // len(wanting))
        for tenant in list(wanting):
            most = len(due[tenant]) + share
            due[tenant] = first(tenant, most)
            if len(due[tenant]) < most:
                wanting.remove(tenant)
        left = limit - sum(map(len, due.values()))
    turns = (candidate for turn in zip_longest(*due.values()) for candidate in turn if candidate is not None)
    return list(islice(turns, limit))
