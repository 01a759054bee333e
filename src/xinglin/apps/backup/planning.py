"""Which parts a restore takes, each of them read and checked before a row is written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from xinglin.apps.backup.archive import Found, chain, first_and_last, gap, read_segment
from xinglin.apps.backup.base import instant
from xinglin.apps.backup.bringing import Brought
from xinglin.apps.backup.errors import BackupError, Damaged, Foreign, NoBackup
from xinglin.apps.backup.form import Manifest, Sums, lines_of, part_path
from xinglin.apps.backup.head import Head, read_head
from xinglin.apps.backup.keeping import choose
from xinglin.apps.backup.lists import Chosen, choose_files
from xinglin.apps.backup.place import Place


class Plan(msgspec.Struct):
    """What a restore reads: a backup, the segments behind it, and the position it ends at."""

    manifest: Manifest
    segments: list[Found]
    position: int
    last_rid: int
    last_tx: int
    reaches: int
    types: dict[str, list[Any]] | None = None
    """Counts and digests at ``position``, where that is the end of a backup or a segment."""
    files: Chosen | None = None
    at_us: int = 0
    """When the last commit that was restored was made; known once it is."""
    brought: Brought | None = None
    """What came of its files; known once they are back."""


def plan(
    place: Place,
    *,
    position: int | None = None,
    at_us: int | None = None,
    name: str = "",
    record: str = "",
    epoch: str = "",
    check: Callable[[], None] | None = None,
) -> Plan:
    """Which parts a restore to ``position``, or to the last commit not later than ``at_us``, takes; by default to the newest.

    Every part is read and checked. Raises NoBackup, Damaged, Foreign, Sealed.
    """
    manifest = choose(place, position, at_us, name, record, epoch)
    written = _head_of(place, manifest)  # before the segments are listed: it never runs ahead of them
    found = Plan(manifest, [], manifest.position, manifest.last_rid, manifest.last_tx, manifest.position)
    later = check_parts(place, manifest, at_us, check)
    sums = Sums()
    sums.merge(manifest.types)
    whole = True
    known: dict[int, set[str]] = {}  # SHA-256 of the segments that end at a position
    if later is None:
        for one in chain(place, manifest.epoch, manifest.position, position):
            head, end = first_and_last(place, one, sealed=bool(manifest.salt))
            if (head.record, head.epoch) != (manifest.record, manifest.epoch):
                raise Foreign("apps.backup-chain", part=one.path)
            if one.after in known and head.previous not in known[one.after]:
                raise Damaged("apps.backup-chain", part=one.path)
            for text in read_segment(place, one, sealed=bool(manifest.salt)):
                commit = commit_of(text)
                if commit is not None and at_us is not None and commit[2] > at_us and later is None:
                    later = commit[1]
            known.setdefault(one.upto, set()).add(place.sha256(one.path))
            whole = whole and one.after == found.reaches
            sums.merge(end.types)
            found.segments.append(one)
            found.reaches = one.upto
            found.last_rid = max(found.last_rid, end.last_rid)
            found.last_tx = max(found.last_tx, end.last_tx)
            if check is not None:
                check()
            if later is not None:
                break
        behind = gap(place, manifest.epoch, found.reaches)
        if behind is not None and later is None and position is None:
            raise Damaged("apps.backup-gap", reaches=found.reaches, after=behind.after)
        if later is None and position is None:
            _reached(written, found.reaches)
    found.position = found.reaches if position is None else position
    if later is not None:
        found.position = later - 1
    if position is None and found.position < 1 and at_us is not None:
        raise NoBackup("apps.backup-too-early")
    if position is not None and position > found.reaches:
        raise NoBackup("apps.backup-not-so-far", position=position, reaches=found.reaches)
    if whole and found.position == found.reaches:
        found.types = sums.told()
    newest = position is None and later is None
    told = written.lists if newest and isinstance(written, Head) else 0
    found.files = choose_files(place, manifest, found.position, newest, told)
    return found


def _head_of(place: Place, manifest: Manifest) -> Head | BackupError | None:
    try:
        return read_head(place, manifest.epoch)
    except BackupError as error:
        return error  # of no concern to a restore that ends before


def _reached(head: Head | BackupError | None, reaches: int) -> None:
    """Raises Damaged where the archive was written further than what is there leads."""
    if isinstance(head, BackupError):
        raise Damaged("apps.backup-head-unread", reaches=reaches, reason=head)
    if head is not None and head.position > reaches:
        raise Damaged("apps.backup-head", reaches=reaches, position=head.position, at=instant(head.at_us))


def check_parts(
    place: Place, manifest: Manifest, at_us: int | None = None, check: Callable[[], None] | None = None
) -> int | None:
    """Read every part of a backup and compare it with its manifest; the first position later than ``at_us``, if any.

    Raises Damaged, Sealed.
    """
    later: int | None = None
    for part in manifest.parts:
        count = 0
        path = part_path(manifest.name, part.name)
        for text in lines_of(place.read(path, sealed=bool(manifest.salt), sha256=part.sha256)):
            count += 1
            if at_us is not None and later is None and part.kind == "commits":
                row = msgspec.json.decode(text)
                if row[2] > at_us:
                    later = row[1]
        if count != part.lines:
            raise Damaged("apps.backup-part", part=path)
        if check is not None:
            check()
    return later


def commit_of(text: bytes) -> list[int] | None:
    """The commit of a line of a segment; None: it is another kind of line."""
    return msgspec.json.decode(text)["commit"] if text.startswith(b'{"commit"') else None
