"""``xinglin worker`` and ``xinglin jobs`` as they are typed, and the worker that a server starts beside it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from xinglin.jobs import Queue
from xinglin.kernel.database import open_database
from xinglin.records.schema import migrate

XINGLIN = str(Path(sys.executable).parent / "xinglin")


class Shell:
    """A person's shell with a record of its own."""

    def __init__(self, home: Path) -> None:
        self.url = f"sqlite:///{home}/x.db"
        self.said = home / "said.txt"
        self.environ = {
            **os.environ,
            "XINGLIN_DATA": str(home),
            "LANG": "C.UTF-8",
            "XINGLIN_LOG_LEVEL": "error",
        }
        self.started: list[subprocess.Popen[str]] = []

    def run(self, *words: str, code: int = 0) -> str:
        done = subprocess.run(
            [XINGLIN, *words, "--database", self.url], env=self.environ, capture_output=True, text=True, check=False,
            timeout=60,
        )  # fmt: skip
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def start(self, *words: str) -> tuple[subprocess.Popen[str], str]:
        """A process that goes on, and the first line it prints."""
        with self.said.open("a") as said:
            process = subprocess.Popen(
                [XINGLIN, *words, "--database", self.url], env=self.environ, stdout=subprocess.PIPE, stderr=said, text=True
            )  # fmt: skip
        self.started.append(process)
        assert process.stdout is not None
        return process, process.stdout.readline()


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    found = Shell(tmp_path)
    yield found
    for process in found.started:
        with suppress(ProcessLookupError):
            process.kill()
        process.wait()


@pytest.fixture
def queue(shell: Shell) -> Iterator[Queue]:
    with open_database(shell.url, durable=False) as database:
        migrate(database)
        yield Queue(database)


def wait(until: Callable[[], bool], within_s: float = 20) -> None:
    deadline = time.monotonic() + within_s
    while not until():
        assert time.monotonic() < deadline, "it does not come about"
        time.sleep(0.05)


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and waits for its parent does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def pid_of(worker: tuple[str, str, int, int]) -> int:
    return int(worker[1].rpartition("/")[2])


@pytest.mark.slow
def test_jobs_are_listed_shown_cancelled_and_retried(shell: Shell, queue: Queue) -> None:
    job = queue.add("ward.count", {"to": 3})
    other = queue.add("ward.other")
    assert job.id in shell.run("jobs")
    assert job.id not in shell.run("jobs", "list", "--kind", "ward.other")
    listed = json.loads(shell.run("jobs", "--json", "--state", "queued", "--limit", "1"))
    assert [each["id"] for each in listed["jobs"]] == [other.id]
    assert listed["counts"]["queued"] == 2
    assert '"to": 3' in shell.run("jobs", "show", job.id)
    assert "取消" in shell.run("jobs", "cancel", job.id, "--language", "zh")
    assert queue.get(job.id).state == "cancelled"
    assert job.id in shell.run("jobs", "cancel", job.id, code=1)
    shell.run("jobs", "retry", job.id)
    assert queue.get(job.id).state == "queued"
    assert shell.run("jobs", "log", job.id) == ""
    queue.schedule("nightly", "ward.count", cron="30 2 * * *", zone="Asia/Shanghai")
    assert "30 2 * * * (Asia/Shanghai)" in shell.run("jobs", "schedules")


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [
        ("jobs", "sleep"),
        ("jobs", "cancel"),
        ("jobs", "list", "x"),
        ("jobs", "show", "x", "y"),
        ("jobs", "--state", "asleep"),
        ("jobs", "--limit", "no"),
    ],
)
def test_mistakes_are_told_in_a_sentence(shell: Shell, words: tuple[str, ...]) -> None:
    told = shell.run(*words, code=2)
    assert len(told.strip().splitlines()) == 1


@pytest.mark.slow
@pytest.mark.parametrize("command", ["jobs", "feed"])
def test_looking_makes_no_database(tmp_path: Path, command: str) -> None:
    there = tmp_path / "x.db"
    told = Shell(tmp_path).run(command, code=1)
    assert str(there) in told
    assert not there.exists()


@pytest.mark.slow
def test_a_worker_works_until_it_is_told_to_end(shell: Shell, queue: Queue) -> None:
    process, line = shell.start("worker", "--threads", "3", "--json")
    assert json.loads(line)["threads"] == 3
    assert [pid_of(worker) for worker in queue.workers()] == [process.pid]
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0
    assert queue.workers() == []


@pytest.mark.slow
def test_the_server_has_a_worker_that_ends_with_it(shell: Shell, queue: Queue) -> None:
    server, line = shell.start("serve", "--port", "0", "--json")
    assert json.loads(line)["address"]
    wait(lambda: len(queue.workers()) == 1)
    pid = pid_of(queue.workers()[0])
    assert pid != server.pid
    server.send_signal(signal.SIGTERM)
    assert server.wait(15) == 0
    assert not alive(pid)
    assert queue.workers() == []
    assert "Traceback" not in shell.said.read_text(), "it was told to end once only"


@pytest.mark.slow
def test_the_worker_is_started_anew_and_ends_with_a_server_that_is_killed(shell: Shell, queue: Queue) -> None:
    server, line = shell.start("serve", "--port", "0")
    assert "http" in line
    wait(lambda: len(queue.workers()) == 1)
    first = pid_of(queue.workers()[0])
    os.kill(first, signal.SIGKILL)
    wait(lambda: first not in map(pid_of, queue.workers()) and bool(queue.workers()))
    second = pid_of(queue.workers()[0])
    server.kill()
    server.wait()
    wait(lambda: not alive(second))
    wait(lambda: queue.workers() == [])


@pytest.mark.slow
def test_a_server_without_a_worker(shell: Shell, queue: Queue) -> None:
    server, line = shell.start("serve", "--port", "0", "--set", "worker=false")
    assert "http" in line
    time.sleep(1.5)
    assert server.poll() is None
    children = Path(f"/proc/{server.pid}/task/{server.pid}/children")
    assert not children.exists() or children.read_text() == ""
    assert queue.workers() == []
