"""The items of FHIRPath collections, and what makes two of them equal, equivalent or ordered.

An item is one of

- a System value: bool, int, Decimal, str, Date, DateTime, Time, Quantity;
- a FHIR element or resource: its msgspec struct;
- a FHIR primitive: a :class:`Primitive`, which knows its type, id and extensions; or, where a compiled path knows that nobody
  will ask for them, the bare str, bool, int or Decimal.

None never is an item: a function that gives at most one item gives None for "empty".

Source: FHIRPath N1 §6.1 (equality), §6.2 (comparison); FHIR R4 §2.9 (FHIRPath), "Using FHIR types in expressions".
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from decimal import Decimal
from functools import cache, lru_cache
from typing import Any, cast

import msgspec

from xinglin.standards.fhir.fhirpath import quantity, schema, temporal
from xinglin.standards.fhir.fhirpath.errors import FhirPathEvaluationError
from xinglin.standards.fhir.fhirpath.numbers import decimals
from xinglin.standards.fhir.fhirpath.quantity import Quantity
from xinglin.standards.fhir.fhirpath.temporal import Date, DateTime, Time

Item = Any
UCUM_SYSTEM = "http://unitsofmeasure.org"

#: The System type of each Python class that stands for one.
SYSTEM_TYPES: dict[type, str] = {
    bool: "Boolean",
    int: "Integer",
    Decimal: "Decimal",
    str: "String",
    Date: "Date",
    DateTime: "DateTime",
    Time: "Time",
    Quantity: "Quantity",
}


class Primitive:
    """A FHIR primitive with all there is to know about it.

    ``value`` is None where the element has only an id or extensions; ``extra`` is the struct that holds those, or None.
    """

    __slots__ = ("extra", "type", "value")

    def __init__(self, value: Any, type_name: str, extra: Any = None) -> None:
        self.value = value
        self.type = type_name
        self.extra = extra

    def __repr__(self) -> str:
        return f"{self.type}({self.value!r})"


@lru_cache(maxsize=4096)
def _date(text: str) -> Date | str:
    return temporal.parse_date(text) or text


@lru_cache(maxsize=4096)
def _date_time(text: str) -> DateTime | str:
    return temporal.parse_date_time(text) or text


@lru_cache(maxsize=1024)
def _time(text: str) -> Time | str:
    return temporal.parse_time(text) or text


#: FHIR primitives that are not simply their Python value.
TEMPORAL: dict[str, Callable[[str], Any]] = {
    "date": _date,
    "dateTime": _date_time,
    "instant": _date_time,
    "time": _time,
}


@cache
def _class_is_quantity(kind: Hashable) -> bool:
    return {"value", "unit", "code", "comparator"} <= set(getattr(kind, "__struct_fields__", ()))


def to_system(item: Item) -> Item | None:
    """The System value of an item: dates parsed, FHIR quantities converted; structs of other types as they are.

    None where a primitive has no value. A FHIR Quantity's unit is its UCUM code, else its unit text.
    """
    kind: type[object] = type(item)
    if kind is Primitive:
        value = item.value
        if value is None:
            return None
        convert = TEMPORAL.get(item.type)
        return convert(value) if convert else value
    if _class_is_quantity(cast("Hashable", kind)):
        if item.value is None:
            return item
        unit = item.code if item.code is not None and item.system == UCUM_SYSTEM else (item.unit or item.code)
        return Quantity(Decimal(item.value), unit or "1")
    return item


def type_name(item: Item) -> str:
    """The qualified name of the item's type for messages and ``type()``, e.g. ``System.String``, ``FHIR.Patient``."""
    if type(item) is Primitive:
        return f"FHIR.{item.type}"
    system = SYSTEM_TYPES.get(type(item))
    if system:
        return f"System.{system}"
    return f"FHIR.{schema.name_of(type(item)) or type(item).__name__}"


def equal(first: Item, second: Item) -> bool | None:
    """FHIRPath's ``=`` for two items: True, False, or None where the precision or unit leaves it open."""
    a, b = to_system(first), to_system(second)
    if a is None or b is None:
        return a is b and _extras_equal(first, second)
    one, two = type(a), type(b)
    if one is two:
        if one in (Date, DateTime, Time):
            order = temporal.compare(a, b)
            return None if order is None else order == 0
        return quantity.equal(a, b) if one is Quantity else bool(a == b)
    if one in (int, Decimal) and two in (int, Decimal):
        return bool(a == b)
    if {one, two} == {Date, DateTime}:
        order = temporal.compare(a, b)
        return None if order is None else order == 0
    if Quantity in (one, two) and {one, two} & {int, Decimal}:
        return quantity.equal(_as_quantity(a), _as_quantity(b))
    return False


