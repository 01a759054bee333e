"""A SearchParameter resource as parameters on types: what can be searched by, and what is refused, and where.

Source: HL7 FHIR R4, searchparameter.html.
"""

from __future__ import annotations

import re
from typing import Any, Final

from xinglin.records.custom.errors import BadDefinition
from xinglin.records.index.own import is_single
from xinglin.records.index.paths import NotAWalk, walks
from xinglin.records.index.source import takes
from xinglin.standards.fhir.fhirpath import compile as compile_fhirpath
from xinglin.standards.fhir.fhirpath.errors import FhirPathError
from xinglin.standards.fhir.fhirpath.schema import OPEN
from xinglin.standards.fhir.fhirpath.syntax import Call
from xinglin.standards.fhir.r4.codes import RESOURCE_TYPES
from xinglin.standards.fhir.r4.parameters import SearchParameter, parameters_of

LONGEST: Final = 2000
"""Characters of an expression."""
MOST_NODES: Final = 400
"""Parts of an expression: each costs at most a microsecond or so for each value it meets."""
_CODE: Final = re.compile(r"[A-Za-z][A-Za-z0-9\-_]{0,63}", re.ASCII)
_TYPES: Final = ("string", "token", "date", "number", "quantity", "reference", "uri", "composite")
_REFUSED: Final = frozenset(
    {"now", "today", "timeOfDay", "memberOf", "repeat", "descendants", "trace", "aggregate"}
)
"""Functions whose answer is another one later, or whose cost is not bounded by what the resource says."""
_EVERY: Final = {
    "Resource": frozenset[str](),
    "DomainResource": frozenset({"Binary", "Bundle", "Parameters"}),
}
_SECOND: Final = ("token", "quantity", "number", "date", "string")


def definitions(resource: Any) -> list[SearchParameter]:
    """The parameters that an R4 SearchParameter defines, one on each type, all with number 0.

    None where it is not active, or is one of R4's own under its own url and code, which is there already.

    Raises
    ------
    BadDefinition
    """
    if resource.status != "active" or _is_standard(resource):
        return []
    code, kind = _checked_code(resource), resource.type
    if kind not in _TYPES:
        raise _bad("type", "type", type=kind or "-", known=", ".join(_TYPES))
    expression = resource.expression or ""
    if not expression.strip():
        raise _bad("no-expression", "expression", code=code)
    targets = _targets(resource)
    found: list[SearchParameter] = []
    for place, base in enumerate(resource.base or ()):
        if base not in RESOURCE_TYPES and base not in _EVERY:
            raise _bad("base", f"base[{place}]", base=str(base)[:64])
        types = sorted(RESOURCE_TYPES - _EVERY[base]) if base in _EVERY else [base]
        defined = [_on(resource, one, code, expression, targets, listed=one == base) for one in types]
        found += [one for one in defined if one is not None]
    named: dict[str, SearchParameter] = {one.base: one for one in found}
    if not named:
        raise _bad(
            "nothing", "expression", code=code, base=", ".join(map(str, resource.base or ())), type=kind
        )
    return list(named.values())


def _is_standard(resource: Any) -> bool:
    bases = [one for one in resource.base or () if one in RESOURCE_TYPES or one in _EVERY]
    return bool(bases) and all(
        resource.code in parameters_of(one) and parameters_of(one)[resource.code].url == resource.url
        for one in bases
        if one in RESOURCE_TYPES or one == "Resource"
    )


def _checked_code(resource: Any) -> str:
    code = resource.code or ""
    if _CODE.fullmatch(code) is None:
        raise _bad("code", "code", code=code[:64])
    return str(code)


def _on(
    resource: Any, base: str, code: str, expression: str, targets: tuple[str, ...], *, listed: bool
) -> SearchParameter | None:
    """The parameter on one type; None where it can give nothing there and was not asked for by name."""
    standard = parameters_of(base).get(code)
    if standard is not None:
        raise _bad("code-standard", "code", code=code, base=base, url=standard.url)
    components = _components(resource, base)
    parameter = SearchParameter(
        0, base, code, resource.type, expression, targets, components, resource.url or "", False
    )
    types = _result_types(expression, base)
    if types is not None and not any(_fits(parameter, one) for one in types):
        if not listed:
            return None
        key = "wrong-type" if types else "nothing"
        shown = ", ".join(sorted(types)[:5])
        raise _bad(key, "expression", code=code, base=base, type=resource.type, found=shown)
    return parameter._replace(single=is_single(parameter))


def _result_types(expression: str, base: str) -> frozenset[str] | None:
    if len(expression) > LONGEST:
        raise _bad("long", "expression", limit=LONGEST)
    try:
        compiled = compile_fhirpath(expression, base)
        nodes = list(compiled.tree.walk())
    except FhirPathError as error:
        raise _bad("expression", "expression", base=base, reason=error.say("en")) from error
    if len(nodes) > MOST_NODES:
        raise _bad("long", "expression", limit=LONGEST)
    for node in nodes:
        if isinstance(node, Call) and node.name in _REFUSED:
            raise _bad("function", "expression", function=node.name)
    return compiled.types


def _fits(parameter: SearchParameter, type: str) -> bool:
    if type in OPEN or type == "System.Any":
        return True
    if parameter.type == "composite":
        return True
    if parameter.type == "reference" and type in RESOURCE_TYPES:
        return True
    return takes(parameter.type, type.removeprefix("System.").lower() if type.startswith("System.") else type)


def _targets(resource: Any) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(resource.target or ()))
    for place, one in enumerate(found):
        if one not in RESOURCE_TYPES:
            raise _bad("base", f"target[{place}]", base=str(one)[:64])
    return tuple(sorted(found))


def _components(resource: Any, base: str) -> tuple[tuple[str, str], ...]:
    """Name and expression of a composite's two components, which are R4's parameters of the type."""
    if resource.type != "composite":
        return ()
    by_url = {one.url: one for one in parameters_of(base).values()}
    found = []
    kinds = []
    for place, component in enumerate(resource.component or ()):
        one = by_url.get((component.definition or "").partition("|")[0])
        if one is None or not component.expression:
            raise _bad("component", f"component[{place}]", base=base)
        found.append((one.name, component.expression))
        kinds.append(one.type)
    if len(found) != 2 or kinds[0] != "token" or kinds[1] not in _SECOND:
        raise _bad("components", "component", second=", ".join(_SECOND))
    try:
        contexts = {walk.type for walk in walks(resource.expression or "", base)}
        for _, expression in found:
            for context in contexts:
                walks(expression, context)
    except (NotAWalk, FhirPathError) as error:
        raise _bad("component", "component", base=base) from error
    return tuple(found)


def _bad(key: str, place: str, /, **values: object) -> BadDefinition:
    return BadDefinition(f"records.custom-{key}", expression=f"SearchParameter.{place}", **values)
