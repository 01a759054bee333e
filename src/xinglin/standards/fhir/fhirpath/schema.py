"""What the compiler knows of the R4 types: their elements, their ancestors, their classes.

Types are named as FHIR names them: ``Patient``, ``Patient.contact``, ``HumanName``, ``code``; System types ``System.String``.
"""

from __future__ import annotations

import keyword
from dataclasses import dataclass
from functools import cache, lru_cache

import msgspec

from xinglin.standards.fhir.fhirpath.errors import FhirPathSemanticError

#: Types whose elements are known only from the item at hand.
OPEN = frozenset({"Resource", "DomainResource", "Element", "BackboneElement"})

SYSTEM = frozenset({"Boolean", "Integer", "Decimal", "String", "Date", "DateTime", "Time", "Quantity", "Any"})

#: FHIR's primitive types and their parents (https://hl7.org/fhir/R4/datatypes.html).
PRIMITIVES = {
    "boolean": "Element", "integer": "Element", "decimal": "Element", "string": "Element", "uri": "Element",
    "base64Binary": "Element", "instant": "Element", "date": "Element", "dateTime": "Element", "time": "Element",
    "xhtml": "Element", "code": "string", "id": "string", "markdown": "string", "url": "uri", "canonical": "uri",
    "oid": "uri", "uuid": "uri", "positiveInt": "integer", "unsignedInt": "integer",
}  # fmt: skip

#: What a primitive element has besides its value.
_OF_PRIMITIVES = {"id": "System.String", "extension": "Extension"}


@dataclass(frozen=True, slots=True)
class Field:
    """One attribute of a struct: where a value of one type lies."""

    attribute: str
    type: str
    extra: str | None  # the attribute with a primitive's id and extensions

    @property
    def primitive(self) -> bool:
        return self.type in PRIMITIVES


@dataclass(frozen=True, slots=True)
class Child:
    """One element of a type; a choice has several fields."""

    name: str
    fields: tuple[Field, ...]
    many: bool

    @property
    def types(self) -> frozenset[str]:
        return frozenset(field.type for field in self.fields)


@cache
def classes() -> dict[str, type[msgspec.Struct]]:
    """The struct class of every complex type and resource, by type name."""
    from xinglin.standards.fhir.r4.model import STRUCTS

    return dict(STRUCTS)


@cache
def _names() -> dict[type, str]:
    return {kind: name for name, kind in classes().items()}


def name_of(kind: type) -> str | None:
    """The type name of a struct class, None for classes outside the model."""
    return _names().get(kind)


@cache
def resource_types() -> frozenset[str]:
    """The names of all concrete resource types."""
    from xinglin.standards.fhir.r4.codes import RESOURCE_TYPES

    return RESOURCE_TYPES


@cache
def _parents() -> dict[str, str]:
    from xinglin.standards.fhir.r4.elements import BASES

    # The specialisations of Quantity that R4 defines as profiles only.
    profiles = {"MoneyQuantity": "Quantity", "SimpleQuantity": "Quantity", "DomainResource": "Resource"}
    return BASES | PRIMITIVES | profiles


@cache
def is_type(name: str) -> bool:
    """Whether FHIR R4 has a type of this name."""
    return name in OPEN or name in _parents()


@lru_cache(maxsize=4096)
def is_subtype(name: str, ancestor: str) -> bool:
    """Whether ``name`` is ``ancestor`` or descends from it."""
    while name != ancestor:
        parent = _parents().get(name)
        if parent is None:
            return False
        name = parent
    return True


@cache
def types_at(path: str) -> frozenset[str]:
    """The types of what a type's name or an element's path stands for; several for a choice.

    >>> sorted(types_at("Organization.telecom")), sorted(types_at("RiskAssessment.prediction.probability[x]"))
    (['ContactPoint'], ['Range', 'decimal'])

    Raises
    ------
    FhirPathSemanticError
        There is no such type or element.
    """
    if is_type(path) or path.startswith("System."):
        return frozenset({path})
    parent, _, name = path.removesuffix("[x]").rpartition(".")
    found = [children(one).get(name) for one in types_at(parent)] if parent else []
    types = frozenset[str]().union(*(child.types for child in found if child))
    if not types:
        raise FhirPathSemanticError("standards.fhirpath-type", name=path, position=0)
    return types


def _attribute(name: str) -> str:
    return name + "_" if keyword.iskeyword(name) else name


@cache
def children(name: str) -> dict[str, Child]:
    """The elements of a type by name, in the order of its definition; none for System types and unknown ones."""
    from xinglin.standards.fhir.r4.elements import ELEMENTS

    if name == "System.TypeInfo":
        return {
            child: Child(child, (Field(child, "System.String", None),), False)
            for child in ("namespace", "name")
        }
    if name in PRIMITIVES:
        return {
            child: Child(child, (Field(child, kind, None),), child == "extension")
            for child, kind in _OF_PRIMITIVES.items()
        }
    kind = classes().get(name)
    attributes = set(kind.__struct_fields__) if kind else set()
    found = {}
    for element in ELEMENTS.get(name, {}).values():
        fields = []
        for type_name in element.types:
            suffix = type_name[0].upper() + type_name[1:] if element.choice else ""
            attribute = _attribute(element.name + suffix)
            extra = f"{element.name}{suffix}_x"
            if attribute in attributes:
                fields.append(Field(attribute, type_name, extra if extra in attributes else None))
        if fields:
            found[element.name] = Child(element.name, tuple(fields), element.max != 1)
    return found
