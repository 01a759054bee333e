"""The names a search may use: resource types, their parameters and elements, as the R4 tables have them."""

from __future__ import annotations

import re
from functools import cache
from typing import Final

from xinglin.standards.fhir.r4.codes import RESOURCE_TYPES
from xinglin.standards.fhir.r4.elements import ELEMENTS
from xinglin.standards.fhir.r4.parameters import SearchParameter, parameters_of

__all__ = ["RESOURCE_TYPES", "element_names", "parameter_named", "points_to", "targets"]

_ONE_TYPE: Final = re.compile(r"\.where\(resolve\(\) is ([A-Za-z]+)\)$")
_PLAIN: Final = re.compile(r"[A-Z][A-Za-z]*(\.[a-z][A-Za-z]*)+")


def parameter_named(type: str | None, name: str) -> SearchParameter | None:
    """The parameter of a type, or of every type where ``type`` is None; None where there is none of the name."""
    return _parameters(type).get(name)


def points_to(parameter: SearchParameter, type: str) -> bool:
    """Whether a reference parameter may refer to a resource of ``type``."""
    return type in targets(parameter)


@cache
def targets(parameter: SearchParameter) -> tuple[str, ...]:
    """The types that a reference parameter may refer to, as narrow as its expression and elements make them.

    The tables give ``Observation.patient`` the targets of all that share its definition, Group too; its expression says
    ``where(resolve() is Patient)``.
    """
    listed = parameter.targets or tuple(sorted(RESOURCE_TYPES))
    found: set[str] = set()
    for part in parameter.expression.split("|"):
        match = _ONE_TYPE.search(part)
        narrowed = (match[1],) if match else _element_targets(part.strip())
        if not narrowed:
            return listed
        found.update(narrowed)
    return tuple(one for one in listed if one in found) or listed


def _element_targets(path: str) -> tuple[str, ...]:
    """Of the element at a plain path; empty where the path is more than that or the element refers to anything."""
    if _PLAIN.fullmatch(path) is None:
        return ()
    type, *names = path.split(".")
    for name in names[:-1]:
        element = ELEMENTS.get(type, {}).get(name)
        if element is None or len(element.types) != 1:
            return ()
        type = element.types[0]
    last = ELEMENTS.get(type, {}).get(names[-1]) if names else None
    if last is None or last.types != ("Reference",) or "Resource" in last.targets:
        return ()
    return last.targets


@cache
def element_names(type: str | None) -> frozenset[str]:
    """Top-level elements of a type, choices both by base name and typed; for None those of all types."""
    if type is None:
        return frozenset().union(*(element_names(one) for one in RESOURCE_TYPES))
    names = set()
    for element in ELEMENTS[type].values():
        names.add(element.name)
        if element.choice:
            names.update(element.name + one[0].upper() + one[1:] for one in element.types)
    return frozenset(names)


@cache
def _parameters(type: str | None) -> dict[str, SearchParameter]:
    return parameters_of("Resource" if type is None else type)
