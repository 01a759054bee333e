"""An open record on each database, and two tenants in it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from xinglin.kernel.database import open_database
from xinglin.records.service import Records
from xinglin.trust import Actor, local_system


@pytest.fixture
def records(database_url: str) -> Iterator[Records]:
    opened = Records(open_database(database_url, durable=False))
    opened.set_tenant(2, "second", "UTC")
    yield opened
    opened.close()


@pytest.fixture
def here() -> Actor:
    return local_system(1)


@pytest.fixture
def there() -> Actor:
    return local_system(2)
