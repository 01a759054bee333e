"""`extract`: a resource's index rows, by a function written once for its type (`source`) and kept.

What an expression says beyond a walk is evaluated by the FHIRPath engine (`general`).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, Final, TypeAlias

from xinglin.records.index import values
from xinglin.records.index.general import general_rows
from xinglin.records.index.rows import IndexContext, IndexRows
from xinglin.records.index.source import write
from xinglin.standards.fhir.r4.compartments import PATIENT_COMPARTMENT
from xinglin.standards.fhir.r4.parameters import SearchParameter
from xinglin.standards.fhir.temporal import interval, period_interval, site_zone, timing_interval

Rows: TypeAlias = Callable[..., None]

IN_SOURCE: Final = {
    name: getattr(values, name)
    for name in (
        "NOTHING", "address", "aim", "canonical", "coding", "concept", "contact", "family", "given", "human_name",
        "identifier", "money", "number", "number_range", "quantity", "quantity_range", "sampled", "string",
        "typed_identifier", "unresolved", "whole_name",
    )
} | {"interval": interval, "period_interval": period_interval, "timing_interval": timing_interval}  # fmt: skip


def extract(resource: Any, context: IndexContext) -> IndexRows:
    """The rows of every search parameter of a parsed resource (a generated struct that passed tier 1).

    See `rows` for what they hold. No row stands twice in its list.
    """
    kind = type(resource).__name__
    written, left = written_rows(kind)
    rows = IndexRows(zone=context.zone)
    zone = site_zone(context.zone)
    owner = rows.patients.append
    if kind == "Patient" and resource.id is not None:
        owner(resource.id)
    written(
        resource,
        context.bases,
        zone,
        rows.tokens.append,
        rows.references.append,
        rows.strings.append,
        rows.dates.append,
        rows.quantities.append,
        rows.pairs.append,
        owner,
    )
    for parameter in left:
        general_rows(parameter, resource, context.bases, zone, rows)
    if context.own and (own := context.own.get(kind)) is not None:
        own.append(resource, context.bases, zone, rows)
        rows.own = own.digest
    if len(rows.tokens) > 1:
        rows.tokens = list(dict.fromkeys(rows.tokens))
    if len(rows.references) > 1:
        rows.references = list(dict.fromkeys(rows.references))
    if len(rows.strings) > 1:
        rows.strings = list(dict.fromkeys(rows.strings))
    if len(rows.dates) > 1:
        rows.dates = list(dict.fromkeys(rows.dates))
    if len(rows.quantities) > 1:
        rows.quantities = list(dict.fromkeys(rows.quantities))
    if len(rows.pairs) > 1:
        rows.pairs = list(dict.fromkeys(rows.pairs))
    if len(rows.patients) > 1:
        rows.patients = list(dict.fromkeys(rows.patients))
    return rows


@cache
def written_rows(kind: str) -> tuple[Rows, tuple[SearchParameter, ...]]:
    """The written function for a resource type, and the parameters it leaves to the FHIRPath engine."""
    made = write(kind, frozenset(PATIENT_COMPARTMENT.get(kind, ())))
    names: dict[str, Any] = dict(IN_SOURCE)
    exec(compile(made.source, f"<index rows of {kind}>", "exec"), names)  # noqa: S102 - our own tables only
    return names["rows"], made.left
