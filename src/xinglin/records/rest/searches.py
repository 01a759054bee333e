"""search-type, search-system and compartment search: a Query's page as a searchset, joined from the bodies' own bytes.

Source: HL7 FHIR R4, http.html §3.1.0.9, search.html, bundle.html#searchset.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec import structs

from xinglin.kernel.clock import now
from xinglin.records.past import past_of
from xinglin.records.rest import past
from xinglin.records.rest.bundles import bundle_bytes
from xinglin.records.rest.conditional import instant_text
from xinglin.records.rest.edge import PRIVATE, Edge, json_answer
from xinglin.records.rest.exchange import Answer, Request
from xinglin.records.rest.links import page_links
from xinglin.records.rest.outcome import Issue, outcome
from xinglin.records.rest.shape import cut
from xinglin.records.search.errors import OverBudget
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
    at, pairs = past.asked(edge, request, request.pairs)
    query = edge.query(request, type_, pairs, compartment=compartment)
    if at is not None:
        if budget is not None:
            raise OverBudget  # it builds an index of its own: work for a thread
        page = past_of(edge.records).search(request.actor, query, at)
    else:
        page = edge.records.search(request.actor, query, budget=budget)
    path = "/".join(
        part
        for part in ((compartment.type, compartment.id, type_ or "*") if compartment else (type_,))
        if part
    )
    if at is None:
        return json_answer(request, searchset(request, query, page, path), headers=[PRIVATE])
    shared = past.shared_tags(edge, request, at)
    entries = [
        entry._replace(stored=past.as_it_was(edge, request, entry.stored, at, shared))
        for entry in page.entries
    ]
    # Further pages stay at this very instant, also where "today" was asked for.
    query = structs.replace(query, pairs=(*query.pairs, *at.pairs()))
    body = searchset(request, query, page._replace(entries=entries), path, shared)
    return json_answer(request, body, headers=[PRIVATE, *past.headers(at)])


def searchset(request: Request, query: Query, page: Page, path: str, tags: Sequence[bytes] = ()) -> bytes:
    """The Bundle of one page. What lenient handling left out stands in it as an OperationOutcome. ``tags``: its own."""
    turned = query.cursor is not None or bool(query.ignored) or bool(tags)
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
        tags=tags,
    )


def _ignored(request: Request, query: Query) -> bytes:
    issues = [
        Issue("warning", "not-supported", ignored.say(request.language), f"http.{ignored.name}")
        for ignored in query.ignored
    ]
    return b'{"resource":%s,"search":{"mode":"outcome"}}' % outcome(issues)
