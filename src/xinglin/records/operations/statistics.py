"""Statistics of a few exact numbers: decimals in, decimals out. None where there are too few numbers for one.

Codes are those of R4's CodeSystem observation-statistics. Quartiles and quintiles are those of linear interpolation between order
statistics (Hyndman and Fan's type 7, as R and NumPy have it by default); variance and standard deviation are a sample's, by
n - 1; skew and kurtosis are those of the sample's moments, kurtosis without the 3 of the normal distribution taken off.
Source: HL7 FHIR R4, codesystem-observation-statistics.html; Hyndman & Fan 1996, doi:10.1080/00031305.1996.10473566.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Final

_EXACT: Final = Context(prec=50, rounding=ROUND_HALF_EVEN)
_FURTHER: Final = 2
"""Digits after the point of a computed value, beyond those of the numbers it is computed from."""

Numbers = Sequence[Decimal]


def places(values: Numbers) -> int:
    """The most digits after the decimal point that any value has.

    >>> places([Decimal("1.10"), Decimal("2")])
    2
    """
    exponents = [value.as_tuple().exponent for value in values]
    return max((-each for each in exponents if isinstance(each, int)), default=0) if exponents else 0


def _mean(values: Numbers) -> Decimal:
    return _EXACT.divide(sum(values, Decimal(0)), Decimal(len(values)))


def _moment(values: Numbers, power: int) -> Decimal:
    mean = _mean(values)
    total = sum((_EXACT.power(_EXACT.subtract(value, mean), power) for value in values), Decimal(0))
    return _EXACT.divide(total, Decimal(len(values)))


def _variance(values: Numbers) -> Decimal | None:
    if len(values) < 2:
        return None
    return _EXACT.divide(_EXACT.multiply(_moment(values, 2), Decimal(len(values))), Decimal(len(values) - 1))


def _deviation(values: Numbers) -> Decimal | None:
    variance = _variance(values)
    return None if variance is None else _EXACT.sqrt(variance)


def quantile(values: Numbers, share: Decimal) -> Decimal:
    """The value below which ``share`` (0 to 1) of the values lie.

    >>> quantile([Decimal(1), Decimal(2), Decimal(3), Decimal(4)], Decimal("0.5"))
    Decimal('2.5')
    """
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low = int(place)
    if place == low:
        return ordered[low]
    return ordered[low] + (ordered[low + 1] - ordered[low]) * (place - low)


def _shape(values: Numbers, power: int) -> Decimal | None:
    spread = _moment(values, 2)
    if len(values) < power or spread == 0:
        return None
    return _EXACT.divide(_moment(values, power), _EXACT.power(spread, Decimal(power) / 2))


STATISTICS: Final[dict[str, Callable[[Numbers], Decimal | None]]] = {
    "average": _mean,
    "maximum": max,
    "minimum": min,
    "count": lambda values: Decimal(len(values)),
    "total-count": lambda values: Decimal(len(values)),
    "median": lambda values: quantile(values, Decimal("0.5")),
    "std-dev": _deviation,
    "sum": lambda values: sum(values, Decimal(0)),
    "variance": _variance,
    "20-percent": lambda values: quantile(values, Decimal("0.2")),
    "80-percent": lambda values: quantile(values, Decimal("0.8")),
    "4-lower": lambda values: quantile(values, Decimal("0.25")),
    "4-upper": lambda values: quantile(values, Decimal("0.75")),
    "4-dev": lambda values: (quantile(values, Decimal("0.75")) - quantile(values, Decimal("0.25"))) / 2,
    "5-1": lambda values: quantile(values, Decimal("0.2")),
    "5-2": lambda values: quantile(values, Decimal("0.4")),
    "5-3": lambda values: quantile(values, Decimal("0.6")),
    "5-4": lambda values: quantile(values, Decimal("0.8")),
    "skew": lambda values: _shape(values, 3),
    "kurtosis": lambda values: _shape(values, 4),
}
COUNTS: Final = frozenset({"count", "total-count"})
WITHOUT_UNIT: Final = frozenset({"skew", "kurtosis"})
_AS_GIVEN: Final = frozenset({"maximum", "minimum", "sum", *COUNTS})


def statistic(code: str, values: Numbers) -> Decimal | None:
    """One statistic; None where ``values`` are too few for it. Computed ones have two digits more than the values.

    >>> statistic("average", [Decimal("1.0"), Decimal("2.0"), Decimal("2.0")])
    Decimal('1.667')
    """
    if not values and code not in COUNTS:
        return None
    found = STATISTICS[code](values)
    if found is None or code in _AS_GIVEN:
        return found
    digits = 4 if code in WITHOUT_UNIT else places(values) * (2 if code == "variance" else 1) + _FURTHER
    rounded = found.quantize(Decimal(1).scaleb(-digits), context=_EXACT)
    return found if rounded == found and places([found]) <= digits else rounded
