"""Search without any index: a typed Query answered by looking at every resource, straight from the specification.

Slow and simple on purpose; it shares with the record only the parser, the FHIRPath engine, dates, folding, the readings of
Chinese names and unit conversion, each of which has tests of its own. It knows nothing of index rows.

Source: HL7 FHIR R4 (4.0.1), search.html §3.1.1.4 and §3.1.1.5.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from itertools import chain
from typing import Any

from naive_values import Found, in_time, measured, measures, same, strings, texts, tokens

from xinglin.standards.fhir import temporal
from xinglin.standards.fhir.fhirpath import compile as compile_fhirpath
from xinglin.standards.fhir.r4 import compartments
from xinglin.standards.fhir.r4.parameters import SearchParameter, parameters_of
from xinglin.standards.fhir.search.implied import code_system
from xinglin.standards.fhir.search.query import (
    Chain,
    Compartment,
    CompositeValue,
    Criterion,
    DateValue,
    Has,
    NumberValue,
    OfTypeValue,
    QuantityValue,
    Query,
    ReferenceValue,
    StringValue,
    TextValue,
    TokenValue,
    UriValue,
)
from xinglin.standards.han import fold

_LITERAL = re.compile(r"([A-Z][A-Za-z]+)/([A-Za-z0-9.\-]{1,64})(/_history/[A-Za-z0-9.\-]{1,64})?")
_CODED = {
    "code",
    "Coding",
    "CodeableConcept",
    "Identifier",
    "ContactPoint",
    "boolean",
    "string",
    "id",
    "uri",
    "canonical",
}


@dataclass(slots=True)
class Naive:
    """Resources by type and id, to be searched by looking at each."""

    resources: Sequence[Any]
    zone: tzinfo | None = None
    bases: tuple[str, ...] = ()
    by_name: dict[tuple[str, str], Any] = field(default_factory=dict)
    known: dict[tuple[int, int], list[Found]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.by_name = {(type(one).__name__, one.id): one for one in self.resources}

    def search(self, query: Query) -> set[tuple[str, str]]:
        """Type and id of everything that matches."""
        types = {query.type} if query.type else set(query.types)
        return {
            name
            for name, resource in self.by_name.items()
            if (not types or name[0] in types)
            and (query.compartment is None or self.in_compartment(resource, query.compartment))
            and all(self.meets(resource, one) for one in query.criteria)
        }

    def in_compartment(self, resource: Any, compartment: Compartment) -> bool:
        """Whether one of the compartment's parameters refers to its owner."""
        table: dict[str, tuple[str, ...]] = getattr(compartments, f"{compartment.type.upper()}_COMPARTMENT")
        kind = type(resource).__name__
        named = parameters_of(kind)
        if kind == compartment.type and resource.id == compartment.id:
            return True
        return any(
            self.refers(one, ReferenceValue(compartment.type, compartment.id))
            for name in table.get(kind, ())
            for one in self.items(resource, named[name])
        )

    def sort_value(self, resource: Any, parameter: SearchParameter, *, descending: bool) -> Any:
        """What a resource is ordered by: its first beginning, code or folded text, its last where descending; None without."""
        found: list[Any] = []
        for one in self.items(resource, parameter):
            if parameter.type == "date":
                span = self.span(one)
                found += [] if span is None else [span[0]]
            elif parameter.type == "token":
                found += [code for _, code in tokens(one) if code]
            else:
                found += [fold(text)[:200] for text, derived in strings(one) if not derived]
        return None if not found else max(found) if descending else min(found)

    # Conditions

    def meets(self, resource: Any, condition: Criterion | Chain | Has) -> bool:
        if isinstance(condition, Chain):
            return any(
                self.meets(target, inner)
                for one in self.items(resource, condition.parameter)
                for target in self.targets(one)
                for kind, inner in zip(condition.types, condition.criteria, strict=True)
                if type(target).__name__ == kind
            )
        if isinstance(condition, Has):
            here = ReferenceValue(type(resource).__name__, resource.id)
            return any(
                kind == condition.type
                and any(self.refers(one, here) for one in self.items(other, condition.reference))
                and self.meets(other, condition.criterion)
                for (kind, _), other in self.by_name.items()
            )
        kind = type(resource).__name__
        parameter = next((one for one in condition.also if one.base == kind), condition.parameter)
        if parameter.base not in (kind, "Resource", "DomainResource"):
            return False
        if parameter.name == "_id":
            named = any(isinstance(one, TokenValue) and one.code == resource.id for one in condition.values)
            return named != (condition.modifier == "not")
        items = [one for one in self.items(resource, parameter) if self.present(parameter, one)]
        if condition.modifier == "missing":
            return (not items) == condition.values[0]
        hit = any(
            self.matches(resource, parameter, condition.modifier, one, value)
            for one in items
            for value in condition.values
        )
        return not hit if condition.modifier == "not" else hit

    def items(self, resource: Any, parameter: SearchParameter) -> list[Found]:
        """What the parameter's expression gives."""
        key = (id(resource), parameter.number)
        if key not in self.known:
            self.known[key] = self._items(resource, parameter)
        return self.known[key]

    def _items(self, resource: Any, parameter: SearchParameter) -> list[Found]:
        kind = type(resource).__name__
        found = []
        # Each part of a union apart: the union itself would leave out one of two equal quantities, say < 60 and 60.
        parts = [
            compile_fhirpath(part, kind).evaluate_typed(resource)
            for part in parameter.expression.split(" | ")
        ]
        for name, value in chain.from_iterable(parts):
            short = name.removeprefix("FHIR.").replace("System.Boolean", "boolean")
            if value is None or (parameter.type == "reference" and short[:1].isupper() and short != "Reference"
                                 and short not in parameter.targets):  # fmt: skip
                continue
            part = parameter.expression.rpartition(".")[2] if ".name." in parameter.expression else ""
            found.append(Found(short, value, part, self.implied(parameter, kind) if short == "code" else ""))
        return found

    def implied(self, parameter: SearchParameter, kind: str) -> str:
        """The one system of a code parameter's binding."""
        from xinglin.standards.fhir.r4.elements import ELEMENTS

        here = kind
        element = None
        for name in parameter.expression.removeprefix("Resource.").split(".")[1:]:
            element = ELEMENTS[here].get(name)
            if element is None:
                return ""
            here = element.types[0]
        return code_system(element.binding, element.strength) if element is not None else ""

    # Values

    def present(self, parameter: SearchParameter, one: Found) -> bool:
        """Whether there is something to search by."""
        value = one.value
        if parameter.type == "composite":
            return True
        if parameter.type == "token":
            return one.type in _CODED and any(any(token) for token in tokens(one))
        if parameter.type == "string":
            return any(True for _ in strings(one))
        if parameter.type == "date":
            return self.span(one) is not None
        if parameter.type in ("number", "quantity"):
            return any(True for _ in measures(one, parameter.type))
        return one.type != "Attachment" and value is not None

    def matches(
        self, resource: Any, parameter: SearchParameter, modifier: str | None, one: Found, value: Any
    ) -> bool:
        if isinstance(value, CompositeValue):
            # All components on one item; those of %resource on the whole resource.
            groups = self.components(resource, parameter, one)
            named = parameters_of(parameter.base)
            return all(
                any(self.matches(resource, named[name], None, part, wanted) for part in group)
                for (name, _), group, wanted in zip(parameter.components, groups, value.parts, strict=True)
            )
        if isinstance(value, OfTypeValue):
            return any(
                (coding.system or "") == value.system
                and coding.code is not None
                and fold(f"{coding.code}|{one.value.value}") == fold(f"{value.code}|{value.value}")
                for coding in (one.value.type.coding or () if one.value.type else ())
                if one.value.value is not None
            )
        if modifier == "identifier":
            identifier = getattr(one.value, "identifier", None)
            return identifier is not None and any(
                same(token, value) for token in tokens(Found("Identifier", identifier))
            )
        if isinstance(value, TextValue):
            return any(f" {fold(text)}".find(f" {fold(value.text)}") >= 0 for text in texts(one))
        if isinstance(value, TokenValue):
            return any(same(token, value) for token in tokens(one))
        if isinstance(value, StringValue):
            if modifier == "exact":
                return any(text == value.text for text, derived in strings(one) if not derived)
            if modifier == "contains":
                return any(
                    fold(value.text) in fold(text)[:200] for text, _ in strings(one)
                )  # a bound of the record
            return any(fold(text).startswith(fold(value.text)) for text, _ in strings(one))
        if isinstance(value, ReferenceValue):
            return self.refers(one, value)
        if isinstance(value, UriValue):
            if modifier == "below":
                return one.value == value.uri or one.value.startswith(value.uri.rstrip("/") + "/")
            if modifier == "above":
                return value.uri == one.value or value.uri.startswith(one.value.rstrip("/") + "/")
            return bool(one.value == value.uri)
        if isinstance(value, DateValue):
            span = self.span(one)
            return span is not None and in_time(span, value)
        assert isinstance(value, NumberValue | QuantityValue)
        return any(measured(measure, value) for measure in measures(one, parameter.type))

    def components(self, resource: Any, parameter: SearchParameter, one: Found) -> list[list[Found]]:
        """The items of each component of a composite, in the element ``one``."""
        named = parameters_of(parameter.base)
        expressions = [expression.replace("DateTime", "dateTime") for _, expression in parameter.components]
        if parameter.name == "relationship":  # R4 has them the wrong way round
            expressions.reverse()
        groups = []
        for (name, _), expression in zip(parameter.components, expressions, strict=True):
            found = compile_fhirpath(expression).evaluate_typed(
                one.value, variables={"resource": resource or one.value}
            )
            implied = self.implied(named[name], parameter.base)
            items = [
                Found(type.removeprefix("FHIR."), value, system=implied if type == "FHIR.code" else "")
                for type, value in found
                if value is not None
            ]
            groups.append([item for item in items if self.present(named[name], item)])
        return groups

    # References

    def aim(self, literal: str) -> tuple[str, str] | None:
        """Type and id of a local literal."""
        for base in self.bases:
            literal = literal.removeprefix(base)
        match = _LITERAL.fullmatch(literal)
        return (match[1], match[2]) if match else None

    def literals(self, one: Found) -> list[str]:
        if one.type == "Reference":
            return [one.value.reference] if one.value.reference is not None else []
        if isinstance(one.value, str):
            return [one.value]
        return [f"{one.type}/{one.value.id}"]

    def targets(self, one: Found) -> list[Any]:
        aims = [self.aim(literal) for literal in self.literals(one)]
        return [self.by_name[aim] for aim in aims if aim is not None and aim in self.by_name]

    def refers(self, one: Found, value: ReferenceValue) -> bool:
        for literal in self.literals(one):
            aim = self.aim(literal)
            if value.url is not None:
                wanted = value.url if value.version is None else f"{value.url}|{value.version}"
                if (
                    aim is None
                    and wanted in (literal, literal.partition("|")[0])
                    and not literal.startswith("#")
                ):
                    return True
            elif aim is not None and aim[1] == value.id and value.type in (None, aim[0]):
                return True
        return False

    def span(self, one: Found) -> tuple[int, int] | None:
        """The time that a value covers."""
        if one.type in ("date", "dateTime", "instant"):
            return temporal.interval(one.value, self.zone)
        if one.type == "Period":
            return temporal.period_interval(one.value, self.zone)
        if one.type == "Timing":
            return temporal.timing_interval(one.value, self.zone)
        return None


# Tokens
