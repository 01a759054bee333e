"""A backup is of ONE position, whole and bounded; what is damaged, foreign or cut short is refused with a sentence."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from random_record import ACTOR, held, last_position, state, write
from xinglin.apps.backup import base as base_module
from xinglin.apps.backup import restore as restore_module
from xinglin.apps.backup.base import back_up
from xinglin.apps.backup.errors import Damaged, Foreign, InUse, NoBackup, Sealed
from xinglin.apps.backup.keeping import backups, drop_older
from xinglin.apps.backup.place import open_place
from xinglin.apps.backup.rehearsal import check, rehearse
from xinglin.apps.backup.restore import plan, restore
from xinglin.kernel.database import Unfinished, open_database
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.settings import Settings
from xinglin.records.reindexing import count_stale
from xinglin.records.service import Records, open_records
from xinglin.records.stored import Operation


@pytest.fixture
def records(database_url: str) -> Iterator[Records]:
    opened = Records(open_database(database_url, durable=False))
    yield opened
    opened.close()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(backup_folder=str(tmp_path / "backups"), data=str(tmp_path / "data"))


def again(settings: Settings, url: str, **options: object) -> Records:
    place = open_place(settings)
    restore(place, settings, plan(place, **options), url=url, durable=False)  # type: ignore[arg-type]
    return open_records(url, settings)


def links(records: Records) -> list[tuple[object, ...]]:
    """What the time machine and searches keep of each version, straight from the tables."""
    with records.database.read() as connection:
        return sorted(
            (table, *row)
            for table, columns in (
                ("history_reference", "tenant, target, rid, version"),
                ("history_patient", "tenant, patient, rid, version"),
                ("ix_reference", "tenant, rid, param, target"),
                ("history", "tenant, rid, version, patient"),
                ("resource", "tenant, rid, version, patient"),
            )
            for row in connection.execute(f"SELECT {columns} FROM {table}").fetchall()
        )


@pytest.mark.parametrize("to", ["sqlite", "postgresql"])
def test_what_is_restored_is_what_was_backed_up_on_either_database(
    records: Records, settings: Settings, tmp_path: Path, to: str, request: pytest.FixtureRequest
) -> None:
    records.set_tenant(1, "医院", "Asia/Shanghai")
    write(records, random.Random(1), 60)
    back_up(records, open_place(settings))
    position = last_position(records)
    write(records, random.Random(2), 5)  # later than the backup
    url = f"sqlite:///{tmp_path}/new.db"
    if to == "postgresql":
        url = request.getfixturevalue("postgres_cluster").new_database()
    restored = again(settings, url)
    try:
        assert held(restored) == state(records, position)
        assert restored.zone() == "Asia/Shanghai"
        assert count_stale(restored, ACTOR) == {}
        assert restored.cursors.open(records.cursors.seal([1], "x"), "x") == [1]
    finally:
        restored.close()


def test_a_backup_made_while_others_write_is_of_one_position(
    records: Records, settings: Settings, tmp_path: Path
) -> None:
    write(records, random.Random(3), 30)
    stop = threading.Event()

    def on() -> None:
        chance = random.Random(4)
        while not stop.is_set():
            write(records, chance, 1)

    writer = threading.Thread(target=on)
    writer.start()
    try:
        manifest = back_up(records, open_place(settings))
    finally:
        stop.set()
        writer.join()
    restored = again(settings, f"sqlite:///{tmp_path}/new.db")
    try:
        assert held(restored) == state(records, manifest.position)
    finally:
        restored.close()


def test_new_writes_after_a_restore_take_places_behind_all_old_ones(
    records: Records, settings: Settings, tmp_path: Path
) -> None:
    write(records, random.Random(5), 20)
    back_up(records, open_place(settings))
    restored = again(settings, f"sqlite:///{tmp_path}/new.db")
    try:
        before = held(restored)
        stored = restored.create(ACTOR, "Basic", b'{"resourceType":"Basic","code":{"text":"new"}}')
        changes = restored.changes(ACTOR, last_position(records))
        assert [change.id for change in changes] == [stored.id]
        assert changes[0].position > last_position(records) + 1_000_000
        write(restored, random.Random(6), 20)
        after = held(restored)
        assert {key: value[0] for key, value in after.items() if key in before} == {
            key: value[0] for key, value in before.items()
        }
    finally:
        restored.close()


def test_a_tenant_of_several_comes_back_with_its_own_rows(settings: Settings, tmp_path: Path) -> None:
    from xinglin.trust import local_system

    records = open_records(f"sqlite:///{tmp_path}/old.db", settings)
    try:
        records.set_tenant(2, "second", "Europe/Rome")
        write(records, random.Random(7), 40, (ACTOR, local_system(2)))
        back_up(records, open_place(settings))
        restored = again(settings, f"sqlite:///{tmp_path}/new.db")
        try:
            assert held(restored) == state(records, last_position(records))
            assert links(restored) == links(records) != []
            assert (restored.zone(1), restored.zone(2)) == ("UTC", "Europe/Rome")
        finally:
            restored.close()
    finally:
        records.close()


def test_a_backup_broken_off_goes_on_from_its_last_whole_part(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base_module, "PART_LINES", 20)
    monkeypatch.setattr(base_module, "RESOURCES", 5)
    records = open_records(f"sqlite:///{tmp_path}/old.db", settings)

    class Stop(Exception):
        pass

    def stop_after(calls: int) -> Callable[[], None]:
        left = [calls]

        def check() -> None:
            left[0] -= 1
            if left[0] < 0:
                raise Stop

        return check

    try:
        for number in range(40):
            records.update(
                ACTOR,
                "Basic",
                f"b{number}",
                b'{"resourceType":"Basic","code":{"text":"1"},"id":"b%d"}' % number,
            )
        position = last_position(records)
        place = open_place(settings)
        stops = 0
        for calls in (1, 5, 6, 100):
            try:
                manifest = back_up(records, place, check=stop_after(calls))
            except Stop:
                stops += 1
                assert backups(place) == []
                write(records, random.Random(8), 3)
        assert stops >= 2
        assert manifest.position == position
        restored = again(settings, f"sqlite:///{tmp_path}/new.db")
        try:
            assert held(restored) == state(records, position)
        finally:
            restored.close()
    finally:
        records.close()


@pytest.fixture
def backed(settings: Settings, tmp_path: Path) -> Iterator[Records]:
    """A record with a backup in the folder of ``settings``."""
    opened = open_records(f"sqlite:///{tmp_path}/old.db", settings)
    write(opened, random.Random(9), 30)
    back_up(opened, open_place(settings))
    yield opened
    opened.close()


def parts(settings: Settings) -> list[Path]:
    return sorted(Path(settings.backup_folder).glob("1/base/*/*.zst"))


@pytest.mark.parametrize("how", ["cut", "changed", "emptied", "removed", "swapped"])
def test_a_damaged_part_is_refused_before_anything_is_written(
    backed: Records, settings: Settings, tmp_path: Path, how: str
) -> None:
    for number, path in enumerate(parts(settings)):
        whole = path.read_bytes()
        other = parts(settings)[number - 1].read_bytes()
        if how == "removed":
            path.unlink()
        else:
            middle = len(whole) // 2
            path.write_bytes(
                {
                    "cut": whole[:-3],
                    "changed": whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :],
                    "emptied": b"",
                    "swapped": other,
                }[how]
            )
        with pytest.raises(Damaged) as refused:
            again(settings, f"sqlite:///{tmp_path}/new.db")
        assert "backup" in refused.value.say("en")
        assert not (tmp_path / "new.db").exists()
        path.write_bytes(whole)
    again(settings, f"sqlite:///{tmp_path}/new.db").close()


def test_a_changed_manifest_and_a_foreign_one_are_refused(backed: Records, settings: Settings) -> None:
    (path,) = Path(settings.backup_folder).glob("1/base/*/manifest.json")
    text = path.read_text()
    place = open_place(settings)
    name = backups(place)[0].manifest.name
    path.write_text(text.replace('"position": ', '"position": 1'))
    with pytest.raises(Damaged):
        plan(place)
    path.write_text('{"hello": 1}')
    with pytest.raises(Foreign):
        check(place, name)
    newer = msgspec.json.decode(text)
    path.write_bytes(msgspec.json.encode({**newer, "schema": 99, "program": "9.0"}))
    with pytest.raises(Foreign, match=r"9\.0"):
        check(place, name)
    path.unlink()
    with pytest.raises(NoBackup):
        plan(place)


def test_a_restore_never_overwrites_a_record(backed: Records, settings: Settings, tmp_path: Path) -> None:
    other = open_records(f"sqlite:///{tmp_path}/other.db", settings)
    other.create(ACTOR, "Basic", b'{"resourceType":"Basic","code":{"text":"mine"}}')
    other.close()
    with pytest.raises(InUse):
        again(settings, f"sqlite:///{tmp_path}/other.db")


@pytest.mark.parametrize("to", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def test_a_restore_never_goes_under_a_process_that_has_the_database_open(
    backed: Records,
    settings: Settings,
    tmp_path: Path,
    to: str,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It would write on with the numbers it drew while the database was empty."""
    monkeypatch.setattr(restore_module, "ALONE_S", 0.5)
    url = f"sqlite:///{tmp_path}/new.db"
    if to == "postgresql":
        url = request.getfixturevalue("postgres_cluster").new_database()
    server = subprocess.Popen(
        [sys.executable, "-m", "xinglin.apps.cli.main", "serve", "--port", "0", "--json"],
        env={**os.environ, "XINGLIN_DATABASE": url, "XINGLIN_DATA": str(tmp_path), "XINGLIN_WORKER": "false"},
        stdout=subprocess.PIPE,
    )
    try:
        assert server.stdout is not None
        assert server.stdout.readline()
        for _ in range(2):
            with pytest.raises(InUse, match="open"):
                again(settings, url)
            with pytest.raises(InUse, match="open"):
                restore_module.free(url)
        server.kill()
        server.wait()
        monkeypatch.undo()
        restored = again(settings, url)
        assert held(restored) == state(backed, last_position(backed))
        restored.close()
        with pytest.raises(InUse, match="never overwrites"):
            restore_module.free(url)
    finally:
        server.kill()
        server.wait()


