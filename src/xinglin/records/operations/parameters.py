"""What an operation is asked, from the address or a Parameters resource, and Parameters as an answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from xinglin.records.rest.errors import Malformed
from xinglin.records.rest.exchange import Request
from xinglin.records.rest.lexemes import Lexeme, loads
from xinglin.records.rest.negotiate import check_sent

Sent = list[tuple[str, Any]]


def sent(request: Request) -> Sent:
    """Name and value of each parameter: those of the address as text, those of the body as their JSON (numbers as
    `Lexeme`). Raises Malformed, UnsupportedMedia.
    """
    found: Sent = list(request.pairs)
    if request.method != "POST" or not request.body:
        return found
    check_sent(request.headers.get("content-type"))
    document = loads(request.body, what="Parameters")
    listed = document.get("parameter", []) if isinstance(document, dict) else None
    if not isinstance(listed, list) or document.get("resourceType") != "Parameters":
        raise Malformed("records.rest-parameters")
    for one in listed:
        values = [one[key] for key in one if key.startswith("value")] if isinstance(one, dict) else []
        if len(values) != 1 or not isinstance(one.get("name"), str):
            raise Malformed("records.rest-parameters")
        found.append((one["name"], values[0]))
    return found


def as_pairs(values: Sent) -> tuple[tuple[str, str], ...]:
    """Parameters that are plain values, as an address has them. Raises Malformed for any other."""
    pairs = []
    for name, value in values:
        if isinstance(value, dict) and set(value) <= {"system", "code", "display"}:  # a Coding
            value = f"{value.get('system', '')}|{value.get('code', '')}"
        elif isinstance(value, dict) and isinstance(value.get("reference"), str):
            value = value["reference"]
        elif isinstance(value, bool):
            value = "true" if value else "false"
        if not isinstance(value, str):
            raise Malformed("records.rest-parameters")
        pairs.append((name, str(value)))
    return tuple(pairs)


def answer(parameters: Sequence[tuple[str, str, bytes]]) -> bytes:
    """A Parameters resource of ``(name, value or resource key, JSON)``."""
    parts = [
        b'{"name":%s,"%s":%s}' % (msgspec.json.encode(n), key.encode(), value) for n, key, value in parameters
    ]
    listed = b',"parameter":[%s]' % b",".join(parts) if parts else b""
    return b'{"resourceType":"Parameters"%s}' % listed


__all__ = ["Lexeme", "Sent", "answer", "as_pairs", "sent"]
