"""read, vread and history.

Source: HL7 FHIR R4, http.html §3.1.0.3–4, §3.1.0.10.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from xinglin.kernel.clock import now
from xinglin.kernel.ids import new_id
from xinglin.records.history import HistoryQuery
from xinglin.records.rest.bundles import bundle_bytes
from xinglin.records.rest.conditional import instant_text, not_modified, version_number
from xinglin.records.rest.edge import PRIVATE, Edge, json_answer, one_value, only_known, version_headers
from xinglin.records.rest.errors import BadValue
from xinglin.records.rest.exchange import Answer, Request
from xinglin.records.rest.links import link
from xinglin.records.rest.shape import cut
from xinglin.standards.fhir.search import results
from xinglin.standards.fhir.temporal import read as read_date
from xinglin.standards.fhir.temporal import site_zone

if TYPE_CHECKING:
    from xinglin.records.stored import Stored


def read(edge: Edge, request: Request, type_: str, id_: str) -> Answer:
    """``GET [type]/[id]``. Raises NotFound, Gone."""
    return _given(edge, request, edge.records.read(request.actor, type_, id_))


def vread(edge: Edge, request: Request, type_: str, id_: str, version: str) -> Answer:
    """``GET [type]/[id]/_history/[vid]``; 410 for the version that is the deletion. Raises NotFound, NoSuchVersion, Gone."""
    stored = edge.records.vread(request.actor, type_, id_, version_number(version))
    return _given(edge, request, stored)


def _given(edge: Edge, request: Request, stored: Stored) -> Answer:
    headers = [*version_headers(stored), PRIVATE]
    asked = request.headers
    if not_modified(
        stored.version, stored.updated, asked.get("if-none-match"), asked.get("if-modified-since")
    ):
        return Answer(304, headers, stored=stored)
    only_known(request.pairs, ("_summary", "_elements"), strict=bool(request.prefer.strict))
    summary = one_value(request.pairs, "_summary")
    elements = one_value(request.pairs, "_elements")
    body = stored.body
    cutter = cut(
        results.summary("_summary", summary) if summary else None,
        results.elements("_elements", elements, stored.type, edge.limits) if elements else (),
    )
    if cutter is not None:
        body = cutter(stored.type, body)
    elif stored.type == "Binary" and request.raw_accepted and request.headers.get("accept"):
        return _binary(stored, headers)
    return json_answer(request, body, headers=headers, stored=stored)


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

    ``_since`` (an instant: changes from it on), ``_at`` (a date or time: versions current at some time in it), ``_count``.
    Raises NotFound where an instance never was.
    """
    known = ("_since", "_at", "_count", "_cursor", "_summary", "_elements", "_total")
    only_known(request.pairs, known, strict=bool(request.prefer.strict))
    since = _instant(edge, request, "_since")
    at = _instant(edge, request, "_at")
    given = one_value(request.pairs, "_count")
    count = min(results.count("_count", given), edge.limits.page_size_max) if given is not None else None
    page = edge.records.history(
        request.actor,
        HistoryQuery(
            type_,
            id_,
            since_us=since[0] if since else None,
            at_us=at,
            count=edge.limits.page_size if count is None else count,
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
        [_version(request, stored) for stored in page.entries],
        id_=new_id(),
        updated=instant_text(now()),
        total=page.total,
        links=links,
    )
    return json_answer(request, body, headers=[PRIVATE])


def _instant(edge: Edge, request: Request, name: str) -> tuple[int, int] | None:
    text = one_value(request.pairs, name)
    if text is None:
        return None
    try:
        return read_date(text.replace(" ", "+"), site_zone(edge.settings.time_zone))
    except ValueError as error:
        raise BadValue("records.rest-instant", expression=f"http.{name}", name=name) from error


_STATUS = {"POST": "201 Created", "DELETE": "204 No Content"}


def _version(request: Request, stored: Stored) -> bytes:
    place = f"{stored.type}/{stored.id}"
    url = stored.type if stored.method == "POST" else place
    status = (
        "201 Created"
        if stored.version == 1 and stored.method != "DELETE"
        else _STATUS.get(stored.method, "200 OK")
    )
    parts = [b'{"fullUrl":' + msgspec.json.encode(f"{request.base}/{place}")]
    if not stored.deleted:
        parts.append(b'"resource":' + stored.body)
    parts.append(b'"request":{"method":"%s","url":"%s"}' % (stored.method.encode(), url.encode()))
    parts.append(
        b'"response":{"status":"%s","etag":"W/\\"%d\\"","lastModified":"%s"}}'
        % (status.encode(), stored.version, instant_text(stored.updated).encode())
    )
    return b",".join(parts)
