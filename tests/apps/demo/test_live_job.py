"""The hospital at work as a job: written through the record, cancelled, gone on with, neither doubled nor lost by a kill."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from xinglin.apps import live
from xinglin.apps.hospital import ensure_demo
from xinglin.jobs import Kind, Queue, Work, Worker
from xinglin.kernel.settings import Settings
from xinglin.records.service import Records, open_records
from xinglin.records.site import Site
from xinglin.trust import local_system

FAST = 3600.0


@pytest.fixture
def site(database_url: str, tmp_path: Path) -> Iterator[Site]:
    settings = replace(Settings(), database=database_url, data=str(tmp_path))
    ensure_demo(settings, 15)
    records = open_records(database_url, settings)
    yield Site(records, settings)
    records.close()


def written(records: Records) -> dict[str, list[int]]:
    """Versions of everything that the live hospital wrote, in order."""
    found: dict[str, list[int]] = {}
    for change in records.changes(local_system(), 0, 1_000_000):
        if change.id.startswith("live-"):
            found.setdefault(f"{change.type}/{change.id}", []).append(change.version)
    return found


def working(site: Site, most: int | None = None, **more: Any) -> Worker:
    kind = Kind(live.KIND, partial(live.run, site=site, most=most), attempts=1000, concurrency=1)
    return Worker(site.queue, [kind], threads=1, **more)


def test_what_happens_is_written_through_the_record(site: Site) -> None:
    job = site.queue.add(live.KIND, {"patients": 15, "seed": 1, "speed": FAST})
    working(site, most=24).run_pending()
    ended = site.queue.get(job.id)
    assert ended.state == "done"
    found = written(site.records)
    assert sum(map(len, found.values())) + 6 >= 24
    assert {key.partition("/")[0] for key in found} >= {"Encounter", "Observation"}
    assert all(versions == list(range(1, len(versions) + 1)) for versions in found.values())
    assert site.records.read(local_system(), "Location", "ward-icu")
    assert ended.result is not None
    assert ended.result["written"] >= 24


@pytest.mark.parametrize("hours", [10, -10])
def test_a_machine_that_slept_or_whose_clock_was_set_makes_up_for_nothing(
    site: Site, monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    """At the tenth look the clock is another one; ten hours at this speed would be thousands of resources at once."""
    looks = count()
    batches: list[int] = []
    present = live.now_us
    write = live._write

    def clock() -> int:
        return present() + (hours * 3_600_000_000 if next(looks) > 10 else 0)

    def writing(batch: list[Any], transaction: Any) -> None:
        batches.append(len(batch))
        write(batch, transaction)

    monkeypatch.setattr(live, "now_us", clock)
    monkeypatch.setattr(live, "_write", writing)
    job = site.queue.add(live.KIND, {"patients": 15, "seed": 1, "speed": 600.0})
    working(site, most=40).run_pending()
    assert site.queue.get(job.id).state == "done"
    assert max(batches) < 200


def test_it_can_be_cancelled_and_goes_on_with_the_same_people(site: Site) -> None:
    settings = site.settings
    live.set_going(settings, FAST)
    worker = working(site)
    worker.start()
    try:
        _until(lambda: len(written(site.records)) > 20)
        (job,) = site.queue.list(kind=live.KIND)
        site.queue.cancel(job.id)
        _until(lambda: site.queue.get(job.id).state == "cancelled")
        before = written(site.records)
        run = {key.split("-")[1] for key in before}
        live.set_going(settings, FAST)
        _until(lambda: len(written(site.records)) > len(before) + 5)
        assert {key.split("-")[1] for key in written(site.records)} == run
        live.set_going(settings, None)
        _until(lambda: all(job.ended for job in site.queue.list(kind=live.KIND)))
    finally:
        worker.stop(2)


def test_a_worker_that_stops_leaves_the_hospital_to_the_next(site: Site) -> None:
    job = site.queue.add(live.KIND, {"patients": 15, "seed": 1, "speed": FAST})
    for at_least in (8, 24):
        worker = working(site)
        worker.start()
        _until(lambda at_least=at_least: len(written(site.records)) > at_least)
        worker.stop(1)
        assert site.queue.get(job.id).state == "queued"
    assert all(versions == list(range(1, len(versions) + 1)) for versions in written(site.records).values())


def test_an_end_between_any_two_steps_neither_doubles_nor_loses_one(site: Site) -> None:
    """Each run of the job is cut off hard after a batch; the sum is one hospital's story."""

    job = site.queue.add(live.KIND, {"patients": 15, "seed": 1, "speed": FAST}, attempts=1000)

    def cut(work: Work) -> dict[str, Any]:
        save, saves = work.save, count(1)

        def once(*given: Any) -> Any:
            save(*given)
            if next(saves) == 3:
                raise OSError("cut")

        setattr(work, "save", once)  # noqa: B010  a method is not assigned to, says the type checker
        return live.run(work, site)

    for _ in range(4):
        worker = Worker(Queue(site.records.database), [Kind(live.KIND, cut)], threads=1)
        assert worker.run_pending() == 1
        assert site.queue.get(job.id).state == "queued"
        site.records.database.write(lambda c: c.execute("UPDATE job SET run_at_us = 0"))
    found = written(site.records)
    assert all(versions == list(range(1, len(versions) + 1)) for versions in found.values())
    for key, versions in found.items():
        if key.startswith(("Observation/", "DiagnosticReport/", "DocumentReference/")):
            assert versions == [1]


def _until(met: Any, within_s: float = 25.0) -> None:
    end = time.monotonic() + within_s
    while not met():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.05)
