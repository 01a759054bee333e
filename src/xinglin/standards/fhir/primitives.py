"""FHIR's primitive types as patterns and as annotated Python types.

The calendar is in the patterns (no 30 February, no 29 February outside leap years), so that the JSON decoder checks
everything in one pass. Source: FHIR R4, 2.24.0.1 Primitive Types. ``$`` would let a final newline pass: ``\\Z`` does not.
"""

from __future__ import annotations

import re
from typing import Annotated

from msgspec import Meta

# White space as the standard's expressions mean it: other spaces of Unicode are ordinary characters there.
_S, _INK = r"[ \t\r\n]", r"[^ \t\r\n]"
_YEAR = r"(?:[1-9][0-9]{3}|0[1-9][0-9]{2}|00[1-9][0-9]|000[1-9])"
_LEAP = r"(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:0[48]|[2468][048]|[13579][26])00)"
_DAY = (
    rf"(?:{_YEAR}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)"
    rf"|02-(?:0[1-9]|1[0-9]|2[0-8]))|{_LEAP}-02-29)"
)
_CLOCK = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:(?:[0-5][0-9]|60)(?:\.[0-9]+)?"
_ZONE = r"(?:Z|[+-](?:(?:0[0-9]|1[0-3]):[0-5][0-9]|14:00))"
_PARTIAL = rf"{_YEAR}(?:-(?:0[1-9]|1[0-2]))?"

PATTERNS: dict[str, str] = {
    "base64Binary": rf"^{_S}*+(?:[0-9a-zA-Z+/]{{4}}{_S}*+)*+(?:(?:[0-9a-zA-Z+/]{{2}}==|[0-9a-zA-Z+/]{{3}}=){_S}*)?\Z",
    "canonical": rf"^{_INK}*\Z",
    "code": rf"^{_INK}+(?: {_INK}+)*\Z",
    "date": rf"^(?:{_DAY}|{_PARTIAL})\Z",
    "dateTime": rf"^(?:{_DAY}(?:T{_CLOCK}{_ZONE})?|{_PARTIAL})\Z",
    "id": r"^[A-Za-z0-9\-.]{1,64}\Z",
    "instant": rf"^{_DAY}T{_CLOCK}{_ZONE}\Z",
    "oid": r"^urn:oid:[0-2](?:\.(?:0|[1-9][0-9]*))+\Z",
    "time": rf"^{_CLOCK}\Z",
    "uri": rf"^{_INK}*\Z",
    "url": rf"^{_INK}*\Z",
    "uuid": r"^urn:uuid:[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}\Z",
}
# The bare words are those that CapabilityStatement.format may hold.
MIME_TYPE = r"^(?:[^\s/;]+/[^\s/;]+(?:\s*;.*)?|xml|json|ttl)\Z"
CURRENCY = r"^[A-Z]{3}\Z"

COMPILED: dict[str, re.Pattern[str]] = {name: re.compile(pattern) for name, pattern in PATTERNS.items()}

INTEGERS: dict[str, tuple[int, int]] = {
    "integer": (-(2**31), 2**31 - 1),
    "positiveInt": (1, 2**31 - 1),
    "unsignedInt": (0, 2**31 - 1),
}
# FHIR sets no bound; without one, 1e999999999 is nine bytes that cost a gigabyte when written in full.
DECIMAL_EXPONENT = 300
NESTING = 100  # levels of objects and arrays in a body; R4's own examples stay under 30
STRING_LENGTH = 1 << 20  # characters; R4: a string does not exceed 1 MB (1024 * 1024 characters)

Base64Binary = Annotated[str, Meta(pattern=PATTERNS["base64Binary"])]
Code = Annotated[str, Meta(pattern=PATTERNS["code"])]
Date = Annotated[str, Meta(pattern=PATTERNS["date"])]
DateTime = Annotated[str, Meta(pattern=PATTERNS["dateTime"])]
Id = Annotated[str, Meta(pattern=PATTERNS["id"])]
Instant = Annotated[str, Meta(pattern=PATTERNS["instant"])]
Oid = Annotated[str, Meta(pattern=PATTERNS["oid"])]
Time = Annotated[str, Meta(pattern=PATTERNS["time"])]
Uri = Annotated[str, Meta(pattern=PATTERNS["uri"])]
Uuid = Annotated[str, Meta(pattern=PATTERNS["uuid"])]
MimeType = Annotated[str, Meta(pattern=MIME_TYPE)]
Currency = Annotated[str, Meta(pattern=CURRENCY)]
Integer = Annotated[int, Meta(ge=INTEGERS["integer"][0], le=INTEGERS["integer"][1])]
PositiveInt = Annotated[int, Meta(ge=INTEGERS["positiveInt"][0], le=INTEGERS["positiveInt"][1])]
UnsignedInt = Annotated[int, Meta(ge=INTEGERS["unsignedInt"][0], le=INTEGERS["unsignedInt"][1])]
