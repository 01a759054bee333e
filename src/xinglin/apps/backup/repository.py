"""SQL of backup and restore: what is read is all of every tenant, which is why only an operator's own commands come here.

The statements over versions still take their condition from `visibility`, one tenant at a time.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from typing import Any, Final

from xinglin.apps.backup.form import Version
from xinglin.kernel.database import Connection, Row
from xinglin.records import repository as records
from xinglin.records.bodies import decompress
from xinglin.records.identity.repository import RID_BLOCK, among
from xinglin.records.visibility import visible
from xinglin.trust import Predicate

_VERSION: Final = "v.rid, v.tenant, v.type, v.id, v.version, v.tx, c.position, v.updated_us, v.state, v.method, v.patient, v.body"
_HISTORY: Final = 2000

FOLLOWED: Final = frozenset({"resource", "history", "commits", "entity", "tenant", "meta", "counter"})
"""Tables that have a form of their own in a backup."""
DRAWN: Final = frozenset(
    {
        "resource_patient", "history_patient", "history_reference", "term", "job_worker",
        "ix_token", "ix_reference", "ix_string", "ix_date", "ix_quantity", "ix_pair",
    }
)  # fmt: skip
"""Tables that follow from the rest, or hold what no other process could go on with: made anew, not kept."""
LOCAL_META: Final = ("schema_version", "indexed_", "fulltext_", "analyzed_", "backup_", "restoring")
"""Beginnings of keys of the meta table that speak of this database rather than of the record."""
OWN_KINDS: Final = ("apps.backup", "apps.rehearsal")


def position_and_instant(connection: Connection) -> tuple[int, int]:
    """Position and instant (µs) of the newest commit; zeros before the first."""
    row = connection.execute("SELECT position, at_us FROM commits ORDER BY position DESC LIMIT 1").fetchone()
    return (int(row[0]), int(row[1])) if row else (0, 0)


def versions_upto(
    connection: Connection, tenant: int, after: int, upto: int, most: int = 500
) -> tuple[int | None, Iterator[Version]]:
    """Versions of the next ``most`` resources after rid ``after`` that were there at position ``upto``, by rid and version.

    Gives the last rid looked at (None: there are no more) and the versions, to be read inside this snapshot.
    """
    condition, params = visible(Predicate(tenant), "v")
    found = connection.execute(
        f"SELECT v.rid FROM resource v WHERE {condition} AND v.rid > ? ORDER BY v.rid LIMIT ?",  # noqa: S608
        (*params, after, most),
    ).fetchall()
    if not found:
        return None, iter(())
    last = int(found[-1][0])
    return last, _versions_between(connection, tenant, after, last, upto)


def _versions_between(
    connection: Connection, tenant: int, after: int, last: int, upto: int
) -> Iterator[Version]:
    condition, params = visible(Predicate(tenant), "v")
    current = connection.execute(
        f"SELECT {_VERSION} FROM resource v JOIN commits c ON c.tx = v.tx"  # noqa: S608
        f" WHERE {condition} AND v.rid > ? AND v.rid <= ? ORDER BY v.rid",
        (*params, after, last),
    ).fetchall()
    older = _older(connection, tenant, after, last)
    waiting = next(older, None)
    for row in current:
        while waiting is not None and waiting[0] <= row[0]:
            if waiting[6] <= upto:
                yield version(waiting)
            waiting = next(older, None)
        if row[6] <= upto:
            yield version(row)


def _older(connection: Connection, tenant: int, after: int, last: int) -> Iterator[Row]:
    condition, params = visible(Predicate(tenant), "v")
    key = (after, (1 << 31) - 1)
    while True:
        rows = connection.execute(
            f"SELECT {_VERSION} FROM history v JOIN commits c ON c.tx = v.tx WHERE {condition} AND v.rid <= ?"  # noqa: S608
            " AND (v.rid, v.version) > (?, ?) ORDER BY v.rid, v.version LIMIT ?",
            (*params, last, *key, _HISTORY),
        ).fetchall()
        yield from rows
        if len(rows) < _HISTORY:
            return
        key = (rows[-1][0], rows[-1][4])


def version(row: Row) -> Version:
    """A Version of a row of ours."""
    rid, tenant, kind, id_, number, tx, position, updated, state, method, patient, body = row
    return Version(
        rid, tenant, kind, id_, number, tx, position, updated, state, method, patient,
        None if body is None else decompress(body),
    )  # fmt: skip


def commits_between(connection: Connection, after: int, upto: int, most: int) -> list[Row]:
    """``(tx, position, at_us, tenant)`` of the next commits of every tenant."""
    return connection.execute(
        "SELECT tx, position, at_us, tenant FROM commits WHERE position > ? AND position <= ? ORDER BY position LIMIT ?",
        (after, upto, most),
    ).fetchall()


def versions_of(connection: Connection, commits: Sequence[Row]) -> Iterator[Version]:
    """The versions that these commits wrote, whatever has become of them since, in the order of commits."""
    place = {commit[0]: commit[1] for commit in commits}
    found: list[Row] = []
    for tenant in {commit[3] for commit in commits}:
        condition, params = visible(Predicate(tenant), "v")
        txs = [commit[0] for commit in commits if commit[3] == tenant]
        for table in ("resource", "history"):
            select = (
                "SELECT v.rid, v.tenant, v.type, v.id, v.version, v.tx, 0, v.updated_us, v.state, v.method, v.patient,"  # noqa: S608
                f" v.body FROM {table} v WHERE {condition} AND v.tx "
            )
            if connection.dialect == "postgresql":
                found += connection.execute(select + "= ANY(?::bigint[])", (*params, txs)).fetchall()
            else:
                found += among(connection, select + "IN ", tuple(params), txs)
    found.sort(key=lambda row: (place[row[5]], row[0], row[4]))
    for row in found:
        made = version(row)
        made.position = place[row[5]]
        yield made


def entities_after(connection: Connection, tenant: int, kind: str, id_: str, most: int) -> list[Row]:
    """``(type, id, rid)`` of the next names of a tenant, in the order of names."""
    return connection.execute(
        "SELECT type, id, rid FROM entity WHERE tenant = ? AND (type, id) > (?, ?) ORDER BY type, id LIMIT ?",
        (tenant, kind, id_, most),
    ).fetchall()


def entity_tenants(connection: Connection) -> list[int]:
    """Tenants that have names, by skipping along an index."""
    found: list[int] = []
    while True:
        row = connection.execute(
            "SELECT min(tenant) FROM entity WHERE tenant > ?", (found[-1] if found else -1,)
        ).fetchone()
        if row is None or row[0] is None:
            return found
        found.append(row[0])


# State: small tables, as they are


def tables(connection: Connection) -> dict[str, list[str]]:
    """Every table of state with its columns: all that are neither `FOLLOWED` nor `DRAWN`."""
    if connection.dialect == "sqlite":
        names = [
            row[0]
            for row in connection.execute(
                "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
                " AND name NOT LIKE 'fulltext%' ORDER BY name"
            )
        ]
        return {
            name: [row[1] for row in connection.execute(f"PRAGMA table_info({name})")]
            for name in names
            if name not in FOLLOWED | DRAWN
        }
    found: dict[str, list[str]] = {}
    for name, column in connection.execute(
        "SELECT table_name::text, column_name::text FROM information_schema.columns"
        " WHERE table_schema = current_schema() ORDER BY table_name, ordinal_position"
    ).fetchall():
        if name not in FOLLOWED | DRAWN and name != "fulltext":
            found.setdefault(name, []).append(column)
    return found


def rows_of(connection: Connection, table: str, columns: Sequence[str], brief: bool) -> Iterator[list[Any]]:
    """All rows of a table of state as JSON values; ``brief``: of jobs only those that have not ended."""
    where = ""
    if table in ("job", "job_schedule"):
        kinds = ", ".join(f"'{kind}'" for kind in OWN_KINDS)
        where = f" WHERE kind NOT IN ({kinds})" + (" AND state < 2" if brief and table == "job" else "")
    for row in connection.execute(f"SELECT {', '.join(columns)} FROM {table}{where}"):  # noqa: S608
        yield [
            {"base64": base64.b64encode(v).decode()} if isinstance(v, (bytes, memoryview)) else v for v in row
        ]


def meta_rows(connection: Connection) -> dict[str, str]:
    """What the meta table says of the record itself."""
    return {
        key: value
        for key, value in connection.execute("SELECT key, value FROM meta ORDER BY key").fetchall()
        if not key.startswith(LOCAL_META)
    }


def put_rows(
    connection: Connection, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], *, clear: str
) -> None:
    """Put rows of state in the place of those that ``clear`` (a condition, or "" for all) finds."""
    there = tables(connection)[table]
    kept = [at for at, column in enumerate(columns) if column in there]
    names = [columns[at] for at in kept]
    connection.execute(f"DELETE FROM {table}{' WHERE ' + clear if clear else ''}")  # noqa: S608
    if not rows:
        return
    marks = ", ".join("?" * len(names))
    connection.executemany(
        f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks}) ON CONFLICT DO NOTHING",  # noqa: S608
        [tuple(_value(row[at]) for at in kept) for row in rows],
    )


def _value(value: Any) -> Any:
    return base64.b64decode(value["base64"]) if isinstance(value, dict) else value


def settle(connection: Connection, position: int, behind: int) -> None:
    """After all is in: no job runs and nobody leads; a consumer that had read up to ``position`` or past it waits for what
    comes after ``behind``; what was queued for others from later commits is no more; numbers go on after those given.
    """
    connection.execute("UPDATE job SET state = 0, owner = NULL WHERE state = 1")
    connection.execute("UPDATE consumer SET owner = '', until_us = 0")
    connection.execute("UPDATE consumer SET position = ? WHERE position >= ?", (behind, position))
    for table in ("consumer_held", "subscription_queue"):
        connection.execute(f"DELETE FROM {table} WHERE position > ?", (position,))  # noqa: S608
    for column in ("since", "matched"):
        connection.execute(
            f"UPDATE subscription SET {column} = ? WHERE {column} > ?",  # noqa: S608
            (position, position),
        )
    if connection.dialect == "postgresql":
        for table, column in connection.execute(
            "SELECT table_name::text, column_name::text FROM information_schema.columns"
            " WHERE table_schema = current_schema() AND is_identity = 'YES'"
        ).fetchall():
            connection.execute(
                f"SELECT setval(pg_get_serial_sequence('{table}', '{column}'),"  # noqa: S608
                f" greatest((SELECT coalesce(max({column}), 0) FROM {table}), 1))"
            )


# Restore


def is_empty(connection: Connection) -> bool:
    """Whether nobody has written anything into this record."""
    return all(
        connection.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchone() is None  # noqa: S608
        for table in ("resource", "history", "commits", "entity")
    )


def is_alone(connection: Connection) -> bool:
    """Whether no other process, nor another connection of this one, has the database open.

    A server that had it open would write on with numbers it drew before.
    """
    if connection.dialect == "postgresql":
        row = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            " AND application_name = 'xinglin'"
        ).fetchone()
        return row is not None and row[0] == 0
    # To leave the write-ahead log SQLite must have the file to itself.
    for mode in ("delete", "wal"):
        row = connection.execute(f"PRAGMA journal_mode = {mode}").fetchone()
        if row is None or row[0] != mode:
            return False
    return True


def add_entities(connection: Connection, rows: Sequence[tuple[int, str, str, int]]) -> None:
    """``(tenant, type, id, rid)``; those that are there already stay as they are."""
    if connection.dialect == "sqlite":
        connection.executemany(
            "INSERT OR IGNORE INTO entity (tenant, type, id, rid) VALUES (?, ?, ?, ?)", rows
        )
        return
    columns = [list(column) for column in zip(*rows, strict=True)]
    connection.execute(
        "INSERT INTO entity (tenant, type, id, rid) SELECT * FROM unnest(?::int[], ?::text[], ?::text[], ?::bigint[])"
        " ON CONFLICT DO NOTHING",
        columns,
    )


def add_commits(connection: Connection, rows: Sequence[Sequence[int]]) -> None:
    """``(tx, position, at_us, tenant)`` as they were."""
    connection.insert("commits", ("tx", "position", "at_us", "tenant"), rows)


def go_on_from(connection: Connection, rid: int, tx: int) -> None:
    """Let new numbers begin behind these."""
    if connection.dialect == "sqlite":
        for name, value in (("rid", rid), ("tx", tx)):
            connection.execute("UPDATE counter SET value = max(value, ?) WHERE name = ?", (value, name))
        return
    for sequence, value in (("rid_block", -(-rid // RID_BLOCK)), ("tx_block", tx)):
        connection.execute(
            f"SELECT setval('{sequence}', greatest(?::bigint, (SELECT last_value FROM {sequence})))",  # noqa: S608
            (value,),
        )


def set_meta(connection: Connection, key: str, value: str) -> None:
    """Set a value of the meta table."""
    records.set_meta(connection, key, value)


def delete_meta(connection: Connection, key: str) -> None:
    """Take a value of the meta table away."""
    connection.execute("DELETE FROM meta WHERE key = ?", (key,))
