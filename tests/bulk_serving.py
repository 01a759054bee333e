"""A server with a worker for tests of the REST side, and a server of files that can fail."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

from xinglin.apps.api.app import create_app
from xinglin.apps.api.server import listen, uvicorn_server
from xinglin.apps.assemble import gathered
from xinglin.jobs import Worker
from xinglin.kernel.settings import Settings
from xinglin.records.service import Records
from xinglin.records.site import Site

ASYNC = {"Prefer": "respond-async", "Accept": "application/fhir+json"}


class Place:
    """A server, and a worker that runs when it is told to."""

    def __init__(self, records: Records, settings: Settings, address: str) -> None:
        self.site = Site(records, settings)
        self.records = records
        self.address = address
        self.worker = Worker(self.site.queue, gathered(self.site, "jobs"))
        self.http = httpx.Client(base_url=f"{address}/fhir", timeout=30)

    def kick_off(self, path: str, **options: Any) -> str:
        answer = self.http.get(path, headers=ASYNC | options.pop("headers", {}), **options)
        assert answer.status_code == 202, answer.text
        found: str = answer.headers["content-location"]
        return found

    def done(self, path: str, **options: Any) -> dict[str, Any]:
        """The manifest of an export."""
        return self.ended(self.kick_off(path, **options))

    def ended(self, place: str) -> dict[str, Any]:
        """The manifest behind an address, once the worker has run."""
        self.worker.run_pending()
        answer = self.http.get(place)
        assert answer.status_code == 200, answer.text
        manifest: dict[str, Any] = answer.json()
        return manifest

    def resources(self, manifest: dict[str, Any]) -> list[dict[str, Any]]:
        found = []
        for file in manifest["output"]:
            lines = self.http.get(file["url"]).text.strip("\n").split("\n")
            assert len(lines) == file["count"]
            found += [json.loads(line) for line in lines]
        return found


@contextmanager
def serving(records: Records, settings: Settings) -> Iterator[Place]:
    app = create_app(records, settings)
    up = threading.Event()
    listener = listen("127.0.0.1", 0)
    server = uvicorn_server(app, up.set)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    assert up.wait(20)
    found = Place(records, settings, f"http://127.0.0.1:{listener.getsockname()[1]}")
    try:
        yield found
    finally:
        found.http.close()
        server.should_exit = True
        thread.join(20)
        app.close()


class FileServer:
    """Serves ``files``; ``breaks`` says how many answers of a path end after half of their bytes, or with a status."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.breaks: dict[str, list[int | str]] = {}
        self.headers: dict[str, dict[str, str]] = {}
        self.asked: list[tuple[str, str | None]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.answer(self)

            def log_message(self, *args: Any) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.address = f"http://127.0.0.1:{self._server.server_port}"

    def answer(self, to: BaseHTTPRequestHandler) -> None:
        ranged = to.headers.get("Range")
        self.asked.append((to.path, ranged))
        planned = self.breaks.get(to.path, [])
        fault = planned.pop(0) if planned else None
        if isinstance(fault, str):
            to.send_response(302)
            to.send_header("Location", fault)
            to.end_headers()
            return
        if (fault and fault != 1) or to.path not in self.files:
            to.send_error(fault or 404)
            return
        body = self.files[to.path]
        start = int(ranged.removeprefix("bytes=").rstrip("-")) if ranged else 0
        to.send_response(206 if ranged else 200)
        to.send_header("Content-Length", str(len(body) - start))
        to.send_header("ETag", '"x"')
        for name, value in self.headers.get(to.path, {}).items():
            to.send_header(name, value)
        to.end_headers()
        body = body[start:]
        if fault == 1:
            to.wfile.write(body[: len(body) // 2])
            to.wfile.flush()
            to.connection.close()
            return
        to.wfile.write(body)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
