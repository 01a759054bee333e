"""What differs between two versions of a resource, element by element, for a reader and for monitoring."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

_ASIDE: Final = frozenset(("id", "meta", "text", "contained", "resourceType"))


@dataclass(frozen=True, slots=True)
class Difference:
    """One element: its path, and its value before and after (None: not there)."""

    path: str
    before: Any
    after: Any


def differences(before: dict[str, Any], after: dict[str, Any]) -> list[Difference]:
    """Every leaf that is not the same, labels, narrative and contained resources apart.

    >>> differences({"valueQuantity": {"value": 99, "unit": "mmol/L"}}, {"valueQuantity": {"value": 5.5, "unit": "mmol/L"}})
    [Difference(path='valueQuantity.value', before=99, after=5.5)]
    """
    names = [name for name in dict.fromkeys((*before, *after)) if name not in _ASIDE]
    return [each for name in names for each in _between(name, before.get(name), after.get(name))]


def paths(before: dict[str, Any], after: dict[str, Any]) -> tuple[str, ...]:
    """The paths of `differences`: names of elements only, no content."""
    return tuple(each.path for each in differences(before, after))


def _between(path: str, before: Any, after: Any) -> Iterator[Difference]:
    if before == after and type(before) is type(after):
        return
    if isinstance(before, dict) and isinstance(after, dict):
        for name in dict.fromkeys((*before, *after)):
            yield from _between(f"{path}.{name}", before.get(name), after.get(name))
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for at, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from _between(f"{path}[{at}]", one, other)
    elif before != after:
        yield Difference(path, before, after)
