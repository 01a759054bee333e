"""Shapes → msgspec structs: ``r4/model.py``."""

from __future__ import annotations

import keyword
from pathlib import Path

from codes import Expansion, alias
from shape import Element, Shape, Shapes, class_name

PRIMITIVES = {
    "base64Binary": "Base64Binary", "boolean": "bool", "canonical": "Uri", "code": "Code", "date": "Date",
    "dateTime": "DateTime", "decimal": "Decimal", "id": "Id", "instant": "Instant", "integer": "Integer",
    "markdown": "str", "oid": "Oid", "positiveInt": "PositiveInt", "string": "str", "time": "Time",
    "unsignedInt": "UnsignedInt", "uri": "Uri", "url": "Uri", "uuid": "Uuid", "xhtml": "str",
}  # fmt: skip

LIMIT = 300  # decimal exponent, as DECIMAL_EXPONENT in the package's primitives

PREAMBLE = """from __future__ import annotations as _annotations

import sys
from decimal import Decimal
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Union

from msgspec import Struct

from xinglin.standards.fhir.checks import (
    check_concept, check_coding, check_contained, check_narrative, missing, other_types, out_of_range, too_many,
    value_xor_extension, wrong_target,
)
from xinglin.standards.fhir.primitives import (
    Base64Binary, Code, Date, DateTime, Id, Instant, Integer, MimeType, Currency, Oid, PositiveInt, Time, UnsignedInt, Uri, Uuid,
)
from xinglin.standards.fhir.r4.codes import *
"""


def python_name(name: str) -> str:
    return name + "_" if keyword.iskeyword(name) else name


