"""Which part of the record a search about the past needs, and what cannot be asked of the past.

A search goes back where it names one patient: then that patient's own versions, what these refer to and what refers to
them are all that it needs. Anything else would have to look through every version of everything.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Final

from msgspec import Struct

from xinglin.records.past.errors import NoSuchPast
from xinglin.records.search.owners import is_owning, resource_types
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


class Hop(Struct, frozen=True):
    """From resources to what they refer to (``forward``), or to what refers to them, of ``types`` (ANY among them: all).

    ``param``: number of the parameter by which, None for all.
    """

    forward: bool
    types: frozenset[str]
    param: int | None = None


class Needs(Struct, frozen=True):
    """What must be at hand to answer a search.

    ``patient``: id. ``types``: of the patient's own resources. ``paths``: hops from these that criteria take.
    ``brought``: what is included with them, ``rounds`` times over. ``words``: the full text.
    """

    patient: str
    types: tuple[str, ...]
    paths: tuple[tuple[Hop, ...], ...] = ()
    brought: tuple[Hop, ...] = ()
    rounds: int = 1
    words: bool = False


@cache
def compartment_types() -> tuple[str, ...]:
    """The types that lie in a Patient's compartment, Patient among them."""
    return tuple(sorted({*PATIENT_COMPARTMENT, "Patient"}))


def needs(query: Query) -> Needs:
    """What ``query`` needs. Raises NoSuchPast where it does not name one patient."""
    patient = patient_of(query)
    types = set(_types(query) or compartment_types())
    parts = [part for criterion in query.criteria for part in _parts(criterion)]
    words = any(
        isinstance(part, Criterion) and part.parameter.name in ("_text", "_content") for part in parts
    )
    paths = tuple(path for criterion in query.criteria for path in _paths(criterion) if path)
    brought = tuple(_forward(include) for include in query.includes)
    brought += tuple(_backward(include) for include in query.revincludes)
    again = any(include.iterate for include in (*query.includes, *query.revincludes))
    own = tuple(sorted(types & set(compartment_types())))
    return Needs(patient, own, paths, brought, ROUNDS_MOST if again else 1, words)


def _types(query: Query) -> tuple[str, ...]:
    return (query.type,) if query.type is not None else query.types


def patient_of(query: Query, key: str = "records.past-one-patient") -> str:
    """The id of the one patient whose record the search is within. Raises NoSuchPast with the sentence ``key``."""
    if query.compartment is not None:
        if query.compartment.type == "Patient":
            return query.compartment.id
        raise NoSuchPast(key)
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
    raise NoSuchPast(key)


def _parts(condition: Condition) -> Iterable[Condition]:
    yield condition
    if isinstance(condition, Chain):
        for inner in condition.criteria:
            yield from _parts(inner)
    elif isinstance(condition, Has):
        yield from _parts(condition.criterion)


def _paths(condition: Condition) -> Iterable[tuple[Hop, ...]]:
    """The hops that a criterion takes, each way of them whole."""
    if isinstance(condition, Chain):
        hop = Hop(True, frozenset(condition.types), condition.parameter.number)
        for inner in condition.criteria:
            for path in _paths(inner):
                yield (hop, *path)
    elif isinstance(condition, Has):
        hop = Hop(False, frozenset((condition.type,)), condition.reference.number)
        for path in _paths(condition.criterion):
            yield (hop, *path)
    else:
        yield ()


def _forward(include: Include) -> Hop:
    if include.target is not None:
        return Hop(True, frozenset((include.target,)))
    if include.parameter == "*" or not include.parameter.targets:
        return Hop(True, frozenset((ANY,)))
    return Hop(True, frozenset(include.parameter.targets))


def _backward(include: Include) -> Hop:
    types = frozenset(resource_types()) if include.source == ANY else frozenset((include.source,))
    return Hop(False, types, None if include.parameter == "*" else include.parameter.number)
