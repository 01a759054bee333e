"""A real subscriber on this machine: it answers as it is told and remembers what it was sent."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from xinglin.kernel.settings import Settings
from xinglin.records.consumers import consumers as of_record
from xinglin.records.feed import Consumers
from xinglin.records.service import Records
from xinglin.records.site import Site
from xinglin.records.stored import Stored
from xinglin.trust import local_system

HERE = local_system()
SETTINGS = Settings(subscription_loopback=True, subscription_timeout_s=1.0)


@dataclass
class Sent:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    at: float


@dataclass
class Subscriber:
    status: int = 200
    delay_s: float = 0.0
    refuses: set[str] = field(default_factory=set)  # ids of resources that are answered with 500
    sent: list[Sent] = field(default_factory=list)

    def __enter__(self) -> Subscriber:
        ours = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                ours.sent.append(Sent(self.command, self.path, headers, body, time.time()))
                time.sleep(ours.delay_s)
                refused = body and json.loads(body)["id"] in ours.refuses
                self.send_response(500 if refused else ours.status)
                if ours.status == 302:
                    self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def do_PUT(self) -> None:
                self.do_POST()

            def log_message(self, *_: Any) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/in"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()

    def ids(self) -> list[str]:
        return [json.loads(one.body)["id"] for one in self.sent if one.body]


def running(records: Records) -> Consumers:
    site = Site(records, records.settings)
    return Consumers(site, of_record(site), lease_s=2.0)


def subscription(criteria: str, endpoint: str = "", **changes: Any) -> dict[str, Any]:
    channel: dict[str, Any] = {"type": "rest-hook", "endpoint": endpoint, "payload": "application/fhir+json"}
    if not endpoint:
        channel = {"type": "websocket"}
    channel |= changes.pop("channel", {})
    channel = {name: value for name, value in channel.items() if value is not None}
    return {
        "resourceType": "Subscription", "status": "requested", "reason": "test", "criteria": criteria,
        "channel": channel, **changes,
    }  # fmt: skip


def subscribe(records: Records, criteria: str, endpoint: str = "", **changes: Any) -> Stored:
    return records.create(
        HERE, "Subscription", json.dumps(subscription(criteria, endpoint, **changes)).encode()
    )


def shown(records: Records, id_: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(records.read(HERE, "Subscription", id_).body)
    return found


def observe(records: Records, code: str = "4548-4", patient: str = "p") -> Stored:
    body = {
        "resourceType": "Observation", "status": "final", "subject": {"reference": f"Patient/{patient}"},
        "code": {"coding": [{"system": "http://loinc.org", "code": code}]},
    }  # fmt: skip
    return records.create(HERE, "Observation", json.dumps(body).encode())


def until(what: Callable[[], Any], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)
