"""The tables of the time machine, as schema step 2 of the record makes them on both databases.

history_patient
    The patients of superseded versions that have several (``history.patient`` -1), as `resource_patient` has those of
    current ones.
history_reference
    What superseded versions refer to, whatever the parameter, so that what referred to a resource in the past is found.
history_by_patient
    Superseded versions of one patient by when they were superseded: "as of" is one range of it. The current versions are
    found by the reference index, so that an import pays for nothing here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from xinglin.kernel.database import Connection, Row, run_script

_SQLITE: Final = """
CREATE TABLE history_patient (
  tenant INTEGER NOT NULL, patient INTEGER NOT NULL, rid INTEGER NOT NULL, version INTEGER NOT NULL,
  PRIMARY KEY (tenant, patient, rid, version)) WITHOUT ROWID;
CREATE TABLE history_reference (
  tenant INTEGER NOT NULL, target INTEGER NOT NULL, rid INTEGER NOT NULL, version INTEGER NOT NULL,
  PRIMARY KEY (tenant, target, rid, version)) WITHOUT ROWID;
CREATE INDEX history_by_patient ON history (tenant, patient, until_us, updated_us) WHERE patient > 0;
"""

_POSTGRESQL: Final = """
CREATE TABLE history_patient (
  patient BIGINT NOT NULL, rid BIGINT NOT NULL, tenant INTEGER NOT NULL, version INTEGER NOT NULL,
  PRIMARY KEY (tenant, patient, rid, version));
CREATE TABLE history_reference (
  target BIGINT NOT NULL, rid BIGINT NOT NULL, tenant INTEGER NOT NULL, version INTEGER NOT NULL,
  PRIMARY KEY (tenant, target, rid, version));
CREATE INDEX history_by_patient ON history (tenant, patient, until_us, updated_us) WHERE patient > 0;
"""


def create(connection: Connection) -> None:
    """Make the tables, inside the transaction of the migration, and fill them from the history that is there."""
    run_script(connection, _SQLITE if connection.dialect == "sqlite" else _POSTGRESQL)
    _fill(connection)


def _fill(connection: Connection) -> None:
    """What superseded versions refer to, and the patients of those that have several, read from their bodies.

    About 10,000 versions a second: step 1 kept neither.
    """
    tenants: dict[int, str] = dict(connection.execute("SELECT tenant, zone FROM tenant").fetchall())
    after = (0, 0, 0)
    while True:
        rows = connection.execute(
            "SELECT tenant, rid, version, patient, body FROM history WHERE body IS NOT NULL"
            " AND (tenant, rid, version) > (?, ?, ?) ORDER BY tenant, rid, version LIMIT 500",
            after,
        ).fetchall()
        if not rows:
            return
        after = rows[-1][:3]
        for tenant in {row[0] for row in rows}:
            zone = tenants.get(tenant, "UTC")
            _fill_some(connection, tenant, zone, [row[1:] for row in rows if row[0] == tenant])


def _fill_some(connection: Connection, tenant: int, zone: str, rows: Sequence[Row]) -> None:
    from xinglin.records.bodies import decompress
    from xinglin.records.clip import clip_code
    from xinglin.records.identity.repository import find_entities
    from xinglin.records.index.extract import extract
    from xinglin.records.index.rows import IndexContext
    from xinglin.standards.fhir.parse import parse

    drawn = []
    for rid, version, patient, frame in rows:
        found = extract(parse(decompress(frame)), IndexContext(zone=zone))
        targets = {(kind, clip_code(id_)) for _, kind, id_ in found.references}
        drawn.append((rid, version, targets, {("Patient", id_) for id_ in found.patients if patient < 0}))
    names = sorted({name for _, _, targets, patients in drawn for name in targets | patients})
    numbers = find_entities(connection, tenant, names)
    for place, table, column in ((2, "history_reference", "target"), (3, "history_patient", "patient")):
        kept = {
            (tenant, numbers[name], one[0], one[1]) for one in drawn for name in one[place] if name in numbers
        }
        connection.insert(table, ("tenant", column, "rid", "version"), sorted(kept))
