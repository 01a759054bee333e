"""PostgreSQL killed, servers killed and disks full in the middle: each ends in a clear state, and goes on from there."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from killing import begun, ended, small_disk
from older_record import as_of_schema_1, copied
from postgres import Cluster
from random_record import ACTOR, held, last_position, state, write
from xinglin.apps.backup import base as base_module
from xinglin.apps.backup.archive import archive
from xinglin.apps.backup.base import back_up
from xinglin.apps.backup.keeping import backups
from xinglin.apps.backup.lists import archive_files
from xinglin.apps.backup.place import open_place
from xinglin.apps.backup.rehearsal import rehearse
from xinglin.apps.backup.restore import plan, restore
from xinglin.kernel.blobs import BlobsFull, open_blobs
from xinglin.kernel.database import Unfinished, open_database
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.settings import Settings
from xinglin.records import schema
from xinglin.records.service import Records, open_records

pytestmark = pytest.mark.long


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """A PostgreSQL that is crashed: with what it syncs, as at a hospital."""
    found = Cluster("shared_buffers=64MB")
    yield found
    found.close()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(backup_folder=str(tmp_path / "backups"), data=str(tmp_path))


def grown(folder: Path, mib: int) -> None:
    subprocess.run(["mount", "-o", f"remount,size={mib}m", str(folder)], check=True)


def filled(records: Records, seed: int, count: int = 600) -> None:
    """Resources that do not pack well."""
    chance = random.Random(seed)
    lines = (
        json.dumps(
            {"resourceType": "Basic", "id": f"b{seed}-{n}", "code": {"text": chance.randbytes(2000).hex()}}
        ).encode()
        for n in range(count)
    )
    assert not records.load(ACTOR, lines).run().rejected


@pytest.mark.postgres
def test_postgresql_killed_in_the_middle_of_a_backup(
    cluster: Cluster, settings: Settings, tmp_path: Path
) -> None:
    url = cluster.new_database()
    records = Records(open_database(url), settings)
    write(records, random.Random(1), 50)
    position, wanted = last_position(records), state(records, last_position(records))
    records.close()
    place = open_place(settings)
    for after in (1, 2, 3):
        with begun("backup", url, tmp_path, after) as (process, _):
            cluster.crash()
            told = ended(process)
        assert told.startswith("failed kernel.database")
        cluster.start()
    records = open_records(url, settings)
    try:
        assert back_up(records, place).position == position
        assert held(records) == wanted
        assert rehearse(place, settings)["well"]
    finally:
        records.close()


@pytest.mark.postgres
def test_postgresql_killed_in_the_middle_of_a_restore(
    cluster: Cluster, settings: Settings, sqlite_url: str, tmp_path: Path
) -> None:
    records = open_records(sqlite_url, settings)
    write(records, random.Random(2), 150)
    place = open_place(settings)
    back_up(records, place)
    url = cluster.new_database()
    try:
        for after in (3, 8, 12):
            with begun("restore", url, tmp_path, after) as (process, _):
                cluster.crash()
                told = ended(process)
            assert told.startswith("failed kernel.database")
            cluster.start()
            with pytest.raises(Unfinished):
                open_records(url, settings)
        restore(place, settings, plan(place), url=url)
        restored = open_records(url, settings)
        try:
            assert held(restored) == state(records, last_position(records))
        finally:
            restored.close()
    finally:
        records.close()


@pytest.mark.postgres
def test_postgresql_killed_in_the_middle_of_a_migration(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = cluster.new_database()
    wanted = as_of_schema_1(url, monkeypatch, 2500)
    for after in (1, 3, 5):
        with begun("migrate-large", url, tmp_path, after) as (process, said):
            assert said != "done"
            cluster.crash()
            told = ended(process)
        assert told.startswith("failed kernel.database")
        cluster.start()
        with open_database(url) as database, database.read() as connection:
            assert schema.schema_version(connection) == 1
    with open_database(url) as database:
        assert schema.migrate(database) == (1, schema.SCHEMA_VERSION)
        with database.read() as connection:
            assert copied(connection) == wanted


def test_a_server_killed_in_the_middle_of_a_backup_makes_it_whole_after_its_next_start(
    database_url: str, settings: Settings, tmp_path: Path
) -> None:
    records = Records(open_database(database_url), settings)
    filled(records, 1, 5000)
    records.close()
    environment = {
        **os.environ, "XINGLIN_DATABASE": database_url, "XINGLIN_DATA": str(tmp_path),
        "XINGLIN_BACKUP_FOLDER": settings.backup_folder, "XINGLIN_PORT": "0",
    }  # fmt: skip
    command = [sys.executable, "-m", "xinglin.apps.cli.main", "serve", "--json"]
    folder = Path(settings.backup_folder)

    def until(pattern: str, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not list(folder.glob(pattern)):
            assert time.monotonic() < deadline, f"no {pattern}"
            time.sleep(0.01)

    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as server:
        until("1/base/*/unfinished.json", 60)
        server.kill()
    if backups(open_place(settings)):
        pytest.skip("the machine was quicker than the kill")
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as server:
        until("1/base/*/manifest.json", 180)  # after the lease of the killed worker
        server.terminate()
    place = open_place(settings)
    assert len(backups(place)) == 1
    assert rehearse(place, settings)["well"]


def test_a_disk_full_during_a_backup_and_the_archive_behind_it(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with small_disk(tmp_path / "disk", 2) as disk:
        settings = Settings(backup_folder=str(disk / "backups"), data=str(tmp_path))
        place, blobs = open_place(settings), open_blobs(settings)
        records = Records(open_database(database_url, durable=False), settings)
        try:
            filled(records, 1, 1500)
            blobs.put("1/images/0", [random.Random(0).randbytes(500_000)])
            monkeypatch.setattr(base_module, "PART_LINES", 100)
            for _ in range(2):
                with pytest.raises(BlobsFull):
                    back_up(records, place, blobs=blobs)
                assert backups(place) == []
            grown(disk, 5)
            manifest = back_up(records, place, blobs=blobs)
            grown(disk, 1 + sum(path.stat().st_size for path in disk.rglob("*") if path.is_file()) // 2**20)
            filled(records, 2, 1500)
            blobs.put("1/images/1", [random.Random(1).randbytes(3_000_000)])
            with pytest.raises(BlobsFull):
                archive_files(records, place, blobs)
            for _ in range(2):
                with pytest.raises(BlobsFull):
                    archive(records, place)
                assert plan(place).position >= manifest.position  # what is there stays whole
            write(records, random.Random(3), 3)  # the record is served on
            grown(disk, 20)
            archive_files(records, place, blobs)
            archive(records, place)
            assert plan(place).position == last_position(records)
            told = rehearse(place, settings)
            assert told["well"]
            assert told["files"] == 2
        finally:
            records.close()


def test_a_disk_full_during_a_restore(settings: Settings, sqlite_url: str, tmp_path: Path) -> None:
    records = open_records(sqlite_url, settings)
    place, blobs = open_place(settings), open_blobs(settings)
    filled(records, 1)
    for number in range(3):
        blobs.put(f"1/images/{number}", [random.Random(number).randbytes(700_000)])
    back_up(records, place, blobs=blobs)
    with small_disk(tmp_path / "disk", 2) as disk:
        url = f"sqlite:///{disk}/new.db"
        chosen = replace(settings, blobs=str(disk / "blobs"), backup_folder="")
        try:
            told: list[XinglinError] = []
            for mib in (2, 3, 6, 8, 9, 40):
                grown(disk, mib)
                try:
                    restore(place, chosen, plan(place), url=url, blobs=open_blobs(chosen))
                    break
                except XinglinError as error:
                    told.append(error)
                    with pytest.raises(XinglinError):
                        open_records(url, chosen).close()
            assert len(told) >= 2
            assert all("full" in error.key and error.say("zh") for error in told)
            restored = open_records(url, chosen)
            try:
                assert held(restored) == state(records, last_position(records))
            finally:
                restored.close()
            brought = open_blobs(chosen)
            assert {path: brought.read(path) for path in brought.list("1/")} == {
                path: blobs.read(path) for path in blobs.list("1/")
            }
        finally:
            records.close()


@pytest.mark.postgres
def test_a_disk_full_under_the_log_of_postgresql_loses_nothing_acknowledged(tmp_path: Path) -> None:
    cluster = Cluster("max_wal_size=4GB", "wal_recycle=off", "shared_buffers=64MB", "checkpoint_timeout=1h")
    try:
        with small_disk(cluster.folder / "wal", 64) as disk:
            cluster.stop()
            own, other = cluster.data / "pg_wal", disk / "pg_wal"
            subprocess.run(["cp", "-a", str(own), str(other)], check=True)
            own.rename(cluster.data / "pg_wal_before")
            own.symlink_to(other)
            cluster.own(disk)
            cluster.start()
            url = cluster.new_database()
            settings = Settings(database=url, data=str(tmp_path / "data"))
            records = Records(open_database(url), settings)
            acknowledged: list[str] = []
            with pytest.raises(XinglinError) as told:
                created(records, 2000, acknowledged)
            assert told.value.status in (503, 507)
            assert told.value.say("zh")
            records.close()
            grown(disk, 400)
            cluster.stop()
            cluster.start()
            records = open_records(url, settings)
            try:
                for id_ in acknowledged:
                    assert records.read(ACTOR, "Basic", id_).version == 1
                assert len(acknowledged) > 50
                write(records, random.Random(2), 3)
            finally:
                records.close()
            cluster.stop()
    finally:
        cluster.close()


def created(records: Records, count: int, acknowledged: list[str]) -> None:
    """Create resources of 100 kB each, which do not pack well."""
    chance = random.Random(1)
    for _ in range(count):
        body = {"resourceType": "Basic", "code": {"text": chance.randbytes(50_000).hex()}}
        acknowledged.append(records.create(ACTOR, "Basic", json.dumps(body).encode()).id)
