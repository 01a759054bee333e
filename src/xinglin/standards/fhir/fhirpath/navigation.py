"""Steps along elements: the closures that read struct attributes.

A *reader* takes an item and gives an item or None (for an element with at most one value) or a list. Readers of several steps
are put together into one, so that a path such as ``Patient.name.given`` costs little more than its loops.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import cache
from operator import attrgetter
from typing import Any, cast

from xinglin.standards.fhir.fhirpath import schema
from xinglin.standards.fhir.fhirpath.schema import Child, Field
from xinglin.standards.fhir.fhirpath.values import Item, Primitive

Reader = Callable[[Item], Any]
ListReader = Callable[[Item], list[Item]]

_NOTHING: list[Item] = []


def reader(child: Child, typed: bool) -> Reader:
    """Reads one element: an item or None, or a list where the element repeats."""
    if child.many:
        return _repeated(child.fields[0], typed)
    if len(child.fields) == 1:
        return _single(child.fields[0], typed)
    return _choice(child.fields, typed)


def _single(field: Field, typed: bool) -> Reader:
    get: Reader = attrgetter(field.attribute)
    kind = field.type
    if not field.primitive:
        return get
    if field.extra is None:
        if not typed:
            return get

        def bare(item: Item) -> Item | None:
            value = get(item)
            return None if value is None else Primitive(value, kind)

        return bare
    get_extra: Reader = attrgetter(field.extra)

    def untyped_value(item: Item) -> Item | None:
        value = get(item)
        if value is None and (extra := get_extra(item)) is not None:
            return Primitive(None, kind, extra)
        return value

    def typed_value(item: Item) -> Item | None:
        value, extra = get(item), get_extra(item)
        return None if value is None and extra is None else Primitive(value, kind, extra)

    return typed_value if typed else untyped_value


def _repeated(field: Field, typed: bool) -> ListReader:
    get: Reader = attrgetter(field.attribute)
    kind = field.type
    if not field.primitive:

        def structs(item: Item) -> list[Item]:
            return get(item) or _NOTHING

        return structs
    get_extra: Reader = attrgetter(field.extra) if field.extra else lambda item: None

    def values(item: Item) -> list[Item]:
        extras = get_extra(item)
        if extras is None and not typed:
            return get(item) or _NOTHING
        found = get(item) or []
        width = max(len(found), len(extras or ()))
        pairs = zip(
            [*found, *[None] * (width - len(found))],
            [*(extras or ()), *[None] * (width - len(extras or ()))],
            strict=True,
        )
        return [
            value if extra is None and not typed else Primitive(value, kind, extra)
            for value, extra in pairs
            if value is not None or extra is not None
        ]

    return values


def _choice(fields: tuple[Field, ...], typed: bool) -> Reader:
    get_all: Reader = attrgetter(*(field.attribute for field in fields))
    singles = tuple(_single(field, typed) for field in fields)
    get_extras: Reader | None = None
    with_extra = [field for field in fields if field.extra]
    if len(with_extra) > 1:
        get_extras = attrgetter(*(field.extra for field in with_extra if field.extra))

    def choice(item: Item) -> Item | None:
        for at, value in enumerate(get_all(item)):
            if value is not None:
                return singles[at](item)
        if get_extras is not None:
            for field, extra in zip(with_extra, get_extras(item), strict=True):
                if extra is not None:
                    return Primitive(None, field.type, extra)
        return None

    return choice


def then(first: Reader, first_many: bool, second: Reader, second_many: bool) -> Reader:
    """Two readers in a row as one; it gives a list if either does."""
    if not first_many:
        if second_many:

            def one_many(item: Item) -> list[Item]:
                middle = first(item)
                return _NOTHING if middle is None else second(middle)

            return one_many

        def one_one(item: Item) -> Item | None:
            middle = first(item)
            return None if middle is None else second(middle)

        return one_one
    if second_many:

        def many_many(item: Item) -> list[Item]:
            found: list[Item] = []
            for middle in first(item):
                found += second(middle)
            return found

        return many_many

    def many_one(item: Item) -> list[Item]:
        return [end for middle in first(item) if (end := second(middle)) is not None]

    return many_one


class Finder:
    """Reads an element of a given name from items of any type; items that have no such element give nothing."""

    __slots__ = ("_by_class", "_by_primitive", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self._by_class: dict[type, ListReader] = {}

    def __call__(self, item: Item) -> list[Item]:
        kind = type(item)
        found = self._by_class.get(kind)
        if found is None:
            found = self._by_class[kind] = self._learn(kind)
        return found(item)

    def _learn(self, kind: type) -> ListReader:
        if kind is Primitive:
            return lambda item: _of_primitive(item, self.name)
        name = schema.name_of(kind)
        child = schema.children(name).get(self.name) if name else None
        return _as_list(child) if child else lambda item: _NOTHING


def _as_list(child: Child) -> ListReader:
    read = reader(child, typed=True)
    if child.many:
        return read

    def listed(item: Item) -> list[Item]:
        value = read(item)
        return _NOTHING if value is None else [value]

    return listed


def _of_primitive(item: Primitive, name: str) -> list[Item]:
    if item.extra is None or name not in ("id", "extension"):
        return _NOTHING
    value = getattr(item.extra, name)
    return value or _NOTHING if name == "extension" else [] if value is None else [value]


@cache
def finder(name: str) -> Finder:
    """The reader of an element by name alone."""
    return Finder(name)


def _class(item: Item) -> Hashable:
    return cast("Hashable", type(item))


@cache
def _child_readers(kind: Any) -> tuple[ListReader, ...]:
    name = schema.name_of(kind)
    return tuple(_as_list(child) for child in schema.children(name).values()) if name else ()


def children(item: Item) -> list[Item]:
    """All child elements of an item, typed, in the order of its type's definition."""
    if type(item) is Primitive:
        return [*_of_primitive(item, "id"), *_of_primitive(item, "extension")]
    return [child for read in _child_readers(_class(item)) for child in read(item)]


def descendants(item: Item) -> list[Item]:
    """All elements below an item, parents before their children."""
    found = children(item)
    for child in found:
        found += children(child) if type(child) is Primitive or _child_readers(_class(child)) else ()
    return found


def extensions(item: Item) -> list[Item]:
    """The extensions of an element or primitive."""
    if type(item) is Primitive:
        return _of_primitive(item, "extension")
    return getattr(item, "extension", None) or _NOTHING


def value(steps: tuple[Child, ...]) -> Reader | None:
    """Reads the bare value at the end of steps that do not repeat, or None where they do or there is a choice.

    Unlike :func:`path`, it gives None for a primitive that has only extensions.
    """
    if not steps or any(child.many or len(child.fields) > 1 for child in steps):
        return None
    result: Reader | None = None
    for child in steps:
        get: Reader = attrgetter(child.fields[0].attribute)
        result = get if result is None else then(result, False, get, False)
    return result


def path(steps: tuple[Child, ...], typed: bool) -> Reader:
    """Reads several elements one after the other; gives a list where any of them repeats."""
    last = len(steps) - 1
    result: Reader | None = None
    many = False
    for at, child in enumerate(steps):
        read = reader(child, typed and at == last)
        result = read if result is None else then(result, many, read, child.many)
        many = many or child.many
    assert result is not None
    return result
