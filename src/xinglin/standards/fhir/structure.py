"""The descriptive pass of tier 1: every fault of a JSON body with its place, against the table of elements.

Slower than `parse` by some tens of times and independent of it; it runs when the decoder refused a body, or when the
body holds something that the decoder cannot judge. What it finds is final.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import Any

from xinglin.standards.fhir.checks import in_value_set
from xinglin.standards.fhir.findings import Finding
from xinglin.standards.fhir.narrative import fault
from xinglin.standards.fhir.primitives import (
    COMPILED,
    CURRENCY,
    DECIMAL_EXPONENT,
    INTEGERS,
    MIME_TYPE,
    NESTING,
    STRING_LENGTH,
)
from xinglin.standards.fhir.r4.codes import RESOURCE_TYPES, VALUE_SETS
from xinglin.standards.fhir.r4.elements import ELEMENTS, PRIMITIVES, Element
from xinglin.standards.fhir.source import Members, Number, read

FINDINGS = 1000  # told at most: ten megabytes of "[null, null, …" would otherwise make millions

_UNSEEN = object()
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]*)\Z")
_BINDING_PATTERNS = {
    "http://hl7.org/fhir/ValueSet/mimetypes": re.compile(MIME_TYPE),
    "http://hl7.org/fhir/ValueSet/currencies": re.compile(CURRENCY),
}


@dataclass(frozen=True, slots=True)
class Member:
    """One JSON member that a type may have."""

    name: str
    kind: str
    element: Element
    extensible: bool  # a primitive that may also come as ``_name``

    @property
    def step(self) -> str:
        """The step in a FHIRPath expression."""
        return f"{self.element.name}.ofType({self.kind})" if self.element.choice else self.element.name


@cache
def members_of(path: str) -> dict[str, Member]:
    """The JSON members of a type by name, without the ``_name`` forms."""
    found: dict[str, Member] = {}
    for element in ELEMENTS[path].values():
        for kind in element.types:
            name = element.name + kind[0].upper() + kind[1:] if element.choice else element.name
            attribute = kind == "xhtml" or (name == "id" and element.max == 1 and kind in ("id", "string"))
            attribute = attribute or (path == "Extension" and name == "url")
            if element.max != 0:
                found[name] = Member(name, kind, element, kind in PRIMITIVES and not attribute)
    return found


@cache
def required_of(path: str) -> tuple[str, ...]:
    """The elements that a type cannot be without."""
    return tuple(element.name for element in ELEMENTS[path].values() if element.min)


def describe(body: bytes) -> list[Finding]:
    """Every finding of tier 1 about a JSON body; none at error level means that it is a valid resource."""
    value, fatal = read(body, NESTING)
    if fatal is not None:
        return [fatal]
    walk = _Walk()
    with suppress(_EnoughError):
        walk.resource(value, "", contained=False)
    return walk.findings


class _EnoughError(Exception):
    """As many findings as are told at once have been found."""


class _Walk:
    def __init__(self) -> None:
        self.findings: list[Finding] = []

    def add(self, code: str, at: str, key: str, /, **values: object) -> None:
        self.findings.append(Finding("error", code, at, f"standards.fhir-{key}", values))
        if len(self.findings) >= FINDINGS:
            told: dict[str, object] = {"limit": FINDINGS}
            self.findings.append(
                Finding("information", "incomplete", "", "standards.fhir-more-findings", told)
            )
            raise _EnoughError

    def resource(self, value: Any, at: str, *, contained: bool) -> None:
        if not isinstance(value, Members):
            self.add("structure", at, "resource-not-object")
            return
        kind = next((v for k, v in value if k == "resourceType"), None)
        if kind is None:
            self.add("required", at, "no-resource-type")
        elif not isinstance(kind, str) or isinstance(kind, Number) or kind not in RESOURCE_TYPES:
            self.add("value", at, "unknown-resource-type")
        else:
            self.object(value, kind, at or kind, is_resource=True)
            if contained and any(k == "contained" for k, _ in value):
                self.add("structure", f"{at}.contained", "contained-nested")

    def object(self, value: Members, path: str, at: str, *, is_resource: bool = False) -> None:
        if not value:
            self.add("structure", at, "empty-object")
        known = members_of(path)
        given: dict[str, Any] = {}
        for name, item in value:
            if name in given:
                self.add("structure", _join(at, name), "duplicate", name=_shown(name))
                continue
            given[name] = item
            member = known.get(name.removeprefix("_"))
            if is_resource and name == "resourceType":
                continue
            if member is None or (name.startswith("_") and not member.extensible):
                self.add("structure", _join(at, name), "unknown-element", name=_shown(name), type=path)
        present: dict[str, list[Member]] = {}
        for name in given:
            base = name.removeprefix("_")
            member = known.get(base)
            if member is None or (base != name and (base in given or not member.extensible)):
                continue
            plain = given.get(base, _UNSEEN)
            beside = given.get("_" + base, _UNSEEN) if member.extensible else _UNSEEN
            present.setdefault(member.element.name, []).append(member)
            place = f"{at}.{member.step}"
            if member.element.max is None:
                self.many(plain, beside, member, place)
            else:
                self.one(plain, beside, member, place)
        self.cardinality(path, at, present)

    def cardinality(self, path: str, at: str, present: dict[str, list[Member]]) -> None:
        for name, members in present.items():
            if len(members) > 1:
                self.add("structure", f"{at}.{name}", "choice", name=name)
        for name in required_of(path):
            if name not in present:
                self.add("required", f"{at}.{name}", "required", name=name, type=path)
        if path == "Extension":
            if "value" in present and "extension" in present:
                self.add("extension", at, "extension-both")
            elif "value" not in present and "extension" not in present:
                self.add("extension", at, "extension-neither")

    def one(self, plain: Any, extra: Any, member: Member, at: str) -> None:
        if plain is not _UNSEEN:
            if isinstance(plain, list) and not isinstance(plain, Members):
                self.add("structure", at, "not-repeating", name=member.name)
            elif plain is None:
                self.add("structure", at, "null")
            else:
                self.value(plain, member, at)
        if extra is not _UNSEEN:
            if extra is None:
                self.add("structure", at, "null")
            else:
                self.beside(extra, at)

    def many(self, plain: Any, extra: Any, member: Member, at: str) -> None:
        items, extras = self.items(plain, member, at), self.items(extra, member, at)
        if items is not None and extras is not None and len(items) != len(extras):
            self.add("structure", at, "arrays-differ", name=member.name)
        for i in range(max(len(items or ()), len(extras or ()))):
            item = items[i] if items is not None and i < len(items) else None
            beside = extras[i] if extras is not None and i < len(extras) else None
            place = f"{at}[{i}]"
            if item is None and beside is None:
                self.add("structure", place, "null")
            if item is not None:
                if isinstance(item, list) and not isinstance(item, Members):
                    self.add("structure", place, "array-in-array")
                else:
                    self.value(item, member, place)
            if beside is not None:
                self.beside(beside, place)

    def items(self, value: Any, member: Member, at: str) -> list[Any] | None:
        if value is _UNSEEN:
            return None
        if value is None:
            self.add("structure", at, "null")
        elif not isinstance(value, list) or isinstance(value, Members):
            self.add("structure", at, "repeating", name=member.name)
        elif not value:
            self.add("structure", at, "empty-array")
        else:
            return value
        return None

    def beside(self, value: Any, at: str) -> None:
        if isinstance(value, Members):
            self.object(value, "Element", at)
        else:
            self.add("structure", at, "extension-not-object")

    def value(self, value: Any, member: Member, at: str) -> None:
        kind = member.kind
        if kind == "Resource":
            self.resource(value, at, contained=member.name == "contained")
        elif kind in PRIMITIVES:
            self.primitive(value, member, at)
        elif not isinstance(value, Members):
            self.add("structure", at, "wrong-object", name=member.name)
        else:
            self.object(value, kind, at)
            if kind == "Reference":
                self.target(value, member.element.targets, at)
            elif kind in ("CodeableConcept", "Coding") and member.element.strength == "required":
                self.concept(value, kind, member.element.binding, at)

    def primitive(self, value: Any, member: Member, at: str) -> None:
        kind = member.kind
        wanted = (
            "boolean"
            if kind == "boolean"
            else "number"
            if kind in INTEGERS or kind == "decimal"
            else "string"
        )
        if wanted != _json_type(value):
            self.add("structure", at, f"wrong-{wanted}", name=member.name)
        elif kind in INTEGERS:
            low, high = INTEGERS[kind]
            # Python refuses to read integers of thousands of digits: eleven characters hold any that is in range.
            if not _INTEGER.match(value):
                self.add("value", at, "not-whole")
            elif len(value) > 11 or not low <= int(value) <= high:
                self.add("value", at, "range", low=low, high=high)
        elif kind == "decimal":
            if not _is_bounded(value):
                self.add("value", at, "decimal-range", limit=DECIMAL_EXPONENT)
        elif wanted == "string":
            self.text(value, member, at)

    def text(self, value: str, member: Member, at: str) -> None:
        kind = member.kind
        if not value:
            self.add("value", at, "empty-string")
        elif _SURROGATE.search(value):
            self.add("value", at, "surrogate")
        elif _CONTROL.search(value):
            self.add("value", at, "control-character")
        elif kind in ("string", "markdown") and len(value) > STRING_LENGTH:
            self.add("too-long", at, "too-long", limit=STRING_LENGTH)
        elif kind == "xhtml":
            if problem := fault(value):
                self.add("value", at, "narrative", problem=problem)
        elif kind == "code" and member.element.strength == "required":
            self.code(value, member.element.binding, at)
        elif (pattern := COMPILED.get(kind)) and not pattern.match(value):
            self.add("value", at, f"format-{kind.lower()}")

    def code(self, value: str, binding: str, at: str) -> None:
        if binding in VALUE_SETS:
            if not any(value in codes for codes in VALUE_SETS[binding].values()):
                self.add("code-invalid", at, "code", value_set=binding)
        elif not _BINDING_PATTERNS.get(binding, COMPILED["code"]).match(value):
            self.add("code-invalid", at, "code", value_set=binding)

    def target(self, value: Members, targets: tuple[str, ...], at: str) -> None:
        reference = _string(value, "reference")
        if targets and reference is not None:
            kind = reference.partition("/")[0]
            if kind in RESOURCE_TYPES and kind not in targets:
                self.add("value", f"{at}.reference", "target", type=kind, targets=", ".join(targets))

    def concept(self, value: Members, kind: str, binding: str, at: str) -> None:
        if binding not in VALUE_SETS:
            return
        names = {name for name, _ in value}
        if kind == "Coding":
            codings: Any = [value]
            absent = "code" not in names and "extension" in names
        else:
            codings = next((v for k, v in value if k == "coding"), [])
            absent = "coding" not in names and "extension" in names and "text" not in names
        pairs = [
            (_string(c, "system"), _string(c, "code"))
            for c in (codings if isinstance(codings, list) else [])
            if isinstance(c, Members)
        ]
        if not absent and not in_value_set(pairs, binding):
            self.add("code-invalid", at, "concept", value_set=binding)


def _is_bounded(lexeme: str) -> bool:
    try:
        return abs(Decimal(lexeme).adjusted()) < DECIMAL_EXPONENT
    except InvalidOperation:  # an exponent beyond what Decimal itself can hold
        return False


def _string(value: Members, name: str) -> str | None:
    found = next((v for k, v in value if k == name), None)
    return found if isinstance(found, str) and not isinstance(found, Number) else None


def _json_type(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, Number):
        return "number"
    return "string" if isinstance(value, str) else "object"


def _join(at: str, name: str) -> str:
    """The place of a member that the type does not have, as far as its name can be a FHIRPath step."""
    name = name.removeprefix("_")
    return f"{at}.{name}" if re.fullmatch(r"[A-Za-z][A-Za-z0-9]{0,63}", name) else at


def _shown(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_\-]{0,63}", name) else "?"
