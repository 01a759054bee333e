"""Types: is, as, ofType, type and the operators ``is`` and ``as``.

Source: FHIRPath N1 §5.2.4, §6.3, §9 (types and reflection).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from xinglin.standards.fhir.fhirpath.code import Code, Many, One
from xinglin.standards.fhir.fhirpath.compiler import Scope
from xinglin.standards.fhir.fhirpath.context import Context
from xinglin.standards.fhir.fhirpath.errors import FhirPathEvaluationError, FhirPathSemanticError
from xinglin.standards.fhir.fhirpath.functions.registry import boolean, function
from xinglin.standards.fhir.fhirpath.schema import OPEN, is_subtype, resource_types
from xinglin.standards.fhir.fhirpath.syntax import (
    Call,
    Node,
    TypeOperation,
    TypeSpecifier,
    type_specifier,
)
from xinglin.standards.fhir.fhirpath.type_names import TypeTest
from xinglin.standards.fhir.fhirpath.values import Item, type_name


@dataclass(frozen=True, slots=True)
class TypeInfo:
    """What ``type()`` gives: a namespace and a name."""

    namespace: str
    name: str


def _specifier(call: Call) -> TypeSpecifier:
    found = type_specifier(call.arguments[0])
    if found is None:
        raise FhirPathSemanticError("standards.fhirpath-type", name="?", position=call.at)
    return found


def type_operation(scope: Scope, node: TypeOperation) -> Code:
    """``operand is type``, ``operand as type``.

    ``as`` gives the items of the type, however many: R4's own search parameters use it on repeating elements.
    """
    if node.operator == "is":
        return _is(scope, node.operand, scope.compile(node.operand), node.type)
    return of_type(scope.compile(node.operand), node.type)


def _is(scope: Scope, operand: Node | None, source: Code, specifier: TypeSpecifier) -> Code:
    test = TypeTest.of(specifier)
    if isinstance(operand, Call) and operand.name == "resolve" and test.fhir in resource_types() | OPEN:
        return _target_is(scope, operand, test.fhir or "")
    decided = test.decide(source.types, exact=False) if source.types else None
    if decided is not None:
        given = source.one()
        return boolean(lambda this, context: None if given(this, context) is None else decided)
    one = source.one(True)

    def is_of(this: Item, context: Context) -> bool | None:
        item = one(this, context)
        return None if item is None else test(item)

    return boolean(is_of)


def _target_is(scope: Scope, call: Call, wanted: str) -> Code:
    """``resolve() is Type`` reads the type off the reference, so that nothing need be fetched."""
    source = scope.this_code() if call.input is None else scope.compile(call.input)
    one = source.one(True)

    def points_to(this: Item, context: Context) -> bool | None:
        item = one(this, context)
        found = None if item is None else context.type_of_target(item)
        return None if found is None else is_subtype(found, wanted)

    return boolean(points_to)


def of_type(source: Code, specifier: TypeSpecifier) -> Code:
    """The items of a type; a FHIR primitive only where it is of the very type."""
    test = TypeTest.of(specifier)
    if source.empty:
        return source
    if test.fhir is not None and source.narrow is not None and not test.fhir.startswith("System."):
        return source.narrow(test.fhir)
    if source.types is not None:
        decided = test.decide(source.types, exact=True)
        if decided is True:
            return replace(source, narrow=None)
        if decided is False:
            return Code(frozenset(), build_one=lambda typed: lambda this, context: None)
    name = test.fhir if test.fhir is not None else f"System.{test.system}"
    types = frozenset({name}) if test.fhir is None or test.system is None else None
    if source.single:

        def build_one(typed: bool) -> One:
            get = source.one(True)

            def one(this: Item, context: Context) -> Item | None:
                item = get(this, context)
                return item if item is not None and test.exactly(item) else None

            return one

        return Code(types, build_one=build_one)

    def build_many(typed: bool) -> Many:
        get = source.many(True)
        return lambda this, context: [item for item in get(this, context) if test.exactly(item)]

    return Code(types, build_many=build_many, ordered=source.ordered)


@function("is", 1)
def _is_function(scope: Scope, source: Code, call: Call) -> Code:
    return _is(scope, call.input, source, _specifier(call))


@function("as", 1)
def _as_function(scope: Scope, source: Code, call: Call) -> Code:
    """As the operator, but more than one item is an error where the input's type is known.

    R4's invariant dom-3 applies it to ``descendants()``, whose types are not.
    """
    result = of_type(source, _specifier(call))
    if source.single or source.types is None or source.empty:
        return result
    items = source.many()

    def build(typed: bool) -> Many:
        many = result.many(typed)

        def checked(this: Item, context: Context) -> list[Item]:
            if (count := len(items(this, context))) > 1:
                raise FhirPathEvaluationError("standards.fhirpath-not-single", count=count)
            return many(this, context)

        return checked

    return Code(result.types, build_many=build)


@function("ofType", 1)
def _of_type_function(scope: Scope, source: Code, call: Call) -> Code:
    return of_type(source, _specifier(call))


@function("type")
def _type(scope: Scope, source: Code, call: Call) -> Code:
    types = frozenset({"System.TypeInfo"})
    if source.single:
        one = source.one(True)

        def info(this: Item, context: Context) -> Item | None:
            item = one(this, context)
            return None if item is None else _info(item)

        return Code(types, build_one=lambda typed: info)
    many = source.many(True)
    return Code(
        types,
        build_many=lambda typed: lambda this, context: [_info(item) for item in many(this, context)],
        ordered=source.ordered,
    )


def _info(item: Item) -> TypeInfo:
    namespace, _, name = type_name(item).partition(".")
    return TypeInfo(namespace, name)
