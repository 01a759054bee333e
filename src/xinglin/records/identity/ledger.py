"""What the writer knows between transactions: the next numbers, and which names have theirs already.

It is told of every transaction (`kernel.database.Journal`), so what a rolled-back unit was given is taken back. Caches
are bounded: where one is full it begins anew, and the database has the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from xinglin.kernel.clock import now_us
from xinglin.kernel.database import Connection
from xinglin.records.clip import clip_code, clip_text
from xinglin.records.identity import repository
from xinglin.records.identity.repository import RID_BLOCK, TERM_BLOCK, Name, Term

CACHE_MOST: Final = 60_000
_MILLISECOND_US: Final = 1000


class Ledger:
    """Gives out rids, term values, transactions and instants; one for each open database, used by its writer only.

    ``fold`` makes the form of a code or text that search compares without case and accents.
    """

    def __init__(self, fold: Callable[[str], str]) -> None:
        self._fold = fold
        self.followed: dict[str, Callable[[Connection, int, Any], None]] = {}
        """By resource type, who takes note of each version written, in its own transaction."""
        self._entities: dict[int, dict[Name, int]] = {}  # by tenant
        self._terms: dict[int, dict[Term, int]] = {}
        self._last: dict[str, int] = {}  # SQLite: last number given of each kind
        self._blocks = {"rid": (0, 0), "term": (0, 0)}  # PostgreSQL: next number, end of the block
        self._saved: dict[str, int] = {}
        self._commits: list[tuple[int, int, int]] = []
        self._at_us = 0
        self._last_us = 0
        self._unit_tx: tuple[int, int] | None = None
        self._unit_last: dict[str, int] = {}
        self._new_entities: list[tuple[int, Name]] = []
        self._new_terms: list[tuple[int, Term]] = []
        self._unit_marks = (0, 0)

    # What the writer tells (kernel.database.Journal)

    def begin(self, connection: Connection, changed: bool) -> None:
        if changed:
            self._last_us = max(self._last_us, repository.last_commit_us(connection))
            if connection.dialect == "sqlite":
                self._last = repository.counters(connection)
                self._saved = dict(self._last)
        # To the millisecond, as meta.lastUpdated has it: what a client reads there finds the resource again.
        self._at_us = max(now_us() // _MILLISECOND_US * _MILLISECOND_US, self._last_us)

    def unit_begin(self) -> None:
        self._unit_tx = None
        self._unit_last = dict(self._last)
        self._unit_marks = (len(self._new_entities), len(self._new_terms))

    def unit_end(self, connection: Connection) -> None:
        if self._unit_tx is not None:
            tx, tenant = self._unit_tx
            self._commits.append((tx, self._at_us, tenant))
        self._unit_tx = None

    def unit_undone(self) -> None:
        self._last = self._unit_last
        self._forget(*self._unit_marks)
        self._unit_tx = None

    def before_commit(self, connection: Connection) -> None:
        if self._commits:
            repository.append_commits(connection, self._commits)
        if self._last != self._saved:
            repository.save_counters(connection, self._last)

    def committed(self) -> None:
        if self._commits:
            self._last_us = self._at_us
        self._saved = dict(self._last)
        self._clear()

    def undone(self) -> None:
        # The server may have crashed and forgotten what no commit made it remember: numbers of a sequence too.
        self._last = dict(self._saved)
        self._blocks = {"rid": (0, 0), "term": (0, 0)}
        self._clear()
        self._entities.clear()
        self._terms.clear()

    def _clear(self) -> None:
        self._commits = []
        self._new_entities = []
        self._new_terms = []
        for caches in (self._entities, self._terms):
            if sum(map(len, caches.values())) > CACHE_MOST:
                caches.clear()

    def _forget(self, entities: int, terms: int) -> None:
        for tenant, name in self._new_entities[entities:]:
            self._entities[tenant].pop(name, None)
        for tenant, term in self._new_terms[terms:]:
            self._terms[tenant].pop(term, None)
        del self._new_entities[entities:]
        del self._new_terms[terms:]

    # What a unit of work asks

    def transaction(self, connection: Connection, tenant: int) -> tuple[int, int]:
        """The number and the instant (µs) of the unit now running; the same ones however often it asks."""
        if self._unit_tx is None:
            if connection.dialect == "sqlite":
                tx = self._last["tx"] = self._last["tx"] + 1
            else:
                tx = repository.next_block(connection, "tx_block", 1)
            self._unit_tx = (tx, tenant)
        return self._unit_tx[0], self._at_us

    def entities(self, connection: Connection, tenant: int, names: Iterable[Name]) -> Mapping[Name, int]:
        """A mapping with, among others, the rid of each ``(type, id)``; those that have none get theirs now."""
        known = self._entities.setdefault(tenant, {})
        unknown = {name for name in names if name not in known}
        if not unknown:
            return known
        clipped = {name: (name[0], clip_code(name[1])) for name in unknown}
        wanted = list(dict.fromkeys(clipped.values()))
        found = repository.find_entities(connection, tenant, wanted)
        named = [(name, self._number(connection, "rid")) for name in wanted if name not in found]
        if named:
            found |= repository.add_entities(connection, tenant, named)
            self._new_entities.extend((tenant, name) for name in unknown)
        for name, stored in clipped.items():
            known[name] = found[stored]
        return known

    def is_new(self, connection: Connection, rid: int) -> bool:
        """Whether ``rid`` was given by the unit now running, which has written nothing: no resource can have it yet."""
        return connection.dialect == "sqlite" and self._unit_tx is None and rid > self._unit_last["rid"]

    def terms(self, connection: Connection, tenant: int, terms: Iterable[Term]) -> Mapping[Term, int]:
        """A mapping with, among others, the value of each ``(system, code, text)``; those without get theirs now."""
        known = self._terms.setdefault(tenant, {})
        unknown = {term for term in terms if term not in known}
        if not unknown:
            return known
        clipped = {term: (clip_code(term[0]), clip_code(term[1]), clip_text(term[2])) for term in unknown}
        wanted = list(dict.fromkeys(clipped.values()))
        found = repository.find_terms(connection, tenant, wanted)
        fold = self._fold
        rows = [
            (self._number(connection, "term"), *term, clip_code(fold(term[1])), clip_text(fold(term[2])))
            for term in wanted
            if term not in found
        ]
        if rows:
            found |= repository.add_terms(connection, tenant, rows)
            self._new_terms.extend((tenant, term) for term in unknown)
        for term, stored in clipped.items():
            known[term] = found[stored]
        return known

    def _number(self, connection: Connection, kind: str) -> int:
        if connection.dialect == "sqlite":
            number = self._last[kind] = self._last[kind] + 1
            return number
        number, end = self._blocks[kind]
        if number >= end:
            size = RID_BLOCK if kind == "rid" else TERM_BLOCK
            number = repository.next_block(connection, f"{kind}_block", size)
            end = number + size
        self._blocks[kind] = (number + 1, end)
        return number
