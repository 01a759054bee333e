"""One process at a time makes a backup: two would write over each other's parts, and leave a damaged one as whole."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from random_record import write
from xinglin.apps.backup import base
from xinglin.apps.backup.base import back_up
from xinglin.apps.backup.errors import UnderWay
from xinglin.apps.backup.keeping import names
from xinglin.apps.backup.leasing import LEASE_S, Lease
from xinglin.apps.backup.place import open_place
from xinglin.apps.backup.rehearsal import check
from xinglin.kernel.database import open_database
from xinglin.kernel.settings import Settings
from xinglin.records.service import Records


@pytest.fixture
def records(database_url: str) -> Iterator[Records]:
    opened = Records(open_database(database_url, durable=False))
    write(opened, random.Random(3), 60)
    yield opened
    opened.close()


@pytest.fixture
def sealed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Under a key the same part has other bytes each time that it is written."""
    (tmp_path / "key").write_text("correct horse battery staple")
    for name, value in (("MAKING_S", 0.4), ("PART_LINES", 20), ("RESOURCES", 10)):
        monkeypatch.setattr(base, name, value)
    return Settings(backup_folder=str(tmp_path / "kept"), backup_key_file=str(tmp_path / "key"))


def test_a_second_backup_beside_one_under_way_is_refused_and_spoils_nothing(
    records: Records, sealed: Settings
) -> None:
    place, begun, refused, made = open_place(sealed), threading.Event(), threading.Event(), []

    def slowly() -> None:
        begun.set()
        refused.wait(0.15)

    first = threading.Thread(target=lambda: made.append(back_up(records, place, check=slowly).name))
    first.start()
    begun.wait(10)
    with pytest.raises(UnderWay, match="Another process"):
        back_up(records, open_place(sealed))
    refused.set()
    first.join()
    assert names(place) == made
    check(place, made[0])
    second = back_up(records, place)  # the first has given the lease back
    check(place, second.name)


def test_one_that_was_held_up_leaves_its_backup_to_who_took_it_over(
    records: Records, sealed: Settings
) -> None:
    place, made = open_place(sealed), []

    def held_up() -> None:
        if not made:
            made.append(back_up(records, open_place(sealed)).name)  # waits until this one seems dead

    with pytest.raises(UnderWay):
        back_up(records, place, check=held_up)
    assert names(place) == made
    check(place, made[0])


def test_a_lease_outlives_neither_its_holder_nor_a_clock_that_was_put_back(
    records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    from xinglin.apps.backup import leasing

    first, second = Lease(records, "backup_lease"), Lease(records, "backup_lease")
    assert first.held()
    assert not second.held()
    now_us = leasing.now_us
    for away_s in (LEASE_S + 1, -3600):
        with monkeypatch.context() as clock:
            clock.setattr(leasing, "now_us", lambda away_s=away_s: now_us() + int(away_s * 1e6))
            assert second.held()
            second.give_back()
        assert first.wait(lambda: None)
        first.give_back()
        assert first.held()
