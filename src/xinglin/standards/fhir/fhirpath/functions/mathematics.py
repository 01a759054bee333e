"""Mathematics: abs, ceiling, exp, floor, ln, log, power, round, sqrt, truncate; sum, min, max, avg.

Results that are no finite decimal are rounded to 28 digits. Source: FHIRPath N1 §5.7; FHIRPath 3.0.0-ballot for the aggregates.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, Context, Decimal, InvalidOperation, Overflow
from typing import Any

from xinglin.standards.fhir.fhirpath import quantity
from xinglin.standards.fhir.fhirpath.code import Code, values_many
from xinglin.standards.fhir.fhirpath.compiler import Scope
from xinglin.standards.fhir.fhirpath.context import Context as Evaluation
from xinglin.standards.fhir.fhirpath.errors import FhirPathEvaluationError
from xinglin.standards.fhir.fhirpath.functions.registry import (
    DECIMAL,
    INTEGER,
    NUMBER,
    function,
    pure,
)
from xinglin.standards.fhir.fhirpath.numbers import CONTEXT, divide
from xinglin.standards.fhir.fhirpath.quantity import Quantity
from xinglin.standards.fhir.fhirpath.syntax import Call
from xinglin.standards.fhir.fhirpath.values import Item, compare, to_system, type_name

_WORKING = Context(prec=40, Emin=-999999, Emax=999999)
_RESULT = Context(prec=28, Emin=-999999, Emax=999999)
_MAX_EXPONENT = 10_000  # of exp() and power(): beyond, a result has thousands of digits


def _rounded(value: Decimal) -> Decimal | None:
    if not value.is_finite():
        return None
    result = _RESULT.plus(value)
    short = result.normalize(_RESULT)
    return short if short.as_tuple().exponent in range(-28, 1) else result


def _guarded(compute: Callable[..., Decimal]) -> Callable[..., Decimal | None]:
    def guarded(*values: Any) -> Decimal | None:
        try:
            return _rounded(compute(*(Decimal(value) for value in values)))
        except (InvalidOperation, Overflow, ZeroDivisionError):
            return None

    return guarded


def _absolute(value: Any) -> Any:
    if isinstance(value, Quantity):
        return Quantity(abs(value.value), value.unit)
    if type(value) not in (int, Decimal):
        raise FhirPathEvaluationError(
            "standards.fhirpath-kind-met", name="abs", expected="Decimal", found=type_name(value)
        )
    return abs(value)


def _whole(rounding: str) -> Callable[[Any], int]:
    return lambda value: int(Decimal(value).to_integral_value(rounding))


def _round(value: Any, digits: int = 0) -> Any:
    if isinstance(value, Quantity):
        return Quantity(_round(value.value, digits), value.unit)
    if digits < 0 or digits > 28:
        raise FhirPathEvaluationError("standards.fhirpath-digits", digits=digits)
    if type(value) not in (int, Decimal):
        raise FhirPathEvaluationError(
            "standards.fhirpath-kind-met", name="round", expected="Decimal", found=type_name(value)
        )
    return quantity.round_to(Decimal(value), digits)


def _power(base: Any, exponent: Any) -> Any:
    if isinstance(base, int) and isinstance(exponent, int) and exponent >= 0:
        if exponent * max(base.bit_length(), 1) > _MAX_EXPONENT:
            return None
        return base**exponent
    if abs(exponent) > _MAX_EXPONENT:
        return None
    return _guarded(_WORKING.power)(base, exponent)


pure("abs", "Any", (), None, _absolute)
pure("ceiling", "Decimal", (), INTEGER, _whole(ROUND_CEILING))
pure("floor", "Decimal", (), INTEGER, _whole(ROUND_FLOOR))
pure("truncate", "Decimal", (), INTEGER, _whole(ROUND_DOWN))
pure("round", "Any", ("Integer",), None, _round, optional=1)
pure(
    "exp",
    "Decimal",
    (),
    DECIMAL,
    lambda value: None if abs(value) > _MAX_EXPONENT else _guarded(_WORKING.exp)(value),
)
pure("ln", "Decimal", (), DECIMAL, lambda value: None if value <= 0 else _guarded(_WORKING.ln)(value))
pure("sqrt", "Decimal", (), DECIMAL, lambda value: None if value < 0 else _guarded(_WORKING.sqrt)(value))
pure(
    "log",
    "Decimal",
    ("Decimal",),
    DECIMAL,
    lambda value, base: (
        None
        if value <= 0 or base <= 0 or base == 1
        else _guarded(lambda a, b: _WORKING.divide(_WORKING.ln(a), _WORKING.ln(b)))(value, base)
    ),
)
pure("power", "Decimal", ("Decimal",), NUMBER, _power)


def _aggregate(name: str, compute: Callable[[list[Any]], Any]) -> None:
    @function(name)
    def builder(scope: Scope, source: Code, call: Call) -> Code:
        many = values_many(source)

        def one(this: Item, context: Evaluation) -> Item | None:
            values = [value for item in many(this, context) if (value := to_system(item)) is not None]
            return compute(values) if values else None

        return Code(None, build_one=lambda typed: one)


def _sum(values: list[Any]) -> Any:
    total = values[0]
    for value in values[1:]:
        if isinstance(total, Quantity) and isinstance(value, Quantity):
            total = quantity.add(total, value, 1)
            if total is None:
                return None
        elif type(total) in (int, Decimal) and type(value) in (int, Decimal):
            total = (
                total + value
                if isinstance(total, int) and isinstance(value, int)
                else CONTEXT.add(Decimal(total), Decimal(value))
            )
        else:
            raise FhirPathEvaluationError(
                "standards.fhirpath-kind-met", name="sum", expected="Decimal", found=type_name(value)
            )
    return total


def _average(values: list[Any]) -> Any:
    total = _sum(values)
    count = Decimal(len(values))
    if isinstance(total, Quantity):
        return Quantity(divide(total.value, count) or Decimal(0), total.unit)
    return None if total is None else divide(Decimal(total), count)


def _extreme(sign: int) -> Callable[[list[Any]], Any]:
    def extreme(values: list[Any]) -> Any:
        best = values[0]
        for value in values[1:]:
            order = compare(value, best)
            if order is None:
                return None
            if order == sign:
                best = value
        return best

    return extreme


_aggregate("sum", _sum)
_aggregate("avg", _average)
_aggregate("min", _extreme(-1))
_aggregate("max", _extreme(1))
