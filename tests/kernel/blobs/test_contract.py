"""What every store of blobs keeps to, whatever holds it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest

from xinglin.kernel.blobs import BadBlobPath, Blobs, NoSuchBlob, open_blobs
from xinglin.kernel.settings import Settings

MIB = 1024 * 1024


def test_what_is_put_is_read(blobs: Blobs) -> None:
    assert blobs.put("1/exports/a/Patient-1.ndjson", [b"one\n", b"", b"two\n"]) == 8
    assert blobs.read("1/exports/a/Patient-1.ndjson") == b"one\ntwo\n"
    assert blobs.size("1/exports/a/Patient-1.ndjson") == 8
    assert b"".join(blobs.open("1/exports/a/Patient-1.ndjson")) == b"one\ntwo\n"


def test_an_empty_blob_is_one(blobs: Blobs) -> None:
    assert blobs.put("1/a/empty", []) == 0
    assert blobs.size("1/a/empty") == 0
    assert blobs.read("1/a/empty") == b""


@pytest.mark.parametrize(
    ("start", "end", "found"),
    [
        (0, 3, b"abc"),
        (2, 5, b"cde"),
        (3, None, b"defghij"),
        (8, 99, b"ij"),
        (10, None, b""),
        (99, None, b""),
        (4, 4, b""),
    ],
)
def test_ranges_are_half_open(blobs: Blobs, start: int, end: int | None, found: bytes) -> None:
    blobs.put("1/a/range", [b"abc", b"defghij"])
    assert blobs.read("1/a/range", start, end) == found


def test_what_is_not_there_is_said_at_once(blobs: Blobs) -> None:
    blobs.put("1/a/b", [b"x"])
    for path in ("1/a/none", "2/a/b", "1/a/b/c", "1/a"):
        with pytest.raises(NoSuchBlob):
            blobs.open(path)
        with pytest.raises(NoSuchBlob):
            blobs.read(path)
        with pytest.raises(NoSuchBlob):
            blobs.size(path)
        assert not blobs.delete(path)
    assert blobs.read("1/a/b") == b"x"


def test_a_second_put_takes_the_place_of_the_first(blobs: Blobs) -> None:
    blobs.put("1/a/b", [b"the longer one"])
    blobs.put("1/a/b", [b"short"])
    assert blobs.read("1/a/b") == b"short"


def test_deleted_is_gone_and_its_neighbours_stay(blobs: Blobs) -> None:
    blobs.put("1/a/x", [b"x"])
    blobs.put("1/a/y", [b"y"])
    assert blobs.delete("1/a/x")
    assert not blobs.delete("1/a/x")
    assert list(blobs.list("1/a/")) == ["1/a/y"]
    assert blobs.delete("1/a/y")
    assert list(blobs.list("1/")) == []
    blobs.put("1/a/z", [b"z"])  # a folder that went with its last blob comes again
    assert blobs.read("1/a/z") == b"z"


def test_a_list_is_of_one_beginning_and_in_order(blobs: Blobs) -> None:
    for path in (
        "1/exports/b/2",
        "1/exports/b/10",
        "1/exports/a",
        "1/exportsx/a",
        "2/exports/a",
        "12/exports/a",
    ):
        blobs.put(path, [b"."])
    assert list(blobs.list("1/exports/")) == ["1/exports/a", "1/exports/b/10", "1/exports/b/2"]
    assert list(blobs.list("1/exports/b/1")) == ["1/exports/b/10"]
    assert list(blobs.list("1/exports")) == [
        "1/exports/a", "1/exports/b/10", "1/exports/b/2", "1/exportsx/a",
    ]  # fmt: skip
    assert list(blobs.list("3/")) == []


ESCAPES = [
    "", "1", "a/b", "0/a", "01/a", "-1/a", "1/", "1//a", "/1/a", "1/../2/a", "1/./a", "1/.hidden", "1/a/..", "1/a\\b",
    "1/a b", "1/a\0b", "1/a\n", "1/%2e%2e/a", "1/数据", "../1/a", "1/" + "a" * 129, "1" + "/abcdefghi" * 80,
]  # fmt: skip


@pytest.mark.parametrize("path", ESCAPES)
def test_no_path_leads_elsewhere(blobs: Blobs, path: str) -> None:
    for act in (
        lambda: blobs.put(path, [b"x"]),
        lambda: blobs.open(path),
        lambda: blobs.size(path),
        lambda: blobs.delete(path),
    ):
        with pytest.raises(BadBlobPath):
            act()


@pytest.mark.parametrize("prefix", ["", "1", "/", "1/../", "x/", "1/a//"])
def test_no_list_crosses_tenants(blobs: Blobs, prefix: str) -> None:
    with pytest.raises(BadBlobPath):
        list(blobs.list(prefix))


class Broken(Exception):
    pass


@pytest.mark.parametrize("before", [1, 9 * MIB, 17 * MIB])
def test_a_source_that_breaks_leaves_nothing(blobs: Blobs, before: int) -> None:
    def source() -> Iterator[bytes]:
        left = before
        while left > 0:
            yield b"x" * min(left, MIB)
            left -= MIB
        raise Broken

    blobs.put("1/a/kept", [b"as it was"])
    for path in ("1/a/kept", "1/a/new"):
        with pytest.raises(Broken):
            blobs.put(path, source())
    assert list(blobs.list("1/")) == ["1/a/kept"]
    assert blobs.read("1/a/kept") == b"as it was"


def test_nothing_is_seen_before_it_is_whole(blobs: Blobs) -> None:
    written, look = threading.Event(), threading.Event()

    def source() -> Iterator[bytes]:
        for _ in range(20):
            yield b"n" * MIB  # more than one part
        written.set()
        look.wait(30)
        yield b"end"

    blobs.put("1/a/b", [b"before"])
    writing = threading.Thread(target=blobs.put, args=("1/a/b", source()))
    writing.start()
    assert written.wait(30)
    assert blobs.read("1/a/b") == b"before"
    assert list(blobs.list("1/a/")) == ["1/a/b"]
    look.set()
    writing.join(30)
    assert blobs.size("1/a/b") == 20 * MIB + 3


def test_a_blob_of_many_parts_comes_back_as_it_was(blobs: Blobs) -> None:
    pieces = [bytes([number]) * (MIB + number) for number in range(20)]
    whole = b"".join(pieces)
    assert blobs.put("1/a/large", pieces) == len(whole)
    assert blobs.read("1/a/large") == whole
    assert blobs.read("1/a/large", 8 * MIB - 3, 8 * MIB + 3) == whole[8 * MIB - 3 : 8 * MIB + 3]


def test_many_writers_of_one_path_leave_one_of_theirs_whole(blobs: Blobs) -> None:
    def write(letter: bytes) -> None:
        for _ in range(5):
            blobs.put("1/race/a", [letter * 1000, letter * 1000])
            blobs.delete("1/race/b")
            blobs.put("1/race/b", [letter])

    threads = [threading.Thread(target=write, args=(letter,)) for letter in (b"x", b"y", b"z")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = blobs.read("1/race/a")
    assert found in (b"x" * 2000, b"y" * 2000, b"z" * 2000)


def test_reading_comes_in_chunks(blobs: Blobs) -> None:
    blobs.put("1/a/large", (b"x" * MIB for _ in range(20)))
    lengths = [len(chunk) for chunk in blobs.open("1/a/large")]
    assert sum(lengths) == 20 * MIB
    assert max(lengths) <= MIB


def test_its_name_shows_no_secret(blobs: Blobs, blob_settings: Settings) -> None:
    assert "never-to-be-logged" not in blobs.name
    assert "AKIA" not in blobs.name


def test_entries_come_in_the_order_of_characters_and_go_on_behind_any_of_them(blobs: Blobs) -> None:
    """A folder `a` lies between `a-b` and `a0`: whoever merges two listings relies on it."""
    paths = [
        "1/i/a-b", "1/i/a.txt", "1/i/a/1", "1/i/a/10/x", "1/i/a/2", "1/i/a0", "1/i/b/c/d/e", "1/i/b/c0", "1/z",
    ]  # fmt: skip
    for path in reversed(paths):
        blobs.put(path, [path.encode()])
    assert list(blobs.list("1/")) == paths == sorted(paths)
    assert [(entry.path, entry.bytes) for entry in blobs.entries("1/")] == [(one, len(one)) for one in paths]
    for at, path in enumerate(paths):
        assert [entry.path for entry in blobs.entries("1/", path)] == paths[at + 1 :]
    assert [entry.path for entry in blobs.entries("1/i/a", "1/i/a/1")] == paths[3:6]


def test_a_blob_put_again_has_another_sign(blobs: Blobs) -> None:
    def entry() -> tuple[int, str]:
        (found,) = blobs.entries("1/")
        return found.bytes, found.sign

    blobs.put("1/i/a", [b"one"])
    before = entry()
    assert entry() == before
    blobs.put("1/i/a", [b"two"])
    assert entry()[0] == 3
    assert entry() != before


def test_what_is_put_and_deleted_is_noted_where_backups_are_kept(blob_settings: Settings) -> None:
    open_blobs(blob_settings).put("1/i/before", [b"."])
    noting = open_blobs(replace(blob_settings, backup_folder="somewhere"))
    noting.put("1/i/a", [b"a"])
    noting.put("1/exports/j/Patient.ndjson", [b"passing"])
    noting.put("1/i/b", [b"b"])
    noting.delete("1/i/a")
    assert not noting.delete("1/i/none")
    notes = list(noting.noted(10))
    assert sorted(note.path for note in notes) == ["1/i/a", "1/i/a", "1/i/b"]
    assert [note.name for note in notes] == sorted(note.name for note in notes)
    assert [note.path for note in noting.noted(1)] == [notes[0].path]
    noting.forget(notes[0].name)
    noting.forget(notes[0].name)
    assert list(noting.noted(10)) == notes[1:]
    assert list(noting.list("1/")) == ["1/exports/j/Patient.ndjson", "1/i/b", "1/i/before"]
