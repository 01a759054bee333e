"""References that say what they mean by a search (``Patient?identifier=…``), and links to entries that are not there.

Source: HL7 FHIR R4, http.html §3.1.0.11.2 (conditional references, replacing references), references.html.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from msgspec import structs

from xinglin.kernel.errors import XinglinError
from xinglin.records.rest.edge import Edge, known_type
from xinglin.records.rest.errors import Malformed, MultipleMatches, PreconditionFailed, Unprocessable
from xinglin.records.rest.exchange import Request
from xinglin.records.rest.lexemes import loads
from xinglin.standards.fhir.edit import replace_references
from xinglin.standards.fhir.parse import minify
from xinglin.standards.fhir.search.query import Criterion, Query

_CONDITIONAL = re.compile(r"([A-Z][A-Za-z]{2,60})\?(.+)", re.DOTALL)


def may_be_conditional(body: bytes) -> bool:
    """Whether ``body`` may hold a conditional reference: a question mark, as itself or as an escape."""
    return b"?" in body or b"\\u003" in body


def references(
    node: Any, place: str, held: frozenset[str] | None = None
) -> Iterator[tuple[str, str, frozenset[str] | None]]:
    """Each ``reference`` in a resource (as `lexemes.loads` gives it), its FHIRPath, and the fullUrls of the Bundle around
    it: a resource may be one, or contain one, and its entries refer to each other. None: there is no Bundle around it.
    """
    if isinstance(node, dict):
        entries = node.get("entry")
        if node.get("resourceType") == "Bundle":
            inner = [one.get("fullUrl") for one in entries or () if isinstance(one, dict)]
            held = (held or frozenset()) | {url for url in inner if isinstance(url, str)}
        reference = node.get("reference")
        if isinstance(reference, str):
            yield reference, f"{place}.reference", held
        for name, value in node.items():
            yield from references(value, f"{place}.{name}", held)
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from references(value, f"{place}[{index}]", held)


def conditional_references(resource: Any) -> dict[str, str]:
    """All references in the form ``Type?query``, each with its first place; those inside a Bundle are kept as they are."""
    found: dict[str, str] = {}
    for reference, place, held in references(resource, _root(resource)):
        if held is None and _CONDITIONAL.fullmatch(reference):
            found.setdefault(reference, place)
    return found


def conditional_in(body: bytes) -> dict[str, str]:
    """`conditional_references` of a body; none where it is no JSON, which its check will say."""
    if not may_be_conditional(body):
        return {}
    try:
        return conditional_references(loads(body, what="resource"))
    except Malformed:
        return {}


def check_links(body: bytes) -> None:
    """Raises Unprocessable where a ``urn:uuid:`` reference is left after the links between entries were rewritten."""
    if b"urn:uuid:" not in body:
        return
    try:
        resource = loads(body, what="resource")
    except Malformed:
        return  # the check of the body says what is wrong with it
    for reference, place, held in references(resource, _root(resource)):
        if reference.startswith("urn:uuid:") and reference.partition("#")[0] not in (held or ()):
            raise Unprocessable("records.rest-reference-entry", expression=place, reference=reference[:64])


def condition_of(edge: Edge, request: Request, reference: str, place: str) -> Query:
    """The search that a conditional reference stands for, understood in full. Raises XinglinError, at ``place``."""
    name, _, query = reference.partition("?")
    try:
        type_ = known_type(name)
        found = edge.query(request, type_, tuple(parse_qsl(query, keep_blank_values=True)), strict=True)
        if not found.criteria:
            raise PreconditionFailed("records.rest-condition-empty", type=type_)
    except XinglinError as error:
        error.expression = place
        raise
    return structs.replace(found, count=2)


def alone(query: Query, written: frozenset[str]) -> bool:
    """Whether a transaction that writes resources of the types ``written`` cannot change what ``query`` finds."""
    return query.type not in written and all(isinstance(one, Criterion) for one in query.criteria)


def named(edge: Edge, request: Request, query: Query) -> list[str]:
    """Ids of at most two resources that meet ``query``."""
    page = edge.records.search(request.actor, structs.replace(query, count=2))
    return [entry.stored.id for entry in page.entries if entry.mode == "match"]


def only_one(type_: str | None, ids: Sequence[str], place: str) -> str:
    """``Type/id``. Raises PreconditionFailed where there is none, MultipleMatches where there are several."""
    if not ids:
        raise PreconditionFailed("records.rest-reference-none", expression=place, type=type_)
    if len(ids) > 1:
        raise MultipleMatches("records.rest-reference-several", expression=place, type=type_)
    return f"{type_}/{ids[0]}"


def resolved(edge: Edge, request: Request, small: bytes) -> bytes:
    """A minified body with each conditional reference replaced by the one resource that it finds now.

    Raises PreconditionFailed or MultipleMatches, naming the place.
    """
    found = conditional_in(small)
    if not found:
        return small
    places: dict[str, str] = {}
    for reference, place in found.items():
        query = condition_of(edge, request, reference, place)
        places[reference] = only_one(query.type, named(edge, request, query), place)
    return replace_references(small, places)


def minified(body: bytes) -> bytes:
    """``body`` without white space; as it is where it is no JSON, which its check will say."""
    try:
        return minify(body)
    except (ValueError, RecursionError, msgspec.DecodeError):
        return body


def _root(resource: Any) -> str:
    kind = resource.get("resourceType") if isinstance(resource, dict) else None
    return kind if isinstance(kind, str) and kind.isalnum() else "Resource"
