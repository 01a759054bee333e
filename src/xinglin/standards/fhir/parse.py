"""JSON bytes → a resource that has passed tier 1, at the speed of the decoder.

The decoder checks types, patterns, required codes and elements. What it cannot see is looked for in the bytes, by
scans that cost almost nothing: an explicit null, an empty string, array or object, extensions of primitives in arrays
or choices, an escape. A body in which one occurs also takes the descriptive pass of `structure`, whose word is final.

Duplicate members and numbers written as strings are found by re-encoding: a member that was overwritten, or a number
that lost its quotes, leaves fewer quotation marks than the source has. (Only an escaped ``\\u0022`` could add one; a
body that holds it takes the descriptive pass.)
"""

from __future__ import annotations

import re
from functools import cache
from threading import Lock
from typing import TYPE_CHECKING, Any

import msgspec

from xinglin.standards.fhir.errors import Invalid
from xinglin.standards.fhir.findings import Finding
from xinglin.standards.fhir.primitives import NESTING, STRING_LENGTH

if TYPE_CHECKING:
    from collections.abc import Callable

    from xinglin.standards.fhir.r4.model import ResourceBase


# An escape that yields a control character (none is allowed but tab, line feed, carriage return) or a quotation mark.
_ESCAPE = re.compile(rb"\\(?:u00(?:[01]|22)|[bf])")
_UNDERSCORED = re.compile(rb'"_([A-Za-z0-9]*)":(\[)?')
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_AS_BRACES = bytes.maketrans(b"[]", b"{}")
_ENCODE = msgspec.json.Encoder(decimal_format="number").encode


_decoder_lock = Lock()


def _decoder() -> msgspec.json.Decoder[ResourceBase]:
    # One thread builds: a second one that meets the struct types half prepared crashes inside msgspec (0.22).
    with _decoder_lock:
        return _build_decoder()


@cache
def _build_decoder() -> msgspec.json.Decoder[ResourceBase]:
    from xinglin.standards.fhir.r4.model import Resource

    return msgspec.json.Decoder(Resource)


def minify(body: bytes) -> bytes:
    """The same JSON without white space between tokens; lexemes, escapes and order stay.

    Raises
    ------
    msgspec.DecodeError
        The body is no JSON. (Only tokens are looked at: parse it as well.)
    """
    return msgspec.json.format(body, indent=-1)


def parse(body: bytes) -> ResourceBase:
    """The resource in a JSON body, fully checked at tier 1.

    Raises
    ------
    Invalid
        With every finding of the body.
    """
    return parse_minified(body)[0]


def parse_minified(body: bytes) -> tuple[ResourceBase, bytes]:
    """The resource in a JSON body and its minified bytes, ready to be stored.

    Raises
    ------
    Invalid
        With every finding of the body.
    """
    try:
        small = msgspec.json.format(body, indent=-1)
        resource = _decoder().decode(small)
        plain = _is_plain(small) and _ENCODE(resource).count(b'"') == small.count(b'"')
    except (ValueError, RecursionError) as error:  # msgspec's errors and UnicodeDecodeError are ValueErrors
        raise Invalid(_describe(body) or [_unexplained(error)]) from None
    if not plain:
        findings = _describe(body)
        if any(f.is_error for f in findings):
            raise Invalid(findings)
    return resource, small


def stored(body: bytes) -> ResourceBase:
    """The resource in a body that has passed tier 1 before, as the record keeps it; less is looked at again.

    Raises
    ------
    ValueError
        It is none after all.
    """
    return _decoder().decode(body)


def narrow(type: str, members: frozenset[str]) -> Callable[[bytes], Any]:
    """Reads only these attributes of stored resources of one type, into an object that has no others.

    Three times as fast as `stored`, and more for large resources: what is not named is passed over.
    """
    with _decoder_lock:
        _build_decoder()  # all struct types are prepared from here on
        from xinglin.standards.fhir.r4.model import STRUCTS

        fields = [one for one in msgspec.structs.fields(STRUCTS[type]) if one.name in members]
        made = msgspec.defstruct(
            type,
            [(one.name, one.type | None, None) for one in fields],
            rename={one.name: one.encode_name for one in fields},
            gc=False,
        )
        return msgspec.json.Decoder(made).decode


def _is_plain(body: bytes) -> bool:
    """Whether a minified body holds nothing that only the descriptive pass can judge."""
    return not (
        b'""' in body
        or b"{}" in body
        or b"[]" in body
        or b"null" in body
        or (b'"_' in body and _has_intricate_extensions(body))
        or (b"\\" in body and _ESCAPE.search(body) is not None)
        or (len(body) > STRING_LENGTH and _has_long_string(body))
        or (body.count(b"{") >= NESTING // 2 and _too_deep(body))
    )


def _has_intricate_extensions(body: bytes) -> bool:
    """Whether extensions of primitives stand in arrays, which must match, or in choices, of which one may be given."""
    from xinglin.standards.fhir.r4.codes import CHOICE_PRIMITIVES

    return any(array or name.decode() in CHOICE_PRIMITIVES for name, array in _UNDERSCORED.findall(body))


def _has_long_string(body: bytes) -> bool:
    """Whether a string may be longer than allowed (its bytes are counted, which are never fewer than its characters)."""
    plain = body.replace(b"\\\\", b"..").replace(b'\\"', b"..") if b"\\" in body else body
    return max(map(len, plain.split(b'"'))) > STRING_LENGTH


def _too_deep(body: bytes) -> bool:
    """Whether a body may be nested beyond the limit (brackets inside strings can only overstate it)."""
    brackets = body.translate(_AS_BRACES, _NOT_BRACKETS)
    for _ in range(NESTING):
        left = brackets.replace(b"{}", b"")  # takes off the innermost level
        if not left:
            return False
        if len(left) == len(brackets):
            return True
        brackets = left
    return True


def _describe(body: bytes) -> list[Finding]:
    from xinglin.standards.fhir.structure import describe

    return describe(body)


def _unexplained(error: Exception) -> Finding:
    """For a fault that only the decoder sees: none is known, but nothing invalid may pass for want of words."""
    return Finding("error", "invalid", "", "standards.fhir-unreadable", {"reason": type(error).__name__})
