"""One search value, by its parameter's type: what stands between the commas of ``name=value,value``.

Source: HL7 FHIR R4 (4.0.1), search.html §3.1.1.4–3.1.1.5.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import tzinfo
from decimal import Context, Decimal
from typing import Final

from xinglin.standards.fhir import temporal
from xinglin.standards.fhir.r4.codes import RESOURCE_TYPES
from xinglin.standards.fhir.r4.parameters import SearchParameter, parameters_of
from xinglin.standards.fhir.search.errors import MalformedParameter
from xinglin.standards.fhir.search.names import targets
from xinglin.standards.fhir.search.query import (
    PREFIXES,
    CompositeValue,
    DateValue,
    NumberValue,
    OfTypeValue,
    Prefix,
    QuantityValue,
    ReferenceValue,
    StringValue,
    TokenValue,
    UriValue,
    Value,
)
from xinglin.standards.fhir.search.text import plain, split

_EXACT: Final = Context(prec=120)
_PREFIX: Final = re.compile("(" + "|".join(PREFIXES) + ")?(.*)", re.DOTALL)
_NUMBER: Final = re.compile(r"[+-]?(\d{1,40}(\.\d{0,40})?|\.\d{1,40})([eE][+-]?\d{1,2})?", re.ASCII)
_ID: Final = re.compile(r"[A-Za-z0-9.\-]{1,64}")
_LOCAL: Final = re.compile(
    r"(?P<type>[A-Z][A-Za-z]{1,60})/(?P<id>[A-Za-z0-9.\-]{1,64})(/_history/(?P<version>[A-Za-z0-9.\-]{1,64}))?"
)
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:.+", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Site:
    """What reading a value needs to know of the place: its zone, its own base URLs (ending in "/"), the present."""

    zone: tzinfo | None
    bases: tuple[str, ...]
    now_us: int


def read_value(
    parameter: SearchParameter, text: str, site: Site, name: str, target: str | None = None
) -> Value:
    """The value of one of ``parameter``'s type; ``name`` is the parameter as sent, for messages.

    ``target``: the type that a reference's type modifier gave.

    Raises
    ------
    MalformedParameter
        The text is not of the type's form.
    """
    try:
        if parameter.type == "reference":
            return _reference(parameter, plain(text), site, target)
        if parameter.type == "composite":
            return _composite(parameter, text, site, name)
        return _READERS[parameter.type](text, site)
    except ValueError as error:
        raise MalformedParameter(f"malformed-{parameter.type}", name=name) from error


def of_type(text: str) -> OfTypeValue:
    """``system|code|value``.

    Raises
    ------
    ValueError
        Not three parts, or one of them empty.
    """
    system, code, value = (plain(part) for part in split(text, "|"))
    if not (system and code and value):
        raise ValueError("empty part")
    return OfTypeValue(system, code, value)


def token(text: str) -> TokenValue:
    """``code``, ``system|code``, ``|code`` or ``system|``.

    Raises
    ------
    ValueError
        More than one bar, or nothing on either side.
    """
    parts = [plain(part) for part in split(text, "|")]
    if len(parts) == 1 and parts[0]:
        return TokenValue(None, parts[0])
    if len(parts) == 2 and (parts[0] or parts[1]):
        return TokenValue(parts[0], parts[1] or None)
    raise ValueError("no token")


def component_parameters(parameter: SearchParameter) -> tuple[SearchParameter, ...]:
    """The parameters that the components of a composite one are defined by, in order."""
    named = parameters_of(parameter.base)
    return tuple(named[name] for name, _ in parameter.components)


def _prefixed(text: str) -> tuple[Prefix, str]:
    match = _PREFIX.match(text)
    assert match is not None  # both parts may be empty
    prefix: Prefix = match[1] or "eq"  # type: ignore[assignment]
    return prefix, match[2]


def _text(text: str, site: Site) -> StringValue:
    if not text:
        raise ValueError("empty")
    return StringValue(plain(text))


def _token(text: str, site: Site) -> TokenValue:
    return token(text)


def _uri(text: str, site: Site) -> UriValue:
    if not text:
        raise ValueError("empty")
    return UriValue(plain(text))


def _date(text: str, site: Site) -> DateValue:
    prefix, rest = _prefixed(text)
    if rest[-6:-5] == " ":  # a plus sign that was not percent-encoded arrives as a blank
        rest = rest[:-6] + "+" + rest[-5:]
    low, high = temporal.read(rest, site.zone)
    if prefix == "ap":
        low, high = temporal.widened(low, high, site.now_us)
    return DateValue(prefix, low, high)


def _range(text: str) -> tuple[Prefix, Decimal, Decimal, Decimal]:
    """Prefix, number, and the half-open range of its implicit precision, or of ``ap`` a tenth on both sides."""
    prefix, rest = _prefixed(text)
    if _NUMBER.fullmatch(rest) is None:
        raise ValueError("no number")
    value = Decimal(rest)
    exponent = value.as_tuple().exponent
    assert isinstance(exponent, int)  # finite by its form
    if prefix == "ap":
        half = _EXACT.multiply(abs(value), Decimal("0.1"))
    else:
        # search.html#number: 100 is [99.5, 100.5), 100.00 [99.995, 100.005), 1e2 [95, 105): one digit more for 1e2.
        half = Decimal(5).scaleb((exponent if exponent <= 0 else exponent - 1) - 1)
    return prefix, value, _EXACT.subtract(value, half), _EXACT.add(value, half)


def _number(text: str, site: Site) -> NumberValue:
    return NumberValue(*_range(text))


def _quantity(text: str, site: Site) -> QuantityValue:
    parts = [plain(part) for part in split(text, "|")]
    number = _range(parts[0])
    if len(parts) == 1:
        return QuantityValue(*number, None, None)
    if len(parts) != 3:
        raise ValueError("neither number nor number|system|code")
    return QuantityValue(*number, parts[1] or None, parts[2] or None)


def _reference(parameter: SearchParameter, text: str, site: Site, target: str | None) -> ReferenceValue:
    local = text
    for base in site.bases:
        if text.startswith(base):
            local = text[len(base) :]
    match = _LOCAL.fullmatch(local)
    if match is not None:
        if target not in (None, match["type"]):
            raise ValueError("another type than the modifier's")
        if match["type"] not in RESOURCE_TYPES:
            raise ValueError("no resource type")
        return ReferenceValue(match["type"], match["id"], None, match["version"])
    if _ID.fullmatch(text):
        possible = targets(parameter)
        return ReferenceValue(target or (possible[0] if len(possible) == 1 else None), text)
    if _SCHEME.fullmatch(text) is None or target is not None:
        raise ValueError("neither id, Type/id nor URL")
    url, bar, version = text.partition("|")
    return ReferenceValue(None, None, url, version if bar else None)


def _composite(parameter: SearchParameter, text: str, site: Site, name: str) -> CompositeValue:
    parts = split(text, "$")
    components = component_parameters(parameter)
    if len(parts) != len(components):
        raise ValueError("another number of components")
    return CompositeValue(
        tuple(
            read_value(component, part, site, name) for component, part in zip(components, parts, strict=True)
        )
    )


_READERS: Final[dict[str, Callable[[str, Site], Value]]] = {
    "string": _text,
    "token": _token,
    "uri": _uri,
    "date": _date,
    "number": _number,
    "quantity": _quantity,
}
