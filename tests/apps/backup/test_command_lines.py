"""`xinglin backup` and `xinglin restore` as they are typed: what they say, and their exit codes."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from random_record import last_position, write
from xinglin.apps.backup.place import open_place
from xinglin.apps.backup.planning import plan
from xinglin.apps.cli.main import main
from xinglin.kernel.blobs.folder import FolderBlobs
from xinglin.kernel.settings import Settings
from xinglin.records.service import open_records


class Typed:
    """A record in Shanghai with a large file, and what is typed beside it."""

    def __init__(self, folder: Path, url: str, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._url = url
        self._capsys = capsys
        settings = Settings(database=url, data=str(folder))
        records = open_records(url, settings)
        records.set_tenant(1, "default", "Asia/Shanghai")
        write(records, random.Random(1), 8)
        records.close()
        FolderBlobs(folder / "blobs").put("1/images/a", [b"an image"])

    def write(self, count: int) -> None:
        records = open_records(self._url, Settings())
        write(records, random.Random(2), count)
        records.close()

    def position(self) -> int:
        records = open_records(self._url, Settings())
        try:
            return last_position(records)
        finally:
            records.close()

    def __call__(self, *words: str, code: int = 0, database: str = "") -> str:
        there = ("--database", database or self._url, "--data", str(self.folder))
        assert main([*words, *there]) == code
        captured = self._capsys.readouterr()
        return captured.out + captured.err


@pytest.fixture
def typed(tmp_path: Path, database_url: str, capsys: pytest.CaptureFixture[str]) -> Typed:
    return Typed(tmp_path, database_url, capsys)


def test_times_are_of_the_record_with_their_offset(typed: Typed) -> None:
    kept = str(typed.folder / "kept")
    typed("backup", kept, "--rehearse")
    listed = typed("backup", "list", "--backup-folder", kept)
    assert listed.count("+08:00") == 2
    told = json.loads(typed("backup", "list", "--backup-folder", kept, "--json"))
    assert told["backups"][0]["made"].endswith("Z")
    assert "+08:00" in typed("restore", kept, database=str(typed.folder / "new.db"))


def test_a_restore_says_what_came_of_the_files_and_files_alone_come_back_too(typed: Typed) -> None:
    kept, new = str(typed.folder / "kept"), str(typed.folder / "new.db")
    assert "1 large files" in typed("backup", kept)
    assert "1 files" in typed("backup", kept, "--verify")
    assert "Files: 1; 0 written (0.0 kB), 1 there already" in typed("restore", kept, database=new)
    image = typed.folder / "blobs/1/images/a"
    image.unlink()
    assert "1 written" in typed("restore", kept, "--files")
    assert image.read_bytes() == b"an image"
    (copy,) = (typed.folder / "kept/1/blobs").glob("*/*/*")
    copy.write_bytes(b"rot")
    image.unlink()
    for language, word in (("en", "damaged"), ("zh", "损坏")):
        said = typed("restore", kept, "--files", "--language", language, code=1)
        assert word in said
        assert "1/images/a" in said
    assert "1/images/a" in typed("backup", kept, "--verify", code=1)
    typed("restore", kept, "--files", "--no-files", code=2)
    other = str(typed.folder / "other.db")
    assert "damaged" in typed("restore", kept, code=1, database=other)
    assert "1/images/a" in typed("doctor", "--port", "0", code=1, database=other)
    assert "left out" in typed("restore", kept, "--no-files", database=str(typed.folder / "third.db"))


@pytest.mark.parametrize(
    ("to", "said"),
    [
        ("2999-01-01T00:00:00Z", "future"),
        ("2026-03-29T02:30", "2026-03-29T03:30:00+02:00"),
        ("2025-10-26T02:30", "2025-10-26T02:30:00+01:00"),
        ("yesterday", "yesterday"),
    ],
)
def test_an_instant_that_never_was_or_was_twice_is_refused(typed: Typed, to: str, said: str) -> None:
    typed("backup", str(typed.folder / "kept"))
    new = str(typed.folder / "new.db")
    words = ("restore", str(typed.folder / "kept"), "--to", to, "--set", "time_zone=Europe/Rome")
    assert said in typed(*words, code=2, database=new)
    assert not Path(new).exists()


def test_a_database_in_use_is_refused_before_the_backup_is_read(typed: Typed) -> None:
    kept = typed.folder / "kept"
    typed("backup", str(kept))
    for part in kept.glob("1/base/*/versions*"):
        part.write_bytes(b"damaged")
    assert "never overwrites" in typed("restore", str(kept), code=1)


def test_a_backup_copied_by_half_is_refused(typed: Typed) -> None:
    kept, new = typed.folder / "kept", str(typed.folder / "new.db")
    typed("backup", str(kept))
    (manifest,) = kept.glob("1/base/*/manifest.json")
    whole = manifest.read_bytes()
    for part in [*kept.glob("1/base/*/*.zst")]:
        text = part.read_bytes()
        part.unlink()
        assert part.name in typed("restore", str(kept), code=1, database=new)
        part.write_bytes(text)
    for half in (whole[: len(whole) // 2], b""):
        manifest.write_bytes(half)
        typed("restore", str(kept), code=1, database=new)
    manifest.unlink()
    assert "no backup" in typed("restore", str(kept), code=1, database=new)
    assert not Path(new).exists()


def test_a_file_that_cannot_be_read_keeps_no_commit_out_of_the_archive(
    typed: Typed, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = str(typed.folder / "kept")
    there = ("--backup-folder", kept)
    typed("backup", *there)
    FolderBlobs(typed.folder / "blobs", noting=True).put("1/images/b", [b"another"])
    typed.write(3)
    real = FolderBlobs.open

    def failing(self: FolderBlobs, path: str, *rest: int) -> Iterator[bytes]:
        if path == "1/images/b":
            raise self._raised(OSError(5, "Input/output error"), "")
        return real(self, path, *rest)

    with monkeypatch.context() as disk:
        disk.setattr(FolderBlobs, "open", failing)
        assert "1/images/b" in typed("backup", "--archive", *there, code=1)
    found = plan(open_place(Settings(data=str(typed.folder), backup_folder=kept)))
    assert found.reaches == typed.position()
