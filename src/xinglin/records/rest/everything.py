"""``Patient/[id]/$everything`` and ``Patient/$everything``: a person's whole record, page by page.

A page holds resources of the patient's compartment, newest first, and with each page what its resources refer to outside of
any compartment (practitioners, organizations, medicines, places), marked ``include``.
Source: HL7 FHIR R4, operation-patient-everything.html.
"""

from __future__ import annotations

import msgspec
from msgspec import structs

from xinglin.kernel.clock import now
from xinglin.kernel.ids import new_id
from xinglin.records.errors import Gone, NotFound
from xinglin.records.rest.bundles import bundle_bytes
from xinglin.records.rest.conditional import instant_text
from xinglin.records.rest.edge import PRIVATE, Edge, json_answer, one_value, only_known, resource_types
from xinglin.records.rest.errors import BadValue, Malformed, NotUnderstood
from xinglin.records.rest.exchange import Answer, Request
from xinglin.records.rest.links import link
from xinglin.records.rest.negotiate import check_sent
from xinglin.records.stored import Stored
from xinglin.standards.fhir.search.query import Compartment
from xinglin.standards.fhir.temporal import read as read_date

_KNOWN = ("_type", "_since", "_count", "_cursor", "start", "end")
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
    """One patient's record, or every patient's. ``_type``, ``_since``, ``_count``; ``start`` and ``end`` are not built."""
    pairs = request.pairs + _sent(request)
    only_known(pairs, _KNOWN, strict=True)
    for name in ("start", "end"):
        if one_value(pairs, name) is not None:
            raise NotUnderstood("records.rest-everything-dates", expression=f"http.{name}", name=name)
    asked: list[tuple[str, str]] = []
    types = one_value(pairs, "_type")
    if types is not None:
        unknown = next((name for name in types.split(",") if name not in resource_types()), None)
        if unknown is not None:
            raise BadValue("records.rest-unknown-type", expression="http._type", type=unknown[:64])
        asked.append(("_type", types))
    since = one_value(pairs, "_since")
    if since is not None:
        since = since.replace(" ", "+")
        try:
            read_date(since)
        except ValueError as error:
            raise BadValue("records.rest-instant", expression="http._since", name="_since") from error
        asked.append(("_lastUpdated", f"ge{since}"))
    count = one_value(pairs, "_count")
    if count is not None:
        asked.append(("_count", count))
    outer, _, inner = (one_value(pairs, "_cursor") or "").rpartition("~")
    person, following = _person(edge, request, id_, outer)
    if inner:
        asked.append(("_cursor", inner))
    query = edge.query(request, None, tuple(asked), strict=True, compartment=Compartment("Patient", person))
    page = edge.records.search(request.actor, structs.replace(query, total="none")) if person else None
    cursor = following
    if page is not None and page.next:
        cursor = f"{outer}~{page.next}" if id_ is None else page.next
    own = [entry.stored for entry in page.entries] if page is not None else []
    path = f"Patient/{id_}/$everything" if id_ is not None else "Patient/$everything"
    kept = tuple(pair for pair in pairs if pair[0] != "_cursor")
    links = [("self", link(request, path, kept))]
    if cursor:
        links.append(("next", link(request, path, (*kept, ("_cursor", cursor)))))
    wanted = frozenset(types.split(",")) if types is not None else OUTSIDE
    others = _referred(edge, request, own, wanted & OUTSIDE)
    base = request.base.encode()
    entries = [_entry(base, stored, b"match") for stored in own] + [
        _entry(base, stored, b"include") for stored in others
    ]
    body = bundle_bytes("searchset", entries, id_=new_id(), updated=instant_text(now()), links=links)
    return json_answer(request, body, headers=[PRIVATE])


class _Parameter(msgspec.Struct):
    name: str = ""
    valueString: str | None = None  # noqa: N815
    valueCode: str | None = None  # noqa: N815
    valueInstant: str | None = None  # noqa: N815
    valueDate: str | None = None  # noqa: N815
    valueInteger: int | None = None  # noqa: N815


class _Parameters(msgspec.Struct):
    resourceType: str  # noqa: N815
    parameter: list[_Parameter] = []


def _sent(request: Request) -> tuple[tuple[str, str], ...]:
    """The parameters that a POST carries in its body; several ``_type`` become one."""
    if request.method != "POST" or not request.body:
        return ()
    check_sent(request.headers.get("content-type"))
    try:
        sent = msgspec.json.decode(request.body, type=_Parameters)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Malformed("records.rest-parameters") from error
    if sent.resourceType != "Parameters":
        raise Malformed("records.rest-parameters")
    found: dict[str, str] = {}
    for one in sent.parameter:
        value = one.valueString or one.valueCode or one.valueInstant or one.valueDate or one.valueInteger
        text = "" if value is None else str(value)
        found[one.name] = f"{found[one.name]},{text}" if one.name == "_type" and one.name in found else text
    return tuple(found.items())


def _person(edge: Edge, request: Request, id_: str | None, outer: str) -> tuple[str, str | None]:
    """Whose record this page is of, and the cursor of the next person's first page.

    Without an id every page belongs to one person: the cursor is the one at which a search of all patients finds them,
    "~", and the one within their record. "": there is nobody.
    """
    if id_ is not None:
        edge.records.read(request.actor, "Patient", id_)  # 404 or 410 rather than an empty bundle
        return id_, None
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


def _referred(edge: Edge, request: Request, own: list[Stored], types: frozenset[str]) -> list[Stored]:
    """What the resources of a page refer to directly, of ``types``, each once; what is not there is passed over."""
    wanted: dict[tuple[str, str], None] = {}

    def visit(node: object) -> None:
        if isinstance(node, dict):
            reference = node.get("reference")
            if isinstance(reference, str):
                parts = reference.removeprefix(request.base + "/").split("/")
                if len(parts) in (2, 4) and parts[0] in types:
                    wanted.setdefault((parts[0], parts[1]))
            for value in node.values():
                visit(value)
        elif isinstance(node, list):
            for value in node:
                visit(value)

    for stored in own:
        visit(msgspec.json.decode(stored.body))
    already = {(stored.type, stored.id) for stored in own}
    found: list[Stored] = []
    for type_, id_ in wanted:
        if (type_, id_) in already:
            continue
        try:
            found.append(edge.records.read(request.actor, type_, id_))
        except (NotFound, Gone):
            continue
    return found
