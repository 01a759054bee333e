"""/api/jobs: what the page asks and what it is told by events."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from xinglin.apps.api.app import create_app
from xinglin.apps.api.server import listen, uvicorn_server
from xinglin.jobs import Kind, Permanent, Queue, Work, Worker
from xinglin.kernel.settings import Settings
from xinglin.records import tasks
from xinglin.records.service import open_records
from xinglin.records.site import Site
from xinglin.trust import local_system

MEMBERS = {
    "id", "kind", "title", "state", "done", "of", "stage", "queued", "started", "ended", "attempts", "attemptsMost",
    "reason", "cancelAsked", "canCancel", "canRetry",
}  # fmt: skip


class House:
    """A server in this process, its queue, and a client of it."""

    def __init__(self, url: str) -> None:
        self.records = open_records(url)
        self.site = Site(self.records, Settings())
        self.app = create_app(self.records, Settings())
        listener = listen("127.0.0.1", 0)
        up = threading.Event()
        self.server = uvicorn_server(self.app, up.set)
        self.thread = threading.Thread(target=self.server.run, kwargs={"sockets": [listener]})
        self.thread.start()
        assert up.wait(20)
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{listener.getsockname()[1]}", timeout=20)

    @property
    def queue(self) -> Queue:
        return self.site.queue

    def stop(self) -> float:
        """How many seconds the server took to stop."""
        began = time.monotonic()
        self.server.should_exit = True
        self.thread.join(30)
        return time.monotonic() - began

    def close(self) -> None:
        self.stop()
        self.http.close()
        self.app.close()
        self.records.close()


@pytest.fixture
def house(sqlite_url: str) -> Iterator[House]:
    found = House(sqlite_url)
    yield found
    found.close()


def fail(work: Work) -> None:
    raise Permanent("jobs.zone-unknown", zone="Nowhere")


def test_jobs_are_listed_page_by_page(house: House) -> None:
    jobs = [house.queue.add("records.a", priority=n) for n in range(5)]
    house.queue.add("records.a", tenant=2)
    first = house.http.get("/api/jobs", params={"limit": 3}).json()
    assert [job["id"] for job in first["jobs"]] == [job.id for job in jobs[:1:-1]]
    assert first["counts"] == {"queued": 5, "running": 0, "done": 0, "failed": 0, "cancelled": 0}
    second = house.http.get("/api/jobs", params={"limit": 3, "after": first["next"]}).json()
    assert [job["id"] for job in second["jobs"]] == [job.id for job in jobs[1::-1]]
    assert second["next"] is None
    assert set(second["jobs"][0]) == MEMBERS
    assert house.http.get("/api/jobs", params={"state": "done"}).json()["jobs"] == []
    assert house.http.get("/api/jobs", params={"kind": "records.b"}).json()["jobs"] == []
    assert house.http.get("/api/jobs", params={"shown": "1"}).json()["jobs"] == []
    assert house.http.get("/api/jobs/counts").json()["counts"]["queued"] == 5


def test_a_failed_job_says_why_and_is_retried(house: House) -> None:
    job = tasks.submit(house.site, local_system(), "records.fail")
    Worker(house.queue, [Kind("records.fail", fail, title="kernel.done")]).run_pending()
    english = house.http.get(f"/api/jobs/{job.id}").json()
    chinese = house.http.get(f"/api/jobs/{job.id}", headers={"Accept-Language": "zh"}).json()
    assert (english["state"], english["canRetry"], english["canCancel"]) == ("failed", True, False)
    assert "Nowhere" in english["reason"]
    assert "时区" in chinese["reason"]
    (line,) = house.http.get(f"/api/jobs/{job.id}/log").json()["lines"]
    assert (line["level"], line["text"]) == ("error", english["reason"])
    again = house.http.post(f"/api/jobs/{job.id}/retry").json()
    assert (again["state"], again["reason"]) == ("queued", None)
    assert house.http.get(f"/fhir/Task/{job.id}").json()["status"] == "requested"
    assert house.http.post(f"/api/jobs/{job.id}/cancel").json()["state"] == "cancelled"
    refused = house.http.post(f"/api/jobs/{job.id}/cancel")
    assert refused.status_code == 409
    assert refused.json()["issue"][0]["code"] == "conflict"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/jobs/none", 404),
        ("POST", "/api/jobs/none/cancel", 404),
        ("GET", "/api/jobs?state=sleeping", 400),
        ("GET", "/api/jobs?limit=0", 400),
        ("GET", "/api/jobs?limit=%C2%B2", 400),
        ("GET", "/api/jobs?after=none", 404),
    ],
)
def test_bad_requests_are_told_as_outcomes(house: House, method: str, path: str, status: int) -> None:
    answer = house.http.request(method, path)
    assert answer.status_code == status
    assert answer.json()["resourceType"] == "OperationOutcome"


def test_another_tenants_job_is_none(house: House) -> None:
    job = house.queue.add("records.a", tenant=2)
    assert house.http.get(f"/api/jobs/{job.id}").status_code == 404
    assert house.http.post(f"/api/jobs/{job.id}/cancel").status_code == 404
    assert house.queue.get(job.id, tenant=2).state == "queued"


def test_a_foreign_page_may_not_cancel(house: House) -> None:
    job = house.queue.add("records.a")
    answer = house.http.post(f"/api/jobs/{job.id}/cancel", headers={"Origin": "https://elsewhere.example"})
    assert answer.status_code == 403
    assert house.queue.get(job.id).state == "queued"


def test_events_tell_what_changes_and_end_with_the_server(house: House) -> None:
    told: list[dict[str, Any]] = []
    begun = threading.Event()

    def listen_to_it() -> None:
        with house.http.stream("GET", "/api/jobs/events", timeout=30) as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            begun.set()
            for line in answer.iter_lines():
                if line.startswith("data: "):
                    told.append(json.loads(line[6:]))

    before = house.queue.add("records.a")
    house.queue.add("records.a", tenant=2)
    listener = threading.Thread(target=listen_to_it)
    listener.start()
    assert begun.wait(10)
    wait(lambda: len(told) == 1)
    after = house.queue.add("records.b")
    wait(lambda: len(told) == 2)
    Worker(house.queue, [Kind("records.b", lambda work: None)]).run_pending()
    wait(lambda: len(told) == 3)
    assert [(job["id"], job["state"]) for job in told] == [
        (before.id, "queued"), (after.id, "queued"), (after.id, "done"),
    ]  # fmt: skip
    assert set(told[0]) == MEMBERS
    assert house.stop() < 5
    listener.join(5)
    assert not listener.is_alive()


def wait(until: Any, within_s: float = 10) -> None:
    deadline = time.monotonic() + within_s
    while not until():
        assert time.monotonic() < deadline
        time.sleep(0.02)
