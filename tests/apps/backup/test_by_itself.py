"""A worker that backs up, archives and rehearses by itself; a full disk; a bucket in place of a folder."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from random_record import held, last_position, state, write
from xinglin.apps.backup.archive import segments
from xinglin.apps.backup.base import identity, remembered
from xinglin.apps.backup.jobs import BACKUP, REHEARSAL, Archiver, kinds
from xinglin.apps.backup.keeping import backups
from xinglin.apps.backup.place import open_place
from xinglin.apps.backup.restore import plan, restore
from xinglin.jobs import Worker
from xinglin.kernel.blobs.folder import FolderBlobs
from xinglin.kernel.database import open_database
from xinglin.kernel.settings import Settings
from xinglin.records.service import Records, open_records
from xinglin.records.site import Site


@pytest.fixture
def site(database_url: str, tmp_path: Path) -> Iterator[Site]:
    settings = Settings(backup_folder=str(tmp_path / "backups"), data=str(tmp_path), backup_keep=2)
    records = Records(open_database(database_url, durable=False), settings)
    yield Site(records, settings)
    records.close()


def test_a_worker_makes_the_first_backup_at_once_and_archives_what_follows(
    site: Site, tmp_path: Path
) -> None:
    write(site.records, random.Random(1), 10)
    archiver = Archiver(site)
    archiver._every_s = 3600
    archiver.start()
    try:
        assert {one.kind for one in site.queue.schedules()} >= {BACKUP, REHEARSAL}
        Worker(site.queue, kinds(site)).run_pending()
        (job,) = site.queue.list(kind=BACKUP)
        assert job.state == "done"
        assert job.result is not None
        assert job.result["position"] == last_position(site.records)
        write(site.records, random.Random(2), 5)
        assert archiver.run_once() == 5
        assert archiver.run_once() == 0
        other = Archiver(site)  # another worker: the lease is taken
        write(site.records, random.Random(3), 5)
        assert other.run_once() == 0
        assert archiver.run_once() == 5
        write(site.records, random.Random(4), 5)
    finally:
        archiver.close()  # once more at the end
    place = open_place(site.settings)
    assert segments(place, identity(site.records)[1])[-1].upto == last_position(site.records)
    site.queue.add(REHEARSAL)
    Worker(site.queue, kinds(site)).run_pending()
    told = remembered(site.records, "backup_rehearsal")
    assert told is not None
    assert told["well"]


def test_without_a_folder_nothing_is_scheduled(database_url: str, tmp_path: Path) -> None:
    records = Records(open_database(database_url, durable=False))
    try:
        site = Site(records, Settings(data=str(tmp_path)))
        archiver = Archiver(site)
        archiver.start()
        archiver.close()
        assert site.queue.schedules() == []
        assert site.queue.list() == []
    finally:
        records.close()


def test_a_full_disk_is_told_and_the_next_run_goes_on(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    import errno

    write(site.records, random.Random(1), 10)
    real = FolderBlobs.put

    def full(self: FolderBlobs, path: str, chunks: object) -> int:
        if "versions" in path:

            def some() -> Iterator[bytes]:
                yield from chunks  # type: ignore[misc]
                raise self._raised(OSError(errno.ENOSPC, "No space left on device"), "")

            return real(self, path, some())
        return real(self, path, chunks)  # type: ignore[arg-type]

    monkeypatch.setattr(FolderBlobs, "put", full)
    site.queue.add(BACKUP, attempts=1)
    Worker(site.queue, kinds(site)).run_pending()
    (job,) = site.queue.list(kind=BACKUP)
    assert job.state == "failed"
    assert job.reason() is not None
    failed = remembered(site.records, "backup_failed")
    assert failed is not None
    assert failed["reason"] == "kernel.blobs-full"
    assert backups(open_place(site.settings)) == []
    monkeypatch.undo()
    site.queue.retry(job.id)
    Worker(site.queue, kinds(site)).run_pending()
    assert site.queue.get(job.id).state == "done"
    assert len(backups(open_place(site.settings))) == 1


def test_a_bucket_serves_as_a_folder_does(
    tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    boto3 = pytest.importorskip("boto3", reason="needs boto3: pip install 'xinglin[s3]'")
    server_module = pytest.importorskip("moto.server", reason="needs moto's server")
    from xinglin.apps.backup.archive import archive
    from xinglin.apps.backup.base import back_up

    server = server_module.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    try:
        host, port = server.get_host_and_port()
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(name, "test")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        endpoint = f"http://{host}:{port}"
        boto3.client("s3", endpoint_url=endpoint).create_bucket(Bucket="kept")
        settings = Settings(backup_folder="s3://kept/ward", blobs_endpoint=endpoint, data=str(tmp_path))
        records = open_records(sqlite_url, settings)
        try:
            place = open_place(settings)
            write(records, random.Random(1), 10)
            back_up(records, place)
            write(records, random.Random(2), 10)
            archive(records, place)
            url = f"sqlite:///{tmp_path}/new.db"
            restore(place, settings, plan(place), url=url, durable=False)
            restored = open_records(url, settings)
            try:
                assert held(restored) == state(records, last_position(records))
            finally:
                restored.close()
        finally:
            records.close()
    finally:
        server.stop()
