"""Four servers and four workers on one PostgreSQL: one record, whoever writes and whoever is asked."""

from __future__ import annotations

import itertools
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from postgres import Cluster
from xinglin.apps.backup.jobs import BACKUP
from xinglin.apps.backup.place import open_place
from xinglin.apps.backup.rehearsal import rehearse
from xinglin.jobs import Queue
from xinglin.kernel.settings import Settings
from xinglin.records.service import open_records
from xinglin.trust import local_system

pytestmark = [pytest.mark.slow, pytest.mark.postgres]

SERVERS = WORKERS = 4
WRITES = 40
"""Of each of the servers."""
JSON = {"content-type": "application/fhir+json"}
ACTOR = local_system()


def start(url: str, folder: Path, *words: str, **settings: str) -> subprocess.Popen[str]:
    environment = {
        **os.environ,
        "XINGLIN_DATABASE": url,
        "XINGLIN_DATA": str(folder),
        "XINGLIN_BACKUP_FOLDER": str(folder / "backups"),
        "XINGLIN_ARCHIVE_EVERY_S": "1",
        **settings,
    }
    return subprocess.Popen(
        [sys.executable, "-m", "xinglin.apps.cli.main", *words, "--json"],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    found = Cluster("fsync=off", "max_connections=200", "shared_buffers=64MB")
    yield found
    found.close()


def until(condition: object, seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, "it never came to be"
        time.sleep(0.1)


def test_four_servers_and_four_workers_are_one_record(cluster: Cluster, tmp_path: Path) -> None:
    url = cluster.new_database()
    settings = Settings(database=url, data=str(tmp_path), backup_folder=str(tmp_path / "backups"))
    records = open_records(url, settings)  # makes the tables
    processes = [start(url, tmp_path, "serve", "--port", "0", XINGLIN_WORKER="false") for _ in range(SERVERS)]
    processes += [start(url, tmp_path, "worker") for _ in range(WORKERS)]
    try:
        addresses = [json.loads(_line(process))["address"] for process in processes[:SERVERS]]
        queue = Queue(records.database)
        until(lambda: len(queue.workers()) == WORKERS)
        acknowledged = _write(addresses)
        _all_agree(addresses, acknowledged)
        _feed_has_no_gap(records, acknowledged)
        _each_job_once(queue, tmp_path)
        _one_archive(records, settings, queue)
    finally:
        for process in processes:
            process.send_signal(signal.SIGTERM)
        codes = [process.wait(30) for process in processes]
        records.close()
    assert codes[:SERVERS] == [0] * SERVERS


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def _write(addresses: list[str]) -> dict[str, int]:
    """Write through all servers at once, everybody also the same resource; id → number of acknowledged versions."""
    done: dict[str, int] = {}
    lock = threading.Lock()

    def write(number: int, address: str) -> None:
        with httpx.Client(base_url=f"{address}/fhir", timeout=30) as http:
            for count in range(WRITES):
                for id_ in (f"s{number}-{count}", "shared"):
                    body = {"resourceType": "Patient", "id": id_, "name": [{"family": f"Group{number}"}]}
                    response = http.put(f"/Patient/{id_}", content=json.dumps(body), headers=JSON)
                    assert response.status_code in (200, 201), response.text
                    with lock:
                        done[id_] = done.get(id_, 0) + 1

    threads = [threading.Thread(target=write, args=pair) for pair in enumerate(addresses)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert done["shared"] == SERVERS * WRITES
    return done


def _all_agree(addresses: list[str], acknowledged: dict[str, int]) -> None:
    shared = set()
    for address in addresses:
        with httpx.Client(base_url=f"{address}/fhir", timeout=30) as http:
            count = http.get("/Patient", params={"_summary": "count"}).json()["total"]
            assert count == len(acknowledged)
            for number in range(SERVERS):
                found = http.get("/Patient", params={"family": f"Group{number}", "_count": "200"}).json()
                ids = {entry["resource"]["id"] for entry in found["entry"]} - {"shared"}
                assert ids == {f"s{number}-{count}" for count in range(WRITES)}
            shared.add(http.get("/Patient/shared").headers["etag"])
    assert shared == {f'W/"{acknowledged["shared"]}"'}


def _feed_has_no_gap(records: object, acknowledged: dict[str, int]) -> None:
    changes, after = [], 0
    while batch := records.changes(ACTOR, after, 50):  # type: ignore[attr-defined]
        changes += batch
        after = batch[-1].position
    seen: dict[str, list[int]] = {}
    for change in changes:
        if change.type == "Patient":
            seen.setdefault(change.id, []).append(change.version)
    assert {id_: len(versions) for id_, versions in seen.items()} == acknowledged
    assert all(versions == list(range(1, len(versions) + 1)) for versions in seen.values())
    positions = [change.position for change in changes]
    assert positions == sorted(positions)


def _each_job_once(queue: Queue, folder: Path) -> None:
    """The backup, asked for by eight processes at their start, was made once; more come one at a time."""
    until(lambda: not queue.list(states=("queued", "running"), kind=BACKUP))
    made = [job for job in queue.list(kind=BACKUP) if job.state == "done"]
    manifests = list((folder / "backups").glob("1/base/*/manifest.json"))
    assert len(made) >= 1
    assert len(manifests) == len(made)
    assert all(job.attempts == 1 for job in made)


def _one_archive(records: object, settings: Settings, queue: Queue) -> None:
    """Whoever holds the lease archives all that was committed, once."""
    from random_record import last_position
    from xinglin.apps.backup.base import remembered

    def archived() -> bool:
        found = remembered(records, "backup_archived")  # type: ignore[arg-type]
        return found is not None and found["position"] >= last_position(records)  # type: ignore[arg-type]

    until(archived)
    place = open_place(settings)
    names = sorted(path for path in Path(settings.backup_folder).glob("1/archive/*/*.zst"))
    spans = [tuple(map(int, re.findall(r"\d{16}", path.name))) for path in names]
    assert all(before[1] == after[0] for before, after in itertools.pairwise(spans))
    assert rehearse(place, settings)["well"]
