"""Conversion of quantities through UCUM, exact where the numbers allow it.

Own implementation instead of a package: the pure-Python ones build on a general unit library with binary floats, half a
second of import and no stable canonical form, where a record needs decimals, microseconds and one code per dimension.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction
from functools import lru_cache

from xinglin.standards.ucum.errors import NotCommensurable, UnknownUnit
from xinglin.standards.ucum.grammar import parse_term, special_units, split_prefix

#: Digits kept where a result has no finite decimal form (a minute as a part of an hour, an angle in radians).
DIGITS = 34
_ROUND = Context(prec=DIGITS, rounding=ROUND_HALF_EVEN, Emin=-999999, Emax=999999)
_EXACT = Context(prec=400, rounding=ROUND_HALF_EVEN, Emin=-999999, Emax=999999)


@dataclass(frozen=True, slots=True)
class Unit:
    """One unit expression in terms of base units: canonical = value × multiplier / divisor + offset.

    ``code`` is the canonical unit, e.g. ``g.m-3``; ``1`` where the unit is a plain number.
    """

    factor: Fraction
    offset: Fraction
    code: str
    multiplier: Decimal
    divisor: Decimal | None  # None: multiplying by ``multiplier`` is exact
    shifted: bool


def _canonical_code(powers: dict[str, int]) -> str:
    return ".".join(d if p == 1 else f"{d}{p}" for d, p in sorted(powers.items())) or "1"


def _terminates(fraction: Fraction) -> bool:
    rest = fraction.denominator
    for prime in (2, 5):
        while rest % prime == 0:
            rest //= prime
    return rest == 1


def _special(code: str) -> tuple[Fraction, Fraction, str] | None:
    """Scale, offset and dimension of a special unit, which may stand only alone (UCUM §22)."""
    bare = code.partition("{")[0] if code.endswith("}") else code
    known = special_units()
    if bare in known:
        scale, offset, dimension, _ = known[bare]
        return scale, offset, dimension
    if parts := split_prefix(bare, {name: row[3] for name, row in known.items()}):
        scale, offset, dimension, _ = known[parts[1]]
        return parts[0] * scale, offset, dimension
    return None


@lru_cache(maxsize=8192)
def unit(code: str) -> Unit:
    """The unit of a UCUM code.

    Raises
    ------
    UnknownUnit
        The code is not a UCUM unit.
    """
    if special := _special(code):
        factor, offset, canonical_code = special
    else:
        factor, powers = parse_term(code)
        offset, canonical_code = Fraction(0), _canonical_code(powers)
    if _terminates(factor):
        exact = _EXACT.divide(Decimal(factor.numerator), Decimal(factor.denominator))
        return Unit(factor, offset, canonical_code, exact, None, bool(offset))
    return Unit(
        factor, offset, canonical_code, Decimal(factor.numerator), Decimal(factor.denominator), bool(offset)
    )


def _decimal(fraction: Fraction) -> Decimal:
    if fraction.denominator == 1:
        return Decimal(fraction.numerator)
    context = _EXACT if _terminates(fraction) else _ROUND
    return context.divide(Decimal(fraction.numerator), Decimal(fraction.denominator))


def canonical(value: Decimal, code: str) -> tuple[Decimal, str]:
    """The value in base units and the canonical unit's code: the same pair for every way to write one quantity.

    Exact where the factor has a finite decimal form, else rounded to 34 digits.

    >>> canonical(Decimal("5.5"), "mg/dL")
    (Decimal('55.0'), 'g.m-3')
    >>> canonical(Decimal("37"), "Cel")
    (Decimal('310.15'), 'K')

    Raises
    ------
    UnknownUnit
        The code is not a UCUM unit.
    """
    found = unit(code)
    if found.shifted:
        return _decimal(Fraction(value) * found.factor + found.offset), found.code
    if found.divisor is None:
        return _EXACT.multiply(value, found.multiplier), found.code
    return _ROUND.divide(_EXACT.multiply(value, found.multiplier), found.divisor), found.code


def fraction(value: Decimal, code: str) -> tuple[Fraction, str]:
    """As :func:`canonical`, never rounded: what equality compares."""
    found = unit(code)
    return Fraction(value) * found.factor + found.offset, found.code


def is_valid(code: str) -> bool:
    """Whether the code is a UCUM unit.

    >>> is_valid("mm[Hg]"), is_valid("mmHg")
    (True, False)
    """
    try:
        unit(code)
    except UnknownUnit:
        return False
    return True


def is_commensurable(first: str, second: str) -> bool:
    """Whether the two codes measure the same thing. Raises UnknownUnit."""
    return unit(first).code == unit(second).code


def convert(value: Decimal, source: str, target: str) -> Decimal:
    """The value of ``source`` units in ``target`` units; exact where it has a finite decimal form, else 34 digits.

    >>> convert(Decimal("98.6"), "[degF]", "Cel")
    Decimal('37')

    Raises
    ------
    UnknownUnit
        One of the codes is not a UCUM unit.
    NotCommensurable
        The units measure different things; so do mass and amount of substance (mg/dL and mmol/L).
    """
    first, second = unit(source), unit(target)
    if first.code != second.code:
        raise NotCommensurable("standards.ucum-not-commensurable", source=source, target=target)
    return _decimal((Fraction(value) * first.factor + first.offset - second.offset) / second.factor)
