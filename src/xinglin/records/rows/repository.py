"""SQL of the index tables: rows of live resources go in with the resource and out with it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from xinglin.kernel.database import Connection
from xinglin.records.index.rows import IndexRows

COLUMNS: Final[dict[str, tuple[str, ...]]] = {
    "ix_token": ("rid", "param", "value", "patient", "tenant"),
    "ix_reference": ("rid", "param", "target", "tenant"),
    "ix_string": ("rid", "param", "norm", "exact", "kind", "tenant"),
    "ix_date": ("rid", "param", "low", "high", "patient", "tenant"),
    "ix_quantity": ("rid", "param", "unit", "low", "high", "tenant"),
    "ix_pair": ("rid", "param", "a", "b", "low", "high", "text", "patient", "tenant"),
    "resource_patient": ("rid", "patient", "tenant"),
}
NOBODY: Final = 0
SEVERAL: Final = -1


@dataclass(slots=True)
class Batch:
    """Rows of several resources, table by table, in numbers."""

    tables: dict[str, list[tuple[Any, ...]]]
    patients: list[int]
    """Of each resource, in the order given: rid of its one Patient, NOBODY or SEVERAL."""


class Numbers(Protocol):
    """Who knows the numbers of names: the Ledger, which gives new ones, or who only looks."""

    def terms(
        self, connection: Connection, tenant: int, terms: Iterable[tuple[str, str, str]]
    ) -> Mapping[tuple[str, str, str], int]:
        """See Ledger."""
        ...

    def entities(
        self, connection: Connection, tenant: int, names: Iterable[tuple[str, str]]
    ) -> Mapping[tuple[str, str], int]:
        """See Ledger."""
        ...


def resolve(
    connection: Connection, ledger: Numbers, tenant: int, resources: Sequence[tuple[int, IndexRows]]
) -> Batch:
    """The index rows of ``(rid, rows)`` with every name as its number."""
    terms = {row[1:] for _, rows in resources for row in rows.tokens}
    names = {row[1:] for _, rows in resources for row in rows.references}
    names |= {("Patient", patient) for _, rows in resources for patient in rows.patients}
    terms |= {(row[1], row[2], "") for _, rows in resources for row in rows.quantities if row[1] or row[2]}
    sides: set[Any] = {pair[1] for _, rows in resources for pair in rows.pairs}
    sides |= {pair[2] for _, rows in resources for pair in rows.pairs}
    for side in sides:
        if side is not None:
            (terms if len(side) == 3 else names).add(side)
    values = ledger.terms(connection, tenant, terms)
    rids = ledger.entities(connection, tenant, names)

    tokens: list[tuple[Any, ...]] = []
    references: list[tuple[Any, ...]] = []
    strings: list[tuple[Any, ...]] = []
    dates: list[tuple[Any, ...]] = []
    quantities: list[tuple[Any, ...]] = []
    pairs: list[tuple[Any, ...]] = []
    owners: list[tuple[Any, ...]] = []
    patients: list[int] = []
    for rid, rows in resources:
        patient = NOBODY
        if rows.patients:
            if len(rows.patients) == 1:
                patient = rids["Patient", rows.patients[0]]
            else:
                patient = SEVERAL
                owners += [(rid, rids["Patient", one], tenant) for one in rows.patients]
        patients.append(patient)
        tokens += [(rid, row[0], values[row[1:]], patient, tenant) for row in rows.tokens]
        references += [(rid, row[0], rids[row[1:]], tenant) for row in rows.references]
        dates += [(rid, param, low, high, patient, tenant) for param, low, high in rows.dates]
        if rows.strings:
            strings += [(rid, *row, tenant) for row in rows.strings]
        if rows.quantities:
            quantities += [
                (rid, param, values[system, code, ""] if system or code else 0, low, high, tenant)
                for param, system, code, low, high in rows.quantities
            ]
        for param, a, b, low, high, text in rows.pairs:
            left = values[a] if len(a) == 3 else rids[a]
            right = 0 if b is None else values[b]
            pairs.append((rid, param, left, right, low, high, text, patient, tenant))
    return Batch(
        {
            "ix_token": tokens,
            "ix_reference": references,
            "ix_string": strings,
            "ix_date": dates,
            "ix_quantity": quantities,
            "ix_pair": pairs,
            "resource_patient": owners,
        },
        patients,
    )


_INSERT: Final = {
    table: f"INSERT OR IGNORE INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"  # noqa: S608
    for table, columns in COLUMNS.items()
}


def insert(connection: Connection, batch: Batch) -> None:
    """Write the rows; their resources have none yet."""
    for table, rows in batch.tables.items():
        if not rows:
            continue
        if connection.dialect == "sqlite":
            # Two long codes may become one row when cut to the length of the index.
            connection.executemany(_INSERT[table], rows)
        else:
            if table == "resource_patient":
                rows = list(dict.fromkeys(rows))
            connection.insert(table, COLUMNS[table], rows)


def delete(connection: Connection, tenant: int, rids: Sequence[int]) -> None:
    """Take away all index rows of these resources."""
    for table in COLUMNS:
        if connection.dialect == "sqlite":
            connection.executemany(f"DELETE FROM {table} WHERE rid = ?", [(rid,) for rid in rids])  # noqa: S608
        else:
            connection.execute(
                f"DELETE FROM {table} WHERE tenant = ? AND rid = ANY(?::bigint[])",  # noqa: S608
                (tenant, list(rids)),
            )


PARAM_TABLES: Final = tuple(table for table in COLUMNS if table != "resource_patient")


def delete_under(connection: Connection, tenant: int, rids: Sequence[int], params: Sequence[int]) -> None:
    """Take away the rows that these resources have under these parameters."""
    for table in PARAM_TABLES:
        if connection.dialect == "sqlite":
            connection.executemany(
                f"DELETE FROM {table} WHERE rid = ? AND param = ?",  # noqa: S608
                [(rid, param) for rid in rids for param in params],
            )
        else:
            connection.execute(
                f"DELETE FROM {table} WHERE tenant = ? AND rid = ANY(?::bigint[]) AND param = ANY(?::integer[])",  # noqa: S608
                (tenant, list(rids), list(params)),
            )


def under(
    connection: Connection, tenant: int, rids: Sequence[int], params: Sequence[int] | None
) -> dict[str, list[tuple[Any, ...]]]:
    """Table by table the rows that these resources have, under these parameters or (None) all."""
    found: dict[str, list[tuple[Any, ...]]] = {}
    chosen = "" if params is None else f" AND param IN ({', '.join('?' * len(params))})"
    for table in COLUMNS:
        if table == "resource_patient":
            continue
        # The planner would take the index by parameter, and read all rows of one.
        by_rid = f" INDEXED BY sqlite_autoindex_{table}_1" if connection.dialect == "sqlite" else ""
        rows: list[tuple[Any, ...]] = []
        for start in range(0, len(rids), 250):
            part = rids[start : start + 250]
            rows += connection.execute(
                f"SELECT {', '.join(COLUMNS[table])} FROM {table}{by_rid} WHERE tenant = ?"  # noqa: S608
                f" AND rid IN ({', '.join('?' * len(part))}){chosen}",
                (tenant, *part, *(params or ())),
            ).fetchall()
        found[table] = rows
    return found


def count_under(connection: Connection, tenant: int, params: Sequence[int]) -> tuple[int, int]:
    """How many rows there are under these parameters, and how many resources have any."""
    rows = resources = 0
    for table in PARAM_TABLES:
        for param in params:
            row = connection.execute(
                f"SELECT count(*), count(DISTINCT rid) FROM {table} WHERE tenant = ? AND param = ?",  # noqa: S608
                (tenant, param),
            ).fetchone()
            rows += int(row[0]) if row else 0
            resources = max(resources, int(row[1]) if row else 0)
    return rows, resources


def rids_under(connection: Connection, tenant: int, params: Sequence[int], most: int) -> list[int]:
    """At most about ``most`` resources that have rows under these parameters."""
    found: set[int] = set()
    for table in PARAM_TABLES:
        for param in params:
            if len(found) < most:
                found |= {
                    row[0]
                    for row in connection.execute(
                        f"SELECT DISTINCT rid FROM {table} WHERE tenant = ? AND param = ? LIMIT ?",  # noqa: S608
                        (tenant, param, most - len(found)),
                    )
                }
    return sorted(found)
