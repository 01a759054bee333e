"""What the record gives back, and what can be asked of it in one write."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal, TypeAlias

from msgspec import Struct, structs

if TYPE_CHECKING:
    from xinglin.standards.fhir.search.query import Query

Method: TypeAlias = Literal["POST", "PUT", "PATCH", "DELETE"]
Outcome: TypeAlias = Literal["created", "updated", "unchanged", "deleted", "existing"]

ANY_VERSION = -1
"""As ``if_match``: the resource must be there, in whatever version."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def instant(at_us: int) -> datetime:
    """Microseconds since 1970-01-01T00:00:00Z as aware UTC.

    >>> instant(1_500_000).isoformat()
    '1970-01-01T00:00:01.500000+00:00'
    """
    return _EPOCH + timedelta(microseconds=at_us)


class Stored(Struct, frozen=True, gc=False, eq=False):  # a dataclass takes 3 µs to make, this 0.2
    """One version of one resource.

    ``body`` is its JSON as UTF-8, with id, meta.versionId and meta.lastUpdated; empty where ``deleted``. ``method`` is
    how this version came to be; ``outcome`` what the write that returned it did (on a read: as if it had just been
    written). ``updated_us`` counts from 1970-01-01T00:00:00Z.
    """

    type: str
    id: str
    version: int
    updated_us: int
    deleted: bool
    method: Method
    body: bytes
    outcome: Outcome = "existing"

    def __eq__(self, other: object) -> bool:
        """The same version, however it was come by: ``outcome`` does not count."""
        if not isinstance(other, Stored):
            return NotImplemented
        return self._version() == other._version()

    def __hash__(self) -> int:
        return hash(self._version())

    def _version(self) -> tuple[object, ...]:
        return (self.type, self.id, self.version, self.updated_us, self.deleted, self.method, self.body)

    @property
    def updated(self) -> datetime:
        """When this version was written, to the millisecond, as meta.lastUpdated has it."""
        return instant(self.updated_us)

    def with_outcome(self, outcome: Outcome) -> Stored:
        """The same version as the result of a write."""
        return structs.replace(self, outcome=outcome)


@dataclass(frozen=True, slots=True)
class Operation:
    """One change. Everything in it is checked inside the write transaction.

    kind
        ``create`` gives a new id (unless ``id`` is set by us); ``update`` writes ``id`` or makes it; ``patch`` calls
        ``patch`` with the body as it is and writes what it returns; ``delete``.
    where
        Conditional create (If-None-Exist), update, patch or delete: the resource is the one that this search finds.
        create: one found: nothing is written, it is returned; several: SeveralMatches. update: none found: created.
        delete: none found: nothing; several: SeveralMatches unless ``several``.
    if_match
        The version that the resource must have, or ANY_VERSION; a resource that is not there fails it too.
    if_absent
        If-None-Match: ``*``: the resource must not be there.
    skip_unchanged
        An update whose body is what the record has already writes nothing (outcome ``unchanged``).
    """

    kind: Literal["create", "update", "patch", "delete"]
    type: str
    id: str | None = None
    body: bytes | None = None
    patch: Callable[[bytes], bytes] | None = None
    where: Query | None = None
    if_match: int | None = None
    if_absent: bool = False
    skip_unchanged: bool = False
    several: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """One entry of the change feed: ids only, never clinical content.

    ``position`` is the place of its commit in the one order; ``patient`` the id of the one owning Patient, None for none,
    "" for several or for one that is not in the record itself.
    """

    position: int
    at_us: int
    tenant: int
    type: str
    id: str
    version: int
    method: Method
    patient: str | None


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """Versions, newest first, and the cursor of the next page (None: this is the last)."""

    entries: tuple[Stored, ...]
    next: str | None
    total: int | None = None
