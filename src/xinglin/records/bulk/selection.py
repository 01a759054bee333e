"""Which resources a Group or a ``_typeFilter`` names: a set of numbers for each type, made in one snapshot.

A set is a string of bits by rid: 12 MB for a record of a hundred million resources, and a few kB on disk where few are
in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import tzinfo
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl

import msgspec

from xinglin.kernel.clock import now_us
from xinglin.kernel.database import Connection
from xinglin.records.bulk import repository
from xinglin.records.bulk.errors import NoSuchGroup
from xinglin.records.bulk.moment import Since
from xinglin.records.bulk.request import Export, without_form
from xinglin.records.identity.repository import find_entities
from xinglin.standards.fhir.temporal import read
from xinglin.trust import Predicate

if TYPE_CHECKING:
    from xinglin.records.search import Search
    from xinglin.standards.fhir.search.query import Query

LOOK: Final = 10_000
DEEPEST: Final = 20
"""Groups within Groups that are followed."""
Ask = Callable[[str, list[tuple[str, str]]], "Query"]
"""Type and pairs of a search to its Query."""


class Numbers:
    """A set of rids.

    >>> chosen = Numbers([3, 100_000, 3])
    >>> list(chosen), 3 in chosen, 4 in chosen, list(Numbers.of(chosen.packed())), list(chosen.after(3))
    ([3, 100000], True, False, [3, 100000], [100000])
    """

    def __init__(self, numbers: Iterable[int] = ()) -> None:
        self._bits = bytearray()
        for number in numbers:
            self.add(number)

    def add(self, number: int) -> None:
        """Put ``number`` into the set."""
        place = number >> 3
        if place >= len(self._bits):
            self._bits.extend(bytes(max(place + 1 - len(self._bits), len(self._bits) // 4)))
        self._bits[place] |= 1 << (number & 7)

    def __contains__(self, number: int) -> bool:
        place = number >> 3
        return place < len(self._bits) and bool(self._bits[place] >> (number & 7) & 1)

    def __iter__(self) -> Iterator[int]:
        return self.after(-1)

    def after(self, number: int) -> Iterator[int]:
        """The numbers behind ``number``, in order."""
        bits, start = self._bits, number + 1
        block = 4096  # zeros are passed over a block at a time
        for first in range((start >> 3) // block * block, len(bits), block):
            part = bits[first : first + block]
            if not any(part):
                continue
            for place, byte in enumerate(part, first):
                if byte:
                    for bit in range(8):
                        if byte >> bit & 1 and (found := place << 3 | bit) >= start:
                            yield found

    def __len__(self) -> int:
        return int.from_bytes(self._bits, "little").bit_count()

    def both(self, other: Numbers) -> Numbers:
        """What is in both sets."""
        size = min(len(self._bits), len(other._bits))
        one, two = (int.from_bytes(each._bits[:size], "little") for each in (self, other))
        found = Numbers()
        found._bits = bytearray((one & two).to_bytes(size, "little"))
        return found

    def packed(self) -> bytes:
        """As bytes to keep."""
        import zstandard

        return zstandard.ZstdCompressor(level=3).compress(bytes(self._bits))

    @classmethod
    def of(cls, packed: bytes) -> Numbers:
        """From `packed`."""
        import zstandard

        found = cls()
        found._bits = bytearray(zstandard.ZstdDecompressor().decompress(packed))
        return found


def found_by(
    connection: Connection,
    predicate: Predicate,
    search: Search,
    ask: Ask,
    export: Export,
    kind: str,
    check: Callable[[], None] = lambda: None,
) -> Numbers:
    """The resources of ``kind`` that one of its filters finds. ``check``: called now and then, raises to stop."""
    found = Numbers()
    for filtered, text in export.filters:
        if filtered != kind:
            continue
        query = ask(kind, without_form(parse_qsl(text, keep_blank_values=True)))
        for place, number in enumerate(search.numbers(connection, predicate, query)):
            found.add(number)
            if place % LOOK == 0:
                check()
    return found


def in_compartments(
    connection: Connection, predicate: Predicate, kind: str, members: Members, since: Since | None
) -> Numbers:
    """The live resources of ``kind`` of a Group's members; of those that were there before ``since``, what changed."""
    from xinglin.records.search.owners import compartment_parameters

    parameters = compartment_parameters("Patient", kind)
    found = Numbers()
    for patients, bound in ((members.before, since), (members.joined, None)):
        for number in repository.owned(connection, predicate, kind, parameters, patients, bound):
            found.add(number)
    return found


