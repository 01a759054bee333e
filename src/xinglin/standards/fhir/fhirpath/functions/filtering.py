"""Filtering and projection: where, select, repeat, aggregate, sort.

Source: FHIRPath N1 §5.2, §7 (aggregates); FHIRPath 3.0.0-ballot, sort.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cmp_to_key
from typing import Any

from xinglin.standards.fhir.fhirpath.code import Code, Many, boolean_one, value_one
from xinglin.standards.fhir.fhirpath.compiler import Scope
from xinglin.standards.fhir.fhirpath.context import Context
from xinglin.standards.fhir.fhirpath.errors import FhirPathEvaluationError
from xinglin.standards.fhir.fhirpath.functions.registry import counts, function, needs_types
from xinglin.standards.fhir.fhirpath.syntax import Call, Node, Polarity, This
from xinglin.standards.fhir.fhirpath.values import Distinct, Item, compare

#: repeat() ends here: what goes on growing is an error, not a full memory. Real trees are a few dozen levels deep.
MAX_REPEATED = 100_000
MAX_LEVELS = 500


def indexed(closure: Callable[[Item, Any], Any]) -> Callable[[Item, Any, int], Any]:
    """The closure with ``$index`` set, and the outer one restored afterwards."""

    def at(item: Item, context: Context, index: int) -> Any:
        outer, context.index = context.index, index
        try:
            return closure(item, context)
        finally:
            context.index = outer

    return at


def filtered(scope: Scope, source: Code, criteria: Node) -> Code:
    """``source.where(criteria)``"""
    if source.empty:
        return source
    truth = boolean_one(scope.within(source.types).compile(criteria))
    typed = needs_types(source)
    if source.single:
        item_of = source.one(typed)

        def one(this: Item, context: Context) -> Item | None:
            item = item_of(this, context)
            return item if item is not None and truth(item, context) is True else None

        if not counts((criteria,)):
            return Code(source.types, build_one=lambda _: one)
    items = source.many(typed)
    if counts((criteria,)):
        truth_at = indexed(truth)

        def numbered(this: Item, context: Context) -> list[Item]:
            return [
                item for at, item in enumerate(items(this, context)) if truth_at(item, context, at) is True
            ]

        return Code(source.types, build_many=lambda _: numbered, ordered=source.ordered)

    def many(this: Item, context: Context) -> list[Item]:
        return [item for item in items(this, context) if truth(item, context) is True]

    return Code(source.types, build_many=lambda _: many, ordered=source.ordered)


@function("where", 1)
def _where(scope: Scope, source: Code, call: Call) -> Code:
    return filtered(scope, source, call.arguments[0])


@function("select", 1)
def _select(scope: Scope, source: Code, call: Call) -> Code:
    inner = scope.within(source.types).compile(call.arguments[0])
    items = source.many(needs_types(source))
    numbered = counts(call.arguments)

    def build(typed: bool) -> Many:
        project = inner.many(typed)
        if numbered:
            project_at = indexed(project)
            return lambda this, context: [
                end for at, item in enumerate(items(this, context)) for end in project_at(item, context, at)
            ]
        return lambda this, context: [end for item in items(this, context) for end in project(item, context)]

    return Code(inner.types, build_many=build, ordered=source.ordered and inner.ordered)


@function("repeat", 1)
def _repeat(scope: Scope, source: Code, call: Call) -> Code:
    inner = scope.within(source.types).compile(call.arguments[0])
    if inner.types != source.types:
        # What the projection gives becomes its input again, so its types are open.
        inner = scope.within(None).compile(call.arguments[0])
    items, project = source.many(True), inner.many(True)

    def many(this: Item, context: Context) -> list[Item]:
        found = Distinct()
        level = items(this, context)
        for _ in range(MAX_LEVELS):
            level = [end for item in level for end in project(item, context) if found.add(end)]
            if not level:
                return found.items
            if len(found.items) > MAX_REPEATED:
                break
        raise FhirPathEvaluationError("standards.fhirpath-repeat", limit=MAX_REPEATED, levels=MAX_LEVELS)

    return Code(inner.types, build_many=lambda typed: many, ordered=False)


@function("aggregate", 1, 2)
def _aggregate(scope: Scope, source: Code, call: Call) -> Code:
    inner_scope = replace(scope.within(source.types), aggregating=True)
    body = inner_scope.compile(call.arguments[0]).many(True)
    start = scope.compile(call.arguments[1]).many(True) if len(call.arguments) > 1 else None
    items = source.many(needs_types(source))

    def many(this: Item, context: Context) -> list[Item]:
        outer_total, outer_index = context.total, context.index
        total = start(this, context) if start else []
        try:
            for at, item in enumerate(items(this, context)):
                context.total, context.index = total, at
                total = body(item, context)
        finally:
            context.total, context.index = outer_total, outer_index
        return total

    return Code(None, build_many=lambda typed: many)


@function("sort", 0, 9)
def _sort(scope: Scope, source: Code, call: Call) -> Code:
    items = source.many(needs_types(source))
    inner = scope.within(source.types)
    keys = []
    for argument in call.arguments or (This(at=call.at),):
        # A minus at the head of a key turns its order round, for strings and dates too.
        descending = isinstance(argument, Polarity) and argument.sign == "-"
        node = argument.operand if isinstance(argument, Polarity) and descending else argument
        keys.append((value_one(inner.compile(node)), descending))

    def order(first: tuple[list[Item], Item], second: tuple[list[Item], Item]) -> int:
        for (_, descending), a, b in zip(keys, first[0], second[0], strict=True):
            # Empty comes after all values.
            answer = (a is None) - (b is None) if a is None or b is None else compare(a, b) or 0
            if answer:
                return -answer if descending else answer
        return 0

    def many(this: Item, context: Context) -> list[Item]:
        found = items(this, context)
        values = [[key(item, context) for key, _ in keys] for item in found]
        ranked = sorted(zip(values, found, strict=True), key=cmp_to_key(order))
        return [item for _, item in ranked]

    return Code(source.types, build_many=lambda typed: many)
