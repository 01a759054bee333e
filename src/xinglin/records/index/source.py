"""Writes, for one resource type, the Python source of the function that appends its index rows.

All walks of a type's parameters are laid into one tree, so that each element is read once whatever number of parameters
ends there; the tree is then written out as nested ``if`` and ``for``. A written function takes a fifteenth of the time of
evaluating the expressions one by one (benchmarks/extract.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Final

from xinglin.records.index.paths import NotAWalk, Only, Step, Walk, is_kind, walks
from xinglin.records.index.rows import IDENTIFIER, OF_TYPE
from xinglin.records.index.unions import is_union
from xinglin.standards.fhir.r4.elements import ELEMENTS
from xinglin.standards.fhir.r4.parameters import SearchParameter, parameters_of
from xinglin.standards.fhir.search.implied import SPECIAL_VALUES

UNINDEXED: Final = frozenset({"_id", "_lastUpdated", "_text", "_content", "_query", "_filter", "_list"})
MOST_FIRST: Final = 20
MOST_SECOND: Final = 25
"""Values of a composite's components that are paired, of one base item; what follows is left out."""

_STRINGS: Final = frozenset({"string", "markdown", "code", "id"})
_URIS: Final = frozenset({"uri", "url", "canonical", "oid", "uuid"})
_NUMBERS: Final = frozenset({"decimal", "integer", "positiveInt", "unsignedInt"})
_MOMENTS: Final = frozenset({"date", "dateTime", "instant"})

# FHIR type → the function of `values` (or `temporal`) that a written function calls, per parameter type.
_CALLS: Final[dict[str, dict[str, str]]] = {
    "token": {
        "CodeableConcept": "concept",
        "Coding": "coding",
        "Identifier": "identifier",
        "ContactPoint": "contact",
    },
    "string": {"HumanName": "human_name", "Address": "address"},
    "number": {**dict.fromkeys(_NUMBERS, "number"), "Range": "number_range"},
    "quantity": {"Money": "money", "Range": "quantity_range", "SampledData": "sampled"},
    "date": {"Period": "period_interval", "Timing": "timing_interval"},
}
_ROWS: Final = {  # parameter type → the list's append, and the row's end behind the parameter's number
    "token": ("token", "s, c, t"),
    "string": ("text", "n, e, k"),
    "number": ("measure", "s, c, low, high"),
    "quantity": ("measure", "s, c, low, high"),
}


def takes(parameter_type: str, fhir_type: str) -> bool:
    """Whether values of a FHIR type give rows to parameters of a type."""
    if parameter_type == "reference":
        return fhir_type in ("Reference", "Resource") or fhir_type in _URIS
    if parameter_type == "uri":
        return fhir_type in _URIS or fhir_type in _STRINGS
    if parameter_type == "token":
        return (
            fhir_type in _CALLS["token"]
            or fhir_type in _STRINGS
            or fhir_type in _URIS
            or fhir_type in ("boolean", "integer", "positiveInt")
        )
    if parameter_type == "string":
        return fhir_type in _CALLS["string"] or fhir_type in _STRINGS or fhir_type in _URIS
    if parameter_type == "date":
        return fhir_type in _CALLS["date"] or fhir_type in _MOMENTS
    if parameter_type == "quantity":
        return fhir_type in _CALLS["quantity"] or is_kind(fhir_type, "Quantity")
    return parameter_type == "number" and fhir_type in _CALLS["number"]


@dataclass(slots=True)
class Ending:
    """What happens at a place of the tree: rows for ``number``, or (``into``) values kept for a composite."""

    parameter_type: str
    walk: Walk
    number: int = 0
    into: str = ""


@dataclass(slots=True)
class Pairing:
    """A composite whose base item is a place of the tree: its number, and where its components' values are kept."""

    number: int
    kinds: tuple[str, ...]
    kept: tuple[str, ...]


@dataclass(slots=True)
class Place:
    """A place of the tree."""

    endings: list[Ending] = field(default_factory=list)
    pairings: list[Pairing] = field(default_factory=list)
    below: dict[Step | Only, Place] = field(default_factory=dict)

    def at(self, steps: Iterable[Step | Only]) -> Place:
        """The place that ``steps`` lead to from here, made where it is not."""
        place = self
        for step in steps:
            place = place.below.setdefault(step, Place())
        return place


