"""Write the fixture database of the present schema version: what a later program must be able to open.

    python tools/make_fixture_database.py    # tests/fixtures/db-v1.sqlite.gz

Run once, when a schema version is released; a fixture once committed is never made anew.
"""

from __future__ import annotations

import gzip
import sys
import tempfile
from pathlib import Path

from xinglin.records.schema import SCHEMA_VERSION
from xinglin.records.service import open_records
from xinglin.trust import local_system

FOLDER = Path(__file__).resolve().parents[1] / "tests" / "fixtures"


def patient(id_: str, family: str, gender: str) -> bytes:
    return (
        f'{{"resourceType":"Patient","id":"{id_}","identifier":[{{"system":"urn:mrn","value":"{id_}"}}],'
        f'"name":[{{"family":"{family}"}}],"gender":"{gender}"}}'
    ).encode()


def main(output: str | None = None) -> None:
    """Two tenants, a history, a deletion, references, a quantity; the full text caught up."""
    here, there = local_system(1), local_system(2)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.db"
        records = open_records(f"sqlite:///{path}")
        records.set_tenant(2, "second", "Asia/Shanghai")
        records.update(here, "Patient", "a", patient("a", "张", "male"))
        records.update(here, "Patient", "a", patient("a", "张伟", "male"))
        records.update(here, "Patient", "gone", patient("gone", "Li", "female"))
        records.delete(here, "Patient", "gone")
        records.update(there, "Patient", "a", patient("a", "Miller", "female"))
        records.update(
            here,
            "Observation",
            "o",
            b'{"resourceType":"Observation","id":"o","status":"final","code":{"coding":[{"system":"http://loinc.org",'
            b'"code":"4548-4","display":"HbA1c"}]},"subject":{"reference":"Patient/a"},"effectiveDateTime":"2024-02-29",'
            b'"valueQuantity":{"value":7.10,"unit":"%","system":"http://unitsofmeasure.org","code":"%"}}',
        )
        records.fulltext.catch_up()
        records.database.exclusively(lambda c: c.execute("VACUUM"))
        records.close()
        target = Path(output) if output else FOLDER / f"db-v{SCHEMA_VERSION}.sqlite.gz"
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(gzip.compress(path.read_bytes(), mtime=0))
        print(f"{target}: {target.stat().st_size} bytes")


if __name__ == "__main__":
    main(*sys.argv[1:])