def test_a_restore_broken_off_is_no_record_and_goes_on(
    backed: Records, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restore_module, "BATCH", 7)
    place = open_place(settings)
    url = f"sqlite:///{tmp_path}/new.db"
    position = last_position(backed)
    for calls in range(1, 40, 3):
        left = [calls]

        def stop(left: list[int] = left) -> None:
            left[0] -= 1
            if left[0] < 0:
                raise KeyboardInterrupt

        try:
            restore(place, settings, plan(place), url=url, durable=False, check=stop)
            break
        except KeyboardInterrupt:
            with pytest.raises(Unfinished):
                open_records(url, settings)
    else:
        pytest.fail("it never ended")
    assert calls > 4
    restored = open_records(url, settings)
    try:
        assert held(restored) == state(backed, position)
        assert count_stale(restored, ACTOR) == {}
    finally:
        restored.close()


def test_a_sealed_backup_opens_with_its_key_only(settings: Settings, tmp_path: Path) -> None:
    key, other = tmp_path / "key", tmp_path / "other"
    key.write_text("correct horse battery staple")
    other.write_text("another horse battery staple")
    locked = replace(settings, backup_key_file=str(key))
    records = open_records(f"sqlite:///{tmp_path}/old.db", settings)
    try:
        write(records, random.Random(10), 20)
        records.write(
            ACTOR,
            [
                Operation(
                    "update", "Patient", "q", b'{"resourceType":"Patient","name":[{"family":"Sonnenschein"}]}'
                )
            ],
        )
        back_up(records, open_place(locked))
        assert all(b"Sonnenschein" not in path.read_bytes() for path in parts(settings))
        for wrong in (settings, replace(settings, backup_key_file=str(other))):
            with pytest.raises((Sealed, Damaged)):
                again(wrong, f"sqlite:///{tmp_path}/new.db")
        restored = again(locked, f"sqlite:///{tmp_path}/new.db")
        assert held(restored) == state(records, last_position(records))
        restored.close()
        whole = parts(settings)[-1].read_bytes()
        parts(settings)[-1].write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        with pytest.raises((Sealed, Damaged)):
            check(open_place(locked), backups(open_place(locked))[0].manifest.name)
    finally:
        records.close()


