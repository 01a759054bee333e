"""The operators: equality, comparison, membership, logic, arithmetic, concatenation, union.

Source: FHIRPath N1 §6.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from xinglin.standards.fhir.fhirpath import durations, quantity
from xinglin.standards.fhir.fhirpath.code import Code, boolean_one, value_one, values_many
from xinglin.standards.fhir.fhirpath.compiler import Scope
from xinglin.standards.fhir.fhirpath.context import Context
from xinglin.standards.fhir.fhirpath.errors import FhirPathEvaluationError, FhirPathSemanticError
from xinglin.standards.fhir.fhirpath.functions.combining import union
from xinglin.standards.fhir.fhirpath.functions.registry import (
    INTEGER,
    NUMBER,
    STRING,
    boolean,
    bounded,
    system_type,
    value_of_kind,
)
from xinglin.standards.fhir.fhirpath.numbers import CONTEXT, divide
from xinglin.standards.fhir.fhirpath.quantity import Quantity
from xinglin.standards.fhir.fhirpath.schema import OPEN
from xinglin.standards.fhir.fhirpath.syntax import Binary, Polarity
from xinglin.standards.fhir.fhirpath.temporal import Date, DateTime, Time
from xinglin.standards.fhir.fhirpath.values import (
    Distinct,
    Item,
    compare,
    equal,
    equal_collections,
    equivalent_collections,
    type_name,
)


def binary(scope: Scope, node: Binary) -> Code:
    """The code of a binary operation."""
    if node.operator == "|":
        return union([scope.compile(part) for part in _operands(node)])
    left, right = scope.compile(node.left), scope.compile(node.right)
    match node.operator:
        case "=" | "!=":
            return _equality(left, right, node.operator == "!=")
        case "~" | "!~":
            return _equivalence(left, right, node.operator == "!~")
        case "<" | "<=" | ">" | ">=":
            return _comparison(left, right, node)
        case "and" | "or" | "xor" | "implies":
            return _logic(boolean_one(left), boolean_one(right), node.operator)
        case "in":
            return _membership(left, right)
        case "contains":
            return _membership(right, left)
        case "&":
            return _concatenation(left, right, node)
    return _arithmetic(left, right, node)


def _operands(node: Binary) -> list[Any]:
    """The operands of a chain of unions, which remove repetitions once for all."""
    left = (
        _operands(node.left) if isinstance(node.left, Binary) and node.left.operator == "|" else [node.left]
    )
    return [*left, node.right]


def _plain_text(code: Code) -> bool:
    """Whether every item is a string, whatever else it is."""
    return bool(code.types) and all(system_type(name) == "String" for name in code.types or ())


def _equality(left: Code, right: Code, negated: bool) -> Code:
    if left.single and right.single:
        a, b = value_one(left), value_one(right)
        if _plain_text(left) and _plain_text(right):
            if right.constant is not None:
                wanted = right.constant

                def is_text(this: Item, context: Context) -> bool | None:
                    first = a(this, context)
                    return None if first is None else (first == wanted) is not negated

                return boolean(is_text)

            def same_text(this: Item, context: Context) -> bool | None:
                first, second = a(this, context), b(this, context)
                if first is None or second is None:
                    return None
                return (first == second) is not negated

            return boolean(same_text)

        def same(this: Item, context: Context) -> bool | None:
            first, second = a(this, context), b(this, context)
            if first is None or second is None:
                return None
            answer = equal(first, second)
            return None if answer is None else answer is not negated

        return boolean(same)
    some, others = values_many(left), values_many(right)
    if not (_plain_text(left) and _plain_text(right)):
        some, others = left.many(True), right.many(True)

    def same_items(this: Item, context: Context) -> bool | None:
        answer = equal_collections(some(this, context), others(this, context))
        return None if answer is None else answer is not negated

    return boolean(same_items)


def _equivalence(left: Code, right: Code, negated: bool) -> Code:
    some, others = left.many(True), right.many(True)

    def alike(this: Item, context: Context) -> bool:
        return equivalent_collections(some(this, context), others(this, context)) is not negated

    return boolean(alike)


_HOLDS: dict[str, Callable[[int], bool]] = {
    "<": lambda order: order < 0,
    "<=": lambda order: order <= 0,
    ">": lambda order: order > 0,
    ">=": lambda order: order >= 0,
}
_ORDERED = (
    frozenset({"Integer", "Decimal", "Quantity"}),
    frozenset({"String"}),
    frozenset({"Date", "DateTime"}),
    frozenset({"Time"}),
)


def _comparison(left: Code, right: Code, node: Binary) -> Code:
    if left.types and right.types and not (left.types | right.types) & OPEN:
        one = {system_type(name) for name in left.types}
        two = {system_type(name) for name in right.types}
        if not any(one & group and two & group for group in _ORDERED):
            raise FhirPathSemanticError(
                "standards.fhirpath-operands",
                operator=node.operator,
                left=" | ".join(sorted(one)),
                right=" | ".join(sorted(two)),
                position=node.at,
            )
    a, b = value_one(left), value_one(right)
    holds = _HOLDS[node.operator]

    def compared(this: Item, context: Context) -> bool | None:
        first, second = a(this, context), b(this, context)
        if first is None or second is None:
            return None
        order = compare(first, second)
        return None if order is None else holds(order)

    return boolean(compared)


def _logic(a: Callable[..., bool | None], b: Callable[..., bool | None], operator: str) -> Code:
    def both(this: Item, context: Context) -> bool | None:
        first = a(this, context)
        if first is False:
            return False
        second = b(this, context)
        if second is False:
            return False
        return True if first and second else None

    def either(this: Item, context: Context) -> bool | None:
        first = a(this, context)
        if first is True:
            return True
        second = b(this, context)
        if second is True:
            return True
        return None if first is None or second is None else False

    def one_only(this: Item, context: Context) -> bool | None:
        first, second = a(this, context), b(this, context)
        return None if first is None or second is None else first is not second

    def implied(this: Item, context: Context) -> bool | None:
        first = a(this, context)
        if first is False:
            return True
        second = b(this, context)
        if second is True:
            return True
        return None if first is None or second is None else False

    return boolean({"and": both, "or": either, "xor": one_only, "implies": implied}[operator])


def _membership(item: Code, collection: Code) -> Code:
    if collection.literals is not None and all(type(value) is str for value in collection.literals):
        known = frozenset(collection.literals)
        if _plain_text(item):
            text = value_one(item)

            def listed(this: Item, context: Context) -> bool | None:
                value = text(this, context)
                return None if value is None else value in known

            return boolean(listed)
    one, many = item.one(True), collection.many(True)

    def contained(this: Item, context: Context) -> bool | None:
        value = one(this, context)
        return None if value is None else value in Distinct(many(this, context))

    return boolean(contained)


def _concatenation(left: Code, right: Code, node: Binary) -> Code:
    a = value_of_kind(left, "String", "&", node.at)
    b = value_of_kind(right, "String", "&", node.at)
    return Code(
        STRING,
        build_one=lambda typed: (
            lambda this, context: bounded((a(this, context) or "") + (b(this, context) or ""))
        ),
    )


_NUMBERS = (int, Decimal)


def _operand_error(operator: str, first: Item, second: Item) -> FhirPathEvaluationError:
    return FhirPathEvaluationError(
        "standards.fhirpath-operands-met", operator=operator, left=type_name(first), right=type_name(second)
    )


def _moved(value: Date | DateTime | Time, amount: Quantity, sign: int) -> Item | None:
    """Date arithmetic: calendar durations, and the UCUM units of definite length up to a week."""
    definite = {"s": "second", "ms": "millisecond", "min": "minute", "h": "hour", "d": "day", "wk": "week"}
    unit = amount.unit if amount.calendar else definite.get(amount.unit)
    if unit is None:
        raise FhirPathEvaluationError("standards.fhirpath-date-unit", unit=amount.unit)
    try:
        return durations.add(value, amount.value * sign, unit)
    except OverflowError:
        return None
    except ValueError:
        raise FhirPathEvaluationError("standards.fhirpath-date-unit", unit=amount.unit) from None


def _sum(first: Item, second: Item, sign: int) -> Item | None:
    operator = "+" if sign > 0 else "-"
    one, two = type(first), type(second)
    if one in _NUMBERS and two in _NUMBERS:
        if one is int and two is int:
            return first + sign * second
        combine = CONTEXT.add if sign > 0 else CONTEXT.subtract
        return combine(Decimal(first), Decimal(second))
    if one is str and two is str and sign > 0:
        return bounded(first + second)
    if one in (Date, DateTime, Time) and two is Quantity:
        return _moved(first, second, sign)
    if one is Quantity and two is Quantity:
        return quantity.add(first, second, sign)
    raise _operand_error(operator, first, second)


def _product(first: Item, second: Item) -> Item | None:
    if type(first) in _NUMBERS and type(second) in _NUMBERS:
        if type(first) is int and type(second) is int:
            return first * second
        return CONTEXT.multiply(Decimal(first), Decimal(second))
    both = _quantities(first, second, "*")
    return quantity.multiply(*both)


def _quotient(first: Item, second: Item) -> Item | None:
    if type(first) in _NUMBERS and type(second) in _NUMBERS:
        return divide(Decimal(first), Decimal(second))
    return quantity.quotient(*_quantities(first, second, "/"))


def _quantities(first: Item, second: Item, operator: str) -> tuple[Quantity, Quantity]:
    if Quantity not in (type(first), type(second)) or not {type(first), type(second)} <= {
        Quantity,
        *_NUMBERS,
    }:
        raise _operand_error(operator, first, second)
    one, two = (
        value if isinstance(value, Quantity) else Quantity(Decimal(value), "1") for value in (first, second)
    )
    return one, two


def _whole_division(first: Item, second: Item) -> Item | None:
    if type(first) not in _NUMBERS or type(second) not in _NUMBERS:
        raise _operand_error("div", first, second)
    if not second:
        return None
    # Decimals are divided exactly: a quotient can have more digits than the context keeps.
    (a, b), (c, d) = Decimal(first).as_integer_ratio(), Decimal(second).as_integer_ratio()
    whole, sign = abs(a * d) // abs(b * c), -1 if (a < 0) != (c < 0) else 1
    return sign * whole


def _remainder(first: Item, second: Item) -> Item | None:
    whole = _whole_division(first, second)
    if whole is None:
        return None
    if type(first) is int and type(second) is int:
        return first - second * whole
    return CONTEXT.subtract(Decimal(first), CONTEXT.multiply(Decimal(second), Decimal(whole)))


def _arithmetic(left: Code, right: Code, node: Binary) -> Code:
    a, b = value_one(left), value_one(right)
    compute: Callable[[Item, Item], Item | None] = {
        "+": lambda first, second: _sum(first, second, 1),
        "-": lambda first, second: _sum(first, second, -1),
        "*": _product,
        "/": _quotient,
        "div": _whole_division,
        "mod": _remainder,
    }[node.operator]

    def computed(this: Item, context: Context) -> Item | None:
        first, second = a(this, context), b(this, context)
        return None if first is None or second is None else compute(first, second)

    return Code(_result(left, right, node.operator), build_one=lambda typed: computed)


def _result(left: Code, right: Code, operator: str) -> frozenset[str] | None:
    if operator == "div":
        return INTEGER
    if not left.types or not right.types:
        return None
    kinds = {system_type(name) for name in left.types | right.types}
    if kinds == {"Integer"}:
        return INTEGER if operator != "/" else frozenset({"System.Decimal"})
    if kinds <= {"Integer", "Decimal"}:
        return NUMBER
    if kinds == {"String"}:
        return STRING
    return None


def polarity(scope: Scope, node: Polarity) -> Code:
    """The code of a sign before a number or quantity."""
    operand = scope.compile(node.operand)
    one = value_one(operand)
    negative = node.sign == "-"

    def signed(this: Item, context: Context) -> Item | None:
        value = one(this, context)
        if value is None:
            return None
        if isinstance(value, Quantity):
            return Quantity(-value.value, value.unit) if negative else value
        if type(value) not in _NUMBERS:
            raise FhirPathEvaluationError("standards.fhirpath-sign", found=type_name(value))
        return -value if negative else value

    constant = signed(None, None) if operand.constant is not None else None  # type: ignore[arg-type]
    return Code(operand.types, build_one=lambda typed: signed, constant=constant)
