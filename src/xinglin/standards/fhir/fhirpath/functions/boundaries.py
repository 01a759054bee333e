"""Boundaries and precision: lowBoundary, highBoundary, precision, comparable.

Source: FHIRPath 3.0.0-ballot, §§5.9 and 6.2 (as the official R4 tests use them).
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal
from typing import Any

from xinglin.standards.fhir.fhirpath import durations, quantity
from xinglin.standards.fhir.fhirpath.code import Code, value_one
from xinglin.standards.fhir.fhirpath.compiler import Scope
from xinglin.standards.fhir.fhirpath.context import Context
from xinglin.standards.fhir.fhirpath.functions.registry import BOOLEAN, INTEGER, function, pure, value_of_kind
from xinglin.standards.fhir.fhirpath.numbers import CONTEXT, written_decimals
from xinglin.standards.fhir.fhirpath.quantity import Quantity
from xinglin.standards.fhir.fhirpath.syntax import Call
from xinglin.standards.fhir.fhirpath.temporal import Date, DateTime, Temporal, Time
from xinglin.standards.fhir.fhirpath.values import Item

_DEFAULT_DECIMALS = 8
_MAX_DECIMALS = 28


def decimal_boundary(value: Decimal, high: bool, digits: int | None) -> Decimal | None:
    """The least or greatest number that would be written as ``value``, to a number of decimal places.

    The boundary lies half a unit of the last written digit away. Where fewer places are asked for, the bound away from zero is
    rounded, the one toward zero cut off, as the official tests have it.

    >>> decimal_boundary(Decimal("1.587"), False, 6), decimal_boundary(Decimal("1.587"), True, 2)
    (Decimal('1.586500'), Decimal('1.59'))
    """
    wanted = _DEFAULT_DECIMALS if digits is None else digits
    if not 0 <= wanted <= _MAX_DECIMALS:
        return None
    half = Decimal(5).scaleb(-written_decimals(value) - 1)
    bound = CONTEXT.add(value, half) if high else CONTEXT.subtract(value, half)
    away = abs(bound) > abs(value)
    return bound.quantize(Decimal(1).scaleb(-wanted), ROUND_HALF_UP if away else ROUND_DOWN, CONTEXT)


def _bound(value: Any, high: bool, digits: int | None) -> Any:
    match value:
        case bool():
            return None
        case int() | Decimal():
            return decimal_boundary(Decimal(value), high, digits)
        case Quantity():
            bound = decimal_boundary(value.value, high, digits)
            return None if bound is None else Quantity(bound, value.unit)
        case Date() | DateTime() | Time():
            return durations.bounded(value, high, digits)
    return None


def _boundary(name: str, high: bool) -> None:
    @function(name, 0, 1)
    def builder(scope: Scope, source: Code, call: Call) -> Code:
        one = value_one(source)
        digits_of: Callable[[Item, Any], Any] | None = None
        if call.arguments:
            digits_of = value_of_kind(scope.compile(call.arguments[0]), "Integer", name, call.at)

        def bound(this: Item, context: Context) -> Item | None:
            value = one(this, context)
            return _bound(value, high, digits_of(this, context) if digits_of else None)

        return Code(None, build_one=lambda typed: bound)


_boundary("lowBoundary", False)
_boundary("highBoundary", True)


def _precision(value: Any) -> int | None:
    match value:
        case bool():
            return None
        case Decimal():
            return written_decimals(value)
        case int():
            return 0
        case Temporal():
            return durations.precision(value)
    return None


pure("precision", "Any", (), INTEGER, _precision)
pure("comparable", "Quantity", ("Quantity",), BOOLEAN, quantity.comparable)
