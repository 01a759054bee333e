"""Strings: indexOf, substring, startsWith, matches, replace, split, join, encode, escape …

Source: FHIRPath N1 §5.6; FHIRPath 3.0.0-ballot for matchesFull, trim, split, join, encode, decode, escape, unescape.
"""

from __future__ import annotations

import base64
import binascii
import html
import json
from collections.abc import Callable

from xinglin.standards.fhir.fhirpath import patterns
from xinglin.standards.fhir.fhirpath.code import Code
from xinglin.standards.fhir.fhirpath.compiler import Scope
from xinglin.standards.fhir.fhirpath.context import Context
from xinglin.standards.fhir.fhirpath.errors import FhirPathEvaluationError
from xinglin.standards.fhir.fhirpath.functions.registry import (
    BOOLEAN,
    INTEGER,
    MAX_CHARACTERS,
    STRING,
    bounded,
    check,
    function,
    pure,
    value_of_kind,
)
from xinglin.standards.fhir.fhirpath.syntax import Call
from xinglin.standards.fhir.fhirpath.values import Item, Primitive


def _replace(text: str, pattern: str, substitution: str) -> str:
    if (
        len(substitution) * (len(text) + 1) > MAX_CHARACTERS
        and text.count(pattern) * len(substitution) > MAX_CHARACTERS
    ):
        raise FhirPathEvaluationError("standards.fhirpath-long-string", limit=MAX_CHARACTERS)
    return text.replace(pattern, substitution)


pure("indexOf", "String", ("String",), INTEGER, str.find)
pure("lastIndexOf", "String", ("String",), INTEGER, str.rfind)
pure("startsWith", "String", ("String",), BOOLEAN, str.startswith)
pure("endsWith", "String", ("String",), BOOLEAN, str.endswith)
pure("contains", "String", ("String",), BOOLEAN, str.__contains__)
pure("upper", "String", (), STRING, str.upper)
pure("lower", "String", (), STRING, str.lower)
pure("length", "String", (), INTEGER, len)
pure("trim", "String", (), STRING, str.strip)
pure("replace", "String", ("String", "String"), STRING, _replace)
pure("matches", "String", ("String",), BOOLEAN, patterns.matches)
pure("matchesFull", "String", ("String",), BOOLEAN, patterns.matches_full)
pure(
    "replaceMatches",
    "String",
    ("String", "String"),
    STRING,
    lambda text, pattern, new: bounded(patterns.replace(text, pattern, new)),
)


@function("substring", 1, 2)
def _substring(scope: Scope, source: Code, call: Call) -> Code:
    """Empty where the start lies outside; an empty length means "to the end"."""
    text_of = value_of_kind(source, "String", "substring", call.at)
    start_of = value_of_kind(scope.compile(call.arguments[0]), "Integer", "substring", call.at)
    length_of = (
        value_of_kind(scope.compile(call.arguments[1]), "Integer", "substring", call.at)
        if len(call.arguments) > 1
        else None
    )

    def part(this: Item, context: Context) -> str | None:
        text, start = text_of(this, context), start_of(this, context)
        if text is None or start is None or not 0 <= start < len(text):
            return None
        length = length_of(this, context) if length_of else None
        return str(text[start:]) if length is None else str(text[start : start + max(length, 0)])

    return Code(STRING, build_one=lambda typed: part)


def _several(name: str, arguments: tuple[str, ...], split: Callable[..., list[str]]) -> None:
    @function(name, len(arguments))
    def builder(scope: Scope, source: Code, call: Call) -> Code:
        text_of = value_of_kind(source, "String", name, call.at)
        given = [value_of_kind(scope.compile(node), "String", name, call.at) for node in call.arguments]

        def parts(this: Item, context: Context) -> list[Item]:
            values = [text_of(this, context), *(one(this, context) for one in given)]
            return [] if None in values else split(*values)

        return Code(STRING, build_many=lambda typed: parts)


_several("toChars", (), list)
_several("split", ("String",), lambda text, separator: text.split(separator) if separator else list(text))


@function("join", 0, 1)
def _join(scope: Scope, source: Code, call: Call) -> Code:
    check(source, "String", "join", call.at)
    many = source.many()
    separator_of = (
        value_of_kind(scope.compile(call.arguments[0]), "String", "join", call.at)
        if call.arguments
        else lambda this, context: ""
    )

    def joined(this: Item, context: Context) -> str | None:
        separator = separator_of(this, context)
        values = [item.value if type(item) is Primitive else item for item in many(this, context)]
        texts = [value for value in values if isinstance(value, str)]
        if len(texts) < sum(value is not None for value in values):
            raise FhirPathEvaluationError("standards.fhirpath-join")
        return None if separator is None or not texts else bounded(separator.join(texts))

    return Code(STRING, build_one=lambda typed: joined)


def _encode(text: str, form: str) -> str | None:
    raw = text.encode()
    match form:
        case "hex":
            return raw.hex()
        case "base64":
            return base64.b64encode(raw).decode()
        case "urlbase64":
            return base64.urlsafe_b64encode(raw).decode()
    return None


def _decode(text: str, form: str) -> str | None:
    try:
        match form:
            case "hex":
                return bytes.fromhex(text).decode()
            case "base64":
                return base64.b64decode(text, validate=True).decode()
            case "urlbase64":
                return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
    except (ValueError, binascii.Error):
        return None
    return None


def _escape(text: str, form: str) -> str | None:
    match form:
        case "html":
            return html.escape(text).replace("&#x27;", "&#39;")
        case "json":
            return json.dumps(text, ensure_ascii=False)[1:-1]
    return None


def _unescape(text: str, form: str) -> str | None:
    match form:
        case "html":
            return html.unescape(text)
        case "json":
            try:
                # A bare quote stands for itself, as in the official test.
                whole = json.loads('"' + text.replace('\\"', '"').replace('"', '\\"') + '"', strict=False)
            except ValueError:
                return None
            return str(whole)
    return None


pure("encode", "String", ("String",), STRING, _encode)
pure("decode", "String", ("String",), STRING, _decode)
pure("escape", "String", ("String",), STRING, _escape)
pure("unescape", "String", ("String",), STRING, _unescape)
