"""``$meta``, ``$meta-add`` and ``$meta-delete``: the profiles, security labels and tags of resources.

A change makes a new version, like any other, so that history, feed and time machine tell it truly; the standard leaves
that open. What changes nothing writes nothing.
Source: HL7 FHIR R4, resource-operation-meta.html, -meta-add.html, -meta-delete.html.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import structs

from xinglin.records.operations.repository import used_terms
from xinglin.records.past.marks import SYSTEM as PAST
from xinglin.records.rest.conditional import version_number, version_of
from xinglin.records.rest.edge import PRIVATE, Edge, json_answer, only_known, version_headers
from xinglin.records.rest.errors import BadValue, Malformed
from xinglin.records.rest.exchange import Answer, Pending, Request
from xinglin.records.rest.lexemes import dumps, loads
from xinglin.records.rest.parameters import answer, sent
from xinglin.records.search.budget import bounded
from xinglin.records.stored import Stored
from xinglin.trust import scope

_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_CODINGS = ("security", "tag")


def meta(edge: Edge, request: Request, type_: str | None, id_: str | None) -> Answer:
    """Of a resource its meta; of a type or of everything the profiles, labels and tags that are in use."""
    only_known(tuple((name, "") for name, _ in sent(request)), (), strict=True)
    if id_ is not None and type_ is not None:
        stored = edge.records.read(request.actor, type_, id_)
        return _answered(request, stored)
    return json_answer(
        request, answer([("return", "valueMeta", dumps(_used(edge, request, type_)))]), headers=[PRIVATE]
    )


def meta_of_version(edge: Edge, request: Request, type_: str, id_: str, version: str) -> Answer:
    """Of one version its meta."""
    only_known(tuple((name, "") for name, _ in sent(request)), (), strict=True)
    return _answered(request, edge.records.vread(request.actor, type_, id_, version_number(version)))


def _used(edge: Edge, request: Request, type_: str | None) -> dict[str, Any]:
    from xinglin.standards.fhir.r4.parameters import PARAMETERS

    found: dict[str, Any] = {}
    predicate = scope(request.actor, "search", type_)
    with edge.records.reading() as connection, bounded(connection, None, edge.settings.search_time_limit_s):
        for element in ("profile", *_CODINGS):
            number = PARAMETERS["Resource", f"_{element}"].number
            terms = used_terms(connection, predicate, number, type_)
            if element == "profile":
                values: list[Any] = list(dict.fromkeys(code for _, code, _ in terms if code))
            else:
                named = (("system", "code", "display"), terms)
                values = [
                    {key: text for key, text in zip(named[0], term, strict=True) if text} for term in named[1]
                ]
            if values:
                found[element] = values
    return found


def meta_add(edge: Edge, request: Request, type_: str | None, id_: str | None) -> Pending:
    """Put the profiles, labels and tags of the parameter ``meta`` to a resource's own."""
    return _change(edge, request, str(type_), str(id_), _added)


def meta_delete(edge: Edge, request: Request, type_: str | None, id_: str | None) -> Pending:
    """Take the profiles, labels and tags of the parameter ``meta`` away; what is not there is passed over."""
    return _change(edge, request, str(type_), str(id_), _without)


def _change(edge: Edge, request: Request, type_: str, id_: str, change: Any) -> Pending:
    given = _given(request)
    if_match = version_of(request.headers.get("if-match"))

    def edited(body: bytes) -> bytes:
        document = loads(body)
        own = document.setdefault("meta", {})
        for element, values in given.items():
            kept = change(own.get(element, []), values)
            if kept:
                own[element] = kept
            else:
                own.pop(element, None)
        return dumps(document)

    def work(transaction: Any) -> Stored:
        there = transaction.read(type_, id_)
        if there is not None and if_match is None and edited(there.body) == dumps(loads(there.body)):
            return there  # type: ignore[no-any-return]
        stored: Stored = transaction.patch(type_, id_, edited, if_match=if_match)
        return stored

    return Pending(lambda: edge.records.begin(request.actor, work), lambda stored: _answered(request, stored))


def _given(request: Request) -> dict[str, list[Any]]:
    """What the parameter ``meta`` names. Raises Malformed, BadValue."""
    values = sent(request)
    only_known(tuple((name, "") for name, _ in values), ("meta",), strict=True)
    if len(values) != 1 or not isinstance(values[0][1], dict):
        raise Malformed("records.operation-meta")
    found = values[0][1]
    other = next(
        (name for name in found if name not in ("profile", *_CODINGS, "versionId", "lastUpdated")), None
    )
    if other is not None:
        raise BadValue("records.operation-meta-element", expression="Parameters.parameter", name=other[:64])
    given = {name: found[name] for name in ("profile", *_CODINGS) if name in found}
    for name, items in given.items():
        kind = str if name == "profile" else dict
        if not isinstance(items, list) or not items or not all(isinstance(one, kind) for one in items):
            raise Malformed("records.operation-meta")
    if any(one.get("system") == PAST for one in given.get("tag", [])):
        raise BadValue("records.operation-meta-past", expression="Parameters.parameter", system=PAST)
    return given


def _same(one: Any, other: Any) -> bool:
    """Codings are the same by system and code, whatever their display (resource.html#Meta)."""
    if isinstance(one, dict) and isinstance(other, dict):
        return all(one.get(key) == other.get(key) for key in ("system", "code"))
    return bool(one == other)


def _added(own: list[Any], new: list[Any]) -> list[Any]:
    kept = list(own)
    for one in new:
        if not any(_same(one, other) for other in kept):
            kept.append(one)
    return kept


def _without(own: list[Any], gone: list[Any]) -> list[Any]:
    return [one for one in own if not any(_same(one, other) for other in gone)]


def _answered(request: Request, stored: Stored) -> Answer:
    found = _members(stored.body).get("meta", msgspec.Raw(b"{}"))
    body = answer([("return", "valueMeta", bytes(found))])
    done = json_answer(request, body, headers=[*version_headers(stored), PRIVATE])
    return structs.replace(done, stored=stored)
