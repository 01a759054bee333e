"""What an export is asked for: read from parameters, checked before anything begins, and kept with its job."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal
from urllib.parse import parse_qsl

from xinglin.kernel.clock import now_us
from xinglin.records.bulk.errors import BadExport
from xinglin.standards.fhir.r4.compartments import PATIENT_COMPARTMENT
from xinglin.standards.fhir.search.names import RESOURCE_TYPES
from xinglin.standards.fhir.temporal import read, site_zone

Level = Literal["system", "patient", "group"]
NDJSON: Final = "application/fhir+ndjson"
FORMATS: Final = (NDJSON, "application/ndjson", "ndjson")
PARAMETERS: Final = ("_since", "_until", "_type", "_typeFilter", "_elements", "_outputFormat")
_SINGLE: Final = frozenset(("_since", "_until", "_outputFormat"))
_AHEAD_US: Final = 60_000_000
"""By how much a client's clock may be ahead of ours."""
_PRESENTING: Final = frozenset(
    (
        "_count",
        "_sort",
        "_include",
        "_revinclude",
        "_summary",
        "_elements",
        "_total",
        "_cursor",
        "_contained",
        "_format",
    )
)
"""Search parameters that say how an answer looks: an export has a form of its own."""


@dataclass(frozen=True, slots=True)
class Export:
    """One export.

    ``group``: the Group's id at that level. ``types`` empty: all. ``filters``: searches as ``(type, query)``; a type that
    has some is exported as far as one of them finds it. ``since_us``, ``until_us``: only what was last changed then or
    later, and then or before. ``elements``: as ``_elements`` of a search, with or without a type before the name.
    """

    level: Level = "system"
    group: str | None = None
    types: tuple[str, ...] = ()
    filters: tuple[tuple[str, str], ...] = ()
    elements: tuple[str, ...] = ()
    since_us: int | None = None
    until_us: int | None = None

    def as_dict(self) -> dict[str, Any]:
        """As JSON, for the arguments of a job."""
        return asdict(self)

    @classmethod
    def of(cls, given: dict[str, Any]) -> Export:
        """From `as_dict`."""
        return cls(
            level=given["level"],
            group=given["group"],
            types=tuple(given["types"]),
            filters=tuple((kind, query) for kind, query in given["filters"]),
            elements=tuple(given["elements"]),
            since_us=given["since_us"],
            until_us=given["until_us"],
        )

    def wanted(self, kind: str) -> bool:
        """Whether resources of ``kind`` are exported at all."""
        if self.types and kind not in self.types:
            return False
        return self.level == "system" or in_compartment(kind)

    def elements_of(self, kind: str) -> tuple[str, ...]:
        """The elements that resources of ``kind`` are cut down to; none: they stay whole."""
        return tuple(
            name.rpartition(".")[2] for name in self.elements if name.rpartition(".")[0] in ("", kind)
        )


def in_compartment(kind: str) -> bool:
    """Whether resources of ``kind`` can be a patient's own.

    >>> in_compartment("Observation"), in_compartment("Patient"), in_compartment("Practitioner")
    (True, True, False)
    """
    return kind == "Patient" or kind in PATIENT_COMPARTMENT


Check = Callable[[str, list[tuple[str, str]]], None]
"""Raises XinglinError where a search of a type is none: what `read_export` asks of each ``_typeFilter``."""


def read_export(
    pairs: Iterable[tuple[str, str]],
    level: Level,
    group: str | None,
    *,
    zone: str,
    check: Check,
    lenient: bool = False,
) -> tuple[Export, list[BadExport]]:
    """The export that parameters ask for, and, where ``lenient``, what of them was left aside.

    Raises BadExport, and what ``check`` raises.
    """
    reading = _Reading(level, zone, check, lenient)
    seen: set[str] = set()
    for name, value in pairs:
        if name in _SINGLE and name in seen:
            raise BadExport("records.rest-repeated", expression=f"http.{name}", name=name)
        seen.add(name)
        reading.take(name, value)
    reading.check_range()
    types = reading.types
    if not types and any(name == "_type" for name, _ in pairs):
        raise BadExport("records.bulk-no-type", expression="http._type")
    for kind, _ in reading.filters:
        if types and kind not in types:
            reading.refuse("records.bulk-filter-type", "_typeFilter", type=kind)
    reading.check_elements()
    export = Export(
        level,
        group,
        tuple(types),
        tuple((kind, query) for kind, query in reading.filters if not types or kind in types),
        tuple(reading.elements),
        reading.since_us,
        reading.until_us,
    )
    return export, reading.left


