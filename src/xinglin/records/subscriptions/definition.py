"""A Subscription read: what it asks for, or why that cannot be kept up.

Criteria are a search of one type. What orders, pages or includes has no meaning for one resource, and full text and
``_lastUpdated`` are not known of it when it is written: all of these are refused rather than passed over.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, urlsplit

import msgspec
from msgspec import Struct, structs

from xinglin.records.subscriptions.errors import BadSubscription
from xinglin.standards.fhir.search.errors import SearchError
from xinglin.standards.fhir.search.grammar import parse_query
from xinglin.standards.fhir.search.known import Known
from xinglin.standards.fhir.search.names import RESOURCE_TYPES
from xinglin.standards.fhir.search.query import Criterion, Query
from xinglin.standards.fhir.temporal import interval

if TYPE_CHECKING:
    from xinglin.records.index.rows import IndexContext

CHANNELS: Final = ("rest-hook", "websocket")
PAYLOADS: Final = ("application/fhir+json", "application/json")
MASK: Final = "***"
LIVE: Final = ("requested", "active", "error")

_NOT_OF_ONE: Final = ("_lastUpdated", "_text", "_content")
_HEADER_NAME: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,128}")
_HEADER_VALUE: Final = re.compile(r"[\t\x20-\x7e\x80-\xff]{0,4096}")
_OURS: Final = {
    "host", "content-length", "content-type", "transfer-encoding", "connection", "keep-alive", "upgrade", "te", "trailer",
    "expect", "proxy-connection", "x-request-id", "idempotency-key",
}  # fmt: skip


class _Channel(Struct, frozen=True):
    type: str | None = None
    endpoint: str | None = None
    payload: str | None = None
    header: list[str | None] | None = None


class _Resource(Struct):
    id: str | None = None
    status: str | None = None
    end: str | None = None
    criteria: str | None = None
    error: str | None = None
    channel: _Channel = _Channel()


@dataclass(frozen=True, slots=True)
class Definition:
    """One version of one Subscription. ``end_us``: when it ends, None: never. ``related``: its criteria ask for what
    other resources hold (a chain or ``_has``), so they are answered by the record as it is, not by the one version.
    """

    tenant: int
    id: str
    version: int
    status: str
    error: str
    end_us: int | None
    query: Query
    related: bool
    channel: str
    endpoint: str
    payload: bool
    headers: tuple[str, ...]


def criteria(text: str, context: IndexContext) -> Query:
    """The search that ``Observation?code=…`` asks for, with the tenant's own parameters. Raises BadSubscription, SearchError."""
    path, _, query = text.strip().partition("?")
    type_ = path.strip("/")
    if type_ not in RESOURCE_TYPES:
        raise BadSubscription("records.subscription-type", expression="Subscription.criteria")
    own = Known([parameter for one in context.own.values() for parameter in one.parameters])
    try:
        found = parse_query(
            type_,
            parse_qsl(query, keep_blank_values=True),
            strict=True,
            timezone=context.zone,
            bases=context.bases,
            known=own,
        )
    except SearchError as error:
        error.expression = "Subscription.criteria"
        raise
    names = {name.partition(":")[0] for name, _ in found.pairs}
    for name in (
        *_NOT_OF_ONE,
        "_include",
        "_revinclude",
        "_sort",
        "_count",
        "_total",
        "_summary",
        "_elements",
    ):
        if name in names or any(f":{name}" in given or f".{name}" in given for given, _ in found.pairs):
            raise BadSubscription(
                "records.subscription-parameter", expression="Subscription.criteria", name=name
            )
    return structs.replace(found, count=1)


def read(body: bytes, tenant: int, id_: str, version: int, context: IndexContext) -> Definition:
    """The Subscription in ``body``. Raises BadSubscription, SearchError."""
    resource = msgspec.json.decode(body, type=_Resource)
    channel = resource.channel
    query = criteria(resource.criteria or "", context)
    return Definition(
        tenant,
        id_,
        version,
        resource.status or "requested",
        resource.error or "",
        None if resource.end is None else interval(resource.end)[0],
        query,
        any(not isinstance(condition, Criterion) for condition in query.criteria),
        channel.type or "",
        channel.endpoint or "",
        bool(channel.payload),
        tuple(name for name, _ in headers(channel.header or [])),
    )


def check(resource: Any, context: IndexContext) -> None:
    """Raises BadSubscription or SearchError for a parsed Subscription that cannot be kept up.

    One that is ``off`` is not looked at: it must always be possible to switch one off.
    """
    if resource.status == "off":
        return
    criteria(resource.criteria or "", context)
    channel = resource.channel
    if channel.type not in CHANNELS:
        raise BadSubscription(
            "records.subscription-channel", expression="Subscription.channel.type", known=", ".join(CHANNELS)
        )
    if channel.type == "rest-hook":
        _check_endpoint(channel.endpoint or "")
    payload = (channel.payload or "").partition(";")[0].strip()
    if payload and payload not in PAYLOADS:
        raise BadSubscription(
            "records.subscription-payload", expression="Subscription.channel.payload", known=PAYLOADS[0]
        )
    headers(channel.header or [])


def _check_endpoint(endpoint: str) -> None:
    try:
        parts = urlsplit(endpoint)
        port = parts.port
        fine = parts.scheme in ("http", "https") and bool(parts.hostname) and port != 0
        fine = (
            fine
            and not parts.fragment
            and endpoint.isascii()
            and endpoint.isprintable()
            and " " not in endpoint
        )
    except ValueError:
        fine = False
    if not fine or "@" in parts.netloc:
        raise BadSubscription("records.subscription-endpoint", expression="Subscription.channel.endpoint")


def headers(given: list[str | None]) -> list[tuple[str, str]]:
    """Name and value of each header that a notification is to carry. Raises BadSubscription."""
    found: dict[str, tuple[str, str]] = {}
    for place, line in enumerate(given):
        name, colon, value = (line or "").partition(":")
        name, value = name.strip(), value.strip()
        if (
            not colon
            or not _HEADER_NAME.fullmatch(name)
            or not _HEADER_VALUE.fullmatch(value)
            or name.lower() in _OURS
            or name.lower() in found
        ):
            raise BadSubscription(
                "records.subscription-header", expression=f"Subscription.channel.header[{place}]"
            )
        found[name.lower()] = (name, value)
    return list(found.values())


def masked(body: bytes) -> tuple[bytes, dict[str, str]]:
    """``body`` with ``***`` for the value of every header, and the values by lower-case name; all else byte for byte.

    Values are secrets: what is stored, searched, exported and sent to other subscribers never holds them.
    """
    outer = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    channel = msgspec.json.decode(outer.get("channel", b"{}"), type=dict[str, msgspec.Raw])
    if "header" not in channel:
        return body, {}
    lines = msgspec.json.decode(channel["header"], type=list[str | None])
    values = {name.lower(): value for name, value in headers(lines)}
    shown = [None if line is None else f"{line.partition(':')[0].strip()}: {MASK}" for line in lines]
    channel["header"] = msgspec.Raw(msgspec.json.encode(shown))
    outer["channel"] = msgspec.Raw(msgspec.json.encode(channel))
    return msgspec.json.encode(outer), values
