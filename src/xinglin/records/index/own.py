"""Index rows of the search parameters that a tenant has of its own on one resource type.

They are drawn by a function written as for R4's parameters (`source`), and by the FHIRPath engine where an expression is
more than a walk; R4's own functions stay as they are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import tzinfo
from functools import cached_property
from typing import Any, Final

from xinglin.records.index.extract import IN_SOURCE
from xinglin.records.index.general import general_rows
from xinglin.records.index.paths import NotAWalk, Only, Step
from xinglin.records.index.rows import IndexRows
from xinglin.records.index.source import of, write
from xinglin.standards.fhir.fhirpath.errors import FhirPathError
from xinglin.standards.fhir.parse import narrow, stored
from xinglin.standards.fhir.r4.elements import ELEMENTS
from xinglin.standards.fhir.r4.parameters import SearchParameter

MOST_ROWS: Final = 1000
"""Rows that one parameter beyond a walk may give one resource; what follows is left out."""


class Own:
    """The own parameters of one type, in the order of their numbers.

    ``digest`` tells one set of rules from another; it is part of the signature of a resource's rows.
    """

    def __init__(self, type: str, parameters: tuple[SearchParameter, ...]) -> None:
        self.type = type
        self.parameters = tuple(sorted(parameters))
        text = repr((type, [one[:8] for one in self.parameters]))
        self.digest = hashlib.blake2b(text.encode(), digest_size=8).hexdigest() if parameters else ""
        self.numbers = frozenset(one.number for one in self.parameters)

    @cached_property
    def _written(self) -> tuple[Callable[..., None], tuple[SearchParameter, ...]]:
        made = write(self.type, frozenset(), self.parameters)
        names: dict[str, Any] = dict(IN_SOURCE)
        exec(compile(made.source, f"<own rows of {self.type}>", "exec"), names)  # noqa: S102 - of our own making
        return names["rows"], made.left

    @cached_property
    def needles(self) -> tuple[tuple[bytes, ...], ...] | None:
        """Sets of texts: a body without a backslash that lacks one of each set can give no row. None: any body may.

        A walk passes through members by name, which stand in a body as they are unless they are written with escapes, and
        by constants, which do so too.
        """
        found: list[tuple[bytes, ...]] = []
        for parameter in self.parameters:
            try:
                for walk in of(parameter, self.type):
                    found.append(tuple(dict.fromkeys(_needle(step) for step in walk.steps)))
            except NotAWalk:
                return None
        return None if any(not one for one in found) else tuple(dict.fromkeys(found))

    def may_have_rows(self, body: bytes) -> bool:
        """Whether a resource's rows must be drawn at all; False only where there are none for certain."""
        needles = self.needles
        if needles is None or b"\\" in body:
            return True
        return any(all(needle in body for needle in one) for one in needles)

    @cached_property
    def read(self) -> Callable[[bytes], Any]:
        """Reads of a stored body what these parameters need; the whole where one is more than a walk."""
        members: set[str] = set()
        try:
            for parameter in self.parameters:
                for walk in of(parameter, self.type):
                    first = walk.steps[0] if walk.steps else None
                    if not isinstance(first, Step) or parameter.type == "composite":
                        return stored
                    members |= {first.name, "contained"} if walk.refers else {first.name}
        except NotAWalk:
            return stored
        return narrow(self.type, frozenset(members))

    def append(self, resource: Any, bases: tuple[str, ...], zone: tzinfo | None, rows: IndexRows) -> None:
        """Append the rows that ``resource`` has under these parameters. Duplicates are left to the caller."""
        written, left = self._written
        written(
            resource,
            bases,
            zone,
            rows.tokens.append,
            rows.references.append,
            rows.strings.append,
            rows.dates.append,
            rows.quantities.append,
            rows.pairs.append,
            None,
        )
        for parameter in left:
            drawn = IndexRows()
            try:
                general_rows(parameter, resource, bases, zone, drawn)
            except FhirPathError:
                continue  # not defined for this resource: it is not found, but it can be written
            for name in ("tokens", "references", "strings", "dates", "quantities", "pairs"):
                getattr(rows, name).extend(getattr(drawn, name)[:MOST_ROWS])


def _needle(step: Step | Only) -> bytes:
    if isinstance(step, Only):
        return step.text.encode()
    return f'"{step.name.removesuffix("_")}"'.encode()


def is_single(parameter: SearchParameter) -> bool:
    """Whether a resource has at most one row under an own parameter; False where that is not certain."""
    try:
        found = of(parameter, parameter.base)
    except NotAWalk:
        return False
    if len(found) != 1 or any(
        isinstance(step, Step) and step.many and not step.first for step in found[0].steps
    ):
        return False
    (walk,) = found
    if walk.type in ELEMENTS:
        return (parameter.type, walk.type) in {
            ("date", "Period"),
            ("date", "Timing"),
            ("reference", "Reference"),
        }
    return parameter.type in ("token", "date", "number", "uri") and walk.type != "canonical"


def deduplicated(rows: IndexRows) -> IndexRows:
    """The rows, none of them twice in its list."""
    for name in ("tokens", "references", "strings", "dates", "quantities", "pairs"):
        there = getattr(rows, name)
        if len(there) > 1:
            setattr(rows, name, list(dict.fromkeys(there)))
    return rows
