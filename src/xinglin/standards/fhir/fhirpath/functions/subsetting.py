"""Subsetting: single, first, last, tail, skip, take, intersect, exclude and ``[n]``.

Source: FHIRPath N1 §5.3.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from xinglin.standards.fhir.fhirpath.code import Code, Many, One, values_many
from xinglin.standards.fhir.fhirpath.compiler import Scope
from xinglin.standards.fhir.fhirpath.context import Context
from xinglin.standards.fhir.fhirpath.errors import FhirPathSemanticError
from xinglin.standards.fhir.fhirpath.functions.registry import function, value_of_kind
from xinglin.standards.fhir.fhirpath.syntax import Call
from xinglin.standards.fhir.fhirpath.values import Distinct, Item


def _ordered(scope: Scope, source: Code, name: str, at: int) -> None:
    if scope.strict and not source.ordered:
        raise FhirPathSemanticError("standards.fhirpath-order", name=name, position=at)


def item_at(scope: Scope, source: Code, index: Code, at: int) -> Code:
    """``source[index]``; empty where the index is out of range or negative."""
    _ordered(scope, source, "[]", at)
    number = value_of_kind(index, "Integer", "[]", at)

    def build(typed: bool) -> One:
        many = source.many(typed)
        if index.constant == 0 and index.constant is not False:

            def first(this: Item, context: Context) -> Item | None:
                items = many(this, context)
                return items[0] if items else None

            return first

        def one(this: Item, context: Context) -> Item | None:
            position = number(this, context)
            items = many(this, context)
            return items[position] if position is not None and 0 <= position < len(items) else None

        return one

    return Code(source.types, build_one=build)


@function("first")
def _first(scope: Scope, source: Code, call: Call) -> Code:
    return _end(scope, source, call, 0)


@function("last")
def _last(scope: Scope, source: Code, call: Call) -> Code:
    return _end(scope, source, call, -1)


def _end(scope: Scope, source: Code, call: Call, position: int) -> Code:
    _ordered(scope, source, call.name, call.at)
    if source.single:
        return source

    def build(typed: bool) -> One:
        many = source.many(typed)

        def one(this: Item, context: Context) -> Item | None:
            items = many(this, context)
            return items[position] if items else None

        return one

    return Code(source.types, build_one=build)


@function("single")
def _single(scope: Scope, source: Code, call: Call) -> Code:
    return Code(source.types, build_one=source.one)


@function("tail")
def _tail(scope: Scope, source: Code, call: Call) -> Code:
    return _sliced(scope, source, call, lambda items, _: items[1:])


@function("skip", 1)
def _skip(scope: Scope, source: Code, call: Call) -> Code:
    return _sliced(scope, source, call, lambda items, number: items[max(number, 0) :])


@function("take", 1)
def _take(scope: Scope, source: Code, call: Call) -> Code:
    return _sliced(scope, source, call, lambda items, number: items[: max(number, 0)])


def _sliced(scope: Scope, source: Code, call: Call, cut: Callable[[list[Item], Any], list[Item]]) -> Code:
    _ordered(scope, source, call.name, call.at)
    argument = scope.compile(call.arguments[0]) if call.arguments else None
    number = value_of_kind(argument, "Integer", call.name, call.at) if argument else lambda this, context: 1

    def build(typed: bool) -> Many:
        many = source.many(typed)

        def sliced(this: Item, context: Context) -> list[Item]:
            position = number(this, context)
            return [] if position is None else cut(many(this, context), position)

        return sliced

    return Code(source.types, build_many=build)


@function("intersect", 1)
def _intersect(scope: Scope, source: Code, call: Call) -> Code:
    other = values_many(scope.compile(call.arguments[0]))

    def build(typed: bool) -> Many:
        many = source.many(True) if typed else values_many(source)

        def common(this: Item, context: Context) -> list[Item]:
            known = Distinct(other(this, context))
            return Distinct(item for item in many(this, context) if item in known).items

        return common

    return Code(source.types, build_many=build, ordered=False)


@function("exclude", 1)
def _exclude(scope: Scope, source: Code, call: Call) -> Code:
    other = values_many(scope.compile(call.arguments[0]))

    def build(typed: bool) -> Many:
        many = source.many(True) if typed else values_many(source)

        def rest(this: Item, context: Context) -> list[Item]:
            known = Distinct(other(this, context))
            return [item for item in many(this, context) if item not in known]

        return rest

    return Code(source.types, build_many=build, ordered=source.ordered)
