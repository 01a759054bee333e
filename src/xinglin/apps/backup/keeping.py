"""Which backups there are, which one a restore takes, and how many are kept."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import msgspec

from xinglin.apps.backup.archive import chain, segments
from xinglin.apps.backup.base import instant, read_json, seal
from xinglin.apps.backup.errors import BackupError, Damaged, Foreign, NoBackup
from xinglin.apps.backup.form import BASES, FORMAT, NO_JSON, Manifest, part_path
from xinglin.apps.backup.head import head_path, read_head
from xinglin.apps.backup.place import Place
from xinglin.apps.backup.sweeping import drop_files
from xinglin.records.schema import SCHEMA_VERSION


class Kept(msgspec.Struct):
    """A backup, whether it is whole and ours to read, and what its last rehearsal found."""

    manifest: Manifest
    rehearsed: dict[str, Any] | None = None
    reaches: int = 0
    """The last position that the archive leads to from it."""


def read_manifest(place: Place, name: str) -> Manifest:
    """The manifest of a backup. Raises Foreign, Damaged, Sealed, NoBackup."""
    path = part_path(name, "manifest.json")
    if next(iter(place.blobs.list(path)), None) is None:
        raise NoBackup("apps.backup-none-named", name=name)
    try:
        manifest = msgspec.json.decode(place.blobs.read(path), type=Manifest)
    except NO_JSON as error:
        raise Foreign("apps.backup-foreign", part=path) from error
    if manifest.format > FORMAT or manifest.schema > SCHEMA_VERSION:
        raise Foreign("apps.backup-newer", program=manifest.program)
    if manifest.name != name or manifest.mac != seal(manifest, place):
        raise Damaged("apps.backup-manifest", name=name)
    return manifest


def names(place: Place) -> list[str]:
    """The names of all whole backups, newest first."""
    return sorted(
        {path.split("/")[2] for path in place.blobs.list(BASES) if path.endswith("/manifest.json")},
        reverse=True,
    )


def backups(place: Place) -> list[Kept]:
    """All backups that can be read, newest first."""
    return listed(place)[0]


def listed(place: Place) -> tuple[list[Kept], dict[str, BackupError]]:
    """All backups that can be read, newest first; the names of those that cannot be, with the reason."""
    found: list[Kept] = []
    refused: dict[str, BackupError] = {}
    for name in names(place):
        try:
            manifest = read_manifest(place, name)
        except BackupError as error:
            refused[name] = error
            continue
        led = chain(place, manifest.epoch, manifest.position)
        found.append(
            Kept(
                manifest,
                read_json(place, part_path(name, "rehearsed.json"), dict[str, Any]),
                led[-1].upto if led else manifest.position,
            )
        )
    return found, refused


def choose(
    place: Place,
    position: int | None = None,
    at_us: int | None = None,
    name: str = "",
    record: str = "",
    epoch: str = "",
) -> Manifest:
    """The backup that leads to ``position`` or to the instant with the least archive; by default the newest.

    A later backup holds all that was before it, so where none is old enough the oldest is taken, and cut. An older one that
    cannot be read is passed over; the newest never is, since nobody would learn how much is lost. ``record``: of which
    record; without it there must be backups of one only. ``epoch``: of which of its lives, where that has backups; without it no
    two may have gone on side by side. Raises NoBackup, and what `read_manifest` does.
    """
    if name:
        return read_manifest(place, name)
    found: list[Manifest] = []
    for one in names(place):
        try:
            found.append(read_manifest(place, one))
        except BackupError:
            if not found:
                raise
    found = [one for one in found if record in ("", one.record)]
    if not found:
        raise NoBackup("apps.backup-none", store=place.name)
    if len({one.record for one in found}) > 1:
        raise BackupError("apps.backup-several", store=place.name)
    found = [one for one in found if one.epoch == epoch] or found
    newest = max(found, key=lambda one: (one.made_us, one.position))
    _one_life(place, found, newest)
    if position is None and at_us is None:
        return newest
    # Of one life of the record: that of the newest backup, unless it began later than what is asked for.
    lives = [one for one in found if one.epoch == newest.epoch] or found
    before = [
        one
        for one in lives
        if (position is None or one.position <= position) and (at_us is None or one.at_us <= at_us)
    ]
    if before:
        nearest = max(before, key=lambda one: one.position)
        after = [one for one in lives if one.position > nearest.position]
        led = chain(place, nearest.epoch, nearest.position, position)
        reaches = led[-1].upto if led else nearest.position
        if position is None or position <= reaches or not after:
            return nearest
        lives = after  # the archive does not lead there from it
    return min(lives, key=lambda one: one.position)


def _one_life(place: Place, found: list[Manifest], newest: Manifest) -> None:
    """Raises BackupError where another life of the record went on after that of ``newest`` began: a copy was restored and run
    beside it, say, and nobody can tell here which of the two is the hospital's."""
    began_us = min(one.made_us for one in found if one.epoch == newest.epoch)
    for epoch in {one.epoch for one in found} - {newest.epoch}:
        others = [one for one in found if one.epoch == epoch]
        if _last_us(place, others) > began_us:
            second = max(others, key=lambda one: one.made_us).name
            raise BackupError("apps.backup-two-lives", store=place.name, first=newest.name, second=second)


