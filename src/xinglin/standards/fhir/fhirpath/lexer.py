"""Cuts a FHIRPath expression into tokens.

Source: FHIRPath N1 §12.2 and Appendix B, lexer rules.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from xinglin.standards.fhir.fhirpath.errors import FhirPathSyntaxError
from xinglin.standards.fhir.fhirpath.temporal import (
    Date,
    DateTime,
    Time,
    parse_date,
    parse_date_time,
    parse_time,
)

MAX_LENGTH = 20_000  # characters; the longest invariant of R4 has about 1,000

Kind = Literal["number", "string", "temporal", "name", "quoted-name", "sign", "variable", "end"]


@dataclass(frozen=True, slots=True)
class Token:
    """One token: ``text`` is the name, sign or string's content; ``value`` the number or date."""

    kind: Kind
    text: str
    at: int
    value: int | Decimal | Date | DateTime | Time | None = None


_TOKENS = re.compile(
    r"""
    (?P<space>[ \t\r\n\u00a0]+|//[^\r\n]*|/\*.*?\*/)
  | (?P<temporal>@T\d\d(?::\d\d(?::\d\d(?:\.\d+)?)?)?(?:Z|[+-]\d\d:\d\d)?
        |@\d{4}(?:-\d\d(?:-\d\d)?)?(?:T(?:\d\d(?::\d\d(?::\d\d(?:\.\d+)?)?)?(?:Z|[+-]\d\d:\d\d)?)?)?)
  | (?P<number>\d+(?:\.\d+)?)
  | (?P<string>'(?:[^'\\]|\\.)*')
  | (?P<quoted>`(?:[^`\\]|\\.)*`)
  | (?P<variable>%(?:[A-Za-z_][A-Za-z0-9_]*|`(?:[^`\\]|\\.)*`|'(?:[^'\\]|\\.)*'))
  | (?P<name>\$?[A-Za-z_][A-Za-z0-9_]*)
  | (?P<sign><=|>=|!=|!~|[-+*/&|<>=~.,()\[\]{}])
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\(u[0-9A-Fa-f]{4}|.)", re.DOTALL)
_ESCAPES = {"f": "\f", "n": "\n", "r": "\r", "t": "\t"} | {sign: sign for sign in "\\/'\"`"}


def _unescape(text: str, at: int) -> str:
    def one(found: re.Match[str]) -> str:
        code = found[1]
        if len(code) == 5:
            return chr(int(code[1:], 16))
        if code not in _ESCAPES:
            raise FhirPathSyntaxError("standards.fhirpath-escape", escape=found[0], position=at)
        return _ESCAPES[code]

    return _ESCAPE.sub(one, text) if "\\" in text else text


def _temporal(text: str, at: int) -> Date | DateTime | Time:
    value: Date | DateTime | Time | None
    if text[1] == "T":
        value = parse_time(text[2:])
    elif "T" in text:
        value = parse_date_time(text[1:-1] if text.endswith("T") else text[1:])
    else:
        value = parse_date(text[1:])
    if value is None:
        raise FhirPathSyntaxError("standards.fhirpath-date", text=text, position=at)
    return value


def tokens(expression: str) -> list[Token]:
    """The tokens of the expression, spaces and comments left out, closed by one of kind ``end``.

    Raises
    ------
    FhirPathSyntaxError
        A character, escape or date that FHIRPath does not have, a string or comment without end, or too long a text.
    """
    if len(expression) > MAX_LENGTH:
        raise FhirPathSyntaxError("standards.fhirpath-too-long", limit=MAX_LENGTH, position=MAX_LENGTH)
    found: list[Token] = []
    at = 0
    while at < len(expression):
        match = _TOKENS.match(expression, at)
        if match is None or (match["sign"] == "/" and expression.startswith("/*", at)):
            raise FhirPathSyntaxError(
                "standards.fhirpath-character", text=expression[at : at + 10], position=at
            )
        text = match[0]
        match match.lastgroup:
            case "temporal":
                found.append(Token("temporal", text, at, _temporal(text, at)))
            case "number":
                found.append(Token("number", text, at, Decimal(text) if "." in text else int(text)))
            case "string":
                found.append(Token("string", _unescape(text[1:-1], at), at))
            case "quoted":
                found.append(Token("quoted-name", _unescape(text[1:-1], at), at))
            case "variable":
                name = text[1:] if text[1] not in "`'" else _unescape(text[2:-1], at)
                found.append(Token("variable", name, at))
            case "name":
                found.append(Token("name", text, at))
            case "sign":
                found.append(Token("sign", text, at))
        at = match.end()
    found.append(Token("end", "", at))
    return found
