# ruff: noqa: S608  what is put into statements are names and conditions of our own
"""The SQL of the queue. Every function runs inside a transaction that its caller began."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from xinglin.jobs.errors import TooLarge
from xinglin.jobs.model import ATTEMPTS, STATES, Job, State
from xinglin.kernel.database import Connection, Row

QUEUED, RUNNING, DONE, FAILED, CANCELLED = range(5)

COLUMNS: Final = (
    "id, tenant, kind, state, actor, purpose, arguments, priority, attempts, attempts_most, run_at_us, queued_us,"
    " started_us, ended_us, owner, done, total, stage, result, error, cancel_asked, unique_key, shown, checkpoint,"
    " seq, fence"
)
BRIEF: Final = COLUMNS.replace("result", "NULL").replace("checkpoint", "NULL")
"""The same without what may be large, for lists."""
_NEW: Final = (
    "id, tenant, kind, state, actor, purpose, arguments, priority, attempts, attempts_most, run_at_us, queued_us, fence,"
    " done, stage, cancel_asked, unique_key, shown"
)


def packed(value: Any) -> str | None:
    """JSON, None for None."""
    return None if value is None else msgspec.json.encode(value).decode()


def packed_within(value: Any, most: int, key: str, **values: str) -> str | None:
    """`packed`, where that is at most ``most`` bytes. Raises TooLarge with the sentence ``key``."""
    text = msgspec.json.encode(value)
    if len(text) > most:
        raise TooLarge(key, size=len(text), most=most, **values)
    return text.decode()


def unpacked(text: str | None) -> Any:
    """What `packed` was given."""
    return None if text is None else msgspec.json.decode(text)


def job_of(row: Row) -> Job:
    (
        id_, tenant, kind, state, actor, purpose, arguments, priority, attempts, attempts_most, run_at_us, queued_us,
        started_us, ended_us, owner, done, total, stage, result, error, cancel_asked, unique, shown, checkpoint, seq, fence,
    ) = row  # fmt: skip
    reason = unpacked(error)
    return Job(
        id_, tenant, kind, STATES[state], actor, purpose, unpacked(arguments), priority, attempts, attempts_most or ATTEMPTS,
        run_at_us, queued_us, started_us, ended_us, owner, done, total, stage, unpacked(result),
        None if reason is None else (reason[0], reason[1]), bool(cancel_asked), unique, bool(shown),
        unpacked(checkpoint) or {}, seq, fence,
    )  # fmt: skip


# Adding


def insert(connection: Connection, job: Job) -> bool:
    """Put a new job in; False where its unique key is taken by one not yet ended, and nothing was done."""
    row = connection.execute(
        f"INSERT INTO job ({_NEW}) VALUES (?,?,?,0,?,?,?,?,0,?,?,?,0,0,'',0,?,?)"
        " ON CONFLICT (tenant, kind, unique_key) WHERE unique_key <> '' AND state < 2 DO NOTHING RETURNING seq",
        (
            job.id, job.tenant, job.kind, job.actor, job.purpose, packed(job.arguments), job.priority, job.attempts_most,
            job.run_at_us, job.queued_us, job.unique, int(job.shown),
        ),
    ).fetchone()  # fmt: skip
    if row is not None:
        connection.announce()
    return row is not None


def insert_many(connection: Connection, jobs: Sequence[Job]) -> None:
    """Put in many jobs without unique keys."""
    connection.insert(
        "job",
        _NEW.split(", "),
        [
            (
                job.id, job.tenant, job.kind, QUEUED, job.actor, job.purpose, packed(job.arguments), job.priority, 0,
                job.attempts_most, job.run_at_us, job.queued_us, 0, 0, "", 0, "", int(job.shown),
            )
            for job in jobs
        ],
    )  # fmt: skip
    connection.announce()


def holder(connection: Connection, tenant: int, kind: str, unique: str) -> Job | None:
    """The job, not yet ended, that has the unique key."""
    row = connection.execute(
        f"SELECT {COLUMNS} FROM job WHERE tenant = ? AND kind = ? AND unique_key = ? AND unique_key <> '' AND state < 2",
        (tenant, kind, unique),
    ).fetchone()
    return None if row is None else job_of(row)


# Reading


def by_index(connection: Connection, index: str) -> str:
    """The table, read by that index: SQLite, which has no figures of a table that is never the same, would read it all."""
    return f"job INDEXED BY {index}" if connection.dialect == "sqlite" else "job"


def get(connection: Connection, tenant: int, id_: str, *, lock: bool = False) -> Job | None:
    """One job; ``lock``: nobody else changes it until the transaction ends."""
    if "\0" in id_:  # which PostgreSQL would not even compare
        return None
    locked = " FOR UPDATE" if lock and connection.dialect == "postgresql" else ""
    row = connection.execute(
        f"SELECT {COLUMNS} FROM job WHERE tenant = ? AND id = ?{locked}", (tenant, id_)
    ).fetchone()
    return None if row is None else job_of(row)


@dataclass(frozen=True)
class Sought:
    """Which jobs to list: of these states (none: all), added before the one with seq ``before``."""

    tenant: int
    states: Sequence[State]
    kind: str | None
    shown: bool | None
    before: int | None


def listed(connection: Connection, sought: Sought, limit: int, *, brief: bool = False) -> list[Job]:
    """Newest first."""
    if "\0" in (sought.kind or ""):
        return []
    states, kind, shown, before = sought.states, sought.kind, sought.shown, sought.before
    where, values = "tenant = ?", [sought.tenant]
    more: list[Any] = []
    if states:
        where += f" AND state IN ({','.join('?' * len(states))})"
        more += [STATES.index(state) for state in states]
    if kind is not None:
        where += " AND kind = ?"
        more.append(kind)
    if shown is not None:
        where += f" AND shown = {int(shown)}"  # as it stands in the partial index
    if before is not None:
        where += " AND seq < ?"
        more.append(before)
    few = bool(states) and set(states) <= {"failed", "cancelled"}
    source = by_index(connection, "job_ended") if few else "job"
    if few:
        where += " AND state > 1"  # as it stands in the partial index
    columns = BRIEF if brief else COLUMNS
    rows = connection.execute(
        f"SELECT {columns} FROM {source} WHERE {where} ORDER BY seq DESC LIMIT ?", (*values, *more, limit)
    )
    return [job_of(row) for row in rows]


def counts(connection: Connection, tenant: int | None) -> dict[str, int]:
    """How many there are of each state; every state is named."""
    found: dict[str, int] = dict.fromkeys(STATES, 0)
    within = "" if tenant is None else " AND tenant = ?"
    values = () if tenant is None else (tenant,)
    for states, index in (
        ("state = 0", "job_ready"),
        ("state = 1", "job_running"),
        ("state > 1", "job_ended"),
    ):
        for state, count in connection.execute(
            f"SELECT state, count(*) FROM {by_index(connection, index)} WHERE {states}{within} GROUP BY state",
            values,
        ):
            found[STATES[state]] = int(count)
    return found


def waiting(connection: Connection, now_us: int) -> tuple[int, int | None]:
    """How many jobs are due, and since when the one that has waited longest is."""
    row = connection.execute(
        "SELECT count(*), min(run_at_us) FROM job WHERE state = 0 AND run_at_us <= ?", (now_us,)
    ).fetchone()
    assert row is not None
    return int(row[0]), row[1]


# Claimed


def set_attempts(connection: Connection, jobs: Sequence[Job], most: int) -> None:
    """Let jobs for which nobody said how often to try them be tried as often as their kind says."""
    connection.execute(
        f"UPDATE job SET attempts_most = ? WHERE {THESE[connection.dialect]} AND attempts_most = 0",
        (most, *keys(connection, [(job.seq, job.tenant) for job in jobs])),
    )


THESE: Final = {
    "sqlite": "seq IN (SELECT value FROM json_each(?))",
    "postgresql": "(tenant, seq) IN (SELECT * FROM unnest(?::int[], ?::bigint[]))",
}


def keys(connection: Connection, jobs: Iterable[Sequence[Any]]) -> tuple[Any, ...]:
    """Parameters for `THESE`, from rows that begin with seq and tenant."""
    if connection.dialect == "sqlite":
        return (packed([job[0] for job in jobs]),)
    rows = list(jobs)
    return [row[1] for row in rows], [row[0] for row in rows]


# Ending

_BACK: Final = (
    "state = CASE WHEN cancel_asked = 1 THEN 4 ELSE 0 END, ended_us = CASE WHEN cancel_asked = 1 THEN ? END,"
    " owner = NULL"
)
"""Queued again, or cancelled where somebody has asked for that meanwhile. Takes the time."""


def finish_many(connection: Connection, jobs: Sequence[Job], now_us: int) -> set[int]:
    """Mark jobs done that gave no result; the seqs of those whose claim still held.

    All of ``jobs`` are of one claim.
    """
    rows = connection.execute(
        f"UPDATE job SET state = 2, ended_us = ?, error = NULL WHERE {THESE[connection.dialect]}"
        " AND state = 1 AND owner = ? AND fence = ? RETURNING seq",
        (now_us, *keys(connection, [(job.seq, job.tenant) for job in jobs]), jobs[0].owner, jobs[0].fence),
    )
    return {row[0] for row in rows}


_HELD: Final = " WHERE tenant = ? AND seq = ? AND state = 1 AND owner = ? AND fence = ?"


def _held(job: Job) -> tuple[Any, ...]:
    return job.tenant, job.seq, job.owner, job.fence


def finish(
    connection: Connection,
    job: Job,
    state: State,
    now_us: int,
    *,
    result: str | None = None,
    error: tuple[str, Mapping[str, Any]] | None = None,
) -> Job | None:
    """End a job of this claim, with its result as JSON; the job as it is then, None where it is no longer this claim's."""
    row = connection.execute(
        f"UPDATE job SET state = ?, ended_us = ?, result = ?, error = ?{_HELD} RETURNING {COLUMNS}",
        (STATES.index(state), now_us, result, packed(error), *_held(job)),
    ).fetchone()
    return None if row is None else job_of(row)


