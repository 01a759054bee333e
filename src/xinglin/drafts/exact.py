"""JSON with decimals exact: 1.10 is Decimal('1.10') and is written as 1.10 again."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any, Final

import msgspec

_ENCODE: Final = msgspec.json.Encoder(decimal_format="number").encode


def loads(body: bytes) -> dict[str, Any]:
    """A resource as a dict."""
    found: dict[str, Any] = json.loads(body, parse_float=Decimal)
    return found


def dumps(resource: object) -> bytes:
    """A resource as JSON."""
    return _ENCODE(resource)
