"""Tier 2: the invariants of R4, evaluated as FHIRPath on every element that they are about.

Expressions are compiled when a type is met for the first time. ``ele-1`` and ``dom-6``, which concern everything, are
checked without FHIRPath, as are those that only speak of contained resources where there are none.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import msgspec

from xinglin.kernel.errors import XinglinError
from xinglin.kernel.language import sentences
from xinglin.standards.fhir.findings import Finding, Severity

if TYPE_CHECKING:
    from xinglin.standards.fhir.fhirpath import Expression

# Invariants that are not evaluated, each with its reason.
NOT_EVALUATED: dict[str, str] = {
    "ele-1": "checked without FHIRPath, on every element",
    "ext-1": "checked in tier 1, on every extension",
    "cid-0": "names ChargeItemDefinition.name, which does not exist in R4",
    "dom-2": "checked in tier 1",
    "dom-3": "checked without FHIRPath: descendants() of large resources takes milliseconds",
    "dom-6": "checked without FHIRPath, on every resource",
    "txt-1": "checked in tier 1, where a narrative is read as XHTML",
    "txt-2": "checked in tier 1, where a narrative is read as XHTML",
}
# Invariants that say something else than they mean, as they have to be evaluated.
CORRECTED: dict[str, str] = {
    # R4 has "is Boolean", the System type, which no FHIR element is of.
    "que-7": "operator = 'exists' implies (answer is boolean)",
}
_FRAGMENT = re.compile(rb'"#([A-Za-z0-9.-]{1,64})"')
_ELE_1 = "All FHIR elements must have a @value or children"
_ABOUT_CONTAINED = frozenset(("dom-4", "dom-5"))


@dataclass(frozen=True, slots=True)
class Rule:
    """One compiled invariant; ``step`` is the element it starts from, empty for the type itself."""

    key: str
    severity: str
    human: str
    expression: Expression
    step: str
    contained_only: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do with an element of one class."""

    rules: tuple[Rule, ...]
    children: Callable[[Any], tuple[Any, ...]] | None
    steps: tuple[str, ...]
    is_resource: bool
    has_text: bool
    members: Callable[[Any], tuple[Any, ...]]
    count: int
    partners: tuple[
        str | None, ...
    ]  # for each child that stands beside a primitive, the field of the primitive
    beside_value: bool


def check(resource: Any) -> list[Finding]:
    """The findings of every invariant on a resource and all that it holds."""
    findings: list[Finding] = []
    _element(resource, type(resource).__name__, resource, resource, findings)
    return findings


def _element(element: Any, at: str, resource: Any, root: Any, findings: list[Finding]) -> None:
    kind: Any = type(element)
    plan = _plan(kind)
    if plan.rules:
        variables = {"resource": resource, "rootResource": root}
        for rule in plan.rules:
            if not rule.contained_only or element.contained is not None:
                _apply(rule, element, at, variables, findings)
    if plan.is_resource:
        if plan.has_text and element.text is None and resource is root:
            findings.append(
                _finding("dom-6", "warning", at, "A resource should have narrative for robust management")
            )
        if plan.has_text and element.contained is not None:
            _contained(element, at, findings)
    elif plan.members(element).count(None) == plan.count and not plan.beside_value:
        findings.append(_finding("ele-1", "error", at, _ELE_1))
    if plan.children is None:
        return
    values = plan.children(element)
    for i in range(len(plan.steps)):
        value = values[i]
        if value is None:
            continue
        step = plan.steps[i]
        if (partner := plan.partners[i]) is not None:
            _beside(value, getattr(element, partner), f"{at}.{step}", findings)
        if value.__class__ is list:
            for n, item in enumerate(value):
                if item is not None:
                    _child(item, f"{at}.{step}[{n}]", step, resource, root, findings)
        else:
            _child(value, f"{at}.{step}", step, resource, root, findings)


def _beside(extra: Any, value: Any, at: str, findings: list[Finding]) -> None:
    """ele-1 for a primitive: what stands beside it under ``_name`` needs more than an id where there is no value."""
    if extra.__class__ is list:
        values = value or [None] * len(extra)
        pairs = [(f"{at}[{i}]", e, v) for i, (e, v) in enumerate(zip(extra, values, strict=False))]
    else:
        pairs = [(at, extra, value)]
    for place, item, beside in pairs:
        if item is not None and beside is None and item.extension is None:
            findings.append(_finding("ele-1", "error", place, _ELE_1))


def _contained(resource: Any, at: str, findings: list[Finding]) -> None:
    """dom-3: a contained resource is referred to from elsewhere in the resource, or refers to its container."""
    named = set(_FRAGMENT.findall(msgspec.json.encode(resource)))
    for i, inner in enumerate(resource.contained):
        referred = inner.id is not None and inner.id.encode() in named
        if not referred and b'"#"' not in msgspec.json.encode(inner):
            human = "A contained resource SHALL be referred to from elsewhere in the resource, or refer to its container"
            findings.append(_finding("dom-3", "error", f"{at}.contained[{i}]", human))


