"""Which Subscriptions a version of a resource meets: asked of the record's own search engine, so that it cannot differ.

The engine answers for what is current, and a version may have been superseded by the time it is looked at. So each
version is put alone into an empty record in a temporary file, searched there, and the transaction undone. Criteria with
chains or ``_has`` need the other resources: they are asked of the record itself, as it is now.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from msgspec import structs

from xinglin.kernel.database import DatabaseError, open_database
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.log import logger
from xinglin.records.index.extract import extract
from xinglin.records.prepared import Prepared
from xinglin.records.subscriptions.definition import Definition
from xinglin.standards.fhir.parse import stored as read_stored
from xinglin.standards.fhir.search.conditions import Reader
from xinglin.standards.fhir.search.limits import Limits
from xinglin.standards.fhir.search.query import Condition
from xinglin.standards.fhir.search.values import Site
from xinglin.standards.fhir.temporal import site_zone
from xinglin.trust import local_system

if TYPE_CHECKING:
    from xinglin.records.service import Records
    from xinglin.records.stored import Stored
    from xinglin.records.transaction import Transaction

AT_ONCE = 100


class Matcher:
    """Asks; safe from one thread at a time."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._alone: Records | None = None

    def matches(
        self,
        tenant: int,
        versions: Sequence[Stored],
        definitions: Iterable[Definition],
        failed: dict[tuple[int, str], XinglinError],
    ) -> list[tuple[int, Definition]]:
        """(place among ``versions``, Subscription that it meets), in the order of the versions.

        ``failed`` takes up the Subscriptions, by tenant and id, whose criteria could not be asked.
        """
        found: list[tuple[int, Definition]] = []
        by_type: dict[str, list[Definition]] = {}
        for definition in definitions:
            by_type.setdefault(definition.query.type or "", []).append(definition)
        alone: list[tuple[int, Stored]] = []
        for place, stored in enumerate(versions):
            wanted = by_type.get(stored.type, ())
            found += [(place, d) for d in wanted if not d.query.criteria]
            found += [
                (place, d) for d in wanted if d.related and self._met_in_record(tenant, stored, d, failed)
            ]
            if any(d.query.criteria and not d.related for d in wanted):
                alone.append((place, stored))
        for round_ in _rounds(alone):
            found += self._met_alone(tenant, round_, by_type, failed)
        found.sort(key=lambda pair: pair[0])
        return found

    def close(self) -> None:
        """Remove the temporary record."""
        if self._alone is not None:
            self._alone.close()
            self._alone = None

    def _met_in_record(
        self, tenant: int, stored: Stored, definition: Definition, failed: dict[tuple[int, str], XinglinError]
    ) -> bool:
        if (tenant, definition.id) in failed:
            return False
        query = structs.replace(definition.query, criteria=(*definition.query.criteria, _one([stored.id])))
        try:
            return bool(self._records.search(local_system(tenant), query).entries)
        except DatabaseError:
            raise
        except XinglinError as error:
            failed[tenant, definition.id] = error
            return False

    def _met_alone(
        self,
        tenant: int,
        versions: list[tuple[int, Stored]],
        by_type: dict[str, list[Definition]],
        failed: dict[tuple[int, str], XinglinError],
    ) -> list[tuple[int, Definition]]:
        """``versions`` of different resources, all at once."""
        context = self._records.context(tenant)
        prepared: list[tuple[int, Prepared]] = []
        for place, stored in versions:
            # As it stands in the record, whatever is asked today of what is written: only its index rows are drawn.
            rows = extract(read_stored(stored.body), context)
            prepared.append((place, Prepared(stored.type, stored.id, stored.body, rows)))
        places = {(one.type, one.id): place for place, one in prepared}
        ids: dict[str, list[str]] = {}
        for _, one in prepared:
            ids.setdefault(one.type, []).append(one.id)
        found: list[tuple[int, Definition]] = []

        def work(transaction: Transaction) -> None:
            for _, one in prepared:
                try:
                    transaction.create(one.type, one, one.id)
                except DatabaseError:
                    raise
                except (
                    XinglinError
                ) as error:  # a SearchParameter that came by an import and can define nothing
                    logger("subscriptions").warning("unmatched", id=one.id, kind=type(error).__name__)
            for type_, own in ids.items():
                for definition in by_type[type_]:
                    if definition.query.criteria and not definition.related:
                        try:
                            names = transaction.find(definition.query, most=len(own))
                        except DatabaseError:
                            raise
                        except XinglinError as error:
                            failed[tenant, definition.id] = error
                        else:
                            found.extend((places[name], definition) for name in names)
            raise _Undo

        if self._alone is None:
            from xinglin.records.service import Records

            self._alone = Records(open_database("sqlite://"), self._records.settings)
        with suppress(_Undo):
            self._alone.transact(local_system(), work)
        return found


class _Undo(Exception):
    """Leave nothing behind."""


def _rounds(versions: list[tuple[int, Stored]]) -> list[list[tuple[int, Stored]]]:
    """Parts in which no resource stands twice."""
    found: list[list[tuple[int, Stored]]] = []
    names: set[tuple[str, str]] = set()
    for place, stored in versions:
        name = (stored.type, stored.id)
        # Two SearchParameters of one code would refuse each other: at no time were both there.
        if not found or name in names or len(found[-1]) >= AT_ONCE or stored.type == "SearchParameter":
            found.append([])
            names = set()
        found[-1].append((place, stored))
        names.add(name)
    return found


def _one(ids: list[str]) -> Condition:
    return Reader(None, (), Limits(), Site(site_zone("UTC"), (), 0)).condition("_id", ",".join(ids))