@dataclass(slots=True)
class Written:
    """The source of ``rows(resource, bases, zone, token, reference, text, date, measure, pair, patient)``, and the
    parameters that are left to the FHIRPath engine.
    """

    source: str
    left: tuple[SearchParameter, ...]


def write(type: str, owners: frozenset[str], own: Iterable[SearchParameter] | None = None) -> Written:
    """The function for ``type``; parameters named in ``owners`` put a resource into a Patient's compartment.

    ``own``: for these parameters, in place of R4's.
    """
    tree = Place()
    left: list[SearchParameter] = []
    names = _names()
    parameters = parameters_of(type)
    for parameter in parameters.values() if own is None else own:
        if parameter.name in UNINDEXED or not parameter.expression or parameter.type == "special":
            continue
        if is_union(parameter):
            continue
        try:
            if parameter.type == "composite":
                _lay_composite(tree, parameter, type, names)
            else:
                for walk in of(parameter, type):
                    if takes(parameter.type, walk.type):
                        tree.at(walk.steps).endings.append(Ending(parameter.type, walk, parameter.number))
        except NotAWalk:
            left.append(parameter)
    numbers = frozenset(parameters[name].number for name in owners if name in parameters)
    lines = ["def rows(r, bases, zone, token, reference, text, date, measure, pair, patient):"]
    _write(tree, "r", 1, lines, numbers, _names("x"))
    if len(lines) == 1:
        lines.append("    pass")
    return Written("\n".join(lines) + "\n", tuple(left))


def of(parameter: SearchParameter, type: str) -> tuple[Walk, ...]:
    """The walks of a parameter on ``type``. Raises NotAWalk."""
    expression = parameter.expression
    if parameter.base in ("Resource", "DomainResource"):
        expression = expression.removeprefix(parameter.base + ".")
    found = walks(expression, type)
    # Bundle.composition is the first entry's resource, if that is a Composition.
    only = parameter.targets[0] if len(parameter.targets) == 1 else None
    return tuple(replace(walk, refers=only) if walk.type == "Resource" else walk for walk in found)


def _names(letter: str = "kept") -> Callable[[], str]:
    numbers = iter(range(1, 1_000_000))
    return lambda: f"{letter}{next(numbers)}"


def components(parameter: SearchParameter) -> tuple[tuple[str, str], ...]:
    """Type and expression of each component of a composite parameter, in the order of its values.

    R4 gives DocumentReference.relationship its two expressions the wrong way round: a reference to ``code`` and a token of
    ``target``. Where only the exchange makes sense, it is made.
    """
    named = parameters_of(parameter.base)
    kinds = [named[name].type for name, _ in parameter.components]
    expressions = [expression for _, expression in parameter.components]
    if len(kinds) == 2 and parameter.base in ELEMENTS:
        bases = {walk.type for walk in walks(parameter.expression, parameter.base)}

        def fits(kind: str, expression: str) -> bool:
            return any(takes(kind, walk.type) for base in bases for walk in _tried(expression, base))

        if not fits(kinds[0], expressions[0]) and fits(kinds[0], expressions[1]):
            expressions.reverse()
    return tuple(zip(kinds, expressions, strict=True))


def _tried(expression: str, type: str) -> tuple[Walk, ...]:
    try:
        return walks(expression, type)
    except NotAWalk:
        return ()


def _lay_composite(tree: Place, parameter: SearchParameter, type: str, names: Callable[[], str]) -> None:
    parted = components(parameter)
    parts: list[tuple[Place, Ending | Pairing]] = []
    for base in walks(parameter.expression, type):
        place = tree.at(base.steps)
        kept = []
        for kind, expression in parted:
            name = names()
            kept.append(name)
            for walk in walks(expression, base.type):
                if takes(kind, walk.type):
                    parts.append((place.at(walk.steps), Ending(kind, walk, into=name)))
        parts.append((place, Pairing(parameter.number, tuple(kind for kind, _ in parted), tuple(kept))))
    for place, part in parts:  # only when no component was more than a walk
        if isinstance(part, Pairing):
            place.pairings.append(part)
        else:
            place.endings.append(part)


