"""JSON text → plain values that keep what a checker needs: member order, duplicates and number lexemes."""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

from xinglin.standards.fhir.findings import Finding


class Members(list[tuple[str, Any]]):
    """An object's members in the order written, duplicates included."""


class Number(str):
    """A number as written."""

    __slots__ = ()


class _NotANumber(ValueError):
    pass


# Strings run to their closing quote or the end of the text, so that the scan stays linear on any input.
_DEPTH = re.compile(r'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|[\[{]|[\]}]', re.S)


def read(body: bytes, nesting: int) -> tuple[Any, Finding | None]:
    """The value of a JSON body, or the finding that says why it has none."""
    if body.startswith(b"\xef\xbb\xbf"):
        return None, Finding("fatal", "structure", "", "standards.fhir-byte-order-mark")
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        return None, Finding("fatal", "structure", "", "standards.fhir-not-utf8", {"byte": error.start})
    if text.count("{") + text.count("[") > nesting and _depth(text) > nesting:
        return None, Finding("fatal", "too-long", "", "standards.fhir-too-deep", {"limit": nesting})
    try:
        value = json.loads(
            text, object_pairs_hook=Members, parse_float=Number, parse_int=Number, parse_constant=_refuse
        )
    except json.JSONDecodeError as error:
        place: dict[str, object] = {"line": error.lineno, "column": error.colno}
        return None, Finding("fatal", "structure", "", "standards.fhir-not-json", place)
    except _NotANumber:
        return None, Finding("fatal", "structure", "", "standards.fhir-not-a-number")
    return value, None


def _refuse(name: str) -> NoReturn:
    raise _NotANumber(name)


def _depth(text: str) -> int:
    depth = deepest = 0
    for match in _DEPTH.finditer(text):
        first = match[0][0]
        if first in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif first in "]}":
            depth -= 1
    return deepest
