"""Version tags and instants of conditional requests, read and written.

Source: HL7 FHIR R4, http.html §3.1.0.5 (managing resource contention), cond-*; RFC 9110 §13.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from functools import lru_cache

from xinglin.records.rest.errors import Malformed, NoSuchPlace
from xinglin.records.stored import ANY_VERSION

_TAG = re.compile(r'\s*(?:W/)?"([^"]*)"\s*|\s*(?:W/)?([^",\s]+)\s*')
_DIGITS = re.compile(r"[1-9][0-9]{0,17}")


def version_of(if_match: str | None) -> int | None:
    """The version that If-Match names, None where it is absent, ANY_VERSION for ``*``. 0 is never a version: it matches
    nothing, as a tag of some other server does.

    >>> version_of('W/"3"'), version_of('"3"'), version_of("3"), version_of(None), version_of('W/"x"')
    (3, 3, 3, None, 0)

    Raises Malformed for anything that is no single tag.
    """
    if if_match is None:
        return None
    if if_match.strip() == "*":
        return ANY_VERSION
    found = _TAG.fullmatch(if_match)
    if not found or (found[1] is None and not _DIGITS.fullmatch(found[2])):
        raise Malformed("records.rest-if-match", header="If-Match")
    tag = found[1] if found[1] is not None else found[2]
    return int(tag) if _DIGITS.fullmatch(tag) else 0


def tags(if_none_match: str) -> set[str]:
    """The version tags of If-None-Match without quotes and weakness; ``*`` stays.

    >>> sorted(tags('W/"1", "2",*'))
    ['*', '1', '2']
    """
    return {(m[1] if m[1] is not None else m[2]) for m in _TAG.finditer(if_none_match)}


def not_modified(
    version: int, updated: datetime, if_none_match: str | None, if_modified_since: str | None
) -> bool:
    """Whether a read may be answered 304: If-None-Match decides alone where both are given (RFC 9110 §13.2.2)."""
    if if_none_match is not None:
        found = tags(if_none_match)
        return "*" in found or str(version) in found
    if if_modified_since is None:
        return False
    try:
        since = parsedate_to_datetime(if_modified_since)
    except (TypeError, ValueError, IndexError, OverflowError):
        return False  # RFC 9110 §13.1.3: a date that is none is passed over
    if since.tzinfo is None:
        since = since.replace(tzinfo=UTC)
    return updated.replace(microsecond=0) <= since


def etag(version: int) -> bytes:
    """The weak entity tag of a version.

    >>> etag(3)
    b'W/"3"'
    """
    return b'W/"%d"' % version


def http_date(instant: datetime) -> bytes:
    """``instant`` (UTC) as an HTTP date.

    >>> http_date(datetime(2024, 2, 29, 12, 0, 5, tzinfo=UTC))
    b'Thu, 29 Feb 2024 12:00:05 GMT'
    """
    return _http_date(instant.replace(microsecond=0))


@lru_cache(4096)
def _http_date(instant: datetime) -> bytes:
    return format_datetime(instant, usegmt=True).encode("ascii")


def instant_text(instant: datetime) -> str:
    """``instant`` as a FHIR instant in UTC with milliseconds, as meta.lastUpdated has it.

    >>> instant_text(datetime(2024, 2, 29, 12, 0, 5, 123456, tzinfo=UTC))
    '2024-02-29T12:00:05.123Z'
    """
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def version_number(text: str) -> int:
    """The version in ``/_history/{version}``. Raises NoSuchPlace: ours are whole numbers from 1."""
    if not _DIGITS.fullmatch(text):
        raise NoSuchPlace("records.rest-version", version=text[:64])
    return int(text)