def _write(
    place: Place, name: str, depth: int, lines: list[str], owners: frozenset[int], names: Callable[[], str]
) -> None:
    def line(text: str, deeper: int = 0) -> None:
        lines.append("    " * (depth + deeper) + text)

    merged = _merged(place.pairings, place)
    for pairings in merged:
        line(" = ".join(pairings[0].kept) + " = ()")
    _write_endings(place.endings, name, line, owners)
    for step, below in place.below.items():
        if isinstance(step, Only):
            line(f"if {name}.{step.name} == {step.text!r}:")
            _write(below, name, depth + 1, lines, owners, names)
            continue
        item = names()
        line(f"{item} = {name}.{step.name}")
        if step.first:
            line(f"if {item}:")
            line(f"{item} = {item}[0]", 1)
            _write(below, item, depth + 1, lines, owners, names)
        elif step.many:
            one = names()
            line(f"if {item} is not None:")
            line(f"for {one} in {item}:", 1)
            inner = 2
            if any(not _is_struct(ending.walk.type) for ending in below.endings):
                line(f"if {one} is not None:", 2)  # a primitive that has only an extension
                inner = 3
            _write(below, one, depth + inner, lines, owners, names)
        else:
            line(f"if {item} is not None:")
            _write(below, item, depth + 1, lines, owners, names)
    for pairings in merged:
        _write_pairings(pairings, line)


def _is_struct(type: str) -> bool:
    return type in ELEMENTS or type == "Resource"


def _merged(pairings: list[Pairing], place: Place) -> list[list[Pairing]]:
    """Pairings of one place, those with the same components together, so that values are kept once."""
    groups: dict[tuple[object, ...], list[Pairing]] = {}
    for pairing in pairings:
        key = (pairing.kinds, *(tuple(sorted(_sources(place, kept))) for kept in pairing.kept))
        group = groups.setdefault(key, [])
        if group:
            for kept in pairing.kept:
                _forget(place, kept)
        group.append(pairing)
    return list(groups.values())


def _sources(place: Place, kept: str) -> list[str]:
    found = [repr(ending.walk) for ending in place.endings if ending.into == kept]
    for below in place.below.values():
        found += _sources(below, kept)
    return found


def _forget(place: Place, kept: str) -> None:
    place.endings = [ending for ending in place.endings if ending.into != kept]
    for below in place.below.values():
        _forget(below, kept)


def _write_endings(
    endings: list[Ending], name: str, line: Callable[..., None], owners: frozenset[int]
) -> None:
    by_form: dict[tuple[str, str, str, tuple[str, str]], list[Ending]] = {}
    for ending in endings:
        kind = "quantity" if ending.parameter_type == "quantity" else ending.parameter_type
        key = (kind, ending.walk.type, ending.walk.system, ending.walk.owner)
        by_form.setdefault(key, []).append(ending)
    for (kind, fhir_type, system, owner), group in by_form.items():
        numbers = [ending.number for ending in group if not ending.into]
        kept = [ending.into for ending in group if ending.into]
        if kind == "reference":
            _write_reference(fhir_type, group, name, line, owners)
        elif kind == "date":
            _write_date(fhir_type, numbers, kept, name, line)
        elif kind == "uri" or (kind == "token" and fhir_type not in _CALLS["token"]):
            _write_code(fhir_type, system, numbers, kept, name, line)
        else:
            _write_called(kind, fhir_type, owner, numbers, kept, name, line)


def _write_called(
    kind: str,
    fhir_type: str,
    owner: tuple[str, str],
    numbers: list[int],
    kept: list[str],
    name: str,
    line: Callable[..., None],
) -> None:
    call = _CALLS[kind].get(fhir_type, "quantity" if kind == "quantity" else "string")
    if kind == "string" and owner[0] == "HumanName" and numbers:
        call = {"family": "family", "given": "given", "text": "whole_name"}.get(owner[1], "string")
    line(f"found = {call}({name})")
    for one in kept:
        line(f"{one} = [*{one}, *found]")
    if not numbers:
        return
    target, rest = _ROWS[kind]
    line(f"for {rest} in found:")
    for number in numbers:
        line(f"{target}(({number}, {rest}))", 1)
    if fhir_type == "Identifier":
        line(f"if {name}.type is not None:")
        line(f"for s, c, t in typed_identifier({name}):", 1)
        for number in numbers:
            line(f"token(({number + OF_TYPE}, s, c, t))", 2)


