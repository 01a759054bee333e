"""Records to import into, on both databases, and a folder of files apart from them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from importing import House, opened


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    """A folder of files to import, apart from database and rejects."""
    (tmp_path / "inbox").mkdir()
    return tmp_path / "inbox"


@pytest.fixture
def house(database_url: str, tmp_path: Path) -> Iterator[House]:
    yield from opened(database_url, tmp_path)


@pytest.fixture
def lite(sqlite_url: str, tmp_path: Path) -> Iterator[House]:
    """On SQLite only: for what does not depend on the database."""
    yield from opened(sqlite_url, tmp_path)
