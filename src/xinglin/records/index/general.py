"""Index rows by evaluating a parameter's expression with the FHIRPath engine: for what is no plain walk, and as a check.

Here a code has no implied system, and a part of a name taken alone no pinyin: both come from the place, which the
written functions (`source`) know.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import tzinfo
from typing import Any

from xinglin.records.index import values
from xinglin.records.index.rows import IDENTIFIER, OF_TYPE, IndexRows, Token
from xinglin.records.index.source import MOST_FIRST, MOST_SECOND, components, takes
from xinglin.standards.fhir import temporal
from xinglin.standards.fhir.fhirpath import compile as compile_fhirpath
from xinglin.standards.fhir.r4.codes import RESOURCE_TYPES
from xinglin.standards.fhir.r4.parameters import SearchParameter
from xinglin.standards.fhir.search.implied import SPECIAL_VALUES

_TOKENS: dict[str, Callable[[Any], list[Token]]] = {
    "CodeableConcept": values.concept,
    "Coding": values.coding,
    "Identifier": values.identifier,
    "ContactPoint": values.contact,
}


def general_rows(
    parameter: SearchParameter, resource: Any, bases: tuple[str, ...], zone: tzinfo | None, rows: IndexRows
) -> None:
    """Append the rows of one parameter."""
    found = compile_fhirpath(parameter.expression, type(resource).__name__).evaluate_typed(resource)
    if parameter.type == "composite":
        _pairs(parameter, [item for _, item in found], resource, bases, zone, rows)
        return
    number = parameter.number
    for name, item in found:
        if (
            name.removeprefix("FHIR.") in RESOURCE_TYPES
            and name.removeprefix("FHIR.") not in parameter.targets
        ):
            continue
        for value in symbolic(parameter.type, name, item, bases, zone):
            if parameter.type in ("token", "uri"):
                rows.tokens.append((number, *value))
            elif parameter.type == "string":
                rows.strings.append((number, *value))
            elif parameter.type == "reference":
                rows.references.append((number, *value))
            elif parameter.type == "date":
                rows.dates.append((number, *value))
            else:
                rows.quantities.append((number, *value))
        if name == "FHIR.Identifier":
            rows.tokens.extend((number + OF_TYPE, *token) for token in values.typed_identifier(item))
        if name == "FHIR.Reference" and item.identifier is not None:
            rows.tokens.extend((number + IDENTIFIER, *token) for token in values.identifier(item.identifier))


def symbolic(kind: str, name: str, item: Any, bases: tuple[str, ...], zone: tzinfo | None) -> list[Any]:
    """The values that an item of the type ``name`` (``FHIR.code``, ``System.Boolean``) gives a parameter of type ``kind``.

    Tokens (system, code, text), strings (norm, exact, kind), targets (type, id), intervals or measures; none where the
    kind takes no such type.
    """
    type = name.removeprefix("FHIR.")
    if name.startswith("System."):
        type = name.removeprefix("System.").lower()
    if (
        item is not None and kind == "reference" and type in RESOURCE_TYPES
    ):  # in a Bundle, the resource itself
        return [(type, item.id)] if item.id else []
    if item is None or not takes(kind, type):
        return []
    if kind in ("token", "uri"):
        if type in _TOKENS:
            return list(_TOKENS[type](item))
        if item is True or item is False:
            return [(SPECIAL_VALUES, "true" if item else "false", "")]
        return [("", str(item), "")]
    if kind == "string":
        if type == "HumanName":
            return list(values.human_name(item))
        return list(values.address(item) if type == "Address" else values.string(item))
    if kind == "reference":
        return _targets(type, item, bases)
    if kind == "date":
        if type == "Period":
            found = temporal.period_interval(item, zone)
        elif type == "Timing":
            found = temporal.timing_interval(item, zone)
        else:
            found = temporal.interval(item, zone)
        return [] if found is None else [found]
    if type == "Range":
        return list(values.number_range(item) if kind == "number" else values.quantity_range(item))
    if type == "Money":
        return list(values.money(item))
    if type == "SampledData":
        return list(values.sampled(item))
    return list(values.number(item) if kind == "number" else values.quantity(item))


def _targets(type: str, item: Any, bases: tuple[str, ...]) -> list[tuple[str, str]]:
    if type == "Reference":
        return [values.aim(item.reference, bases)[:2] if item.reference is not None else ("", "")]
    return [
        aim[:2]
        for aim in (values.canonical(item, bases) if type == "canonical" else [values.aim(item, bases)])
    ]


def _pairs(
    parameter: SearchParameter,
    items: list[Any],
    resource: Any,
    bases: tuple[str, ...],
    zone: tzinfo | None,
    rows: IndexRows,
) -> None:
    parted = components(parameter)
    kinds = [kind for kind, _ in parted]
    for item in items:
        parts = []
        for kind, expression in parted:
            # The published tables write DateTime for dateTime.
            made = compile_fhirpath(expression.replace("DateTime", "dateTime"))
            found = made.evaluate_typed(item, variables={"resource": resource})
            parts.append([value for name, one in found for value in symbolic(kind, name, one, bases, zone)])
        # A code that is only a text is none that a composite could ask for.
        first, second = [t for t in parts[0] if t[0] or t[1]][:MOST_FIRST], parts[1][:MOST_SECOND]
        for a in first:
            for b in second:
                row = (parameter.number, a)
                if kinds[1] == "token":
                    rows.pairs.append((*row, b, 0, 0, ""))
                elif kinds[1] == "reference":
                    rows.pairs.append((parameter.number, b, a, 0, 0, ""))
                elif kinds[1] == "quantity":
                    rows.pairs.append((*row, (b[0], b[1], ""), b[2], b[3], ""))
                elif kinds[1] == "date":
                    rows.pairs.append((*row, None, *b, ""))
                elif kinds[1] == "string":
                    rows.pairs.append((*row, None, 0, 0, b[0]))
                elif len(parts) == 2:
                    rows.pairs.append((*row, None, b[2], b[3], ""))
                else:
                    rows.pairs.extend((*row, None, b[2], c[3], "") for c in parts[2][:MOST_SECOND])
