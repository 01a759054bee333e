"""What every interaction of the REST edge shares: the record, the settings, and how an answer is put together."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from xinglin.kernel.language import say
from xinglin.kernel.settings import Settings
from xinglin.records.rest.conditional import etag, http_date
from xinglin.records.rest.errors import BadValue, NoSuchPlace
from xinglin.records.rest.exchange import Answer, Header, Request
from xinglin.records.rest.outcome import Issue, outcome
from xinglin.records.stored import Stored
from xinglin.standards.fhir.search.grammar import parse_query
from xinglin.standards.fhir.search.limits import Limits
from xinglin.standards.fhir.search.query import Compartment, Query

if TYPE_CHECKING:
    from xinglin.records.service import Records
    from xinglin.records.site import Site

PRIVATE: Header = (b"cache-control", b"private, no-cache")
"""A browser may keep it to itself, and asks each time whether it is still so."""

PRESENTING = ("_format", "_pretty")
"""Parameters that any address may carry; they are answered before."""


def resource_types() -> frozenset[str]:
    """The resource types of R4 that can be stored."""
    from xinglin.standards.fhir.search.names import RESOURCE_TYPES

    return RESOURCE_TYPES


@dataclass(frozen=True, slots=True)
class Edge:
    """The record as the interactions use it."""

    site: Site
    limits: Limits = field(init=False)

    @property
    def records(self) -> Records:
        """The record."""
        return self.site.records

    @property
    def settings(self) -> Settings:
        """The settings."""
        return self.site.settings

    def __post_init__(self) -> None:
        bounds = self.settings
        object.__setattr__(
            self,
            "limits",
            Limits(
                page_size=bounds.page_size,
                page_size_max=bounds.page_size_max,
                parameter_limit=bounds.parameter_limit,
                value_limit=bounds.value_limit,
                pattern_limit=bounds.pattern_limit,
                chain_depth=bounds.chain_depth,
                chain_branches=bounds.chain_branches,
                include_parameter_limit=bounds.include_parameter_limit,
                sort_key_limit=bounds.sort_key_limit,
                element_limit=bounds.element_limit,
            ),
        )

    def query(
        self,
        request: Request,
        type_: str | None,
        pairs: tuple[tuple[str, str], ...],
        *,
        strict: bool | None = None,
        compartment: Compartment | None = None,
    ) -> Query:
        """The search that ``pairs`` ask for; strict where the client says so. Raises SearchError."""
        return parse_query(
            type_,
            pairs,
            strict=bool(request.prefer.strict) if strict is None else strict,
            limits=self.limits,
            timezone=self.records.zone(request.actor.tenant),
            compartment=compartment,
            bases=(request.base + "/",),
            known=self.records.known(request.actor.tenant),
        )


def known_type(name: str) -> str:
    """``name`` where it is a resource type. Raises NoSuchPlace."""
    if name not in resource_types():
        raise NoSuchPlace("records.rest-unknown-type", type=name[:64])
    return name


def located(request: Request, stored: Stored) -> str:
    """The address of the version just written."""
    return f"{request.base}/{stored.type}/{stored.id}/_history/{stored.version}"


def version_headers(stored: Stored) -> list[Header]:
    """ETag and Last-Modified of a version."""
    return [(b"etag", etag(stored.version)), (b"last-modified", http_date(stored.updated))]


def json_answer(
    request: Request,
    body: bytes,
    *,
    status: int = 200,
    headers: list[Header] | None = None,
    stored: Stored | None = None,
) -> Answer:
    """An answer in the format asked for."""
    return Answer(status, [(b"content-type", request.content_type), *(headers or [])], body, stored)


def told(
    request: Request, key: str, *, status: int = 200, headers: list[Header] | None = None, **values: object
) -> Answer:
    """An answer that only says something: an OperationOutcome of one informational issue."""
    issue = Issue("information", "informational", say(f"records.{key}", request.language, **values))
    return json_answer(request, outcome([issue]), status=status, headers=headers)


def one_value(pairs: tuple[tuple[str, str], ...], name: str) -> str | None:
    """The value of a parameter that may stand once. Raises BadValue."""
    found = [value for key, value in pairs if key == name]
    if len(found) > 1:
        raise BadValue("records.rest-repeated", expression=f"http.{name}", name=name)
    return found[0] if found else None


def only_known(pairs: tuple[tuple[str, str], ...], known: tuple[str, ...], *, strict: bool) -> list[str]:
    """Names among ``pairs`` that are not ``known``. Raises BadValue for the first one where strict."""
    unknown = [name for name, _ in pairs if name not in known]
    if unknown and strict:
        raise BadValue(
            "records.rest-parameter" if known else "records.rest-no-parameter",
            expression=f"http.{unknown[0][:64]}",
            name=unknown[0][:64],
            known=", ".join(known),
        )
    return unknown
