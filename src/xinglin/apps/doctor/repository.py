"""SQL by which the state of a database and of its work is told: counts and settings, never what a record holds."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import Any, Final

from xinglin.kernel.database import Connection

ENDED_MOST: Final = 20_000
"""Ended jobs that are looked at, the latest ones."""
STATES: Final = ("queued", "running", "done", "failed", "cancelled")


def job_durations(connection: Connection, bounds: Sequence[float]) -> list[tuple[str, str, list[int], float]]:
    """Of each kind and final state: jobs between the bounds (in s), and the sum of their durations."""
    rows = connection.execute(
        "SELECT kind, state, ended_us - started_us FROM job WHERE state > 1 AND started_us IS NOT NULL"
        " ORDER BY seq DESC LIMIT ?",
        (ENDED_MOST,),
    ).fetchall()
    found: dict[tuple[str, str], tuple[list[int], list[float]]] = {}
    for kind, state, took_us in rows:
        counts, total = found.setdefault((kind, STATES[state]), ([0] * (len(bounds) + 1), [0.0]))
        took_s = max(took_us, 0) / 1e6
        counts[bisect_left(bounds, took_s)] += 1
        total[0] += took_s
    return [(kind, state, counts, total[0]) for (kind, state), (counts, total) in sorted(found.items())]


def failed_jobs(connection: Connection, since_us: int) -> list[tuple[str, int]]:
    """Kinds of which jobs have failed since then, and how many."""
    rows = connection.execute(
        "SELECT kind, count(*) FROM job WHERE state = 3 AND ended_us >= ? GROUP BY kind ORDER BY kind",
        (since_us,),
    ).fetchall()
    return [(row[0], int(row[1])) for row in rows]


def engine(connection: Connection) -> str:
    """Name and version of the database engine."""
    if connection.dialect == "sqlite":
        row = connection.execute("SELECT sqlite_version()").fetchone()
        return f"SQLite {row[0]}" if row else "SQLite"
    row = connection.execute("SHOW server_version").fetchone()
    return f"PostgreSQL {str(row[0]).split()[0]}" if row else "PostgreSQL"


def engine_number(connection: Connection) -> int:
    """PostgreSQL's version as a number, such as 150004; 0 for SQLite."""
    if connection.dialect == "sqlite":
        return 0
    row = connection.execute("SHOW server_version_num").fetchone()
    return int(row[0]) if row else 0


def server_settings(connection: Connection, names: Sequence[str]) -> dict[str, str]:
    """PostgreSQL: settings of the server by name."""
    rows = connection.execute(
        "SELECT name::text, setting::text FROM pg_settings WHERE name = ANY(?::text[])", (list(names),)
    ).fetchall()
    return {row[0]: row[1] for row in rows}


def server_now_us(connection: Connection) -> int:
    """PostgreSQL: the server's clock, µs since 1970."""
    row = connection.execute("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint").fetchone()
    return int(row[0]) if row else 0


def invalid_indexes(connection: Connection) -> list[str]:
    """PostgreSQL: indexes that a broken CREATE INDEX CONCURRENTLY left unusable."""
    rows = connection.execute(
        "SELECT c.relname::text FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
        " JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE n.nspname = current_schema() AND NOT (i.indisvalid AND i.indisready) ORDER BY 1"
    ).fetchall()
    return [row[0] for row in rows]


def dead_rows(connection: Connection) -> list[tuple[str, int, int]]:
    """PostgreSQL: tables with their live and dead rows, by its statistics."""
    rows = connection.execute(
        "SELECT relname::text, n_live_tup, n_dead_tup FROM pg_stat_user_tables"
        " WHERE schemaname = current_schema() ORDER BY n_dead_tup DESC"
    ).fetchall()
    return [(row[0], int(row[1]), int(row[2])) for row in rows]


def connections(connection: Connection) -> tuple[int, int]:
    """PostgreSQL: connections in use, and how many the server allows."""
    row = connection.execute(
        "SELECT (SELECT count(*) FROM pg_stat_activity), current_setting('max_connections')::int"
    ).fetchone()
    return (int(row[0]), int(row[1])) if row else (0, 0)


def free_pages(connection: Connection) -> tuple[int, int, int]:
    """SQLite: pages in all, pages free, bytes of a page."""
    found = [
        connection.execute(f"PRAGMA {name}").fetchone()
        for name in ("page_count", "freelist_count", "page_size")
    ]
    pages, free, size = (int(row[0]) if row else 0 for row in found)
    return pages, free, size


def sound(connection: Connection) -> str:
    """SQLite: "ok", or the first thing that its quick check of the file finds."""
    row = connection.execute("PRAGMA quick_check(1)").fetchone()
    return str(row[0]) if row else "ok"


def pragma(connection: Connection, name: str) -> Any:
    """SQLite: one setting of this connection."""
    row = connection.execute(f"PRAGMA {name}").fetchone()
    return row[0] if row else None


def newest_commit_us(connection: Connection) -> int:
    """When the newest commit was, by the clock that wrote it; 0 before the first."""
    row = connection.execute("SELECT max(at_us) FROM commits").fetchone()
    return int(row[0] or 0) if row else 0


def first_commit_after(connection: Connection, position: int) -> int | None:
    """When the first commit after a position was (µs); None where there is none."""
    row = connection.execute(
        "SELECT at_us FROM commits WHERE position > ? ORDER BY position LIMIT 1", (position,)
    ).fetchone()
    return None if row is None else int(row[0])
