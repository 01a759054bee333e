"""Existence: empty, exists, all, allTrue …, subsetOf, supersetOf, count, distinct, isDistinct.

Source: FHIRPath N1 §5.1.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from xinglin.standards.fhir.fhirpath.code import Code, boolean_one, values_many
from xinglin.standards.fhir.fhirpath.compiler import Scope
from xinglin.standards.fhir.fhirpath.context import Context
from xinglin.standards.fhir.fhirpath.errors import FhirPathEvaluationError
from xinglin.standards.fhir.fhirpath.functions.filtering import filtered, indexed
from xinglin.standards.fhir.fhirpath.functions.registry import (
    INTEGER,
    boolean,
    check,
    counts,
    function,
    needs_types,
)
from xinglin.standards.fhir.fhirpath.syntax import Call
from xinglin.standards.fhir.fhirpath.values import Distinct, Item, Primitive, distinct


def _present(source: Code, answer: bool) -> Code:
    if source.single:
        one = source.one()
        if answer:
            return boolean(lambda this, context: one(this, context) is not None)
        return boolean(lambda this, context: one(this, context) is None)
    many = source.many()
    if answer:
        return boolean(lambda this, context: len(many(this, context)) > 0)
    return boolean(lambda this, context: len(many(this, context)) == 0)


@function("empty")
def _empty(scope: Scope, source: Code, call: Call) -> Code:
    return _present(source, False)


@function("exists", 0, 1)
def _exists(scope: Scope, source: Code, call: Call) -> Code:
    if not call.arguments:
        return _present(source, True)
    return _present(filtered(scope, source, call.arguments[0]), True)


@function("not")
def _not(scope: Scope, source: Code, call: Call) -> Code:
    truth = boolean_one(source)

    def negated(this: Item, context: Context) -> bool | None:
        value = truth(this, context)
        return None if value is None else not value

    return boolean(negated)


@function("all", 1)
def _all(scope: Scope, source: Code, call: Call) -> Code:
    items = source.many(needs_types(source))
    truth = boolean_one(scope.within(source.types).compile(call.arguments[0]))
    if counts(call.arguments):
        truth_at = indexed(truth)
        return boolean(
            lambda this, context: all(
                truth_at(item, context, at) is True for at, item in enumerate(items(this, context))
            )
        )

    def every(this: Item, context: Context) -> bool:
        return all(truth(item, context) is True for item in items(this, context))

    return boolean(every)


def _over_booleans(name: str, decide: Callable[[list[bool]], bool]) -> None:
    @function(name)
    def builder(scope: Scope, source: Code, call: Call) -> Code:
        check(source, "Boolean", name, call.at)
        items = source.many()

        def decided(this: Item, context: Context) -> bool:
            values: list[Any] = [
                item.value if type(item) is Primitive else item for item in items(this, context)
            ]
            if any(type(value) is not bool for value in values):
                raise FhirPathEvaluationError("standards.fhirpath-boolean", name=name)
            return decide(values)

        return boolean(decided)


_over_booleans("allTrue", all)
_over_booleans("anyTrue", any)
_over_booleans("allFalse", lambda values: not any(values))
_over_booleans("anyFalse", lambda values: not all(values))


def _subset(part: Code, whole: Code) -> Code:
    some, everything = values_many(part), values_many(whole)

    def contained(this: Item, context: Context) -> bool:
        known = Distinct(everything(this, context))
        return all(item in known for item in some(this, context))

    return boolean(contained)


@function("subsetOf", 1)
def _subset_of(scope: Scope, source: Code, call: Call) -> Code:
    return _subset(source, scope.compile(call.arguments[0]))


@function("supersetOf", 1)
def _superset_of(scope: Scope, source: Code, call: Call) -> Code:
    return _subset(scope.compile(call.arguments[0]), source)


@function("count")
def _count(scope: Scope, source: Code, call: Call) -> Code:
    many = source.many()
    return Code(INTEGER, build_one=lambda typed: lambda this, context: len(many(this, context)))


@function("distinct")
def _distinct(scope: Scope, source: Code, call: Call) -> Code:
    if source.single:
        return source

    def build(typed: bool) -> Callable[[Item, Context], list[Item]]:
        many = source.many(True) if typed else values_many(source)
        return lambda this, context: distinct(many(this, context))

    return Code(source.types, build_many=build)


@function("isDistinct")
def _is_distinct(scope: Scope, source: Code, call: Call) -> Code:
    many = values_many(source)

    def unrepeated(this: Item, context: Context) -> bool:
        items = many(this, context)
        return len(distinct(items)) == len(items)

    return boolean(unrepeated)
