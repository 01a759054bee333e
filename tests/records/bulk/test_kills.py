"""kill -9 of the worker in the middle of exports and imports: they go on, no line twice, none missing."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bulk_world import observation, patient
from xinglin.ingest import bulk
from xinglin.jobs import Job
from xinglin.kernel.database import open_database
from xinglin.kernel.settings import Settings
from xinglin.records.bulk import job as exports
from xinglin.records.bulk.files import BlobFiles
from xinglin.records.bulk.request import Export
from xinglin.records.service import Records
from xinglin.records.site import Site
from xinglin.trust import local_system

ACTOR = local_system()

WORKER = """
import sys, time
from xinglin.kernel.settings import Settings
from xinglin.apps.assemble import gathered
from xinglin.jobs import Worker
from xinglin.kernel.database import open_database
from xinglin.records.service import Records
from xinglin.records.site import Site
settings = Settings(data=sys.argv[2], export_file_bytes=20_000, import_batch=50)
site = Site(Records(open_database(sys.argv[1], durable=False), settings), settings)
site.records.database.read  # open
from xinglin.jobs.work import Work
save = Work.save
Work.save = lambda self, *given: (time.sleep(0.01), save(self, *given))[1]  # so that a kill falls inside
Worker(site.queue, gathered(site, "jobs"), threads=1, lease_s=5).run()
"""


def make(url: str, folder: Path) -> Site:
    settings = Settings(data=str(folder), export_file_bytes=20_000, import_batch=50)
    return Site(Records(open_database(url, durable=False), settings), settings)


def run_with_kills(url: str, folder: Path, site: Site, job: Job, seed: int, kills: int) -> Job:
    """Run workers, one after the other, killing ``kills`` of them; the job once it has ended."""
    chance = random.Random(seed)
    worker: subprocess.Popen[bytes] | None = None
    deadline = time.monotonic() + 180 + 30 * kills  # where others use the machine too
    try:
        for number in range(kills + 1):
            worker = subprocess.Popen([sys.executable, "-c", WORKER, url, str(folder)])
            before = site.queue.get(job.id).checkpoint
            while time.monotonic() < deadline and not site.queue.get(job.id).ended:
                if number < kills and site.queue.get(job.id).checkpoint != before:
                    time.sleep(chance.random() * 0.1)
                    break
                time.sleep(0.01)
            worker.send_signal(signal.SIGKILL if number < kills else signal.SIGTERM)
            worker.wait(30)
    finally:
        if worker is not None and worker.poll() is None:
            os.kill(worker.pid, signal.SIGKILL)
            worker.wait()
    return site.queue.get(job.id)


def check_export(url: str, folder: Path, seed: int, kills: int) -> None:
    site = make(url, folder)
    resources = [*(patient(n) for n in range(300)), *(observation(n, n % 300) for n in range(2500))]
    assert not site.records.load(ACTOR, (json.dumps(each).encode() for each in resources)).run().rejected
    job = exports.begin(site, ACTOR, Export(types=("Patient", "Observation")), url="", base="http://x/fhir")
    ended = run_with_kills(url, folder, site, job, seed, kills)
    assert ended.state == "done", ended
    assert ended.attempts > 1
    made = exports.manifest(site, ended)
    names = []
    for file in made.output:
        lines = exports.files(site, ended).get(file.name).decode().strip("\n").split("\n")
        assert len(lines) == file.count
        names += [(each["resourceType"], each["id"]) for each in map(json.loads, lines)]
    assert len(names) == len(set(names)) == 2800
    kept = {Path(path).name for path in site.blobs.list("1/exports/")}
    assert kept == {file.name for file in made.output} | {"manifest.json", "request.json"}
    site.records.close()


def check_import(url: str, folder: Path, seed: int, kills: int) -> None:
    site = make(url, folder)
    lines: list[bytes] = []
    for n in range(1500):
        lines.append(
            b'{"resourceType":"Patient","gender":7}' if n % 100 == 7 else json.dumps(patient(n)).encode()
        )
    name = exports.new_folder()
    BlobFiles(site.blobs, exports.place(exports.IMPORT, 1, name)).put("upload-1.ndjson", [b"\n".join(lines)])
    job = bulk.begin(site, ACTOR, bulk.Asked([bulk.Input(upload="upload-1.ndjson")], ""), name)
    ended = run_with_kills(url, folder, site, job, seed, kills)
    assert ended.state == "done", ended
    assert ended.attempts > 1
    assert ended.result is not None
    assert ended.result["rejected"] == 15
    assert ended.result["taken"] + ended.result["unchanged"] == 1485
    assert site.records.count(ACTOR)["Patient"] == 1485
    changes = [change for change in site.records.changes(ACTOR, 0, 100_000) if change.type == "Patient"]
    assert len(changes) == 1485  # each written once
    site.records.close()


Check = Callable[[str, Path, int, int], Any]


@pytest.mark.slow
@pytest.mark.parametrize("check", [check_export, check_import])
def test_killed_once_it_goes_on(sqlite_url: str, tmp_path: Path, check: Check) -> None:
    check(sqlite_url, tmp_path / "data", 1, 1)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("check", [check_export, check_import])
def test_killed_again_and_again_it_goes_on(
    database_url: str, tmp_path: Path, check: Check, seed: int
) -> None:
    check(database_url, tmp_path / "data", seed, 3)
