"""``Patient/[id]/$everything`` and ``Patient/$everything``: a person's whole record, page by page.

A page holds resources of the patient's compartment in the order in which they first came in, and with each page what its
resources refer to outside of any compartment (practitioners, organizations, medicines, places), marked ``include``.
Source: HL7 FHIR R4, operation-patient-everything.html.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from msgspec import structs

from xinglin.kernel.clock import now
from xinglin.kernel.ids import new_id
from xinglin.records.past import AsOf, past_of
from xinglin.records.past.errors import NoSuchPast
from xinglin.records.past.service import Range
from xinglin.records.rest import past
from xinglin.records.rest.bundles import bundle_bytes
from xinglin.records.rest.conditional import instant_text
from xinglin.records.rest.edge import PRIVATE, Edge, json_answer, one_value, only_known, resource_types
from xinglin.records.rest.errors import BadValue
from xinglin.records.rest.exchange import Answer, Request
from xinglin.records.rest.links import link
from xinglin.records.rest.parameters import asked as parameters
from xinglin.records.stored import Stored
from xinglin.standards.fhir.search import results
from xinglin.standards.fhir.search.query import Compartment
from xinglin.standards.fhir.temporal import read as read_date
from xinglin.standards.fhir.temporal import site_zone

_KNOWN = ("_type", "_since", "_count", "_cursor", "start", "end", "_known", "_valid")
Pairs = tuple[tuple[str, str], ...]
OUTSIDE = frozenset(
    {
        "Practitioner",
        "PractitionerRole",
        "Organization",
        "Location",
        "HealthcareService",
        "Medication",
        "Device",
        "Substance",
        "Questionnaire",
        "InsurancePlan",
        "Endpoint",
        "Contract",
    }
)
"""Types that are nobody's own, brought in where a resource of the page refers to them."""


def everything(edge: Edge, request: Request, type_: str | None, id_: str | None) -> Answer:
    """One patient's record, or every patient's.

    ``_type``, ``_since``, ``_count``; of one patient also ``start`` and ``end`` (what was going on between these dates,
    both included; what has no date belongs to it) and ``_known`` and ``_valid`` (the record as it was).
    """
    pairs = _asked(request)
    only_known(pairs, _KNOWN, strict=True)
    types = _types(pairs)
    zone = edge.records.zone(request.actor.tenant)
    past.asked(edge, request, pairs)  # says what is wrong with an instant first
    since = one_value(pairs, "_since")
    since_us = None if since is None else _read(since, "_since", zone)[0]
    within = _within(pairs, zone)
    if id_ is not None:
        return _chart(edge, request, id_, pairs, types, since_us, within)
    if within is not None or any(name in past.NAMES for name, _ in pairs):
        raise NoSuchPast("records.past-everyone")
    return _everyone(edge, request, pairs, types, since)


def _types(pairs: Pairs) -> tuple[str, ...]:
    given = one_value(pairs, "_type")
    types = tuple(given.split(",")) if given is not None else ()
    unknown = next((name for name in types if name not in resource_types()), None)
    if unknown is not None:
        raise BadValue("records.rest-unknown-type", expression="http._type", type=unknown[:64])
    return types


def _read(text: str, name: str, zone: str) -> tuple[int, int]:
    try:
        return read_date(text.replace(" ", "+"), site_zone(zone))
    except ValueError as error:
        raise BadValue("records.rest-instant", expression=f"http.{name}", name=name) from error


def _within(pairs: Pairs, zone: str) -> Range | None:
    start, end = one_value(pairs, "start"), one_value(pairs, "end")
    if start is None and end is None:
        return None
    low_us = None if start is None else _read(start, "start", zone)[0]
    high_us = None if end is None else _read(end, "end", zone)[1] - 1
    if low_us is not None and high_us is not None and low_us > high_us:
        raise BadValue("records.rest-everything-range", expression="http.start")
    return Range(low_us, high_us)


def _count(edge: Edge, pairs: Pairs) -> int:
    given = one_value(pairs, "_count")
    if given is None:
        return edge.limits.page_size
    return max(1, min(results.count("_count", given), edge.limits.page_size_max))


def _chart(
    edge: Edge,
    request: Request,
    id_: str,
    pairs: Pairs,
    types: tuple[str, ...],
    since_us: int | None,
    within: Range | None,
) -> Answer:
    """A page of one patient's record, now or as of an instant."""
    at, kept = past.asked(edge, request, pairs)
    records, actor = edge.records, request.actor
    machine = past_of(records)
    scope = f"everything {actor.tenant} {id_} {types} {since_us} {within} {at}"
    kept = tuple(pair for pair in kept if pair[0] != "_cursor") + (at.pairs() if at is not None else ())
    cursor = one_value(pairs, "_cursor")
    after = None if cursor is None else int(records.cursors.open(cursor, scope)[0])
    with records.reading():
        if at is None:
            records.read(actor, "Patient", id_)  # 404 or 410 rather than an empty bundle
        else:
            machine.read(actor, "Patient", id_, AsOf(at.known_us))
        page = machine.chart(
            actor, id_, at or AsOf(), types=types, since_us=since_us, within=within,
            count=_count(edge, pairs), after=after,
        )  # fmt: skip
        own = page.entries
        others = _referred(edge, request, own, (frozenset(types) or OUTSIDE) & OUTSIDE, at)
    path = f"Patient/{id_}/$everything"
    links = [("self", link(request, path, kept if cursor is None else (*kept, ("_cursor", cursor))))]
    if page.next is not None:
        links.append(
            ("next", link(request, path, (*kept, ("_cursor", records.cursors.seal([page.next], scope)))))
        )
    tags = past.shared_tags(edge, request, at) if at is not None else []
    if at is not None:
        own = [past.as_it_was(edge, request, stored, at, tags) for stored in own]
        others = [past.as_it_was(edge, request, stored, at, tags) for stored in others]
    headers = [PRIVATE, *(past.headers(at) if at is not None else [])]
    return json_answer(request, _bundle(request, own, others, links, tags), headers=headers)


