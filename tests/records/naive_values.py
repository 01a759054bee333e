"""What one element looks like to a search: its tokens, texts, instants and measures; part of the naive search.

It knows nothing of index rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from xinglin.standards import ucum
from xinglin.standards.fhir.search.implied import SPECIAL_VALUES
from xinglin.standards.fhir.search.query import (
    DateValue,
    NumberValue,
    QuantityValue,
    TokenValue,
)
from xinglin.standards.han import family_forms, fold, given_forms, name_forms

UCUM = "http://unitsofmeasure.org"
INF = Decimal("Infinity")
TINY = Decimal("1e-12")


@dataclass(frozen=True, slots=True)
class Found:
    """One item that a search parameter's expression gives: its FHIR type, and the value."""

    type: str
    value: Any
    part_of_name: str = ""  # family, given or text, where the item is that part of a HumanName
    system: str = ""  # what a code's binding implies


def tokens(one: Found) -> list[tuple[str, str]]:
    """System ("" none) and code of a coded value; ("", "") for a concept with words only."""
    value = one.value
    if one.type == "CodeableConcept":
        codings = [(coding.system or "", coding.code or "") for coding in value.coding or ()]
        return codings if any(map(any, codings)) or not value.text else [*codings, ("text", "")]
    if one.type == "Coding":
        return (
            [(value.system or "", value.code or "")]
            if value.system or value.code
            else [("text", "")]
            if value.display
            else []
        )
    if one.type == "Identifier":
        return [(value.system or "", value.value or "")]
    if one.type == "ContactPoint":
        return [(value.use or "", value.value)] if value.value is not None else []
    if one.type == "boolean":
        return [(SPECIAL_VALUES, "true" if value else "false")]
    return [(one.system, str(value))]


def same(token: tuple[str, str], value: TokenValue) -> bool:
    """Systems exactly, codes without regard to case."""
    if value.system is not None and token[0] != value.system:
        return False
    return value.code is None or (bool(token[1]) and fold(token[1]) == fold(value.code))


def texts(one: Found) -> Iterator[str]:
    """The words beside a code."""
    value = one.value
    if one.type == "CodeableConcept":
        if value.text is not None:
            yield value.text
        yield from (coding.display for coding in value.coding or () if coding.display is not None)
    elif one.type == "Coding" and value.display is not None:
        yield value.display
    elif one.type == "Identifier" and value.type is not None and value.type.text is not None:
        yield value.type.text


# Strings


def strings(one: Found) -> Iterator[tuple[str, bool]]:
    """Every text, and whether it is derived (the readings and endings of a Chinese name)."""
    value = one.value
    if one.type == "HumanName":
        names = [part for part in value.given or () if part is not None]
        for part in (value.text, value.family, *names, *(value.prefix or ()), *(value.suffix or ())):
            if part is not None:
                yield part, False
        for form in name_forms(value.family, tuple(names), value.text):
            yield form, True
    elif one.type == "Address":
        parts = (
            value.text,
            value.city,
            value.district,
            value.state,
            value.country,
            value.postalCode,
            *(value.line or ()),
        )
        yield from ((part, False) for part in parts if part is not None)
    elif isinstance(value, str):
        yield value, False
        forms: Iterable[str] = ()
        if one.part_of_name == "family":
            forms = family_forms(value)
        elif one.part_of_name == "given":
            forms = given_forms(value)
        yield from ((form, True) for form in forms)


# Dates


def in_time(row: tuple[int, int], value: DateValue) -> bool:
    """search.html#prefix, on half-open intervals."""
    low, high = row
    inside = low >= value.low_us and high <= value.high_us
    return {
        "eq": inside,
        "ne": not inside,
        "gt": high > value.high_us,
        "lt": low < value.low_us,
        "ge": high > value.high_us or inside,
        "le": low < value.low_us or inside,
        "sa": low >= value.high_us,
        "eb": high <= value.low_us,
        "ap": low < value.high_us and high > value.low_us,
    }[value.prefix]


# Numbers


@dataclass(frozen=True, slots=True)
class Measure:
    low: Decimal
    high: Decimal
    system: str = ""
    code: str = ""
    unit: str = ""


def measures(one: Found, kind: str) -> Iterator[Measure]:
    """What is measured, as closed intervals."""
    value = one.value
    if one.type in ("decimal", "integer", "positiveInt", "unsignedInt"):
        if kind == "number":
            yield Measure(Decimal(value), Decimal(value))
    elif one.type == "Money":
        if value.value is not None:
            system = "urn:iso:std:iso:4217" if value.currency else ""
            yield Measure(value.value, value.value, system, value.currency or "")
    elif one.type == "Range":
        ends = [end for end in (value.low, value.high) if end is not None]
        low = value.low.value if value.low is not None else None
        high = value.high.value if value.high is not None else None
        if low is not None or high is not None:
            plain = kind == "number"
            yield Measure(
                -INF if low is None else low,
                INF if high is None else high,
                "" if plain else ends[0].system or "",
                "" if plain else ends[0].code or "",
                "" if plain else ends[0].unit or "",
            )
    elif one.type == "SampledData":
        factor = value.factor if value.factor is not None else Decimal(1)
        known = {"E": None, "L": value.lowerLimit, "U": value.upperLimit}
        samples = [known[text] if text in known else Decimal(text) for text in (value.data or "").split()]
        places = [value.origin.value + sample * factor for sample in samples if sample is not None]
        if places:
            origin = value.origin
            yield Measure(min(places), max(places), origin.system or "", origin.code or "", origin.unit or "")
    elif kind == "quantity" and getattr(value, "value", None) is not None:
        low = high = value.value
        if value.comparator in ("<", "<="):
            low, high = -INF, value.value if value.comparator == "<=" else value.value - TINY
        if value.comparator in (">", ">="):
            low, high = value.value if value.comparator == ">=" else value.value + TINY, INF
        yield Measure(low, high, value.system or "", value.code or "", value.unit or "")


def measured(one: Measure, value: NumberValue | QuantityValue) -> bool:
    low, high, wanted = one.low, one.high, (value.low, value.value, value.high)
    if isinstance(value, QuantityValue) and (value.system is not None or value.code is not None):
        if value.system == UCUM and value.code is not None and ucum.is_valid(value.code):
            if (
                one.system != UCUM
                or not ucum.is_valid(one.code)
                or not ucum.is_commensurable(one.code, value.code)
            ):
                return False
            low, high = (
                end if end.is_infinite() else ucum.canonical(end, one.code)[0] for end in (low, high)
            )
            start, middle, end = (ucum.canonical(part, value.code)[0] for part in wanted)
            wanted = (start, middle, end)
        elif value.system is None:
            if value.code not in (one.code, one.unit):
                return False
        elif one.system != value.system or value.code not in (None, one.code):
            return False
    start, middle, end = (float(part) for part in wanted)
    first, last = float(low), float(high)
    return {
        "eq": first >= start and last < end,
        "ne": not (first >= start and last < end),
        "gt": last > middle,
        "lt": first < middle,
        "ge": last >= middle,
        "le": first <= middle,
        "sa": first > middle,
        "eb": last < middle,
        "ap": first <= end and last >= start,
    }[value.prefix]
