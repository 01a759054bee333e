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
from xinglin.records.identity import Ledger
from xinglin.records.identity.repository import find_entities
from xinglin.records.index.rows import IndexRows
from xinglin.records.past import repository
from xinglin.records.past.instants import AsOf
from xinglin.records.past.questions import ANY, Needs
from xinglin.records.past.repository import Then
from xinglin.records.past.validity import validity
from xinglin.records.rows import repository as rows_repository
from xinglin.trust import Predicate

if TYPE_CHECKING:
    from xinglin.records.search import Page
    from xinglin.records.service import Records
    from xinglin.standards.fhir.search.query import Query

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
        named = self._take(connection, members)
        for _ in range(needs.rounds):
            rids = sorted(
                rid
                for (kind, _), rid in named.items()
                if rid not in self._there and (kind in needs.followed or ANY in needs.followed) and kind
            )
            if not rids:
                break
            found = repository.of_numbers(connection, self._predicate, rids, self._at.known_us)
            named = self._take(connection, [then for then in found if then.live])
        if needs.words:
            self._put_words()

    def _take(self, connection: Connection, thens: Sequence[Then]) -> dict[tuple[str, str], int]:
        """Put versions in; the numbers of what they refer to."""
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
        return known

    def _put_words(self) -> None:
        from xinglin.records.fulltext import repository as fulltext
        from xinglin.records.fulltext.words import words

        tenant = self._predicate.tenant
        bodies = fulltext.live_bodies(self._connection, dict.fromkeys(self._there, tenant))
        fulltext.replace(self._connection, {}, [(rid, tenant, *words(body)) for rid, _, body in bodies])


def _clipped(names: set[tuple[str, str]]) -> set[tuple[str, str]]:
    from xinglin.records.clip import clip_code

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
