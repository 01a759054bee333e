"""The parameters that shape a result rather than select it: sorting, paging, including, summarising.

Source: HL7 FHIR R4 (4.0.1), search.html §3.1.1.5 (managing returned resources).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Literal, cast, get_args

from xinglin.standards.fhir.search.errors import (
    MalformedParameter,
    TooLargeSearch,
    UnknownParameter,
    UnsupportedSearch,
)
from xinglin.standards.fhir.search.known import STANDARD, Known
from xinglin.standards.fhir.search.limits import Limits
from xinglin.standards.fhir.search.names import (
    RESOURCE_TYPES,
    element_names,
    points_to,
)
from xinglin.standards.fhir.search.query import Include, SortKey, Summary, Total

if TYPE_CHECKING:
    from xinglin.standards.fhir.r4.parameters import SearchParameter

_COUNT: Final = re.compile(r"\d{1,9}", re.ASCII)
_CURSOR: Final = re.compile(r"[A-Za-z0-9_.~=\-]{1,2000}")


def once(name: str, earlier: object) -> None:
    """Refuse a parameter that may stand only once when it stood before.

    Raises
    ------
    MalformedParameter
        ``earlier`` is neither None nor empty.
    """
    if earlier not in (None, ()):
        raise MalformedParameter("repeated", name=name)


def types(name: str, value: str, limits: Limits) -> tuple[str, ...]:
    """The resource types of ``_type``, without repetitions."""
    names = tuple(dict.fromkeys(value.split(",")))
    if len(names) > limits.value_limit:
        raise TooLargeSearch("too-many-values", name=name, limit=limits.value_limit)
    for one in names:
        if one not in RESOURCE_TYPES:
            raise MalformedParameter("unknown-type-value", name=name, value=one[:64])
    return names


def sort(
    name: str, value: str, type: str | None, limits: Limits, known: Known = STANDARD
) -> tuple[SortKey, ...]:
    """The keys of ``_sort``: only names of search parameters that have an order."""
    keys = value.split(",")
    if len(keys) > limits.sort_key_limit:
        raise TooLargeSearch("too-many-sort-keys", name=name, limit=limits.sort_key_limit)
    found = []
    for key in keys:
        parameter = known.named(type, key.removeprefix("-"))
        if parameter is None:
            raise MalformedParameter("unknown-sort-key", name=name, key=key.removeprefix("-")[:64])
        if parameter.type in ("composite", "special") or parameter.name in ("_text", "_content"):
            raise UnsupportedSearch("unsortable", name=name, key=parameter.name)
        found.append(SortKey(parameter, key.startswith("-")))
    return tuple(found)


def count(name: str, value: str) -> int:
    """The whole number of ``_count``, 0 or more."""
    if _COUNT.fullmatch(value) is None:
        raise MalformedParameter("malformed-count", name=name)
    return int(value)


def total(name: str, value: str) -> Total:
    """The word of ``_total``."""
    if value not in get_args(Total):
        raise MalformedParameter("malformed-word", name=name, words="none, estimate, accurate")
    return cast(Total, value)


def summary(name: str, value: str) -> Summary:
    """The word of ``_summary``."""
    if value not in get_args(Summary):
        raise MalformedParameter("malformed-word", name=name, words="true, text, data, count, false")
    return cast(Summary, value)


def elements(name: str, value: str, type: str | None, limits: Limits) -> tuple[str, ...]:
    """The top-level elements of ``_elements``; a choice by its base name (``value``), without repetitions."""
    names = tuple(dict.fromkeys(value.split(",")))
    if len(names) > limits.element_limit:
        raise TooLargeSearch("too-many-elements", name=name, limit=limits.element_limit)
    known = element_names(type)
    for one in names:
        if one not in known:
            raise MalformedParameter("unknown-element", name=name, value=one[:64])
    return names


def cursor(name: str, value: str, limits: Limits) -> str:
    """The opaque text of a paging link; the store authenticates it."""
    if _CURSOR.fullmatch(value) is None:
        raise MalformedParameter("malformed-cursor", name=name)
    return value


def contained(name: str, value: str) -> None:
    """Accept only what is the case: contained resources are not searched."""
    if name == "_contained" and value not in ("true", "false", "both"):
        raise MalformedParameter("malformed-word", name=name, words="true, false, both")
    if name == "_containedType" and value not in ("container", "contained"):
        raise MalformedParameter("malformed-word", name=name, words="container, contained")
    if value in ("true", "both", "contained"):
        raise UnsupportedSearch("contained", name=name)


def include(
    name: str, modifier: str, value: str, type: str | None, *, backward: bool, known: Known = STANDARD
) -> Include:
    """One ``_include`` or ``_revinclude`` (``backward``) of a search of ``type``.

    An include that could never bring anything is refused rather than passed by.
    """
    if modifier not in ("", "iterate"):
        raise UnknownParameter("unknown-modifier", name=name, modifier=modifier[:30], words="iterate")
    iterate = modifier == "iterate"
    if value == "*":
        return Include("*", "*", None, iterate, known.references("*"))
    parts = value.split(":")
    source, target = parts[0], parts[2] if len(parts) == 3 else None
    if not 2 <= len(parts) <= 3 or source not in RESOURCE_TYPES:
        raise MalformedParameter("malformed-include", name=name, value=value[:100])
    if target is not None and target not in RESOURCE_TYPES:
        raise MalformedParameter("malformed-include", name=name, value=value[:100])
    parameter: SearchParameter | Literal["*"]
    if parts[1] == "*":
        parameter = "*"
    else:
        found = known.named(source, parts[1])
        if found is None or found.type != "reference":
            raise MalformedParameter("include-no-reference", name=name, value=parts[1][:64], type=source)
        if target is not None and not points_to(found, target):
            raise MalformedParameter("include-no-target", name=name, value=parts[1][:64], target=target)
        parameter = found
    if not iterate and type is not None:
        misses = not backward and source != type
        if backward and parameter != "*":
            misses = target not in (None, type) or not points_to(parameter, type)
        if misses:
            raise MalformedParameter("include-without-effect", name=name)
    own = known.references(source) if parameter == "*" else ()
    return Include(source, parameter, target, iterate, own)
