"""An open record on each database, and who works in it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from drafts.patients import Ward
from xinglin.kernel.database import open_database
from xinglin.records.service import Records


@pytest.fixture
def ward(database_url: str) -> Iterator[Ward]:
    records = Records(open_database(database_url, durable=False))
    yield Ward(records)
    records.close()


@pytest.fixture
def small_ward(sqlite_url: str) -> Iterator[Ward]:
    records = Records(open_database(sqlite_url, durable=False))
    yield Ward(records)
    records.close()
