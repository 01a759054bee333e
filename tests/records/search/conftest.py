"""A shelf of hand-made resources on each database."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from shelf import Shelf


@pytest.fixture
def shelf(database_url: str) -> Iterator[Shelf]:
    """An empty record."""
    made = Shelf(database_url)
    yield made
    made.close()
