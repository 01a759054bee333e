"""What differs between two versions of a resource, element by element, for a reader and for monitoring."""

from __future__ import annotations

import re
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

_ASIDE: Final = frozenset(("id", "meta", "text", "contained", "resourceType"))


_PRINTED: Final = {
    "℃": "Cel", "°C": "Cel", "℉": "[degF]", "°F": "[degF]", "mmHg": "mm[Hg]", "cmH2O": "cm[H2O]", "mIU/L": "m[IU]/L",
    "×10⁹/L": "10*9/L", "10⁹/L": "10*9/L", "10^9/L": "10*9/L", "×10¹²/L": "10*12/L", "10¹²/L": "10*12/L",
    "10^12/L": "10*12/L", "kg/m²": "kg/m2", "次/分": "/min",
}  # fmt: skip
"""Units as they are printed and typed, and their UCUM codes."""


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


def replaced(resource: dict[str, Any], path: str, text: str) -> dict[str, Any]:
    """A copy in which the leaf at ``path`` (as `differences` writes it) is ``text``: a number where it was one.

    Raises KeyError where there is no such leaf, ValueError where the text is no number and must be one.

    >>> replaced({"valueQuantity": {"value": 99}}, "valueQuantity.value", "5.50")
    {'valueQuantity': {'value': Decimal('5.50')}}
    """
    copied = deepcopy(resource)
    steps = re.findall(r"[^.\[\]]+", path)[:50]
    *way, last = [int(part) if re.fullmatch("[0-9]{1,9}", part) else part for part in steps] or [""]
    holder: Any = copied
    try:
        for step in way:
            holder = holder[step]
        was = holder[last]
    except (IndexError, TypeError) as error:
        raise KeyError(path) from error
    one = isinstance(was, (str, int, float, Decimal)) and not isinstance(was, bool)
    if not one or not isinstance(holder, (dict, list)):  # a text has letters, but none that can be changed
        raise KeyError(path)
    holder[last] = text if isinstance(was, str) else _number(text)
    if last == "unit" and isinstance(holder, dict) and "code" in holder:
        _recode(holder, text)
    return copied


def _recode(quantity: dict[str, Any], unit: str) -> None:
    """Let the code of a Quantity follow its unit as typed, in UCUM or as it is printed; any other unit has none."""
    from xinglin.standards.ucum import is_valid

    code = _PRINTED.get(unit, unit.replace("μ", "u").replace("µ", "u"))
    if is_valid(code):
        quantity.update(system="http://unitsofmeasure.org", code=code)
    else:
        quantity.pop("code")
        quantity.pop("system", None)


def _number(text: str) -> Decimal:
    if not re.fullmatch(r"-?\d{1,18}(\.\d{1,18})?", text, re.ASCII):
        raise ValueError(text)
    return Decimal(text)


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
