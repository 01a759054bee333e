"""``_known`` and ``_valid`` at the edge: which past a request asks about, and how its answer is marked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import structs

from xinglin.records.past.instants import NAMES, AsOf, Pairs, instant_text, taken
from xinglin.records.past.marks import further, marked, tags
from xinglin.records.rest.exchange import Header, Request
from xinglin.records.stored import Stored

if TYPE_CHECKING:
    from xinglin.records.rest.edge import Edge


def asked(edge: Edge, request: Request, pairs: Pairs) -> tuple[AsOf | None, Pairs]:
    """The past that ``pairs`` ask about, None for the present, and the pairs without it. Raises BadInstant."""
    return taken(pairs, edge.records.zone(request.actor.tenant))


def headers(at: AsOf) -> list[Header]:
    """Beside the tags, for who reads no body: ``Xinglin-Known`` and ``Xinglin-Valid``, instants."""
    found = ((b"xinglin-known", at.known_us), (b"xinglin-valid", at.valid_us))
    return [(name, instant_text(at_us).encode()) for name, at_us in found if at_us is not None]


def shared_tags(edge: Edge, request: Request, at: AsOf) -> list[bytes]:
    """The tags of a whole answer."""
    return tags(at, request.language, edge.records.zone(request.actor.tenant))


def as_it_was(
    edge: Edge, request: Request, stored: Stored, at: AsOf, shared: list[bytes] | None = None
) -> Stored:
    """The version with its marks. ``shared``: the tags of the whole answer, where they have been made already."""
    from xinglin.records.past import past_of

    new = shared_tags(edge, request, at) if shared is None else shared
    if at.valid_us is not None:
        span = past_of(edge.records).span(request.actor, stored)
        new = [*new, *further(stored.type, span, at, request.language)]
    return structs.replace(stored, body=marked(stored.body, new))


__all__ = ["NAMES", "as_it_was", "asked", "headers", "shared_tags"]
