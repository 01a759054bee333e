"""``Observation/$lastn``: the last n observations of each code, of one patient.

Observations belong together where any of their codings is the same (system and code); those without coding by their text. Within
a code the newest come first, by the beginning of ``effective``; those without a date come last.
Source: HL7 FHIR R4, observation-operation-lastn.html.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from typing import Any

import msgspec
from msgspec import structs

from xinglin.kernel.clock import now
from xinglin.records.operations.labels import only_a_machine
from xinglin.records.past import past_of
from xinglin.records.past.questions import patient_of
from xinglin.records.rest import past
from xinglin.records.rest.bundles import bundle_bytes
from xinglin.records.rest.conditional import instant_text
from xinglin.records.rest.edge import PRIVATE, Edge, json_answer
from xinglin.records.rest.errors import BadValue
from xinglin.records.rest.exchange import Answer, Request
from xinglin.records.rest.links import link
from xinglin.records.rest.parameters import asked as parameters
from xinglin.records.stored import Stored

MOST = 1000
_OWN = ("max", "_count", "_cursor", "_sort", "_total", "_summary", "_elements", "_include", "_revinclude")


class _Coding(msgspec.Struct):
    system: str = ""
    code: str = ""


class _Code(msgspec.Struct, frozen=True):
    coding: list[_Coding] = []
    text: str = ""


class _Meta(msgspec.Struct, frozen=True):
    security: list[_Coding] = []


class _Observation(msgspec.Struct):
    code: _Code = _Code()
    status: str = ""
    meta: _Meta = _Meta()


_decode = msgspec.json.Decoder(_Observation).decode


def lastn(edge: Edge, request: Request, type_: str | None, id_: str | None) -> Answer:
    """``max`` (1) of each code; all else is a search of Observation that names one patient, ``_known`` and ``_valid`` too."""
    pairs = parameters(request)
    at, rest = past.asked(edge, request, pairs)
    most = _most(rest)
    kept = tuple(pair for pair in rest if pair[0] != "max")
    refused = next((name for name, _ in kept if name.partition(":")[0] in _OWN), None)
    if refused is not None:
        raise BadValue("records.operation-lastn-own", expression=f"http.{refused}", name=refused)
    query = edge.query(
        request,
        "Observation",
        (*kept, ("_sort", "-date"), ("_count", str(edge.limits.page_size_max))),
        strict=True,
    )
    patient_of(query, "records.operation-lastn-patient")
    wrong = not any(name.partition(":")[0] == "status" for name, _ in kept)

    drafts = any(name.partition(":")[0] == "_security" for name, _ in kept)

    def pages() -> Iterator[Stored]:
        cursor = None
        while True:
            asked = structs.replace(query, cursor=cursor)
            if at is not None:
                page = past_of(edge.records).search(request.actor, asked, at)
            else:
                page = edge.records.search(request.actor, asked)
            yield from (entry.stored for entry in page.entries)
            cursor = page.next
            if cursor is None:
                return

    with edge.records.reading():
        found = newest(pages(), most, without_errors=wrong, without_drafts=not drafts)
    tags = past.shared_tags(edge, request, at) if at is not None else []
    if at is not None:
        found = [past.as_it_was(edge, request, stored, at, tags) for stored in found]
    base = request.base.encode()
    entries = [
        b'{"fullUrl":"%s/Observation/%s","resource":%s,"search":{"mode":"match"}}'
        % (base, stored.id.encode(), stored.body)
        for stored in found
    ]
    shown = (*rest, *(at.pairs() if at is not None else ()))
    body = bundle_bytes(
        "searchset", entries, updated=instant_text(now()), total=len(found),
        links=[("self", link(request, "Observation/$lastn", shown))], tags=tags,
    )  # fmt: skip
    return json_answer(request, body, headers=[PRIVATE, *(past.headers(at) if at is not None else [])])


def _most(pairs: Iterable[tuple[str, str]]) -> int:
    given = [value for name, value in pairs if name == "max"]
    if not given:
        return 1
    if (
        len(given) > 1
        or not given[0].isascii()
        or not given[0].isdigit()
        or not 1 <= int(given[0][:9]) <= MOST
    ):
        raise BadValue("records.operation-lastn-max", expression="http.max", most=MOST)
    return int(given[0])


def newest(
    observations: Iterable[Stored], most: int, *, without_errors: bool = True, without_drafts: bool = True
) -> list[Stored]:
    """At most ``most`` of each code, codes in the order of their newest; ``observations`` come newest first.

    ``without_errors``: none that was entered in error. ``without_drafts``: none that only a machine asserts; it would hide
    the last that was measured.
    """
    above: dict[Hashable, Hashable] = {}
    count: dict[Hashable, int] = {}
    kept: list[tuple[Hashable, Stored]] = []

    def root(key: Hashable) -> Hashable:
        while (up := above.setdefault(key, key)) != key:
            above[key] = above[up]
            key = up
        return key

    for stored in observations:
        observation = _decode(stored.body)
        if without_errors and observation.status == "entered-in-error":
            continue
        if without_drafts and only_a_machine((one.system, one.code) for one in observation.meta.security):
            continue
        first, *others = _keys(observation.code)
        for other in others:
            one, two = root(first), root(other)
            if one != two:
                above[two] = one
                count[one] = count.get(one, 0) + count.pop(two, 0)
        group = root(first)
        # Groups that later prove to be one have kept enough: each its own newest.
        if count.get(group, 0) < most:
            kept.append((first, stored))
        count[group] = count.get(group, 0) + 1
    groups: dict[Hashable, list[Stored]] = {}
    for first, stored in kept:
        group_of = groups.setdefault(root(first), [])
        if len(group_of) < most:
            group_of.append(stored)
    return [stored for group_of in groups.values() for stored in group_of]


def _keys(code: _Code) -> list[Any]:
    found: list[Any] = [(coding.system, coding.code) for coding in code.coding if coding.code]
    return found or [code.text.strip().casefold()]
