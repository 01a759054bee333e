"""Databases as the first release left them, to migrate from."""

from __future__ import annotations

import random

import pytest

from random_record import ACTOR, body
from xinglin.kernel.database import Connection, open_database
from xinglin.records import schema
from xinglin.records.service import Records
from xinglin.records.stored import Operation

TABLES_1 = ("tenant", "entity", "resource", "history", "resource_patient", "commits", "term")
"""Of schema 1, and enough of them: a migration reads no others."""


def columns_of(connection: Connection, table: str) -> list[str]:
    return [name for name, *_ in connection.execute(f"SELECT * FROM {table} LIMIT 0").description]


Copied = dict[str, tuple[list[str], list[tuple[object, ...]]]]


def copied(connection: Connection) -> Copied:
    """The rows of each table, their columns in the order of names: each engine has its own."""
    found: Copied = {}
    for table in (*TABLES_1, "history_patient", "history_reference"):
        names = sorted(columns_of(connection, table))
        rows = connection.execute(f"SELECT {', '.join(names)} FROM {table}").fetchall()
        found[table] = names, sorted((tuple(row) for row in rows), key=repr)
    return found


def as_of_schema_1(url: str, monkeypatch: pytest.MonkeyPatch, versions: int) -> Copied:
    """A database of schema 1 with so many superseded versions; what it must hold once it is migrated."""
    with open_database("sqlite://", durable=False) as scratch:
        records = Records(scratch)
        chance = random.Random(6)
        names = [(kind, f"{kind[0].lower()}{n}") for kind in ("Patient", "Observation") for n in range(100)]
        for _ in range(versions // len(names) + 1):
            records.write(
                ACTOR, [Operation("update", kind, id_, body(kind, id_, chance)) for kind, id_ in names]
            )
        with scratch.read() as connection:
            kept = copied(connection)
    with monkeypatch.context() as older:
        older.setattr(schema, "SCHEMA_VERSION", 1)
        older.setattr(schema, "STEPS", schema.STEPS[:1])
        with open_database(url, durable=False) as database:
            schema.migrate(database)

            def unit(connection: Connection) -> None:
                connection.execute("DELETE FROM tenant")
                for table in TABLES_1:
                    names, rows = kept[table]
                    there = columns_of(connection, table)
                    places = [names.index(name) for name in there]
                    connection.insert(table, there, [tuple(row[at] for at in places) for row in rows])

            database.write(unit)
    return kept
