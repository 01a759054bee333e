"""The value sets of required bindings, expanded as far as the definitions enumerate them."""

from __future__ import annotations

import re
from pathlib import Path

from shape import Shapes
from source import Definitions, Json

Expansion = dict[str, list[str]]  # system → codes


def required(shapes: Shapes) -> dict[str, Expansion]:
    """Value set URL → expansion, for every required binding that can be enumerated."""
    urls = {
        e.binding
        for s in shapes.by_path.values()
        for e in s.elements
        if e.strength == "required" and e.binding
    }
    found = {url: expand(url, shapes.definitions) for url in sorted(urls)}
    return {url: expansion for url, expansion in found.items() if expansion}


def expand(url: str, definitions: Definitions) -> Expansion | None:
    """The codes of a value set by system, or None where some part of it is not enumerated."""
    value_set = definitions.value_sets.get(url.partition("|")[0])
    if value_set is None:
        return None
    codes: dict[str, dict[str, None]] = {}
    for include in value_set.get("compose", {}).get("include", []):
        part = _include(include, definitions)
        if part is None:
            return None
        for system, some in part.items():
            codes.setdefault(system, {}).update(dict.fromkeys(some))
    for exclude in value_set.get("compose", {}).get("exclude", []):
        part = _include(exclude, definitions)
        if part is None:
            return None
        for system, some in part.items():
            for code in some:
                codes.get(system, {}).pop(code, None)
    return {system: list(some) for system, some in codes.items() if some} or None


def _include(include: Json, definitions: Definitions) -> Expansion | None:
    if include.get("valueSet"):
        merged: Expansion = {}
        for url in include["valueSet"]:
            part = expand(url, definitions)
            if part is None:
                return None
            for system, codes in part.items():
                merged.setdefault(system, []).extend(codes)
        return merged
    system = include["system"]
    if include.get("concept"):
        return {system: [c["code"] for c in include["concept"]]}
    code_system = definitions.code_systems.get(system)
    if code_system is None or code_system["content"] != "complete":
        return None
    concepts = code_system.get("concept", [])
    for condition in include.get("filter", []):
        if condition["op"] != "is-a" or condition["property"] != "concept":
            return None
        concepts = _below(concepts, condition["value"])
    return {system: _flatten(concepts)}


def _below(concepts: list[Json], code: str) -> list[Json]:
    for concept in concepts:
        if concept["code"] == code:
            return [concept]
        if found := _below(concept.get("concept", []), code):
            return found
    return []


def _flatten(concepts: list[Json]) -> list[str]:
    codes = []
    for concept in concepts:
        abstract = any(
            p["code"] == "notSelectable" and p.get("valueBoolean") for p in concept.get("property", [])
        )
        if not abstract:
            codes.append(concept["code"])
        codes.extend(_flatten(concept.get("concept", [])))
    return codes


def alias(url: str) -> str:
    """The Python name of a value set: ``…/ValueSet/administrative-gender`` → ``AdministrativeGender``."""
    parts = re.split(r"[^A-Za-z0-9]+", url.rpartition("/")[2])
    name = "".join(p[0].upper() + p[1:] for p in parts if p)
    return f"{name}Code"


def write(shapes: Shapes, folder: Path, header: str) -> dict[str, Expansion]:
    expansions = required(shapes)
    lines = [
        header.format(what="Value sets of the required bindings, and the names of the resource types."),
        "from typing import Literal\n",
    ]
    for url, expansion in expansions.items():
        every = dict.fromkeys(code for codes in expansion.values() for code in codes)
        lines.append(f"{alias(url)} = Literal[{', '.join(map(_text, every))}]")
    lines.append("\nVALUE_SETS: dict[str, dict[str, tuple[str, ...]]] = {")
    for url, expansion in expansions.items():
        body = ", ".join(f"{_text(s)}: ({', '.join(map(_text, c))},)" for s, c in expansion.items())
        lines.append(f"    {_text(url)}: {{{body}}},")
    lines.append("}\n")
    lines.append(f"RESOURCE_TYPES: frozenset[str] = frozenset(({', '.join(map(_text, shapes.resources))}))")
    primitives = set(shapes.primitives)
    choices = sorted(
        {
            name
            for shape in shapes.by_path.values()
            for element in shape.elements
            if element.choice
            for name, kind in element.members()
            if kind in primitives
        }
    )
    lines.append("\n# The members that are one form of a choice and a primitive.")
    lines.append(f"CHOICE_PRIMITIVES: frozenset[str] = frozenset(({', '.join(map(_text, choices))}))")
    (folder / "codes.py").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return expansions


def _text(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
