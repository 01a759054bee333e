# ruff: noqa: S608  what is put into statements are names and conditions of our own
"""The SQL of schedules."""

from __future__ import annotations

from typing import Final

from xinglin.jobs.model import Schedule
from xinglin.jobs.repository import packed, unpacked
from xinglin.kernel.database import Connection, Row

_COLUMNS: Final = (
    "name, tenant, kind, arguments, every_s, cron, zone, actor, purpose, priority, attempts_most, shown, next_us,"
    " last_us"
)


def _schedule(row: Row) -> Schedule:
    (
        name, tenant, kind, arguments, every_s, cron, zone, actor, purpose, priority, attempts_most, shown, next_us, last_us,
    ) = row  # fmt: skip
    return Schedule(
        name, tenant, kind, unpacked(arguments), every_s, cron, zone, actor, purpose, priority, attempts_most, bool(shown),
        next_us, last_us,
    )  # fmt: skip


def get(connection: Connection, tenant: int, name: str) -> Schedule | None:
    """One schedule, locked against other writers."""
    lock = " FOR UPDATE" if connection.dialect == "postgresql" else ""
    row = connection.execute(
        f"SELECT {_COLUMNS} FROM job_schedule WHERE tenant = ? AND name = ?{lock}", (tenant, name)
    ).fetchone()
    return None if row is None else _schedule(row)


def put(connection: Connection, schedule: Schedule) -> None:
    """Write a schedule over whatever has its name."""
    changed = ", ".join(f"{name} = excluded.{name}" for name in _COLUMNS.split(", ")[2:])
    connection.execute(
        f"INSERT INTO job_schedule ({_COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
        f" ON CONFLICT (tenant, name) DO UPDATE SET {changed}",
        (
            schedule.name, schedule.tenant, schedule.kind, packed(schedule.arguments), schedule.every_s, schedule.cron,
            schedule.zone, schedule.actor, schedule.purpose, schedule.priority, schedule.attempts_most,
            int(schedule.shown), schedule.next_us, schedule.last_us,
        ),
    )  # fmt: skip


def drop(connection: Connection, tenant: int, name: str) -> bool:
    """Delete a schedule; False where there is none."""
    done = connection.execute("DELETE FROM job_schedule WHERE tenant = ? AND name = ?", (tenant, name))
    return done.rowcount == 1


def listed(connection: Connection, tenant: int | None) -> list[Schedule]:
    """Schedules by name."""
    where, values = ("", ()) if tenant is None else (" WHERE tenant = ?", (tenant,))
    rows = connection.execute(f"SELECT {_COLUMNS} FROM job_schedule{where} ORDER BY name, tenant", values)
    return [_schedule(row) for row in rows]


def next_us(connection: Connection) -> int | None:
    """When the next tick of all is due."""
    row = connection.execute("SELECT min(next_us) FROM job_schedule").fetchone()
    return None if row is None else row[0]


def due(connection: Connection, now_us: int) -> list[Schedule]:
    """Schedules whose tick is due, those left out that another worker is ticking just now."""
    lock = " FOR UPDATE SKIP LOCKED" if connection.dialect == "postgresql" else ""
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM job_schedule WHERE next_us <= ? ORDER BY next_us, tenant, name{lock}",
        (now_us,),
    )
    return [_schedule(row) for row in rows]


def move_on(connection: Connection, schedule: Schedule, next_us: int) -> None:
    """The tick of ``schedule.next_us`` is made; the one after it comes at ``next_us``."""
    connection.execute(
        "UPDATE job_schedule SET next_us = ?, last_us = ? WHERE tenant = ? AND name = ?",
        (next_us, schedule.next_us, schedule.tenant, schedule.name),
    )