def _write_code(
    fhir_type: str, system: str, numbers: list[int], kept: list[str], name: str, line: Callable[..., None]
) -> None:
    text = name
    if fhir_type == "boolean":
        system, text = SPECIAL_VALUES, f'"true" if {name} else "false"'
    elif fhir_type in _NUMBERS:
        text = f"str({name})"
    for number in numbers:
        line(f'token(({number}, {system!r}, {text}, ""))')
    for one in kept:
        line(f'{one} = [*{one}, ({system!r}, {text}, "")]')


def _write_date(
    fhir_type: str, numbers: list[int], kept: list[str], name: str, line: Callable[..., None]
) -> None:
    call = _CALLS["date"].get(fhir_type)
    if call is None:
        line(f"low, high = interval({name}, zone)")
        deeper = 0
    else:
        line(f"found = {call}({name}, zone)")
        line("if found is not None:")
        line("low, high = found", 1)
        deeper = 1
    for number in numbers:
        line(f"date(({number}, low, high))", deeper)
    for one in kept:
        line(f"{one} = [*{one}, (low, high)]", deeper)


def _write_reference(
    fhir_type: str, group: list[Ending], name: str, line: Callable[..., None], owners: frozenset[int]
) -> None:
    if fhir_type == "Resource":  # in a Bundle, the resource itself
        line(f"aims = [(type({name}).__name__, {name}.id, type({name}).__name__)] if {name}.id else []")
    elif fhir_type == "Reference":
        line(f"literal = {name}.reference")
        line("t, i, found = NOTHING if literal is None else aim(literal, bases)")
        if any(ending.walk.refers for ending in group):
            line("if not found:")
            line(f"found = unresolved({name}, r)", 1)
    elif fhir_type == "canonical":
        line(f"aims = canonical({name}, bases)")
    else:
        line(f"aims = (aim({name}, bases),)")
    deeper = 0
    if fhir_type != "Reference":
        line("for t, i, found in aims:")
        deeper = 1
    for only in dict.fromkeys(ending.walk.refers for ending in group):
        chosen = [ending for ending in group if ending.walk.refers == only]
        inner = deeper
        if only is not None:
            line(f"if found == {only!r}:", deeper)
            inner += 1
        for ending in chosen:
            if ending.into:
                line(f"{ending.into} = [*{ending.into}, (t, i)]", inner)
            else:
                line(f"reference(({ending.number}, t, i))", inner)
        if any(ending.number in owners for ending in chosen):
            if only == "Patient":
                line("if t:", inner)
            else:
                line('if t == "Patient":', inner)
            line("patient(i)", inner + 1)
        counted = [ending.number for ending in chosen if not ending.into]
        if fhir_type == "Reference" and counted:
            line(f"if {name}.identifier is not None:", inner)
            line(f"for s, c, x in identifier({name}.identifier):", inner + 1)
            for number in counted:
                line(f"token(({number + IDENTIFIER}, s, c, x))", inner + 2)


def _write_pairings(pairings: list[Pairing], line: Callable[..., None]) -> None:
    """Of composites with the same components' values."""
    (first, second, *third), kinds = pairings[0].kept, pairings[0].kinds
    outer = "b" if kinds[1] == "reference" else "a"
    line(f"if {first} and {second}:")
    # A code that is only a text is none that a composite could ask for.
    line(f"for {outer} in [t for t in {first} if t[0] or t[1]][:{MOST_FIRST}]:", 1)
    loop, row = {
        "quantity": ("s, c, low, high", "a, (s, c, ''), low, high, ''"),
        "number": ("_, _, low, high", "a, None, low, high, ''"),
        "token": ("b", "a, b, 0, 0, ''"),
        "date": ("low, high", "a, None, low, high, ''"),
        "string": ("n, _, _", "a, None, 0, 0, n"),
        "reference": ("a", "a, b, 0, 0, ''"),
    }[kinds[1]]
    line(f"for {loop} in {second}[:{MOST_SECOND}]:", 2)
    depth = 3
    if third:
        line(f"for _, _, _, high in {third[0]}[:{MOST_SECOND}]:", 3)
        depth = 4
    for pairing in pairings:
        line(f"pair(({pairing.number}, {row}))", depth)
