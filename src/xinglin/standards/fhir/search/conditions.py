"""What selects: plain criteria, chains and ``_has``.

Source: HL7 FHIR R4 (4.0.1), search.html §3.1.1.4 (modifiers, chaining, reverse chaining).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from xinglin.standards.fhir.search.errors import (
    REFUSED_ALWAYS,
    MalformedParameter,
    SearchError,
    TooLargeSearch,
    UnknownParameter,
    UnsupportedSearch,
)
from xinglin.standards.fhir.search.known import STANDARD, Known
from xinglin.standards.fhir.search.limits import Limits
from xinglin.standards.fhir.search.names import RESOURCE_TYPES, points_to, targets
from xinglin.standards.fhir.search.query import (
    Chain,
    Condition,
    Criterion,
    Has,
    Modifier,
    StringValue,
    TextValue,
    Value,
)
from xinglin.standards.fhir.search.text import plain, split
from xinglin.standards.fhir.search.values import Site, of_type, read_value, token
from xinglin.standards.han import fold

if TYPE_CHECKING:
    from xinglin.standards.fhir.r4.parameters import SearchParameter

_MODIFIERS: Final[dict[str, tuple[Modifier, ...]]] = {
    "string": ("missing", "exact", "contains"),
    "token": ("missing", "not", "text", "of-type"),
    "reference": ("missing", "identifier"),
    "uri": ("missing", "below", "above"),
    "date": ("missing",),
    "number": ("missing",),
    "quantity": ("missing",),
    "composite": (),
}
_TERMINOLOGY: Final = frozenset({"in", "not-in", "above", "below"})  # on tokens: need value sets
_FULL_TEXT: Final = frozenset({"_text", "_content"})
_OWN_MODIFIERS: Final[dict[str, tuple[Modifier, ...]]] = {
    "_text": (), "_content": (), "_lastUpdated": (), "_id": ("not",),  # every resource has the last two
}  # fmt: skip


@dataclass(slots=True)
class Reader:
    """Reads the selecting parameters of one search of ``type`` (None: of all types, or of ``types``)."""

    type: str | None
    types: tuple[str, ...]
    limits: Limits
    site: Site
    branches: int = field(default=0)
    known: Known = STANDARD

    def condition(self, name: str, value: str) -> Condition:
        """What ``name=value`` asks of a resource of the search.

        Raises
        ------
        SearchError
            See `errors`.
        """
        return self._condition(self.type, name, name, value, 0)

    def _condition(self, type: str | None, rest: str, name: str, value: str, depth: int) -> Condition:
        """``rest`` is what is left of ``name`` after the chain's links so far, ``type`` what it applies
        to.
        """
        if rest.startswith("_has:"):
            return self._has(type, rest, name, value, self._deeper(depth, name))
        head, dot, further = rest.partition(".")
        if dot:
            return self._chain(type, head, further, name, value, self._deeper(depth, name))
        return self._criterion(type, rest, name, value)

    def _deeper(self, depth: int, name: str) -> int:
        if depth >= self.limits.chain_depth:
            raise TooLargeSearch("chain-too-deep", name=name, limit=self.limits.chain_depth)
        return depth + 1

    def _has(self, type: str | None, rest: str, name: str, value: str, depth: int) -> Has:
        parts = rest.split(":", 3)
        if len(parts) != 4 or not parts[3]:
            raise MalformedParameter("malformed-has", name=name)
        _, source, link, further = parts
        if source not in RESOURCE_TYPES:
            raise UnknownParameter("unknown-type-in-parameter", name=name, type=source[:60])
        reference = self.known.named(source, link)
        if reference is None or reference.type != "reference":
            raise UnknownParameter("no-reference", name=name, parameter=link[:60], type=source)
        if type is not None and not points_to(reference, type):
            raise MalformedParameter("wrong-target", name=name, parameter=link, type=type)
        return Has(source, reference, self._condition(source, further, name, value, depth))

    def _chain(self, type: str | None, head: str, further: str, name: str, value: str, depth: int) -> Chain:
        link, colon, wanted = head.partition(":")
        parameter = self._named(type, link, name)
        if parameter.type != "reference":
            raise UnknownParameter("no-reference", name=name, parameter=link[:60], type=type or "Resource")
        if colon and wanted not in RESOURCE_TYPES:
            raise UnknownParameter("unknown-type-in-parameter", name=name, type=wanted[:60])
        if colon and not points_to(parameter, wanted):
            raise MalformedParameter("wrong-target", name=name, parameter=link, type=wanted)
        found: dict[str, Condition] = {}
        failure: SearchError | None = None
        for target in (wanted,) if colon else targets(parameter):
            self.branches += 1
            if self.branches > self.limits.chain_branches:
                raise TooLargeSearch("chain-too-wide", name=name, limit=self.limits.chain_branches)
            try:
                found[target] = self._condition(target, further, name, value, depth)
            except REFUSED_ALWAYS:
                raise
            except SearchError as error:
                # Of several target types some lack the parameter: only when all do, say why.
                if failure is None or isinstance(failure, UnknownParameter):
                    failure = error
        if not found:
            assert failure is not None  # a reference has at least one target
            raise failure
        return Chain(parameter, tuple(found), tuple(found.values()))

    def _named(self, type: str | None, link: str, name: str) -> SearchParameter:
        parameter = self.known.named(type, link)
        if parameter is None and type is None:
            raise UnknownParameter("unknown-parameter-of-all", name=name, parameter=link[:60])
        if parameter is None:
            raise UnknownParameter("unknown-parameter", name=name, parameter=link[:60], type=type)
        return parameter

    def _criterion(self, type: str | None, rest: str, name: str, value: str) -> Criterion:
        link, colon, modifier = rest.partition(":")
        also: tuple[SearchParameter, ...] = ()
        if type is None and self.types and self.known.named(None, link) is None:
            first, *others = (self._named(one, link, name) for one in self.types)
            if any(other.type != first.type for other in others):
                raise UnsupportedSearch("unlike-types", name=name)
            parameter, also = first, tuple(others)
        else:
            parameter = self._named(type, link, name)
        if parameter.type == "special" or parameter.name in ("_query", "_list", "_filter"):
            raise UnsupportedSearch("unsupported-parameter", name=name)
        target: str | None = None
        if colon and parameter.type == "reference" and modifier in RESOURCE_TYPES:
            if not points_to(parameter, modifier):
                raise MalformedParameter("wrong-target", name=name, parameter=link, type=modifier)
            target, colon = modifier, ""
        known = _modifier(parameter, modifier, name) if colon else None
        return Criterion(parameter, known, self._values(parameter, known, target, name, value), also)

    def _values(
        self, parameter: SearchParameter, modifier: Modifier | None, target: str | None, name: str, value: str
    ) -> tuple[Value | bool, ...]:
        if not value:
            raise MalformedParameter("empty-value", name=name)
        if modifier == "missing":
            if value not in ("true", "false"):
                raise MalformedParameter("malformed-word", name=name, words="true, false")
            return (value == "true",)
        parts = split(value, ",")
        if len(parts) > self.limits.value_limit:
            raise TooLargeSearch("too-many-values", name=name, limit=self.limits.value_limit)
        found: dict[Value | bool, None] = {}
        for part in parts:
            if len(part) > self.limits.pattern_limit:
                raise TooLargeSearch("value-too-long", name=name, limit=self.limits.pattern_limit)
            found[self._value(parameter, modifier, target, name, part)] = None
        return tuple(found)

    def _value(
        self, parameter: SearchParameter, modifier: Modifier | None, target: str | None, name: str, text: str
    ) -> Value:
        try:
            if modifier == "identifier":
                return token(text)
            if modifier == "of-type":
                return of_type(text)
            if modifier == "text" or parameter.name in _FULL_TEXT:
                return TextValue(_said(plain(text)))
        except ValueError as error:
            form = {"identifier": "token", "of-type": "of-type"}.get(modifier or "", "string")
            raise MalformedParameter(f"malformed-{form}", name=name) from error
        found = read_value(parameter, text, self.site, name, target)
        if isinstance(found, StringValue) and modifier != "exact" and not fold(found.text):
            raise MalformedParameter("malformed-string", name=name)
        return found


def _said(text: str) -> str:
    # Accents alone fold to nothing, and nothing is the beginning of everything.
    if not fold(text):
        raise ValueError("nothing to search for")
    return text


def _modifier(parameter: SearchParameter, modifier: str, name: str) -> Modifier:
    if parameter.type == "token" and modifier in _TERMINOLOGY:
        raise UnsupportedSearch("needs-terminology", name=name)
    if parameter.type == "reference" and modifier in ("above", "below"):
        raise UnsupportedSearch("needs-hierarchy", name=name)
    allowed = _OWN_MODIFIERS.get(parameter.name, _MODIFIERS[parameter.type])
    for one in allowed:
        if one == modifier:
            return one
    raise UnknownParameter(
        "unknown-modifier", name=name, modifier=modifier[:30], words=", ".join(allowed) or "-"
    )
