"""History of one resource, of a type, or of everything, newest first, in pages.

Source: HL7 FHIR R4, http.html#history (§3.1.0.12).
"""

from __future__ import annotations

from dataclasses import dataclass

from xinglin.kernel.database import Connection
from xinglin.records import repository
from xinglin.records.cursors import Cursors
from xinglin.records.errors import NotFound
from xinglin.records.repository import Span
from xinglin.records.stored import HistoryPage
from xinglin.trust import Predicate

PAGE = 20
PAGE_MOST = 1000


@dataclass(frozen=True, slots=True)
class HistoryQuery:
    """Which versions to list.

    ``type`` None: all types; ``id`` None: all resources of the type. ``since_us``: only versions written then or later.
    ``at_us``: only versions current at some time within ``[low, high)``; both µs since 1970-01-01T00:00:00Z.
    ``count``: entries of a page. ``cursor``: of the page before.
    """

    type: str | None = None
    id: str | None = None
    since_us: int | None = None
    at_us: tuple[int, int] | None = None
    count: int = PAGE
    cursor: str | None = None

    def scope(self, tenant: int) -> str:
        """What a cursor of this question is good for: the question itself, but not the size of its pages."""
        return f"history|{tenant}|{self.type}|{self.id}|{self.since_us}|{self.at_us}"


def history_page(
    connection: Connection, predicate: Predicate, query: HistoryQuery, cursors: Cursors
) -> HistoryPage:
    """One page; ``total`` is counted for a single resource only. Raises NotFound, BadCursor."""
    scope = query.scope(predicate.tenant)
    after = None
    if query.cursor is not None:
        first, rid, version = cursors.open(query.cursor, scope)
        after = (int(first), int(rid), int(version))
    number = None
    if query.id is not None:
        assert query.type is not None
        number = repository.rid_of(connection, predicate.tenant, query.type, query.id)
        if number is None or repository.read(connection, predicate, query.type, query.id) is None:
            raise NotFound("records.not-found", type=query.type, id=query.id)
    low_us, high_us = query.at_us or (None, None)
    span = Span(query.type, number, query.since_us, low_us, high_us, after)
    count = min(query.count, PAGE_MOST)
    found = repository.versions(connection, predicate, span, count + 1) if count > 0 else []
    following = cursors.seal(list(found[count - 1][0]), scope) if len(found) > count else None
    total = None
    if number is not None and query.since_us is None and query.at_us is None:
        total = repository.count_versions(connection, predicate, number)
    return HistoryPage(tuple(stored for _, stored in found[:count]), following, total)
