"""One search value → one test on index rows: codes, ids and units become numbers, everything else slots.

A test that nothing can pass is None: the record does not know the code, the unit or the id.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from xinglin.records.clip import clip_code
from xinglin.records.index.rows import CANONICAL, LONGEST
from xinglin.records.search.nodes import Among, Test
from xinglin.records.search.owners import resource_types
from xinglin.records.search.repository import Lookup, after
from xinglin.standards.fhir.search.query import (
    CompositeValue,
    DateValue,
    NumberValue,
    OfTypeValue,
    QuantityValue,
    ReferenceValue,
    StringValue,
    TextValue,
    TokenValue,
    UriValue,
    Value,
)
from xinglin.standards.han import fold

UCUM = "http://unitsofmeasure.org"


class Comparisons:
    """Fills the flat list of values: ``values[slot]`` is what a slot stands for; slot 0 is the tenant."""

    def __init__(self, lookup: Lookup, fixed: Sequence[Any] = ()) -> None:
        self.lookup = lookup
        self.values: list[Any] = [lookup.tenant, *fixed]

    def slot(self, value: Any) -> int:
        """The place of a new value."""
        self.values.append(value)
        return len(self.values) - 1

    def slots(self, values: Sequence[Any]) -> tuple[int, ...]:
        """Places of a list, padded to a power of two so that lists of many lengths share their SQL."""
        size = 1
        while size < len(values):
            size *= 2
        start = len(self.values)
        self.values.extend(values)
        self.values.extend([values[-1]] * (size - len(values)))
        return tuple(range(start, start + size))

    def listed(self, numbers: Sequence[int]) -> Among | None:
        """The set of the numbers themselves; None for none."""
        return Among("list", self.slots(sorted(set(numbers)))) if numbers else None

    def distinct(self, column: str, table: str, params: Sequence[int]) -> list[int] | None:
        """The distinct values of a column under any of ``params``; None where they are very many."""
        values: list[int] = []
        for param in params:
            found = self.lookup.distinct(table, column, param)
            if found is None:
                return None
            values += found
        return values

    # Tokens and URIs

    def token(self, value: Value | bool, params: Sequence[int], modifier: str | None) -> list[int] | Among:
        """The numbers that a token, a URI or the words of `:text` stand for."""
        if isinstance(value, OfTypeValue):
            return self.code(value.system, f"{value.code}|{value.value}")
        if isinstance(value, UriValue):
            return self.uri(value.uri, modifier)
        if isinstance(value, TextValue | StringValue):
            return self.text(value.text, params)
        if not isinstance(value, TokenValue):
            return []
        if value.code is None:
            return self.system(value.system or "", params)
        return self.code(value.system, value.code)

    def code(self, system: str | None, code: str) -> list[int] | Among:
        folded = fold(clip_code(code))
        system = None if system is None else clip_code(system)
        found = self.lookup.terms(system, folded)
        if found is not None:
            return found
        if system is None:
            return Among("code", (self.slot(folded),))
        return Among("coded", (self.slot(system), self.slot(folded)))

    def system(self, system: str, params: Sequence[int]) -> list[int] | Among:
        system = clip_code(system)
        distinct = self.distinct("value", "ix_token", params)
        if distinct is None:
            return Among("system", (self.slot(system),))
        return self.lookup.of_system(distinct, system)

    def text(self, text: str, params: Sequence[int]) -> list[int] | Among:
        distinct = self.distinct("value", "ix_token", params)
        if distinct is None:
            return Among("text", (self.slot(" " + fold(text)),))
        return self.lookup.with_text(distinct, fold(text))

    def uri(self, uri: str, modifier: str | None) -> list[int] | Among:
        if modifier == "above":
            numbers: list[int] = []
            for one in ancestors(uri):
                numbers += self.lookup.uri(clip_code(one)) or []
            return numbers
        if modifier != "below":
            return self.lookup.uri(clip_code(uri)) or []
        found = self.lookup.uri(uri, below=True)
        if found is not None:
            return found
        stem = uri.rstrip("/") + "/"
        return Among("below", (self.slot(uri), self.slot(stem), self.slot(after(stem))))

    # References

    def reference(self, value: Value | bool, targets: Sequence[str]) -> list[int]:
        """The numbers of the entities that a reference value may mean."""
        if not isinstance(value, ReferenceValue):
            return []
        if value.url is not None:
            url = f"{value.url}|{value.version}" if value.version else value.url
            return self.lookup.entities(("",), clip_code(url))
        if value.type is not None:
            return self.lookup.entities((value.type,), value.id or "")
        types = resource_types() if not targets or "Resource" in targets else targets
        return self.lookup.entities(types, value.id or "")

    # Strings

    def string(self, value: Value | bool, modifier: str | None) -> Test | None:
        if not isinstance(value, StringValue):
            return None
        folded = fold(value.text)
        if modifier == "exact":
            return Test("exact", (self.slot(folded[:LONGEST]), self.slot(clip_code(value.text))))
        if modifier == "contains":
            return Test("contains", (self.slot(folded),))
        if len(folded) > LONGEST:
            return None
        return Test("prefix", (self.slot(folded), self.slot(after(folded))))

    # Dates, numbers, quantities

    def date(self, value: Value | bool) -> Test | None:
        if not isinstance(value, DateValue):
            return None
        return Test(f"date-{value.prefix}", (self.slot(value.low_us), self.slot(value.high_us)))

    def number(self, value: NumberValue | QuantityValue, scale: Callable[[Decimal], float] = float) -> Test:
        """The comparison alone, on ``low`` and ``high`` of a row; slots are low, value and high."""
        return Test(
            f"number-{value.prefix}",
            (self.slot(scale(value.low)), self.slot(scale(value.value)), self.slot(scale(value.high))),
        )

    def measure(self, value: Value | bool, params: Sequence[int], beside: Among | None = None) -> Test | None:
        """A number or quantity: its units and the comparison; in a composite, ``beside`` the codes of its first part."""
        if isinstance(value, NumberValue):
            return Test("measure", sets=(Among("list", (self.slot(0),)),), parts=(self.number(value),))
        if not isinstance(value, QuantityValue):
            return None
        if value.code is None:
            units = self.units_of(value.system, params, beside)
            return None if units is None else Test("measure", sets=(units,), parts=(self.number(value),))
        if value.system == UCUM:
            from xinglin.standards import ucum

            if ucum.is_valid(value.code):
                code = value.code
                listed = self.listed(self.lookup.units(CANONICAL, ucum.canonical(value.value, code)[1]))
                if listed is None:
                    return None
                comparison = self.number(value, lambda part: float(ucum.canonical(part, code)[0]))
                return Test("measure", sets=(listed,), parts=(comparison,))
        listed = self.listed(self.lookup.units(value.system, clip_code(value.code)))
        return None if listed is None else Test("measure", sets=(listed,), parts=(self.number(value),))

    def units_of(self, system: str | None, params: Sequence[int], beside: Among | None) -> Among | None:
        """All units under ``params`` as written, those of ``system`` where it is given."""
        found: list[int] | None = None
        if beside is None:
            found = self.distinct("unit", "ix_quantity", params)
        elif beside.how == "list":
            codes = {self.values[slot] for slot in beside.slots}
            found = [unit for param in params for unit in self.lookup.paired_units(param, sorted(codes))]
        if found is None:
            return Among("system", (self.slot(system),)) if system else Among("written", ())
        units = self.lookup.as_written(found)
        return self.listed(self.lookup.of_system(units, system) if system else units)

    # Composites

    def pair(self, value: Value | bool, params: Sequence[int]) -> Test | None:
        """All components of one composite value, on one row of ``ix_pair``."""
        if not isinstance(value, CompositeValue):
            return None
        first, *rest = value.parts
        if isinstance(rest[0], ReferenceValue):  # rows hold the target first
            first, rest = rest[0], [first]
        a = self.part(first)
        if a is None:
            return None
        second = rest[0]
        if isinstance(second, TokenValue):
            b = self.part(second)
            return None if b is None else Test("pair-token", sets=(a, b))
        if isinstance(second, QuantityValue):
            measure = self.measure(second, params, a)
            return (
                None
                if measure is None
                else Test("pair-measure", sets=(a, *measure.sets), parts=measure.parts)
            )
        if isinstance(second, NumberValue):
            numbers = tuple(self.number(part) for part in rest if isinstance(part, NumberValue))
            return Test("pair-numbers", sets=(a,), parts=numbers)
        test = self.date(second) or self.string(second, None)
        return None if test is None else Test("pair-other", sets=(a,), parts=(test,))

    def part(self, value: Value) -> Among | None:
        """A token or reference component."""
        if isinstance(value, ReferenceValue):
            return self.listed(self.reference(value, ()))
        if isinstance(value, TokenValue) and value.code is None:
            return Among("system", (self.slot(clip_code(value.system or "")),))
        found = self.token(value, (), None)
        return found if isinstance(found, Among) else self.listed(found)


def ancestors(uri: str) -> list[str]:
    """``uri`` and all that it lies below: cut at each slash behind the authority.

    >>> ancestors("http://a.org/b/c")
    ['http://a.org/b/c', 'http://a.org/b', 'http://a.org']
    """
    found = [uri]
    head = uri.find("://") + 3 if "://" in uri else 0
    while (cut := uri.rfind("/", head)) > 0:
        if uri[:cut] != found[-1]:
            found.append(uri[:cut])
        uri = uri[:cut]
    return found
