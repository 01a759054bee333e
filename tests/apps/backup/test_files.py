"""Large files in a backup: each content once, brought back byte for byte; what is damaged or missing is named."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from random_record import held, last_position, state, write
from xinglin.apps.backup import files as files_module
from xinglin.apps.backup import lists as lists_module
from xinglin.apps.backup import sweeping
from xinglin.apps.backup.archive import archive
from xinglin.apps.backup.base import back_up, identity, remembered
from xinglin.apps.backup.bringing import Brought, bring
from xinglin.apps.backup.errors import Damaged, FilesDamaged
from xinglin.apps.backup.files import CONTENTS
from xinglin.apps.backup.keeping import drop_older
from xinglin.apps.backup.lists import archive_files, lists
from xinglin.apps.backup.place import Place, open_place
from xinglin.apps.backup.rehearsal import read_files, rehearse
from xinglin.apps.backup.restore import plan, restore
from xinglin.kernel.blobs import Blobs, open_blobs
from xinglin.kernel.blobs.folder import FolderBlobs
from xinglin.kernel.database import Unfinished, open_database
from xinglin.kernel.settings import Settings
from xinglin.records.bulk.job import PLACES
from xinglin.records.service import Records, open_records


class House:
    """A record with a blob store, and a place for its backups."""

    def __init__(self, records: Records, settings: Settings, folder: Path) -> None:
        self.records = records
        self.settings = settings
        self.folder = folder
        self.blobs = open_blobs(settings)
        self.chance = random.Random(1)

    @property
    def place(self) -> Place:
        return open_place(self.settings)

    def back_up(self) -> int:
        return back_up(self.records, self.place, blobs=self.blobs).blobs

    def archive(self) -> int:
        found = archive_files(self.records, self.place, self.blobs)
        write(self.records, self.chance, 1)
        archive(self.records, self.place)
        return found

    def contents(self) -> list[str]:
        return [
            path
            for path in self.place.blobs.list(f"{CONTENTS}{identity(self.records)[0]}/")
            if "doomed" not in path
        ]

    def restored(self, **options: int) -> tuple[dict[str, bytes], Brought]:
        """What lies in an empty blob store after a restore into it."""
        target = FolderBlobs(self.folder / "brought" / str(self.chance.random()))
        chosen = plan(self.place, **options)  # type: ignore[arg-type]
        url = f"sqlite:///{target.name}.db"
        Path(target.name).mkdir(parents=True)
        restore(self.place, self.settings, chosen, url=url, blobs=target, durable=False)
        restored = open_records(url, self.settings)
        try:
            assert held(restored) == state(self.records, chosen.position)
        finally:
            restored.close()
        assert chosen.brought is not None
        return held_files(target), chosen.brought


def held_files(blobs: Blobs) -> dict[str, bytes]:
    return {path: blobs.read(path) for tenant in (1, 2) for path in blobs.list(f"{tenant}/")}


@pytest.fixture(params=["folder", "s3"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    chosen = Settings(backup_folder=str(tmp_path / "backups"), data=str(tmp_path / "data"))
    if request.param == "folder":
        return chosen
    address, endpoint = (request.getfixturevalue(name) for name in ("s3_address", "s3_endpoint"))
    return replace(chosen, blobs=f"{address}/live", backup_folder=f"{address}/kept", blobs_endpoint=endpoint)


@pytest.fixture
def folder_settings(tmp_path: Path) -> Settings:
    return Settings(backup_folder=str(tmp_path / "backups"), data=str(tmp_path / "data"))


def opened(settings: Settings, url: str, folder: Path) -> House:
    records = Records(open_database(url, durable=False), settings)
    write(records, random.Random(2), 5)
    return House(records, settings, folder)


@pytest.fixture
def house(settings: Settings, sqlite_url: str, tmp_path: Path) -> Iterator[House]:
    found = opened(settings, sqlite_url, tmp_path)
    yield found
    found.records.close()


@pytest.fixture
def plain(folder_settings: Settings, sqlite_url: str, tmp_path: Path) -> Iterator[House]:
    """In folders only."""
    found = opened(folder_settings, sqlite_url, tmp_path)
    yield found
    found.records.close()


def test_every_file_comes_back_and_what_expires_is_left_out(house: House) -> None:
    house.records.set_tenant(2, "second", "UTC")
    kept = {
        "1/images/s1/1.dcm": random.Random(3).randbytes(300_000),
        "1/images/s1/2.dcm": b"",
        "1/images/s1-b/1.dcm": b"abc" * 1000,
        "2/documents/a.pdf": b"%PDF",
    }
    for path, content in kept.items():
        house.blobs.put(path, [content])
    for name in PLACES.values():
        house.blobs.put(f"1/{name}/j1/Patient-1.ndjson", [b"{}"])
    assert house.back_up() == 4
    found, brought = house.restored()
    assert found == kept
    assert (brought.files, brought.written, brought.wrong) == (4, 4, 0)
    assert rehearse(house.place, house.settings)["files"] == 4


def test_the_places_that_expire_are_those_of_exports_and_imports() -> None:
    from xinglin.kernel.blobs import PASSING

    assert set(PLACES.values()) == PASSING


def test_a_content_is_kept_once_and_a_second_backup_copies_only_what_is_new(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(4):
        house.blobs.put(f"1/images/{number}", [b"same" if number < 2 else b"other %d" % number])
    house.back_up()
    assert len(house.contents()) == 3
    house.blobs.put("1/images/5", [b"new"])
    house.blobs.put("1/images/2", [b"replaced"])
    house.blobs.delete("1/images/3")
    read: list[str] = []
    real = files_module.Copier.copy

    def copy(self: files_module.Copier, path: str, size: int, sign: str = "") -> object:
        read.append(path)
        return real(self, path, size, sign)

    monkeypatch.setattr(files_module.Copier, "copy", copy)
    assert house.back_up() == 4
    assert read == ["1/images/2", "1/images/5"]  # the others were not even read
    last = remembered(house.records, "backup_last")
    assert last is not None
    assert last["files"] == {"count": 4, "gone": 1}
    assert house.restored()[0] == {
        "1/images/0": b"same", "1/images/1": b"same", "1/images/2": b"replaced", "1/images/5": b"new",
    }  # fmt: skip


def test_files_put_and_deleted_after_the_backup_come_with_the_archive(house: House) -> None:
    house.blobs.put("1/images/0", [b"zero"])
    house.blobs.put("1/images/1", [b"one"])
    house.back_up()
    assert house.archive() == 2  # noted before the backup looked: named twice, kept once
    house.blobs.put("1/images/2", [b"two"])
    house.blobs.put("1/exports/j/x", [b"passing"])
    assert house.archive() == 1
    between = last_position(house.records)
    house.blobs.delete("1/images/0")
    house.blobs.put("1/images/3", [b"three"])
    assert house.archive() == 2
    assert house.archive() == 0
    assert list(house.blobs.noted(10)) == []
    assert house.restored()[0] == {"1/images/1": b"one", "1/images/2": b"two", "1/images/3": b"three"}
    found, _ = house.restored(position=between)
    assert found["1/images/0"] == b"zero"
    assert found["1/images/2"] == b"two"
    house.back_up()
    assert house.archive() == 0
    assert house.restored()[0] == {"1/images/1": b"one", "1/images/2": b"two", "1/images/3": b"three"}


def test_a_missing_or_damaged_copy_is_named_and_the_rest_comes_back(house: House) -> None:
    for number in range(5):
        house.blobs.put(f"1/images/{number}", [b"content %d" % number * 100])
    house.back_up()
    chosen = plan(house.place).files
    assert chosen is not None
    copies = {
        file.blob: f"{file.name[:2]}/{file.name}" for file in lists_module.files_of(house.place, chosen)
    }
    top = f"{CONTENTS}{identity(house.records)[0]}/"
    store = house.place.blobs
    store.delete(top + copies["1/images/1"])
    whole = store.read(top + copies["1/images/3"])
    store.put(top + copies["1/images/3"], [whole[:-6], b"xxxxxx"])
    store.put(
        top + copies["1/images/4"], [store.read(top + copies["1/images/0"])]
    )  # well packed, another content
    found, brought = house.restored()
    assert sorted(found) == ["1/images/0", "1/images/2"]
    assert brought.named == {"damaged": ["1/images/1", "1/images/3", "1/images/4"]}
    with pytest.raises(FilesDamaged) as told:
        rehearse(house.place, house.settings, records=house.records)
    for language in ("en", "zh"):
        assert "1/images/3" in told.value.say(language)  # type: ignore[arg-type]
    with pytest.raises(FilesDamaged):
        read_files(house.place, chosen)
    house.back_up()  # heals what the live store still has
    assert len(house.restored()[0]) == 5
    assert rehearse(house.place, house.settings)["well"]


def test_what_lies_in_the_store_already_is_never_overwritten(house: House) -> None:
    for number in range(3):
        house.blobs.put(f"1/images/{number}", [b"content %d" % number])
    house.back_up()
    house.blobs.put("1/images/1", [b"changed since"])
    house.blobs.delete("1/images/2")
    chosen = plan(house.place).files
    assert chosen is not None
    brought = bring(house.place, chosen, house.blobs)
    assert (brought.there, brought.written, brought.other) == (1, 1, 1)
    assert brought.named == {"other": ["1/images/1"]}
    assert house.blobs.read("1/images/1") == b"changed since"
    assert house.blobs.read("1/images/2") == b"content 2"


def test_under_a_key_neither_content_nor_digest_is_seen(
    folder_settings: Settings, sqlite_url: str, tmp_path: Path
) -> None:
    import hashlib

    (tmp_path / "key").write_text("correct horse battery staple")
    house = opened(replace(folder_settings, backup_key_file=str(tmp_path / "key")), sqlite_url, tmp_path)
    try:
        house.blobs.put("1/images/0", [b"Sonnenschein"])
        house.back_up()
        house.blobs.put("1/images/1", [b"Regenbogen"])
        house.archive()
        known = hashlib.sha256(b"Sonnenschein").hexdigest()
        for path in Path(folder_settings.backup_folder).rglob("*"):
            assert known not in str(path)
            if path.is_file():
                content = path.read_bytes()
                assert b"Sonnenschein" not in content
                assert b"images" not in content
                assert known.encode() not in content
        assert house.restored()[0] == {"1/images/0": b"Sonnenschein", "1/images/1": b"Regenbogen"}
    finally:
        house.records.close()


def test_a_list_missing_in_the_middle_or_at_the_end_is_noticed(plain: House) -> None:
    plain.back_up()
    for number in range(3):
        plain.blobs.put(f"1/images/{number}", [b"%d" % number])
        plain.archive()
    found = lists(plain.place, identity(plain.records)[1])
    assert [one.number for one in found] == [1, 2, 3]
    folder = Path(plain.settings.backup_folder)
    for missing in (found[1], found[2]):
        path = folder / missing.path
        text = path.read_bytes()
        path.unlink()
        files, brought = plain.restored()
        assert len(files) == 2
        assert brought.named == {"lost": [str(missing.number)]}
        with pytest.raises(FilesDamaged):
            rehearse(plain.place, plain.settings)
        path.write_bytes(text[:-3])
        assert plain.restored()[1].named == {"lost": [missing.path]}
        path.write_bytes(text)
    assert plain.restored()[1].wrong == 0


def test_of_a_list_written_twice_by_a_process_that_was_killed_the_later_one_counts(
    plain: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain.back_up()
    plain.blobs.put("1/images/0", [b"first"])
    plain.blobs.put("1/images/1", [b"first"])
    noted = lists_module.put_head

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(lists_module, "put_head", killed)
    with pytest.raises(KeyboardInterrupt):
        archive_files(plain.records, plain.place, plain.blobs)
    monkeypatch.setattr(lists_module, "put_head", noted)
    plain.blobs.put("1/images/0", [b"second"])
    plain.blobs.delete("1/images/1")
    plain.archive()
    found = lists(plain.place, identity(plain.records)[1])
    assert [one.number for one in found] == [1, 1]
    folder = Path(plain.settings.backup_folder)
    paths = sorted((folder / one.path for one in found), key=lambda path: path.stat().st_mtime_ns)
    texts = [path.read_bytes() for path in paths]
    for path in paths:
        path.unlink()
    for order in (texts, texts[::-1]):  # whatever names chance gives the two
        for token, text in zip("12", order, strict=True):
            (paths[0].parent / f"0000000001-x{token}.ndjson.zst").write_bytes(text)
        assert plain.restored()[0] == {"1/images/0": b"second"}


def test_a_large_file_takes_little_memory(plain: House, monkeypatch: pytest.MonkeyPatch) -> None:
    import tracemalloc

    size = 48 * 1024 * 1024
    block = random.Random(4).randbytes(1024 * 1024)
    plain.blobs.put("1/images/large", (block for _ in range(48)))
    plain.back_up()
    tracemalloc.start()
    try:
        plain.blobs.put("1/images/larger", (block for _ in range(49)))
        archive_files(plain.records, plain.place, plain.blobs)
        chosen = plan(plain.place).files
        assert chosen is not None
        brought = bring(plain.place, chosen, FolderBlobs(plain.folder / "other"))
        assert brought.bytes == size + size + len(block)
        assert tracemalloc.get_traced_memory()[1] < 32 * 1024 * 1024
    finally:
        tracemalloc.stop()


def test_a_restore_broken_off_among_its_files_goes_on_there(
    plain: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    from xinglin.apps.backup import bringing

    monkeypatch.setattr(bringing, "EVERY", 2)
    for number in range(9):
        plain.blobs.put(f"1/images/{number}", [b"%d" % number])
    plain.back_up()
    url = f"sqlite:///{plain.folder}/new.db"
    target = FolderBlobs(plain.folder / "other")
    real, left = bringing._one, [4]

    def one(*rest: object) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        real(*rest)  # type: ignore[arg-type]

    monkeypatch.setattr(bringing, "_one", one)
    for _ in range(4):
        try:
            chosen = plan(plain.place)
            restore(plain.place, plain.settings, chosen, url=url, blobs=target, durable=False)
            break
        except KeyboardInterrupt:
            with pytest.raises(Unfinished):
                open_records(url, plain.settings)
            left[0] = 3
    else:
        pytest.fail("it never ended")
    assert chosen.brought is not None
    assert (chosen.brought.files, chosen.brought.wrong) == (9, 0)
    assert held_files(target) == held_files(plain.blobs)


def test_files_that_only_deleted_backups_held_go_a_day_after(
    plain: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = identity(plain.records)[0]
    plain.blobs.put("1/images/a", [b"a"])
    plain.blobs.put("1/images/b", [b"b"])
    plain.back_up()
    plain.blobs.delete("1/images/a")
    plain.blobs.put("1/images/c", [b"c"])
    plain.archive()
    plain.blobs.delete("1/images/c")  # only the archive had it
    plain.archive()
    for _ in range(2):
        plain.back_up()
    assert drop_older(plain.place, 1, record) == 2
    assert len(plain.contents()) == 3  # doomed, and not gone yet
    real = sweeping.now_us
    monkeypatch.setattr(sweeping, "now_us", lambda: real() + sweeping.WAIT_US + 60_000_000)
    plain.blobs.put("1/images/again", [b"a"])  # doomed, and needed again
    plain.archive()
    drop_older(plain.place, 1, record)
    drop_older(plain.place, 1, record)
    assert plain.restored()[0] == {"1/images/b": b"b", "1/images/again": b"a"}
    assert len(plain.contents()) == 2


def test_a_file_that_cannot_be_read_is_named_and_keeps_no_other_waiting(
    plain: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    from xinglin.apps.backup.errors import BackupError

    plain.back_up()
    for name in ("a", "b", "c"):
        plain.blobs.put(f"1/images/{name}", [name.encode()])
    real = FolderBlobs.open

    def failing(self: FolderBlobs, path: str, *rest: int) -> Iterator[bytes]:
        if path == "1/images/b":
            raise self._raised(OSError(5, "Input/output error"), "")
        return real(self, path, *rest)

    monkeypatch.setattr(FolderBlobs, "open", failing)
    with pytest.raises(BackupError, match="1/images/b"):
        archive_files(plain.records, plain.place, plain.blobs)
    with pytest.raises(BackupError, match="1/images/b"):
        plain.back_up()
    assert [note.path for note in plain.blobs.noted(10)] == ["1/images/b"]
    monkeypatch.undo()
    assert archive_files(plain.records, plain.place, plain.blobs) == 1
    assert plain.back_up() == 3


@pytest.mark.parametrize("text", [b"", b"\xff\xfe", b"../../etc/passwd"])
def test_a_damaged_note_keeps_no_file_waiting(plain: House, text: bytes) -> None:
    plain.back_up()
    plain.blobs.put("1/images/0", [b"0"])
    (note,) = plain.blobs.noted(1)
    (Path(plain.blobs.name) / ".notes" / f"{'0' * 16}{note.name[16:]}").write_bytes(text)
    assert archive_files(plain.records, plain.place, plain.blobs) == 1
    assert list(plain.blobs.noted(1)) == []


def test_backups_never_go_where_the_files_lie(house: House) -> None:
    """They would be files of the next one, which would be twice as large, and so on."""
    from xinglin.apps.backup.errors import BackupError

    same = open_place(house.settings, house.blobs.name)
    house.blobs.put("1/images/0", [b"0"])
    with pytest.raises(BackupError, match="another folder or prefix"):
        back_up(house.records, same, blobs=house.blobs)
    assert list(house.blobs.list("1/")) == ["1/images/0"]


def test_files_that_take_long_never_hold_commits_up(plain: House) -> None:
    plain.back_up()
    for number in range(5):
        plain.blobs.put(f"1/images/{number}", [b"%d" % number])
    assert archive_files(plain.records, plain.place, plain.blobs, within_s=0) == 1
    write(plain.records, plain.chance, 1)
    archive(plain.records, plain.place)
    files, brought = plain.restored()
    assert len(files) == 1
    assert brought.waiting
    assert archive_files(plain.records, plain.place, plain.blobs) == 4
    assert not plain.restored()[1].waiting


def test_a_backup_of_before_and_one_without_files_are_restored_without_them(plain: House) -> None:
    plain.blobs.put("1/images/0", [b"0"])
    manifest = back_up(plain.records, plain.place)
    assert manifest.format == 1
    chosen = plan(plain.place)
    assert chosen.files is not None
    assert not chosen.files.known
    assert plain.back_up() == 1
    (newest,) = Path(plain.settings.backup_folder).glob("1/base/*/blobs-*")
    text = (newest.parent / "manifest.json").read_text()
    assert msgspec.json.decode(text)["format"] == 2  # else an older program left them out without a word


def test_a_backup_made_by_hand_elsewhere_leaves_the_archive_where_it_is(plain: House) -> None:
    plain.back_up()
    plain.blobs.put("1/images/0", [b"0"])
    elsewhere = open_place(plain.settings, str(plain.folder / "stick"))
    back_up(plain.records, elsewhere, blobs=plain.blobs)
    write(plain.records, plain.chance, 2)
    archive(plain.records, elsewhere)
    write(plain.records, plain.chance, 2)
    assert plain.archive() == 1
    assert plain.restored()[0] == {"1/images/0": b"0"}
    assert plan(plain.place).reaches == last_position(plain.records)


def test_a_damaged_list_of_a_backup_is_refused(plain: House) -> None:
    plain.blobs.put("1/images/0", [b"0"])
    plain.back_up()
    (path,) = Path(plain.settings.backup_folder).glob("1/base/*/blobs-*")
    path.write_bytes(path.read_bytes()[:-2])
    with pytest.raises(Damaged):
        plan(plain.place)
