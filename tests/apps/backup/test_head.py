"""What is missing behind all others in an archive is noticed, by a restore and by `xinglin doctor`."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from random_record import last_position, write
from xinglin.apps.backup.archive import archive, segments
from xinglin.apps.backup.base import back_up, identity
from xinglin.apps.backup.errors import Damaged, NoBackup
from xinglin.apps.backup.head import head_path, put_head, read_head
from xinglin.apps.backup.keeping import drop_older
from xinglin.apps.backup.place import open_place
from xinglin.apps.backup.rehearsal import rehearse
from xinglin.apps.backup.restore import plan
from xinglin.apps.doctor import examine
from xinglin.kernel.settings import Settings
from xinglin.records.service import Records, open_records


@pytest.fixture
def settings(sqlite_url: str, tmp_path: Path) -> Settings:
    return Settings(
        database=sqlite_url, backup_folder=str(tmp_path / "backups"), data=str(tmp_path / "data"), port=0
    )


@pytest.fixture
def records(settings: Settings) -> Iterator[Records]:
    """With a backup and three segments behind it."""
    opened = open_records(settings.database_url, settings)
    place, chance = open_place(settings), random.Random(1)
    write(opened, chance, 5)
    back_up(opened, place)
    for _ in range(3):
        write(opened, chance, 4)
        archive(opened, place)
    yield opened
    opened.close()


def files(settings: Settings) -> list[Path]:
    return sorted(Path(settings.backup_folder).glob("1/archive/*/*.zst"))


def told(settings: Settings) -> dict[str, str]:
    return {finding.name: finding.level for finding in examine(settings)}


@pytest.mark.parametrize("gone", [1, 2, 3])
def test_the_last_segments_missing_are_noticed(records: Records, settings: Settings, gone: int) -> None:
    place = open_place(settings)
    assert told(settings)["archive"] == "ok"
    for path in files(settings)[-gone:]:
        path.unlink()
    left = segments(place, identity(records)[1])
    reaches = left[-1].upto if left else 5
    with pytest.raises(Damaged, match=f"--to {reaches}") as refused:
        plan(place)
    assert str(last_position(records)) in refused.value.say("zh")
    with pytest.raises(Damaged):
        rehearse(place, settings, records=records)
    assert plan(place, position=reaches).position == reaches
    with pytest.raises(NoBackup):
        plan(place, position=reaches + 1)
    assert told(settings)["archive_there"] == "error"
    back_up(records, place)  # as it says
    assert plan(place).position == last_position(records)
    assert "archive_there" not in told(settings)


def test_the_whole_archive_or_the_newest_backup_missing_is_noticed(
    records: Records, settings: Settings
) -> None:
    place = open_place(settings)
    back_up(records, place)
    newest = max(Path(settings.backup_folder).glob("1/base/*"))
    shutil.move(newest, Path(settings.data) / "away")
    assert plan(place).position == last_position(records)  # the archive leads there from the older one
    assert told(settings)["backup_there"] == "error"
    shutil.rmtree(Path(settings.backup_folder) / "1/archive")
    with pytest.raises(Damaged):
        plan(place)


def test_a_head_that_is_damaged_or_missing_says_so_or_nothing(records: Records, settings: Settings) -> None:
    place, epoch = open_place(settings), identity(records)[1]
    path = Path(settings.backup_folder) / head_path(epoch)
    whole = path.read_bytes()
    last = last_position(records)
    for wrong in (whole[:-1], b"", whole.replace(b'"position":', b'"position":2')):
        path.write_bytes(wrong)
        with pytest.raises(Damaged, match=f"--to {last}"):
            plan(place)
        assert plan(place, position=last).position == last
    write(records, random.Random(2), 1)
    archive(records, place)  # writes it anew
    assert plan(place).position == last_position(records)
    path.unlink()  # as an earlier release left it
    assert plan(place).position == last_position(records)


def test_a_head_never_goes_back_and_goes_with_its_last_backup(records: Records, settings: Settings) -> None:
    place = open_place(settings)
    record, epoch = identity(records)
    put_head(place, record, epoch, position=3, at_us=1)
    head = read_head(place, epoch)
    assert head is not None
    assert head.position == last_position(records)
    put_head(place, record, "another", position=3, at_us=1)
    drop_older(place, 1, record)
    assert read_head(place, epoch) is not None


def test_a_sealed_head_is_of_its_key_only(records: Records, settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("correct horse battery staple")
    place = open_place(replace(settings, backup_key_file=str(tmp_path / "key")))
    back_up(records, place)
    write(records, random.Random(3), 2)
    archive(records, place)
    assert plan(place).position == last_position(records)
    epoch = identity(records)[1]
    path = Path(settings.backup_folder) / head_path(epoch)
    path.write_bytes(path.read_bytes().replace(b'"position":', b'"position":1'))
    with pytest.raises(Damaged):
        plan(place)
