"""Versions as NDJSON: a body is a line as it stands, since bodies are stored minified."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from xinglin.kernel.ids import stable_id
from xinglin.kernel.language import say
from xinglin.records.bodies import decompress
from xinglin.records.bulk.moment import Row
from xinglin.records.rest.outcome import Issue, outcome
from xinglin.records.writing import instant_text

Cut = Callable[[str, bytes], bytes]


def lines(kind: str, rows: Sequence[Row], cut: Cut | None) -> tuple[bytes, int, list[bytes]]:
    """The lines of ``rows`` in one piece, how many they are, and an OperationOutcome for each that cannot be read."""
    try:
        bodies = [decompress(row.body) for row in rows]  # type: ignore[arg-type]  # None raises, as damage does
        if cut is not None:
            bodies = [cut(kind, body) for body in bodies]
    except Exception:
        return _one_by_one(kind, rows, cut)
    bodies.append(b"")
    text = b"\n".join(bodies)
    if text.count(b"\n") != len(
        rows
    ):  # never seen: bodies are minified, and JSON escapes a line end in a string
        bodies = [msgspec.json.format(body, indent=-1) for body in bodies[:-1]]
        text = b"".join(body + b"\n" for body in bodies)
    return text, len(rows), []


def _one_by_one(kind: str, rows: Sequence[Row], cut: Cut | None) -> tuple[bytes, int, list[bytes]]:
    """As `lines`, where one of the bodies is damaged: the others are given all the same."""
    found: list[bytes] = []
    problems: list[bytes] = []
    for row in rows:
        try:
            body = decompress(row.body)  # type: ignore[arg-type]
            found.append(msgspec.json.format(cut(kind, body) if cut is not None else body, indent=-1))
        except Exception:
            said = say("records.bulk-damaged", "en", type=kind, id=row.id, version=row.version)
            problems.append(outcome([Issue("error", "incomplete", said, f"{kind}/{row.id}")]))
    return b"".join(body + b"\n" for body in found), len(found), problems


def deletions(kind: str, rows: Sequence[Row]) -> bytes:
    """The lines of deletions: each a transaction Bundle that deletes, for a follower to apply."""
    found = []
    for row in rows:
        bundle = {
            "resourceType": "Bundle",
            "id": stable_id("deletion", kind, row.id, str(row.version)),
            "meta": {"lastUpdated": instant_text(row.updated_us)},
            "type": "transaction",
            "entry": [{"request": {"method": "DELETE", "url": f"{kind}/{row.id}"}}],
        }
        found.append(msgspec.json.encode(bundle) + b"\n")
    return b"".join(found)
