"""Types as expressions name them, and whether an item is of one."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

from xinglin.standards.fhir.fhirpath import schema
from xinglin.standards.fhir.fhirpath.errors import FhirPathSemanticError
from xinglin.standards.fhir.fhirpath.syntax import TypeSpecifier
from xinglin.standards.fhir.fhirpath.values import SYSTEM_TYPES, Item, Primitive


@dataclass(frozen=True, slots=True)
class TypeTest:
    """Whether a typed item is of a type. ``fhir`` and ``system`` are the names to accept in either namespace."""

    fhir: str | None
    system: str | None

    @classmethod
    def named(cls, name: str) -> TypeTest:
        """The test for a FHIR type."""
        return cls(name, None)

    @classmethod
    def of(cls, specifier: TypeSpecifier) -> TypeTest:
        """The test for a type specifier.

        A bare name means the FHIR type, else the System type; ``Quantity`` means both. ``System.X`` for an unknown X is a type
        that nothing has.

        Raises
        ------
        FhirPathSemanticError
            There is no such type.
        """
        name = specifier.name
        match specifier.namespace:
            case "System":
                return cls(None, name if name in schema.SYSTEM else "")
            case "FHIR" if schema.is_type(name):
                return cls(name, None)
            case None if schema.is_type(name) or name in schema.SYSTEM:
                both = name == "Quantity"
                return cls(
                    name if schema.is_type(name) else None, name if both or not schema.is_type(name) else None
                )
            case None | "FHIR":
                pass
            case namespace if schema.is_type(f"{namespace}.{name}"):
                return cls(f"{namespace}.{name}", None)
        raise FhirPathSemanticError("standards.fhirpath-type", name=str(specifier), position=specifier.at)

    def __call__(self, item: Item) -> bool:
        kind: type[object] = type(item)
        if kind is Primitive:
            return self.fhir is not None and schema.is_subtype(item.type, self.fhir)
        if kind in SYSTEM_TYPES:
            return self.system is not None and self.system in (SYSTEM_TYPES[kind], "Any")
        return self.fhir is not None and _is(cast("Hashable", kind), self.fhir)

    def exactly(self, item: Item) -> bool:
        """As a call, but a primitive must be of the very type: ``as`` and ``ofType`` do not take a code for a string."""
        if type(item) is Primitive:
            return item.type == self.fhir
        return self(item)

    def decide(self, types: frozenset[str], exact: bool) -> bool | None:
        """The answer for all items of these static types, where there is one."""
        if types & schema.OPEN:
            return None
        answers = {self._of_type(name, exact) for name in types}
        return answers.pop() if len(answers) == 1 else None

    def _of_type(self, name: str, exact: bool) -> bool | None:
        if name.startswith("System."):
            return self.system is not None and self.system in (name[7:], "Any")
        if self.fhir is None:
            return False
        if exact and name in schema.PRIMITIVES:
            return name == self.fhir
        if schema.is_subtype(name, self.fhir):
            return True
        return None if schema.is_subtype(self.fhir, name) else False


@lru_cache(maxsize=4096)
def _is(kind: Any, ancestor: str) -> bool:
    name = schema.name_of(kind)
    return name is not None and schema.is_subtype(name, ancestor)
