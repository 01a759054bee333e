"""A patient's record of the past as a small search index in memory, searched by the same engine as the present.

It holds the versions that were current at the instant, with the index rows that today's rules give them, under the numbers
that their resources have in the record: so the engine finds, counts, sorts and pages as it would have done then.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from xinglin.kernel.database import Connection
from xinglin.records import repository as records_repository
from xinglin.records.bodies import decompress
from xinglin.records.clip import clip_code
from xinglin.records.identity import Ledger
from xinglin.records.identity.repository import find_entities
from xinglin.records.index.rows import IndexRows
from xinglin.records.past import repository
from xinglin.records.past.errors import NoSuchPast
from xinglin.records.past.instants import AsOf
from xinglin.records.past.questions import ANY, Hop, Needs
from xinglin.records.past.repository import Then
from xinglin.records.past.validity import validity
from xinglin.records.rows import repository as rows_repository
from xinglin.trust import Predicate

if TYPE_CHECKING:
    from xinglin.records.search import Page
    from xinglin.records.service import Records
    from xinglin.standards.fhir.search.query import Query

MOST: Final = 20_000
"""Resources that a reverse chain or `_revinclude` may look through."""
_PRIVATE: Final = 2**61
"""Numbers from here on are given to names that today's rules draw from an old body, and that the record never had."""


class World:
    """Good for one patient and one instant; safe from any thread, one search at a time."""

    def __init__(self, records: Records, predicate: Predicate, needs: Needs, at: AsOf) -> None:
        from xinglin.records.search import Bounds, Search

        self._records = records
        self._predicate = predicate
        self._at = at
        self._zone = records.zone(predicate.tenant)
        self._lock = threading.Lock()
        self._connection = _empty()
        self._there: set[int] = set()
        self._refers: dict[int, set[tuple[str, int]]] = {}
        settings = records.settings
        bounds = Bounds(included=settings.include_limit, time_s=settings.search_time_limit_s)
        self._search = Search(records.cursors, bounds)
        self._ledger = _ledger(self._connection)
        with records.database.read() as connection:
            self._fill(connection, needs)

    @property
    def size(self) -> int:
        """How many resources it holds."""
        return len(self._there)

    def page(self, query: Query) -> Page:
        """What the record would have answered."""
        with self._lock:
            return self._search.page(self._connection, self._predicate, query)

    def _fill(self, connection: Connection, needs: Needs) -> None:
        tenant = self._predicate.tenant
        patient = find_entities(connection, tenant, [("Patient", needs.patient)]).get(
            ("Patient", needs.patient)
        )
        if patient is None:
            return
        members = repository.of_patient(connection, self._predicate, patient, needs.types, self._at.known_us)
        self._take(connection, members)
        own = {then.rid for then in members if then.rid in self._there}
        for path in needs.paths:
            near = own
            for hop in path:
                near = self._go(connection, hop, near)
        reached = set(own)
        for _ in range(needs.rounds):
            new = set().union(*(self._go(connection, hop, reached) for hop in needs.brought)) - reached
            if not new:
                break
            reached |= new
        if needs.words:
            self._put_words()

    def _go(self, connection: Connection, hop: Hop, near: set[int]) -> set[int]:
        """Where ``hop`` leads from the resources ``near``: their numbers; what is not there yet is put in."""
        at_us = self._at.known_us if self._at.known_us is not None else repository.FOREVER
        if hop.forward:
            far = {
                rid
                for one in near
                for kind, rid in self._refers.get(one, ())
                if kind and (kind in hop.types or ANY in hop.types)
            }
        else:
            found = repository.referring(
                connection, self._predicate, sorted(near), sorted(hop.types), hop.param, at_us, MOST + 1
            )
            if len(found) > MOST:
                raise NoSuchPast("records.past-too-much", most=MOST)
            far = set(found)
        missing = sorted(far - self._there)
        thens = (
            repository.of_numbers(connection, self._predicate, missing, self._at.known_us) if missing else ()
        )
        self._take(connection, [then for then in thens if then.live])
        return far & self._there

    def _take(self, connection: Connection, thens: Sequence[Then]) -> None:
        """Put versions in, but for what had not begun at the valid time."""
        from xinglin.records.index.extract import extract
        from xinglin.standards.fhir.parse import parse

        context = self._records.context(self._predicate.tenant)
        drawn: list[tuple[Then, IndexRows]] = []
        for then in thens:
            if then.body is None or then.rid in self._there:
                continue
            body = decompress(then.body)
            if self._at.valid_us is not None:
                span = validity(then.type, body, self._zone)
                if span is not None and span.low_us > self._at.valid_us:
                    continue
            self._there.add(then.rid)
            drawn.append((then, extract(parse(body), context)))
        tenant = self._predicate.tenant
        names = {row[1:] for _, rows in drawn for row in rows.references}
        names |= {("Patient", id_) for _, rows in drawn for id_ in rows.patients}
        names |= {pair[1] for _, rows in drawn for pair in rows.pairs if len(pair[1]) == 2}
        known = find_entities(connection, tenant, sorted(_clipped(names)))
        own = [(then.type, then.id, then.rid) for then, _ in drawn]
        memory = self._connection
        repository.add_entities(memory, tenant, [*((*name, rid) for name, rid in known.items()), *own])
        batch = rows_repository.resolve(
            memory, self._ledger, tenant, [(then.rid, rows) for then, rows in drawn]
        )
        records_repository.insert(
            memory,
            [
                (then.rid, tenant, then.type, then.id, then.version, 0, then.updated_us, 0, then.method, patient, 0,
                 then.body)
                for (then, _), patient in zip(drawn, batch.patients, strict=True)
            ],
        )  # fmt: skip
        rows_repository.insert(memory, batch)
        for then, rows in drawn:
            self._refers[then.rid] = {
                (kind, known[name])
                for _, kind, id_ in rows.references
                if (name := (kind, clip_code(id_))) in known
            }

    def _put_words(self) -> None:
        from xinglin.records.fulltext import repository as fulltext
        from xinglin.records.fulltext.words import words

        tenant = self._predicate.tenant
        bodies = fulltext.live_bodies(self._connection, dict.fromkeys(self._there, tenant))
        fulltext.replace(self._connection, {}, [(rid, tenant, *words(body)) for rid, _, body in bodies])


def _clipped(names: set[tuple[str, str]]) -> set[tuple[str, str]]:
    return {(kind, clip_code(id_)) for kind, id_ in names}


def _empty() -> Any:
    """An empty record in memory: the same tables as on disk."""
    from xinglin.kernel.database.sqlite import SqliteConnection
    from xinglin.records.schema import make_search_tables

    connection = SqliteConnection(
        ":memory:", isolation_level=None, check_same_thread=False, cached_statements=400
    )
    connection.execute("PRAGMA cipher_log_level = NONE")
    connection.execute("PRAGMA temp_store = MEMORY")
    make_search_tables(connection)
    repository.begin_numbers_at(connection, _PRIVATE)
    return connection


def _ledger(connection: Any) -> Ledger:
    from xinglin.standards.han import fold

    ledger = Ledger(fold)
    ledger.begin(connection, changed=True)
    ledger.unit_begin()
    return ledger
