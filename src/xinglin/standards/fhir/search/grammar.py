"""URL parameters to a typed `Query`: every parameter is understood, refused, or (leniently) named in
``Query.ignored``.

Source: HL7 FHIR R4 (4.0.1), search.html.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from xinglin.kernel.clock import now_us as present_us
from xinglin.standards.fhir.search import results
from xinglin.standards.fhir.search.conditions import Reader
from xinglin.standards.fhir.search.errors import (
    REFUSED_ALWAYS,
    SearchError,
    TooLargeSearch,
    UnknownParameter,
    UnsupportedSearch,
)
from xinglin.standards.fhir.search.known import STANDARD, Known
from xinglin.standards.fhir.search.limits import Limits
from xinglin.standards.fhir.search.names import RESOURCE_TYPES
from xinglin.standards.fhir.search.query import (
    Compartment,
    Condition,
    Ignored,
    Include,
    Query,
    SortKey,
    Summary,
    Total,
)
from xinglin.standards.fhir.search.values import Site
from xinglin.standards.fhir.temporal import site_zone

CURSOR = "_cursor"
"""The paging links' own parameter."""

_PASSED_BY = frozenset({"_format", "_pretty"})  # the REST edge answers them
REFUSED = frozenset({"_list", "_query", "_filter", "_graph", "near", "_score"})
"""Parameters of the standard that are not answered."""


def parse_query(
    type: str | None,
    pairs: Sequence[tuple[str, str]],
    *,
    strict: bool,
    limits: Limits | None = None,
    timezone: str = "UTC",
    compartment: Compartment | None = None,
    bases: tuple[str, ...] = (),
    now_us: int | None = None,
    known: Known = STANDARD,
) -> Query:
    """The search of ``type`` (None: of all types) that the decoded name and value ``pairs`` of a URL ask for.

    Parameters
    ----------
    strict : bool
        True: an unknown or malformed parameter raises; False: it stands in ``Query.ignored`` and the
        rest is searched. A search over a limit raises in both.
    timezone : str
        IANA name of the site's zone, for dates without offset.
    bases : tuple of str
        The site's own base URLs, ending in "/": absolute references below them are local.
    now_us : int, optional
        The present for the prefix ``ap``, µs since 1970.
    known : Known
        The parameters that may be named: R4's, and the site's own.

    Raises
    ------
    SearchError
        See `errors`.

    >>> query = parse_query("Patient", [("birthdate", "ge2000"), ("_count", "5")], strict=True)
    >>> query.count, query.criteria[0].values[0].prefix
    (5, 'ge')
    """
    limits = limits or Limits()
    if type is not None and type not in RESOURCE_TYPES:
        raise UnknownParameter("unknown-type", name=type)
    if len(pairs) > limits.parameter_limit:
        raise TooLargeSearch(
            "too-many-parameters", name=pairs[limits.parameter_limit][0], limit=limits.parameter_limit
        )
    site = Site(site_zone(timezone), bases, present_us() if now_us is None else now_us)
    draft = _Draft(type, limits, site, strict, known)
    # Types first: they decide what every other name means.
    for name, value in pairs:
        if name == "_type":
            draft.attempt(name, value, draft.take_types)
    for name, value in pairs:
        if name != "_type":
            draft.attempt(name, value, draft.take)
    return draft.query(compartment, tuple(pairs))


@dataclass(slots=True)
class _Draft:
    """A query while its parameters are read."""

    type: str | None
    limits: Limits
    site: Site
    strict: bool
    known: Known
    types: tuple[str, ...] = ()
    criteria: list[Condition] = field(default_factory=list)
    includes: list[Include] = field(default_factory=list)
    revincludes: list[Include] = field(default_factory=list)
    sort: tuple[SortKey, ...] = ()
    count: int | None = None
    total: Total | None = None
    summary: Summary | None = None
    elements: tuple[str, ...] = ()
    cursor: str | None = None
    ignored: list[Ignored] = field(default_factory=list)
    left_out: list[tuple[str, str]] = field(default_factory=list)
    reader: Reader | None = None

    def attempt(self, name: str, value: str, step: Callable[[str, str], None]) -> None:
        try:
            if len(value) > self.limits.pattern_limit * self.limits.value_limit:
                raise TooLargeSearch("value-too-long", name=name, limit=self.limits.pattern_limit)
            step(name, value)
        except REFUSED_ALWAYS:
            raise
        except SearchError as error:
            if self.strict:
                raise
            texts = tuple((key, str(text)) for key, text in error.values.items())
            self.ignored.append(Ignored(error.name, error.key, texts))
            self.left_out.append((name, value))

    def take_types(self, name: str, value: str) -> None:
        if self.type is not None:
            raise UnsupportedSearch("type-of-typed-search", name=name)
        results.once(name, self.types)
        types = results.types(name, value, self.limits)
        if len(types) == 1:
            self.type = types[0]
        self.types = types

    def take(self, name: str, value: str) -> None:
        if name in _PASSED_BY:
            return
        base, _, modifier = name.partition(":")
        if base in REFUSED:
            raise UnsupportedSearch("unsupported-parameter", name=name)
        if base in ("_include", "_revinclude"):
            if len(self.includes) + len(self.revincludes) >= self.limits.include_parameter_limit:
                raise TooLargeSearch(
                    "too-many-includes", name=name, limit=self.limits.include_parameter_limit
                )
            include = results.include(
                name, modifier, value, self.type, backward=base == "_revinclude", known=self.known
            )
            (self.revincludes if base == "_revinclude" else self.includes).append(include)
            return
        if name == "_sort":
            results.once(name, self.sort)
            self.sort = results.sort(name, value, self.type, self.limits, self.known)
        elif name == "_count":
            results.once(name, self.count)
            self.count = min(results.count(name, value), self.limits.page_size_max)
        elif name == "_total":
            results.once(name, self.total)
            self.total = results.total(name, value)
        elif name == "_summary":
            results.once(name, self.summary)
            self.summary = results.summary(name, value)
        elif name == "_elements":
            results.once(name, self.elements)
            self.elements = results.elements(name, value, self.type, self.limits)
        elif name == CURSOR:
            results.once(name, self.cursor)
            self.cursor = results.cursor(name, value, self.limits)
        elif name in ("_contained", "_containedType"):
            results.contained(name, value)
        else:
            if self.reader is None:
                self.reader = Reader(self.type, self.types, self.limits, self.site, known=self.known)
            self.criteria.append(self.reader.condition(name, value))

    def query(self, compartment: Compartment | None, pairs: tuple[tuple[str, str], ...]) -> Query:
        understood = list(pairs)
        for pair in self.left_out:
            understood.remove(pair)
        return Query(
            type=self.type,
            types=self.types if len(self.types) > 1 else (),
            criteria=tuple(self.criteria),
            includes=tuple(self.includes),
            revincludes=tuple(self.revincludes),
            sort=self.sort,
            count=self.limits.page_size if self.count is None else self.count,
            total=self.total or "none",
            summary=self.summary,
            elements=self.elements,
            cursor=self.cursor,
            compartment=compartment,
            ignored=tuple(self.ignored),
            pairs=tuple(pair for pair in understood if pair[0] != CURSOR),
        )
