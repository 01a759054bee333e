"""SQL that gives out numbers: rids, terms, transactions, positions. Called from within write transactions only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from xinglin.kernel.database import Connection, Row

Name = tuple[str, str]
Term = tuple[str, str, str]

RID_BLOCK: Final = 1000
TERM_BLOCK: Final = 500
_ORDER_LOCK: Final = 0x58494E4F
_CHUNK: Final = 256
_MARKS: Final = f"({','.join('?' * _CHUNK)})"


def counters(connection: Connection) -> dict[str, int]:
    """SQLite: the last number given of each kind."""
    return dict(connection.execute("SELECT name, value FROM counter").fetchall())


def save_counters(connection: Connection, values: dict[str, int]) -> None:
    """SQLite: remember the last numbers given."""
    connection.executemany(
        "UPDATE counter SET value = ? WHERE name = ?", [(value, name) for name, value in values.items()]
    )


def next_block(connection: Connection, sequence: str, size: int) -> int:
    """PostgreSQL: the first of ``size`` numbers that nobody else gets."""
    row = connection.execute("SELECT nextval(?::regclass)", (sequence,)).fetchone()
    assert row is not None
    return (int(row[0]) - 1) * size + 1


def last_commit_us(connection: Connection) -> int:
    """When the last commit was, 0 before the first."""
    row = connection.execute("SELECT max(at_us) FROM commits").fetchone()
    return int(row[0] or 0) if row else 0


def append_commits(connection: Connection, rows: Sequence[tuple[int, int, int]]) -> None:
    """Give ``(tx, at_us, tenant)`` their places in the one order, as the last thing before the commit.

    On PostgreSQL the lock is held to the end of the transaction, and PostgreSQL makes a commit visible before it lets go of its
    locks: whoever gets the lock next reads a maximum that includes it, so positions become visible in their own order.
    """
    connection.announce()
    if connection.dialect == "sqlite":
        connection.executemany(
            "INSERT INTO commits (tx, position, at_us, tenant) VALUES (?, ?, ?, ?)",
            [(tx, tx, at_us, tenant) for tx, at_us, tenant in rows],
        )
        return
    connection.execute("SELECT pg_advisory_xact_lock(?)", (_ORDER_LOCK,))
    # A statement of its own: its snapshot must be younger than the lock.
    row = connection.execute("SELECT coalesce(max(position), 0) FROM commits").fetchone()
    assert row is not None
    first = int(row[0]) + 1
    for place, (tx, at_us, tenant) in enumerate(rows):
        connection.execute(
            "INSERT INTO commits (tx, position, at_us, tenant) VALUES (?, ?, ?, ?)",
            (tx, first + place, at_us, tenant),
        )


# On PostgreSQL each name is looked up by itself (LATERAL, OFFSET 0): a join that was planned while the table was small, and
# kept, reads all of it for a hundred names as it grows.


def find_entities(connection: Connection, tenant: int, names: Sequence[Name]) -> dict[Name, int]:
    """The rids of those ``(type, id)`` that are known."""
    if connection.dialect == "postgresql":
        rows = connection.execute(
            "SELECT n.type, n.id, found.rid FROM unnest(?::text[], ?::text[]) AS n (type, id) CROSS JOIN LATERAL"
            " (SELECT e.rid FROM entity e WHERE e.tenant = ? AND e.type = n.type AND e.id = n.id OFFSET 0) found",
            ([name[0] for name in names], [name[1] for name in names], tenant),
        ).fetchall()
        return {(row[0], row[1]): row[2] for row in rows}
    by_type: dict[str, list[str]] = {}
    for kind, id_ in names:
        by_type.setdefault(kind, []).append(id_)
    return {
        (kind, row[0]): row[1]
        for kind, ids in by_type.items()
        for row in among(connection, _ENTITIES, (tenant, kind), ids)
    }


_ENTITIES: Final = "SELECT id, rid FROM entity WHERE tenant = ? AND type = ? AND id IN "


def among(connection: Connection, sql: str, params: tuple[Any, ...], values: Sequence[Any]) -> Iterator[Row]:
    """SQLite: rows of ``sql``, which ends in IN, for many ``values``; a third of the cost of one statement each."""
    whole = len(values) - len(values) % _CHUNK
    for start in range(0, whole, _CHUNK):
        yield from connection.execute(sql + _MARKS, (*params, *values[start : start + _CHUNK]))
    rest = values[whole:]
    if rest:
        marks = 1 << (len(rest) - 1).bit_length()  # few texts, so that each is prepared once
        filled = (*params, *rest, *(rest[-1],) * (marks - len(rest)))
        yield from connection.execute(f"{sql}({','.join('?' * marks)})", filled)


def add_entities(connection: Connection, tenant: int, named: Sequence[tuple[Name, int]]) -> dict[Name, int]:
    """Insert ``((type, id), rid)``; PostgreSQL: those that another writer was quicker with keep that one's rid."""
    if connection.dialect == "sqlite":
        connection.executemany(
            "INSERT INTO entity (tenant, type, id, rid) VALUES (?, ?, ?, ?)",
            [(tenant, name[0], name[1], rid) for name, rid in named],
        )
        return dict(named)
    ordered = sorted(named)  # every writer in the same order: no deadlock
    rows = connection.execute(
        "INSERT INTO entity (tenant, type, id, rid)"
        " SELECT ?, n.type, n.id, n.rid FROM unnest(?::text[], ?::text[], ?::bigint[]) AS n (type, id, rid)"
        " ON CONFLICT DO NOTHING RETURNING type, id, rid",
        (tenant, [n[0] for n, _ in ordered], [n[1] for n, _ in ordered], [rid for _, rid in ordered]),
    ).fetchall()
    added = {(row[0], row[1]): row[2] for row in rows}
    lost = [name for name, _ in ordered if name not in added]
    return added | find_entities(connection, tenant, lost) if lost else added


