"""The one instant of an export, as a place in the order of commits, and which versions belong to it.

Everything is read in short transactions, a thousand resources or so each, while others write. What makes the whole of one
instant is that the version of each resource as of a position never changes, nor does the key ``(updated_us, rid)`` of that
version: a walk along those keys meets every resource once, whether that version is still the current one or by now in
history.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from xinglin.kernel.database import Connection
    from xinglin.trust import Predicate

CHUNK: Final = 1000
Key = tuple[int, int]
FIRST: Final[Key] = (-1, -1)


@dataclass(frozen=True, slots=True)
class Moment:
    """All commits up to ``position``; ``at_us`` is the youngest of their instants.

    Whoever asks later for what has changed since ``at_us`` gets everything behind ``position``, whatever clocks say: see
    `Since`.
    """

    position: int
    at_us: int


@dataclass(frozen=True, slots=True)
class Since:
    """What was committed at ``position`` or behind it; none of it has an instant before ``low_us``.

    It begins with the first commit whose instant is the one asked for or later. On PostgreSQL several processes write at
    once, and a commit may carry an instant a little before that of the commit in front of it: going by positions loses
    none of these, and gives a few twice.
    """

    position: int
    low_us: int


class Row(NamedTuple):
    """A version as of the moment; ``patient``: rid of its owner, 0 nobody, -1 several; ``body`` compressed."""

    updated_us: int
    rid: int
    id: str
    version: int
    patient: int
    body: bytes | None

    @property
    def key(self) -> Key:
        """Its place in the walk."""
        return self.updated_us, self.rid


@dataclass(frozen=True, slots=True)
class Walk:
    """Versions of one type as of a moment, deletions or live ones, in the order of their keys."""

    kind: str
    moment: Moment
    since: Since | None = None
    until_us: int | None = None
    deleted: bool = False
    owned: bool = False
    """Only what is in some patient's compartment."""

    def chunk(self, connection: Connection, predicate: Predicate, after: Key) -> tuple[list[Row], Key | None]:
        """The next versions behind ``after`` and the key to go on from, None at the end; in one snapshot."""
        from xinglin.records.bulk import repository

        current = repository.current(connection, predicate, self, after, CHUNK)
        past: list[Row] = []
        if repository.moved(connection, self.moment):
            past = repository.superseded(connection, predicate, self, after, CHUNK)
        ends = [rows[-1].key for rows in (current, past) if len(rows) == CHUNK]
        if not ends:
            return [*current, *past], None
        end = min(ends)
        return [row for rows in (current, past) for row in rows if row.key <= end], end
