"""SQL of subscriptions: what the server keeps beside the resources."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from xinglin.kernel.database import Connection
from xinglin.records.subscriptions.definition import MASK

Key = tuple[int, str]
"""Tenant and id of a Subscription."""
Due = tuple[int, int, str, str, int]
"""Position, place, type, id and version of a change that is to be told."""


@dataclass(frozen=True, slots=True)
class State:
    """What is known of a live Subscription beside its resource; see `records.feed.schema`."""

    tenant: int
    id: str
    version: int
    since: int
    matched: int
    failures: int
    failing_us: int
    due_us: int

    @property
    def key(self) -> Key:
        """Tenant and id."""
        return (self.tenant, self.id)


_COLUMNS = "tenant, id, version, since, matched, failures, failing_us, due_us"


def states(connection: Connection) -> list[State]:
    """Every Subscription that is kept up."""
    return [State(*row) for row in connection.execute(f"SELECT {_COLUMNS} FROM subscription")]  # noqa: S608


def state(connection: Connection, key: Key) -> State | None:
    """One Subscription, None where it is not kept up."""
    row = connection.execute(
        f"SELECT {_COLUMNS} FROM subscription WHERE tenant = ? AND id = ?",  # noqa: S608
        key,
    ).fetchone()
    return None if row is None else State(*row)


def keep_up(connection: Connection, key: Key, version: int, position: int, *, anew: bool) -> None:
    """Keep a Subscription up, from ``position`` on where it was not; ``anew``: as if it had never failed."""
    connection.execute(
        "INSERT INTO subscription (tenant, id, version, since, matched, failures, failing_us, due_us)"
        " VALUES (?, ?, ?, ?, 0, 0, 0, 0) ON CONFLICT (tenant, id) DO UPDATE SET version = excluded.version",
        (*key, version, position),
    )
    if anew:
        connection.execute(
            "UPDATE subscription SET failures = 0, failing_us = 0, due_us = 0 WHERE tenant = ? AND id = ?",
            key,
        )
    connection.announce()


def not_beyond(connection: Connection, last: int) -> None:
    """After a restore to an earlier moment: positions that are given anew must not count as seen."""
    for column in ("since", "matched"):
        connection.execute(f"UPDATE subscription SET {column} = ? WHERE {column} > ?", (last, last))  # noqa: S608


def forget(connection: Connection, key: Key, *, secrets: bool) -> int:
    """Keep a Subscription up no longer; the position of the newest of what waits, which is to be `clear`ed."""
    connection.execute("DELETE FROM subscription WHERE tenant = ? AND id = ?", key)
    if secrets:
        connection.execute("DELETE FROM subscription_secret WHERE tenant = ? AND id = ?", key)
    row = connection.execute(
        "SELECT max(position) FROM subscription_queue WHERE tenant = ? AND subscription = ?", key
    ).fetchone()
    return int(row[0] or 0) if row else 0


def clear(connection: Connection, key: Key, upto: int, most: int) -> bool:
    """Drop what waits up to a position, about ``most`` of it; whether there may be more."""
    row = connection.execute(
        "SELECT position FROM subscription_queue WHERE tenant = ? AND subscription = ? AND position <= ?"
        " ORDER BY position LIMIT 1 OFFSET ?",
        (*key, upto, most),
    ).fetchone()
    connection.execute(
        "DELETE FROM subscription_queue WHERE tenant = ? AND subscription = ? AND position <= ?",
        (*key, upto if row is None else row[0]),
    )
    return row is not None


def queue(connection: Connection, queued: Sequence[tuple[Key, Due]]) -> None:
    """Queue notifications; those that are there already stay as they are."""
    connection.executemany(
        "INSERT INTO subscription_queue (tenant, subscription, position, place, type, id, version)"
        " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        [(*key, *due) for key, due in queued],
    )


def set_matched(connection: Connection, matched: Mapping[Key, int], *, sockets: bool) -> None:
    """Note the newest position that each Subscription matched.

    ``sockets``: some of them are told over web sockets, which other processes hold. Where none is, nobody else is woken:
    on PostgreSQL announcements are committed one after the other, and the writers' would wait for ours (measured: writes
    at a third of their rate on a slow disk).
    """
    connection.executemany(
        "UPDATE subscription SET matched = ? WHERE tenant = ? AND id = ? AND matched < ?",
        [(position, *key, position) for key, position in matched.items()],
    )
    if sockets:
        connection.announce()


def waiting(connection: Connection) -> set[Key]:
    """The Subscriptions for which notifications wait."""
    return {
        (row[0], row[1])
        for row in connection.execute(
            "SELECT s.tenant, s.id FROM subscription s WHERE EXISTS (SELECT 1 FROM subscription_queue q"
            " WHERE q.tenant = s.tenant AND q.subscription = s.id)"
        )
    }


def due(connection: Connection, key: Key, most: int) -> list[Due]:
    """The first notifications that wait, in the order of the feed."""
    rows = connection.execute(
        "SELECT position, place, type, id, version FROM subscription_queue WHERE tenant = ? AND subscription = ?"
        " ORDER BY position, place LIMIT ?",
        (*key, most),
    )
    return [(row[0], row[1], row[2], row[3], row[4]) for row in rows]


def count_due(connection: Connection, key: Key) -> int:
    """How many notifications wait."""
    row = connection.execute(
        "SELECT count(*) FROM subscription_queue WHERE tenant = ? AND subscription = ?", key
    ).fetchone()
    return int(row[0]) if row else 0


def taken(connection: Connection, key: Key, done: Sequence[Due]) -> None:
    """The subscriber has taken these."""
    connection.executemany(
        "DELETE FROM subscription_queue WHERE tenant = ? AND subscription = ? AND position = ? AND type = ?"
        " AND id = ? AND version = ?",
        [(*key, position, type_, id_, version) for position, _, type_, id_, version in done],
    )


def set_failures(connection: Connection, key: Key, failures: int, failing_us: int, due_us: int) -> None:
    """How often in a row it failed, since when, and when to try next."""
    connection.execute(
        "UPDATE subscription SET failures = ?, failing_us = ?, due_us = ? WHERE tenant = ? AND id = ?",
        (failures, failing_us, due_us, *key),
    )


def keep_secrets(connection: Connection, key: Key, given: Mapping[str, str]) -> None:
    """Keep the header values by lower-case name; ``***`` leaves the one that is there, names not given are dropped."""
    there = secrets(connection, key)
    kept = {name: there.get(name, value) if value == MASK else value for name, value in given.items()}
    if kept != there:
        connection.execute("DELETE FROM subscription_secret WHERE tenant = ? AND id = ?", key)
        connection.executemany(
            "INSERT INTO subscription_secret (tenant, id, name, value) VALUES (?, ?, ?, ?)",
            [(*key, name, value) for name, value in kept.items()],
        )


def secrets(connection: Connection, key: Key) -> dict[str, str]:
    """The header values by lower-case name."""
    rows = connection.execute("SELECT name, value FROM subscription_secret WHERE tenant = ? AND id = ?", key)
    return dict(rows.fetchall())
