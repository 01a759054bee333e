"""Which part of the record a search about the past needs, and what cannot be asked of the past.

A search goes back where it names one patient: then that patient's own versions, and what these refer to, are all that it
needs. Anything else would have to look through every version of everything.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Final

from msgspec import Struct

from xinglin.records.past.errors import NoSuchPast
from xinglin.records.search.owners import is_owning
from xinglin.standards.fhir.r4.compartments import PATIENT_COMPARTMENT
from xinglin.standards.fhir.search.query import (
    Chain,
    Condition,
    Criterion,
    Has,
    Include,
    Query,
    ReferenceValue,
    TokenValue,
)

ANY: Final = "*"
ROUNDS_MOST: Final = 16
"""How far `_include:iterate` follows references."""


class Needs(Struct, frozen=True):
    """What must be at hand to answer a search.

    ``patient``: id. ``types``: of the patient's own resources. ``followed``: types of what these refer to, ANY among
    them for all; ``rounds``: how many references in a row. ``words``: the full text.
    """

    patient: str
    types: tuple[str, ...]
    followed: frozenset[str] = frozenset()
    rounds: int = 0
    words: bool = False


@cache
def compartment_types() -> tuple[str, ...]:
    """The types that lie in a Patient's compartment, Patient among them."""
    return tuple(sorted({*PATIENT_COMPARTMENT, "Patient"}))


def needs(query: Query) -> Needs:
    """What ``query`` needs. Raises NoSuchPast where it does not name one patient, or reaches beyond."""
    patient = _patient(query)
    types = set(_types(query) or compartment_types())
    followed: set[str] = set()
    rounds = 0
    for criterion in query.criteria:
        rounds = max(rounds, _reach(criterion, types, followed))
    for include in query.revincludes:
        types |= _sources(include)
    for include in query.includes:
        followed |= _targets(include)
        rounds = max(rounds, ROUNDS_MOST if include.iterate else 1)
    if query.revincludes and any(include.iterate for include in (*query.includes, *query.revincludes)):
        rounds = ROUNDS_MOST
    words = any(
        isinstance(one, Criterion) and one.parameter.name in ("_text", "_content")
        for criterion in query.criteria
        for one in _parts(criterion)
    )
    own = tuple(sorted(types & set(compartment_types())))
    return Needs(patient, own, frozenset(followed), rounds, words)


def _types(query: Query) -> tuple[str, ...]:
    return (query.type,) if query.type is not None else query.types


def _patient(query: Query) -> str:
    """The id of the one patient whose record the search is within."""
    if query.compartment is not None:
        if query.compartment.type == "Patient":
            return query.compartment.id
        raise NoSuchPast("records.past-one-patient")
    types = _types(query)
    for criterion in query.criteria:
        if (
            not isinstance(criterion, Criterion)
            or criterion.modifier is not None
            or len(criterion.values) != 1
        ):
            continue
        value, parameter = criterion.values[0], criterion.parameter
        if isinstance(value, ReferenceValue) and value.id is not None:
            named = value.type == "Patient" or (value.type is None and parameter.targets == ("Patient",))
            if named and types and all(is_owning(kind, parameter.name) for kind in types):
                return value.id
        if types == ("Patient",) and parameter.name == "_id" and isinstance(value, TokenValue) and value.code:
            return value.code
    raise NoSuchPast("records.past-one-patient")


def _parts(condition: Condition) -> Iterable[Condition]:
    yield condition
    if isinstance(condition, Chain):
        for inner in condition.criteria:
            yield from _parts(inner)
    elif isinstance(condition, Has):
        yield from _parts(condition.criterion)


def _reach(condition: Condition, types: set[str], followed: set[str]) -> int:
    """How many references in a row a criterion follows; the types that it needs go into ``types`` and ``followed``."""
    if isinstance(condition, Chain):
        followed |= set(condition.types)
        if any(isinstance(part, Has) for inner in condition.criteria for part in _parts(inner)):
            raise NoSuchPast("records.past-has-in-chain")
        return 1 + max((_reach(inner, types, followed) for inner in condition.criteria), default=0)
    if isinstance(condition, Has):
        _within(condition.type)
        types.add(condition.type)
        return _reach(condition.criterion, types, followed)
    return 0


def _within(type_: str) -> None:
    if type_ not in compartment_types():
        raise NoSuchPast("records.past-outside", type=type_)


def _sources(include: Include) -> set[str]:
    """The types of resources that a `_revinclude` brings."""
    if include.source == ANY:
        return set(compartment_types())
    _within(include.source)
    return {include.source}


def _targets(include: Include) -> set[str]:
    if include.target is not None:
        return {include.target}
    if include.parameter == "*" or not include.parameter.targets:
        return {ANY}
    return set(include.parameter.targets)
