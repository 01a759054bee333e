"""Errors of units.

XinglinError
 └─ UcumError
     ├─ UnknownUnit        the code is no UCUM unit
     └─ NotCommensurable   the two units measure different things
"""

from __future__ import annotations

from xinglin.kernel.errors import XinglinError


class UcumError(XinglinError):
    """A unit cannot be understood or converted."""

    status = 422
    issue = "value"


class UnknownUnit(UcumError):
    """The code is not a UCUM unit expression."""

    issue = "code-invalid"


class NotCommensurable(UcumError):
    """The two units measure different things."""
