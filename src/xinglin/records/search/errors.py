"""Errors of searching.

XinglinError
 └─ SearchError
     ├─ SearchTooLong     503  the statement's time limit passed
     └─ TooManyIncluded   400  _include and _revinclude would bring more resources than allowed

OverBudget is no error to a client: whoever set a budget of steps catches it and runs the search again elsewhere.
"""

from __future__ import annotations

from typing import ClassVar

from xinglin.kernel.errors import XinglinError


class SearchError(XinglinError):
    """A search could not be answered."""


class SearchTooLong(SearchError):
    """The search ran into its time limit and was stopped; narrower criteria answer sooner."""

    status: ClassVar[int] = 503
    issue: ClassVar[str] = "too-costly"


class TooManyIncluded(SearchError):
    """The page would carry more included resources than the setting allows."""

    status: ClassVar[int] = 400
    issue: ClassVar[str] = "too-costly"


class OverBudget(Exception):
    """The search needs more steps of the database engine than it was given; nothing was answered."""
