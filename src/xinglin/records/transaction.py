"""One unit of work on the record: reads and changes that happen together or not at all.

Whoever needs more than `Operation` can say (a transaction bundle whose references depend on what a condition finds) writes a
function of a `Transaction` and hands it to `Records.transact`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from xinglin.kernel.database import Connection
from xinglin.kernel.ids import new_id
from xinglin.records import repository
from xinglin.records.errors import Gone, Mismatch, NotFound, SeveralMatches, VersionConflict
from xinglin.records.identity import Ledger
from xinglin.records.prepared import ID, Prepared
from xinglin.records.repository import LIVE, Current
from xinglin.records.stored import ANY_VERSION, Method, Operation, Stored
from xinglin.records.writing import Version, look_up, write_versions
from xinglin.trust import Actor, scope

if TYPE_CHECKING:
    from xinglin.standards.fhir.search.query import Query

Find = Callable[[Connection, "Query", Actor, int], list[tuple[str, str]]]
Prepare = Callable[[bytes, str, str], Prepared]


class Transaction:
    """Good inside the function given to `Records.transact`, and only there.

    What it reads includes what it has written; nothing that other transactions do comes in between. The function may
    be run again from the beginning (deadlock, lost connection), so it must change nothing but the record.
    """

    def __init__(
        self, connection: Connection, ledger: Ledger, actor: Actor, find: Find, prepare: Prepare
    ) -> None:
        self.connection = connection
        self.actor = actor
        self._ledger = ledger
        self._find = find
        self._prepare = prepare
        self._tenant = scope(actor, "write").tenant

    def read(self, kind: str, id_: str) -> Stored | None:
        """The current version as this transaction sees it; None where there is none or it is deleted."""
        found = repository.read(self.connection, scope(self.actor, "read", kind), kind, id_)
        return None if found is None or found.deleted else found

    def read_all(self, names: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Stored]:
        """`read` of many ``(type, id)`` at once; those that are not there, or are deleted, are left out."""
        return read_live(self.connection, self.actor, names)

    def find(self, query: Query, most: int = 2) -> list[tuple[str, str]]:
        """At most ``most`` ``(type, id)`` that a search finds, as this transaction sees them.

        On PostgreSQL the same question asked by another writer waits until this transaction ends: of many conditional
        creates with one condition, one creates.
        """
        if self.connection.dialect == "postgresql":
            # Query is a frozen value: equal questions have equal representations.
            digest = hashlib.blake2b(f"{self._tenant}|{query!r}".encode(), digest_size=8).digest()
            self.connection.execute(
                "SELECT pg_advisory_xact_lock(?)", (int.from_bytes(digest, "big", signed=True),)
            )
        return self._find(self.connection, query, self.actor, most)

    def create(self, kind: str, body: bytes | Prepared, id_: str | None = None) -> Stored:
        """A new resource under a new random id, or under ``id_``, which must be free."""
        prepared = body if isinstance(body, Prepared) else self._prepare(body, kind, id_ or new_id())
        rid, current = self._current(prepared.type, prepared.id)
        if current is not None and current.state == LIVE:
            raise VersionConflict("records.version-exists", type=prepared.type, id=prepared.id)
        return self._write(prepared, rid, "POST", current)

    def update(
        self,
        kind: str,
        id_: str,
        body: bytes | Prepared,
        *,
        if_match: int | None = None,
        if_absent: bool = False,
        skip_unchanged: bool = False,
        method: Method = "PUT",
    ) -> Stored:
        """A new version of ``kind/id_``, its first where there was none. See `Operation` for the conditions."""
        if not ID.fullmatch(id_):
            raise Mismatch("records.id-invalid", id=id_[:80])
        prepared = body if isinstance(body, Prepared) else self._prepare(body, kind, id_)
        rid, current = self._current(kind, id_)
        _check_version(kind, id_, current, if_match)
        if if_absent and current is not None and current.state == LIVE:
            raise VersionConflict("records.version-exists", type=kind, id=id_)
        if skip_unchanged and current is not None and unchanged(prepared, current):
            before = self.read(kind, id_)
            if before is not None:
                return before.with_outcome("unchanged")
        return self._write(prepared, rid, method, current)

    def update_all(self, updates: Sequence[tuple[str, str, bytes, int | None]]) -> list[Stored]:
        """`update` of resources that are all different, as ``(type, id, body, if_match)``, in few statements."""
        names = [(kind, id_) for kind, id_, _, _ in updates]
        rids, there = look_up(self.connection, self._ledger, self._tenant, names)
        versions = []
        for kind, id_, body, if_match in updates:
            rid = rids[kind, id_]
            current = there.get(rid)
            _check_version(kind, id_, current, if_match)
            prepared = self._prepare(body, kind, id_)
            versions.append(Version(kind, id_, rid, "PUT", prepared.body, prepared.rows, current))
        return write_versions(self.connection, self._ledger, self._tenant, versions) if versions else []

    def patch(
        self, kind: str, id_: str, change: Callable[[bytes], bytes], *, if_match: int | None = None
    ) -> Stored:
        """``change`` applied to the body as it is. Raises NotFound, Gone, and what ``change`` raises."""
        current = self._there(kind, id_)
        _check_version(kind, id_, current, if_match)
        if current is None:
            raise NotFound("records.not-found", type=kind, id=id_)
        if current.state != LIVE or current.body is None:
            raise Gone("records.gone", type=kind, id=id_)
        before = self.read(kind, id_)
        assert before is not None
        prepared = self._prepare(change(before.body), kind, id_)
        return self._write(prepared, current.rid, "PATCH", current)

    def delete(self, kind: str, id_: str, *, if_match: int | None = None) -> Stored | None:
        """Leave a tombstone. None where there is nothing to delete (never was, or is deleted already)."""
        current = self._there(kind, id_)
        _check_version(kind, id_, current, if_match)
        if current is None or current.state != LIVE:
            return None
        version = Version(kind, id_, current.rid, "DELETE", None, None, current)
        return write_versions(self.connection, self._ledger, self._tenant, [version])[0]

    def apply(self, operation: Operation, prepared: Prepared | None = None) -> list[Stored]:
        """Carry out one `Operation`; what it wrote, or the resource that made writing needless."""
        kind, id_ = operation.type, operation.id
        body: bytes | Prepared = prepared if prepared is not None else operation.body or b""
        if operation.kind == "create":
            if operation.where is not None:
                found = self._one(operation)
                if found is not None:
                    there = self.read(*found)
                    assert there is not None
                    return [there]
            return [self.create(kind, body, id_)]
        if operation.where is not None:
            if operation.kind == "delete":
                return self._delete_found(operation)
            found = self._one(operation)
            if found is None and operation.kind == "patch":
                raise NotFound("records.no-match", type=kind)
            if found is None:
                return [self._conditionally_create(operation, body)]
            if id_ is not None and found[1] != id_:
                raise Mismatch("records.id-mismatch", id=found[1])
            if isinstance(body, Prepared) and body.id != found[1]:
                body = body.body  # prepared under an id it does not get
            id_ = found[1]
        assert id_ is not None
        if operation.kind == "update":
            return [
                self.update(
                    kind,
                    id_,
                    body,
                    if_match=operation.if_match,
                    if_absent=operation.if_absent,
                    skip_unchanged=operation.skip_unchanged,
                )
            ]
        if operation.kind == "patch":
            assert operation.patch is not None
            return [self.patch(kind, id_, operation.patch, if_match=operation.if_match)]
        deleted = self.delete(kind, id_, if_match=operation.if_match)
        return [] if deleted is None else [deleted]

    def _conditionally_create(self, operation: Operation, body: bytes | Prepared) -> Stored:
        if operation.if_match is not None:
            _check_version(operation.type, "?", None, operation.if_match)
        if operation.id is not None:
            return self.update(operation.type, operation.id, body, if_absent=True)
        return self.create(operation.type, body)

    def _delete_found(self, operation: Operation) -> list[Stored]:
        assert operation.where is not None
        found = self.find(operation.where, most=100_000 if operation.several else 2)
        if len(found) > 1 and not operation.several:
            raise SeveralMatches("records.several-matches", type=operation.type)
        done = [self.delete(kind, id_, if_match=operation.if_match) for kind, id_ in found]
        return [stored for stored in done if stored is not None]

    def _one(self, operation: Operation) -> tuple[str, str] | None:
        assert operation.where is not None
        found = self.find(operation.where)
        if len(found) > 1:
            raise SeveralMatches("records.several-matches", type=operation.type)
        return found[0] if found else None

    def _current(self, kind: str, id_: str) -> tuple[int, Current | None]:
        rids, current = look_up(self.connection, self._ledger, self._tenant, [(kind, id_)])
        rid = rids[kind, id_]
        return rid, current.get(rid)

    def _there(self, kind: str, id_: str) -> Current | None:
        """As `_current`, but a name that nobody has used stays unknown."""
        if repository.rid_of(self.connection, self._tenant, kind, id_) is None:
            return None
        return self._current(kind, id_)[1]

    def _write(self, prepared: Prepared, rid: int, method: Method, current: Current | None) -> Stored:
        version = Version(prepared.type, prepared.id, rid, method, prepared.body, prepared.rows, current)
        if prepared.secrets is not None:
            from xinglin.records.subscriptions.repository import keep_secrets

            keep_secrets(self.connection, (self._tenant, prepared.id), prepared.secrets)
        return write_versions(self.connection, self._ledger, self._tenant, [version])[0]


def read_live(
    connection: Connection, actor: Actor, names: Iterable[tuple[str, str]]
) -> dict[tuple[str, str], Stored]:
    """The current versions of those ``(type, id)`` that are there, a statement or two for each type."""
    by_type: dict[str, list[str]] = {}
    for kind, id_ in dict.fromkeys(names):
        by_type.setdefault(kind, []).append(id_)
    return {
        (kind, id_): one
        for kind, ids in by_type.items()
        for id_, one in repository.read_all(connection, scope(actor, "read", kind), kind, ids).items()
        if not one.deleted
    }


def _check_version(kind: str, id_: str, current: Current | None, if_match: int | None) -> None:
    if if_match is None:
        return
    if current is None or current.state != LIVE:
        if if_match == ANY_VERSION:
            raise VersionConflict("records.version-none", type=kind, id=id_)
        raise VersionConflict("records.version-absent", type=kind, id=id_, expected=if_match)
    if if_match not in (current.version, ANY_VERSION):
        raise VersionConflict(
            "records.version-conflict", type=kind, id=id_, current=current.version, expected=if_match
        )


def unchanged(prepared: Prepared, current: Current) -> bool:
    """Whether ``prepared`` is what the record has already, versionId and lastUpdated apart."""
    import msgspec

    from xinglin.records.bodies import decompress
    from xinglin.records.writing import instant_text, stamp

    if current.state != LIVE or current.body is None:
        return False
    there = decompress(current.body)
    sent = stamp(prepared.body, prepared.type, prepared.id, current.version, instant_text(current.updated_us))
    if sent == there:
        return True
    if abs(len(sent) - len(there)) > len(there) // 2 + 64:
        return False  # escapes and member order do not change the length that much
    decode = msgspec.json.Decoder(float_hook=str).decode  # 1.10 and 1.1 are not the same to FHIR
    return bool(decode(sent) == decode(there))
