"""A server told to stop finishes what it has begun, lets streams go, and has every acknowledged write on disk."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest

from xinglin.records.service import open_records
from xinglin.trust import local_system

JSON = {"content-type": "application/fhir+json"}


def start(folder: Path) -> tuple[subprocess.Popen[str], str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "xinglin.apps.cli.main", "serve", "--port", "0", "--json"],
        env={**os.environ, "XINGLIN_DATA": str(folder), "XINGLIN_WORKER": "false"},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    return process, json.loads(process.stdout.readline())["address"]


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_what_was_acknowledged_is_there_however_the_server_ends(tmp_path: Path, how: signal.Signals) -> None:
    process, address = start(tmp_path)
    acknowledged: list[str] = []
    streamed: list[str] = []
    ended = threading.Event()

    def write(number: int) -> None:
        with httpx.Client(base_url=f"{address}/fhir", timeout=10) as http:
            for count in range(100_000):
                id_ = f"p{number}-{count}"
                try:
                    body = json.dumps({"resourceType": "Patient", "id": id_})
                    response = http.put(f"/Patient/{id_}", content=body, headers=JSON)
                except httpx.HTTPError:
                    return
                if response.status_code != 201:
                    return
                acknowledged.append(id_)

    def follow() -> None:
        try:
            with httpx.stream("GET", f"{address}/api/feed", timeout=30) as response:
                streamed.extend(line for line in response.iter_lines() if line.startswith("data:"))
        except httpx.HTTPError:
            pass
        ended.set()

    threads = [threading.Thread(target=write, args=(number,)) for number in range(3)]
    threads.append(threading.Thread(target=follow))
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 20
    while len(acknowledged) < 60:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    asked = time.monotonic()
    process.send_signal(how)
    code = process.wait(20)
    took = time.monotonic() - asked
    for thread in threads:
        thread.join(20)
    assert ended.is_set()
    assert streamed
    if how == signal.SIGTERM:
        assert code == 0
        assert took < 9, "it waited for a stream that never ends"
        assert not (tmp_path / "xinglin.db-wal").exists()
    records = open_records(f"sqlite:///{tmp_path}/xinglin.db")
    try:
        for id_ in acknowledged:
            assert records.read(local_system(), "Patient", id_).version == 1
    finally:
        records.close()