class _Reading:
    """Parameters as they are read, one after the other."""

    def __init__(self, level: Level, zone: str, check: Check, lenient: bool) -> None:
        self.level = level
        self.zone = zone
        self.check = check
        self.lenient = lenient
        self.left: list[BadExport] = []
        self.types: list[str] = []
        self.filters: list[tuple[str, str]] = []
        self.elements: list[str] = []
        self.since_us: int | None = None
        self.until_us: int | None = None

    def refuse(self, key: str, parameter: str, /, **values: object) -> None:
        error = BadExport(key, expression=f"http.{parameter}", **values)
        if not self.lenient:
            raise error
        self.left.append(error)

    def take(self, name: str, value: str) -> None:
        if name in PARAMETERS and name != "_type" and not value.strip(", "):
            # Not even leniently: without _elements or _since far more would come than was asked for.
            raise BadExport("standards.search-empty-value", expression=f"http.{name}", name=name)
        if name == "_outputFormat":
            if value.replace(" ", "+").split(";")[0].strip().lower() not in FORMATS:
                # Not even leniently: the client could not read what it would get.
                raise BadExport("records.bulk-format", expression="http._outputFormat", format=value[:60])
        elif name == "_since":
            self.since_us = self.instant(name, value)[0]
        elif name == "_until":
            self.until_us = self.instant(name, value)[1] - 1
        elif name == "_type":
            for kind in _split(value):
                self.type(kind)
        elif name == "_typeFilter":
            for one in _split_filters(value):
                self.filter(one)
        elif name == "_elements":
            for one in _split(value):
                self.element(one)
        else:
            known = ", ".join(PARAMETERS)
            self.refuse("records.bulk-parameter", name[:64], name=name[:64], known=known)

    def instant(self, name: str, value: str) -> tuple[int, int]:
        try:
            return read(value.replace(" ", "+"), site_zone(self.zone))
        except (ValueError, TypeError) as error:
            raise BadExport("records.rest-instant", expression=f"http.{name}", name=name) from error

    def check_range(self) -> None:
        """Whether anything can lie between the two instants: an export of nothing looks as if nothing had changed."""
        if self.since_us is not None and self.since_us > now_us() + _AHEAD_US:
            raise BadExport("records.bulk-since-future", expression="http._since")
        if self.since_us is not None and self.until_us is not None and self.since_us > self.until_us:
            raise BadExport("records.bulk-range", expression="http._since")

    def type(self, kind: str) -> None:
        if kind not in RESOURCE_TYPES:
            self.refuse("records.rest-unknown-type", "_type", type=kind[:64])
        elif self.level != "system" and not in_compartment(kind):
            self.refuse("records.bulk-nobodys", "_type", type=kind)
        elif kind not in self.types:
            self.types.append(kind)

    def filter(self, text: str) -> None:
        kind, question, query = text.partition("?")
        if kind not in RESOURCE_TYPES or not question:
            self.refuse("records.bulk-filter-form", "_typeFilter")
            return
        if self.level != "system" and not in_compartment(kind):
            self.refuse("records.bulk-nobodys", "_typeFilter", type=kind)
            return
        pairs = parse_qsl(query, keep_blank_values=True)
        shown = [name for name, _ in pairs if name.partition(":")[0] in _PRESENTING]
        if shown:
            self.refuse("records.bulk-filter-result", "_typeFilter", name=shown[0][:64])
        self.check(kind, without_form(pairs))
        if (kind, query) not in self.filters:
            self.filters.append((kind, query))

    def element(self, name: str) -> None:
        kind, dot, element = name.rpartition(".")
        if not element.isalnum() or (dot and kind not in RESOURCE_TYPES):
            self.refuse("records.bulk-element", "_elements", name=name[:64])
        elif name not in self.elements:
            self.elements.append(name)

    def check_elements(self) -> None:
        """Whether each name is one of a type that is exported: else a misspelt one would be left out without a word."""
        from xinglin.records.rest.shape import is_element

        found = []
        for name in self.elements:
            kind, dot, element = name.rpartition(".")
            kinds = [kind] if dot else self.types or RESOURCE_TYPES
            if any(is_element(one, element) for one in kinds):
                found.append(name)
            else:
                self.refuse("records.bulk-element", "_elements", name=name[:64])
        self.elements = found


def without_form(pairs: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """``pairs`` without what only says how an answer looks."""
    return [pair for pair in pairs if pair[0].partition(":")[0] not in _PRESENTING]


def _split(value: str) -> list[str]:
    return [part.strip() for part in value.split(",") if part.strip()]


def _split_filters(value: str) -> list[str]:
    """Several filters in one parameter: ``A?x=1,2,B?y=3`` are two, since a new one begins with a type and ``?``.

    >>> _split_filters("Observation?code=a,b,Condition?code=c")
    ['Observation?code=a,b', 'Condition?code=c']
    """
    found: list[str] = []
    for part in value.split(","):
        if part.partition("?")[0] in RESOURCE_TYPES and "?" in part:
            found.append(part)
        elif found:
            found[-1] += f",{part}"
        else:
            found.append(part)
    return found
