"""Who follows the feed across a restore is told: nothing that was taken away is passed over in silence."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from xinglin.apps.api.app import create_app
from xinglin.apps.backend import Embedded
from xinglin.apps.backup.base import back_up, identity
from xinglin.apps.backup.place import open_place
from xinglin.apps.backup.restore import plan, restore
from xinglin.apps.following import changes, epoch_of
from xinglin.kernel.settings import Settings
from xinglin.records.feed import Feed
from xinglin.records.feed.errors import OtherHistory
from xinglin.records.service import Records, open_records
from xinglin.trust import local_system

BASIC = b'{"resourceType":"Basic","code":{"text":"x"}}'


def _write(records: Records, count: int) -> None:
    for _ in range(count):
        records.create(local_system(), "Basic", BASIC)


@pytest.fixture
def lives(tmp_path: Path, sqlite_url: str) -> Iterator[tuple[Records, Records, Settings, int]]:
    """A record, another one restored from its backup, and the position of the backup."""
    settings = Settings(backup_folder=str(tmp_path / "backups"), data=str(tmp_path / "data"))
    first = open_records(sqlite_url, settings)
    _write(first, 4)
    position = Feed(first).last()
    back_up(first, open_place(settings))
    _write(first, 4)  # lost
    url = f"sqlite:///{tmp_path}/second.db"
    restore(open_place(settings), settings, plan(open_place(settings)), url=url, durable=False)
    second = open_records(url, settings)
    yield first, second, settings, position
    first.close()
    second.close()


def test_a_position_of_before_the_restore_is_refused(lives: tuple[Records, Records, Settings, int]) -> None:
    first, second, _, position = lives
    old, new = Feed(first), Feed(second)
    assert old.epoch() == identity(first)[1] != new.epoch() == identity(second)[1]
    _write(second, 2)
    for feed, after, epoch in (
        (old, position + 2, old.epoch()),
        (old, position + 2, ""),
        (new, position, old.epoch()),
        (new, position, ""),
        (new, 0, "whatever"[:0]),
        (new, new.last(), new.epoch()),
    ):
        feed.check(after, epoch)
    for feed, after, epoch in (
        (old, position + 100, ""),  # of another record
        (new, position + 2, ""),
        (new, position + 2, old.epoch()),
        (new, new.last(), old.epoch()),  # as after a second restore from the same backup
        (new, position, "another"),
    ):
        with pytest.raises(OtherHistory) as refused:
            feed.check(after, epoch)
        for language in ("en", "zh"):
            assert str(after) in refused.value.say(language)  # type: ignore[arg-type]
    with pytest.raises(OtherHistory):
        next(new.follow(local_system(), position + 2))


def test_python_and_http_tell_it(lives: tuple[Records, Records, Settings, int]) -> None:
    from starlette.testclient import TestClient

    first, second, settings, position = lives
    _write(second, 2)
    epoch = epoch_of(Embedded(first, settings))
    backend = Embedded(second, settings)
    assert len(list(changes(backend, position, (), follow=False, epoch=epoch))) == 2
    with pytest.raises(OtherHistory):
        list(changes(backend, position + 2, (), follow=False, epoch=epoch))
    with TestClient(create_app(second, settings), base_url="http://localhost") as http:
        good = http.get("/api/feed/page", params={"after": position, "epoch": epoch})
        assert good.status_code == 200
        assert good.json()["epoch"] == epoch_of(backend) != epoch
        for path in ("/api/feed/page", "/api/feed"):
            told = http.get(path, params={"after": position + 2, "epoch": epoch})
            assert told.status_code == 409
            assert str(position) in told.json()["issue"][0]["diagnostics"]
        told = http.get("/api/feed", headers={"Last-Event-ID": str(position + 2)})
        assert told.status_code == 409, "an EventSource closes for good"
        assert http.get("/api/feed/page", params={"after": 10**9}).status_code == 409
        assert json.loads(http.get("/api/feed/consumers").content)["epoch"] == epoch_of(backend)