def _everyone(
    edge: Edge, request: Request, pairs: Pairs, types: tuple[str, ...], since: str | None
) -> Answer:
    """A page of every patient's record: each page belongs to one patient."""
    asked: list[tuple[str, str]] = []
    if types:
        asked.append(("_type", ",".join(types)))
    if since is not None:
        asked.append(("_lastUpdated", f"ge{since.replace(' ', '+')}"))
    count = one_value(pairs, "_count")
    if count is not None:
        asked.append(("_count", count))
    outer, _, inner = (one_value(pairs, "_cursor") or "").rpartition("~")
    person, following = _person(edge, request, outer)
    if inner:
        asked.append(("_cursor", inner))
    query = edge.query(request, None, tuple(asked), strict=True, compartment=Compartment("Patient", person))
    page = edge.records.search(request.actor, structs.replace(query, total="none")) if person else None
    cursor = f"{outer}~{page.next}" if page is not None and page.next else following
    own = [entry.stored for entry in page.entries] if page is not None else []
    kept = tuple(pair for pair in pairs if pair[0] != "_cursor")
    links = [("self", link(request, "Patient/$everything", kept))]
    if cursor:
        links.append(("next", link(request, "Patient/$everything", (*kept, ("_cursor", cursor)))))
    others = _referred(edge, request, own, (frozenset(types) or OUTSIDE) & OUTSIDE)
    return json_answer(request, _bundle(request, own, others, links), headers=[PRIVATE])


def _bundle(
    request: Request,
    own: list[Stored],
    others: list[Stored],
    links: list[tuple[str, str]],
    tags: Sequence[bytes] = (),
) -> bytes:
    base = request.base.encode()
    entries = [_entry(base, stored, b"match") for stored in own]
    entries += [_entry(base, stored, b"include") for stored in others]
    return bundle_bytes(
        "searchset", entries, id_=new_id(), updated=instant_text(now()), links=links, tags=tags
    )


def _asked(request: Request) -> Pairs:
    """The parameters of address and body; several ``_type`` become one."""
    given = parameters(request)
    types = ",".join(value for name, value in given if name == "_type")
    rest = tuple(pair for pair in given if pair[0] != "_type")
    return (*rest, ("_type", types)) if len(rest) < len(given) else rest


def _person(edge: Edge, request: Request, outer: str) -> tuple[str, str | None]:
    """Whose record this page is of, and the cursor of the next person's first page.

    Every page belongs to one person: the cursor is the one at which a search of all patients finds them, "~", and the
    one within their record. "": there is nobody.
    """
    pairs = (("_count", "1"), *((("_cursor", outer),) if outer else ()))
    page = edge.records.search(request.actor, edge.query(request, "Patient", pairs, strict=True))
    if not page.entries:
        return "", None
    return page.entries[0].stored.id, f"{page.next}~" if page.next else None


def _entry(base: bytes, stored: Stored, mode: bytes) -> bytes:
    return b'{"fullUrl":"%s/%s/%s","resource":%s,"search":{"mode":"%s"}}' % (
        base,
        stored.type.encode(),
        stored.id.encode(),
        stored.body,
        mode,
    )


def _referred(
    edge: Edge, request: Request, own: list[Stored], types: frozenset[str], at: AsOf | None = None
) -> list[Stored]:
    """What the resources of a page refer to directly, of ``types``, each once; what is not there is passed over."""
    wanted: dict[tuple[str, str], None] = {}
    base = re.escape(request.base.encode()) + b"/"
    kinds = "|".join(sorted(types)).encode() or b"-"
    reference = re.compile(
        rb'"reference":"(?:%s)?(%s)/([A-Za-z0-9\-.]{1,64})(?:/_history/[^"]*)?"' % (base, kinds)
    )
    for stored in own:
        for kind, id_ in reference.findall(stored.body.replace(b"\\/", b"/")):
            wanted.setdefault((kind.decode(), id_.decode()))
    for stored in own:
        wanted.pop((stored.type, stored.id), None)
    if not wanted:
        return []
    found = past_of(edge.records).read_all(request.actor, wanted, at or AsOf())
    order = {name: place for place, name in enumerate(wanted)}
    return sorted(found, key=lambda stored: order[stored.type, stored.id])
