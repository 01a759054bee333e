"""Utility: trace, now, today, timeOfDay.

Source: FHIRPath N1 §5.9.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from xinglin.standards.fhir.fhirpath.code import Code, Many
from xinglin.standards.fhir.fhirpath.compiler import Scope
from xinglin.standards.fhir.fhirpath.context import Context
from xinglin.standards.fhir.fhirpath.functions.registry import function, value_of_kind
from xinglin.standards.fhir.fhirpath.syntax import Call
from xinglin.standards.fhir.fhirpath.temporal import Date, DateTime, Time
from xinglin.standards.fhir.fhirpath.values import Item


@function("trace", 1, 2)
def _trace(scope: Scope, source: Code, call: Call) -> Code:
    """The input unchanged; the caller's ``trace``, if any, is told the name and the items."""
    name_of = value_of_kind(scope.compile(call.arguments[0]), "String", "trace", call.at)
    project = (
        scope.within(source.types).compile(call.arguments[1]).many(True) if len(call.arguments) > 1 else None
    )

    def build(typed: bool) -> Many:
        many = source.many(typed or project is not None)

        def traced(this: Item, context: Context) -> list[Item]:
            items = many(this, context)
            if context.trace is not None:
                shown = items if project is None else [x for item in items for x in project(item, context)]
                context.trace(name_of(this, context) or "", shown)
            return items

        return traced

    if source.single:
        return Code(source.types, build_one=lambda typed: Code(None, build_many=build).one(typed))
    return Code(source.types, build_many=build, ordered=source.ordered)


def _moment(name: str, type_name: str, part: Callable[[DateTime], Any]) -> None:
    types = frozenset({f"System.{type_name}"})

    @function(name)
    def builder(scope: Scope, source: Code, call: Call) -> Code:
        def one(this: Item, context: Context) -> Item:
            return part(context.moment)

        return Code(types, build_one=lambda typed: one)


_moment("now", "DateTime", lambda moment: moment)
_moment("today", "Date", lambda moment: Date(moment.parts[:3]))
_moment("timeOfDay", "Time", lambda moment: Time(moment.parts[3:]))
