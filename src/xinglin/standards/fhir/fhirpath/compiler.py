"""Compiles the syntax tree to closures, with the types of the context known as far as R4 fixes them.

Source: FHIRPath N1 §§3–5; FHIR R4 §2.9 (https://hl7.org/fhir/R4/fhirpath.html).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from xinglin.standards.fhir.fhirpath import navigation, schema
from xinglin.standards.fhir.fhirpath.code import Code, Many, One, Types, constant, nothing
from xinglin.standards.fhir.fhirpath.context import Context
from xinglin.standards.fhir.fhirpath.errors import FhirPathEvaluationError, FhirPathSemanticError
from xinglin.standards.fhir.fhirpath.schema import Child
from xinglin.standards.fhir.fhirpath.syntax import (
    Binary,
    Call,
    Empty,
    Index,
    Indexer,
    Literal,
    Member,
    Node,
    Polarity,
    This,
    Total,
    TypeOperation,
    Variable,
)
from xinglin.standards.fhir.fhirpath.type_names import TypeTest
from xinglin.standards.fhir.fhirpath.values import SYSTEM_TYPES, Item

#: Variables that FHIR fixes. ``%vs-name`` and ``%ext-name`` are made from their names.
_FIXED = {
    "ucum": "http://unitsofmeasure.org",
    "sct": "http://snomed.info/sct",
    "loinc": "http://loinc.org",
}


@dataclass(frozen=True, slots=True)
class Scope:
    """What an expression can see: the types of ``$this``, of ``%resource`` and ``%context``, and of ``$total``."""

    this: Types
    resource: Types = None
    context: Types = None
    total: Types = None
    iterating: bool = False
    aggregating: bool = False
    strict: bool = False

    def within(self, types: Types) -> Scope:
        """The scope of an argument that is evaluated once for each item of the input."""
        return replace(self, this=types, iterating=True)

    def compile(self, node: Node) -> Code:
        """The code of a node.

        Raises
        ------
        FhirPathSemanticError
            The node names what its context does not have.
        """
        return _COMPILERS[type(node)](self, node)

    def this_code(self) -> Code:
        """``$this``"""
        if self.this is not None and not self.this:
            return nothing()
        return Code(self.this, build_one=lambda typed: _this, steps=())


def _this(this: Item, context: Context) -> Item:
    return this


def _literal(scope: Scope, node: Literal) -> Code:
    return constant(node.value, f"System.{SYSTEM_TYPES[type(node.value)]}")


def _empty(scope: Scope, node: Empty) -> Code:
    return nothing()


def _this_node(scope: Scope, node: This) -> Code:
    return scope.this_code()


def _index(scope: Scope, node: Index) -> Code:
    if not scope.iterating:
        raise FhirPathSemanticError("standards.fhirpath-outside", name="$index", position=node.at)
    return Code(frozenset({"System.Integer"}), build_one=lambda typed: lambda this, context: context.index)


def _total(scope: Scope, node: Total) -> Code:
    if not scope.aggregating:
        raise FhirPathSemanticError("standards.fhirpath-outside", name="$total", position=node.at)
    return Code(None, build_many=lambda typed: lambda this, context: context.total)


def _variable(scope: Scope, node: Variable) -> Code:
    name = node.name
    if name in _FIXED:
        return constant(_FIXED[name], "System.String")
    if name.startswith("vs-"):
        return constant(f"http://hl7.org/fhir/ValueSet/{name[3:]}", "System.String")
    if name.startswith("ext-"):
        return constant(f"http://hl7.org/fhir/StructureDefinition/{name[4:]}", "System.String")
    if name == "resource":
        return Code(scope.resource, build_one=lambda typed: lambda this, context: context.resource)
    if name == "rootResource":
        return Code(None, build_one=lambda typed: lambda this, context: context.root)
    if name == "context":
        return Code(scope.context, build_one=lambda typed: lambda this, context: context.context)

    def many(this: Item, context: Context) -> list[Item]:
        if name not in context.variables:
            raise FhirPathEvaluationError("standards.fhirpath-variable", name=name, position=node.at)
        value = context.variables[name]
        return value if isinstance(value, list) else [] if value is None else [value]

    return Code(None, build_many=lambda typed: many)


def _member(scope: Scope, node: Member) -> Code:
    if node.input is not None:
        return step(scope.compile(node.input), node.name, node.at)
    this = scope.this_code()
    if node.name[:1].isupper() and schema.is_type(node.name) and not _has_child(this.types, node.name):
        return _type_root(scope, this, node)
    return step(this, node.name, node.at)


def _has_child(types: Types, name: str) -> bool:
    return types is not None and any(name in schema.children(one) for one in types)


def _type_root(scope: Scope, this: Code, node: Member) -> Code:
    """A type's name at the start of a path: the context itself where it is of that type."""
    if this.empty:
        return this
    if this.types is not None and not this.types & schema.OPEN:
        matching = frozenset(one for one in this.types if schema.is_subtype(one, node.name))
        if matching == this.types:
            return this
        if not matching:
            if scope.strict:
                raise FhirPathSemanticError(
                    "standards.fhirpath-context", name=node.name, context=_names(this.types), position=node.at
                )
            return nothing()
    test = TypeTest.named(node.name)

    def one(this: Item, context: Context) -> Item | None:
        return this if test(this) else None

    return Code(frozenset({node.name}), build_one=lambda typed: one)


