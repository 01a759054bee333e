"""Combining: union, combine and the operator ``|``.

Source: FHIRPath N1 §5.4, §6.5.1.
"""

from __future__ import annotations

from xinglin.standards.fhir.fhirpath.code import Code, Many, Types, values_many
from xinglin.standards.fhir.fhirpath.compiler import Scope
from xinglin.standards.fhir.fhirpath.context import Context
from xinglin.standards.fhir.fhirpath.functions.registry import function
from xinglin.standards.fhir.fhirpath.syntax import Call
from xinglin.standards.fhir.fhirpath.values import Item, distinct


def _types(codes: list[Code]) -> Types:
    found: frozenset[str] = frozenset()
    for code in codes:
        if code.types is None:
            return None
        found |= code.types
    return found


def union(codes: list[Code]) -> Code:
    """All items of all codes, each once, in the order of their first appearance."""
    parts = [code for code in codes if not code.empty]
    if len(parts) == 1 and parts[0].single:
        return parts[0]
    types = _types(parts)
    constants = [part.constant for part in parts]
    if parts and all(constant is not None for constant in constants):
        fixed = distinct(constants)
        return Code(types, build_many=lambda typed: lambda this, context: fixed, literals=tuple(fixed))

    def build(typed: bool) -> Many:
        # Items of several types must know theirs, so that a date equals a date and not its text.
        mixed = typed or types is None or len(types) > 1
        sources = [part.many(True) if mixed else values_many(part) for part in parts]
        if len(sources) == 1:
            only = sources[0]
            return lambda this, context: distinct(only(this, context))

        def many(this: Item, context: Context) -> list[Item]:
            return distinct([item for source in sources for item in source(this, context)])

        return many

    return Code(types, build_many=build, ordered=False)


@function("union", 1)
def _union(scope: Scope, source: Code, call: Call) -> Code:
    return union([source, scope.compile(call.arguments[0])])


@function("combine", 1, 2)
def _combine(scope: Scope, source: Code, call: Call) -> Code:
    parts = [source, scope.compile(call.arguments[0])]
    types = _types(parts)

    def build(typed: bool) -> Many:
        sources = [part.many(typed or types is None or len(types) > 1) for part in parts]
        return lambda this, context: [item for source in sources for item in source(this, context)]

    return Code(types, build_many=build, ordered=False)
