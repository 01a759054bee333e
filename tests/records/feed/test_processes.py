"""Several processes: no commit is missed, and a killed consumer's work goes on in another."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from following import HERE, add_patient

from xinglin.records.feed import Feed
from xinglin.records.service import open_records
from xinglin.records.stored import Change

PROGRAM = str(Path(__file__).parent / "processes.py")


def start(*words: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, PROGRAM, *words])


def handled(path: Path) -> list[tuple[int, int, str]]:
    if not path.exists():
        return []
    rows = [line.split() for line in path.read_text().splitlines()]
    return [(int(row[0]), int(row[1]), row[2]) for row in rows]


@pytest.mark.slow
@pytest.mark.postgres
def test_four_writer_processes_on_postgresql_and_no_commit_is_missed(postgres_url: str) -> None:
    records = open_records(postgres_url)
    for number in range(5):
        add_patient(records, f"p{number}")
    seen: list[Change] = []
    stop = threading.Event()

    def follow() -> None:
        for changes in Feed(records).follow(HERE, 5, stop=stop):
            seen.extend(changes)

    thread = threading.Thread(target=follow)
    thread.start()
    writers = [start("write", postgres_url, "100") for _ in range(4)]
    assert [writer.wait(120) for writer in writers] == [0, 0, 0, 0]
    deadline = time.monotonic() + 10
    while len(seen) < 400 and time.monotonic() < deadline:
        time.sleep(0.05)
    stop.set()
    thread.join()
    assert [change.position for change in seen] == list(range(6, 406))
    records.close()


@pytest.mark.slow
def test_a_killed_consumer_is_followed_by_another_and_nothing_is_missed(
    database_url: str, tmp_path: Path
) -> None:
    records = open_records(database_url)
    for number in range(5):
        add_patient(records, f"p{number}")
    path = tmp_path / "handled"
    first = start("consume", database_url, str(path))
    try:
        deadline = time.monotonic() + 30
        while not handled(path):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        writer = start("write", database_url, "400")
        while len(handled(path)) < 60:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        first.kill()
        first.wait()
        killed = time.monotonic()
        second = start("consume", database_url, str(path))
        try:
            while not any(pid == second.pid for pid, _, _ in handled(path)):
                assert time.monotonic() < killed + 15
                time.sleep(0.05)
            took = time.monotonic() - killed
            assert writer.wait(60) == 0
            while {position for _, position, _ in handled(path)} != set(range(1, 406)):
                assert time.monotonic() < deadline + 30, "something was missed"
                time.sleep(0.05)
        finally:
            second.kill()
            second.wait()
    finally:
        first.kill()
        first.wait()
        records.close()
    assert took < 8  # a lease of a second, a look a third of one, and the start of Python
    for patient in {row[2] for row in handled(path)}:
        for pid in (first.pid, second.pid):
            own = [position for at, position, of in handled(path) if of == patient and at == pid]
            assert own == sorted(own)
