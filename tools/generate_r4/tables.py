"""Shapes and definitions → ``elements.py``, ``parameters.py``, ``compartments.py``, ``invariants.py``."""

from __future__ import annotations

import re
from pathlib import Path

from shape import Element, Shapes
from source import Json

NOT_OF_THE_STANDARD = re.compile(r"^example|-extensions?-|-genetic-|-extensions$")


def write_elements(shapes: Shapes, folder: Path, header: str) -> None:
    lines = [
        header.format(what="The elements of every type, inherited ones included."),
        "from typing import NamedTuple\n",
    ]
    lines.append('''
class Element(NamedTuple):
    """One element of a type. ``types`` holds primitives, complex types, paths of backbone elements, or ``Resource``."""

    name: str
    types: tuple[str, ...]
    min: int
    max: int | None
    choice: bool
    binding: str
    strength: str
    targets: tuple[str, ...]
    summary: bool
    modifier: bool


''')
    lines.append(f"PRIMITIVES: frozenset[str] = frozenset({shapes.primitives!r})\n")
    lines.append("BASES: dict[str, str] = {")
    lines += [f"    {p!r}: {s.base!r}," for p, s in shapes.by_path.items() if s.base]
    lines.append("}\n\n_ROWS: dict[str, tuple[tuple[object, ...], ...]] = {")
    for path, shape in shapes.by_path.items():
        lines.append(f"    {path!r}: (")
        lines += [f"        {_row(e)}," for e in shape.elements]
        lines.append("    ),")
    lines.append("}\n")
    lines.append("ELEMENTS: dict[str, dict[str, Element]] = {")
    lines.append("    path: {row[0]: Element._make(row) for row in rows}  # type: ignore[misc]")
    lines.append("    for path, rows in _ROWS.items()\n}\ndel _ROWS")
    (folder / "elements.py").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _row(e: Element) -> str:
    return repr(
        (e.name, e.types, e.min, e.max, e.choice, e.binding, e.strength, e.targets, e.summary, e.modifier)
    )


def split_union(expression: str) -> list[str]:
    """The branches of a FHIRPath union at the top level: ``a | (b | c).d`` → ``a``, ``(b | c).d``."""
    parts, depth, start = [], 0, 0
    for i, ch in enumerate(expression):
        if ch == "(":
            depth += 1
        elif ch == ")":
            depth -= 1
        elif ch == "|" and depth == 0:
            parts.append(expression[start:i].strip())
            start = i + 1
    return [*parts, expression[start:].strip()]


def expression_for(base: str, expression: str) -> str:
    """The branches of a shared parameter's expression that start at one base type."""
    branches = split_union(expression)
    mine = [b for b in branches if re.match(rf"\(*{base}\b", b)]
    others = [b for b in branches if not re.match(r"\(*[A-Z]", b)]
    return " | ".join(mine + others) if mine or others else expression


_ONE_ROW = """
boolean code id uri url canonical oid uuid date dateTime instant time decimal integer positiveInt unsignedInt
Coding Identifier Period Reference Age Duration ContactPoint
"""


class Single:
    """Whether a parameter gives at most one index row a resource: every element on its path has max 1."""

    ONE = frozenset(_ONE_ROW.split())

    def __init__(self, shapes: Shapes) -> None:
        self.shapes = shapes

    def __call__(self, base: str, kind: str, expression: str) -> bool:
        if kind in ("quantity", "composite", "special", "string"):
            return False
        branches = split_union(expression)
        if len(branches) != 1:
            return False
        text = re.sub(r"\.where\(resolve\(\) is \w+\)$", "", branches[0])
        cast = re.fullmatch(r"\(?([\w.]+) as (\w+)\)?|([\w.]+)\.as\((\w+)\)", text)
        wanted = None
        if cast:
            text, wanted = (cast[1], cast[2]) if cast[1] else (cast[3], cast[4])
        if not re.fullmatch(r"[A-Z]\w+(\.\w+)+", text):
            return False
        types = [base]
        for name in text.split(".")[1:]:
            if len(types) != 1:
                return False
            shape = self.shapes.by_path.get(types[0])
            element = next((e for e in shape.elements if e.name == name), None) if shape else None
            if element is None or element.max != 1:
                return False
            types = list(element.types)
        types = [wanted] if wanted else types
        if kind == "reference" and "canonical" in types:
            return False  # with a version: one row with and one without it
        return all(t in self.ONE for t in types)


