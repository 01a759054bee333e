"""Versions of a backup into the tables of the record: as they were, with index rows drawn by today's rules."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from xinglin.apps.backup.form import Version
from xinglin.kernel.database import Connection
from xinglin.records import repository as records_repository
from xinglin.records.bodies import compress
from xinglin.records.index.rows import IndexContext, IndexRows
from xinglin.records.past.repository import keep_links
from xinglin.records.repository import LIVE
from xinglin.records.rows import repository as rows_repository
from xinglin.records.service import Records


def put_versions(connection: Connection, records: Records, rows: Sequence[Version]) -> None:
    """Write ``rows`` over what is there, in the order of versions; those that are there already are passed over."""
    for tenant in sorted({row.tenant for row in rows}):
        mine = sorted((row for row in rows if row.tenant == tenant), key=lambda row: (row.rid, row.version))
        there = records_repository.current(connection, tenant, sorted({row.rid for row in mine}))
        waves: list[list[tuple[Version, bool]]] = []
        for rid, of_one in groupby(mine, key=lambda row: row.rid):
            before = there.get(rid)
            new = [row for row in of_one if before is None or row.version > before.version]
            for number, row in enumerate(new):
                if number == len(waves):
                    waves.append([])
                waves[number].append((row, number == len(new) - 1))
        for number, wave in enumerate(waves):
            known = {row.rid for row, _ in wave} if number else set(there)
            _put(connection, records, tenant, wave, known)


def _put(
    connection: Connection,
    records: Records,
    tenant: int,
    wave: Sequence[tuple[Version, bool]],
    known: set[int],
) -> None:
    """One version each of some resources, over those ``known``; with the flag: the last one, to be found by searches."""
    until: dict[int, list[int]] = {}
    for row, _ in wave:
        if row.rid in known:
            until.setdefault(row.updated, []).append(row.rid)
    for until_us, rids in until.items():
        keep_links(connection, tenant, rids)
        records_repository.supersede(connection, tenant, rids, until_us)
        rows_repository.delete(connection, tenant, rids)
    context = records.context(tenant)
    drawn = [(row.rid, _drawn(row, context, last)) for row, last in wave]
    batch = rows_repository.resolve(connection, records.ledger, tenant, drawn)
    current = [
        (
            row.rid, tenant, row.type, row.id, row.version, row.tx, row.updated, row.state, row.method,
            patient if row.body is not None else row.patient,
            _signature(row, rows),
            None if row.body is None else compress(row.body),
        )
        for (row, _), patient, (_, rows) in zip(wave, batch.patients, drawn, strict=True)
    ]  # fmt: skip
    records_repository.insert(connection, [row for row in current if row[0] not in known])
    replaced = [row for row in current if row[0] in known]
    if replaced:
        records_repository.replace(connection, replaced)
    rows_repository.insert(connection, batch)


def _drawn(row: Version, context: IndexContext, last: bool) -> IndexRows:
    """Index rows; of a version that the next one supersedes at once only what history keeps of them."""
    from xinglin.records.index.extract import extract
    from xinglin.standards.fhir.parse import parse

    if row.body is None or row.state != LIVE:
        return IndexRows()
    rows = extract(parse(row.body), context)
    if last:
        return rows
    kept = IndexRows(zone=rows.zone)
    kept.references, kept.patients = rows.references, rows.patients
    return kept


def _signature(row: Version, rows: IndexRows) -> Any:
    from xinglin.records.index.signature import index_signature

    return index_signature(row.type) if row.body is None else index_signature(row.type, rows.zone, rows.own)
