"""Four servers and four workers on one PostgreSQL: any server sees what another wrote, any worker runs what another took."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from postgres import Cluster
from xinglin.jobs import Queue
from xinglin.kernel.database import open_database

XINGLIN = str(Path(sys.executable).parent / "xinglin")
EACH = 60


class Installation:
    """The processes of one installation; blobs in one folder, as on a shared disk."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self.folder = folder
        self.processes: list[subprocess.Popen[str]] = []

    def start(self, *words: str) -> tuple[subprocess.Popen[str], dict[str, str]]:
        process = subprocess.Popen(
            [XINGLIN, *words, "--database", self.url, "--data", str(self.folder), "--json"],
            stdout=subprocess.PIPE, text=True, env={**os.environ, "XINGLIN_LOG_LEVEL": "error"},
        )  # fmt: skip
        self.processes.append(process)
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, "it did not start"
        told: dict[str, str] = json.loads(line)
        return process, told

    def end(self) -> list[int]:
        for process in self.processes:
            process.send_signal(signal.SIGTERM)
        return [process.wait(40) for process in self.processes]


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    found = Cluster("shared_buffers=64MB", "max_connections=200")
    yield found
    found.close()


@pytest.mark.long
@pytest.mark.postgres
def test_four_servers_and_four_workers_on_one_postgresql(cluster: Cluster, tmp_path: Path) -> None:
    installation = Installation(cluster.new_database(), tmp_path)
    addresses: list[str] = []
    workers: list[subprocess.Popen[str]] = []
    try:
        for _ in range(4):
            addresses.append(
                installation.start("serve", "--port", "0", "--set", "worker=false")[1]["address"]
            )
            workers.append(installation.start("worker")[0])
        clients = [httpx.Client(base_url=address, timeout=60) for address in addresses]
        exports: list[tuple[httpx.Client, str]] = []

        def write(number: int) -> None:
            for n in range(EACH):
                body = {"resourceType": "Patient", "id": f"p{number}-{n}", "name": [{"family": "张"}]}
                answer = clients[number].put(f"/fhir/Patient/p{number}-{n}", json=body)
                assert answer.status_code == 201, answer.text

        threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for number, client in enumerate(clients):
            found = client.get("/fhir/Patient", params={"name": "张", "_summary": "count"}).json()
            assert found["total"] == 4 * EACH
            other = clients[(number + 1) % 4]
            for _ in range(2):
                begun = client.get("/fhir/$export?_type=Patient", headers={"Prefer": "respond-async"})
                assert begun.status_code == 202
                path = begun.headers["content-location"].split("/", 3)[3]
                exports.append((other, f"/{path}"))
        installation.processes.remove(workers[0])
        workers[0].kill()  # the others take over what it had
        workers[0].wait()
        for other, path in exports:
            wait(lambda other=other, path=path: other.get(path).status_code == 200)  # type: ignore[misc]
            (output,) = other.get(path).json()["output"]
            assert output["count"] == 4 * EACH
        with open_database(installation.url) as database:
            queue = Queue(database)
            assert len(queue.workers()) == 3
            jobs = queue.list(kind="records.bulk-export")
        assert [job.state for job in jobs] == ["done"] * len(exports)
        task = clients[3].get(f"/fhir/Task/{jobs[0].id}").json()
        assert task["status"] == "completed"
    finally:
        codes = installation.end()
    assert codes == [0] * 7


def wait(until: Callable[[], bool], within_s: float = 90) -> None:
    deadline = time.monotonic() + within_s
    while not until():
        assert time.monotonic() < deadline, "it does not come about"
        time.sleep(0.1)
