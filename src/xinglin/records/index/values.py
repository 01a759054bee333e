"""One value of a FHIR datatype → the symbolic values that index rows are made of; called by the written functions.

Everything takes generated structs (or their JSON strings and decimals); None never comes in.
"""

from __future__ import annotations

import re
from decimal import Decimal
from functools import lru_cache
from math import nextafter
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from xinglin.records.clip import clip_code
from xinglin.records.index.rows import CANONICAL, LONGEST, Token
from xinglin.standards import ucum
from xinglin.standards.fhir.r4.codes import RESOURCE_TYPES
from xinglin.standards.han import family_forms, fold, given_forms, has_han, name_forms

if TYPE_CHECKING:
    from xinglin.standards.fhir.r4.model import (
        Address,
        CodeableConcept,
        Coding,
        ContactPoint,
        HumanName,
        Identifier,
        Money,
        Quantity,
        Range,
        Reference,
        SampledData,
    )

Text: TypeAlias = tuple[str, str, int]  # norm, exact, kind
Measure: TypeAlias = tuple[str, str, float, float]  # system, code, low, high
Aim: TypeAlias = tuple[str, str, str]  # type and id as rows have them, and the type that resolve() would find

UCUM: Final = "http://unitsofmeasure.org"
CURRENCIES: Final = "urn:iso:std:iso:4217"
INFINITY: Final = float("inf")
NOTHING: Final[Aim] = ("", "", "")
_SAMPLE: Final = re.compile(r"[+-]?\d{1,40}(\.\d{0,40})?([eE][+-]?\d{1,2})?", re.ASCII)
MOST_TEXTS: Final = 200
"""Strings kept of one name or address."""


# Tokens


def concept(value: CodeableConcept) -> list[Token]:
    """One token a coding; one more for the text where no coding shows it."""
    text = value.text
    codings = value.coding
    if codings is None:
        return [("", "", text)] if text else []
    found = []
    for one in codings:
        display = one.display or ""
        if display == text:
            text = None
        if one.code is not None:
            found.append((one.system or "", one.code, display))
        elif one.system is not None or display:
            found.append((one.system or "", "", display))
    if text:
        found.append(("", "", text))
    return found


def coding(value: Coding) -> list[Token]:
    """The coding itself; nothing where it has neither code nor system nor display."""
    if value.code is None and value.system is None and value.display is None:
        return []
    return [(value.system or "", value.code or "", value.display or "")]


def identifier(value: Identifier) -> list[Token]:
    """System and value; the text is that of the identifier's type."""
    if value.value is None and value.system is None:
        return []
    text = (value.type.text or "") if value.type is not None else ""
    return [(value.system or "", value.value or "", text)]


def typed_identifier(value: Identifier) -> list[Token]:
    """For ``:of-type``: the codings of the identifier's type, each code followed by a bar and the identifier's value."""
    if value.type is None or value.value is None:
        return []
    return [
        (one.system or "", f"{one.code}|{value.value}", "")
        for one in value.type.coding or ()
        if one.code is not None
    ]


def contact(value: ContactPoint) -> list[Token]:
    """The number or address, its use standing for a system (R4 search.html#token)."""
    return [] if value.value is None else [(value.use or "", value.value, "")]


# Strings


def exact(value: str) -> str:
    """The text for ``:exact``: of a long one the beginning and a digest."""
    return value if len(value) <= LONGEST else clip_code(value)


def string(value: str) -> list[Text]:
    """One text as written."""
    return [(fold(value)[:LONGEST], exact(value), 0)]


def family(value: str) -> list[Text]:
    """A family name, with pinyin where it is Chinese."""
    return string(value) if value.isascii() else string(value) + _derived(family_forms(value))


def given(value: str) -> list[Text]:
    """A given name, with pinyin and endings where it is Chinese."""
    return string(value) if value.isascii() else string(value) + _derived(given_forms(value))


def whole_name(value: str) -> list[Text]:
    """A name in one piece, with pinyin and endings where it is Chinese."""
    return string(value) if value.isascii() else string(value) + _derived(name_forms(None, (), value))


def human_name(value: HumanName) -> list[Text]:
    """All its parts, and what a Chinese name is found by as a whole."""
    found = []
    han = False
    for part in (value.text, value.family):
        if part is not None:
            found.append((fold(part)[:LONGEST], exact(part), 0))
            han = han or not part.isascii()
    for parts in (value.given, value.prefix, value.suffix):
        for part in parts or ():
            if part is not None:
                found.append((fold(part)[:LONGEST], exact(part), 0))
                han = han or not part.isascii()
    if han:
        names = tuple(part for part in value.given or () if part is not None)
        if has_han("".join((value.family or "", value.text or "", *names))):
            found += _derived(name_forms(value.family, names, value.text))
    return found[:MOST_TEXTS]


def address(value: Address) -> list[Text]:
    """All its parts."""
    found = []
    parts = (
        value.text, value.city, value.district, value.state, value.country, value.postalCode, *(value.line or ()),
    )  # fmt: skip
    for part in parts:
        if part is not None:
            found.append((fold(part)[:LONGEST], exact(part), 0))
    return found[:MOST_TEXTS]


def _derived(forms: tuple[str, ...]) -> list[Text]:
    return [(form[:LONGEST], "", 1) for form in forms]


