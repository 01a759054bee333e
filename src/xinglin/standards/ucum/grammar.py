"""Reads a UCUM unit expression into a factor and powers of dimensions.

Source: The Unified Code for Units of Measure, version 2.2, §§1–12 (grammar), §22 (special units), §24 (arbitrary units).
"""

from __future__ import annotations

import re
from fractions import Fraction
from functools import cache

from xinglin.standards.ucum import table
from xinglin.standards.ucum.errors import UnknownUnit

MAX_LENGTH = 200  # characters; real codes have under 40
MAX_NESTING = 20
MAX_EXPONENT = 100  # bounds the size of a factor such as 10*99999999

#: (factor, powers by dimension)
Term = tuple[Fraction, dict[str, int]]

_EXPONENT = re.compile(r"[+-]?[0-9]+")
_DIGITS = re.compile(r"[0-9]+")
_ANNOTATION = re.compile(r"\{[!-z|~]*\}")
# A unit's symbol: letters and signs; digits only inside square brackets; 10* and 10^ as a whole.
_SYMBOL = re.compile(r"10[*^]|(?:[!-'*,:-Z\\^-z|~]|\[[!-Z\\^-~]*\])+")


@cache
def _definitions() -> dict[str, tuple[str, str, bool]]:
    """Every derived unit: value, term, and whether it takes prefixes."""
    found = {}
    for text, metric in ((table.METRIC, True), (table.PLAIN, False)):
        for entry in text.split(";"):
            code, _, definition = entry.strip().partition("=")
            value, _, term = definition.partition(" ")
            found[code] = (value, term, metric)
    return found


@cache
def _dimensions() -> dict[str, bool]:
    """Every unit that is a dimension of its own, and whether it takes prefixes."""
    return (
        dict.fromkeys(table.BASE, True)
        | dict.fromkeys(table.ARBITRARY.split(), False)
        | dict.fromkeys(table.ARBITRARY_METRIC.split(), True)
    )


@cache
def special_units() -> dict[str, tuple[Fraction, Fraction, str, bool]]:
    """Units with a zero or a scale of their own: (scale, offset, dimension, takes prefixes)."""
    found = {
        code: (Fraction(scale), Fraction(offset), "K", code == "Cel")
        for code, (scale, offset) in table.TEMPERATURES.items()
    }
    for text, metric in ((table.SCALES, False), (table.SCALES_METRIC, True)):
        found |= {code: (Fraction(1), Fraction(0), code, metric) for code in text.split()}
    return found


@cache
def _atom(code: str) -> Term | None:
    """The unit without prefix, or None."""
    if code in _dimensions():
        return Fraction(1), {code: 1}
    if definition := _definitions().get(code):
        factor, powers = parse_term(definition[1])
        return Fraction(definition[0]) * factor, powers
    return None


def split_prefix(symbol: str, metric: dict[str, bool]) -> tuple[Fraction, str] | None:
    """The prefix's factor and the unit's code, where ``symbol`` is a metric unit with a prefix."""
    for length in (1, 2):
        prefix, code = symbol[:length], symbol[length:]
        if metric.get(code) and prefix in table.PREFIXES:
            return Fraction(table.PREFIXES[prefix]), code
    return None


@cache
def _metric() -> dict[str, bool]:
    return {code: metric for code, (_, _, metric) in _definitions().items()} | _dimensions()


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.depth = 0

    def fail(self) -> UnknownUnit:
        return UnknownUnit("standards.ucum-unknown-unit", code=self.text[:MAX_LENGTH], position=self.at)

    def term(self) -> Term:
        """term = ["/"] component {("." | "/") component}; the operators bind from left to right."""
        self.depth += 1
        if self.depth > MAX_NESTING:
            raise self.fail()
        factor, powers = Fraction(1), dict[str, int]()
        invert = self.take("/")
        while True:
            one, some = self.component()
            factor = factor / one if invert else factor * one
            for dimension, power in some.items():
                powers[dimension] = powers.get(dimension, 0) + (-power if invert else power)
            if self.take("."):
                invert = False
            elif self.take("/"):
                invert = True
            else:
                break
        self.depth -= 1
        return factor, {dimension: power for dimension, power in powers.items() if power}

    def take(self, sign: str) -> bool:
        if self.text.startswith(sign, self.at):
            self.at += 1
            return True
        return False

    def component(self) -> Term:
        if self.take("("):
            inner = self.term()
            if not self.take(")"):
                raise self.fail()
            self.annotation()
            return inner
        if self.annotation():
            return Fraction(1), {}
        symbol = _SYMBOL.match(self.text, self.at)
        if symbol is None:
            digits = _DIGITS.match(self.text, self.at)
            if digits is None:
                raise self.fail()
            self.at = digits.end()
            self.annotation()
            if not int(digits[0]):
                raise self.fail()
            return Fraction(int(digits[0])), {}
        unit = self.unit(symbol[0])
        self.at = symbol.end()
        power = self.exponent()
        self.annotation()
        return unit[0] ** power, {dimension: power * one for dimension, one in unit[1].items() if power}

    def unit(self, symbol: str) -> Term:
        if (whole := _atom(symbol)) is not None:
            return whole
        if (parts := split_prefix(symbol, _metric())) is not None:
            unit = _atom(parts[1])
            if unit is not None:
                return parts[0] * unit[0], unit[1]
        raise self.fail()

    def exponent(self) -> int:
        found = _EXPONENT.match(self.text, self.at)
        if found is None:
            return 1
        if len(found[0]) > 4 or abs(int(found[0])) > MAX_EXPONENT:
            raise self.fail()
        self.at = found.end()
        return int(found[0])

    def annotation(self) -> bool:
        found = _ANNOTATION.match(self.text, self.at)
        if found is None:
            return False
        self.at = found.end()
        return True


def parse_term(text: str) -> Term:
    """The factor and the powers of a unit expression on a ratio scale.

    >>> parse_term("mg/dL")
    (Fraction(10, 1), {'g': 1, 'm': -3})

    Raises
    ------
    UnknownUnit
        The text is no UCUM expression, or longer, deeper or with a higher power than the limits above.
    """
    if not text or len(text) > MAX_LENGTH:
        raise UnknownUnit("standards.ucum-unknown-unit", code=text[:MAX_LENGTH], position=0)
    reader = _Reader(text)
    result = reader.term()
    if reader.at != len(text):
        raise reader.fail()
    return result
