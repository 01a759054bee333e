"""Archived files: what was put into and deleted from the blob store since the last backup, copied while the record goes on.

``1/archive/EPOCH/files/NUMBER-xTOKEN.ndjson.zst``: a line that says of which record and from which position, lines of `File`, and
an end with the SHA-256 of all before. The position was read before the notes were: so what a commit up to it names is in the
lists up to this one, unless the end says that some still waited. A process that was killed before it noted its list leaves
one whose number is given again; whoever reads takes both, the older first. Numbers leave out none: a missing list shows, the
last one by the head.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from typing import Any, Final

import msgspec

from xinglin.apps.backup import repository
from xinglin.apps.backup.errors import BackupError, Damaged, Foreign, NoBackup
from xinglin.apps.backup.files import Copier, File, content_path, doomed, read_file
from xinglin.apps.backup.form import ARCHIVE, NO_JSON, Manifest, line, lines_of, part_path
from xinglin.apps.backup.head import put_head
from xinglin.apps.backup.memory import identity, own_key, remembered_of
from xinglin.apps.backup.place import Place
from xinglin.kernel.blobs import Blobs, NoSuchBlob, Note, is_path
from xinglin.kernel.clock import now_us
from xinglin.records import repository as records_repository
from xinglin.records.service import Records

FORMAT: Final = 1
MOST: Final = 2000
WITHIN_S: Final = 5.0
"""What one pass spends on files, so that commits never wait for images; a file begun is finished."""
KEY: Final = "backup_files"


class ListHead(msgspec.Struct):
    """The first line of a list."""

    list: int
    record: str
    epoch: str
    number: int
    position: int
    at_us: int
    program: str


class ListEnd(msgspec.Struct):
    """The last line of a list; ``waiting``: there was more to copy than time for it."""

    end: bool
    lines: int
    waiting: bool
    sha256: str


class Found(msgspec.Struct):
    """A list in a store, as its name says."""

    number: int
    path: str


def archive_files(
    records: Records,
    place: Place,
    blobs: Blobs,
    *,
    within_s: float = WITHIN_S,
    check: Callable[[], None] | None = None,
) -> int:
    """Copy what the blob store notes as new into ``place``; how many files. What is left after ``within_s`` waits.

    Raises NoBackup where there is no backup yet that they could come behind, and BackupError for a file that cannot be read,
    once the others are copied.
    """
    record, epoch = identity(records)
    if remembered_of(records, "backup_last", place.name, epoch) is None:
        raise NoBackup("apps.backup-no-base", store=place.name)
    check = check or (lambda: None)
    until, done = time.monotonic() + within_s, 0
    copier = Copier(blobs, place, record, _there(place, record), check)
    while True:
        with records.database.read() as connection:
            position, _ = repository.position_and_instant(connection)
        notes = list(blobs.noted(MOST))
        if not notes:
            return done
        files, seen, failed = _copied(copier, blobs, notes, until, check)
        if failed is not None and not seen:
            raise failed
        waiting = len(seen) < len(notes) or len(notes) == MOST
        number = archived_lists(records, place, epoch) + 1
        _write(place, ListHead(FORMAT, record, epoch, number, position, now_us(), _program()), files, waiting)
        put_head(place, record, epoch, lists=number)
        _note(records, place, epoch, number)
        for note in seen:
            blobs.forget(note.name)
        done += len(files)
        if failed is not None:
            raise failed  # the others are safe; its note stays
        if time.monotonic() >= until:
            return done


def _program() -> str:
    from xinglin import __version__

    return __version__


def _there(place: Place, record: str) -> Callable[[str], bool]:
    going = doomed(place, record)

    def there(name: str) -> bool:
        if name in going:
            return False
        try:
            place.blobs.size(content_path(record, name))
        except NoSuchBlob:
            return False
        return True

    return there


def _copied(
    copier: Copier, blobs: Blobs, notes: list[Note], until: float, check: Callable[[], None]
) -> tuple[list[File], list[Note], BackupError | None]:
    """What has become of the files that ``notes`` name, the notes that were seen to, and why one of the others was not."""
    files: dict[str, File] = {}
    seen: list[Note] = []
    failed: BackupError | None = None
    for note in notes:
        if seen and time.monotonic() >= until:
            break
        check()
        if not is_path(note.path):  # damaged, or nobody's of ours: it must hold no other up
            seen.append(note)
            continue
        if note.path not in files:
            try:
                found = copier.copy(note.path, blobs.size(note.path))
            except NoSuchBlob:
                found = None
            except BackupError as error:
                failed = error  # one that cannot be read keeps no other waiting
                continue
            files[note.path] = found or File(note.path, gone=True)
        seen.append(note)
    return list(files.values()), seen, failed


def _write(place: Place, head: ListHead, files: list[File], waiting: bool) -> None:
    lines = [line(head), *(line(file) for file in files)]
    digest = hashlib.sha256(b"".join(lines)).hexdigest()
    path = f"{ARCHIVE}{head.epoch}/files/{head.number:010d}-x{secrets.token_hex(6)}.ndjson.zst"
    place.write(path, [*lines, line(ListEnd(True, len(lines), waiting, digest))])


def _note(records: Records, place: Place, epoch: str, number: int) -> None:
    key = own_key(KEY, place.name)

    def unit(connection: Any) -> None:
        text = records_repository.meta(connection, key)
        there: dict[str, Any] = {} if text is None else msgspec.json.decode(text)
        before = there["number"] if there.get("epoch") == epoch else 0
        told = {"store": place.name, "epoch": epoch, "number": max(number, before), "at_us": now_us()}
        repository.set_meta(connection, key, msgspec.json.encode(told).decode())

    records.database.write(unit)


def archived_lists(records: Records, place: Place, epoch: str) -> int:
    """The number of the last list written to ``place`` in this life of the record; 0: none."""
    there = remembered_of(records, KEY, place.name, epoch)
    return 0 if there is None else int(there["number"])


# Reading


def lists(place: Place, epoch: str) -> list[Found]:
    """The lists of an epoch, in order."""
    found = []
    for path in place.blobs.list(f"{ARCHIVE}{epoch}/files/"):
        number = path.rpartition("/")[2].partition("-x")[0]
        if number.isdigit():
            found.append(Found(int(number), path))
    return sorted(found, key=lambda one: (one.number, one.path))


def read_list(place: Place, path: str, *, sealed: bool) -> tuple[ListHead, list[File], ListEnd]:
    """What a list holds. Raises Damaged, Foreign, Sealed."""
    texts = list(lines_of(place.read(path, sealed=sealed)))
    try:
        head = msgspec.json.decode(texts[0], type=ListHead)
        end = msgspec.json.decode(texts[-1], type=ListEnd)
    except (IndexError, *NO_JSON) as error:
        raise Damaged("apps.backup-part", part=path) from error
    if head.list > FORMAT:
        raise Foreign("apps.backup-newer", program=head.program)
    whole = hashlib.sha256(b"".join(texts[:-1])).hexdigest()
    if (end.lines, end.sha256) != (len(texts) - 1, whole):
        raise Damaged("apps.backup-part", part=path)
    return head, [read_file(text) for text in texts[1:-1]], end


class Chosen(msgspec.Struct):
    """Which files a restore brings: those of the backup's own list, changed by what the archive says of them since."""

    manifest: Manifest
    known: bool
    """Whether the backup says anything of files: one of an earlier release does not."""
    changes: dict[str, File] = msgspec.field(default_factory=dict)
    lost: list[str] = msgspec.field(default_factory=list)
    """Lists that are missing or cannot be read: what they named is not known."""
    waiting: bool = False
    """Whether files waited to be copied when the last of the lists was written."""


