"""A shown job and its Task are one: written together, changed together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from xinglin.jobs import Kind, Permanent, Work, Worker
from xinglin.kernel.database import Connection
from xinglin.kernel.settings import Settings
from xinglin.records import tasks
from xinglin.records.errors import NotFound
from xinglin.records.history import HistoryQuery
from xinglin.records.service import open_records
from xinglin.records.site import Site
from xinglin.standards.fhir.validate import tier1
from xinglin.trust import Actor, local_system


@pytest.fixture
def site(database_url: str) -> Iterator[Site]:
    records = open_records(database_url)
    yield Site(records, Settings())
    records.close()


def task_of(site: Site, id_: str, tenant: int = 1) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.json.decode(site.records.read(local_system(tenant), "Task", id_).body)
    return found


def test_the_task_goes_with_the_job(site: Site) -> None:
    job = tasks.submit(site, local_system(), "records.sum", {"of": [1, 2]})
    assert task_of(site, job.id)["status"] == "requested"

    def run(work: Work) -> dict[str, Any]:
        assert task_of(site, job.id)["status"] == "in-progress"
        work.progress(1, 4, "kernel.done")
        return {"sum": 3}

    Worker(site.queue, [Kind("records.sum", run)]).run_pending()
    task = task_of(site, job.id)
    assert (task["status"], task["code"]["coding"][0]["code"]) == ("completed", "records.sum")
    outputs = {output["type"]["coding"][0]["code"]: output["valueInteger"] for output in task["output"]}
    assert outputs == {"percent": 100, "sum": 3}
    page = site.records.history(local_system(), HistoryQuery("Task", job.id))
    statuses = [msgspec.json.decode(entry.body)["status"] for entry in page.entries]
    assert statuses[0] == "completed"
    assert statuses[-1] == "requested"


def test_a_failed_job_says_why_in_both_languages(site: Site) -> None:
    def fail(work: Work) -> None:
        raise Permanent("jobs.zone-unknown", zone="Nowhere")

    job = tasks.submit(site, local_system(), "records.fail")
    Worker(site.queue, [Kind("records.fail", fail)]).run_pending()
    task = task_of(site, job.id)
    assert task["status"] == "failed"
    assert "Nowhere" in task["statusReason"]["text"]
    assert "时区" in str(task["statusReason"]["_text"])
    site.queue.retry(job.id)
    assert task_of(site, job.id)["status"] == "requested"
    site.queue.cancel(job.id)
    assert task_of(site, job.id)["status"] == "cancelled"


def test_a_task_written_as_cancelled_cancels_its_job(site: Site) -> None:
    from xinglin.jobs import Cancelled

    waiting = tasks.submit(site, local_system(), "records.a")
    body = {**task_of(site, waiting.id), "status": "cancelled"}
    site.records.update(local_system(), "Task", waiting.id, msgspec.json.encode(body))
    assert site.queue.get(waiting.id).state == "cancelled"
    assert task_of(site, waiting.id)["status"] == "cancelled"

    def run(work: Work) -> None:
        asked = {**task_of(site, work.job.id), "status": "cancelled"}
        site.records.update(local_system(), "Task", work.job.id, msgspec.json.encode(asked))
        with pytest.raises(Cancelled):
            work.check()
        raise Cancelled

    running = tasks.submit(site, local_system(), "records.b")
    Worker(site.queue, [Kind("records.b", run)]).run_pending()
    assert site.queue.get(running.id).state == "cancelled"
    assert task_of(site, running.id)["status"] == "cancelled"
    other = tasks.submit(site, local_system(), "records.b")
    another = {**body, "id": other.id}
    site.records.update(local_system(2), "Task", other.id, msgspec.json.encode(another))
    assert site.queue.get(other.id).state == "queued", "a Task of another tenant is another Task"


def test_neither_job_nor_task_of_a_unit_that_fails(site: Site) -> None:
    made: list[str] = []

    def unit(connection: Connection) -> None:
        made.append(site.queue.enqueue(connection, "a", shown=True).id)
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        site.records.database.write(unit)
    assert site.queue.list() == []
    with pytest.raises(NotFound):
        task_of(site, made[0])


def test_jobs_of_several_tenants_have_tasks_in_their_own(site: Site) -> None:
    jobs = [
        tasks.submit(site, Actor("nurse", tenant=tenant), "records.a")
        for tenant in (1, 2, 1, 3)
        for _ in (0, 1)
    ]
    assert Worker(site.queue, [Kind("records.a", lambda work: None)]).run_pending() == 8
    for job in jobs:
        assert task_of(site, job.id, job.tenant)["status"] == "completed"
        with pytest.raises(NotFound):
            task_of(site, job.id, job.tenant % 3 + 1)
    for tenant in (1, 2, 3):
        seen = {change.id for change in site.records.changes(local_system(tenant))}
        assert seen == {job.id for job in jobs if job.tenant == tenant}


def test_the_task_is_valid(site: Site) -> None:
    job = tasks.submit(site, local_system(), "records.a", priority=1)
    Worker(site.queue, [Kind("records.a", lambda work: {"n": 1, "where": "x", "no": None})]).run_pending()
    assert tier1(site.records.read(local_system(), "Task", job.id).body) == []
