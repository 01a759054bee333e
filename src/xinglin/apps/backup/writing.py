"""Versions of a backup into the tables of the record: as they were, with index rows drawn by today's rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby, pairwise
from typing import Any

from xinglin.apps.backup import repository
from xinglin.apps.backup.form import Version
from xinglin.kernel.database import Connection
from xinglin.records import repository as records_repository
from xinglin.records.bodies import compress
from xinglin.records.index.rows import IndexRows
from xinglin.records.repository import LIVE
from xinglin.records.rows import repository as rows_repository
from xinglin.records.rows.repository import NOBODY, SEVERAL
from xinglin.records.service import Records


def put_versions(
    connection: Connection, records: Records, rows: Sequence[Version], *, owners: bool = False
) -> None:
    """Write ``rows`` over what is there; those that are there already are passed over.

    ``owners``: draw the owning patient of superseded versions anew, too. Segments need that: the number of a patient who is named
    but not in the record may be another one now.
    """
    for tenant in sorted({row.tenant for row in rows}):
        mine = sorted((row for row in rows if row.tenant == tenant), key=lambda row: (row.rid, row.version))
        _put(connection, records, tenant, mine, owners)


def _put(
    connection: Connection, records: Records, tenant: int, rows: Sequence[Version], owners: bool
) -> None:
    from xinglin.records.index.signature import index_signature

    context = records.context(tenant)
    there = records_repository.current(connection, tenant, sorted({row.rid for row in rows}))
    last: list[Version] = []
    older: list[tuple[Version, int]] = []  # and until when each held
    until: dict[int, list[int]] = {}  # of those in the tables now
    for rid, of_one in groupby(rows, key=lambda row: row.rid):
        before = there.get(rid)
        new = [row for row in of_one if before is None or row.version > before.version]
        if not new:
            continue
        if before is not None:
            until.setdefault(new[0].updated, []).append(rid)
        older += [(row, later.updated) for row, later in pairwise(new)]
        last.append(new[-1])
    for until_us, rids in until.items():
        records_repository.supersede(connection, tenant, rids, until_us)
        rows_repository.delete(connection, tenant, rids)
    drawn = [(row.rid, _drawn(row, context)) for row in last]
    batch = rows_repository.resolve(connection, records.ledger, tenant, drawn)
    current = [
        (
            row.rid, tenant, row.type, row.id, row.version, row.tx, row.updated, row.state, row.method,
            patient if row.body is not None else row.patient,
            index_signature(row.type, context.zone if row.body is not None else "UTC"),
            None if row.body is None else compress(row.body),
        )
        for row, patient in zip(last, batch.patients, strict=True)
    ]  # fmt: skip
    records_repository.insert(connection, [row for row in current if row[0] not in there])
    replaced = [row for row in current if row[0] in there]
    if replaced:
        records_repository.replace(connection, replaced)
    rows_repository.insert(connection, batch)
    if older:
        patients = _owners(connection, records, tenant, [row for row, _ in older]) if owners else None
        repository.add_history(connection, [_history(row, until_us, patients) for row, until_us in older])


def _history(row: Version, until_us: int, patients: Mapping[tuple[int, int], int] | None) -> tuple[Any, ...]:
    patient = row.patient if patients is None else patients.get((row.rid, row.version), row.patient)
    body = None if row.body is None else compress(row.body)
    return (
        row.rid, row.version, row.tenant, row.type, row.id, row.tx, row.updated, until_us, row.state, row.method,
        patient, body,
    )  # fmt: skip


def _drawn(row: Version, context: Any) -> IndexRows:
    from xinglin.records.index.extract import extract
    from xinglin.standards.fhir.parse import parse

    return IndexRows() if row.body is None or row.state != LIVE else extract(parse(row.body), context)


def _owners(
    connection: Connection, records: Records, tenant: int, rows: Sequence[Version]
) -> dict[tuple[int, int], int]:
    """Of each version that has an owner and a body: rid of its one Patient, or SEVERAL."""
    context = records.context(tenant)
    owned = {
        (row.rid, row.version): _drawn(row, context).patients
        for row in rows
        if row.patient > NOBODY and row.body is not None
    }
    names = {("Patient", patient) for patients in owned.values() for patient in patients}
    rids = records.ledger.entities(connection, tenant, names)
    return {
        key: rids["Patient", patients[0]] if len(patients) == 1 else SEVERAL if patients else NOBODY
        for key, patients in owned.items()
    }
