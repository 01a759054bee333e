"""Archived changes: what was committed since the last backup, in segments of a few seconds, so that a disk that dies takes
less than a minute of the record with it.

A segment names what it follows by its SHA-256, and ends with its own: a missing, swapped or shortened one shows. Its
place in the chain is noted in the record only after it is on disk, so a process killed in between writes it again,
perhaps longer; whoever reads takes the one that reaches furthest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec

from xinglin.apps.backup import repository
from xinglin.apps.backup.base import state_lines
from xinglin.apps.backup.errors import Damaged, Foreign, NoBackup
from xinglin.apps.backup.form import (
    ARCHIVE,
    NO_JSON,
    End,
    Segment,
    Sums,
    line,
    lines_of,
    segment_path,
    version_line,
)
from xinglin.apps.backup.head import put_head
from xinglin.apps.backup.memory import identity, own_key, remembered_of
from xinglin.apps.backup.place import Place
from xinglin.kernel.clock import now_us
from xinglin.kernel.database import Row
from xinglin.records import repository as records_repository
from xinglin.records.schema import SCHEMA_VERSION
from xinglin.records.service import Records

COMMITS_MOST: Final = 5000
_CHUNK: Final = 64
FORMAT: Final = 1
_KEY: Final = "backup_archived"


def archive(records: Records, place: Place, *, check: Callable[[], None] | None = None) -> int:
    """Write what has been committed since the last call; how many commits.

    Raises NoBackup where there is no backup yet that the archive could go on from.
    """
    record, epoch = identity(records)
    done = 0
    while True:
        before = remembered_of(records, _KEY, place.name, epoch)
        anchor = _anchor(records, before, place, epoch)
        if anchor is None:
            raise NoBackup("apps.backup-no-base", store=place.name)
        after, previous = anchor
        segment, commits, state = _next(records, record, epoch, after, previous)
        if not commits:
            put_head(place, record, epoch, position=after, at_us=segment.at_us)
            _note(records, before, {**(before or {}), **_place_of(place, epoch, after, previous)})
            return done
        path = segment_path(epoch, segment.after, segment.upto)
        _, _, sha256 = place.write(path, _lines(records, segment, commits, state))
        put_head(place, record, epoch, position=segment.upto, at_us=segment.at_us)
        if not _note(records, before, _place_of(place, epoch, segment.upto, sha256)):
            return done  # another process was quicker with these commits; this segment is as true as its own
        done += len(commits)
        if check is not None:
            check()


def _place_of(place: Place, epoch: str, position: int, sha256: str) -> dict[str, Any]:
    return {"store": place.name, "epoch": epoch, "position": position, "sha256": sha256, "at_us": now_us()}


def _anchor(
    records: Records, before: dict[str, Any] | None, place: Place, epoch: str
) -> tuple[int, str] | None:
    """Where the archive stands, or the backup that it begins at."""
    if before is not None:
        return int(before["position"]), str(before["sha256"])
    last = remembered_of(records, "backup_last", place.name, epoch)
    return None if last is None else (int(last["position"]), str(last["name"]))


def _next(
    records: Records, record: str, epoch: str, after: int, previous: str
) -> tuple[Segment, list[Row], list[bytes]]:
    from xinglin import __version__

    with records.database.read() as connection:
        position, at_us = repository.position_and_instant(connection)
        commits = repository.commits_between(connection, after, position, COMMITS_MOST)
        state = []
        if commits and commits[-1][1] == position:
            state = list(state_lines(connection, brief=True))
    upto, at_us = (commits[-1][1], commits[-1][2]) if commits else (after, at_us)
    return (
        Segment(FORMAT, record, epoch, after, upto, at_us, previous, __version__, SCHEMA_VERSION),
        commits,
        state,
    )


def _lines(records: Records, segment: Segment, commits: list[Row], state: list[bytes]) -> Iterator[bytes]:
    digest, sums, count = hashlib.sha256(), Sums(), 0
    last_rid = 0

    def lines() -> Iterator[bytes]:
        nonlocal last_rid
        yield line(segment)
        for start in range(0, len(commits), _CHUNK):
            some = commits[start : start + _CHUNK]
            yield from (line({"commit": list(commit)}) for commit in some)
            with records.database.read() as connection:
                found = list(repository.versions_of(connection, some))
            for row in found:
                sums.add(row)
                last_rid = max(last_rid, row.rid)
                yield version_line(row)
        yield from state

    for text in lines():
        digest.update(text)
        count += 1
        yield text
    last_tx = max((commit[0] for commit in commits), default=0)
    yield line(End(True, count, last_rid, last_tx, sums.told(), digest.hexdigest()))


def _note(records: Records, before: dict[str, Any] | None, after: dict[str, Any]) -> bool:
    """Move the noted place from ``before`` to ``after``; False where another process has moved it meanwhile."""

    own = own_key(_KEY, after["store"])

    def unit(connection: Any) -> bool:
        text = records_repository.meta(connection, own)
        there: dict[str, Any] = {} if text is None else msgspec.json.decode(text)
        known = -1 if before is None else before["position"]
        if there.get("epoch") == after["epoch"] and there["position"] > known:
            return False
        for key in (own, _KEY):
            repository.set_meta(connection, key, msgspec.json.encode(after).decode())
        return True

    return records.database.write(unit)


# Reading


class Found(msgspec.Struct):
    """A segment in a store, as its name says."""

    after: int
    upto: int
    path: str


def segments(place: Place, epoch: str) -> list[Found]:
    """Every segment of an epoch, in order."""
    found = []
    for path in place.blobs.list(f"{ARCHIVE}{epoch}/"):
        name = path.rpartition("/")[2].removesuffix(".ndjson.zst")
        after, _, upto = name.partition("-")
        if after.isdigit() and upto.isdigit():
            found.append(Found(int(after), int(upto), path))
    return sorted(found, key=lambda one: (one.after, one.upto))


def chain(place: Place, epoch: str, position: int, upto: int | None = None) -> list[Found]:
    """The segments that lead from ``position`` as far as they go, or over ``upto``."""
    return _led(segments(place, epoch), position, upto)


def gap(place: Place, epoch: str, reaches: int) -> Found | None:
    """The first segment behind a hole: what leads on from ``reaches`` to it is not there; None where nothing is missing."""
    there = segments(place, epoch)
    led = _led(there, reaches, None)
    end = led[-1].upto if led else reaches
    return min((one for one in there if one.after > end), key=lambda one: one.after, default=None)


def _led(there: list[Found], position: int, upto: int | None) -> list[Found]:
    found: list[Found] = []
    while upto is None or position < upto:
        ahead = [one for one in there if one.after <= position < one.upto]
        if not ahead:
            break
        best = max(ahead, key=lambda one: one.upto)
        found.append(best)
        position = best.upto
    return found


def read_segment(place: Place, one: Found, *, sealed: bool) -> Iterator[bytes]:
    """The lines of a segment between its first and its last, which are checked. Raises Damaged, at the latest at the end."""
    digest, count = hashlib.sha256(), 0
    held: bytes | None = None
    for text in lines_of(place.read(one.path, sealed=sealed)):
        if held is not None:
            digest.update(held)
            count += 1
            if count == 1:
                _head(held, one)
            else:
                yield held
        held = text
    end = _end(held, one.path)
    if end.sha256 != digest.hexdigest() or end.lines != count:
        raise Damaged("apps.backup-part", part=one.path)


def _head(text: bytes, one: Found) -> Segment:
    try:
        head = msgspec.json.decode(text, type=Segment)
    except NO_JSON as error:
        raise Foreign("apps.backup-foreign", part=one.path) from error
    if head.segment > FORMAT or head.schema > SCHEMA_VERSION:
        raise Foreign("apps.backup-newer", program=head.program)
    if (head.after, head.upto) != (one.after, one.upto):
        raise Damaged("apps.backup-part", part=one.path)
    return head


def _end(text: bytes | None, path: str) -> End:
    try:
        return msgspec.json.decode(text or b"", type=End)
    except NO_JSON as error:
        raise Damaged("apps.backup-part", part=path) from error


def first_and_last(place: Place, one: Found, *, sealed: bool) -> tuple[Segment, End]:
    """What the first and the last line of a segment say; all of it is read."""
    first: bytes | None = None
    last = b""
    for text in lines_of(place.read(one.path, sealed=sealed)):
        first = first or text
        last = text
    return _head(first or b"", one), _end(last, one.path)


__all__ = ["Found", "archive", "chain", "first_and_last", "gap", "read_segment", "segments"]
