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


def page_links(
    request: Request, path: str, pairs: tuple[tuple[str, str], ...], cursor: str | None, *, turned: bool
) -> list[tuple[str, str]]:
    """``self`` and, with a ``cursor``, ``next``. ``turned``: this page was itself reached by a cursor, or left
    something of the question out; then the address cannot be repeated as it was sent.
    """
    if request.query is not None and not turned:
        address = f"{request.base}/{path}" if path else request.base
        address = f"{address}?{request.query}" if request.query else address
    else:
        address = link(request, path, pairs)
    links = [("self", address)]
    if cursor:
        links.append(("next", f"{address}{'&' if '?' in address else '?'}_cursor={cursor}"))
    return links
