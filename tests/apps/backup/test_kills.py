"""kill -9 in the middle of a backup, an archive, a restore and a migration: all go on, and nothing half passes for whole."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from random_record import held, last_position, state, write
from xinglin.apps.backup.archive import archive
from xinglin.apps.backup.base import back_up
from xinglin.apps.backup.keeping import backups
from xinglin.apps.backup.place import open_place
from xinglin.apps.backup.restore import plan
from xinglin.kernel.database import Unfinished, open_database
from xinglin.kernel.settings import Settings
from xinglin.records import schema
from xinglin.records.service import Records, open_records

SCRIPT = Path(__file__).with_name("killed_process.py")
pytestmark = pytest.mark.slow


def killed(what: str, url: str, folder: Path, after: int) -> bool:
    """Kill it at the ``after``-th thing it says; whether it was done before."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, str(SCRIPT), what, url, str(folder)],
        stdout=subprocess.PIPE,
        env=environment,
        text=True,
    ) as process:
        assert process.stdout is not None
        said = ""
        for _ in range(after):
            said = process.stdout.readline().strip()
            if said in ("", "done"):
                break
        process.kill()
        rest = process.stdout.read()
    assert said, "it ended by itself without having been done"
    return said == "done" or "done" in rest


def test_backup_and_restore_go_on_after_each_kill(database_url: str, tmp_path: Path) -> None:
    settings = Settings(backup_folder=str(tmp_path / "backups"), data=str(tmp_path))
    place = open_place(settings)
    records = Records(open_database(database_url, durable=False))
    try:
        write(records, random.Random(1), 50)
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
    finally:
        records.close()


def test_an_archive_killed_again_and_again_misses_nothing(sqlite_url: str, tmp_path: Path) -> None:
    settings = Settings(backup_folder=str(tmp_path / "backups"), data=str(tmp_path))
    place = open_place(settings)
    records = open_records(sqlite_url, settings)
    chance = random.Random(3)
    try:
        back_up(records, place)
        for _ in range(4):
            write(records, chance, 10)
            killed("archive", sqlite_url, tmp_path, 1)
        archive(records, place)
        assert plan(place).reaches == last_position(records)
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
