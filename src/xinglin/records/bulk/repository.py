"""SQL of bulk export: versions as of a position in the order of commits, and the members of Groups."""

# ruff: noqa: S608 - the text is put together from this module's own words; every value is bound
from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from xinglin.kernel.database import Connection
from xinglin.records.bodies import decompress
from xinglin.records.bulk.moment import Key, Moment, Row, Since, Walk
from xinglin.records.repository import DELETED, LIVE
from xinglin.records.visibility import visible
from xinglin.trust import Predicate

IN_ONE: Final = 256
"""Numbers given to one statement; lists are filled up to it, so that each text is prepared once."""
_MARKS: Final = ",".join("?" * IN_ONE)
# CROSS JOIN: SQLite keeps the order of the tables, and each version finds its commit, not the other way round.
_COLUMNS: Final = "v.updated_us, v.rid, v.id, v.version, v.patient, v.body"
_CURRENT: Final = (
    f"SELECT {_COLUMNS} FROM resource v CROSS JOIN commits c WHERE c.tx = v.tx AND c.position <= ?"
)
_SUPERSEDED: Final = (
    f"SELECT {_COLUMNS} FROM history v CROSS JOIN commits c WHERE c.tx = v.tx AND c.position <= ?"
    " AND NOT EXISTS (SELECT 1 FROM resource n CROSS JOIN commits m"
    "  WHERE n.tenant = v.tenant AND n.rid = v.rid AND m.tx = n.tx AND m.position <= ?)"
    " AND NOT EXISTS (SELECT 1 FROM history n CROSS JOIN commits m"
    "  WHERE n.tenant = v.tenant AND n.rid = v.rid AND n.version > v.version AND m.tx = n.tx AND m.position <= ?)"
)


def moment(connection: Connection, now_us: int) -> Moment:
    """The moment of this snapshot; an empty record's is ``now_us``."""
    row = connection.execute(
        "SELECT (SELECT max(position) FROM commits), (SELECT max(at_us) FROM commits)"
    ).fetchone()
    assert row is not None
    return Moment(int(row[0] or 0), now_us if row[1] is None else int(row[1]))


def since(connection: Connection, at_us: int) -> Since:
    """What was committed from ``at_us`` on; where nothing was, a place behind everything."""
    row = connection.execute("SELECT min(position) FROM commits WHERE at_us >= ?", (at_us,)).fetchone()
    if row is None or row[0] is None:
        return Since(2**62, at_us)
    low = connection.execute("SELECT min(at_us) FROM commits WHERE position >= ?", (row[0],)).fetchone()
    assert low is not None
    return Since(int(row[0]), int(low[0]))


def moved(connection: Connection, moment: Moment) -> bool:
    """Whether anything was committed behind ``moment``: only then does history hold versions of it."""
    return (
        connection.execute("SELECT 1 FROM commits WHERE position > ? LIMIT 1", (moment.position,)).fetchone()
        is not None
    )


def current(connection: Connection, predicate: Predicate, walk: Walk, after: Key, most: int) -> list[Row]:
    """Current versions that are those of the walk's moment, behind ``after`` in the order of keys."""
    return _walk(connection, _CURRENT, [walk.moment.position], predicate, walk, after, most)


def superseded(connection: Connection, predicate: Predicate, walk: Walk, after: Key, most: int) -> list[Row]:
    """Versions now in history that were the current ones at the walk's moment."""
    return _walk(connection, _SUPERSEDED, [walk.moment.position] * 3, predicate, walk, after, most)


def _walk(
    connection: Connection,
    select: str,
    first: list[Any],
    predicate: Predicate,
    walk: Walk,
    after: Key,
    most: int,
) -> list[Row]:
    condition, values = visible(predicate, "v")
    last_us = walk.moment.at_us if walk.until_us is None else min(walk.moment.at_us, walk.until_us)
    sql = f"{select} AND {condition} AND v.type = ? AND v.state = ? AND v.updated_us <= ?"
    params = [*first, *values, walk.kind, DELETED if walk.deleted else LIVE, last_us]
    if walk.since is not None:
        sql += " AND c.position >= ?"
        params.append(walk.since.position)
        after = max(after, (walk.since.low_us, -1))
    if walk.owned and not walk.deleted:
        sql += " AND v.patient <> 0"
    sql += " AND (v.updated_us, v.rid) > (?, ?) ORDER BY v.updated_us, v.rid LIMIT ?"
    return [Row(*row) for row in connection.execute(sql, [*params, *after, most]).fetchall()]


def count(connection: Connection, predicate: Predicate, walk: Walk) -> int:
    """About how many live resources the walk meets: a count of the index, which asks neither owner nor commit."""
    condition, values = visible(predicate, "v")
    low_us = walk.since.low_us if walk.since is not None else -1
    row = connection.execute(
        f"SELECT count(*) FROM resource v WHERE {condition} AND v.type = ? AND v.updated_us >= ?",
        [*values, walk.kind, low_us],
    ).fetchone()
    return int(row[0]) if row else 0


