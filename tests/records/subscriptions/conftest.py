"""An open record on each database, whose subscribers may be on this machine."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from xinglin.kernel.database import open_database
from xinglin.records.service import Records

sys.path.insert(0, str(Path(__file__).parent))

from subscriber import SETTINGS


@pytest.fixture
def records(database_url: str) -> Iterator[Records]:
    opened = Records(open_database(database_url, durable=False), SETTINGS)
    yield opened
    opened.close()


@pytest.fixture
def small(sqlite_url: str) -> Iterator[Records]:
    opened = Records(open_database(sqlite_url, durable=False), SETTINGS)
    yield opened
    opened.close()
