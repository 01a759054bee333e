"""FHIRPath's System.Quantity: a decimal with a UCUM unit or a calendar duration.

Source: FHIRPath N1 §4.1.8, §6.1.1, §6.2 (comparison of quantities), §6.6 (arithmetic).
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

from xinglin.standards import ucum
from xinglin.standards.fhir.fhirpath.numbers import CONTEXT, decimals, divide

#: Calendar words to their singular; only these can be added to dates beyond seconds.
CALENDAR = {
    word + plural: word
    for word in ("year", "month", "week", "day", "hour", "minute", "second", "millisecond")
    for plural in ("", "s")
}
#: What calendar durations weigh among themselves and against definite UCUM units.
_AS_UCUM = {
    "year": "a", "month": "mo", "week": "wk", "day": "d",
    "hour": "h", "minute": "min", "second": "s", "millisecond": "ms",
}  # fmt: skip
_INDEFINITE = {"year", "month"}
_DEFINITE_UCUM = {"a", "mo"}


@dataclass(frozen=True, slots=True)
class Quantity:
    """A value with its unit: a UCUM code, ``1`` for none, or a calendar word in the singular."""

    value: Decimal
    unit: str

    @property
    def calendar(self) -> bool:
        """Whether the unit is a calendar duration (``1 month``, not ``1 'mo'``)."""
        return self.unit in _AS_UCUM

    def __str__(self) -> str:
        if self.calendar:
            return f"{self.value:f} {self.unit}{'' if self.value == 1 else 's'}"
        return f"{self.value:f} '{self.unit}'"


def of(value: Decimal, unit: str) -> Quantity:
    """A quantity from a literal's unit, in which calendar words may be in the plural."""
    return Quantity(value, CALENDAR.get(unit, unit))


def _code(unit: str) -> str:
    return _AS_UCUM.get(unit, unit)


def comparable(first: Quantity, second: Quantity) -> bool:
    """Whether the two measure the same thing; False too where a unit is unknown and the codes differ."""
    if first.unit == second.unit:
        return True
    try:
        return ucum.is_commensurable(_code(first.unit), _code(second.unit))
    except ucum.UnknownUnit:
        return False


def _base(first: Quantity, second: Quantity) -> tuple[Fraction, Fraction] | None:
    """Both values in one unit, or None where they cannot be brought to one."""
    if first.unit == second.unit:
        return Fraction(first.value), Fraction(second.value)
    if first.calendar and second.calendar and {first.unit, second.unit} == _INDEFINITE:
        months = {"year": 12, "month": 1}
        return Fraction(first.value) * months[first.unit], Fraction(second.value) * months[second.unit]
    try:
        one, code = ucum.fraction(first.value, _code(first.unit))
        two, other = ucum.fraction(second.value, _code(second.unit))
    except ucum.UnknownUnit:
        return None
    return (one, two) if code == other else None


def _mixed(first: Quantity, second: Quantity) -> bool:
    """A calendar year or month against anything of definite length: the answer depends on the calendar."""
    if first.unit in _INDEFINITE and second.unit not in _INDEFINITE:
        return True
    return second.unit in _INDEFINITE and first.unit not in _INDEFINITE


def equal(first: Quantity, second: Quantity) -> bool | None:
    """Exact equality; None where the units do not compare."""
    if _mixed(first, second):
        return None
    both = _base(first, second)
    return None if both is None else both[0] == both[1]


def compare(first: Quantity, second: Quantity) -> int | None:
    """-1, 0 or 1; None where the units do not compare."""
    if _mixed(first, second):
        return None
    both = _base(first, second)
    return None if both is None else (both[0] > both[1]) - (both[0] < both[1])


def equivalent(first: Quantity, second: Quantity) -> bool:
    """Equality at the precision of the less precise value, after conversion to its unit."""
    if first.unit == second.unit:
        a, b = first.value, second.value
        digits = min(decimals(a), decimals(b))
        return round_to(a, digits) == round_to(b, digits)
    if decimals(second.value) < decimals(first.value):
        first, second = second, first
    both = _base(first, second)
    if both is None:
        return False
    if both[0] == both[1]:
        return True
    if not first.value:
        return False
    scale = both[0] / Fraction(first.value)  # base units per unit of the less precise side
    other = both[1] / scale if scale else both[1]
    converted = divide(Decimal(other.numerator), Decimal(other.denominator))
    assert converted is not None  # a fraction's denominator is never 0
    return round_to(converted, decimals(first.value)) == first.value


def round_to(value: Decimal, digits: int) -> Decimal:
    """The value rounded half away from zero to a number of decimal places."""
    return value.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP, CONTEXT)


def _join(first: str, second: str, sign: str) -> str:
    if second == "1":
        return first
    if sign == "/" and first == second:
        return "1"
    if first == "1":
        return second if sign == "." else f"/{second if second.isalnum() else f'({second})'}"
    bracketed = f"({second})" if sign == "/" and ("." in second or "/" in second) else second
    return f"{first}{sign}{bracketed}"


def multiply(first: Quantity, second: Quantity) -> Quantity | None:
    """The product, its unit the product of the units; None where a unit is unknown."""
    return _combined(CONTEXT.multiply(first.value, second.value), first, second, ".")


def quotient(first: Quantity, second: Quantity) -> Quantity | None:
    """The quotient, its unit the quotient of the units; None on division by zero or where a unit is unknown."""
    value = divide(first.value, second.value)
    return None if value is None else _combined(value, first, second, "/")


def _combined(value: Decimal, first: Quantity, second: Quantity, sign: str) -> Quantity | None:
    unit = _join(_code(first.unit), _code(second.unit), sign)
    return Quantity(value, unit) if ucum.is_valid(unit) else None


def add(first: Quantity, second: Quantity, sign: int) -> Quantity | None:
    """The sum (``sign`` 1) or difference (-1) in the first one's unit; None where the units do not compare."""
    if first.unit == second.unit:
        other = second.value
    else:
        if _mixed(first, second):
            return None
        try:
            other = ucum.convert(second.value, _code(second.unit), _code(first.unit))
        except ucum.UcumError:
            return None
    total = CONTEXT.add(first.value, other) if sign > 0 else CONTEXT.subtract(first.value, other)
    return Quantity(total, first.unit)
