"""One server for all clients of a test module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from journeys.clients.server import ServerProcess


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a FHIR endpoint, such as ``http://127.0.0.1:40123/fhir``."""
    with ServerProcess(tmp_path_factory.mktemp("clients")) as address:
        yield address
