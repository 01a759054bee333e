"""SQL of the full text and of its place behind the commits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from xinglin.kernel.database import Connection
from xinglin.records import repository
from xinglin.records.bodies import decompress
from xinglin.records.fulltext.words import WORDS_VERSION, vector

POSITION: Final = "fulltext_position"
VERSION: Final = "fulltext_version"


def position(connection: Connection) -> int:
    """All commits up to here are in the full text, by today's rules: 0 where they were put in by others."""
    if not is_of_today(connection):
        return 0
    return int(repository.meta(connection, POSITION) or 0)


def is_of_today(connection: Connection) -> bool:
    """Whether the words are those that `words` gives now."""
    return repository.meta(connection, VERSION) == str(WORDS_VERSION)


def begin_anew(connection: Connection) -> None:
    """Go back to the first commit; what is there stays searchable until its words are replaced."""
    if not is_of_today(connection):
        repository.set_meta(connection, POSITION, "0")
        repository.set_meta(connection, VERSION, str(WORDS_VERSION))


def touched(connection: Connection, after: int, most: int) -> tuple[int, dict[int, int]]:
    """The position after about ``most`` further changed resources, and these as rid → tenant; whole commits.

    All tenants: this is housekeeping of the store itself; what it writes is found by searches only, which have an actor.
    """
    found: dict[int, int] = {}
    reached = after
    commits = connection.execute(
        "SELECT tx, position FROM commits WHERE position > ? ORDER BY position LIMIT ?", (after, most)
    ).fetchall()
    for tx, place in commits:
        rows = connection.execute(
            "SELECT rid, tenant FROM resource WHERE tx = ? UNION SELECT rid, tenant FROM history WHERE tx = ?",
            (tx, tx),
        ).fetchall()
        found.update(rows)
        reached = place
        if len(found) >= most:
            break
    return reached, found


def live_bodies(connection: Connection, rids: Mapping[int, int]) -> list[tuple[int, int, bytes]]:
    """(rid, tenant, body) of those that are not deleted."""
    found = []
    for rid, tenant in rids.items():
        row = connection.execute(
            "SELECT body FROM resource WHERE tenant = ? AND rid = ? AND state = 0", (tenant, rid)
        ).fetchone()
        if row is not None and row[0] is not None:
            found.append((rid, tenant, decompress(row[0])))
    return found


def replace(
    connection: Connection, rids: Mapping[int, int], rows: Sequence[tuple[int, int, str, str]]
) -> None:
    """Take away the words of ``rids`` and put in those of ``(rid, tenant, narrative, content)``."""
    if connection.dialect == "sqlite":
        connection.executemany("DELETE FROM fulltext WHERE rowid = ?", [(rid,) for rid in rids])
        connection.executemany(
            "INSERT INTO fulltext (rowid, narrative, content) VALUES (?, ?, ?)",
            [(rid, narrative, content) for rid, _, narrative, content in rows],
        )
        return
    connection.execute(
        "DELETE FROM fulltext WHERE (tenant, rid) IN (SELECT * FROM unnest(?::int[], ?::bigint[]))",
        (list(rids.values()), list(rids)),
    )
    if rows:
        connection.execute(
            "INSERT INTO fulltext (rid, tenant, narrative, content)"
            " SELECT n.rid, n.tenant, n.narrative::tsvector, n.content::tsvector FROM"
            " unnest(?::bigint[], ?::int[], ?::text[], ?::text[]) AS n (rid, tenant, narrative, content)",
            (
                [row[0] for row in rows],
                [row[1] for row in rows],
                [vector(row[2]) for row in rows],
                [vector(row[2], row[3]) for row in rows],
            ),
        )


def move(connection: Connection, before: int, after: int) -> bool:
    """Move the place from ``before`` to ``after``; False where another process has moved it meanwhile."""
    cursor = connection.execute(
        "UPDATE meta SET value = ? WHERE key = ? AND value = ?", (str(after), POSITION, str(before))
    )
    return cursor.rowcount == 1