def put_back(
    connection: Connection,
    job: Job,
    run_at_us: int,
    now_us: int,
    *,
    error: tuple[str, Mapping[str, Any]] | None = None,
    counted: bool = True,
) -> Job | None:
    """Queue a job of this claim again; ``counted`` False: as if it had not been tried."""
    row = connection.execute(
        f"UPDATE job SET {_BACK}, run_at_us = ?, error = ?, attempts = attempts - ?{_HELD} RETURNING {COLUMNS}",
        (now_us, run_at_us, packed(error), int(not counted), *_held(job)),
    ).fetchone()
    return None if row is None else job_of(row)


def give_back_many(connection: Connection, jobs: Sequence[Job], now_us: int) -> None:
    """Queue jobs of one claim again that were never begun."""
    connection.execute(
        f"UPDATE job SET {_BACK}, attempts = attempts - 1 WHERE {THESE[connection.dialect]}"
        " AND state = 1 AND owner = ? AND fence = ?",
        (now_us, *keys(connection, [(job.seq, job.tenant) for job in jobs]), jobs[0].owner, jobs[0].fence),
    )


def cancel(connection: Connection, job: Job, now_us: int) -> Job:
    """End a queued job, or note on a running one that it is to end; the job as it is then. The row is locked."""
    if job.state == "queued":
        change, values = "state = 4, ended_us = ?, cancel_asked = 1", [now_us]
    else:
        change, values = "cancel_asked = 1", []
    row = connection.execute(
        f"UPDATE job SET {change} WHERE tenant = ? AND seq = ? RETURNING {COLUMNS}",
        (*values, job.tenant, job.seq),
    ).fetchone()
    assert row is not None
    return job_of(row)


