"""What goes wrong with a store: no room, no rights, nobody there."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

import pytest

from xinglin.kernel.blobs import (
    BadBlobAddress,
    BlobError,
    BlobsFull,
    BlobsRefused,
    BlobsUnavailable,
    open_blobs,
)
from xinglin.kernel.blobs.folder import FolderBlobs
from xinglin.kernel.blobs.s3 import S3Blobs
from xinglin.kernel.settings import Settings

MIB = 1024 * 1024


def _files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_no_room_is_a_clear_error_and_leaves_no_part(tmp_path: Path) -> None:
    # The limit on a file's size is the one way to a full disk that any user can set up; EFBIG is taken like ENOSPC.
    code = f"""
import resource, signal
from xinglin.kernel.blobs import BlobsFull
from xinglin.kernel.blobs.folder import FolderBlobs
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, ({3 * MIB}, {3 * MIB}))
blobs = FolderBlobs({str(tmp_path)!r})
blobs.put("1/a/kept", [b"x" * {MIB}])
try:
    blobs.put("1/a/kept", (b"y" * {MIB} for _ in range(9)))
except BlobsFull as error:
    print(error.status, error.issue, error)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.startswith("507 no-store No room is left")
    assert _files(tmp_path) == ["1/a/kept"]
    assert FolderBlobs(tmp_path).read("1/a/kept") == b"x" * MIB


def test_memory_does_not_grow_with_a_blob(tmp_path: Path) -> None:
    blobs = FolderBlobs(tmp_path)
    tracemalloc.start()
    try:
        blobs.put("1/a/large", (bytes(MIB) for _ in range(40)))
        assert sum(len(chunk) for chunk in blobs.open("1/a/large")) == 40 * MIB
        assert tracemalloc.get_traced_memory()[1] < 8 * MIB
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_sync_that_finds_no_room_is_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def full(_: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(BlobsFull):
        FolderBlobs(tmp_path).put("1/a/b", [b"x"])
    assert _files(tmp_path) == []


def test_what_a_killed_process_was_writing_is_swept_away_a_day_later(tmp_path: Path) -> None:
    incoming = tmp_path / ".incoming"
    incoming.mkdir()
    old, young = incoming / "old", incoming / "young"
    old.write_bytes(b"part")
    young.write_bytes(b"part")
    os.utime(old, (time.time() - 90_000,) * 2)
    blobs = FolderBlobs(tmp_path)
    assert list(blobs.list("1/")) == []
    blobs.put("1/a/b", [b"x"])
    assert not old.exists()
    assert young.exists()


def test_a_blob_is_synced_before_it_gets_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str, bool]] = []
    place = tmp_path / "1/a/b"
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda number: (seen.append(("sync", place.exists())), fsync(number)))
    monkeypatch.setattr(os, "replace", lambda a, b: (seen.append(("name", place.exists())), replace(a, b)))
    FolderBlobs(tmp_path).put("1/a/b", [b"x"])
    assert seen[:2] == [("sync", False), ("name", False)]
    assert ("sync", True) in seen[2:]  # the name itself


def test_a_folder_that_may_not_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(BlobError) as caught:
        FolderBlobs(tmp_path / "file").put("1/a/b", [b"x"])
    assert caught.value.say("zh")


@pytest.mark.parametrize("address", ["gs://bucket/x", "http://host/x", "s3://"])
def test_other_addresses_are_refused(address: str) -> None:
    with pytest.raises(BadBlobAddress):
        open_blobs(Settings(blobs=address))


def test_a_folder_may_be_given_as_a_file_address(tmp_path: Path) -> None:
    assert open_blobs(Settings(blobs=f"file://{tmp_path}/x")).name == f"{tmp_path}/x"


# S3


def test_nobody_at_the_address(s3_address: str, unused_address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    blobs = S3Blobs("ward", endpoint=unused_address)
    with pytest.raises(BlobsUnavailable) as caught:
        blobs.put("1/a/b", [b"x"])
    assert caught.value.status == 503


@pytest.fixture
def unused_address() -> str:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


def test_a_bucket_that_is_not_there_is_not_a_missing_blob(s3_address: str, s3_endpoint: str) -> None:
    blobs = S3Blobs("no-such-bucket-here", endpoint=s3_endpoint)
    with pytest.raises(BlobsRefused):
        blobs.put("1/a/b", [b"x"])
    with pytest.raises(BlobsRefused):
        list(blobs.list("1/"))


def test_no_credentials_says_so_and_shows_none(
    s3_address: str, s3_endpoint: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    with pytest.raises(BlobsRefused) as caught:
        S3Blobs(s3_address.split("/")[2], endpoint=s3_endpoint).put("1/a/b", [b"x"])
    assert "credentials" in str(caught.value)
    assert "never-to-be-logged" not in str(caught.value)


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("XMinioStorageFull", "507", BlobsFull),
        ("QuotaExceeded", "403", BlobsFull),
        ("SlowDown", "503", BlobsUnavailable),
        ("AccessDenied", "403", BlobsRefused),
        ("InvalidAccessKeyId", "403", BlobsRefused),
        ("NoSuchBucket", "404", BlobsRefused),
    ],
)
def test_answers_of_s3_become_our_errors(code: str, status: str, kind: type[BlobError]) -> None:
    assert type(S3Blobs("ward")._raised(code, status, "1/a/b")) is kind


def test_an_upload_that_breaks_is_taken_back(s3_address: str, s3_endpoint: str) -> None:
    import boto3

    bucket = s3_address.split("/")[2]
    blobs = S3Blobs(bucket, "site", endpoint=s3_endpoint)

    def source() -> object:
        for _ in range(20):
            yield b"x" * MIB
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        blobs.put("1/a/b", source())  # type: ignore[arg-type]
    client = boto3.client("s3", endpoint_url=s3_endpoint, region_name="us-east-1")
    assert not client.list_multipart_uploads(Bucket=bucket).get("Uploads")


def test_keys_begin_with_the_stores_own_prefix(s3_address: str, s3_endpoint: str) -> None:
    import boto3

    bucket = s3_address.split("/")[2]
    S3Blobs(bucket, "/site/", endpoint=s3_endpoint).put("1/a/b", [b"x"])
    client = boto3.client("s3", endpoint_url=s3_endpoint, region_name="us-east-1")
    assert [each["Key"] for each in client.list_objects_v2(Bucket=bucket)["Contents"]] == ["site/1/a/b"]


def test_listing_goes_on_behind_the_first_thousand(s3_address: str, s3_endpoint: str) -> None:
    blobs = S3Blobs(s3_address.split("/")[2], endpoint=s3_endpoint)
    client = blobs._client
    asked = client.list_objects_v2
    client.list_objects_v2 = lambda **given: asked(**given, MaxKeys=2)
    paths = [f"1/a/{number}" for number in range(5)]
    for path in paths:
        blobs.put(path, [b"x"])
    assert list(blobs.list("1/a/")) == paths
