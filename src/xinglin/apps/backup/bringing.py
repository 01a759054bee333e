"""Bringing files back from a backup into a blob store, or only reading each to see that it is whole.

A damaged or missing copy never stops a restore: the record is worth more. It is counted and named, and nothing of it is
written. A file that is there already is left as it is: the same one costs a reading, another one is named.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Final

import msgspec

from xinglin.apps.backup.errors import BackupError, Damaged
from xinglin.apps.backup.files import TELL_EVERY, File, content_path
from xinglin.apps.backup.form import part_path
from xinglin.apps.backup.lists import Chosen, files_of
from xinglin.apps.backup.place import Place
from xinglin.kernel.blobs import BlobError, Blobs, NoSuchBlob, is_path

NAMED_MOST: Final = 20
EVERY: Final = 100


class Brought(msgspec.Struct):
    """What has come of the files: seen so far, written, their bytes, already there; wrong ones, the first of them named."""

    files: int = 0
    written: int = 0
    bytes: int = 0
    there: int = 0
    damaged: int = 0
    other: int = 0
    """Paths at which the store had something else, which was left."""
    lost: int = 0
    """Lists of the archive that are missing or damaged."""
    waiting: bool = False
    named: dict[str, list[str]] = msgspec.field(default_factory=dict)
    """The first few of each kind: ``damaged``, ``other``, ``lost``."""
    contents: list[str] = msgspec.field(default_factory=list)
    """Names of damaged contents: the next backup writes them anew."""

    @property
    def wrong(self) -> int:
        """How much is not as it was."""
        return self.damaged + self.other + self.lost

    @property
    def first(self) -> list[str]:
        """The first of what is wrong, of whatever kind."""
        return [path for named in self.named.values() for path in named]


def bring(
    place: Place,
    chosen: Chosen,
    target: Blobs | None,
    *,
    so_far: Brought | None = None,
    saved: Callable[[Brought], None] | None = None,
    check: Callable[[], None] | None = None,
) -> Brought:
    """Write the files into ``target``, or where that is None read and compare each; ``saved`` is told now and then how far.

    ``so_far``: what was told last; it goes on from there. Raises BlobError where a whole store does not answer, or is full.
    """
    named = {"lost": chosen.lost[:NAMED_MOST]} if chosen.lost else {}
    brought = so_far or Brought(lost=len(chosen.lost), waiting=chosen.waiting, named=named)
    saved, check = saved or (lambda brought: None), check or (lambda: None)
    for file in islice(files_of(place, chosen), brought.files, None):
        check()
        _one(place, chosen, file, target, brought, check)
        brought.files += 1
        if brought.files % EVERY == 0:
            saved(brought)
    saved(brought)
    return brought


def _one(
    place: Place,
    chosen: Chosen,
    file: File,
    target: Blobs | None,
    brought: Brought,
    check: Callable[[], None],
) -> None:
    if not is_path(file.blob):
        brought.damaged += 1
        _name(brought, "damaged", file.blob)
        return
    if target is not None:
        there = _there(target, file, check)
        if there is not None:
            if there:
                brought.there += 1
            else:
                brought.other += 1
                _name(brought, "other", file.blob)
            return
    chunks = _telling(_whole(place, chosen, file), check)
    try:
        if target is None:
            for _ in chunks:
                pass
        else:
            target.put(file.blob, chunks)
            brought.written += 1
        brought.bytes += file.bytes
    except BackupError:
        brought.damaged += 1
        _name(brought, "damaged", file.blob)
        if len(brought.contents) < 1000:
            brought.contents.append(file.name)


def _name(brought: Brought, kind: str, path: str) -> None:
    named = brought.named.setdefault(kind, [])
    if len(named) < NAMED_MOST:
        named.append(path)


def _there(target: Blobs, file: File, check: Callable[[], None]) -> bool | None:
    """Whether the store has this very file; None where it has none at that path."""
    try:
        if target.size(file.blob) != file.bytes:
            return False
        digest = hashlib.sha256()
        for chunk in _telling(target.open(file.blob), check):
            digest.update(chunk)
    except NoSuchBlob:
        return None
    return digest.hexdigest() == file.sha256


def _whole(place: Place, chosen: Chosen, file: File) -> Iterator[bytes]:
    """The bytes of a file as they were. Raises Damaged, at the latest at the end, where they are not."""
    path = content_path(chosen.manifest.record, file.name)
    digest, size = hashlib.sha256(), 0
    chunks = place.read(path, sealed=bool(chosen.manifest.salt))
    while True:
        try:
            chunk = next(chunks, None)
        except BlobError as error:
            _alive(place, chosen)  # raises where it is not this one copy that cannot be read
            raise Damaged("apps.backup-part", part=path) from error
        if chunk is None:
            break
        digest.update(chunk)
        size += len(chunk)
        yield chunk
    if size != file.bytes or digest.hexdigest() != file.sha256:
        raise Damaged("apps.backup-part", part=path)


def _alive(place: Place, chosen: Chosen) -> None:
    place.blobs.size(part_path(chosen.manifest.name, "manifest.json"))


def _telling(chunks: Iterator[bytes], check: Callable[[], None]) -> Iterator[bytes]:
    told = 0
    for chunk in chunks:
        told += len(chunk)
        if told >= TELL_EVERY:
            told = 0
            check()
        yield chunk
