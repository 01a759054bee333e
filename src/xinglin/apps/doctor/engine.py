"""The database itself: whether it is safe, in shape, and which version it is."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from xinglin.apps.doctor import repository
from xinglin.apps.doctor.finding import Finding
from xinglin.kernel.clock import now_us

if TYPE_CHECKING:
    from xinglin.kernel.database import Connection
    from xinglin.records.service import Records

POSTGRESQL_LEAST: Final = 140_000
SKEW_S: Final = 2.0
DEAD_SHARE: Final = 0.4
DEAD_LEAST: Final = 10_000
FREE_SHARE: Final = 0.5
FREE_LEAST_BYTES: Final = 256 * 1024**2
CHECKED_BYTES: Final = 512 * 1024**2
"""A SQLite file up to this size is read through; that takes about a second."""
_MUST_BE_ON: Final = ("fsync", "full_page_writes")


def engine(records: Records) -> Iterator[Finding]:
    """The engine below a record."""
    with records.database.read() as connection:
        named = repository.engine(connection)
        number = repository.engine_number(connection)
        old = connection.dialect == "postgresql" and number < POSTGRESQL_LEAST
        key = "apps.doctor-engine-old" if old else "apps.doctor-engine"
        yield Finding("engine", "warning" if old else "ok", key, {"engine": named})
        yield from _commits(connection)
        if connection.dialect == "postgresql":
            yield from _postgresql(connection)
        else:
            yield from _sqlite(connection, records.database.size_bytes())


def _commits(connection: Connection) -> Iterator[Finding]:
    """A clock that was set back: times in the record never go back, so new ones stand still until it catches up."""
    ahead_s = (repository.newest_commit_us(connection) - now_us()) / 1e6
    if ahead_s > SKEW_S:
        yield Finding("clock_record", "error", "apps.doctor-clock-record", {"seconds": f"{ahead_s:.0f}"})


def _postgresql(connection: Connection) -> Iterator[Finding]:
    before = now_us()
    there = repository.server_now_us(connection)
    apart_s = (there - (before + now_us()) / 2) / 1e6
    if abs(apart_s) > SKEW_S:
        yield Finding("clock_server", "warning", "apps.doctor-clock-server", {"seconds": f"{apart_s:+.1f}"})
    found = repository.server_settings(connection, [*_MUST_BE_ON, "synchronous_commit", "autovacuum"])
    for name in _MUST_BE_ON:
        if found.get(name) != "on":
            yield Finding(name, "error", "apps.doctor-server-unsafe", {"name": name})
    if found.get("synchronous_commit") in ("off", "local"):
        # Our own connections set it on; whoever else writes by this server's default does not.
        yield Finding("synchronous_commit", "note", "apps.doctor-synchronous-commit")
    if found.get("autovacuum") != "on":
        yield Finding("autovacuum", "warning", "apps.doctor-autovacuum")
    broken = repository.invalid_indexes(connection)
    if broken:
        yield Finding("indexes_invalid", "error", "apps.doctor-indexes-invalid", {"names": ", ".join(broken)})
    bloated = [
        name
        for name, live, dead in repository.dead_rows(connection)
        if dead >= DEAD_LEAST and dead > DEAD_SHARE * (live + dead)
    ]
    if bloated:
        yield Finding("bloat", "warning", "apps.doctor-bloat", {"names": ", ".join(bloated)})
    used, most = repository.connections(connection)
    if used > 0.8 * most:
        yield Finding("connections", "warning", "apps.doctor-connections", {"used": used, "most": most})


def _sqlite(connection: Connection, size: int) -> Iterator[Finding]:
    pages, free, page_bytes = repository.free_pages(connection)
    if pages and free > FREE_SHARE * pages and free * page_bytes > FREE_LEAST_BYTES:
        yield Finding("free", "note", "apps.doctor-free", {"mib": free * page_bytes // 1024**2})
    if repository.pragma(connection, "journal_mode") != "wal":
        yield Finding("journal_mode", "error", "apps.doctor-journal")
    if size <= CHECKED_BYTES:
        began = time.monotonic()
        told = repository.sound(connection)
        if told == "ok":
            seconds = f"{time.monotonic() - began:.1f}"
            yield Finding("file", "ok", "apps.doctor-file", {"seconds": seconds})
        else:
            yield Finding("file", "error", "apps.doctor-file-broken")
