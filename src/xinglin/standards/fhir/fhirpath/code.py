"""A compiled part of an expression: what it gives, and the closures that give it.

A closure takes ``(this, context)``. A *one* gives an item or None; a *many* gives a list, which nobody may change, for it can
be the resource's own. Both come *typed* (every FHIR primitive a :class:`Primitive`) or not (bare values where possible).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from xinglin.standards.fhir.fhirpath import navigation
from xinglin.standards.fhir.fhirpath.errors import FhirPathEvaluationError
from xinglin.standards.fhir.fhirpath.schema import PRIMITIVES, Child
from xinglin.standards.fhir.fhirpath.values import TEMPORAL, Item, Primitive, to_system

One = Callable[[Item, Any], Item | None]
Many = Callable[[Item, Any], list[Item]]

#: The possible types of items; None where only the data can tell.
Types = frozenset[str] | None

_NOTHING: list[Item] = []


@dataclass(slots=True, eq=False)
class Code:
    """A compiled expression; exactly one of ``build_one`` and ``build_many`` is set.

    ``single``: never more than one item. ``ordered``: the order of the items is defined. ``constant``: the value itself, where
    it does not depend on anything. ``literals``: likewise for a collection. ``steps``: the elements walked from ``$this``, where
    that is all that happens. ``narrow``: the same element restricted to one type of a choice.
    """

    types: Types
    build_one: Callable[[bool], One] | None = None
    build_many: Callable[[bool], Many] | None = None
    ordered: bool = True
    constant: Item | None = None
    literals: tuple[Item, ...] | None = None
    steps: tuple[Child, ...] | None = None
    narrow: Callable[[str], Code] | None = None

    @property
    def single(self) -> bool:
        return self.build_one is not None

    @property
    def empty(self) -> bool:
        """Whether it never gives anything."""
        return self.types is not None and not self.types

    def one(self, typed: bool = False) -> One:
        """The closure for at most one item; raises FhirPathEvaluationError where there are more."""
        if self.build_one is not None:
            return self.build_one(typed)
        assert self.build_many is not None
        many = self.build_many(typed)

        def one(this: Item, context: Any) -> Item | None:
            items = many(this, context)
            if len(items) > 1:
                raise FhirPathEvaluationError("standards.fhirpath-not-single", count=len(items))
            return items[0] if items else None

        return one

    def many(self, typed: bool = False) -> Many:
        """The closure for all items."""
        if self.build_many is not None:
            return self.build_many(typed)
        assert self.build_one is not None
        one = self.build_one(typed)

        def many(this: Item, context: Any) -> list[Item]:
            item = one(this, context)
            return _NOTHING if item is None else [item]

        return many


def nothing() -> Code:
    """The empty collection."""
    return Code(frozenset(), build_one=lambda typed: lambda this, context: None)


def constant(value: Item, type_name: str) -> Code:
    """A literal."""
    return Code(frozenset({type_name}), build_one=lambda typed: lambda this, context: value, constant=value)


def value_one(code: Code) -> One:
    """The closure for the System value of at most one item: None where it is empty or without value."""
    if code.constant is not None:
        return code.one()
    convert = conversion(code.types)
    read = navigation.value(code.steps) if code.steps else None
    if read is not None and convert is not to_system:
        return _reading(read, convert)
    one = code.one(typed=convert is to_system)
    if convert is None:

        def plain(this: Item, context: Any) -> Item | None:
            item = one(this, context)
            return item.value if type(item) is Primitive else item

        return plain
    if convert is to_system:

        def general(this: Item, context: Any) -> Item | None:
            item = one(this, context)
            return None if item is None else to_system(item)

        return general
    parse = convert

    def parsed(this: Item, context: Any) -> Item | None:
        item = one(this, context)
        if type(item) is Primitive:
            item = item.value
        return None if item is None else parse(item)

    return parsed


def _reading(read: Callable[[Item], Any], convert: Callable[[Any], Item] | None) -> One:
    if convert is None:
        return lambda this, context: read(this)
    parse = convert

    def parsed(this: Item, context: Any) -> Item | None:
        item = read(this)
        return None if item is None else parse(item)

    return parsed


def conversion(types: Types) -> Callable[[Any], Item] | None:
    """What turns an untyped item of these types into its System value; None where it already is one."""
    if types is None:
        return to_system
    if len(types) == 1:
        (name,) = types
        if name in TEMPORAL:
            return TEMPORAL[name]
    if all(name.startswith("System.") or (name in PRIMITIVES and name not in TEMPORAL) for name in types):
        return None
    return to_system


def values_many(code: Code) -> Many:
    """The closure for all items, as typed as comparing them needs."""
    return code.many(typed=conversion(code.types) is not None)


def boolean_one(code: Code) -> Callable[[Item, Any], bool | None]:
    """The closure for the truth of a collection: None if empty, a Boolean's value, True for any other single item.

    Source: FHIRPath N1 §4.5, singleton evaluation of collections.
    """
    one = code.one()
    if code.types is not None and code.types <= {"System.Boolean"}:
        return cast("Callable[[Item, Any], bool | None]", one)

    def boolean(this: Item, context: Any) -> bool | None:
        item = one(this, context)
        if type(item) is Primitive:
            item = item.value
        return item if item is None or item is False else True

    return boolean
