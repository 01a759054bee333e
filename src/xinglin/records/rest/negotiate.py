"""Which format the client wants and sends, and what it prefers: Accept, ``_format``, Content-Type, Prefer.

Source: HL7 FHIR R4, http.html §3.1.0.1.8–10; RFC 9110 §12.5.1; RFC 7240.
"""

from __future__ import annotations

import re

from xinglin.records.rest.errors import BadValue, NotAcceptable, TooDeep, UnsupportedMedia
from xinglin.records.rest.exchange import FHIR_JSON, Preferences

_NAMED = {
    "json": FHIR_JSON,
    "application/fhir+json": FHIR_JSON,
    "application/json+fhir": FHIR_JSON,
    "application/json": b"application/json; charset=utf-8",
    "text/json": b"text/json; charset=utf-8",
}
_ANY = ("*/*", "application/*")
_VERSIONS = ("4.0", "4.0.1")
FHIR_BODIES = ("application/fhir+json", "application/json", "application/json+fhir", "text/json")
PATCH = "application/json-patch+json"
FORM = "application/x-www-form-urlencoded"


def media_type(text: str) -> tuple[str, dict[str, str]]:
    """A media type in lower case and its parameters.

    >>> media_type('application/fhir+json; fhirVersion="4.0";charset=UTF-8')
    ('application/fhir+json', {'fhirversion': '4.0', 'charset': 'UTF-8'})
    """
    name, *rest = text.split(";")
    found = {}
    for part in rest:
        key, _, value = part.partition("=")
        found[key.strip().lower()] = value.strip().strip('"')
    return name.strip().lower(), found


def wanted(accept: str | None, format_: str | None) -> tuple[bytes, bool]:
    """The content type to answer in, and whether anything would do (no FHIR format asked for by name).

    ``_format`` wins over Accept. Raises NotAcceptable.

    >>> wanted("application/fhir+xml;q=0.5, application/json", None)
    (b'application/json; charset=utf-8', False)
    """
    if format_ is not None:
        # A "+" in a query is a blank: _format=application/fhir+json is written so by many clients.
        name, parameters = media_type(format_.replace(" ", "+") if "/" in format_ else format_)
        if name not in _NAMED or parameters.get("fhirversion", "4.0") not in _VERSIONS:
            raise NotAcceptable("records.rest-format", format=format_[:100])
        return _NAMED[name], False
    if not accept or accept == "*/*":
        return FHIR_JSON, True
    best: tuple[float, bytes, bool] | None = None
    for part in accept.split(","):
        name, parameters = media_type(part)
        try:
            quality = float(parameters.get("q", "1"))
        except ValueError:
            quality = 0.0
        if quality <= 0 or parameters.get("fhirversion", "4.0") not in _VERSIONS:
            continue
        found = _NAMED.get(name) or (FHIR_JSON if name in _ANY else None)
        if found is not None and (best is None or quality > best[0]):
            best = (quality, found, name in _ANY)
    if best is None:
        raise NotAcceptable("records.rest-accept", accept=accept[:100])
    return best[1], best[2]


def check_sent(content_type: str | None, *, taken: tuple[str, ...] = FHIR_BODIES) -> str:
    """The media type of the request's body, lower case; JSON where none is given. Raises UnsupportedMedia."""
    if not content_type:
        return taken[0]
    name, parameters = media_type(content_type)
    if name not in taken:
        raise UnsupportedMedia("records.rest-media", media=name[:100], taken=", ".join(taken))
    if parameters.get("charset", "utf-8").lower().replace("_", "-") not in ("utf-8", "utf8"):
        raise UnsupportedMedia("records.rest-charset", charset=parameters["charset"][:40])
    if parameters.get("fhirversion", "4.0") not in _VERSIONS:
        raise UnsupportedMedia("records.rest-fhir-version", version=parameters["fhirversion"][:40])
    return name


def preferences(prefer: str | None) -> Preferences:
    """The Prefer header; unknown preferences are passed over, as RFC 7240 asks.

    >>> preferences("return=minimal; handling=strict")
    Preferences(returning='minimal', strict=True)
    """
    if not prefer:
        return Preferences()
    returning: str | None = None
    strict: bool | None = None
    for part in prefer.replace(";", ",").split(","):
        name, _, value = part.strip().partition("=")
        value = value.strip().strip('"')
        if name.strip().lower() == "return":
            returning = {
                "minimal": "minimal",
                "representation": "representation",
                "operationoutcome": "OperationOutcome",
            }.get(value.lower(), returning)
        elif name.strip().lower() == "handling":
            strict = {"strict": True, "lenient": False}.get(value.lower(), strict)
    return Preferences(returning, strict)  # type: ignore[arg-type]


def flag(name: str, value: str) -> bool:
    """``_pretty=true``. Raises BadValue."""
    if value not in ("true", "false", ""):
        raise BadValue("records.rest-flag", name=name, value=value[:40])
    return value == "true"


_AS_SQUARE = bytes.maketrans(b"{}", b"[]")
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)


def check_nesting(body: bytes, most: int) -> None:
    """Raises TooDeep where arrays and objects of a JSON body stand more than ``most`` in each other.

    What is no JSON is left to whoever reads it. Takes a time in proportion to the body, not to the depth.
    """
    # Brackets inside strings do not nest; looking for strings is only worth it where there are brackets enough.
    if body.count(b"{") + body.count(b"[") > most and _deeper(_STRING.sub(b"", body), most):
        raise TooDeep("records.rest-nesting", most=most)


def _deeper(body: bytes, most: int) -> bool:
    brackets = body.translate(_AS_SQUARE, _NOT_BRACKETS)
    for _ in range(most):
        left = brackets.replace(b"[]", b"")  # one level: what this brings together is not looked at again
        if not left:
            return False
        if len(left) == len(brackets):
            break
        brackets = left
    # What is left open is the depth of what never closes.
    return b"[]" in brackets or brackets.count(b"[") > most
