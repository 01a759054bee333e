"""kill -9 in the middle of a backup, an archive, a restore and a migration: all go on, and nothing half passes for whole."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from killing import killed
from older_record import as_of_schema_1, copied
from random_record import ACTOR, held, last_position, state, write
from xinglin.apps.backup.archive import archive
from xinglin.apps.backup.base import back_up
from xinglin.apps.backup.keeping import backups
from xinglin.apps.backup.lists import archive_files, files_of
from xinglin.apps.backup.place import open_place
from xinglin.apps.backup.restore import plan
from xinglin.kernel.blobs import open_blobs
from xinglin.kernel.blobs.folder import FolderBlobs
from xinglin.kernel.database import Unfinished, open_database
from xinglin.kernel.settings import Settings
from xinglin.records import schema
from xinglin.records.service import Records, open_records

pytestmark = pytest.mark.slow


def test_backup_and_restore_go_on_after_each_kill(database_url: str, tmp_path: Path) -> None:
    settings = Settings(backup_folder=str(tmp_path / "backups"), data=str(tmp_path))
    place = open_place(settings)
    records = Records(open_database(database_url, durable=False))
    try:
        write(records, random.Random(1), 50)
        blobs = open_blobs(settings)
        for number in range(5):
            blobs.put(f"1/images/{number}", [random.Random(number).randbytes(1000 * number)])
        position = last_position(records)
        kills = 0
        while not killed("backup", database_url, tmp_path, 4 + kills):
            kills += 1
            assert backups(place) == []
            write(records, random.Random(kills), 2)  # not of the backup: its position stands
        assert kills >= 1
        (kept,) = backups(place)
        assert kept.manifest.position == position
        archive(records, place)
        url = f"sqlite:///{tmp_path}/new.db"
        kills = 0
        while not killed("restore", url, tmp_path, 6 + 3 * kills):
            kills += 1
            with pytest.raises(Unfinished):
                open_records(url, settings)
        assert kills >= 1
        restored = open_records(url, settings)
        try:
            assert held(restored) == state(records, last_position(records))
        finally:
            restored.close()
        target = FolderBlobs(tmp_path / "brought")
        assert {path: target.read(path) for path in target.list("1/")} == {
            path: blobs.read(path) for path in blobs.list("1/")
        }
    finally:
        records.close()


def test_an_archive_killed_again_and_again_misses_nothing(sqlite_url: str, tmp_path: Path) -> None:
    settings = Settings(backup_folder=str(tmp_path / "backups"), data=str(tmp_path))
    place = open_place(settings)
    records = open_records(sqlite_url, settings)
    chance, blobs = random.Random(3), open_blobs(settings)
    try:
        back_up(records, place, blobs=blobs)
        for _ in range(4):
            write(records, chance, 10)
            blobs.put(f"1/images/{chance.random()}", [b"."])
            killed("archive", sqlite_url, tmp_path, 1)
        archive_files(records, place, blobs)
        archive(records, place)
        chosen = plan(place)
        assert chosen.reaches == last_position(records)
        assert chosen.files is not None
        assert not chosen.files.lost
        assert {file.blob for file in files_of(place, chosen.files)} == set(blobs.list("1/"))
    finally:
        records.close()


def test_a_migration_killed_between_two_statements_has_changed_nothing_and_is_done_by_the_next_start(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as older:
        older.setattr(schema, "SCHEMA_VERSION", 1)
        older.setattr(schema, "STEPS", schema.STEPS[:1])
        database = open_database(database_url)
        assert schema.migrate(database) == (0, 1)
        database.close()
    assert not killed("migrate", database_url, tmp_path, 1)
    database = open_database(database_url)
    with database.read() as connection:
        assert schema.schema_version(connection) == 1
    assert schema.migrate(database) == (1, schema.SCHEMA_VERSION)
    database.close()
    records = open_records(database_url)
    try:
        write(records, random.Random(4), 3)
    finally:
        records.close()


def test_a_large_record_is_migrated_whole_or_not_at_all_however_often_it_is_killed(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = as_of_schema_1(database_url, monkeypatch, 2500)
    kills = 0
    while not killed("migrate-large", database_url, tmp_path, 1 + 3 * kills):
        kills += 1
        with open_database(database_url) as database, database.read() as connection:
            if schema.schema_version(connection) == schema.SCHEMA_VERSION:
                break  # killed behind the last of it
            with pytest.raises(Exception, match="history_reference"):
                connection.execute("SELECT * FROM history_reference")
    assert kills >= 2
    with open_database(database_url) as database, database.read() as connection:
        assert schema.schema_version(connection) == schema.SCHEMA_VERSION
        found = copied(connection)
    assert found == wanted
    assert len(found["history_reference"][1]) > 1000
    records = open_records(database_url)
    try:
        assert records.read(ACTOR, "Patient", "p1").version > 10
    finally:
        records.close()


def test_a_migration_says_that_it_begins_and_ends(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    as_of_schema_1(database_url, monkeypatch, 600)
    told: list[schema.Migrating] = []
    open_records(database_url, migrating=told.append).close()
    begun, done = told
    assert (begun.before, begun.after, begun.seconds) == (1, schema.SCHEMA_VERSION, None)
    assert begun.versions >= 600
    assert done.seconds is not None
    open_records(database_url, migrating=told.append).close()
    assert len(told) == 2
