"""What a decoder cannot express by types alone: called by the generated structs while they are decoded.

Each raises ValueError at the first fault, in few words: the descriptive second pass finds the place and the sentence.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any, NoReturn

from xinglin.standards.fhir.narrative import fault
from xinglin.standards.fhir.r4.codes import RESOURCE_TYPES, VALUE_SETS


def other_types(*targets: str) -> frozenset[str]:
    """The resource types that a reference to ``targets`` may not name."""
    return RESOURCE_TYPES.difference(targets)


def missing(name: str) -> NoReturn:
    raise ValueError(f"{name} is required")


def too_many(name: str) -> NoReturn:
    raise ValueError(f"{name}[x] has more than one value")


def out_of_range(name: str) -> NoReturn:
    raise ValueError(f"{name} is out of range")


def wrong_target(name: str) -> NoReturn:
    raise ValueError(f"{name} refers to a type it may not refer to")


def value_xor_extension(extension: Any) -> None:
    """An extension has a value or extensions, never both, never neither (invariant ext-1)."""
    # A value may be there by its own extension only (``_valueString``); such bodies take the descriptive pass as well.
    values = sum(
        1 for f in extension.__struct_fields__ if f.startswith("value") and getattr(extension, f) is not None
    )
    if bool(values) is (extension.extension is not None):
        raise ValueError("an extension has either a value or extensions")


@lru_cache(maxsize=256)
def _checked(div: str) -> str | None:
    return fault(div)


def check_narrative(div: str) -> None:
    if found := (_checked(div) if len(div) < 2048 else fault(div)):
        raise ValueError(f"div: {found}")


def check_contained(resource: Any) -> None:
    """A contained resource holds no contained resources itself."""
    for inner in resource.contained:
        if getattr(inner, "contained", None) is not None:
            raise ValueError("a contained resource contains another")


def in_value_set(codings: Iterable[tuple[str | None, str | None]], value_set: str) -> bool:
    """Whether one of the (system, code) pairs is in a value set."""
    systems = VALUE_SETS[value_set]
    return any(code in systems.get(system or "", ()) for system, code in codings)


def check_concept(concept: Any, value_set: str) -> None:
    """A concept under a required binding has a coding from the value set, or only extensions (a reason for absence)."""
    if concept.coding is None:
        if concept.extension is None or concept.text is not None:
            raise ValueError("no code from the required value set")
    elif not in_value_set([(c.system, c.code) for c in concept.coding], value_set):
        raise ValueError("no code from the required value set")


def check_coding(coding: Any, value_set: str) -> None:
    """A coding under a required binding is in the value set, or has only extensions."""
    if coding.code is None and coding.extension is not None:
        return
    if not in_value_set([(coding.system, coding.code)], value_set):
        raise ValueError("not in the required value set")
