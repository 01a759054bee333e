"""A resource cut down to the elements asked for: ``_elements`` and ``_summary``, on its own text.

What stays keeps its digits and its order; the result is marked SUBSETTED, so that nobody writes it back as the whole.
Source: HL7 FHIR R4, search.html §3.1.1.5.8–9.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import msgspec

from xinglin.standards.fhir.r4.elements import ELEMENTS
from xinglin.standards.fhir.search.query import Summary

_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_items = msgspec.json.Decoder(list[msgspec.Raw]).decode
_encode = msgspec.json.Encoder().encode
_ALWAYS = ("resourceType", "id", "meta")
SUBSETTED = b'{"system":"http://terminology.hl7.org/CodeSystem/v3-ObservationValue","code":"SUBSETTED"}'

Cut = Callable[[str, bytes], bytes]


def cut(summary: Summary | None, elements: tuple[str, ...]) -> Cut | None:
    """What to do with each body ``(type, body)``; None where bodies stay whole."""
    if elements:
        wanted = frozenset(elements)
        return lambda type_, body: only_elements(type_, body, wanted)
    if summary == "true":
        return only_summary
    if summary == "text":
        return lambda type_, body: only_elements(type_, body, frozenset({"text"}))
    if summary == "data":
        return lambda type_, body: _top(body, lambda name: name != "text")
    return None


def only_elements(type_: str, body: bytes, wanted: frozenset[str]) -> bytes:
    """``body`` with the elements ``wanted``, those that the standard makes mandatory, id and meta.

    A choice may be asked for by its base name: ``value`` gives valueQuantity.
    """
    choices = _choices(type_)
    mandatory = _mandatory(type_)

    def keep(name: str) -> bool:
        plain = name.removeprefix("_")
        base = choices.get(plain, plain)
        return plain in wanted or base in wanted or plain in mandatory or base in mandatory

    return _top(body, keep)


def is_element(type_: str, name: str) -> bool:
    """Whether ``_elements`` can name it for resources of ``type_``: an element at the top, a choice with or without type.

    >>> is_element("Observation", "value"), is_element("Observation", "valueQuantity"), is_element("Patient", "nam")
    (True, True, False)
    """
    return name in ELEMENTS[type_] or name in _choices(type_)


def only_summary(type_: str, body: bytes) -> bytes:
    """``body`` with the elements that the standard marks as summary, at every depth."""
    return _tagged(_summarised(type_, _members(body)))


def _top(body: bytes, keep: Callable[[str], bool]) -> bytes:
    members = _members(body)
    return _tagged({name: raw for name, raw in members.items() if name in _ALWAYS or keep(name)})


def _tagged(members: dict[str, msgspec.Raw]) -> bytes:
    meta = _members(members["meta"]) if "meta" in members else {}
    tags = _items(meta["tag"]) if "tag" in meta else []
    meta["tag"] = msgspec.Raw(b"[" + b",".join([*(bytes(tag) for tag in tags), SUBSETTED]) + b"]")
    return _encode({**members, "meta": msgspec.Raw(_encode(meta))})


def _summarised(type_: str, members: dict[str, msgspec.Raw]) -> dict[str, msgspec.Raw]:
    found: dict[str, msgspec.Raw] = {}
    inner = _summary_elements(type_)
    for name, raw in members.items():
        if name in _ALWAYS:
            found[name] = raw
            continue
        plain = name.removeprefix("_")
        if plain not in inner:
            continue
        backbone = inner[plain]
        if backbone is None or name != plain:
            found[name] = raw
        elif bytes(raw).startswith(b"["):
            parts = [_summarised(backbone, _members(item)) for item in _items(raw)]
            if kept := [_encode(part) for part in parts if part]:
                found[name] = msgspec.Raw(b"[" + b",".join(kept) + b"]")
        elif part := _summarised(backbone, _members(raw)):
            found[name] = msgspec.Raw(_encode(part))
    return found


@cache
def _choices(type_: str) -> dict[str, str]:
    """Typed names of choices and their base: valueQuantity → value."""
    found: dict[str, str] = {}
    for element in ELEMENTS[type_].values():
        if element.choice:
            base = element.name.removesuffix("[x]")
            found.update({base + name[0].upper() + name[1:]: base for name in element.types})
    return found


@cache
def _mandatory(type_: str) -> frozenset[str]:
    """Elements that must be there, by base name, and modifiers, without which the rest could be misread."""
    return frozenset(
        element.name.removesuffix("[x]")
        for element in ELEMENTS[type_].values()
        if element.min > 0 or element.modifier
    )


@cache
def _summary_elements(type_: str) -> dict[str, str | None]:
    """Names in a summary, and for backbone elements the path of their own elements.

    Mandatory elements too, though four of them are not marked: without them clients refuse what they get.
    """
    found: dict[str, str | None] = {}
    for element in ELEMENTS[type_].values():
        if not element.summary and element.min == 0:
            continue
        base = element.name.removesuffix("[x]")
        names = [base + one[0].upper() + one[1:] for one in element.types] if element.choice else [base]
        inner = next((one for one in element.types if "." in one), None)
        found.update(dict.fromkeys(names, inner))
    return found
