"""SQL of the index tables: rows of live resources go in with the resource and out with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from xinglin.kernel.database import Connection
from xinglin.records.identity import Ledger
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


def resolve(
    connection: Connection, ledger: Ledger, tenant: int, resources: Sequence[tuple[int, IndexRows]]
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
