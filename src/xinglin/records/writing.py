"""Versions into the tables: what is there goes to history, the new one takes its place, index rows follow.

Runs inside a write transaction and takes a batch of one or of thousands the same way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from xinglin.kernel.database import Connection
from xinglin.records import repository
from xinglin.records.bodies import compress
from xinglin.records.identity import Ledger
from xinglin.records.identity.repository import lock_entities
from xinglin.records.index.rows import IndexRows
from xinglin.records.past.repository import keep_links
from xinglin.records.repository import DELETED, LIVE, Current
from xinglin.records.rows import repository as rows_repository
from xinglin.records.stored import Method, Outcome, Stored


@dataclass(slots=True)  # not frozen: made by the thousand, and frozen ones take three times as long
class Version:
    """A version about to be written: over ``current`` (None: the first one). ``body`` has no id and meta of ours yet.

    ``body`` None is a deletion.
    """

    type: str
    id: str
    rid: int
    method: Method
    body: bytes | None
    rows: IndexRows | None
    current: Current | None


def look_up(
    connection: Connection, ledger: Ledger, tenant: int, names: Sequence[tuple[str, str]]
) -> tuple[dict[tuple[str, str], int], dict[int, Current]]:
    """rid of each ``(type, id)`` and the current version of those that have one, locked against other writers."""
    known = ledger.entities(connection, tenant, names)
    lock_entities(connection, tenant, names)
    rids = {name: known[name] for name in names}
    older = [rid for rid in rids.values() if not ledger.is_new(connection, rid)]
    return rids, repository.current(connection, tenant, older) if older else {}


def write_versions(
    connection: Connection, ledger: Ledger, tenant: int, versions: Sequence[Version], *, answer: bool = True
) -> list[Stored]:
    """Write ``versions``, no two of the same resource, as part of the running transaction.

    ``answer`` False: gives an empty list, for who does not need the outcome.
    """
    tx, at_us = ledger.transaction(connection, tenant)
    updated = instant_text(at_us)
    before = [version.rid for version in versions if version.current is not None]
    if before:
        keep_links(connection, tenant, before)
        repository.supersede(connection, tenant, before, at_us)
        rows_repository.delete(connection, tenant, before)
    batch = rows_repository.resolve(
        connection, ledger, tenant, [(version.rid, version.rows or IndexRows()) for version in versions]
    )
    new: list[tuple[Any, ...]] = []
    later: list[tuple[Any, ...]] = []
    done: list[Stored] = []
    for version, patient in zip(versions, batch.patients, strict=True):
        number = version.current.version + 1 if version.current else 1
        body, frame = b"", None
        if version.body is not None:
            body = stamp(version.body, version.type, version.id, number, updated)
            frame = compress(body)
        deleted = version.body is None
        row = (
            version.rid, tenant, version.type, version.id, number, tx, at_us, DELETED if deleted else LIVE,
            version.method, patient, _signature(version), frame,
        )  # fmt: skip
        (new if version.current is None else later).append(row)
        if answer:
            done.append(_outcome(version, number, at_us, body))
    repository.insert(connection, new)
    if later:
        repository.replace(connection, later)
    rows_repository.insert(connection, batch)
    if ledger.followed:
        for kind in {version.type for version in versions} & ledger.followed.keys():
            ledger.followed[kind](connection, tenant, versions)
    return done


def _signature(version: Version) -> int:
    from xinglin.records.index.signature import index_signature

    rows = version.rows
    return (
        index_signature(version.type) if rows is None else index_signature(version.type, rows.zone, rows.own)
    )


def _outcome(version: Version, number: int, at_us: int, body: bytes) -> Stored:
    deleted = version.body is None
    again = version.current is not None and version.current.state == LIVE
    outcome: Outcome = "deleted" if deleted else "updated" if again else "created"
    return Stored(version.type, version.id, number, at_us, deleted, version.method, body, outcome)


def stamp(body: bytes, kind: str, id_: str, version: int, updated: str) -> bytes:
    """``body`` (minified) with its id, meta.versionId and meta.lastUpdated; all else as it was.

    >>> stamp(b'{"resourceType":"Basic","id":"1"}', "Basic", "1", 2, "2020-01-01T00:00:00.000Z").decode()
    '{"resourceType":"Basic","id":"1","meta":{"versionId":"2","lastUpdated":"2020-01-01T00:00:00.000Z"}}'
    """
    # Nearly all bodies begin with type and id: no need to take them apart (1 µs in place of 10). A key is never part of
    # a string, whose quotation marks are escaped; only a resource has "meta", so one resource has one at most.
    head = f'{{"resourceType":"{kind}","id":"{id_}"'.encode()
    if body.startswith(head):
        place = body.find(b'"meta":')
        inside = f'"versionId":"{version}","lastUpdated":"{updated}"'.encode()
        if place < 0:
            return b'%s,"meta":{%s}%s' % (head, inside, body[len(head) :])
        place += len(b'"meta":{')
        if (
            body.find(b'"versionId":', place) < 0
            and body.find(b'"lastUpdated":', place) < 0
            and body.find(b'"resourceType":', len(head)) < 0  # a contained one may be what has the meta
        ):
            return b"%s%s,%s" % (body[:place], inside, body[place:])
    from xinglin.standards.fhir.edit import with_meta

    return with_meta(body, id_, str(version), updated)


def instant_text(at_us: int) -> str:
    """A FHIR instant in UTC with milliseconds.

    >>> instant_text(1_709_208_005_123_000)
    '2024-02-29T12:00:05.123Z'
    """
    from xinglin.records.stored import instant

    return instant(at_us).isoformat(timespec="milliseconds").replace("+00:00", "Z")