def requeue(connection: Connection, job: Job, now_us: int) -> Job:
    """Queue an ended job once more, with all its attempts before it; its checkpoint stays."""
    row = connection.execute(
        "UPDATE job SET state = 0, attempts = 0, run_at_us = ?, started_us = NULL, ended_us = NULL, owner = NULL,"
        " error = NULL, result = NULL, cancel_asked = 0, done = 0, total = NULL, stage = ''"
        f" WHERE tenant = ? AND seq = ? RETURNING {COLUMNS}",
        (now_us, job.tenant, job.seq),
    ).fetchone()
    assert row is not None
    connection.announce()
    return job_of(row)


# While it runs


def save(connection: Connection, job: Job, checkpoint: str | None) -> bool:
    """Keep a checkpoint, given as JSON; False where the job is no longer this claim's."""
    return (
        connection.execute(f"UPDATE job SET checkpoint = ?{_HELD}", (checkpoint, *_held(job))).rowcount == 1
    )


def progress(connection: Connection, job: Job, done: int, of: int | None, stage: str) -> Job | None:
    """Note how far it is; the job as it is then, None where it is no longer this claim's."""
    row = connection.execute(
        f"UPDATE job SET done = ?, total = ?, stage = ?{_HELD} RETURNING {COLUMNS}",
        (done, of, stage, *_held(job)),
    ).fetchone()
    return None if row is None else job_of(row)


