"""/api/jobs: what the page asks and what it is told by events."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import httpx
import pytest

from xinglin.apps.api.app import create_app
from xinglin.apps.api.jobs_events import Watch
from xinglin.apps.api.server import listen, uvicorn_server
from xinglin.jobs import Job, Kind, Permanent, Queue, Work, Worker
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


class Listening:
    """A client of the events, in a thread of its own."""

    def __init__(self, house: House, language: str = "en") -> None:
        self.told: list[dict[str, Any]] = []
        self.begun = threading.Event()
        self.status = 0
        self._house, self._language = house, language
        self._end = threading.Event()
        self.thread = threading.Thread(target=self._listen, daemon=True)
        self.thread.start()
        assert self.begun.wait(10)

    def _listen(self) -> None:
        headers = {"Accept-Language": self._language}
        with self._house.http.stream("GET", "/api/jobs/events", timeout=30, headers=headers) as answer:
            self.status = answer.status_code
            self.begun.set()
            for line in answer.iter_lines():
                if line.startswith("data: "):
                    self.told.append(json.loads(line[6:]))
                if self._end.is_set():
                    return

    def end(self) -> None:
        self._end.set()


def test_many_listeners_cost_one_look_and_nobody_commits_none(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[int] = []
    watched = Watch._watched

    def counted(self: Watch) -> dict[str, Job]:
        looks.append(1)
        return watched(self)

    monkeypatch.setattr(Watch, "_watched", counted)
    first = house.queue.add("records.a")
    listeners = [Listening(house, language) for language in ("en", "zh") * 5]
    wait(lambda: all(each.told for each in listeners))
    time.sleep(1.5)
    before = len(looks)
    time.sleep(1.5)
    assert len(looks) == before, "nobody has committed"
    second = house.queue.add("records.b")
    wait(lambda: all(len(each.told) == 2 for each in listeners))
    assert len(looks) <= before + 2
    for each in listeners:
        assert [job["id"] for job in each.told] == [first.id, second.id]
        each.end()


def test_too_many_listeners_are_told_so_and_one_that_goes_makes_room(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("xinglin.apps.api.jobs_events.LISTENERS_MOST", 2)
    house.queue.add("records.a")
    kept, going = Listening(house), Listening(house)
    wait(lambda: kept.told and going.told)
    answer = house.http.get("/api/jobs/events", headers={"Accept-Language": "zh"})
    assert (answer.status_code, answer.json()["issue"][0]["code"]) == (503, "transient")
    assert "2" in answer.json()["issue"][0]["diagnostics"]
    going.end()
    house.queue.add("records.a")  # it is told, and goes
    going.thread.join(10)
    wait(lambda: listens(house))
    kept.end()


def listens(house: House) -> bool:
    with house.http.stream("GET", "/api/jobs/events") as answer:
        return answer.status_code == 200


def test_times_are_the_records_own_with_their_offset(house: House) -> None:
    house.records.set_tenant(1, "here", "Asia/Shanghai")
    job = house.queue.add("records.a", {"x": "y"})
    told = house.http.get(f"/api/jobs/{job.id}").json()
    assert told["queued"].endswith("+08:00")
    assert datetime.fromisoformat(told["queued"]).timestamp() == pytest.approx(job.queued_us / 1e6, abs=0.002)
    assert house.http.get("/api/status").json()["now"].endswith("+08:00")


def test_a_page_of_jobs_reads_no_results(house: House) -> None:
    ids = [house.queue.add("records.a").id for _ in range(3)]
    Worker(house.queue, [Kind("records.a", lambda work: {"x": "y" * 1000})]).run_pending()
    assert [job.result for job in house.queue.list(brief=True)] == [None] * 3
    assert [job.id for job in house.queue.list(brief=True)] == ids[::-1]
    assert house.queue.list()[0].result == {"x": "y" * 1000}
