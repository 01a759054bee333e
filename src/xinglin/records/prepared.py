"""A resource made ready to be written, before the write transaction: read, checked, minified, its index rows drawn."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from xinglin.records.errors import Mismatch, TooLarge
from xinglin.records.index.rows import IndexContext, IndexRows

ID: Final = re.compile(r"[A-Za-z0-9\-.]{1,64}", re.ASCII)


@dataclass(slots=True)
class Prepared:
    """What the writer needs. ``body``: minified JSON as sent, before id and meta are set.

    ``secrets``: of a Subscription the values of its headers, which the body no longer holds.
    """

    type: str
    id: str
    body: bytes
    rows: IndexRows
    secrets: dict[str, str] | None = None


def prepare(
    body: bytes, kind: str | None, id_: str | None, context: IndexContext, *, limit_bytes: int | None = None
) -> Prepared:
    """Read and check (tier 1) ``body`` as the resource ``kind/id_`` and draw its index rows.

    ``kind`` None: whatever it says it is. ``id_`` None: the id in the body.

    Raises
    ------
    Invalid
        With every finding of tier 1.
    Mismatch
        The body is of another type, or has another id, or none where it must have one.
    TooLarge
    """
    from xinglin.standards.fhir.parse import parse_minified

    if limit_bytes is not None and len(body) > limit_bytes:
        raise TooLarge("records.too-large", size=len(body), most=limit_bytes)
    resource, small = parse_minified(body)
    return prepare_parsed(resource, small, kind, id_, context)


def prepare_parsed(
    resource: Any, body: bytes, kind: str | None, id_: str | None, context: IndexContext
) -> Prepared:
    """`prepare` for what has been parsed and minified already."""
    from xinglin.records.index.extract import extract

    found = type(resource).__name__
    if kind is not None and found != kind:
        raise Mismatch("records.type-mismatch", expression=f"{found}.resourceType", found=found, type=kind)
    if id_ is None:
        id_ = resource.id
        if id_ is None:
            raise Mismatch("records.id-mismatch", expression=f"{found}.id", id="–")
    elif not ID.fullmatch(id_):
        raise Mismatch("records.id-invalid", id=id_[:80])
    else:
        resource.id = id_  # a Patient owns itself: its rows need its id
    if found == "Subscription":
        from xinglin.records.subscriptions import definition

        definition.check(resource, context)
        body, secrets = definition.masked(body)
        return Prepared(found, id_, body, extract(resource, context), secrets)
    return Prepared(found, id_, body, extract(resource, context))
