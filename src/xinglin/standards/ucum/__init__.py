"""Units of measure by UCUM: validity, canonical form, conversion. Pure functions, exact decimals."""

from __future__ import annotations

from xinglin.standards.ucum.errors import NotCommensurable, UcumError, UnknownUnit
from xinglin.standards.ucum.units import canonical, convert, fraction, is_commensurable, is_valid

__all__ = [
    "NotCommensurable",
    "UcumError",
    "UnknownUnit",
    "canonical",
    "convert",
    "fraction",
    "is_commensurable",
    "is_valid",
]
