"""JSON read and written so that every number keeps the digits it was sent with: 1.10 stays 1.10.

For edits of a resource that is then stored. Objects become dicts in their order, numbers `Lexeme`.
"""

from __future__ import annotations

import json
from decimal import Decimal
from json.encoder import encode_basestring
from typing import Any

from xinglin.records.rest.errors import Malformed


class Lexeme(str):
    """A number as it was written."""

    __slots__ = ()


def loads(body: bytes | str, *, what: str = "body") -> Any:
    """``body`` as dicts, lists, str, bool, None and Lexeme. Raises Malformed: no JSON, or members twice in one object."""
    try:
        text = body.decode("utf-8") if isinstance(body, bytes) else body
        return json.loads(
            text, parse_float=Lexeme, parse_int=Lexeme, parse_constant=_constant, object_pairs_hook=_once
        )
    except (ValueError, RecursionError) as error:
        raise Malformed("records.rest-json", what=what) from error


def dumps(value: Any) -> bytes:
    """The JSON of ``value`` without white space. Raises Malformed: a lone surrogate, which UTF-8 cannot hold."""
    parts: list[str] = []
    try:
        _write(value, parts.append)
        return "".join(parts).encode("utf-8")
    except (UnicodeEncodeError, RecursionError) as error:
        raise Malformed("records.rest-json", what="body") from error


def equal(one: Any, other: Any) -> bool:
    """RFC 6902 §4.6: numbers by value, strings by characters, objects without regard to order."""
    if isinstance(one, Lexeme) or isinstance(other, Lexeme):
        return isinstance(one, Lexeme) and isinstance(other, Lexeme) and Decimal(one) == Decimal(other)
    if isinstance(one, bool) or isinstance(other, bool) or one is None or other is None:
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(equal(one[k], other[k]) for k in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(equal(a, b) for a, b in zip(one, other, strict=True))
    return isinstance(one, str) and isinstance(other, str) and one == other


def _constant(name: str) -> Any:
    raise ValueError(name)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a member stands twice")
    return found


def _write(value: Any, put: Any) -> None:
    if isinstance(value, Lexeme):
        put(str(value))
    elif isinstance(value, str):
        put(encode_basestring(value))
    elif isinstance(value, dict):
        put("{")
        for index, (key, item) in enumerate(value.items()):
            put(("," if index else "") + encode_basestring(key) + ":")
            _write(item, put)
        put("}")
    elif isinstance(value, list):
        put("[")
        for index, item in enumerate(value):
            if index:
                put(",")
            _write(item, put)
        put("]")
    else:
        put("null" if value is None else "true" if value is True else "false")