def held_jobs(connection: Connection, worker: str) -> list[Job]:
    """The jobs that this worker runs."""
    rows = connection.execute(f"SELECT {COLUMNS} FROM job WHERE state = 1 AND owner = ?", (worker,))
    return [job_of(row) for row in rows]


# Clocks


def from_the_future(connection: Connection, beyond_us: int) -> list[Row]:
    """(seq, tenant) of jobs that wait, and were queued or last tried after ``beyond_us``: the clock has been put back since."""
    return connection.execute(
        f"SELECT seq, tenant FROM {by_index(connection, 'job_ready')}"
        " WHERE state = 0 AND run_at_us > ? AND (queued_us > ? OR started_us > ?) LIMIT 10000",
        (beyond_us, beyond_us, beyond_us),
    ).fetchall()


def as_if_queued(connection: Connection, jobs: Sequence[Row], now_us: int) -> None:
    """Let such jobs wait from now on for as long as they were to wait when they were queued, or tried."""
    connection.execute(
        "UPDATE job SET run_at_us = ? + run_at_us - CASE WHEN started_us > queued_us THEN started_us ELSE queued_us END,"
        " queued_us = CASE WHEN queued_us > ? THEN ? ELSE queued_us END,"
        f" started_us = CASE WHEN started_us > ? THEN ? ELSE started_us END WHERE {THESE[connection.dialect]} AND state = 0",
        (now_us, now_us, now_us, now_us, now_us, *keys(connection, jobs)),
    )


# Deleting


def prune(connection: Connection, before_us: int, limit: int) -> int:
    """Delete at most ``limit`` jobs, with their logs, that ended before; how many."""
    tenants = connection.execute("SELECT DISTINCT tenant FROM job WHERE state > 1").fetchall()
    gone = 0
    for (tenant,) in tenants:
        for state in (DONE, FAILED, CANCELLED):
            rows = connection.execute(
                "SELECT seq, tenant, id FROM job WHERE tenant = ? AND state = ? AND state > 1 AND ended_us < ? LIMIT ?",
                (tenant, state, before_us, limit - gone),
            ).fetchall()
            if rows:
                connection.execute(
                    f"DELETE FROM job WHERE {THESE[connection.dialect]}", keys(connection, rows)
                )
                connection.executemany(
                    "DELETE FROM job_log WHERE tenant = ? AND id = ?", [(row[1], row[2]) for row in rows]
                )
                gone += len(rows)
    return gone