def test_a_rehearsal_finds_a_backup_good_and_says_so(backed: Records, settings: Settings) -> None:
    place = open_place(settings)
    result = rehearse(place, settings, records=backed)
    assert result["well"]
    assert result["versions"] == len(held(backed))
    assert backups(place)[0].rehearsed == result


def test_a_rehearsal_notices_a_version_that_came_back_otherwise(
    backed: Records, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = restore_module.put_versions

    def forgetful(connection: object, records: object, rows: list[object], **options: object) -> None:
        real(connection, records, rows[:-1] if len(rows) > 1 else rows, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(restore_module, "put_versions", forgetful)
    with pytest.raises(XinglinError) as told:
        rehearse(open_place(settings), settings, records=backed)
    assert told.value.key == "apps.rehearsal-differs"
    assert backups(open_place(settings))[0].rehearsed["well"] is False  # type: ignore[index]


def test_a_new_folder_of_backups_is_for_its_owner_only(backed: Records, settings: Settings) -> None:
    assert Path(settings.backup_folder).stat().st_mode & 0o077 == 0


def test_only_as_many_are_kept_as_asked(backed: Records, settings: Settings) -> None:
    place = open_place(settings)
    for _ in range(3):
        write(backed, random.Random(11), 1)
        newest = back_up(backed, place)
    assert drop_older(place, 2, newest.record) == 2
    assert backups(place)[0].manifest.name == newest.name
    assert len(backups(place)) == 2
    assert drop_older(place, 2, "another record") == 0
