"""SQL of the feed: reading commits and their changes, and what is kept of its followers."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from xinglin.kernel.clock import now_us
from xinglin.kernel.database import Connection, Row
from xinglin.records.feed.errors import Fenced
from xinglin.records.identity.repository import among
from xinglin.records.stored import Change
from xinglin.records.visibility import visible
from xinglin.trust import Predicate

Key = tuple[int, str]
"""Tenant (0: all) and name of a consumer."""

_AT_ONCE: Final = 32
LEASE_MOST_US: Final = 60_000_000
"""No lease is longer: one that seems to be was given by a clock that has been set back since."""
_COUNTED_MOST: Final = 10_000


def read(
    connection: Connection, predicates: dict[int, Predicate] | None, after: int, most: int, names: Names
) -> tuple[list[Change], int]:
    """Changes of whole commits after ``after``, about ``most``, and the position up to which they go.

    ``predicates``: what may be seen of each tenant; None is for the house's own followers: all of every tenant.
    """
    if predicates is not None and len(predicates) == 1:
        ((tenant, _),) = predicates.items()
        chosen, params = " AND tenant = ?", [tenant]
    else:
        chosen, params = "", []
    commits = connection.execute(
        f"SELECT tx, position, at_us, tenant FROM commits WHERE position > ?{chosen} ORDER BY position LIMIT ?",  # noqa: S608
        (after, *params, most),
    ).fetchall()
    found: list[Change] = []
    reached = after
    for start in range(0, len(commits), _AT_ONCE):  # most commits hold one change, a bulk load's thousands
        if len(found) >= most:
            break
        part = commits[start : start + _AT_ONCE]
        found += _changes(connection, predicates, part, names)
        reached = part[-1][1]
    return found, reached


def _changes(
    connection: Connection, predicates: dict[int, Predicate] | None, commits: Sequence[Row], names: Names
) -> Iterator[Change]:
    by_tenant: dict[int, list[Row]] = {}
    for commit in commits:
        by_tenant.setdefault(commit[3], []).append(commit)
    rows: list[tuple[int, int, Row]] = []
    for tenant, own in by_tenant.items():
        predicate = Predicate(tenant=tenant) if predicates is None else predicates.get(tenant)
        if predicate is None:
            continue
        places = {commit[0]: commit for commit in own}
        rows += [(places[row[0]][1], tenant, row) for row in _versions(connection, predicate, own)]
    if len(by_tenant) > 1:
        rows.sort(key=lambda row: row[0])  # stable: within a commit as the resources were numbered
    wanted: dict[int, set[int]] = {}
    for _, tenant, row in rows:
        if row[6] > 0:
            wanted.setdefault(tenant, set()).add(row[6])
    known = {tenant: names.of(connection, tenant, rids) for tenant, rids in wanted.items()}
    at = {commit[1]: commit[2] for commit in commits}
    for position, tenant, (_, _, version, kind, id_, method, rid) in rows:
        patient = None if rid == 0 else "" if rid < 0 else known[tenant].get(rid, "")
        yield Change(position, at[position], tenant, kind, id_, version, method, patient)


def _versions(connection: Connection, predicate: Predicate, commits: Sequence[Row]) -> list[Row]:
    """Rows of the versions that ``commits`` (of one tenant, by position) wrote, in the order of the commits."""
    shown, values = visible(predicate, "v")
    if connection.dialect == "postgresql":
        condition, bounds = "v.tx = ANY(?::bigint[])", [[commit[0] for commit in commits]]
    else:  # there a transaction's number is its position
        condition, bounds = "v.tx BETWEEN ? AND ?", [commits[0][0], commits[-1][0]]
    arms = [
        f"SELECT v.tx, v.rid, v.version, v.type, v.id, v.method, v.patient FROM {table} v WHERE {condition} AND {shown}"  # noqa: S608
        for table in ("resource", "history")
    ]
    rows = connection.execute(
        f"{' UNION ALL '.join(arms)} ORDER BY 1, 2, 3", [*bounds, *values, *bounds, *values]
    ).fetchall()
    if connection.dialect == "postgresql":
        place = {commit[0]: commit[1] for commit in commits}
        rows.sort(key=lambda row: place[row[0]])
    deleted = {(row[1], row[2] - 1) for row in rows if row[5] == "DELETE" and row[6] == 0}
    if deleted:  # a deletion is of the patient that the version before it was of
        owners = _owners(connection, predicate, deleted)
        rows = [
            (*row[:6], owners.get((row[1], row[2] - 1), row[6])) if row[5] == "DELETE" else row
            for row in rows
        ]
    return rows


def _owners(
    connection: Connection, predicate: Predicate, versions: Collection[tuple[int, int]]
) -> dict[tuple[int, int], int]:
    """The number of the patient that each superseded version (number of the resource, version) was of."""
    shown, values = visible(predicate)
    select = f"SELECT rid, version, patient FROM history WHERE {shown} AND "  # noqa: S608
    rids = list({rid for rid, _ in versions})
    if connection.dialect == "postgresql":
        rows: Iterable[Row] = connection.execute(
            select + "rid = ANY(?::bigint[])", (*values, rids)
        ).fetchall()
    else:
        # Left the choice, SQLite goes through all of the tenant's history.
        by_number = select.replace("FROM history ", "FROM history INDEXED BY sqlite_autoindex_history_1 ")
        rows = among(connection, by_number + "rid IN ", tuple(values), rids)
    return {(row[0], row[1]): row[2] for row in rows if (row[0], row[1]) in versions}


class Names:
    """Ids of patients by their numbers, which never change; bounded."""

    MOST: Final = 50_000

    def __init__(self) -> None:
        self._known: dict[int, dict[int, str]] = {}

    def of(self, connection: Connection, tenant: int, rids: Collection[int]) -> dict[int, str]:
        """A mapping with, among others, the ids of those ``rids`` that are in the record."""
        known = self._known.setdefault(tenant, {})
        missing = [rid for rid in rids if rid not in known]
        if missing:
            if len(known) > self.MOST:
                known = self._known[tenant] = {rid: known[rid] for rid in rids if rid in known}
            select = "SELECT rid, id FROM resource WHERE tenant = ? AND "
            if connection.dialect == "postgresql":
                rows: Iterable[Row] = connection.execute(
                    select + "rid = ANY(?::bigint[])", (tenant, missing)
                ).fetchall()
            else:
                # Left the choice, SQLite goes through all of the tenant's index.
                by_number = select.replace("FROM resource ", "FROM resource NOT INDEXED ")
                rows = among(connection, by_number + "rid IN ", (tenant,), missing)
            known.update({row[0]: row[1] for row in rows})
        return known


# Consumers


def has_position(connection: Connection, position: int) -> bool:
    """Whether a commit has this position: they have no gaps but the one that a restore leaves."""
    row = connection.execute("SELECT 1 FROM commits WHERE position = ?", (position,)).fetchone()
    return row is not None


@dataclass(frozen=True, slots=True)
class State:
    """The row of a consumer, and how many of its lanes are parked."""

    tenant: int
    name: str
    position: int
    owner: str
    fence: int
    until_us: int
    reason: str


@dataclass(slots=True)
class Lane:
    """A lane that is held: when it is tried again, or that it is parked."""

    tenant: int
    lane: str
    parked: bool
    attempts: int
    due_us: int
    since_us: int
    reason: str


def clock_us(connection: Connection) -> int:
    """Now, by the clock that all who share the database share: leases are told by it."""
    if connection.dialect == "sqlite":
        return now_us()
    row = connection.execute("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint").fetchone()
    assert row is not None
    return int(row[0])


def register(connection: Connection, key: Key, position: int) -> None:
    """Make the row of a consumer where there is none."""
    connection.execute(
        "INSERT INTO consumer (tenant, name, position, owner, fence, until_us, moved_us, reason)"
        " VALUES (?, ?, ?, '', 0, 0, ?, '') ON CONFLICT (tenant, name) DO NOTHING",
        (*key, position, now_us()),
    )


def states(connection: Connection) -> dict[Key, State]:
    """Every consumer that was ever registered."""
    rows = connection.execute("SELECT tenant, name, position, owner, fence, until_us, reason FROM consumer")
    return {(row[0], row[1]): State(*row) for row in rows}


def take(connection: Connection, key: Key, owner: str, lease_us: int) -> State | None:
    """Lead the consumer from now on, where nobody does; None where somebody was quicker."""
    now = clock_us(connection)
    row = connection.execute(
        "UPDATE consumer SET owner = ?, fence = fence + 1, until_us = ? WHERE tenant = ? AND name = ?"
        " AND (owner = '' OR until_us < ? OR until_us > ?)"
        " RETURNING tenant, name, position, owner, fence, until_us, reason",
        (owner, now + lease_us, *key, now, now + LEASE_MOST_US),
    ).fetchone()
    return None if row is None else State(*row)


def free(state: State, now_us: int) -> bool:
    """Whether nobody leads the consumer."""
    return not state.owner or not now_us <= state.until_us <= now_us + LEASE_MOST_US


def renew(connection: Connection, owner: str, lease_us: int) -> dict[str, int]:
    """Keep all that ``owner`` leads: the fence of each by its name."""
    until = clock_us(connection) + lease_us
    rows = connection.execute(
        "UPDATE consumer SET until_us = ? WHERE owner = ? RETURNING name, fence", (until, owner)
    )
    return dict(rows.fetchall())


def extend(connection: Connection, key: Key, fence: int, lease_us: int) -> None:
    """Keep leading one consumer. Raises Fenced where another has taken it over."""
    row = connection.execute(
        "UPDATE consumer SET until_us = ? WHERE tenant = ? AND name = ? AND fence = ? AND owner <> '' RETURNING 1",
        (clock_us(connection) + lease_us, *key, fence),
    ).fetchone()
    if row is None:
        raise Fenced


def release(connection: Connection, key: Key, fence: int) -> None:
    """Let another process lead at once."""
    connection.execute(
        "UPDATE consumer SET owner = '', until_us = 0 WHERE tenant = ? AND name = ? AND fence = ?",
        (*key, fence),
    )
    connection.announce()


def move(connection: Connection, key: Key, fence: int, position: int, reason: str) -> None:
    """Remember how far the consumer is. Raises Fenced where another leads it."""
    row = connection.execute(
        "UPDATE consumer SET position = ?, moved_us = ?, reason = ? WHERE tenant = ? AND name = ? AND fence = ?"
        " AND owner <> '' RETURNING 1",
        (position, now_us(), reason, *key, fence),
    ).fetchone()
    if row is None:
        raise Fenced


def explain(connection: Connection, key: Key, fence: int, reason: str) -> None:
    """Note why the consumer stands still. Raises Fenced where another leads it."""
    row = connection.execute(
        "UPDATE consumer SET reason = ? WHERE tenant = ? AND name = ? AND fence = ? AND owner <> '' RETURNING 1",
        (reason, *key, fence),
    ).fetchone()
    if row is None:
        raise Fenced


def lanes(connection: Connection, name: str) -> list[Lane]:
    """Lanes of a consumer that are held, the oldest first."""
    rows = connection.execute(
        "SELECT tenant, lane, parked, attempts, due_us, since_us, reason FROM consumer_lane WHERE consumer = ?"
        " ORDER BY since_us",
        (name,),
    )
    return [Lane(row[0], row[1], bool(row[2]), *row[3:]) for row in rows]


def due_lanes(connection: Connection, due_us: int) -> set[str]:
    """The consumers that have held lanes to be tried again by then."""
    rows = connection.execute(
        "SELECT DISTINCT consumer FROM consumer_lane WHERE parked = 0 AND due_us <= ?", (due_us,)
    )
    return {row[0] for row in rows}


def put_lane(connection: Connection, name: str, lane: Lane) -> None:
    """Hold a lane, or change when it is tried again."""
    connection.execute(
        "INSERT INTO consumer_lane (tenant, consumer, lane, parked, attempts, due_us, since_us, reason)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (tenant, consumer, lane) DO UPDATE SET parked = excluded.parked,"
        " attempts = excluded.attempts, due_us = excluded.due_us, reason = excluded.reason",
        (
            lane.tenant, name, lane.lane, int(lane.parked), lane.attempts, lane.due_us, lane.since_us, lane.reason,
        ),
    )  # fmt: skip


def drop_lane(connection: Connection, name: str, tenant: int, lane: str) -> None:
    """The lane is free again, where nothing of it is held any more."""
    connection.execute(
        "DELETE FROM consumer_lane WHERE tenant = ? AND consumer = ? AND lane = ? AND NOT EXISTS (SELECT 1 FROM"
        " consumer_held h WHERE h.tenant = consumer_lane.tenant AND h.consumer = consumer_lane.consumer"
        " AND h.lane = consumer_lane.lane)",
        (tenant, name, lane),
    )


def hold(connection: Connection, name: str, lane: str, changes: Sequence[Change], first: int = 0) -> None:
    """Keep changes for later, behind those of the lane that are kept already: ``first`` of the same commits."""
    connection.executemany(
        "INSERT INTO consumer_held (tenant, consumer, lane, position, place, type, id, version, method, patient, at_us)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        [
            (c.tenant, name, lane, c.position, place, c.type, c.id, c.version, c.method, c.patient, c.at_us)
            for place, c in enumerate(changes, first)
        ],
    )  # fmt: skip


def held(connection: Connection, name: str, tenant: int, lane: str, most: int) -> list[Change]:
    """The first changes of a lane that are kept, in order."""
    rows = connection.execute(
        "SELECT position, at_us, tenant, type, id, version, method, patient FROM consumer_held"
        " WHERE tenant = ? AND consumer = ? AND lane = ? ORDER BY position, place LIMIT ?",
        (tenant, name, lane, most),
    )
    return [Change(*row) for row in rows]


def let_go(connection: Connection, name: str, lane: str, changes: Sequence[Change]) -> None:
    """Changes that have been handled after all."""
    connection.executemany(
        "DELETE FROM consumer_held WHERE tenant = ? AND consumer = ? AND lane = ? AND position = ? AND type = ?"
        " AND id = ? AND version = ?",
        [(c.tenant, name, lane, c.position, c.type, c.id, c.version) for c in changes],
    )


def again(connection: Connection, name: str, tenant: int | None, lane: str | None) -> int:
    """Have parked lanes tried again at once; how many. None: of every tenant, every lane."""
    condition = ""
    params: list[object] = []
    if tenant is not None:
        condition, params = " AND tenant = ?", [tenant]
    if lane is not None:
        condition, params = condition + " AND lane = ?", [*params, lane]
    rows = connection.execute(
        f"UPDATE consumer_lane SET parked = 0, attempts = 0, due_us = 0 WHERE consumer = ?{condition} RETURNING 1",  # noqa: S608
        (name, *params),
    ).fetchall()
    connection.announce()
    return len(rows)


def skip(connection: Connection, name: str, tenant: int, lane: str) -> Change | None:
    """Give the first held change of a lane up, and have the rest tried; what was given up."""
    first = held(connection, name, tenant, lane, 1)
    if not first:
        return None
    let_go(connection, name, lane, first)
    again(connection, name, tenant, lane)
    return first[0]


def behind(connection: Connection, key: Key, position: int) -> tuple[int, int]:
    """Commits after ``position`` that the consumer is to see, and when the first of them was (µs; 0: none)."""
    tenant = key[0]
    condition, params = (" AND tenant = ?", [tenant]) if tenant else ("", [])
    most = -1 if tenant else _COUNTED_MOST
    bound = "" if tenant else f" LIMIT {_COUNTED_MOST}"
    counted = connection.execute(
        f"SELECT count(*) FROM (SELECT 1 FROM commits WHERE position > ?{condition}{bound}) counted",  # noqa: S608
        (position, *params),
    ).fetchone()
    if counted is not None and counted[0] == most:
        # So many are not counted each time they are asked for: positions have no gaps, but the one that a restore leaves.
        counted = connection.execute("SELECT max(position) - ? FROM commits", (position,)).fetchone()
    first = connection.execute(
        f"SELECT at_us FROM commits WHERE position > ?{condition} ORDER BY position LIMIT 1",  # noqa: S608
        (position, *params),
    ).fetchone()
    return max(0, int(counted[0])) if counted else 0, int(first[0]) if first else 0


def parked(connection: Connection) -> dict[str, int]:
    """How many lanes of each consumer are parked."""
    rows = connection.execute(
        "SELECT consumer, count(*) FROM consumer_lane WHERE parked = 1 GROUP BY consumer"
    )
    return dict(rows.fetchall())
