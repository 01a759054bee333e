"""Make a backup: the whole record as it was at ONE position, while others read and write on.

The position is read first. After that the tables are walked in short snapshots, and whatever was written behind the position is
left out: versions are never lost from them, they only move from `resource` to `history`. So there is no long read
transaction that would keep SQLite's write-ahead log, or PostgreSQL's dead rows, from being cleared away.

Memory is bounded by one batch. A backup that was broken off is gone on with, from its last whole part. One process at a time
makes one: two would go on with the same, and each write over parts that the other's manifest names.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from xinglin.apps.backup import repository
from xinglin.apps.backup.errors import BackupError, UnderWay
from xinglin.apps.backup.files import Before, Copier, File, Names, doomed, listing, names_stored
from xinglin.apps.backup.form import (
    BASES,
    FORMAT,
    NO_JSON,
    Manifest,
    Part,
    Sums,
    line,
    part_path,
    version_line,
)
from xinglin.apps.backup.head import put_head
from xinglin.apps.backup.leasing import LEASE_S, Lease
from xinglin.apps.backup.lists import archived_lists, listed_files
from xinglin.apps.backup.memory import identity, own_key, remember, remembered
from xinglin.apps.backup.place import Place
from xinglin.kernel.blobs import Blobs, NoSuchBlob
from xinglin.kernel.clock import now, now_us
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.ids import new_id
from xinglin.records import repository as records_repository
from xinglin.records.schema import SCHEMA_VERSION
from xinglin.records.service import Records

PART_BYTES: Final = 64 * 1024 * 1024
PART_LINES: Final = 400_000
RESOURCES: Final = 500
"""Read in one short snapshot, with all their versions."""
STATE_IN_MEMORY: Final = 8 * 1024 * 1024
PART_S: Final = 600.0
"""A part ends after this, so that a backup that copies many files and is broken off goes on near where it was."""
FILES: Final = 100
COPIED_MOST: Final = 256 * 1024 * 1024
GO_ON_WITHIN_US: Final = 24 * 3600 * 1_000_000
"""An unfinished backup older than this is begun anew: what it lacks would be a day of archive."""

MAKING_S: Final = LEASE_S

Steps = Callable[[int, int], None]


class Unfinished(msgspec.Struct):
    """Where a backup stands that has no manifest yet: ``key`` is the place in the table that ``phase`` walks."""

    manifest: Manifest
    phase: str = "entities"
    key: list[Any] = msgspec.field(default_factory=list)
    done: int = 0


def back_up(
    records: Records,
    place: Place,
    *,
    blobs: Blobs | None = None,
    steps: Steps | None = None,
    check: Callable[[], None] | None = None,
) -> Manifest:
    """Back the whole record up into ``place``, with the files of ``blobs`` (None: none are looked at); what was made.

    ``steps`` is told versions written and resources in all; ``check`` may raise to end it, between two batches: another call goes
    on from there. Raises BackupError, UnderWay, BlobsFull, BlobsUnavailable; what is there by then stays for the next call.
    """
    if blobs is not None and blobs.name == place.name:
        raise BackupError("apps.backup-same-place", store=place.name)
    place.prepare()
    check = check or (lambda: None)
    lease = Lease(records, own_key("backup_making", place.name), MAKING_S)
    if not lease.wait(check):
        raise UnderWay("apps.backup-under-way", store=place.name)

    def alive() -> None:
        check()
        if not lease.still():
            raise UnderWay("apps.backup-under-way", store=place.name)

    try:
        return _made(records, place, blobs, steps or (lambda done, of: None), alive)
    finally:
        with suppress(XinglinError):  # then it ends by itself
            lease.give_back()


def _made(
    records: Records, place: Place, blobs: Blobs | None, steps: Steps, check: Callable[[], None]
) -> Manifest:
    record, epoch = identity(records)
    under_way = _unfinished(place, record, epoch) or _begin(records, place, record, epoch)
    making = _Making(records, place, under_way, blobs, steps, check)
    manifest = making.run()
    put_head(place, record, epoch, position=manifest.position, at_us=manifest.at_us)
    told = {
        "name": manifest.name, "store": place.name, "epoch": epoch, "position": manifest.position,
        "at_us": now_us(), "began_us": manifest.made_us, "bytes": manifest.bytes, "versions": manifest.versions,
        "sealed": bool(manifest.salt), "files": making.files(),
    }  # fmt: skip
    for key in (own_key("backup_last", place.name), "backup_last"):
        remember(records, key, told)
    return manifest


def read_json(place: Place, path: str, kind: type[Any]) -> Any:
    """A small JSON file as ``kind``; None where there is none or it is none of ours."""
    try:
        return msgspec.json.decode(place.blobs.read(path), type=kind)
    except (NoSuchBlob, *NO_JSON):
        return None


def seal(manifest: Manifest, place: Place) -> str:
    """The mac of ``manifest`` as it stands."""
    text = msgspec.json.encode(msgspec.structs.replace(manifest, mac=""), order="sorted")
    return place.keys.mac(manifest.salt, text)


def _unfinished(place: Place, record: str, epoch: str) -> Unfinished | None:
    """The newest backup of this record that waits to be finished; others that were begun are taken away."""
    found: Unfinished | None = None
    names = [path.split("/")[2] for path in place.blobs.list(BASES) if path.endswith("/unfinished.json")]
    for name in sorted(names, reverse=True):
        state: Unfinished | None = read_json(place, part_path(name, "unfinished.json"), Unfinished)
        whole = place.blobs.list(f"{BASES}{name}/manifest.json")
        if next(iter(whole), None) is not None:
            place.blobs.delete(part_path(name, "unfinished.json"))
            continue
        ours = state is not None and (state.manifest.record, state.manifest.epoch) == (record, epoch)
        if state is not None and not ours:
            continue  # another record's, in a store that several share
        young = state is not None and now_us() - state.manifest.made_us < GO_ON_WITHIN_US
        if found is None and young and state is not None and bool(state.manifest.salt) == bool(place.keys):
            found = state
        else:
            for path in list(place.blobs.list(f"{BASES}{name}/")):
                place.blobs.delete(path)
    return found


def _begin(records: Records, place: Place, record: str, epoch: str) -> Unfinished:
    """Fix the position, and write the state that belongs to it."""
    from xinglin import __version__

    at = now()
    name = f"{at:%Y%m%dT%H%M%S}{at.microsecond // 1000:03d}Z-{new_id()[:6]}"
    with tempfile.SpooledTemporaryFile(STATE_IN_MEMORY) as spool:
        with records.database.read() as connection:
            position, at_us = repository.position_and_instant(connection)
            for text in state_lines(connection, brief=False):
                spool.write(text)
        spool.seek(0)
        lines, size, sha256 = place.write(part_path(name, "state-00001.ndjson.zst"), spool)
    manifest = Manifest(
        FORMAT, name, record, epoch, __version__, SCHEMA_VERSION, position, at_us, now_us(), 0, 0,
        [Part("state-00001.ndjson.zst", "state", lines, size, sha256)], {}, place.keys.new_salt(),
    )  # fmt: skip
    under_way = Unfinished(manifest)
    place.blobs.put(part_path(name, "unfinished.json"), [msgspec.json.encode(under_way)])
    return under_way


def state_lines(connection: Any, *, brief: bool) -> Iterator[bytes]:
    """Tenants, meta and every small table, one row a line. ``brief``: see `repository.rows_of`."""
    for tenant, (name, zone) in sorted(records_repository.tenants(connection).items()):
        yield line({"tenant": [tenant, name, zone]})
    for key, value in repository.meta_rows(connection).items():
        yield line({"meta": [key, value]})
    for table, columns in repository.tables(connection).items():
        if brief and table == "job_log":
            continue
        yield line({"table": table, "columns": columns, "brief": brief})
        for row in repository.rows_of(connection, table, columns, brief):
            yield line({"row": row})


class _Making:
    """One backup under way."""

    def __init__(
        self,
        records: Records,
        place: Place,
        under_way: Unfinished,
        blobs: Blobs | None,
        steps: Steps,
        check: Callable[[], None],
    ) -> None:
        self._records = records
        self._database = records.database
        self._blobs = blobs
        self._before: Before | None = None
        self._gone = 0
        self._place = place
        self._under_way = under_way
        self._manifest = under_way.manifest
        self._steps = steps
        self._check = check
        self._sums = Sums()
        self._sums.merge(self._manifest.types)
        with self._database.read() as connection:
            self._of = records_repository.count_all(connection)

    def run(self) -> Manifest:
        """Write what is missing, then the manifest."""
        manifest = self._manifest
        walks = {"entities": self._entities, "commits": self._commits, "versions": self._versions}
        if self._blobs is not None:
            walks["blobs"] = self._files
        phases = list(walks)
        for phase in phases[phases.index(self._under_way.phase) :]:
            if self._under_way.phase != phase:
                self._under_way.phase, self._under_way.key = phase, []
            while self._part(phase, walks[phase]):
                pass
        self._check()
        manifest.format = FORMAT if manifest.blobs else 1  # without files, programs of before read it too
        manifest.mac = seal(manifest, self._place)
        path = part_path(manifest.name, "manifest.json")
        self._place.blobs.put(path, [msgspec.json.format(msgspec.json.encode(manifest), indent=1)])
        self._place.blobs.delete(part_path(manifest.name, "unfinished.json"))
        return manifest

    def _part(self, phase: str, walk: Callable[[], Iterator[bytes]]) -> bool:
        """Write the next part of a phase; False where there is nothing left of it."""
        lines = walk()
        first = next(lines, None)
        if first is None:
            return False
        until = time.monotonic() + PART_S
        number = sum(part.kind == phase for part in self._manifest.parts) + 1
        name = f"{phase}-{number:05d}.ndjson.zst"

        def bounded() -> Iterator[bytes]:
            yield first
            size, count = len(first), 1
            for text in lines:
                yield text
                size, count = size + len(text), count + 1
                full = size >= PART_BYTES or count >= PART_LINES or time.monotonic() >= until
                if full and self._between:
                    return

        wrote = self._place.write(part_path(self._manifest.name, name), bounded())
        self._manifest.parts.append(Part(name, phase, *wrote))
        self._manifest.types = self._sums.told()
        path = part_path(self._manifest.name, "unfinished.json")
        self._place.blobs.put(path, [msgspec.json.encode(self._under_way)])
        return True

    # Each walk goes on from `key`, and sets it to a place where another may go on: there `_between` is true, so that a part
    # ends where a batch does.

    _between = False

    def _walk(self, batches: Iterator[tuple[list[Any], list[bytes]]]) -> Iterator[bytes]:
        for key, lines in batches:
            self._check()
            last = len(lines) - 1
            for at, text in enumerate(lines):
                self._between = at == last
                if self._between:
                    self._under_way.key = key
                yield text
            if not lines:
                self._under_way.key = key

    def _entities(self) -> Iterator[bytes]:
        def batches() -> Iterator[tuple[list[Any], list[bytes]]]:
            tenant, kind, id_ = self._under_way.key or [-1, "", ""]
            with self._database.read() as connection:
                tenants = [one for one in repository.entity_tenants(connection) if one >= tenant]
            for one in tenants:
                if one != tenant:
                    kind, id_ = "", ""
                while True:
                    with self._database.read() as connection:
                        rows = repository.entities_after(connection, one, kind, id_, 5000)
                    if not rows:
                        break
                    kind, id_ = rows[-1][0], rows[-1][1]
                    self._manifest.last_rid = max(self._manifest.last_rid, *(row[2] for row in rows))
                    yield [one, kind, id_], [line([one, *row]) for row in rows]

        return self._walk(batches())

    def _commits(self) -> Iterator[bytes]:
        def batches() -> Iterator[tuple[list[Any], list[bytes]]]:
            after = self._under_way.key[0] if self._under_way.key else 0
            while True:
                with self._database.read() as connection:
                    rows = repository.commits_between(connection, after, self._manifest.position, 5000)
                if not rows:
                    return
                after = rows[-1][1]
                self._manifest.last_tx = max(self._manifest.last_tx, *(row[0] for row in rows))
                yield [after], [line(list(row)) for row in rows]

        return self._walk(batches())

    def _versions(self) -> Iterator[bytes]:
        def batches() -> Iterator[tuple[list[Any], list[bytes]]]:
            tenant, after = self._under_way.key or [-1, 0]
            with self._database.read() as connection:
                tenants = [one for one in records_repository.live_tenants(connection) if one >= tenant]
            for one in tenants:
                if one != tenant:
                    after = 0
                while True:
                    lines = []
                    with self._database.read() as connection:
                        last, found = repository.versions_upto(
                            connection, one, after, self._manifest.position, RESOURCES
                        )
                        for row in found:
                            self._sums.add(row)
                            self._manifest.last_rid = max(self._manifest.last_rid, row.rid)
                            lines.append(version_line(row))
                    if last is None:
                        break
                    after = last
                    self._under_way.done += len(lines)
                    self._steps(self._under_way.done, self._of)
                    yield [one, after], lines

        return self._walk(batches())

    def files(self) -> dict[str, int] | None:
        """For `xinglin doctor`: files in this backup, and how many of the one before it are no more; None: not looked at."""
        if self._blobs is None:
            return None
        return {
            "count": self._manifest.blobs,
            "gone": self._gone + (self._before.gone if self._before else 0),
        }

    def _files(self) -> Iterator[bytes]:
        assert self._blobs is not None
        blobs, place, record = self._blobs, self._place, self._manifest.record
        after = self._under_way.key[0] if self._under_way.key else ""
        with self._database.read() as connection:
            tenants = list(records_repository.tenants(connection))
        known = _Known(place, record, self._manifest.name)
        self._gone += self._before.gone if self._before else 0
        before = self._before = Before(known.files(after))
        copier = Copier(blobs, place, record, known.__contains__, self._alive)

        def batches() -> Iterator[tuple[list[Any], list[bytes]]]:
            if not self._under_way.key:
                yield [""], [line({"lists": archived_lists(self._records, place, self._manifest.epoch)})]
            lines, last, copied = [], after, copier.copied
            for entry in listing(blobs, tenants, after):
                file = before.at(entry.path)
                same = file is not None and (file.bytes, file.sign) == (entry.bytes, entry.sign)
                if file is None or not same or file.name not in known:
                    file = copier.copy(entry.path, entry.bytes, entry.sign)
                last = entry.path
                if file is None:
                    continue
                known.add(file.name)
                lines.append(line(file))
                self._manifest.blobs += 1
                if len(lines) >= FILES or copier.copied - copied >= COPIED_MOST:
                    yield [last], lines
                    lines, copied = [], copier.copied
                    self._alive()
            before.rest()
            if lines:
                yield [last], lines

        return self._walk(batches())

    def _alive(self) -> None:
        self._check()
        self._steps(self._under_way.done, self._of)


class _Known:
    """What a store of backups holds of a record's files already."""

    def __init__(self, place: Place, record: str, but: str) -> None:
        from xinglin.apps.backup.keeping import newest_with_files

        self._place = place
        self._last = newest_with_files(place, record, but)
        self._names = Names(entry.path.rpartition("/")[2] for entry in names_stored(place, record))
        self._wrong = doomed(place, record)
        if self._last is not None:
            rehearsed = read_json(place, part_path(self._last.name, "rehearsed.json"), dict) or {}
            for name in rehearsed.get("contents", ()):
                self._wrong.add(name)

    def files(self, after: str) -> Iterator[File]:
        """The list of the backup before, behind the path ``after``."""
        if self._last is None:
            return iter(())
        return (file for file in listed_files(self._place, self._last) if file.blob > after)

    def add(self, name: str) -> None:
        """``name`` is there now, and whole."""
        self._names.add(name)
        self._wrong.discard(name)

    def __contains__(self, name: str) -> bool:
        if name in self._wrong:
            return False
        return name in self._names


def instant(at_us: int) -> str:
    """An instant for people, in UTC, to the second."""
    return datetime.fromtimestamp(at_us / 1_000_000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


__all__ = [
    "Steps",
    "Unfinished",
    "back_up",
    "identity",
    "instant",
    "read_json",
    "remember",
    "remembered",
    "seal",
    "state_lines",
]
