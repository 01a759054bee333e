"""search-type, search-system and compartment search: a Query's page as a searchset, joined from the bodies' own bytes.

Source: HL7 FHIR R4, http.html §3.1.0.9, search.html, bundle.html#searchset.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from xinglin.kernel.clock import now
from xinglin.records.rest.bundles import bundle_bytes
from xinglin.records.rest.conditional import instant_text
from xinglin.records.rest.edge import PRIVATE, Edge, json_answer
from xinglin.records.rest.exchange import Answer, Request
from xinglin.records.rest.links import page_links
from xinglin.records.rest.outcome import Issue, outcome
from xinglin.records.rest.shape import cut
from xinglin.standards.fhir.search.query import Compartment, Query

if TYPE_CHECKING:
    from xinglin.records.search import Page


def search(
    edge: Edge,
    request: Request,
    type_: str | None,
    compartment: Compartment | None = None,
    *,
    budget: int | None = None,
) -> Answer:
    """``GET [type]?…`` or ``POST [type]/_search``. ``budget`` bounds the engine's steps: past it OverBudget is raised."""
    query = edge.query(request, type_, request.pairs, compartment=compartment)
    page = edge.records.search(request.actor, query, budget=budget)
    path = "/".join(
        part
        for part in ((compartment.type, compartment.id, type_ or "*") if compartment else (type_,))
        if part
    )
    return json_answer(request, searchset(request, query, page, path), headers=[PRIVATE])


def searchset(request: Request, query: Query, page: Page, path: str) -> bytes:
    """The Bundle of one page. What lenient handling left out stands in it as an OperationOutcome."""
    turned = query.cursor is not None or bool(query.ignored)
    links = page_links(request, path, query.pairs, page.next, turned=turned)
    entries: list[bytes] = []
    if query.ignored:
        entries.append(_ignored(request, query))
    if query.summary != "count":
        cutter = cut(query.summary, query.elements)
        base = request.base.encode()
        for entry in page.entries:
            stored = entry.stored
            body = stored.body
            if cutter is not None and (entry.mode == "match" or not query.elements):
                body = cutter(stored.type, body)
            entries.append(
                b'{"fullUrl":"%s/%s/%s","resource":%s,"search":{"mode":"%s"}}'
                % (base, stored.type.encode(), stored.id.encode(), body, entry.mode.encode())
            )
    return bundle_bytes(
        "searchset",
        entries,
        updated=instant_text(now()),
        total=page.total,
        links=links,
        subsetted=query.summary not in (None, "false") or bool(query.elements),
    )


def _ignored(request: Request, query: Query) -> bytes:
    issues = [
        Issue("warning", "not-supported", ignored.say(request.language), f"http.{ignored.name}")
        for ignored in query.ignored
    ]
    return b'{"resource":%s,"search":{"mode":"outcome"}}' % outcome(issues)
