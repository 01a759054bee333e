"""SQL of resources, their history and the change feed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from xinglin.kernel.database import Connection, Row
from xinglin.records.bodies import decompress
from xinglin.records.identity.repository import among, find_entities
from xinglin.records.stored import Change, Stored
from xinglin.records.visibility import visible
from xinglin.trust import Predicate

LIVE: Final = 0
DELETED: Final = 1

VERSION_COLUMNS: Final = "type, id, version, updated_us, state, method, body"
"""What `stored` makes a Stored of; of `resource` or `history`."""

_VERSION = ", ".join(f"{{0}}.{column}" for column in VERSION_COLUMNS.split(", "))
_BY_NAME: Final = (
    f"SELECT {_VERSION.format('r')} FROM entity e JOIN resource r ON r.tenant = e.tenant AND r.rid = e.rid"  # noqa: S608
    " WHERE e.tenant = ? AND e.type = ? AND e.id = ? AND "
)
_RESOURCE: Final = (
    "rid", "tenant", "type", "id", "version", "tx", "updated_us", "state", "method", "patient", "index_version", "body",
)  # fmt: skip


def stored(row: Row) -> Stored:
    """A Stored from `VERSION_COLUMNS`."""
    kind, id_, version, updated_us, state, method, body = row
    deleted = state != LIVE
    return Stored(kind, id_, version, updated_us, deleted, method, b"" if body is None else decompress(body))


def read(connection: Connection, predicate: Predicate, kind: str, id_: str) -> Stored | None:
    """The current version, which may be a deletion; None where there never was one that the actor may see."""
    condition, params = visible(predicate, "r")
    row = connection.execute(_BY_NAME + condition, (predicate.tenant, kind, id_, *params)).fetchone()
    return None if row is None else stored(row)


def read_all(
    connection: Connection, predicate: Predicate, kind: str, ids: Sequence[str]
) -> dict[str, Stored]:
    """`read` of many of one type, by id; those that never were are left out."""
    rids = list(find_entities(connection, predicate.tenant, [(kind, id_) for id_ in ids]).values())
    if not rids:
        return {}
    condition, params = visible(predicate)
    select = f"SELECT {VERSION_COLUMNS} FROM resource WHERE {condition} AND "  # noqa: S608
    rows = _by_number(connection, select, tuple(params), list(rids))
    return {row[1]: stored(row) for row in rows}


def read_version(
    connection: Connection, predicate: Predicate, kind: str, id_: str, version: int
) -> Stored | None:
    """One version, current or superseded."""
    for table in ("resource", "history"):
        condition, params = visible(predicate, "v")
        row = connection.execute(
            f"SELECT {_VERSION.format('v')} FROM entity e JOIN {table} v ON v.tenant = e.tenant AND v.rid = e.rid"  # noqa: S608
            f" WHERE e.tenant = ? AND e.type = ? AND e.id = ? AND v.version = ? AND {condition}",
            (predicate.tenant, kind, id_, version, *params),
        ).fetchone()
        if row is not None:
            return stored(row)
    return None


@dataclass(frozen=True, slots=True)
class Current:
    """The current version as the writer needs it; ``body`` still compressed."""

    rid: int
    version: int
    updated_us: int
    state: int
    method: str
    body: bytes | None


def _by_number(
    connection: Connection, select: str, params: Sequence[object], rids: list[int]
) -> Iterable[Row]:
    """What ``select``, which ends where a condition is still to come, gives of these resources."""
    if connection.dialect == "postgresql":
        # Each looked up by itself: a plan made while the table was small, and kept, reads all of the tenant's index for a
        # list of numbers (10 ms for a hundred of 13,000 resources), until somebody runs ANALYZE.
        return connection.execute(
            "SELECT found.* FROM unnest(?::bigint[]) wanted (number)"  # noqa: S608
            f" CROSS JOIN LATERAL ({select}rid = wanted.number OFFSET 0) found",
            (rids, *params),
        ).fetchall()
    # Left the choice, SQLite goes through all of the tenant's index for each list of numbers.
    return among(
        connection,
        select.replace("FROM resource ", "FROM resource NOT INDEXED ") + "rid IN ",
        tuple(params),
        rids,
    )


def current(connection: Connection, tenant: int, rids: Sequence[int]) -> dict[int, Current]:
    """The current versions of those ``rids`` that have one."""
    select = "SELECT rid, version, updated_us, state, method, body FROM resource WHERE tenant = ? AND "
    rows = _by_number(connection, select, (tenant,), list(rids))
    return {row[0]: Current(*row) for row in rows}


def supersede(connection: Connection, tenant: int, rids: Sequence[int], until_us: int) -> None:
    """Copy the current versions of ``rids`` to history, each good until ``until_us``."""
    columns = "rid, version, tenant, type, id, tx, updated_us, state, method, patient, body"
    sql = f"INSERT INTO history ({columns}, until_us) SELECT {columns}, CAST(? AS BIGINT) FROM resource WHERE tenant = ? AND "  # noqa: S608
    if connection.dialect == "postgresql":
        connection.execute(sql + "rid = ANY(?::bigint[])", (until_us, tenant, list(rids)))
    else:
        connection.executemany(sql + "rid = ?", [(until_us, tenant, rid) for rid in rids])


def insert(connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
    """First versions, as rows of `_RESOURCE` columns."""
    connection.insert("resource", _RESOURCE, rows)


_REPLACE: Final = (
    "UPDATE resource SET version = ?, tx = ?, updated_us = ?, state = ?, method = ?, patient = ?, index_version = ?,"
    " body = ? WHERE tenant = ? AND rid = ?"
)


def replace(connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
    """Later versions in the place of those now in history, as rows of `_RESOURCE` columns."""
    connection.executemany(_REPLACE, [(*row[4:], row[1], row[0]) for row in rows])


@dataclass(frozen=True, slots=True)
class Span:
    """Which versions: of one type and id, one type, or all; times in µs, half-open.

    ``since_us``: written then or later. ``low_us``, ``high_us``: current at some time in between.
    ``after``: key of the last entry of the page before, newest first.
    """

    kind: str | None = None
    rid: int | None = None
    since_us: int | None = None
    low_us: int | None = None
    high_us: int | None = None
    after: tuple[int, int, int] | None = None


def versions(
    connection: Connection, predicate: Predicate, span: Span, most: int
) -> list[tuple[tuple[int, int, int], Stored]]:
    """At most ``most`` versions with their keys, newest first.

    The key is (version, 0, 0) within one resource, (updated_us, rid, version) within a type, (tx, rid, version) over all:
    each is the order of an index, so a page costs its own length however long the history.
    """
    if span.rid is not None:
        key: tuple[str, ...] = ("version", "0", "0")
    elif span.kind is not None:
        key = ("updated_us", "rid", "version")
    else:
        key = ("tx", "rid", "version")
    order = ", ".join(f"{column} DESC" for column in key if column != "0")
    arms, params = [], []
    for table, until in (("resource", None), ("history", "until_us")):
        condition, values = visible(predicate)
        where, bound = _within(span, key, until)
        arms.append(
            f"SELECT * FROM (SELECT {', '.join(key[:1])} AS k, rid AS k_rid, {VERSION_COLUMNS} FROM {table}"  # noqa: S608
            f" WHERE {condition}{where} ORDER BY {order} LIMIT ?) AS {table}_arm"
        )
        params += [*values, *bound, most]
    rows = connection.execute(
        " UNION ALL ".join(arms) + " ORDER BY 1 DESC, 2 DESC, 5 DESC LIMIT ?", [*params, most]
    ).fetchall()
    return [(_key(span, row), stored(row[2:])) for row in rows]


def _key(span: Span, row: Row) -> tuple[int, int, int]:
    return (row[4], 0, 0) if span.rid is not None else (row[0], row[1], row[4])


def _within(span: Span, key: tuple[str, ...], until: str | None) -> tuple[str, list[object]]:
    conditions: list[str] = []
    params: list[object] = []

    def add(condition: str, *values: object) -> None:
        conditions.append(condition)
        params.extend(values)

    if span.rid is not None:
        add("rid = ?", span.rid)
    elif span.kind is not None:
        add("type = ?", span.kind)
    if span.since_us is not None:
        add("updated_us >= ?", span.since_us)
        if key[0] == "tx":
            # Bounds the walk down the index: no older transaction can hold a version that young.
            add("tx >= (SELECT coalesce(min(c.tx), 0) FROM commits c WHERE c.at_us >= ?)", span.since_us)
    if span.high_us is not None:
        add("updated_us < ?", span.high_us)
    if span.low_us is not None and until:
        add(f"{until} > ?", span.low_us)
    if span.after is not None:
        first, rid, version = span.after
        if span.rid is not None:
            add("version < ?", first)
        else:
            add(f"{key[0]} <= ?", first)
            add(f"({key[0]} < ? OR rid < ? OR (rid = ? AND version < ?))", first, rid, rid, version)
    return "".join(f" AND {condition}" for condition in conditions), params


def count_versions(connection: Connection, predicate: Predicate, rid: int) -> int:
    """How many versions one resource has."""
    condition, params = visible(predicate)
    row = connection.execute(
        f"SELECT (SELECT count(*) FROM resource WHERE rid = ? AND {condition})"  # noqa: S608
        f" + (SELECT count(*) FROM history WHERE rid = ? AND {condition})",
        (rid, *params, rid, *params),
    ).fetchone()
    return int(row[0]) if row else 0


def rid_of(connection: Connection, tenant: int, kind: str, id_: str) -> int | None:
    """The number of ``kind/id_``, whether or not there is such a resource."""
    row = connection.execute(
        "SELECT rid FROM entity WHERE tenant = ? AND type = ? AND id = ?", (tenant, kind, id_)
    ).fetchone()
    return None if row is None else int(row[0])


def changes(connection: Connection, predicate: Predicate, after: int, most: int) -> list[Change]:
    """Changes of whole commits after position ``after``, in order: at most ``most``, but one commit is never cut."""
    condition, params = visible(predicate)
    commits = connection.execute(
        f"SELECT tx, position, at_us FROM commits WHERE position > ? AND {condition} ORDER BY position LIMIT ?",  # noqa: S608
        (after, *params, most),
    ).fetchall()
    found: list[Change] = []
    # Some commits at a time: most hold one change, a bulk load's thousands.
    for start in range(0, len(commits), _COMMITS):
        if found and len(found) >= most:
            break
        for changes_of_one in _changes_of(connection, predicate, commits[start : start + _COMMITS]):
            if found and len(found) + len(changes_of_one) > most:
                return found
            found += changes_of_one
    return found


_COMMITS: Final = 16


def _changes_of(
    connection: Connection, predicate: Predicate, commits: Sequence[Row]
) -> Iterator[list[Change]]:
    """The changes of each of at most `_COMMITS` commits."""
    shown, values = visible(predicate, "v")
    marks = ",".join("?" * _COMMITS)
    txs = [commit[0] for commit in commits]
    txs += txs[-1:] * (_COMMITS - len(txs))
    arms = [
        "SELECT v.tx, v.rid, v.version, v.type, v.id, v.method, v.patient"  # noqa: S608
        f" FROM {table} v WHERE v.tx IN ({marks}) AND {shown}"
        for table in ("resource", "history")
    ]
    rows = connection.execute(
        f"{' UNION ALL '.join(arms)} ORDER BY 1, 2, 3", [*txs, *values, *txs, *values]
    ).fetchall()
    names = _patient_ids(connection, predicate.tenant, {row[6] for row in rows if row[6] > 0})
    by_tx: dict[int, list[Row]] = {}
    for row in rows:
        by_tx.setdefault(row[0], []).append(row)
    for tx, position, at_us in commits:
        yield [
            Change(
                position,
                at_us,
                predicate.tenant,
                kind,
                id_,
                version,
                method,
                None if patient == 0 else "" if patient < 0 else names.get(patient, ""),
            )
            for _, _, version, kind, id_, method, patient in by_tx.get(tx, ())
        ]


def _patient_ids(connection: Connection, tenant: int, rids: set[int]) -> dict[int, str]:
    select = "SELECT rid, id FROM resource WHERE tenant = ? AND "
    rows = _by_number(connection, select, (tenant,), list(rids))
    return {row[0]: row[1] for row in rows}


def last_position(connection: Connection) -> int:
    """The position of the newest commit, 0 before the first."""
    row = connection.execute("SELECT max(position) FROM commits").fetchone()
    return int(row[0] or 0) if row else 0


def meta(connection: Connection, key: str) -> str | None:
    """A value of the meta table."""
    row = connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
    return None if row is None else str(row[0])


def set_meta(connection: Connection, key: str, value: str) -> None:
    """Set a value of the meta table."""
    connection.execute(
        "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        (key, value),
    )


def tenants(connection: Connection) -> dict[int, tuple[str, str]]:
    """Name and time zone of each tenant."""
    return {row[0]: (row[1], row[2]) for row in connection.execute("SELECT tenant, name, zone FROM tenant")}


def add_tenant(connection: Connection, tenant: int, name: str, zone: str) -> None:
    """Make or rename a tenant."""
    connection.execute(
        "INSERT INTO tenant (tenant, name, zone) VALUES (?, ?, ?)"
        " ON CONFLICT (tenant) DO UPDATE SET name = excluded.name, zone = excluded.zone",
        (tenant, name, zone),
    )


def count_resources(connection: Connection, predicate: Predicate) -> dict[str, int]:
    """How many live resources of each type there are."""
    condition, params = visible(predicate)
    rows = connection.execute(
        f"SELECT type, count(*) FROM resource WHERE {condition} AND state = 0 GROUP BY type ORDER BY type",  # noqa: S608
        params,
    )
    return {row[0]: row[1] for row in rows}


def stale(
    connection: Connection, tenant: int, kind: str, signature: int, after: tuple[int, int], most: int
) -> list[Row]:
    """(rid, version, body, id, index_version, patient, updated_us) of live resources whose index rows were made by other
    rules, in the order of (updated_us, rid) behind ``after``.
    """
    index = " INDEXED BY resource_updated" if connection.dialect == "sqlite" else ""
    return connection.execute(
        f"SELECT rid, version, body, id, index_version, patient, updated_us FROM resource{index}"  # noqa: S608
        " WHERE tenant = ? AND type = ? AND state = 0 AND index_version <> ? AND (updated_us, rid) > (?, ?)"
        " ORDER BY updated_us, rid LIMIT ?",
        (tenant, kind, signature, *after, most),
    ).fetchall()


def drawn_by(connection: Connection, tenant: int, rids: Sequence[int]) -> dict[int, tuple[int, int, int]]:
    """(version, index_version, patient) of live resources."""
    select = "SELECT rid, version, index_version, patient FROM resource WHERE tenant = ? AND state = 0 AND "
    rows = _by_number(connection, select, (tenant,), list(rids))
    return {row[0]: (row[1], row[2], row[3]) for row in rows}


def sampled(
    connection: Connection, tenant: int, kind: str, every: int, after: tuple[int, int], most: int
) -> list[Row]:
    """(rid, body, index_version, patient, updated_us) of about every ``every``-th live resource, as `stale` orders them."""
    index = " INDEXED BY resource_updated" if connection.dialect == "sqlite" else ""
    return connection.execute(
        f"SELECT rid, body, index_version, patient, updated_us FROM resource{index}"  # noqa: S608
        " WHERE tenant = ? AND type = ? AND state = 0 AND rid % ? = 0 AND (updated_us, rid) > (?, ?)"
        " ORDER BY updated_us, rid LIMIT ?",
        (tenant, kind, every, *after, most),
    ).fetchall()


def count_live(connection: Connection, tenant: int, kind: str) -> int:
    """Live resources of one type: all that were, by an index alone, less the deleted."""
    every = "INDEXED BY resource_updated" if connection.dialect == "sqlite" else ""
    gone = "INDEXED BY resource_deleted" if connection.dialect == "sqlite" else ""
    row = connection.execute(
        f"SELECT (SELECT count(*) FROM resource {every} WHERE tenant = ? AND type = ?)"  # noqa: S608
        f" - (SELECT count(*) FROM resource {gone} WHERE tenant = ? AND type = ? AND state <> 0)",
        (tenant, kind, tenant, kind),
    ).fetchone()
    return int(row[0]) if row else 0


def mark_stale(connection: Connection, tenant: int, rids: Sequence[int]) -> None:
    """Let the index rows of these resources be made anew."""
    connection.executemany(
        "UPDATE resource SET index_version = 0 WHERE tenant = ? AND rid = ?", [(tenant, rid) for rid in rids]
    )


def count_stale(connection: Connection, tenant: int, kind: str, signature: int) -> int:
    """How many `stale` would find in all."""
    row = connection.execute(
        "SELECT count(*) FROM resource WHERE tenant = ? AND type = ? AND state = 0 AND index_version <> ?",
        (tenant, kind, signature),
    ).fetchone()
    return int(row[0]) if row else 0


def set_index(connection: Connection, tenant: int, rows: Sequence[tuple[int, int, int]]) -> None:
    """Set ``(signature, patient, rid)`` of resources whose index rows were made anew; their versions stay."""
    connection.executemany(
        "UPDATE resource SET index_version = ?, patient = ? WHERE tenant = ? AND rid = ?",
        [(signature, patient, tenant, rid) for signature, patient, rid in rows],
    )


def live_tenants(connection: Connection) -> list[int]:
    """Tenants that have or had resources, by skipping along an index."""
    found: list[int] = []
    while True:
        row = connection.execute(
            "SELECT min(tenant) FROM resource WHERE tenant > ?", (found[-1] if found else -1,)
        ).fetchone()
        if row is None or row[0] is None:
            return found
        found.append(row[0])


def live_types(connection: Connection, tenant: int) -> list[str]:
    """Types of which there are or were resources, by skipping along an index."""
    found: list[str] = []
    last = ""
    while True:
        row = connection.execute(
            "SELECT min(type) FROM resource WHERE tenant = ? AND type > ?", (tenant, last)
        ).fetchone()
        if row is None or row[0] is None:
            return found
        last = row[0]
        found.append(last)


def count_all(connection: Connection) -> int:
    """How many resources of all tenants there are or were: what the index tables grow with."""
    row = connection.execute("SELECT count(*) FROM resource").fetchone()
    return int(row[0]) if row else 0


def analyze(connection: Connection) -> None:
    """Refresh the statistics that the database plans by; outside of any transaction."""
    if connection.dialect == "postgresql":
        connection.execute("ANALYZE")
    else:
        connection.execute("PRAGMA analysis_limit = 400")
        connection.execute("ANALYZE")
        if connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'sqlite_stat4'").fetchone():
            connection.execute("DELETE FROM sqlite_stat4")  # its samples cost a new plan for every value
