"""StructureDefinitions → the elements of every type, the one intermediate form all tables are written from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from source import Definitions, Json

FHIR_TYPE = "http://hl7.org/fhir/StructureDefinition/structuredefinition-fhir-type"
STRUCTURE = "http://hl7.org/fhir/StructureDefinition/"


@dataclass(frozen=True)
class Element:
    """One element: its JSON names are ``name`` or, for a choice, ``name`` + each type capitalised."""

    name: str
    types: tuple[str, ...]  # primitives, complex types, paths of backbone elements, or "Resource"
    min: int
    max: int | None
    choice: bool
    binding: str
    strength: str
    targets: tuple[str, ...]
    summary: bool
    modifier: bool

    def members(self) -> list[tuple[str, str]]:
        """(JSON name, type) of every form the element may take."""
        if not self.choice:
            return [(self.name, self.types[0])]
        return [(self.name + kind[0].upper() + kind[1:], kind) for kind in self.types]


@dataclass(frozen=True)
class Shape:
    """One type: ``path`` is ``Patient``, ``Patient.contact`` or ``HumanName``; ``base`` its parent type."""

    path: str
    base: str
    kind: str  # "resource", "complex-type" or "backbone"
    abstract: bool
    elements: tuple[Element, ...]

    @property
    def class_name(self) -> str:
        return class_name(self.path)


def class_name(path: str) -> str:
    """``Patient.contact`` → ``Patient_Contact``; the abstract root is ``ResourceBase`` (``Resource`` is the union)."""
    first, *rest = path.split(".")
    return "_".join([first, *(part[0].upper() + part[1:] for part in rest)])


class Shapes:
    """All types of the standard, datatypes first, backbone elements before what holds them."""

    def __init__(self, definitions: Definitions) -> None:
        self.definitions = definitions
        self.primitives = sorted(
            n for n, s in definitions.structures.items() if s["kind"] == "primitive-type"
        )
        self.by_path: dict[str, Shape] = {}
        for kind in ("complex-type", "resource"):
            names = [n for n, s in definitions.structures.items() if s["kind"] == kind]
            for name in sorted(names, key=self._order):
                self._add(definitions.structures[name])

    def _order(self, name: str) -> tuple[int, str]:
        first = ["Element", "BackboneElement", "Extension", "Resource", "DomainResource", "Quantity"]
        return (first.index(name) if name in first else len(first), name)

    def _add(self, structure: Json) -> None:
        by_parent: dict[str, list[Json]] = {}
        for element in structure["snapshot"]["element"]:
            by_parent.setdefault(element["path"].rpartition(".")[0], []).append(element)
        parents = {e["path"]: e for children in by_parent.values() for e in children}
        root = structure["id"]
        for path in sorted((p for p in by_parent if p), key=lambda p: (-p.count("."), p)):
            backbone = path != root
            elements = tuple(self._element(e, structure["kind"]) for e in by_parent[path])
            base = structure.get("baseDefinition", "").rpartition("/")[2]
            if backbone:
                base = parents[path]["type"][0]["code"]
            self.by_path[path] = Shape(
                path,
                base,
                "backbone" if backbone else structure["kind"],
                structure["abstract"] and not backbone,
                elements,
            )

    def _element(self, element: Json, kind: str) -> Element:
        path: str = element["path"]
        types = [self._type(t, path, kind) for t in element.get("type", [])]
        if "contentReference" in element:
            types = [element["contentReference"].removeprefix("#")]
        if (
            types
            and types[0] in ("BackboneElement", "Element")
            and path.partition(".")[0]
            not in (
                "Element",
                "BackboneElement",
            )
        ):
            types = [path]
        targets = sorted(
            {
                url.removeprefix(STRUCTURE)
                for t in element.get("type", [])
                if t["code"] == "Reference"
                for url in t.get("targetProfile", [])
            }
        )
        binding = element.get("binding", {})
        return Element(
            name=path.rpartition(".")[2].removesuffix("[x]"),
            types=tuple(types),
            min=element["min"],
            max=None if element["max"] == "*" else int(element["max"]),
            choice=path.endswith("[x]"),
            binding=binding.get("valueSet", "").partition("|")[0],
            strength=binding.get("strength", ""),
            targets=() if "Resource" in targets else tuple(targets),
            summary=element.get("isSummary", False),
            modifier=element.get("isModifier", False),
        )

    def _type(self, item: Json, path: str, kind: str) -> str:
        code: str = item["code"]
        if not code.startswith("http://hl7.org/fhirpath/"):
            return code
        if kind == "resource" and path.count(".") == 1:
            return "id"
        return next((e["valueUrl"] for e in item.get("extension", []) if e["url"] == FHIR_TYPE), "string")

    @cached_property
    def resources(self) -> list[str]:
        """The concrete resource types, sorted."""
        return sorted(s.path for s in self.by_path.values() if s.kind == "resource" and not s.abstract)
