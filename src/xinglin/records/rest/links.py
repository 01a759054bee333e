"""Addresses of pages: what was understood of the question, written out again."""

from __future__ import annotations

from urllib.parse import quote

from xinglin.records.rest.exchange import Request

_KEPT = "-._~:/|,$@*!()"  # read more easily unescaped, and safe in a query


def link(request: Request, path: str, pairs: tuple[tuple[str, str], ...]) -> str:
    """The address of ``path`` below the endpoint with ``pairs`` as its query."""
    query = "&".join(f"{quote(name, safe=_KEPT)}={quote(value, safe=_KEPT)}" for name, value in pairs)
    address = f"{request.base}/{path}" if path else request.base
    return f"{address}?{query}" if query else address
