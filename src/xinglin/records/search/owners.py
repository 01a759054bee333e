"""Which search parameters tie a resource to a patient or another compartment; tables made once from the R4 definitions."""

from __future__ import annotations

import re
from functools import cache

from xinglin.standards.fhir.r4 import compartments
from xinglin.standards.fhir.r4.elements import ELEMENTS
from xinglin.standards.fhir.r4.parameters import PARAMETERS, SearchParameter, parameters_of
from xinglin.standards.fhir.search.known import FIRST_OWN

_PATIENT_ONLY = re.compile(r"\.where\(\s*resolve\(\)\s+is\s+Patient\s*\)")


@cache
def resource_types() -> tuple[str, ...]:
    """Every R4 resource type."""
    return tuple(sorted({base for base, _ in PARAMETERS} - {"Resource", "DomainResource"}))


@cache
def compartment_parameters(base: str, resource_type: str) -> tuple[int, ...]:
    """The numbers of the reference parameters by which ``resource_type`` lies in a compartment of ``base``."""
    definition: dict[str, tuple[str, ...]] = getattr(compartments, f"{base.upper()}_COMPARTMENT")
    known = parameters_of(resource_type)
    return tuple(known[name].number for name in definition.get(resource_type, ()) if name in known)


@cache
def is_owning(resource_type: str, name: str) -> bool:
    """Whether whatever names a Patient under this parameter lies in that Patient's compartment.

    So it is where each path of the parameter is a path of one that the compartment's definition names: ``patient`` of
    Observation is its ``subject`` where that is a Patient.
    """
    owning: set[str] = set()
    known = parameters_of(resource_type)
    for other in compartments.PATIENT_COMPARTMENT.get(resource_type, ()):
        if other in known:
            owning |= paths(known[other].expression)
    return name in known and paths(known[name].expression) <= owning


def paths(expression: str) -> set[str]:
    """The paths that a parameter's expression unites, without the condition that the target be a Patient.

    >>> sorted(paths("A.subject.where(resolve() is Patient) | A.performer"))
    ['A.performer', 'A.subject']
    """
    return {part.strip().strip("()") for part in _PATIENT_ONLY.sub("", expression).split("|")}


@cache
def reference_parameters(resource_type: str) -> tuple[int, ...]:
    """The numbers of all reference parameters of a type, of all types for ``*``."""
    types = resource_types() if resource_type == "*" else (resource_type,)
    return tuple(p.number for name in types for p in parameters_of(name).values() if p.type == "reference")


def single(parameter: SearchParameter) -> bool:
    """`is_single`, for R4's parameters and the site's own."""
    if parameter.number >= FIRST_OWN:
        return parameter.single
    return is_single(parameter.base, parameter.name)


_CAST = re.compile(r"^\(?([A-Z]\w+(?:\.\w+)+?)(?:\.as\(\w+\)| as \w+\))?$")


@cache
def is_single(base: str, name: str) -> bool:
    """Whether a resource can have one index row at most under the parameter.

    Beside what the parameter itself says: a date on a choice, ``(effective as dateTime) | (effective as Period)``, is one
    date, and a Timing is indexed by its outer limits alone.
    """
    parameter = PARAMETERS[base, name]
    if parameter.single or parameter.type != "date":
        return parameter.single
    found = {
        match[1] if (match := _CAST.match(part.strip())) else "" for part in parameter.expression.split("|")
    }
    if len(found) != 1:
        return False
    path = found.pop().split(".")
    place = path[0]
    for step in path[1:]:
        element = ELEMENTS.get(place, {}).get(step)
        if element is None or element.max != 1:
            return False
        place = f"{place}.{step}"
    return path[0] == base
