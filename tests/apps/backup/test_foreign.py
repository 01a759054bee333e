"""Backups beside which others lie: of another record, under another key, or that cannot be read any more."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from random_record import write
from xinglin.apps.backup.archive import archive
from xinglin.apps.backup.base import back_up, identity
from xinglin.apps.backup.errors import BackupError, Damaged, Foreign
from xinglin.apps.backup.keeping import drop_older, listed
from xinglin.apps.backup.place import open_place
from xinglin.apps.backup.rehearsal import rehearse
from xinglin.apps.backup.restore import plan
from xinglin.kernel.settings import Settings
from xinglin.records.service import Records, open_records


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(backup_folder=str(tmp_path / "backups"), data=str(tmp_path / "data"))


@pytest.fixture
def two(tmp_path: Path, settings: Settings) -> Iterator[list[Records]]:
    opened = []
    for number in range(2):
        records = open_records(f"sqlite:///{tmp_path}/{number}.db", settings)
        write(records, random.Random(number), 8)
        opened.append(records)
    yield opened
    for records in opened:
        records.close()


def files(settings: Settings, pattern: str) -> list[Path]:
    return sorted(Path(settings.backup_folder).glob(f"1/{pattern}"))


def test_of_two_records_in_one_folder_none_is_taken_for_the_other(
    two: list[Records], settings: Settings
) -> None:
    place = open_place(settings)
    made = [back_up(records, place) for records in two]
    with pytest.raises(BackupError, match="several records"):
        plan(place)
    assert plan(place, name=made[0].name).manifest.record == made[0].record
    for records, manifest in zip(two, made, strict=True):
        assert rehearse(place, settings, records=records)["name"] == manifest.name
        drop_older(place, 1, manifest.record)
    assert len(listed(place)[0]) == 2


def test_a_segment_of_another_record_is_refused_though_it_fits(
    two: list[Records], settings: Settings, tmp_path: Path
) -> None:
    """The same positions, the first behind its backup: only whose it is tells it from the right one."""
    other = replace(settings, backup_folder=str(tmp_path / "others"))
    for records, chosen in zip(two, (settings, other), strict=True):
        back_up(records, open_place(chosen))
        write(records, random.Random(5), 4)
        archive(records, open_place(chosen))
    (mine,), (theirs,) = (files(chosen, "archive/*/*") for chosen in (settings, other))
    assert mine.name == theirs.name
    mine.write_bytes(theirs.read_bytes())
    with pytest.raises(Foreign):
        plan(open_place(settings))


def test_a_manifest_in_the_place_of_another_is_refused(two: list[Records], settings: Settings) -> None:
    place = open_place(settings)
    first, second = back_up(two[0], place), back_up(two[1], place)
    path = Path(settings.backup_folder) / "1" / "base"
    (path / second.name / "manifest.json").write_bytes((path / first.name / "manifest.json").read_bytes())
    with pytest.raises(Damaged):
        plan(place, name=second.name)


def test_bytes_that_are_no_text_are_refused_like_any_damage(two: list[Records], settings: Settings) -> None:
    place = open_place(settings)
    back_up(two[0], place)
    (path,) = files(settings, "base/*/manifest.json")
    whole = path.read_bytes()
    path.write_bytes(b"\xe2" + whole)
    with pytest.raises((Damaged, Foreign)):
        plan(place)
    path.write_bytes(whole.replace(b'"name": "2', b'"name": "\xe2', 1))
    with pytest.raises((Damaged, Foreign)):
        plan(place)


def test_a_lost_key_costs_the_old_backups_and_not_the_new_ones(
    two: list[Records], settings: Settings, tmp_path: Path
) -> None:
    keys = [tmp_path / name for name in ("lost", "new")]
    for key in keys:
        key.write_text(f"a key of some length, {key.name}")
    chosen = [replace(settings, backup_key_file=str(key)) for key in keys]
    old = back_up(two[0], open_place(chosen[0]))
    with pytest.raises(BackupError):
        plan(open_place(chosen[1]))  # the newest: never passed over in silence
    new = back_up(two[0], open_place(chosen[1]))
    place = open_place(chosen[1])
    assert plan(place).manifest.name == new.name
    kept, refused = listed(place)
    assert [one.manifest.name for one in kept] == [new.name]
    assert list(refused) == [old.name]
    assert identity(two[0])[0] == new.record
