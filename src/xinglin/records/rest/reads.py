"""read, vread and history.

Source: HL7 FHIR R4, http.html §3.1.0.3–4, §3.1.0.10.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import msgspec
from msgspec import structs

from xinglin.kernel.clock import now
from xinglin.kernel.ids import new_id
from xinglin.records.errors import Gone, NoSuchVersion, NotFound
from xinglin.records.history import HistoryQuery
from xinglin.records.past import past_of
from xinglin.records.rest import past
from xinglin.records.rest.bundles import bundle_bytes
from xinglin.records.rest.conditional import instant_text, not_modified, version_number
from xinglin.records.rest.edge import (
    PRESENTING,
    PRIVATE,
    Edge,
    json_answer,
    one_value,
    only_known,
    version_headers,
)
from xinglin.records.rest.errors import BadValue
from xinglin.records.rest.exchange import Answer, Request
from xinglin.records.rest.links import link
from xinglin.records.rest.shape import Cut, cut
from xinglin.standards.fhir.search import results
from xinglin.standards.fhir.temporal import read as read_date
from xinglin.standards.fhir.temporal import site_zone

if TYPE_CHECKING:
    from xinglin.records.stored import Stored


def read(edge: Edge, request: Request, type_: str, id_: str) -> Answer:
    """``GET [type]/[id]``; with ``_known`` or ``_valid`` as it was then. Raises NotFound, Gone, and PastError."""
    at, pairs = past.asked(edge, request, request.pairs)
    if at is None:
        return _given(edge, request, edge.records.read(request.actor, type_, id_))
    stored = past_of(edge.records).read(request.actor, type_, id_, at)
    # The same version reads otherwise at another instant: no tag of it is good for a later If-None-Match.
    asked = {k: v for k, v in request.headers.items() if k not in ("if-none-match", "if-modified-since")}
    bare = structs.replace(request, pairs=pairs, headers=asked)
    answer = _given(edge, bare, past.as_it_was(edge, request, stored, at))
    return structs.replace(answer, headers=[*answer.headers, *past.headers(at)])


def vread(edge: Edge, request: Request, type_: str, id_: str, version: str) -> Answer:
    """``GET [type]/[id]/_history/[vid]``; 410 for the version that is the deletion. Raises NotFound, NoSuchVersion, Gone."""
    stored = edge.records.vread(request.actor, type_, id_, version_number(version))
    return _given(edge, request, stored)


def _given(edge: Edge, request: Request, stored: Stored) -> Answer:
    # Always strict: nothing in the answer could say what was passed over.
    only_known(request.pairs, ("_summary", "_elements", *PRESENTING), strict=True)
    headers = [*version_headers(stored), PRIVATE]
    asked = request.headers
    if not_modified(
        stored.version, stored.updated, asked.get("if-none-match"), asked.get("if-modified-since")
    ):
        return Answer(304, headers, stored=stored)
    summary = one_value(request.pairs, "_summary")
    elements = one_value(request.pairs, "_elements")
    body = stored.body
    cutter = _cut(edge, summary, elements, stored.type)
    if cutter is not None:
        body = cutter(stored.type, body)
    elif stored.type == "Binary" and request.raw_accepted and request.headers.get("accept"):
        return _binary(stored, headers)
    return json_answer(request, body, headers=headers, stored=stored)


def _cut(edge: Edge, summary: str | None, elements: str | None, type_: str | None) -> Cut | None:
    return cut(
        results.summary("_summary", summary) if summary else None,
        results.elements("_elements", elements, type_, edge.limits) if elements else (),
    )


def _binary(stored: Stored, headers: list[tuple[bytes, bytes]]) -> Answer:
    """What a Binary holds, as itself; never as something that a browser would run in this server's name."""
    import base64
    import binascii

    held = msgspec.json.decode(stored.body)
    try:
        content = base64.b64decode(held.get("data", ""), validate=False)
    except (binascii.Error, ValueError):
        content = b""
    kind = re.sub(r"[^\x21-\x7e ]", "", str(held.get("contentType", ""))) or "application/octet-stream"
    return Answer(
        200,
        [
            (b"content-type", kind.encode("ascii")),
            (b"content-security-policy", b"default-src 'none'; sandbox"),
            (b"content-disposition", b"attachment"),
            *headers,
        ],
        content,
    )


