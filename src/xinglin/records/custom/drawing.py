"""Stale resources → the index rows they lack, and these rows into the tables.

A resource whose rows were drawn by R4's present rules and another set of own parameters (its signature tells which) needs
only the rows of the parameters that came since, and loses those of the ones that went; any other is drawn as a whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from xinglin.kernel.database import Connection, Row
from xinglin.records import repository
from xinglin.records.bodies import decompress
from xinglin.records.custom.model import OwnParameter
from xinglin.records.custom.verification import numbers_of
from xinglin.records.identity import Ledger
from xinglin.records.identity.repository import lock_entities
from xinglin.records.index.own import Own, deduplicated
from xinglin.records.index.rows import IndexContext, IndexRows
from xinglin.records.rows import repository as rows_repository
from xinglin.standards.fhir.temporal import site_zone

_EMPTY: Final = IndexRows()


@dataclass(slots=True)
class Drawn:
    """What one resource gets. ``before``: the signature it has; ``rows`` of the whole (``full``) or of what it lacks."""

    rid: int
    id: str
    version: int
    before: int
    rows: IndexRows
    full: bool
    gone: tuple[int, ...] = ()


class Recipes:
    """How to bring resources of one type from whatever rules to the present ones.

    ``anew``: as a whole, also those that are up to date. ``but``: the signature of those that are left out.
    """

    def __init__(
        self, context: IndexContext, kind: str, parameters: Sequence[OwnParameter], *, anew: bool = False
    ) -> None:
        from xinglin.records.index.signature import index_signature

        self.kind = kind
        self.context = context
        self.zone = site_zone(context.zone)
        own = context.own.get(kind)
        self.signature = self.signature_of(context, kind)
        self.but = -1 if anew else self.signature
        self._numbers = own.numbers if own else frozenset()
        mine = [one for one in parameters if one.parameter.base == kind]
        self._by_number = {one.number: one.parameter for one in mine}
        self._sets: dict[int, frozenset[int]] = {}
        generations = {0, *(g for one in mine for g in (one.added, one.removed) if g)}
        for generation in () if anew else sorted(generations):
            there = tuple(
                one.parameter
                for one in mine
                if one.added <= generation and (one.removed is None or generation < one.removed)
            )
            digest = Own(kind, there).digest
            self._sets[index_signature(kind, context.zone, digest)] = frozenset(one.number for one in there)
        self._lacking: dict[frozenset[int], Own] = {}

    @staticmethod
    def signature_of(context: IndexContext, kind: str) -> int:
        """The present signature of a type's rows."""
        from xinglin.records.index.signature import index_signature

        own = context.own.get(kind)
        return index_signature(kind, context.zone, own.digest if own else "")

    def draw(self, row: Row) -> Drawn:
        """The rows that a resource, a row of `repository.stale`, lacks."""
        rid, version, frame, id_, before = row[:5]
        body = decompress(frame)
        there = self._sets.get(before)
        if there is None:
            from xinglin.records.index.extract import extract
            from xinglin.standards.fhir.parse import stored

            return Drawn(rid, id_, version, before, extract(stored(body), self.context), True)
        gone = tuple(sorted(there - self._numbers))
        return Drawn(rid, id_, version, before, self._of_lacking(self._numbers - there, body), False, gone)

    def _of_lacking(self, lacking: frozenset[int], body: bytes) -> IndexRows:
        if not lacking:
            return _EMPTY
        own = self._lacking.get(lacking)
        if own is None:
            own = Own(self.kind, tuple(self._by_number[number] for number in lacking))
            self._lacking[lacking] = own
        if not own.may_have_rows(body):
            return _EMPTY
        rows = IndexRows(zone=self.context.zone)
        own.append(own.read(body), self.context.bases, self.zone, rows)
        return deduplicated(rows)


def put(
    connection: Connection, ledger: Ledger, tenant: int, recipes: Recipes, drawn: Sequence[Drawn]
) -> tuple[int, int]:
    """Write the rows; of how many resources, and how many of them had none to write.

    Whoever was written since the rows were drawn is left out: its rows are of its own writer's making.
    """
    lock_entities(connection, tenant, sorted((recipes.kind, one.id) for one in drawn))
    current = repository.drawn_by(connection, tenant, [one.rid for one in drawn])
    same = [one for one in drawn if current.get(one.rid, (0, 0, 0))[:2] == (one.version, one.before)]
    full = [one for one in same if one.full]
    if full:
        rows_repository.delete(connection, tenant, [one.rid for one in full])
        batch = rows_repository.resolve(connection, ledger, tenant, [(one.rid, one.rows) for one in full])
        rows_repository.insert(connection, batch)
        patients = dict(zip((one.rid for one in full), batch.patients, strict=True))
    else:
        patients = {}
    lacking = [one for one in same if not one.full and one.rows is not _EMPTY]
    if lacking:
        owners = {one.rid: current[one.rid][2] for one in lacking}
        added = rows_repository.resolve(connection, ledger, tenant, [(one.rid, one.rows) for one in lacking])
        owned(added, owners)
        rows_repository.insert(connection, added)
    going: dict[tuple[int, ...], list[int]] = {}
    for one in same:
        if one.gone:
            going.setdefault(one.gone, []).append(one.rid)
    for numbers, rids in going.items():
        params = [param for number in numbers for param in numbers_of(number)]
        rows_repository.delete_under(connection, tenant, rids, params)
    repository.set_index(
        connection,
        tenant,
        [(recipes.signature, patients.get(one.rid, current[one.rid][2]), one.rid) for one in same],
    )
    return len(same), len(same) - len(full) - len(lacking)


def owned(batch: rows_repository.Batch, patients: dict[int, int]) -> None:
    """Give the rows the owners that their resources have; drawn without R4's parameters, they do not know them."""
    for table, columns in rows_repository.COLUMNS.items():
        if table == "resource_patient" or "patient" not in columns:
            continue
        place = columns.index("patient")
        rows: list[tuple[Any, ...]] = batch.tables[table]
        batch.tables[table] = [(*row[:place], patients[row[0]], *row[place + 1 :]) for row in rows]