def of_rids(
    connection: Connection,
    predicate: Predicate,
    kind: str,
    moment: Moment,
    rids: Sequence[int],
    since: Since | None = None,
) -> list[Row]:
    """The live versions, as of the moment, of those ``rids`` that are of ``kind``, in the order of their numbers."""
    first = -1 if since is None else since.position
    condition, values = visible(predicate, "v")
    found: list[Row] = []
    late: list[int] = []
    for numbers in _filled(rids):
        rows = connection.execute(
            f"SELECT {_COLUMNS}, v.state, c.position FROM {_by_number(connection)} CROSS JOIN commits c"
            f" WHERE c.tx = v.tx AND {condition} AND v.type = ? AND v.rid IN ({_MARKS})",
            [*values, kind, *numbers],
        ).fetchall()
        for row in rows:
            if row[7] > moment.position:
                late.append(row[1])
            elif row[6] == LIVE and row[7] >= first:
                found.append(Row(*row[:6]))
    for rid in late:
        was = connection.execute(
            f"SELECT {_COLUMNS}, v.state, c.position FROM history v CROSS JOIN commits c"
            f" WHERE c.tx = v.tx AND c.position <= ? AND {condition} AND v.type = ? AND v.rid = ?"
            " ORDER BY v.version DESC LIMIT 1",
            [moment.position, *values, kind, rid],
        ).fetchone()
        if was is not None and was[6] == LIVE and was[7] >= first:
            found.append(Row(*was[:6]))
    return sorted(found, key=lambda row: row.rid)


def owners_before(connection: Connection, predicate: Predicate, rid: int, version: int) -> list[int]:
    """The patients that a resource belonged to in the version before ``version``, which is a deletion."""
    condition, values = visible(predicate, "v")
    row = connection.execute(
        f"SELECT v.patient, v.version FROM history v WHERE {condition} AND v.rid = ? AND v.version < ?"
        " ORDER BY v.version DESC LIMIT 1",
        [*values, rid, version],
    ).fetchone()
    if row is None or row[0] == 0:
        return []
    if row[0] > 0:
        return [row[0]]
    shown, tenant = visible(predicate, "p")
    rows = connection.execute(
        f"SELECT p.patient FROM history_patient p WHERE {shown} AND p.rid = ? AND p.version = ?",
        [*tenant, rid, row[1]],
    ).fetchall()
    return [each[0] for each in rows]


def owned(
    connection: Connection,
    predicate: Predicate,
    kind: str,
    parameters: Sequence[int],
    patients: Sequence[int],
    since: Since | None,
) -> Iterator[int]:
    """The numbers of live resources of ``kind`` in the compartments of ``patients``, some of them more than once."""
    condition, values = visible(predicate, "v")
    rest = f"AND {condition} AND v.type = ? AND v.state = 0"
    tail = [*values, kind]
    if since is not None:
        rest += " AND EXISTS (SELECT 1 FROM commits c WHERE c.tx = v.tx AND c.position >= ?)"
        tail.append(since.position)
    for numbers in _filled(patients):
        if kind == "Patient":
            yield from _numbers(
                connection,
                f"SELECT v.rid FROM {_by_number(connection)} WHERE v.rid IN ({_MARKS}) {rest}",
                numbers,
                tail,
            )
        for parameter in parameters:
            yield from _numbers(
                connection,
                "SELECT v.rid FROM ix_reference x CROSS JOIN resource v WHERE x.tenant = ? AND x.param = ?"
                f" AND x.target IN ({_MARKS}) AND v.tenant = x.tenant AND v.rid = x.rid AND v.patient = x.target {rest}",
                [predicate.tenant, parameter, *numbers],
                tail,
            )
        yield from _numbers(
            connection,
            "SELECT v.rid FROM resource_patient p CROSS JOIN resource v WHERE p.tenant = ?"
            f" AND p.patient IN ({_MARKS}) AND v.tenant = p.tenant AND v.rid = p.rid AND v.patient = -1 {rest}",
            [predicate.tenant, *numbers],
            tail,
        )


def known(connection: Connection, predicate: Predicate, rids: Sequence[int]) -> int:
    """How many of ``rids`` are, or were, resources; a number is also given to what others only refer to."""
    condition, values = visible(predicate, "v")
    found: set[int] = set()
    for numbers in _filled(rids):
        sql = f"SELECT v.rid FROM {_by_number(connection)} WHERE {condition} AND v.rid IN ({_MARKS})"
        found.update(row[0] for row in connection.execute(sql, [*values, *numbers]).fetchall())
    return len(found)


def _by_number(connection: Connection) -> str:
    """``resource v``, looked up by rid: left the choice, SQLite goes through all of the type for each list of numbers."""
    return "resource v NOT INDEXED" if connection.dialect == "sqlite" else "resource v"


def _numbers(connection: Connection, sql: str, head: Sequence[Any], tail: Sequence[Any]) -> Iterator[int]:
    for (rid,) in connection.execute(sql, [*head, *tail]):
        yield rid


def group_body(connection: Connection, predicate: Predicate, id_: str, before_us: int | None) -> bytes | None:
    """A Group as it is, or as it was just before ``before_us``; None where it is (was) not there."""
    condition, values = visible(predicate, "v")
    for table in ("resource", "history"):
        bound = "" if before_us is None else " AND v.updated_us < ?"
        row = connection.execute(
            f"SELECT v.state, v.body FROM entity e JOIN {table} v ON v.tenant = e.tenant AND v.rid = e.rid"
            f" WHERE e.tenant = ? AND e.type = 'Group' AND e.id = ? AND {condition}{bound}"
            " ORDER BY v.version DESC LIMIT 1",
            [predicate.tenant, id_, *values, *([] if before_us is None else [before_us])],
        ).fetchone()
        if row is not None:
            return decompress(row[1]) if row[0] == LIVE else None
        if before_us is None:
            return None
    return None


def _filled(numbers: Sequence[int]) -> Iterator[list[int]]:
    for start in range(0, len(numbers), IN_ONE):
        part = list(numbers[start : start + IN_ONE])
        yield part + part[-1:] * (IN_ONE - len(part))
