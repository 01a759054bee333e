"""The tables of the time machine, as schema step 2 of the record makes them on both databases.

history_patient
    The patients of superseded versions that have several (``history.patient`` -1), as `resource_patient` has those of
    current ones.
history_by_patient
    Superseded versions of one patient by when they were superseded: "as of" is one range of it. The current versions are
    found by the reference index, so that an import pays for nothing here.
"""

from __future__ import annotations

from typing import Final

from xinglin.kernel.database import Connection, run_script

_SQLITE: Final = """
CREATE TABLE history_patient (
  tenant INTEGER NOT NULL, patient INTEGER NOT NULL, rid INTEGER NOT NULL, version INTEGER NOT NULL,
  PRIMARY KEY (tenant, patient, rid, version)) WITHOUT ROWID;
CREATE INDEX history_by_patient ON history (tenant, patient, until_us, updated_us) WHERE patient > 0;
"""

_POSTGRESQL: Final = """
CREATE TABLE history_patient (
  patient BIGINT NOT NULL, rid BIGINT NOT NULL, tenant INTEGER NOT NULL, version INTEGER NOT NULL,
  PRIMARY KEY (tenant, patient, rid, version));
CREATE INDEX history_by_patient ON history (tenant, patient, until_us, updated_us) WHERE patient > 0;
"""


def create(connection: Connection) -> None:
    """Make the tables, inside the transaction of the migration, and fill them from the history that is there."""
    run_script(connection, _SQLITE if connection.dialect == "sqlite" else _POSTGRESQL)
    _fill(connection)


def _fill(connection: Connection) -> None:
    """The patients of superseded versions that have several, read from their bodies: no table of step 1 keeps them."""
    after = (0, 0, 0)
    while True:
        rows = connection.execute(
            "SELECT tenant, rid, version, body FROM history WHERE patient = -1 AND body IS NOT NULL"
            " AND (tenant, rid, version) > (?, ?, ?) ORDER BY tenant, rid, version LIMIT 500",
            after,
        ).fetchall()
        if not rows:
            return
        after = rows[-1][:3]
        found = [
            (tenant, patient, rid, version)
            for tenant, rid, version, body in rows
            for patient in _patients(connection, tenant, body)
        ]
        connection.insert("history_patient", ("tenant", "patient", "rid", "version"), found)


def _patients(connection: Connection, tenant: int, frame: bytes) -> list[int]:
    from xinglin.records.bodies import decompress
    from xinglin.records.identity.repository import find_entities
    from xinglin.records.index.extract import extract
    from xinglin.records.index.rows import IndexContext
    from xinglin.standards.fhir.parse import parse

    names = [("Patient", id_) for id_ in extract(parse(decompress(frame)), IndexContext()).patients]
    return sorted(find_entities(connection, tenant, names).values())