def _names(types: Types) -> str:
    return " | ".join(sorted(types)) if types else "?"


def step(source: Code, name: str, at: int = 0) -> Code:
    """The elements ``name`` of the items of ``source``.

    Raises
    ------
    FhirPathSemanticError
        None of the source's types has such an element.
    """
    if source.empty:
        return source
    if source.types is None or source.types & schema.OPEN:
        known = (
            schema.children(next(iter(source.types))).get(name)
            if source.types is not None and len(source.types) == 1
            else None
        )
        return _found_step(
            source, name, known.types if known else None, single=bool(known and not known.many)
        )
    found = {one: schema.children(one).get(name) for one in source.types}
    children = [child for child in found.values() if child is not None]
    if not children:
        raise FhirPathSemanticError(
            "standards.fhirpath-element", name=name, context=_names(source.types), position=at
        )
    if len(found) == 1 and not source.types & schema.PRIMITIVES.keys():
        return _known_step(source, children[0])
    types = frozenset().union(*(child.types for child in children))
    return _found_step(source, name, types, single=not any(child.many for child in children))


def _known_step(source: Code, child: Child) -> Code:
    result = _walk(source, child)
    if len(child.fields) > 1:
        result.narrow = lambda name: _narrowed(source, child, name)
    return result


def _narrowed(source: Code, child: Child, name: str) -> Code:
    fields = tuple(
        field
        for field in child.fields
        if field.type == name or (name not in schema.PRIMITIVES and schema.is_subtype(field.type, name))
    )
    return _walk(source, replace(child, fields=fields)) if fields else nothing()


def _walk(source: Code, child: Child) -> Code:
    if source.steps is not None:
        steps = (*source.steps, child)
        many = any(one.many for one in steps)

        def fused(typed: bool) -> Any:
            read = navigation.path(steps, typed)
            return lambda this, context: read(this)

        return Code(
            child.types,
            build_one=None if many else fused,
            build_many=fused if many else None,
            steps=steps,
        )
    return _over(source, lambda typed: navigation.reader(child, typed), child.many, child.types, False)


def _found_step(source: Code, name: str, types: Types, single: bool) -> Code:
    finder = navigation.finder(name)
    if single:
        return _over(source, lambda typed: lambda item: next(iter(finder(item)), None), False, types, True)
    return _over(source, lambda typed: finder, True, types, True)


def _over(
    source: Code, build: Callable[[bool], navigation.Reader], many: bool, types: Types, typed_source: bool
) -> Code:
    """A reader applied to each item of a source that is more than a path."""
    if source.single and not many:

        def build_one(typed: bool) -> One:
            get, read = source.one(typed_source), build(typed)

            def one(this: Item, context: Context) -> Item | None:
                item = get(this, context)
                return None if item is None else read(item)

            return one

        return Code(types, build_one=build_one)

    def build_many(typed: bool) -> Many:
        get, read = source.many(typed_source), build(typed)
        if many:
            return lambda this, context: [end for item in get(this, context) for end in read(item)]
        return lambda this, context: [end for item in get(this, context) if (end := read(item)) is not None]

    return Code(types, build_many=build_many, ordered=source.ordered)


def _call(scope: Scope, node: Call) -> Code:
    from xinglin.standards.fhir.fhirpath.functions import build

    return build(scope, node)


def _indexer(scope: Scope, node: Indexer) -> Code:
    from xinglin.standards.fhir.fhirpath.functions.subsetting import item_at

    return item_at(scope, scope.compile(node.input), scope.compile(node.index), node.at)


def _binary(scope: Scope, node: Binary) -> Code:
    from xinglin.standards.fhir.fhirpath.operators import binary

    return binary(scope, node)


def _polarity(scope: Scope, node: Polarity) -> Code:
    from xinglin.standards.fhir.fhirpath.operators import polarity

    return polarity(scope, node)


def _type_operation(scope: Scope, node: TypeOperation) -> Code:
    from xinglin.standards.fhir.fhirpath.functions.types import type_operation

    return type_operation(scope, node)


_COMPILERS: dict[type[Node], Callable[[Scope, Any], Code]] = {
    Literal: _literal,
    Empty: _empty,
    This: _this_node,
    Index: _index,
    Total: _total,
    Variable: _variable,
    Member: _member,
    Call: _call,
    Indexer: _indexer,
    Binary: _binary,
    Polarity: _polarity,
    TypeOperation: _type_operation,
}