# References


def aim(reference: str, bases: tuple[str, ...]) -> Aim:
    """Where a literal reference, canonical or URI points.

    >>> aim("Patient/1/_history/2", ()), aim("urn:oid:1.2", ()), aim("#p", ())
    (('Patient', '1', 'Patient'), ('', 'urn:oid:1.2', ''), ('', '', ''))
    """
    return _remembered(reference, bases) if len(reference) <= LONGEST else _aim(reference, bases)


@lru_cache(maxsize=20_000)
def _remembered(reference: str, bases: tuple[str, ...]) -> Aim:
    return _aim(reference, bases)


def _aim(reference: str, bases: tuple[str, ...]) -> Aim:
    if reference.startswith("#"):
        return NOTHING
    local = reference
    for base in bases:
        if reference.startswith(base):
            local = reference[len(base) :]
            break
    parts = local.split("/")
    versioned = len(parts) == 4 and parts[2] == "_history" and parts[3] != ""
    if parts[0] in RESOURCE_TYPES and (len(parts) == 2 or versioned) and parts[1]:
        return parts[0], parts[1], parts[0]
    if len(parts) > 3 and parts[-2] == "_history":
        del parts[-2:]
    elsewhere = parts[-2] if len(parts) > 1 and parts[-2] in RESOURCE_TYPES else ""
    return "", reference, elsewhere


def unresolved(value: Reference, resource: Any) -> str:
    """The type that a reference without a telling literal refers to, by its own word or among the contained; "" unknown."""
    literal = value.reference
    if literal is not None and literal.startswith("#"):
        for one in getattr(resource, "contained", None) or ():
            if one.id == literal[1:]:
                return type(one).__name__
    return value.type or ""


def canonical(value: str, bases: tuple[str, ...]) -> list[Aim]:
    """A canonical URL: itself, and without its version."""
    url, bar, _ = value.partition("|")
    return [aim(value, bases), aim(url, bases)] if bar else [aim(value, bases)]


# Numbers


def number(value: Decimal | int) -> list[Measure]:
    """The one number."""
    point = float(value)
    return [("", "", point, point)]


def number_range(value: Range) -> list[Measure]:
    """A range of plain numbers, whatever unit it has."""
    low = -INFINITY if value.low is None or value.low.value is None else float(value.low.value)
    high = INFINITY if value.high is None or value.high.value is None else float(value.high.value)
    return [] if low == -INFINITY and high == INFINITY else [("", "", low, high)]


def quantity(value: Quantity) -> list[Measure]:
    """As written, by its human unit, and in canonical units; a comparator opens one end."""
    if value.value is None:
        return []
    return _measures(value.value, value.value, value.comparator, value)


def money(value: Money) -> list[Measure]:
    """The amount, its currency standing for the unit."""
    if value.value is None:
        return []
    point = float(value.value)
    return [(CURRENCIES if value.currency else "", value.currency or "", point, point)]


def quantity_range(value: Range) -> list[Measure]:
    """From low to high, open where one is absent, in the unit of whichever is there."""
    low = value.low.value if value.low is not None else None
    high = value.high.value if value.high is not None else None
    unit = value.low if value.low is not None else value.high
    if unit is None or (low is None and high is None):
        return []
    return _measures(low, high, None, unit)


def sampled(value: SampledData) -> list[Measure]:
    """From the lowest to the highest sample, in the origin's unit."""
    origin = value.origin.value
    samples = [_sample(text, value) for text in (value.data or "").split()]
    known = [one for one in samples if one is not None]
    if origin is None or not known:
        return []
    factor = value.factor if value.factor is not None else Decimal(1)
    ends = sorted((origin + min(known) * factor, origin + max(known) * factor))
    return _measures(ends[0], ends[1], None, value.origin)


def _sample(text: str, value: SampledData) -> Decimal | None:
    if text == "E":
        return None
    if text == "L":
        return value.lowerLimit
    if text == "U":
        return value.upperLimit
    if _SAMPLE.fullmatch(text) is None:  # tier 1 takes any text here
        return None
    return Decimal(text)


def _measures(
    low: Decimal | None, high: Decimal | None, comparator: str | None, unit: Quantity
) -> list[Measure]:
    system, code, human = unit.system or "", unit.code or "", unit.unit
    first, last = _ends(low, high, comparator)
    found = [(system, code, first, last)]
    if human is not None and human != code:
        found.append(("", human, first, last))
    if system == UCUM and code:
        try:
            base = ""
            if low is not None:
                low, base = ucum.canonical(low, code)
            if high is not None:
                high, base = ucum.canonical(high, code)
        except ucum.UcumError:
            return found
        first, last = _ends(low, high, comparator)
        found.append((CANONICAL, base, first, last))
    return found


def _ends(low: Decimal | None, high: Decimal | None, comparator: str | None) -> tuple[float, float]:
    first = -INFINITY if low is None else float(low)
    last = INFINITY if high is None else float(high)
    if comparator is not None:
        if comparator[0] == "<":
            return -INFINITY, last if comparator == "<=" else nextafter(last, -INFINITY)
        if comparator[0] == ">":
            return first if comparator == ">=" else nextafter(first, INFINITY), INFINITY
    return (first, last) if first <= last else (last, first)