class Writer:
    def __init__(self, shapes: Shapes, expansions: dict[str, Expansion]) -> None:
        self.shapes = shapes
        self.expansions = expansions
        self.targets: dict[tuple[str, ...], str] = {}
        self.done: set[str] = set()

    def annotation(self, element: Element, kind: str) -> str:
        if kind in PRIMITIVES:
            text = PRIMITIVES[kind]
            if kind == "code" and element.strength == "required":
                if element.binding in self.expansions:
                    text = alias(element.binding)
                elif element.binding.endswith("/mimetypes"):
                    text = "MimeType"
                elif element.binding.endswith("/currencies"):
                    text = "Currency"
        elif kind == "Resource":
            text = "Resource"
        else:
            text = class_name(kind)
        if element.max is None:
            text = f"list[{text} | None]" if kind in PRIMITIVES else f"list[{text}]"
        return text

    def fields(self, shape: Shape) -> list[str]:
        lines = []
        for element in shape.elements:
            for name, kind in element.members():
                if element.max == 0:
                    continue
                field = python_name(name)
                primitive = kind in PRIMITIVES
                text = self.annotation(element, kind)
                if element.min and not element.choice and (not primitive or self.plain(shape, element)):
                    lines.append(f"    {field}: {text}")
                else:
                    lines.append(f"    {field}: Opt[{text}] = None")
                if primitive and not self.plain(shape, element):
                    extra = "list[Element | None]" if element.max is None else "Element"
                    lines.append(f"    {name}_x: Opt[{extra}] = None")
        return lines

    @staticmethod
    def plain(shape: Shape, element: Element) -> bool:
        """Whether a primitive is an attribute in XML, and so has no extensions: id, Extension.url, xhtml."""
        return (
            (element.name == "id" and element.types[0] in ("id", "string") and element.max == 1)
            or (shape.path == "Extension" and element.name == "url")
            or element.types[0] == "xhtml"
        )

    def target_set(self, targets: tuple[str, ...]) -> str:
        return self.targets.setdefault(targets, f"_T{len(self.targets)}")

    def checks(self, shape: Shape) -> tuple[list[str], list[str]]:
        """The lines of ``__post_init__`` and the module-level lines they need."""
        lines: list[str] = []
        above: list[str] = []
        name = shape.class_name
        for element in shape.elements:
            members = element.members()
            if element.choice:
                getter = f"_{name}_{element.name}"
                fields = ", ".join(f'"{python_name(m)}"' for m, _ in members)
                above.append(f"{getter} = attrgetter({fields})")
                if shape.path == "Extension":
                    lines.append(
                        f"if (n := {getter}(self).count(None)) < {len(members) - 1}: too_many('{element.name}')"
                    )
                    lines.append(
                        f"if (n == {len(members)}) is (self.extension is None): value_xor_extension(self)"
                    )
                    continue
                lines.append(
                    f"if (n := {getter}(self).count(None)) < {len(members) - 1}: too_many('{element.name}')"
                )
                if element.min:
                    extra = [f"self.{m}_x is None" for m, k in members if k in PRIMITIVES]
                    lines.append(
                        " and ".join([f"if n == {len(members)}", *extra]) + f": missing('{element.name}')"
                    )
            elif element.min and members[0][1] in PRIMITIVES and not self.plain(shape, element):
                field = python_name(element.name)
                lines.append(
                    f"if self.{field} is None and self.{element.name}_x is None: missing('{element.name}')"
                )
            for member, kind in members:
                lines += self.value_checks(element, python_name(member), kind)
        if shape.path == "Narrative":
            lines.append("check_narrative(self.div)")
        if any(e.name == "contained" and e.types == ("Resource",) for e in shape.elements):
            lines.append("if self.contained is not None: check_contained(self)")
        return lines, above

    def value_checks(self, element: Element, field: str, kind: str) -> list[str]:
        many = element.max is None
        if kind == "decimal":
            test = f"is not None and not -{LIMIT} < d.adjusted() < {LIMIT}: out_of_range('{field}')"
            if many:
                return [f"for d in self.{field} or ():", f"    if d {test}"]
            return [f"if (d := self.{field}) {test}"]
        if kind == "Reference" and element.targets:
            bad = self.target_set(element.targets)
            test = f"is not None and s.partition('/')[0] in {bad}: wrong_target('{field}')"
            if many:
                return [f"for each in self.{field} or ():", f"    if (s := each.reference) {test}"]
            if element.min and not element.choice:
                return [f"if (s := self.{field}.reference) {test}"]
            return [f"if (r := self.{field}) is not None and (s := r.reference) {test}"]
        if (
            kind in ("CodeableConcept", "Coding")
            and element.strength == "required"
            and element.binding in self.expansions
        ):
            check = "check_concept" if kind == "CodeableConcept" else "check_coding"
            if many:
                return [f"for c in self.{field} or (): {check}(c, '{element.binding}')"]
            return [f"if self.{field} is not None: {check}(self.{field}, '{element.binding}')"]
        return []

    def struct(self, shape: Shape) -> list[str]:
        base = {"": "Base", "Element": "Element", "Resource": "ResourceBase"}.get(
            shape.base, class_name(shape.base)
        )
        if shape.path == "Element":
            base = "Base"
        name = "ResourceBase" if shape.path == "Resource" else shape.class_name
        inherited = self._inherited(shape.base)
        fresh = Shape(
            shape.path,
            shape.base,
            shape.kind,
            shape.abstract,
            tuple(e for e in shape.elements if e.name not in inherited or shape.base == ""),
        )
        tag = (
            f', tag_field="resourceType", tag="{shape.path}"'
            if shape.kind == "resource" and not shape.abstract
            else ""
        )
        lines, above = self.checks(shape)
        out = [*above, f"class {name}({base}{tag}, kw_only=True):"]
        body = self.fields(fresh)
        if lines:
            body.append("    def __post_init__(self) -> None:")
            body += [f"        {line}" for line in lines]
        return [*out, *(body or ["    pass"]), ""]

    def _inherited(self, base: str) -> set[str]:
        return {e.name for e in self.shapes.by_path[base].elements} if base in self.shapes.by_path else set()

    def write(self, folder: Path, header: str) -> None:
        classes = [line for shape in self.shapes.by_path.values() for line in self.struct(shape)]
        out = [
            header.format(what="One struct per datatype, backbone element and resource of FHIR R4."),
            PREAMBLE,
        ]
        out.append("""if TYPE_CHECKING:
    from typing import Optional as Opt
else:
    # A field that may be absent refuses an explicit null, which FHIR does not allow: the annotation is the bare type.
    class Opt:
        def __class_getitem__(cls, item: Any) -> Any:
            return item


def _json_name(field: str) -> str:
    if field.endswith("_x"):
        return "_" + field[:-2]
    return field[:-1] if field.endswith("_") else field


class Base(Struct, kw_only=True, omit_defaults=True, forbid_unknown_fields=True, gc=False, rename=_json_name):
    pass

""")
        for targets, symbol in self.targets.items():
            out.append(f"{symbol} = other_types({', '.join(repr(t) for t in targets)})")
        out += ["", *classes]
        out.append(
            "if TYPE_CHECKING:\n    Resource = ResourceBase\nelse:\n    Resource = Union["
            + ", ".join(self.shapes.resources)
            + "]\n"
        )
        names = list(self.shapes.by_path)
        out.append("STRUCTS: dict[str, type[Base]] = {")
        out += [f'    "{n}": {"ResourceBase" if n == "Resource" else class_name(n)},' for n in names]
        out.append("}\n")
        (folder / "model.py").write_text("\n".join(out), encoding="utf-8")
