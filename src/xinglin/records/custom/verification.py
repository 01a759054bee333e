"""Comparing the index rows that are there with those that the resources' content gives now.

Each comparison reads bodies and rows in one snapshot, so that writes beside it make no difference. Nothing is taken on trust
from the run that made the rows: bodies are read as a whole and drawn anew, without the short cuts of `drawing`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from xinglin.kernel.clock import now_us
from xinglin.kernel.database import Connection, Row
from xinglin.records import repository
from xinglin.records.bodies import decompress
from xinglin.records.clip import clip_code, clip_text
from xinglin.records.custom import repository as own_repository
from xinglin.records.identity.repository import Name, Term, find_entities, find_terms
from xinglin.records.index.own import Own, deduplicated
from xinglin.records.index.rows import IDENTIFIER, OF_TYPE, IndexContext, IndexRows
from xinglin.records.rows import repository as rows_repository
from xinglin.standards.fhir.temporal import site_zone

if TYPE_CHECKING:
    from xinglin.records.custom.model import OwnParameter
    from xinglin.records.service import Records

BATCH: Final = 500
WRONG_MOST: Final = 10_000


@dataclass(slots=True)
class Proof:
    """Of one type and one own parameter, or all of the type's rows.

    ``resources`` live ones there were as it began; ``checked`` of these were compared as they were, ``different`` (of all
    that were compared, those written meanwhile among them) have other rows than they should; ``stale`` still have other
    rules'. ``rows`` under the parameter, of ``with_rows`` resources. ``wrong``: rids of the different.
    """

    resources: int = 0
    checked: int = 0
    different: int = 0
    stale: int = 0
    rows: int = 0
    with_rows: int = 0
    wrong: list[int] = field(default_factory=list)

    def report(self) -> dict[str, int]:
        """As a job keeps it."""
        return {
            "resources": self.resources, "checked": self.checked, "different": self.different, "stale": self.stale,
            "rows": self.rows, "with_rows": self.with_rows, "at_us": now_us(),
        }  # fmt: skip


class Looking:
    """The numbers of names, as the Ledger gives them, but none to those that have none: -1."""

    def terms(self, connection: Connection, tenant: int, terms: Iterable[Term]) -> Mapping[Term, int]:
        """See Ledger."""
        clipped = {term: (clip_code(term[0]), clip_code(term[1]), clip_text(term[2])) for term in terms}
        found = find_terms(connection, tenant, list(dict.fromkeys(clipped.values())))
        return {term: found.get(stored, -1) for term, stored in clipped.items()}

    def entities(self, connection: Connection, tenant: int, names: Iterable[Name]) -> Mapping[Name, int]:
        """See Ledger."""
        clipped = {name: (name[0], clip_code(name[1])) for name in names}
        found = find_entities(connection, tenant, list(dict.fromkeys(clipped.values())))
        return {name: found.get(stored, -1) for name, stored in clipped.items()}


def numbers_of(number: int) -> tuple[int, int, int]:
    """The parameter numbers that rows of an own parameter stand under."""
    return number, number + IDENTIFIER, number + OF_TYPE


def verify(
    records: Records,
    tenant: int,
    kind: str,
    one: OwnParameter | None,
    most: int,
    step: Callable[[int, int], None] = lambda done, of: None,
) -> Proof:
    """Compare the rows of live resources of a type: all of them, or about ``most`` chosen evenly.

    ``one``: only the rows under this parameter; None: all rows. ``step`` is told how far it is.
    """
    from xinglin.records.custom.drawing import Recipes

    proof, after = Proof(), (-1, 0)
    context = records.context(tenant)
    signature = Recipes.signature_of(context, kind)
    own = None if one is None else Own(kind, (one.parameter,))
    params = None if one is None else numbers_of(one.number)
    with records.database.read() as connection:
        proof.resources = repository.count_live(connection, tenant, kind)
        newest_us = own_repository.newest_us(connection, tenant, kind)
        proof.stale = repository.count_stale(connection, tenant, kind, signature)
        if params is not None:
            proof.rows, proof.with_rows = rows_repository.count_under(connection, tenant, params)
    every = max(1, -(-proof.resources // max(1, most)))
    while True:
        step(proof.checked, min(proof.resources, most))
        with records.database.read() as connection:
            batch = repository.sampled(connection, tenant, kind, every, after, BATCH)
            if not batch:
                return proof
            after = (batch[-1][4], batch[-1][0])
            # What another process wrote by older rules is counted as stale, and not compared.
            compared = [row for row in batch if row[2] == signature]
            wrong = _different(connection, tenant, compared, context, own, params)
        proof.checked += sum(row[4] <= newest_us for row in compared)  # what is written again comes once more
        proof.different += len(wrong)
        proof.wrong = [*proof.wrong, *wrong][:WRONG_MOST]


def verify_gone(records: Records, tenant: int, one: OwnParameter, most: int) -> list[int]:
    """Resources that still have rows under a parameter that is no longer."""
    with records.database.read() as connection:
        return rows_repository.rids_under(connection, tenant, numbers_of(one.number), most)


def _different(
    connection: Connection,
    tenant: int,
    batch: Sequence[Row],
    context: IndexContext,
    own: Own | None,
    params: tuple[int, ...] | None,
) -> list[int]:
    """rids of those whose rows are not what they should be."""
    from xinglin.records.index.extract import extract
    from xinglin.standards.fhir.parse import stored

    if not batch:
        return []
    zone = site_zone(context.zone)
    drawn: list[tuple[int, IndexRows]] = []
    for rid, frame, *_ in batch:
        resource = stored(decompress(frame))
        if own is None:
            drawn.append((rid, extract(resource, context)))
        else:
            rows = IndexRows()
            own.append(resource, context.bases, zone, rows)
            drawn.append((rid, deduplicated(rows)))
    expected = rows_repository.resolve(connection, Looking(), tenant, drawn)
    patients = {row[0]: row[3] for row in batch}
    if own is not None:
        from xinglin.records.custom.drawing import owned

        owned(expected, patients)
        wrong: set[int] = set()
    else:
        given = zip((rid for rid, _ in drawn), expected.patients, strict=True)
        wrong = {rid for rid, patient in given if patients[rid] != patient}
    there = rows_repository.under(connection, tenant, list(patients), params)
    for table in rows_repository.PARAM_TABLES:
        wrong |= {row[0] for row in _set(table, expected.tables[table]) ^ _set(table, there[table])}
    return sorted(wrong)


def _set(table: str, rows: Sequence[tuple[Any, ...]]) -> set[tuple[Any, ...]]:
    if table != "ix_pair":
        return {tuple(row) for row in rows}
    return {
        (*row[:4], float(row[4]), float(row[5]), *row[6:]) for row in rows
    }  # a date as the column keeps it