class Members(msgspec.Struct, frozen=True):
    """The patients of a Group by their numbers: those who were members before ``_since`` already, and those who joined.

    Without ``_since`` all have been before.
    """

    before: list[int]
    joined: list[int]
    unknown: int = 0
    """Members that are no patients of this record, and no Groups."""

    def numbers(self) -> Numbers:
        """All of them."""
        return Numbers([*self.before, *self.joined])


def members(
    connection: Connection,
    predicate: Predicate,
    group: str,
    since_us: int | None,
    bases: tuple[str, ...],
    zone: tzinfo | None = None,
) -> Members:
    """The active members of a Group, of Groups in it too. Raises NoSuchGroup."""
    now = _patients(connection, predicate, group, None, bases, zone)
    if now is None:
        raise NoSuchGroup("records.bulk-no-group", id=group)
    numbers = find_entities(connection, predicate.tenant, [("Patient", id_) for id_ in sorted(now.patients)])
    by_id = {name[1]: number for name, number in numbers.items()}
    then = set(by_id)
    if since_us is not None:
        before = _patients(connection, predicate, group, since_us, bases, zone)
        then = (before.patients if before is not None else set()) & then
    return Members(
        sorted(by_id[id_] for id_ in then),
        sorted(number for id_, number in by_id.items() if id_ not in then),
        now.others + len(now.patients) - repository.known(connection, predicate, list(by_id.values())),
    )


class _Reference(msgspec.Struct):
    reference: str = ""


class _Period(msgspec.Struct, frozen=True):
    start: str = ""
    end: str = ""


class _Member(msgspec.Struct):
    entity: _Reference = msgspec.field(default_factory=_Reference)
    inactive: bool = False
    period: _Period = _Period()

    def active(self, at_us: int, zone: tzinfo | None) -> bool:
        """Whether one is a member at an instant: not marked as having left, and within the period where one is given."""
        if self.inactive:
            return False
        start, end = self.period.start, self.period.end
        return not (start and read(start, zone)[0] > at_us) and not (end and read(end, zone)[1] <= at_us)


class _Group(msgspec.Struct):
    actual: bool = True
    member: list[_Member] = []


class _Named(msgspec.Struct):
    """Whom a Group names: ids of patients, and how many others."""

    patients: set[str]
    others: int = 0


def _patients(
    connection: Connection,
    predicate: Predicate,
    group: str,
    before_us: int | None,
    bases: tuple[str, ...],
    zone: tzinfo | None,
) -> _Named | None:
    """Who is a member now, or was just before ``before_us``; None where there is (was) no such Group."""
    found = _Named(set())
    at_us = now_us() if before_us is None else before_us
    seen, waiting = {group}, [(group, 0)]
    while waiting:
        id_, depth = waiting.pop()
        body = repository.group_body(connection, predicate, id_, before_us)
        if body is None:
            if id_ == group:
                return None
            found.others += 1
            continue
        for member in msgspec.json.decode(body, type=_Group).member:
            if not member.active(at_us, zone):
                continue
            kind, named = _local(member.entity.reference, bases)
            if kind == "Patient":
                found.patients.add(named)
            elif kind != "Group":
                found.others += 1
            elif named not in seen and depth < DEEPEST:
                seen.add(named)
                waiting.append((named, depth + 1))
    return found


def _local(reference: str, bases: tuple[str, ...]) -> tuple[str, str]:
    """Type and id of a reference to a resource of this record; empty for any other."""
    for base in bases:
        reference = reference.removeprefix(base)
    parts: list[Any] = reference.split("/")
    return (parts[0], parts[1]) if len(parts) in (2, 4) and "" not in parts else ("", "")
