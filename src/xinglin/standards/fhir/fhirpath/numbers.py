"""Arithmetic on FHIRPath's decimals, independent of the thread's decimal context.

Source: FHIRPath N1 §4.1.4 (decimal), §6.6 (math).
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Context, Decimal

#: 34 digits, more than the 28 that the standard asks for.
CONTEXT = Context(prec=34, rounding=ROUND_HALF_EVEN, Emin=-999999, Emax=999999)


def decimals(value: Decimal) -> int:
    """Digits after the decimal point, trailing zeros aside.

    >>> decimals(Decimal("1.50")), decimals(Decimal("100"))
    (1, 0)
    """
    exponent = value.normalize(CONTEXT).as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def written_decimals(value: Decimal) -> int:
    """Digits after the decimal point as written.

    >>> written_decimals(Decimal("1.50"))
    2
    """
    exponent = value.as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def divide(first: Decimal, second: Decimal) -> Decimal | None:
    """The quotient, or None where the divisor is zero."""
    return CONTEXT.divide(first, second) if second else None
