"""Reading, searching and charting the record as of an instant. Every call takes an Actor, as `Records` does."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final, Generic, NamedTuple, TypeVar
from weakref import WeakKeyDictionary

from msgspec import structs

from xinglin.kernel.clock import now_us
from xinglin.records import repository as records_repository
from xinglin.records.errors import BadCursor, NotFound
from xinglin.records.identity.repository import find_entities
from xinglin.records.past import repository
from xinglin.records.past.errors import GoneThen, NotYet
from xinglin.records.past.instants import AsOf, shown
from xinglin.records.past.questions import compartment_types, needs
from xinglin.records.past.validity import Validity, validity
from xinglin.records.past.world import World
from xinglin.records.stored import Stored
from xinglin.trust import Actor, Predicate, scope

if TYPE_CHECKING:
    from xinglin.records.search import Page
    from xinglin.records.service import Records
    from xinglin.standards.fhir.search.query import Query

KEPT_S: Final = 60.0
"""How long what was looked up is kept for further pages; then it is looked up again."""
KEPT_RESOURCES: Final = 40_000
SETTLED_US: Final = 60_000_000
"""On PostgreSQL a commit may become visible some time after its instant; a past as old as this is complete."""
FAR: Final = 10_000
"""A chart of more resources than this is not kept between its pages with their validity, but looked up for each."""

Key = tuple[Any, ...]
T = TypeVar("T")


class Member(NamedTuple):
    """One resource of a chart: its number, the version, and when what it tells of was so."""

    rid: int
    version: int
    type: str
    id: str
    span: Validity | None


class ChartPage(NamedTuple):
    """A page of a chart, and the number to go on behind (None: this is the last)."""

    entries: list[Stored]
    next: int | None


class Range(NamedTuple):
    """Of a chart, only what was going on between two instants, in µs, both included; None: open."""

    low_us: int | None = None
    high_us: int | None = None

    def holds(self, span: Validity | None) -> bool:
        """Whether some of ``span`` lies in it; what has no time of its own always does."""
        if span is None:
            return True
        late = self.high_us is not None and span.low_us > self.high_us
        early = self.low_us is not None and span.high_us <= self.low_us
        return not (late or early)


class Past:
    """The time machine of one open record. Safe from any thread."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._worlds: _Kept[World] = _Kept(lambda world: world.size)
        self._charts: _Kept[list[Member]] = _Kept(len)

    def read(self, actor: Actor, kind: str, id_: str, at: AsOf) -> Stored:
        """The version that was current. Raises NotFound (never there), NotYet, GoneThen."""
        found = self._read(scope(actor, "read", kind), [(kind, id_)], at)
        if not found:
            self._never(actor, kind, id_)
            raise NotYet("records.past-not-yet", type=kind, id=id_, at=self._shown(actor, at.known_us))
        stored, live = found[0]
        if not live:
            raise GoneThen("records.past-gone", type=kind, id=id_, at=self._shown(actor, at.known_us))
        if not self.begun(actor, stored, at):
            raise NotYet("records.past-not-begun", type=kind, id=id_, at=self._shown(actor, at.valid_us))
        return stored

    def read_all(self, actor: Actor, names: Iterable[tuple[str, str]], at: AsOf) -> list[Stored]:
        """Those of ``names`` that were there and had begun, in no particular order."""
        found = self._read(scope(actor, "read"), list(names), at)
        return [stored for stored, live in found if live and self.begun(actor, stored, at)]

    def span(self, actor: Actor, stored: Stored) -> Validity | None:
        """When what a version tells of was so; see `validity`."""
        return validity(stored.type, stored.body, self._records.zone(actor.tenant))

    def begun(self, actor: Actor, stored: Stored, at: AsOf) -> bool:
        """Whether it had begun at the valid time asked about; what has no date always had."""
        if at.valid_us is None:
            return True
        span = self.span(actor, stored)
        return span is None or span.low_us <= at.valid_us

    def search(self, actor: Actor, query: Query, at: AsOf) -> Page:
        """A page of what a search within one patient would have found. Raises NoSuchPast, BadCursor."""
        predicate = scope(actor, "search", query.type)
        wanted = needs(query)
        key = (predicate, wanted, at, repr(self._records.context(actor.tenant)), self._place(at))
        world = self._worlds.get(key, lambda: World(self._records, predicate, wanted, at))
        # Pages of one past are no pages of another, nor of the present.
        return world.page(structs.replace(query, pairs=(*query.pairs, *at.pairs())))

    def chart(
        self,
        actor: Actor,
        patient: str,
        at: AsOf,
        *,
        types: tuple[str, ...] = (),
        since_us: int | None = None,
        within: Range | None = None,
        count: int = 20,
        after: int | None = None,
    ) -> ChartPage:
        """A page of everything in a patient's compartment, in the order in which it first came into the record.

        ``types``: only these. ``since_us``: only versions written then or later. ``within``: only what was going on
        in it. ``after``: the last page's ``next``. With an `AsOf` without known time: the chart as it is.
        """
        predicate = scope(actor, "search")
        kinds = tuple(sorted(set(types or compartment_types()) & set(compartment_types())))
        zone = self._records.zone(actor.tenant)
        key = (predicate, patient, at, kinds, since_us, within, zone, self._place(at))

        def looked_up() -> list[Member]:
            return self._members(predicate, patient, at, kinds, since_us, within, zone)

        members = self._charts.get(key, looked_up) if kinds else []
        start = 0
        if after is not None:
            start = next((place for place, one in enumerate(members) if one.rid > after), len(members))
        page = members[start : start + count]
        more = start + count < len(members)
        return ChartPage(self._bodies(predicate, page, at), page[-1].rid if page and more else None)

    def _members(
        self,
        predicate: Predicate,
        patient: str,
        at: AsOf,
        kinds: tuple[str, ...],
        since_us: int | None,
        within: Range | None,
        zone: str,
    ) -> list[Member]:
        dated = at.valid_us is not None or within is not None
        with self._records.database.read() as connection:
            number = find_entities(connection, predicate.tenant, [("Patient", patient)]).get(
                ("Patient", patient)
            )
            if number is None:
                return []
            found = repository.of_patient(connection, predicate, number, kinds, at.known_us, bodies=dated)
        members = []
        for then in found:
            if since_us is not None and then.updated_us < since_us:
                continue
            span = validity(then.type, then.stored().body, zone) if dated else None
            if at.valid_us is not None and span is not None and span.low_us > at.valid_us:
                continue
            if within is not None and not within.holds(span):
                continue
            members.append(Member(then.rid, then.version, then.type, then.id, span))
        return members

    def _bodies(self, predicate: Predicate, members: list[Member], at: AsOf) -> list[Stored]:
        if not members:
            return []
        with self._records.database.read() as connection:
            found = repository.of_numbers(connection, predicate, [one.rid for one in members], at.known_us)
            by_number = {then.rid: then for then in found if then.live}
        # What was deleted between two pages of the present is left out.
        return [by_number[one.rid].stored() for one in members if one.rid in by_number]

    def _read(
        self, predicate: Predicate, names: list[tuple[str, str]], at: AsOf
    ) -> list[tuple[Stored, bool]]:
        with self._records.database.read() as connection:
            known = find_entities(connection, predicate.tenant, names)
            found = repository.of_numbers(connection, predicate, sorted(known.values()), at.known_us)
            return [(then.stored(), then.live) for then in found]

    def _shown(self, actor: Actor, at_us: int | None) -> str:
        return shown(at_us or 0, self._records.zone(actor.tenant))

    def _never(self, actor: Actor, kind: str, id_: str) -> None:
        """Raises NotFound for a resource that never was."""
        with self._records.database.read() as connection:
            there = records_repository.read(connection, scope(actor, "read", kind), kind, id_)
        if there is None:
            raise NotFound("records.not-found", type=kind, id=id_)

    def _place(self, at: AsOf) -> int | None:
        """Up to which commit an answer holds; None for ever."""
        if at.known_us is not None and at.known_us < now_us() - SETTLED_US:
            return None
        with self._records.database.read(snapshot=False) as connection:
            return records_repository.last_position(connection)