def _child(item: Any, at: str, step: str, resource: Any, root: Any, findings: list[Finding]) -> None:
    kind: Any = type(item)
    if _plan(kind).is_resource:
        _element(item, at, item, root if step == "contained" else item, findings)
    else:
        _element(item, at, resource, root, findings)


def _apply(rule: Rule, element: Any, at: str, variables: dict[str, Any], findings: list[Finding]) -> None:
    if not rule.step:
        targets: Iterator[tuple[str, Any]] = iter([(at, element)])
    else:
        targets = _values(element, rule.step, at)
    for place, value in targets:
        try:
            holds = rule.expression.holds(value, variables=variables)
        except (XinglinError, ArithmeticError, RecursionError):
            findings.append(
                Finding("warning", "processing", place, "standards.fhir-not-evaluated", {"key": rule.key})
            )
            continue
        if holds is False:
            findings.append(_finding(rule.key, rule.severity, place, rule.human))


def _values(element: Any, step: str, at: str) -> Iterator[tuple[str, Any]]:
    if step.endswith("[x]"):
        step = step.removesuffix("[x]")
        found = (
            getattr(element, f) for f in element.__struct_fields__ if f.startswith(step) and f[-2:] != "_x"
        )
        value = next((v for v in found if v is not None), None)
    else:
        value = getattr(element, step, None)
    if value.__class__ is list:
        yield from ((f"{at}.{step}[{n}]", item) for n, item in enumerate(value) if item is not None)
    elif value is not None:
        yield f"{at}.{step}", value


def _finding(key: str, severity: str, at: str, human: str) -> Finding:
    level: Severity = "error" if severity == "error" else "warning"
    own = f"fhir-invariant-{key}"  # the common ones have sentences of their own, in both languages
    name = own if own in sentences("standards") else "fhir-invariant"
    return Finding(level, "invariant", at, f"standards.{name}", {"key": key, "human": human})


@cache
def _plan(struct: Any) -> Plan:
    from xinglin.standards.fhir.r4.elements import BASES, ELEMENTS, PRIMITIVES

    path = _paths()[struct]
    fields: list[str] = []
    steps: list[str] = []
    partners: list[str | None] = []
    names = dict(zip(struct.__struct_encode_fields__, struct.__struct_fields__, strict=True))
    for element in ELEMENTS[path].values():
        for kind in element.types:
            name = element.name + kind[0].upper() + kind[1:] if element.choice else element.name
            step = f"{element.name}.ofType({kind})" if element.choice else element.name
            fields += [
                names[n] for n in (name, "_" + name) if n in names and (n[0] == "_" or kind not in PRIMITIVES)
            ]
            steps += [step] * (len(fields) - len(steps))
            partners += [names[name] if f.endswith("_x") else None for f in fields[len(partners) :]]
    lineage = [path]
    while lineage[-1] in BASES:
        lineage.append(BASES[lineage[-1]])
    members = [f for f in struct.__struct_fields__ if f != "id"]
    return Plan(
        rules=tuple(_rules(lineage)),
        children=_getter(fields),
        steps=tuple(steps),
        is_resource="Resource" in lineage,
        has_text="DomainResource" in lineage,
        members=_getter(members) or (lambda element: ()),
        count=len(members),
        partners=tuple(partners),
        beside_value=path == "Element",
    )


def _getter(fields: list[str]) -> Callable[[Any], tuple[Any, ...]] | None:
    if not fields:
        return None
    get = attrgetter(*fields)
    return get if len(fields) > 1 else lambda element: (get(element),)


def _rules(lineage: list[str]) -> Iterator[Rule]:
    from xinglin.standards.fhir.fhirpath import compile as compile_path
    from xinglin.standards.fhir.r4.invariants import INVARIANTS
    from xinglin.standards.fhir.r4.model import STRUCTS

    for path in lineage:
        contexts = [p for p in INVARIANTS if p == path or (p.rpartition(".")[0] == path and p not in STRUCTS)]
        for context in contexts:
            for invariant in INVARIANTS[context]:
                if invariant.key not in NOT_EVALUATED:
                    yield Rule(
                        invariant.key,
                        invariant.severity,
                        invariant.human,
                        compile_path(CORRECTED.get(invariant.key, invariant.expression), context),
                        "" if context == path else context.rpartition(".")[2],
                        invariant.key in _ABOUT_CONTAINED,
                    )


@cache
def _paths() -> dict[type[Any], str]:
    from xinglin.standards.fhir.r4.model import STRUCTS

    return {struct: path for path, struct in STRUCTS.items()}
