"""What can be wrong with a search.

XinglinError
 └─ SearchError          400; the parameter is named as sent, never its value (which may be a patient's name)
     ├─ UnknownParameter    not-supported: no such parameter, modifier or resource type
     ├─ MalformedParameter  value: a known parameter whose value does not fit
     ├─ UnsupportedSearch   not-supported: defined by R4, but not answered here
     ├─ TooLargeSearch      too-costly: over a limit, which the message names; refused also under lenient
     │  handling
     └─ NotIndexedYet       incomplete, 503: an own parameter whose index is being built; refused in both handlings
"""

from __future__ import annotations

from typing import ClassVar

from xinglin.kernel.errors import XinglinError

_SHOWN = 100


class SearchError(XinglinError):
    """A search that cannot be answered as sent. ``name`` is the parameter as sent, with modifiers and
    chain.
    """

    status: ClassVar[int] = 400
    issue: ClassVar[str] = "invalid"

    def __init__(self, key: str, /, *, name: str, **values: object) -> None:
        shown = name if len(name) <= _SHOWN else name[: _SHOWN - 1] + "…"
        super().__init__(f"standards.search-{key}", expression=f"http.{shown}", name=shown, **values)
        self.name = name


class UnknownParameter(SearchError):
    """There is no such parameter, modifier or type."""

    issue: ClassVar[str] = "not-supported"


class MalformedParameter(SearchError):
    """The parameter is known; its value is not of its form."""

    issue: ClassVar[str] = "value"


class UnsupportedSearch(SearchError):
    """R4 defines it; this server does not answer it."""

    issue: ClassVar[str] = "not-supported"


class TooLargeSearch(SearchError):
    """Over one of `Limits`."""

    issue: ClassVar[str] = "too-costly"


class NotIndexedYet(SearchError):
    """A parameter of the site's own that does not find everything yet; later it will."""

    status: ClassVar[int] = 503
    issue: ClassVar[str] = "incomplete"


REFUSED_ALWAYS = (TooLargeSearch, NotIndexedYet)
"""What lenient handling does not pass by: to leave such a parameter out would answer another question."""
