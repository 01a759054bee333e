"""A record with some patients on each database, and an export of it into a folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bulk_world import Exported, load_world
from s3_server import s3_address, s3_endpoint
from xinglin.kernel.database import open_database
from xinglin.records.bulk.exporter import Exporter, Watch
from xinglin.records.bulk.files import FolderFiles
from xinglin.records.bulk.request import Export
from xinglin.records.service import Records
from xinglin.standards.fhir.search.grammar import parse_query
from xinglin.trust import Actor, local_system

__all__ = ["export", "records", "s3_address", "s3_endpoint", "world"]
ACTOR = local_system()


@pytest.fixture
def records(database_url: str) -> Iterator[Records]:
    opened = Records(open_database(database_url, durable=False))
    opened.set_tenant(2, "second", "UTC")
    yield opened
    opened.close()


@pytest.fixture
def world(records: Records) -> Records:
    load_world(records, ACTOR)
    return records


Run = Callable[..., Exported]


@pytest.fixture
def export(records: Records, tmp_path: Path) -> Run:
    """Export into a new folder; what is in its files."""
    numbers = iter(range(1000))

    def run(
        asked: Export | None = None, *, actor: Actor = ACTOR, watch: Watch | None = None, **options: Any
    ) -> Exported:
        folder = tmp_path / f"export-{next(numbers)}"
        exporter = Exporter(
            records,
            actor,
            asked or Export(),
            FolderFiles(folder),
            ask=lambda kind, pairs: parse_query(kind, pairs, strict=True),
            watch=watch,
            **options,
        )
        return Exported(exporter.run(), folder)

    return run
