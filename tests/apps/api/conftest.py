"""A server of its own for each test module: the real one, on a free loopback port, over a temporary database."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from xinglin.apps.api.app import create_app
from xinglin.apps.api.server import listen, uvicorn_server
from xinglin.kernel.settings import Settings
from xinglin.records.service import open_records

SETTINGS = Settings(
    body_limit_bytes=400_000, bundle_limit=50, page_size=10, page_size_max=100, time_zone="UTC"
)


@contextmanager
def running(url: str) -> Iterator[str]:
    """A server over the database at ``url``; its address, such as ``http://127.0.0.1:40123``."""
    records = open_records(url, SETTINGS)
    app = create_app(records, SETTINGS)
    up = threading.Event()
    listener = listen("127.0.0.1", 0)
    server = uvicorn_server(app, up.set)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        assert up.wait(20)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(20)
        app.close()
        records.close()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The server's address."""
    with running(f"sqlite:///{tmp_path_factory.mktemp('server')}/x.db") as found:
        yield found


@pytest.fixture(scope="module")
def http(address: str) -> Iterator[httpx.Client]:
    """A client of the FHIR endpoint."""
    with httpx.Client(base_url=f"{address}/fhir", timeout=30) as client:
        yield client