def write_parameters(shapes: Shapes, folder: Path, header: str) -> None:
    definitions = shapes.definitions
    single = Single(shapes)
    names = {url: p["code"] for url, p in definitions.parameters.items()}
    rows: dict[tuple[str, str], tuple[object, ...]] = {}
    for url, parameter in definitions.parameters.items():
        if NOT_OF_THE_STANDARD.search(parameter["id"]):
            continue
        for base in parameter["base"]:
            expression = expression_for(base, parameter.get("expression", ""))
            components = tuple(
                (names.get(c["definition"], c["definition"]), c["expression"])
                for c in parameter.get("component", [])
            )
            targets = tuple(sorted(parameter.get("target", [])))
            kind = parameter["type"]
            key = (base, parameter["code"])
            if key in rows:
                raise SystemExit(f"two definitions of {key}: {rows[key]} and {url}")
            rows[key] = (kind, expression, targets, components, url, single(base, kind, expression))
    lines = [
        header.format(what="The search parameters of FHIR R4, one row per base type and name."),
        "from typing import NamedTuple\n",
    ]
    lines.append('''
class SearchParameter(NamedTuple):
    """One search parameter on one base type.

    ``number`` is stable for ever (1.. in the order of base and name; later additions start at 10000). ``components``
    holds (name of the component's parameter, its expression). ``single``: at most one index row a resource.
    """

    number: int
    base: str
    name: str
    type: str
    expression: str
    targets: tuple[str, ...]
    components: tuple[tuple[str, str], ...]
    url: str
    single: bool


_ROWS: tuple[tuple[object, ...], ...] = (''')
    for number, key in enumerate(sorted(rows), 1):
        lines.append(f"    {(number, *key, *rows[key])!r},")
    lines.append(""")

PARAMETERS: dict[tuple[str, str], SearchParameter] = {
    (row[1], row[2]): SearchParameter._make(row)  # type: ignore[misc]
    for row in _ROWS
}
del _ROWS

_BY_TYPE: dict[str, dict[str, SearchParameter]] = {}
for _parameter in PARAMETERS.values():
    _BY_TYPE.setdefault(_parameter.base, {})[_parameter.name] = _parameter
""")
    plain = [r for r in shapes.resources if shapes.by_path[r].base == "Resource"]
    lines.append(f"_NOT_DOMAIN_RESOURCES = frozenset({plain!r})\n")
    lines.append('''
def parameters_of(type: str) -> dict[str, SearchParameter]:
    """Every parameter that may be used on one resource type, by name; those of Resource and DomainResource included."""
    shared = _BY_TYPE["Resource"]
    if type not in _NOT_DOMAIN_RESOURCES and type != "Resource":
        shared = shared | _BY_TYPE["DomainResource"]
    return shared | _BY_TYPE.get(type, {})
''')
    (folder / "parameters.py").write_text("\n".join(lines), encoding="utf-8")


def write_compartments(shapes: Shapes, folder: Path, header: str) -> None:
    lines = [
        header.format(
            what="Which parameters put a resource into whose compartment; its own resource lies in each as well."
        )
    ]
    names = []
    for code, definition in sorted(shapes.definitions.compartments.items()):
        # ``{def}`` stands for the compartment's own resource, which no parameter names.
        table = {
            r["code"]: tuple(p for p in r["param"] if p != "{def}")
            for r in definition["resource"]
            if r.get("param")
        }
        name = f"{code.upper()}_COMPARTMENT"
        names.append((code, name))
        lines.append(f"{name}: dict[str, tuple[str, ...]] = {{")
        lines += [f"    {t!r}: {p!r}," for t, p in sorted(table.items())]
        lines.append("}\n")
    lines.append("COMPARTMENTS: dict[str, dict[str, tuple[str, ...]]] = {")
    lines += [f"    {code!r}: {name}," for code, name in names]
    lines.append("}")
    (folder / "compartments.py").write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_invariants(shapes: Shapes, folder: Path, header: str) -> None:
    """Each invariant once, where it is defined: the type or backbone element it is evaluated on."""
    lines = [
        header.format(what="The invariants of FHIR R4, by the path of the element they are evaluated on."),
        "from typing import NamedTuple\n",
    ]
    lines.append('''
class Invariant(NamedTuple):
    """One invariant: ``expression`` is FHIRPath and must be true of every element at ``path``."""

    key: str
    severity: str
    human: str
    expression: str
    path: str


INVARIANTS: dict[str, tuple[Invariant, ...]] = {''')
    for structure in shapes.definitions.structures.values():
        if structure["kind"] not in ("resource", "complex-type"):
            continue
        for element in structure["snapshot"]["element"]:
            own = [c for c in element.get("constraint", []) if _own(c, structure)]
            if not own:
                continue
            lines.append(f"    {element['path']!r}: (")
            for c in own:
                human = " ".join(c["human"].split())
                row = (c["key"], c["severity"], human, c.get("expression", ""), element["path"])
                lines.append(f"        Invariant{row!r},")
            lines.append("    ),")
    lines.append("}")
    (folder / "invariants.py").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _own(constraint: Json, structure: Json) -> bool:
    return bool(constraint.get("source", structure["url"]) == structure["url"])