def _extras_equal(first: Item, second: Item) -> bool:
    return bool(getattr(first, "extra", None) == getattr(second, "extra", None))


def _as_quantity(value: Item) -> Quantity:
    return value if isinstance(value, Quantity) else Quantity(Decimal(value), "1")


def equal_collections(first: list[Item], second: list[Item]) -> bool | None:
    """``=`` for collections: same length, items equal in order; None where one is empty or a pair is undecided."""
    if not first or not second:
        return None
    if len(first) != len(second):
        return False
    undecided = False
    for a, b in zip(first, second, strict=True):
        answer = equal(a, b)
        if answer is False:
            return False
        undecided = undecided or answer is None
    return None if undecided else True


def _normal(text: str) -> str:
    return " ".join(text.casefold().split())


def equivalent(first: Item, second: Item) -> bool:
    """FHIRPath's ``~`` for two items: case and white space aside, numbers at the lesser precision."""
    a, b = to_system(first), to_system(second)
    if a is None or b is None:
        return a is b and _extras_equal(first, second)
    one, two = type(a), type(b)
    if one is str and two is str:
        return _normal(a) == _normal(b)
    if one in (int, Decimal) and two in (int, Decimal):
        digits = min(decimals(Decimal(a)), decimals(Decimal(b)))
        return quantity.round_to(Decimal(a), digits) == quantity.round_to(Decimal(b), digits)
    if Quantity in (one, two) and {one, two} <= {Quantity, int, Decimal}:
        return quantity.equivalent(_as_quantity(a), _as_quantity(b))
    if one is two and isinstance(a, msgspec.Struct):
        return all(
            _equivalent_field(getattr(a, name), getattr(b, name))
            for name in a.__struct_fields__
            if name != "id"
        )
    return equal(a, b) is True


def _equivalent_field(first: Any, second: Any) -> bool:
    if first is None or second is None:
        return first is second
    if isinstance(first, list):
        return equivalent_collections(first, second)
    return equivalent(first, second)


def equivalent_collections(first: list[Item], second: list[Item]) -> bool:
    """``~`` for collections: the same items in any order."""
    if len(first) != len(second):
        return False
    rest = list(second)
    for item in first:
        for at, other in enumerate(rest):
            if equivalent(item, other):
                del rest[at]
                break
        else:
            return False
    return True


def compare(first: Item, second: Item) -> int | None:
    """-1, 0 or 1 for System values; None where the precision or unit leaves the order open.

    Raises
    ------
    FhirPathEvaluationError
        The two have no order among each other.
    """
    one: type[object] = type(first)
    two: type[object] = type(second)
    if one is two and one in (str, int, Decimal):
        return int(first > second) - int(first < second)
    if {one, two} == {int, Decimal}:
        return int(first > second) - int(first < second)
    if one in (Date, DateTime, Time) and two in (Date, DateTime, Time) and (one is Time) == (two is Time):
        return temporal.compare(first, second)
    if Quantity in (one, two) and {one, two} <= {Quantity, int, Decimal}:
        return quantity.compare(_as_quantity(first), _as_quantity(second))
    raise FhirPathEvaluationError(
        "standards.fhirpath-not-ordered", left=type_name(first), right=type_name(second)
    )


def key(item: Item) -> Any:
    """A hashable that equal items share; items with one key may still differ (see :class:`Distinct`)."""
    value = to_system(item)
    kind: type[object] = type(value)
    if kind is str or kind is bool:
        return kind, value
    if kind is int or kind is Decimal:
        return "number", value
    if isinstance(value, temporal.Temporal):
        return "temporal"
    return "quantity" if kind is Quantity else kind


class Distinct:
    """A growing set of items by FHIRPath's equality, in the order of their first appearance."""

    __slots__ = ("_buckets", "items")

    def __init__(self, items: Iterable[Item] = ()) -> None:
        self.items: list[Item] = []
        self._buckets: dict[Any, list[Item]] = {}
        for item in items:
            self.add(item)

    def __contains__(self, item: Item) -> bool:
        code = key(item)
        bucket = self._buckets.get(code)
        if bucket is None:
            return False
        return code.__class__ is tuple or any(equal(item, other) is True for other in bucket)

    def add(self, item: Item) -> bool:
        """Adds the item unless an equal one is there; whether it was added."""
        code = key(item)
        bucket = self._buckets.get(code)
        if bucket is None:
            self._buckets[code] = [item]
        elif code.__class__ is tuple or any(equal(item, other) is True for other in bucket):
            return False
        else:
            bucket.append(item)
        self.items.append(item)
        return True


def distinct(items: list[Item]) -> list[Item]:
    """The items without repetitions; the same list where it has fewer than two."""
    if len(items) < 2:
        return items
    if all(item.__class__ is str for item in items):
        return list(dict.fromkeys(items))
    return Distinct(items).items