def history(edge: Edge, request: Request, type_: str | None, id_: str | None) -> Answer:
    """``GET [type]/[id]/_history``, ``[type]/_history`` or ``_history``, newest first, by pages.

    ``_since`` (an instant: changes from it on), ``_at`` (a date or time, which may have a prefix: versions current at some
    time in it), ``_count``, ``_summary``, ``_elements``. Raises NotFound where an instance never was.
    """
    known = ("_since", "_at", "_count", "_cursor", "_summary", "_elements", *PRESENTING)
    only_known(request.pairs, known, strict=True)
    since = _instant(edge, request, "_since")
    at = _period(edge, request)
    summary = one_value(request.pairs, "_summary")
    cutter = _cut(edge, summary, one_value(request.pairs, "_elements"), type_)
    given = one_value(request.pairs, "_count")
    count = min(results.count("_count", given), edge.limits.page_size_max) if given is not None else None
    page = edge.records.history(
        request.actor,
        HistoryQuery(
            type_,
            id_,
            since_us=since[0] if since else None,
            at_us=at,
            count=0 if summary == "count" else edge.limits.page_size if count is None else count,
            cursor=one_value(request.pairs, "_cursor"),
        ),
    )
    path = "/".join([part for part in (type_, id_) if part] + ["_history"])
    pairs = tuple(pair for pair in request.pairs if pair[0] in known and pair[0] != "_cursor")
    links = [("self", link(request, path, pairs))]
    if page.next:
        links.append(("next", link(request, path, (*pairs, ("_cursor", page.next)))))
    body = bundle_bytes(
        "history",
        _versions(edge, request, page.entries, cutter),
        id_=new_id(),
        updated=instant_text(now()),
        total=page.total,
        links=links,
    )
    return json_answer(request, body, headers=[PRIVATE])


def _instant(edge: Edge, request: Request, name: str) -> tuple[int, int] | None:
    text = one_value(request.pairs, name)
    return None if text is None else _read(edge, request, name, text)


def _read(edge: Edge, request: Request, name: str, text: str) -> tuple[int, int]:
    try:
        return read_date(text.replace(" ", "+"), site_zone(edge.records.zone(request.actor.tenant)))
    except ValueError as error:
        raise BadValue("records.rest-instant", expression=f"http.{name}", name=name) from error


_EARLIEST_US, _LATEST_US = -(2**62), 2**62


def _period(edge: Edge, request: Request) -> tuple[int, int] | None:
    """The time ``[low, high)`` in µs that ``_at`` names, with the prefixes of date searches (search.html#date):
    ``ge2024`` is 2024 and all time after it, ``gt2024`` and ``sa2024`` the time after it only.
    """
    text = one_value(request.pairs, "_at")
    if text is None:
        return None
    prefix = text[:2] if text[:2].isalpha() else "eq"
    low_us, high_us = _read(edge, request, "_at", text.removeprefix(prefix))
    match prefix:
        case "eq":
            return low_us, high_us
        case "ge":
            return low_us, _LATEST_US
        case "gt" | "sa":
            return high_us, _LATEST_US
        case "le":
            return _EARLIEST_US, high_us
        case "lt" | "eb":
            return _EARLIEST_US, low_us
    raise BadValue("records.rest-at-prefix", expression="http._at", prefix=prefix)


def _versions(edge: Edge, request: Request, page: Sequence[Stored], cutter: Cut | None) -> list[bytes]:
    deleted = {(stored.type, stored.id, stored.version): stored.deleted for stored in page}

    def new(stored: Stored) -> bool:
        """Whether there was nothing before it: it is the first version, or the one before is a deletion."""
        if stored.version == 1 or stored.method == "POST":
            return True
        before = (stored.type, stored.id, stored.version - 1)
        if before not in deleted:
            try:
                edge.records.vread(request.actor, *before)
                deleted[before] = False
            except Gone:
                deleted[before] = True
            except (NotFound, NoSuchVersion):
                deleted[before] = False
        return deleted[before]

    with edge.records.reading():
        return [_version(request, stored, new, cutter) for stored in page]


def _version(request: Request, stored: Stored, new: Callable[[Stored], bool], cutter: Cut | None) -> bytes:
    place = f"{stored.type}/{stored.id}"
    url = stored.type if stored.method == "POST" else place
    status = "204 No Content" if stored.deleted else "201 Created" if new(stored) else "200 OK"
    parts = [b'{"fullUrl":' + msgspec.json.encode(f"{request.base}/{place}")]
    if not stored.deleted:
        body = stored.body if cutter is None else cutter(stored.type, stored.body)
        parts.append(b'"resource":' + body)
    parts.append(b'"request":{"method":"%s","url":"%s"}' % (stored.method.encode(), url.encode()))
    parts.append(
        b'"response":{"status":"%s","etag":"W/\\"%d\\"","lastModified":"%s"}}'
        % (status.encode(), stored.version, instant_text(stored.updated).encode())
    )
    return b",".join(parts)