def first_list(place: Place, manifest: Manifest) -> int | None:
    """The number of the list that a backup's own listing came behind; None: it has no listing."""
    part = next((part for part in manifest.parts if part.kind == "blobs"), None)
    if part is None:
        return None
    for text in lines_of(place.read(part_path(manifest.name, part.name), sealed=bool(manifest.salt))):
        try:
            return int(msgspec.json.decode(text)["lists"])
        except (KeyError, TypeError, ValueError, *NO_JSON) as error:
            raise Damaged("apps.backup-part", part=part.name) from error
    raise Damaged("apps.backup-part", part=part.name)


def choose_files(place: Place, manifest: Manifest, position: int, newest: bool, told: int) -> Chosen:
    """What is known of the files at ``position``; ``told``: the last list that the head names, looked for where ``newest``."""
    after = first_list(place, manifest)
    if after is None:
        return Chosen(manifest, False)
    chosen = Chosen(manifest, True)
    reached = after
    behind = [one for one in lists(place, manifest.epoch) if one.number > after]
    for number, same in groupby(behind, key=lambda one: one.number):
        chosen.lost += [str(missing) for missing in range(reached + 1, number)]
        reached, enough = number, False
        for head, files, end in _of_number(place, chosen, same):
            for file in files:
                if (
                    not file.gone or newest or head.position < position
                ):  # else deleted later, perhaps: it is kept
                    chosen.changes[file.blob] = file
            chosen.waiting = end.waiting
            enough = head.position >= position and not newest
        if enough:
            break
    else:
        chosen.lost += [str(missing) for missing in range(reached + 1, told + 1)]
    return chosen


def _of_number(
    place: Place, chosen: Chosen, same: Iterable[Found]
) -> list[tuple[ListHead, list[File], ListEnd]]:
    """The lists of one number in the order in which they were written; those that cannot be read are `Chosen.lost`."""
    manifest = chosen.manifest
    found = []
    for one in same:
        try:
            told = read_list(place, one.path, sealed=bool(manifest.salt))
        except BackupError:
            chosen.lost.append(one.path)
            continue
        head = told[0]
        if (head.record, head.epoch, head.number) == (manifest.record, manifest.epoch, one.number):
            found.append(told)
        else:
            chosen.lost.append(one.path)
    return sorted(found, key=lambda told: (told[0].position, told[0].at_us))


def files_of(place: Place, chosen: Chosen) -> Iterator[File]:
    """Every file that was there, each once, always in the same order; memory holds what changed since the backup."""
    changes = chosen.changes
    for part in chosen.manifest.parts:
        if part.kind != "blobs":
            continue
        path = part_path(chosen.manifest.name, part.name)
        for text in lines_of(place.read(path, sealed=bool(chosen.manifest.salt), sha256=part.sha256)):
            if text.startswith(b'{"lists"'):
                continue
            file = read_file(text)
            if file.blob not in changes:
                yield file
    yield from (file for file in changes.values() if not file.gone)


def listed_files(place: Place, manifest: Manifest) -> Iterator[File]:
    """The files of a backup's own list, in the order of paths."""
    return files_of(place, Chosen(manifest, True))
