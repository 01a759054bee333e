"""The SQL of logs: of a long one the first and the last lines are kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from xinglin.jobs.model import Job, Level, LogLine
from xinglin.jobs.repository import packed, unpacked
from xinglin.kernel.database import Connection

LOG_FIRST: Final = 200
LOG_LAST: Final = 800
LOG_SLACK: Final = 200
"""Of a job's log these many lines are kept from its beginning and its end; it is looked to each time this many are over."""


def log(
    connection: Connection, job: Job, at_us: int, level: Level, key: str, values: Mapping[str, Any]
) -> None:
    """Add a line to a job's log; in a long one a line says how many are left out between the first and the last ones."""
    connection.execute(
        "INSERT INTO job_log (tenant, id, at_us, level, key, said) VALUES (?,?,?,?,?,?)",
        (job.tenant, job.id, at_us, level, key, packed(values)),
    )
    most = LOG_FIRST + LOG_LAST + LOG_SLACK
    row = connection.execute(
        "SELECT count(*) FROM (SELECT 1 FROM job_log WHERE tenant = ? AND id = ? LIMIT ?) AS those",
        (job.tenant, job.id, most + 1),
    ).fetchone()
    if row is not None and row[0] > most:
        _shorten_log(connection, job)


def _shorten_log(connection: Connection, job: Job) -> None:
    rows = connection.execute(
        "SELECT line, key, said FROM job_log WHERE tenant = ? AND id = ? ORDER BY line", (job.tenant, job.id)
    ).fetchall()
    first, left_out = rows[LOG_FIRST], rows[LOG_FIRST + 1 : -LOG_LAST]
    earlier = unpacked(first[2])["lines"] if first[1] == LEFT_OUT else 1
    connection.execute(
        "DELETE FROM job_log WHERE tenant = ? AND id = ? AND line > ? AND line <= ?",
        (job.tenant, job.id, first[0], left_out[-1][0]),
    )
    connection.execute(
        "UPDATE job_log SET level = 'info', key = ?, said = ? WHERE tenant = ? AND id = ? AND line = ?",
        (LEFT_OUT, packed({"lines": earlier + len(left_out)}), job.tenant, job.id, first[0]),
    )


LEFT_OUT: Final = "jobs.log-left-out"


def logged(connection: Connection, tenant: int, id_: str) -> list[LogLine]:
    """A job's log, oldest first."""
    rows = connection.execute(
        "SELECT at_us, level, key, said FROM job_log WHERE tenant = ? AND id = ? ORDER BY line", (tenant, id_)
    )
    return [LogLine(at_us, level, key, unpacked(said)) for at_us, level, key, said in rows]
