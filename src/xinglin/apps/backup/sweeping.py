"""Taking away the files that only deleted backups held.

In two steps, a day apart, since somebody may just be about to name a content again: it is first written down as doomed, and
whoever needs a doomed one writes it anew; what is still needed by nobody a day later, and has not been written since, goes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from xinglin.apps.backup.errors import BackupError
from xinglin.apps.backup.files import Doomed, Names, doomed_path, names_stored
from xinglin.apps.backup.form import BASES, NO_JSON, Manifest, part_path
from xinglin.apps.backup.lists import first_list, listed_files, lists, read_list
from xinglin.apps.backup.place import Place
from xinglin.kernel.blobs import NoSuchBlob
from xinglin.kernel.clock import now_us

WAIT_US: Final = 20 * 3600 * 1_000_000
DOOMED_MOST: Final = 50_000


def drop_files(place: Place, record: str, left: list[Manifest], epochs: set[str], *, dropped: bool) -> int:
    """Take away lists and contents that none of the backups ``left`` needs; how many contents.

    Where a list cannot be read, under a lost key for one, nothing is: what it names is not known.
    """
    try:
        for epoch in epochs:
            firsts = [first_list(place, manifest) for manifest in left if manifest.epoch == epoch]
            needed = min((first for first in firsts if first is not None), default=None)
            for one in lists(place, epoch):
                if not firsts or (needed is not None and one.number <= needed):
                    place.blobs.delete(one.path)
        before = _doomed(place, record)
        if not dropped and before is None:
            return 0
        used = Names(_used(place, record, left, epochs))
    except BackupError:
        return 0
    return _sweep(place, record, used, before)


def _sweep(place: Place, record: str, used: Names, before: Doomed | None) -> int:
    now = now_us()
    ripe = before is not None and now - before.at_us >= WAIT_US
    going = set(before.names) if before is not None and ripe else set()
    fresh: list[str] = []
    gone = 0
    for entry in names_stored(place, record):
        name = entry.path.rpartition("/")[2]
        if name in used:
            continue
        if name in going and entry.at_us < now - WAIT_US:
            place.blobs.delete(entry.path)
            gone += 1
        elif len(fresh) < DOOMED_MOST:
            fresh.append(name)
    if before is not None and not ripe:
        return gone  # let its day pass first
    if fresh:
        place.blobs.put(doomed_path(record), [msgspec.json.encode(Doomed(now, fresh))])
    else:
        place.blobs.delete(doomed_path(record))
    return gone


def _used(place: Place, record: str, left: list[Manifest], epochs: set[str]) -> Iterator[str]:
    """The names of all contents that a backup, one that is being made, or a list of the archive names."""
    for manifest in [*left, *_begun(place, record)]:
        for file in listed_files(place, manifest):
            yield file.name
    for epoch in epochs:
        sealed = any(manifest.salt for manifest in left if manifest.epoch == epoch)
        for one in lists(place, epoch):
            for file in read_list(place, one.path, sealed=sealed)[1]:
                if not file.gone:
                    yield file.name


def _begun(place: Place, record: str) -> Iterable[Manifest]:
    from xinglin.apps.backup.base import Unfinished

    for path in list(place.blobs.list(BASES)):
        if path.endswith("/unfinished.json"):
            try:
                state = msgspec.json.decode(
                    place.blobs.read(part_path(path.split("/")[2], "unfinished.json")), type=Unfinished
                )
            except (NoSuchBlob, *NO_JSON):
                continue
            if state.manifest.record == record:
                yield state.manifest


def _doomed(place: Place, record: str) -> Doomed | None:
    try:
        return msgspec.json.decode(place.blobs.read(doomed_path(record)), type=Doomed)
    except (NoSuchBlob, *NO_JSON):
        return None
