"""What was acknowledged stays: kill -9 of the writer and of the server, the sync before the answer, restarts."""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from postgres import Cluster
from xinglin.kernel.database import Unavailable, open_database
from xinglin.records.service import Records, open_records
from xinglin.trust import local_system

SCRIPT = Path(__file__).with_name("writing_process.py")
ACTOR = local_system()

pytestmark = pytest.mark.slow


def _start(url: str, first: int, threads: int = 3) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, str(SCRIPT), url, str(first), str(threads)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def _acknowledged(process: subprocess.Popen[str]) -> list[int]:
    """What a killed process had said in whole lines."""
    assert process.stdout is not None
    text = process.stdout.read()
    process.wait()
    process.stdout.close()
    return [int(line) for line in text[: text.rfind("\n") + 1].split()]


def _check(url: str, acknowledged: set[int]) -> int:
    """Every acknowledged pair is there; every pair is whole, with its history, commit and index rows."""
    with open_database(url) as database, database.read() as connection:
        there: dict[str, set[int]] = {"Patient": set(), "Observation": set()}
        for kind, id_ in connection.execute("SELECT type, id FROM resource").fetchall():
            there[kind].add(int(id_[1:]))
        assert there["Patient"] == there["Observation"]
        assert acknowledged <= there["Patient"]
        for sql in (
            "SELECT count(*) FROM resource r WHERE NOT EXISTS (SELECT 1 FROM commits c WHERE c.tx = r.tx)",
            "SELECT count(*) FROM resource r WHERE NOT EXISTS"
            " (SELECT 1 FROM entity e WHERE e.tenant = r.tenant AND e.type = r.type AND e.id = r.id AND e.rid = r.rid)",
            "SELECT count(*) FROM resource r WHERE r.type = 'Patient' AND NOT EXISTS"
            " (SELECT 1 FROM ix_token t JOIN term v ON v.value = t.value WHERE t.rid = r.rid AND v.system = 'urn:n')",
            "SELECT count(*) FROM ix_token t WHERE NOT EXISTS (SELECT 1 FROM resource r WHERE r.rid = t.rid)",
            "SELECT count(*) FROM ix_reference t WHERE NOT EXISTS (SELECT 1 FROM resource r WHERE r.rid = t.rid)",
        ):
            assert connection.execute(sql).fetchone() == (0,)
        if connection.dialect == "sqlite":
            assert connection.execute("PRAGMA quick_check").fetchone() == ("ok",)
        return len(there["Patient"])


def _kill_writer_again_and_again(url: str, times: int, rng: random.Random) -> None:
    acknowledged: set[int] = set()
    for round_ in range(times):
        process = _start(url, round_ * 100_000)
        time.sleep(rng.uniform(0.0, 0.25))
        process.kill()
        acknowledged.update(_acknowledged(process))
        if times < 20 or round_ % 10 == 9:
            _check(url, acknowledged)
    assert acknowledged
    _check(url, acknowledged)


def test_kill_9_of_the_writer_loses_nothing_acknowledged_on_sqlite(sqlite_url: str) -> None:
    _kill_writer_again_and_again(sqlite_url, 5, random.Random(1))


@pytest.mark.long
def test_kill_9_of_the_writer_200_times_on_sqlite(sqlite_url: str) -> None:
    _kill_writer_again_and_again(sqlite_url, 200, random.Random(2))


@pytest.fixture(scope="module")
def durable_cluster() -> Iterator[Cluster]:
    """A server that syncs as in care; ours to kill."""
    cluster = Cluster("shared_buffers=32MB", "restart_after_crash=on")
    yield cluster
    cluster.close()


def _kill_server_again_and_again(cluster: Cluster, times: int, rng: random.Random) -> None:
    """Every other round the server's own processes are killed, in between only the client."""
    url = cluster.new_database()
    open_records(url).close()
    acknowledged: set[int] = set()
    for round_ in range(times):
        process = _start(url, round_ * 100_000)
        time.sleep(rng.uniform(0.0, 0.25))
        if round_ % 2 == 0:
            cluster.crash()
            process.wait(timeout=60)  # it gives up by itself
            acknowledged.update(_acknowledged(process))
            cluster.start()
        else:
            process.kill()
            acknowledged.update(_acknowledged(process))
        if times < 20 or round_ % 10 == 9:
            _check(url, acknowledged)
    assert acknowledged
    _check(url, acknowledged)


@pytest.mark.postgres
def test_kill_9_of_server_and_client_loses_nothing_acknowledged_on_postgresql(
    durable_cluster: Cluster,
) -> None:
    _kill_server_again_and_again(durable_cluster, 4, random.Random(3))


@pytest.mark.postgres
@pytest.mark.long
def test_kill_9_of_server_and_client_200_times_on_postgresql(durable_cluster: Cluster) -> None:
    _kill_server_again_and_again(durable_cluster, 200, random.Random(4))


@pytest.mark.postgres
def test_a_restart_of_postgresql_is_a_clear_refusal_and_then_forgotten(durable_cluster: Cluster) -> None:
    url = durable_cluster.new_database()
    with open_database(url) as database:
        records = Records(database)
        body = b'{"resourceType":"Patient","id":"p"}'
        records.update(ACTOR, "Patient", "p", body)
        durable_cluster.stop(signal.SIGINT)
        with pytest.raises(Unavailable):
            records.read(ACTOR, "Patient", "p")
        with pytest.raises(Unavailable) as refused:
            records.update(ACTOR, "Patient", "p", body)
        assert refused.value.status == 503
        durable_cluster.start()
        assert records.read(ACTOR, "Patient", "p").version == 1
        assert records.update(ACTOR, "Patient", "p", body).version == 2


def test_the_sync_precedes_the_acknowledgement(tmp_path: Path) -> None:
    """kill -9 does not show it, since the page cache outlives the process: look at the system calls themselves."""
    if shutil.which("strace") is None:
        pytest.skip("needs strace: apt install strace")
    trace = tmp_path / "trace"
    url = f"sqlite:///{tmp_path / 'x.db'}"
    open_records(url).close()
    done = subprocess.run(
        [
            "strace", "-f", "-y", "-o", str(trace), "-e", "trace=fsync,fdatasync,pwrite64,write",
            sys.executable, str(SCRIPT), url, "0", "1", "10",
        ],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    if "ptrace" in done.stderr and not done.stdout:
        pytest.skip("needs the right to trace processes (ptrace)")
    assert done.stdout.split() == ["ready", *map(str, range(10))]
    acknowledged, synced, written = 0, False, False
    for line in trace.read_text(errors="replace").splitlines():
        if "-wal>" in line and "pwrite64(" in line:
            written, synced = True, False
        elif "-wal>" in line and ("fdatasync(" in line or "fsync(" in line):
            synced = line.rstrip().endswith("= 0") or "<unfinished" in line
        elif "write(1" in line and f'"{acknowledged}\\n"' in line:
            assert written, f"{acknowledged} was acknowledged before anything was written"
            assert synced, f"{acknowledged} was acknowledged before the log was synced"
            acknowledged, written = acknowledged + 1, False
    assert acknowledged == 10