def _last_us(place: Place, life: list[Manifest]) -> int:
    """When a life of a record was last backed up, or committed something that was archived."""
    head = None
    with suppress(BackupError):
        head = read_head(place, life[0].epoch)
    return max(0 if head is None else head.at_us, *(one.made_us for one in life))


def newest_with_files(place: Place, record: str, but: str = "") -> Manifest | None:
    """The newest backup of a record, other than ``but``, that can be read and has a list of files."""
    for name in names(place):
        if name == but:
            continue
        try:
            found = read_manifest(place, name)
        except BackupError:
            continue
        if found.record == record and any(part.kind == "blobs" for part in found.parts):
            return found
    return None


def drop_older(place: Place, keep: int, record: str, epoch: str = "") -> int:
    """Delete all but the newest ``keep`` backups of this life of the record, and the archive that only older ones need; how many.

    Those of another life (before a restore; or of a copy that runs beside) go when nothing has come of it since what is kept.
    The manifest goes first: what is left of a deletion that was broken off is no backup any more.
    """
    found = [
        one
        for one in (read_json(place, part_path(n, "manifest.json"), Manifest) for n in names(place))
        if one
    ]
    ours = [one for one in found if one.record == record]
    if not ours:
        return 0
    lives: dict[str, list[Manifest]] = {}
    for one in ours:
        lives.setdefault(one.epoch, []).append(one)
    mine = lives.pop(epoch or ours[0].epoch, [])
    dropped = mine[max(keep, 1) :]
    if len(mine) >= max(keep, 1):
        oldest_us = mine[max(keep, 1) - 1].made_us
        dropped += [one for life in lives.values() if _last_us(place, life) < oldest_us for one in life]
    for manifest in dropped:
        place.blobs.delete(part_path(manifest.name, "manifest.json"))
        for path in list(place.blobs.list(f"{BASES}{manifest.name}/")):
            place.blobs.delete(path)
    gone = {manifest.name for manifest in dropped}
    left = [manifest for manifest in ours if manifest.name not in gone]
    for epoch in {manifest.epoch for manifest in ours}:
        of_epoch = [manifest.position for manifest in left if manifest.epoch == epoch]
        for one in segments(place, epoch):
            if not of_epoch or one.upto <= min(of_epoch):
                place.blobs.delete(one.path)
        if not of_epoch:
            place.blobs.delete(head_path(epoch))
    drop_files(place, record, left, {manifest.epoch for manifest in ours}, dropped=bool(dropped))
    return len(dropped)


def told(kept: Kept) -> dict[str, Any]:
    """A backup as JSON, for lists."""
    manifest = kept.manifest
    return {
        "name": manifest.name,
        "made": instant(manifest.made_us),
        "position": manifest.position,
        "reaches": kept.reaches,
        "versions": manifest.versions,
        "bytes": manifest.bytes,
        "encrypted": bool(manifest.salt),
        "rehearsed": (kept.rehearsed or {}).get("at"),
        "well": (kept.rehearsed or {}).get("well"),
        "record": manifest.record,
        "program": manifest.program,
    }