def lock_entities(connection: Connection, tenant: int, names: Sequence[Name]) -> None:
    """PostgreSQL: whoever else would write one of these resources waits until this transaction ends."""
    if connection.dialect == "postgresql":
        ordered = sorted(names)  # every writer in the same order: no deadlock
        connection.execute(
            "SELECT 1 FROM unnest(?::text[], ?::text[]) AS n (type, id) CROSS JOIN LATERAL"
            " (SELECT 1 FROM entity e WHERE e.tenant = ? AND e.type = n.type AND e.id = n.id OFFSET 0 FOR UPDATE) found",
            ([name[0] for name in ordered], [name[1] for name in ordered], tenant),
        )


def find_terms(connection: Connection, tenant: int, terms: Sequence[Term]) -> dict[Term, int]:
    """The values of those ``(system, code, text)`` that are known."""
    if connection.dialect == "postgresql":
        rows = connection.execute(
            "SELECT n.system, n.code, n.text, found.value FROM unnest(?::text[], ?::text[], ?::text[])"
            " AS n (system, code, text) CROSS JOIN LATERAL (SELECT t.value FROM term t"
            " WHERE t.tenant = ? AND t.code = n.code AND t.system = n.system AND t.text = n.text OFFSET 0) found",
            ([t[0] for t in terms], [t[1] for t in terms], [t[2] for t in terms], tenant),
        ).fetchall()
        return {(row[0], row[1], row[2]): row[3] for row in rows}
    found = {}
    for term in terms:
        system, code, text = term
        row = connection.execute(
            "SELECT value FROM term WHERE tenant = ? AND code = ? AND system = ? AND text = ?",
            (tenant, code, system, text),
        ).fetchone()
        if row:
            found[term] = row[0]
    return found


def add_terms(
    connection: Connection, tenant: int, rows: Sequence[tuple[int, str, str, str, str, str]]
) -> dict[Term, int]:
    """Insert ``(value, system, code, text, folded_code, folded_text)``; as `add_entities`."""
    if connection.dialect == "sqlite":
        connection.executemany(
            "INSERT INTO term (value, tenant, system, code, text, folded_code, folded_text)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            [(row[0], tenant, *row[1:]) for row in rows],
        )
        return {(row[1], row[2], row[3]): row[0] for row in rows}
    ordered = sorted(rows, key=lambda row: row[1:4])
    columns = list(zip(*ordered, strict=True))
    found = connection.execute(
        "INSERT INTO term (value, tenant, system, code, text, folded_code, folded_text)"
        " SELECT n.value, ?, n.system, n.code, n.text, n.folded_code, n.folded_text FROM"
        " unnest(?::bigint[], ?::text[], ?::text[], ?::text[], ?::text[], ?::text[])"
        " AS n (value, system, code, text, folded_code, folded_text)"
        " ON CONFLICT DO NOTHING RETURNING system, code, text, value",
        (tenant, *(list(column) for column in columns)),
    ).fetchall()
    added = {(row[0], row[1], row[2]): row[3] for row in found}
    lost = [row[1:4] for row in ordered if row[1:4] not in added]
    return added | find_terms(connection, tenant, lost) if lost else added
