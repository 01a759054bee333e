"""Tree navigation: children, descendants.

Source: FHIRPath N1 §5.8.
"""

from __future__ import annotations

from xinglin.standards.fhir.fhirpath import navigation
from xinglin.standards.fhir.fhirpath.code import Code
from xinglin.standards.fhir.fhirpath.compiler import Scope
from xinglin.standards.fhir.fhirpath.context import Context
from xinglin.standards.fhir.fhirpath.functions.registry import function
from xinglin.standards.fhir.fhirpath.syntax import Call
from xinglin.standards.fhir.fhirpath.values import Item


def _below(source: Code, walk: navigation.ListReader) -> Code:
    many = source.many(True)

    def below(this: Item, context: Context) -> list[Item]:
        return [found for item in many(this, context) for found in walk(item)]

    return Code(None, build_many=lambda typed: below, ordered=False)


@function("children")
def _children(scope: Scope, source: Code, call: Call) -> Code:
    return _below(source, navigation.children)


@function("descendants")
def _descendants(scope: Scope, source: Code, call: Call) -> Code:
    return _below(source, navigation.descendants)
