"""No room left: writes are refused clearly, reads go on, and writing resumes by itself once there is room."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from postgres import FAST, Cluster
from xinglin.kernel.database import Full, Unavailable, open_database
from xinglin.records.service import Records
from xinglin.trust import local_system

ACTOR = local_system()


def _body(number: int) -> bytes:
    # Random text, or compression would make room for it after all.
    return (
        f'{{"resourceType":"Basic","id":"b{number}","code":{{"text":"{os.urandom(6000).hex()}"}}}}'
    ).encode()


def _write(records: Records, number: int) -> None:
    records.update(ACTOR, "Basic", f"b{number}", _body(number))


def _fill(records: Records) -> int:
    """Write until it is refused; how many were taken."""
    for number in range(20_000):
        try:
            _write(records, number)
        except (Full, Unavailable):
            return number
    raise AssertionError("the disk never filled")


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A file system of 8 MiB; only root can mount one."""
    if os.geteuid() != 0:
        pytest.skip("needs root to mount a small file system")
    folder = Path(tempfile.mkdtemp(prefix="xinglin-small-"))
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip("needs the right to mount a small file system")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)
    folder.rmdir()


def test_at_a_size_limit_sqlite_refuses_writes_and_reads_on(sqlite_url: str) -> None:
    with open_database(sqlite_url, durable=False) as database:
        records = Records(database)
        _write(records, 0)
        pages = database.exclusively(lambda c: c.execute("PRAGMA page_count").fetchone())[0]
        database.exclusively(lambda c: c.execute(f"PRAGMA max_page_count = {pages + 20}").fetchone())
        taken = _fill(records)
        with pytest.raises(Full) as refused:
            _write(records, taken)
        assert refused.value.status == 507
        assert records.count(ACTOR) == {"Basic": taken}
        assert records.read(ACTOR, "Basic", "b0").body
        database.exclusively(lambda c: c.execute("PRAGMA max_page_count = 1000000").fetchone())
        _write(records, taken)
        assert records.count(ACTOR) == {"Basic": taken + 1}


def test_on_a_full_disk_sqlite_refuses_writes_reads_on_and_resumes(small_disk: Path) -> None:
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(2 * 1024 * 1024))
    with open_database(f"sqlite:///{small_disk / 'x.db'}") as database:
        records = Records(database)
        taken = _fill(records)
        assert taken > 10
        for number in range(taken):
            assert records.read(ACTOR, "Basic", f"b{number}").version >= 1
        with pytest.raises(Full):
            _write(records, taken)
        ballast.unlink()
        _write(records, taken)
        assert records.read(ACTOR, "Basic", f"b{taken}").version == 1
    with open_database(f"sqlite:///{small_disk / 'x.db'}") as database:
        assert Records(database).count(ACTOR) == {"Basic": taken + 1}
        with database.read() as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@pytest.mark.postgres
@pytest.mark.slow
def test_on_a_full_disk_postgresql_answers_503_and_resumes(small_disk: Path) -> None:
    import psycopg

    cluster = Cluster(*FAST)
    try:
        ballast = small_disk / "ballast"
        ballast.write_bytes(bytes(512 * 1024))
        folder = small_disk / "space"
        folder.mkdir()
        cluster.own(small_disk, folder)
        with psycopg.connect(cluster.url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE TABLESPACE small LOCATION '{folder}'")
        url = cluster.new_database()
        with open_database(url) as database:
            records = Records(database)
            _write(records, 0)

            database.exclusively(lambda c: c.execute("ALTER TABLE resource SET TABLESPACE small"))
            taken = _fill(records)
            assert taken > 10
            with pytest.raises(Unavailable) as refused:
                _write(records, taken)
            assert refused.value.status == 503
            assert "room" in str(refused.value)
            assert records.read(ACTOR, "Basic", "b0").version == 2
            ballast.unlink()
            _write(records, taken)
            assert records.count(ACTOR) == {"Basic": taken + 1}
    finally:
        cluster.close()


def test_the_write_ahead_log_stays_bounded_while_others_read(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from xinglin.kernel.database import sqlite

    monkeypatch.setattr(sqlite, "WAL_MOST_BYTES", 1024 * 1024)
    monkeypatch.setattr(sqlite, "LOOK_EVERY", 1)
    monkeypatch.setattr(sqlite, "CHECKPOINT_PAGES", 10**9)  # as if readers had held up every checkpoint
    with open_database(sqlite_url, durable=False) as database:
        records = Records(database)
        largest = 0
        for number in range(300):
            _write(records, number)
            if number % 10 == 0:
                records.read(ACTOR, "Basic", "b0")
            largest = max(largest, (tmp_path / "xinglin.db-wal").stat().st_size)
        assert largest < 2 * 1024 * 1024
