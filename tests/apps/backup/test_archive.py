"""Archived changes: any position comes back exactly; what was cut short or exchanged in the chain is refused."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from random_record import ACTOR, found, held, last_position, state, write
from xinglin.apps.backup import archive as archive_module
from xinglin.apps.backup.archive import archive, segments
from xinglin.apps.backup.base import back_up, identity
from xinglin.apps.backup.errors import BackupError, Damaged, NoBackup
from xinglin.apps.backup.keeping import backups, drop_older
from xinglin.apps.backup.place import Place, open_place
from xinglin.apps.backup.rehearsal import rehearse
from xinglin.apps.backup.restore import plan, restore
from xinglin.kernel.database import open_database
from xinglin.kernel.settings import Settings
from xinglin.records.reindexing import count_stale
from xinglin.records.service import Records, open_records


@pytest.fixture
def records(database_url: str) -> Iterator[Records]:
    opened = Records(open_database(database_url, durable=False))
    yield opened
    opened.close()


def place_in(folder: Path) -> tuple[Settings, Place]:
    chosen = Settings(backup_folder=str(folder / "backups"), data=str(folder / "data"))
    return chosen, open_place(chosen)


@pytest.mark.parametrize("engine", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 10**6),
    runs=st.lists(st.integers(0, 12), min_size=1, max_size=5),
    share=st.floats(0, 1),
    base_at=st.integers(0, 4),
)
def test_a_record_comes_back_as_it_was_at_any_position(
    engine: str,
    seed: int,
    runs: list[int],
    share: float,
    base_at: int,
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> None:
    folder = tmp_path_factory.mktemp("any")
    chance = random.Random(seed)
    url = f"sqlite:///{folder}/old.db"
    if engine == "postgresql":
        url = request.getfixturevalue("postgres_cluster").new_database()
    chosen, place = place_in(folder)
    records = Records(open_database(url, durable=False))
    try:
        write(records, chance, 5)
        for number, commits in enumerate(runs):
            if number == min(base_at, len(runs) - 1):
                back_up(records, place)
            write(records, chance, commits)
            if number >= min(base_at, len(runs) - 1):
                archive(records, place)
        last = last_position(records)
        position = round(share * last)
        restore(
            place, chosen, plan(place, position=position), url=f"sqlite:///{folder}/new.db", durable=False
        )
        restored = open_records(f"sqlite:///{folder}/new.db", chosen)
        try:
            assert held(restored) == state(records, position)
            assert count_stale(restored, ACTOR) == {}
        finally:
            restored.close()
    finally:
        records.close()


def test_the_end_of_the_archive_is_where_a_restore_ends_by_default(records: Records, tmp_path: Path) -> None:
    chosen, place = place_in(tmp_path)
    chance = random.Random(1)
    write(records, chance, 10)
    back_up(records, place)
    for _ in range(4):
        write(records, chance, 6)
        archive(records, place)
    url = f"sqlite:///{tmp_path}/new.db"
    assert restore(place, chosen, plan(place), url=url, durable=False) == last_position(records)
    restored = open_records(url, chosen)
    try:
        assert held(restored) == state(records, last_position(records))
        for kind, pairs in (
            ("Patient", [("family", "王1"), ("_sort", "_id")]),
            ("Observation", [("value-quantity", "gt50"), ("_sort", "_id")]),
            ("Observation", [("patient", "p3"), ("_sort", "_id")]),
        ):
            assert found(restored, kind, *pairs) == found(records, kind, *pairs)
    finally:
        restored.close()
    assert rehearse(place, chosen)["well"]


def test_an_instant_takes_every_commit_up_to_it(records: Records, tmp_path: Path) -> None:
    _, place = place_in(tmp_path)
    chance = random.Random(2)
    write(records, chance, 5)
    back_up(records, place)
    write(records, chance, 20)
    archive(records, place)
    with records.database.read() as connection:
        commits = connection.execute("SELECT position, at_us FROM commits ORDER BY position").fetchall()
    for at_us in (commits[2][1], commits[12][1], commits[-1][1] + 1):
        first_later = next((position for position, at in commits if at > at_us), commits[-1][0] + 1)
        assert plan(place, at_us=at_us).position == first_later - 1
    with pytest.raises(NoBackup, match="Nothing had been committed"):
        plan(place, at_us=commits[0][1] - 1)


def test_without_a_backup_there_is_nothing_to_archive_to(records: Records, tmp_path: Path) -> None:
    _, place = place_in(tmp_path)
    with pytest.raises(NoBackup):
        archive(records, place)


def test_many_commits_make_several_segments(
    records: Records, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive_module, "COMMITS_MOST", 7)
    chosen, place = place_in(tmp_path)
    back_up(records, place)
    write(records, random.Random(3), 30)
    assert archive(records, place) == 30
    assert len(segments(place, identity(records)[1])) == 5
    assert archive(records, place) == 0
    assert rehearse(place, chosen)["well"]


def test_a_process_killed_before_it_noted_a_segment_writes_it_again(records: Records, tmp_path: Path) -> None:
    chosen, place = place_in(tmp_path)
    chance = random.Random(4)
    back_up(records, place)
    write(records, chance, 4)
    archive(records, place)
    with records.database.read() as connection:
        noted = connection.execute("SELECT value FROM meta WHERE key = 'backup_archived'").fetchone()[0]
    write(records, chance, 4)
    archive(records, place)  # on disk, but as if killed before it was noted
    records.database.write(
        lambda connection: connection.execute(
            "UPDATE meta SET value = ? WHERE key = 'backup_archived'", (noted,)
        )
    )
    write(records, chance, 4)
    archive(records, place)
    write(records, chance, 4)
    archive(records, place)
    url = f"sqlite:///{tmp_path}/new.db"
    restore(place, chosen, plan(place), url=url, durable=False)
    restored = open_records(url, chosen)
    try:
        assert held(restored) == state(records, last_position(records))
    finally:
        restored.close()


@pytest.mark.parametrize("how", ["cut", "removed", "exchanged", "lengthened"])
def test_a_segment_cut_short_exchanged_or_missing_never_passes_for_whole(
    tmp_path: Path, how: str, sqlite_url: str
) -> None:
    records = open_records(sqlite_url)
    chosen, place = place_in(tmp_path)
    chance = random.Random(5)
    try:
        back_up(records, place)
        for _ in range(3):
            write(records, chance, 4)
            archive(records, place)
        files = sorted(Path(chosen.backup_folder).glob("1/archive/*/*.zst"))
        assert len(files) == 3
        if how == "lengthened":
            files[2].write_bytes(files[2].read_bytes() + b"more")
        elif how == "cut":
            files[1].write_bytes(files[1].read_bytes()[:-5])
        elif how == "exchanged":
            files[1].write_bytes(files[0].read_bytes())
        else:
            files[1].unlink()
            with pytest.raises(
                Damaged, match="hole"
            ):  # said, rather than to end before it as if that were all
                plan(place)
            reaches = plan(place, position=4).reaches
            assert reaches < last_position(records)
            with pytest.raises(NoBackup, match=str(reaches)):
                plan(place, position=last_position(records))
            return
        with pytest.raises(Damaged):
            plan(place)
    finally:
        records.close()


def test_two_lives_of_a_record_never_mix(tmp_path: Path, sqlite_url: str) -> None:
    chosen, place = place_in(tmp_path)
    records = open_records(sqlite_url, chosen)
    chance = random.Random(6)
    write(records, chance, 5)
    back_up(records, place)
    write(records, chance, 5)
    archive(records, place)
    position = last_position(records)
    records.close()
    url = f"sqlite:///{tmp_path}/second.db"
    restore(place, chosen, plan(place, position=position - 3), url=url, durable=False)
    second = open_records(url, chosen)
    try:
        with pytest.raises(NoBackup):
            archive(second, place)  # its own backup first
        write(second, chance, 5)
        back_up(second, place)
        write(second, chance, 5)
        archive(second, place)
        third = f"sqlite:///{tmp_path}/third.db"
        restore(place, chosen, plan(place), url=third, durable=False)
        restored = open_records(third, chosen)
        try:
            assert held(restored) == state(second, last_position(second))
        finally:
            restored.close()
    finally:
        second.close()


def test_a_copy_that_runs_beside_the_record_is_never_taken_for_it(tmp_path: Path, sqlite_url: str) -> None:
    """Restored beside, and served with the same settings: its backups are newer, and those of nobody's hospital."""
    chosen, place = place_in(tmp_path)
    records = open_records(sqlite_url, chosen)
    chance = random.Random(8)
    write(records, chance, 5)
    first = back_up(records, place)
    url = f"sqlite:///{tmp_path}/copy.db"
    restore(place, chosen, plan(place), url=url, durable=False)
    copy = open_records(url, chosen)
    try:
        own = back_up(copy, place)
        assert plan(place).manifest.name == own.name  # the record itself may be dead
        write(records, chance, 1)
        archive(records, place)  # it is not
        with pytest.raises(BackupError, match="--backup"):
            plan(place)
        assert plan(place, name=first.name).position == last_position(records)
        assert rehearse(place, chosen, records=records)["name"] == first.name
        for _ in range(3):
            newest = back_up(copy, place)
            write(records, chance, 1)
            archive(records, place)
            drop_older(place, 1, newest.record, newest.epoch)
        assert {kept.manifest.name for kept in backups(place)} == {first.name, newest.name}
        newest = back_up(copy, place)  # nothing has come of the record since
        drop_older(place, 1, newest.record, newest.epoch)
        assert [kept.manifest.name for kept in backups(place)] == [newest.name]
    finally:
        copy.close()
        records.close()


def test_deleting_old_backups_takes_the_archive_that_only_they_need(tmp_path: Path, sqlite_url: str) -> None:
    chosen, place = place_in(tmp_path)
    records = open_records(sqlite_url, chosen)
    chance = random.Random(7)
    try:
        for _ in range(3):
            newest = back_up(records, place)
            write(records, chance, 4)
            archive(records, place)
        drop_older(place, 1, newest.record)
        assert [kept.manifest.name for kept in backups(place)] == [newest.name]
        assert len(segments(place, newest.epoch)) == 1
        assert rehearse(place, chosen)["position"] == last_position(records)
    finally:
        records.close()
