"""The rule: a result whose unit cannot be right, and what it must have meant. Pure functions.

A number in a unit is *possible* where the table has a reading of that unit (or of one of the same dimension, converted; or,
by molar mass, of the other way to report it) and the number lies in its range. What is possible is left alone, even where
the code asks for the other property: then the code is in question, not the unit. What is not possible is taken to be of
another unit where it is usual in exactly one. Nothing is said of codes that are not in the table, of numbers without a unit,
and of units that nobody understands: unknown is not wrong.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Literal

from xinglin.quality.analytes import Analyte, Reading, by_code
from xinglin.standards.ucum import NotCommensurable, convert, is_commensurable, is_valid

Kind = Literal["wrong-unit", "implausible"]


@dataclass(frozen=True, slots=True)
class Finding:
    """A result that cannot be right.

    ``wrong-unit``: it is usual as ``meant_unit`` and in nothing else; ``value`` and ``unit`` say it in a unit that the
    code allows (the number as it was, unless the code's property asks for a conversion). ``implausible``: no one reading fits.
    """

    analyte: Analyte
    kind: Kind
    was: Decimal
    was_unit: str
    low: Decimal | None
    high: Decimal | None
    meant_unit: str = ""
    value: Decimal | None = None
    unit: str = ""


def examine(code: str, value: Decimal, unit: str) -> Finding | None:
    """What is wrong with ``value`` ``unit`` (UCUM) of the LOINC ``code``; None where nothing is, or nothing is known.

    >>> found = examine("14771-0", Decimal("99"), "mmol/L")
    >>> found.kind, found.meant_unit, str(found.value), found.unit
    ('wrong-unit', 'mg/dL', '5.5', 'mmol/L')
    >>> found = examine("718-7", Decimal("13.5"), "g/L")
    >>> str(found.value), found.unit
    ('13.5', 'g/dL')
    >>> examine("718-7", Decimal("135"), "g/L") is None
    True
    """
    known = by_code().get(code)
    if known is None or not is_valid(unit):
        return None
    analyte, _ = known
    own = _reading(analyte, unit)
    if own is None and (same := _reading(analyte, other := _exchanged(unit))):
        unit, own = other, same  # laboratories write U and IU for one another
    if own is not None and _within(analyte, value, unit, own):
        return None
    fitting = [
        reading for reading in analyte.readings if not _equal(reading.unit, unit) and reading.is_usual(value)
    ]
    if len({reading.unit.replace("meq", "mmol") for reading in fitting}) != 1:
        low, high = _range_in(analyte, unit, own)
        return Finding(analyte, "implausible", value, unit, low, high)
    return as_meant(code, value, unit, fitting[0].unit)


def as_meant(code: str, value: Decimal, unit: str, meant: str) -> Finding:
    """The finding that ``value``, reported in ``unit``, was meant in ``meant``, a unit of the analyte's readings."""
    analyte, asked = by_code()[code]
    low, high = _range_in(analyte, unit, _reading(analyte, unit))
    new, new_unit = value, meant
    if not is_commensurable(meant, asked):
        converted = _across(analyte, value, meant, asked)
        if converted is None:
            return Finding(analyte, "implausible", value, unit, low, high)
        new, new_unit = _rounded(converted, value), asked
    return Finding(analyte, "wrong-unit", value, unit, low, high, meant, new, new_unit)


def unexplained(finding: Finding) -> Finding:
    """The same finding without what was taken to be meant."""
    return replace(finding, kind="implausible", meant_unit="", value=None, unit="")


def _exchanged(unit: str) -> str:
    """U for [IU], or [IU] for U.

    >>> _exchanged("[IU]/L"), _exchanged("mU/L"), _exchanged("g/L")
    ('U/L', 'm[IU]/L', 'g/L')
    """
    if "[IU]" in unit or "[iU]" in unit:
        return unit.replace("[IU]", "U").replace("[iU]", "U")
    return re.sub(r"(?<![A-Za-z\[])([munpk]?)U(?=/|$)", r"\1[IU]", unit)


def _reading(analyte: Analyte, unit: str) -> Reading | None:
    """The reading that judges ``unit``: of that very unit, else of its dimension, else by molar mass."""
    for reading in analyte.readings:
        if _equal(reading.unit, unit):
            return reading
    for reading in analyte.readings:
        if is_commensurable(reading.unit, unit):
            return reading
    for reading in analyte.readings:
        if _across(analyte, Decimal(1), unit, reading.unit) is not None:
            return reading
    return None


def _equal(one: str, other: str) -> bool:
    """Whether two codes are one unit, however written: 10*9/L and 10*3/uL."""
    if one == other:
        return True
    return is_commensurable(one, other) and all(convert(Decimal(n), one, other) == n for n in (1, 2))


def _within(analyte: Analyte, value: Decimal, unit: str, reading: Reading) -> bool:
    converted = _across(analyte, value, unit, reading.unit)
    return converted is not None and reading.low <= converted <= reading.high


def _across(analyte: Analyte, value: Decimal, unit: str, target: str) -> Decimal | None:
    """The value in ``target`` units; between mass and amount by the molar mass. None where there is no way."""
    try:
        return convert(value, unit, target)
    except NotCommensurable:
        pass
    if analyte.molar_g is None:
        return None
    if is_commensurable(unit, "g/L") and is_commensurable(target, "mol/L"):
        return convert(convert(value, unit, "g/L") / analyte.molar_g, "mol/L", target)
    if is_commensurable(unit, "mol/L") and is_commensurable(target, "g/L"):
        return convert(convert(value, unit, "mol/L") * analyte.molar_g, "g/L", target)
    return None


def _range_in(analyte: Analyte, unit: str, own: Reading | None) -> tuple[Decimal | None, Decimal | None]:
    """The plausible range in the unit as reported, for the reason; None where the unit is of another dimension."""
    if own is None:
        return None, None
    low, high = (_across(analyte, bound, own.unit, unit) for bound in (own.low, own.high))
    context = Context(prec=3, rounding=ROUND_HALF_EVEN)
    return (
        None if low is None else Decimal(format(context.plus(low).normalize(), "f")),
        None if high is None else Decimal(format(context.plus(high).normalize(), "f")),
    )


def _rounded(value: Decimal, like: Decimal) -> Decimal:
    """To as many digits as the number that was reported has, two at least; a reported zero is a digit too.

    >>> _rounded(Decimal("5.4951"), Decimal("99")), _rounded(Decimal("85.52"), Decimal("0.97"))
    (Decimal('5.5'), Decimal('86'))
    >>> _rounded(Decimal("11.101"), Decimal("200"))  # 11 would be on the other side of a diagnosis
    Decimal('11.1')
    """
    digits = max(2, len(like.as_tuple().digits))
    return Decimal(format(Context(prec=digits, rounding=ROUND_HALF_EVEN).plus(value), "f"))