class _Kept(Generic[T]):
    """The last few things looked up, for a minute, bounded by how many resources they hold in all."""

    def __init__(self, size: Callable[[T], int]) -> None:
        self._size = size
        self._found: OrderedDict[Key, tuple[float, T]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Key, make: Callable[[], T]) -> T:
        present = time.monotonic()
        with self._lock:
            held = self._found.get(key)
            if held is not None and held[0] > present:
                self._found.move_to_end(key)
                return held[1]
        made = make()
        with self._lock:
            self._found[key] = (present + KEPT_S, made)
            self._found.move_to_end(key)
            for old in [name for name, (until, _) in self._found.items() if until <= present]:
                del self._found[old]
            while len(self._found) > 1 and self._total() > KEPT_RESOURCES:
                self._found.popitem(last=False)
        return made

    def _total(self) -> int:
        return sum(self._size(one) + 100 for _, one in self._found.values())


_open: WeakKeyDictionary[Records, Past] = WeakKeyDictionary()
_opening = threading.Lock()


def past_of(records: Records) -> Past:
    """See `xinglin.records.past`."""
    with _opening:
        found = _open.get(records)
        if found is None:
            found = _open[records] = Past(records)
        return found


__all__ = ["BadCursor", "ChartPage", "Past", "Range", "past_of"]
