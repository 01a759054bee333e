"""Conversion: toX, convertsToX, iif.

Source: FHIRPath N1 §5.5.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from xinglin.standards.fhir.fhirpath import quantity, temporal
from xinglin.standards.fhir.fhirpath.code import Code, Many, value_one
from xinglin.standards.fhir.fhirpath.compiler import Scope
from xinglin.standards.fhir.fhirpath.context import Context
from xinglin.standards.fhir.fhirpath.errors import FhirPathEvaluationError
from xinglin.standards.fhir.fhirpath.functions.registry import boolean, check, function
from xinglin.standards.fhir.fhirpath.quantity import CALENDAR, Quantity
from xinglin.standards.fhir.fhirpath.syntax import Call
from xinglin.standards.fhir.fhirpath.temporal import Date, DateTime, Time
from xinglin.standards.fhir.fhirpath.values import Item

_TRUE = {"true", "t", "yes", "y", "1", "1.0"}
_FALSE = {"false", "f", "no", "n", "0", "0.0"}
_INTEGER = re.compile(r"[+-]?[0-9]+")
_DECIMAL = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?")
_QUANTITY = re.compile(r"([+-]?[0-9]+(?:\.[0-9]+)?)\s*(?:'([^']+)'|([A-Za-z]+))?")
#: Integer is 32 bits in FHIRPath; 64 are allowed to implementations and needed for Long.
_INTEGER_LIMIT = 2**63


def to_boolean(value: Any) -> bool | None:
    match value:
        case bool():
            return value
        case int() | Decimal():
            return True if value == 1 else False if value == 0 else None
        case str():
            text = value.lower()
            return True if text in _TRUE else False if text in _FALSE else None
    return None


def to_integer(value: Any) -> int | None:
    match value:
        case bool() | int():
            return int(value)
        case str() if _INTEGER.fullmatch(value) and len(value) <= 20:
            number = int(value)
            return number if -_INTEGER_LIMIT <= number < _INTEGER_LIMIT else None
    return None


def to_decimal(value: Any) -> Decimal | None:
    match value:
        case bool():
            return Decimal("1.0") if value else Decimal("0.0")
        case int():
            return Decimal(value)
        case Decimal():
            return value
        case str() if _DECIMAL.fullmatch(value) and len(value) <= 100:
            return Decimal(value)
    return None


def to_string(value: Any) -> str | None:
    match value:
        case bool():
            return "true" if value else "false"
        case Decimal():
            return f"{value:f}"
        case str():
            return value
        case int() | Date() | DateTime() | Time() | Quantity():
            return str(value)
    return None


def to_date(value: Any) -> Date | None:
    match value:
        case Date():
            return value
        case DateTime():
            return Date(value.parts[:3])
        case str():
            return temporal.parse_date(value)
    return None


def to_date_time(value: Any) -> DateTime | None:
    match value:
        case DateTime():
            return value
        case Date():
            return DateTime(value.parts)
        case str():
            return temporal.parse_date_time(value)
    return None


def to_time(value: Any) -> Time | None:
    match value:
        case Time():
            return value
        case str():
            return temporal.parse_time(value.removeprefix("T"))
    return None


def to_quantity(value: Any) -> Quantity | None:
    match value:
        case Quantity():
            return value
        case bool():
            return Quantity(Decimal("1.0") if value else Decimal("0.0"), "1")
        case int() | Decimal():
            return Quantity(Decimal(value), "1")
        case str() if len(value) <= 300 and (found := _QUANTITY.fullmatch(value.strip())):
            number, code, word = found.groups()
            if word is not None and word not in CALENDAR:
                return None
            return quantity.of(Decimal(str(number)), code or word or "1")
    return None


def _register(name: str, convert: Callable[[Any], Any]) -> None:
    types = frozenset({f"System.{name}"})

    @function(f"to{name}", 0, 1 if name == "Quantity" else 0)
    def to(scope: Scope, source: Code, call: Call) -> Code:
        converted = _converter(scope, source, call, convert)
        return Code(types, build_one=lambda typed: converted)

    @function(f"convertsTo{name}", 0, 1 if name == "Quantity" else 0)
    def converts_to(scope: Scope, source: Code, call: Call) -> Code:
        one, converted = value_one(source), _converter(scope, source, call, convert)

        def converts(this: Item, context: Context) -> bool | None:
            return None if one(this, context) is None else converted(this, context) is not None

        return boolean(converts)


def _converter(
    scope: Scope, source: Code, call: Call, convert: Callable[[Any], Any]
) -> Callable[[Item, Any], Any]:
    one = value_one(source)
    if call.arguments:
        unit_of = value_one(scope.compile(call.arguments[0]))

        def to_unit(this: Item, context: Context) -> Quantity | None:
            found, unit = to_quantity(one(this, context)), unit_of(this, context)
            if found is None or unit is None:
                return None
            target = Quantity(Decimal(0), CALENDAR.get(str(unit), str(unit)))
            return quantity.add(target, found, 1)

        return to_unit

    def converted(this: Item, context: Context) -> Any:
        value = one(this, context)
        return None if value is None else convert(value)

    return converted


for _name, _convert in (
    ("Boolean", to_boolean),
    ("Integer", to_integer),
    ("Decimal", to_decimal),
    ("String", to_string),
    ("Date", to_date),
    ("DateTime", to_date_time),
    ("Time", to_time),
    ("Quantity", to_quantity),
):
    _register(_name, _convert)


@function("iif", 2, 3)
def _iif(scope: Scope, source: Code, call: Call) -> Code:
    """``$this`` inside is the input's only item, or nothing; only the branch that is taken is evaluated."""
    if call.input is None:
        full = _branches(scope, call)
        return Code(full[0], build_many=full[1])
    inner = _branches(scope.within(source.types), call)
    none = _branches(scope.within(frozenset()), call)

    def build(typed: bool) -> Many:
        items = source.many(True)
        for_item, for_none = inner[1](typed), none[1](typed)

        def many(this: Item, context: Context) -> list[Item]:
            found = items(this, context)
            if len(found) > 1:
                raise FhirPathEvaluationError("standards.fhirpath-not-single", count=len(found))
            return for_item(found[0], context) if found else for_none(this, context)

        return many

    return Code(inner[0], build_many=build)


def _branches(scope: Scope, call: Call) -> tuple[frozenset[str] | None, Callable[[bool], Many]]:
    condition = scope.compile(call.arguments[0])
    check(condition, "Boolean", "iif", call.at)
    truth = value_one(condition)
    branches = [scope.compile(node) for node in call.arguments[1:]]
    types: frozenset[str] | None = frozenset()
    for branch in branches:
        types = None if types is None or branch.types is None else types | branch.types

    def build(typed: bool) -> Many:
        mixed = typed or types is None or len(types) > 1
        yes = branches[0].many(mixed)
        no = branches[1].many(mixed) if len(branches) > 1 else lambda this, context: []

        def many(this: Item, context: Context) -> list[Item]:
            value = truth(this, context)
            if value is not None and not isinstance(value, bool):
                raise FhirPathEvaluationError("standards.fhirpath-boolean", name="iif")
            return yes(this, context) if value else no(this, context)

        return many

    return types, build
