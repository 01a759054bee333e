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
    if request.method != "POST" or not request.body.strip():
        return found
    check_sent(request.headers.get("content-type"))
    document = loads(request.body, what="Parameters")
    listed = document.get("parameter", []) if isinstance(document, dict) else None
    if not isinstance(listed, list) or document.get("resourceType") != "Parameters":
        raise Malformed("records.rest-parameters")
    for one in listed:
        if not isinstance(one, dict) or not isinstance(one.get("name"), str):
            raise Malformed("records.rest-parameters")
        values = [one[key] for key in one if key.startswith("value")]
        if len(values) != 1:
            raise _no_value(one["name"])
        found.append((one["name"], values[0]))
    return found


def asked(request: Request) -> tuple[tuple[str, str], ...]:
    """Parameters of an operation that all are plain values, as an address has them. Raises Malformed for any other."""
    return tuple((name, plain(name, value)) for name, value in sent(request))


def plain(name: str, value: Any) -> str:
    """A value as an address has it: of a Coding ``system|code``, of a Reference where it leads. Raises Malformed.

    >>> plain("code", {"system": "http://loinc.org", "code": "4548-4"}), plain("include", True)
    ('http://loinc.org|4548-4', 'true')
    """
    if isinstance(value, dict) and "code" in value and set(value) <= {"system", "code", "display"}:
        if not all(_is_text(value.get(key, "")) for key in ("system", "code")):
            raise _no_value(name)
        return f"{value.get('system', '')}|{value['code']}"
    if isinstance(value, dict):
        value = value["reference"] if _is_text(value.get("reference")) else None
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str):
        raise _no_value(name)
    return str(value)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and not isinstance(value, Lexeme)


def _no_value(name: str) -> Malformed:
    return Malformed("records.rest-parameter-value", expression="Parameters.parameter", name=name[:64])


def answer(parameters: Sequence[tuple[str, str, bytes]]) -> bytes:
    """A Parameters resource of ``(name, value or resource key, JSON)``."""
    parts = [
        b'{"name":%s,"%s":%s}' % (msgspec.json.encode(n), key.encode(), value) for n, key, value in parameters
    ]
    listed = b',"parameter":[%s]' % b",".join(parts) if parts else b""
    return b'{"resourceType":"Parameters"%s}' % listed
