"""The search parameters that a search may name: those of R4, and those that a site has of its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final

from xinglin.standards.fhir.search.errors import NotIndexedYet
from xinglin.standards.fhir.search.names import parameter_named

if TYPE_CHECKING:
    from xinglin.standards.fhir.r4.parameters import SearchParameter

FIRST_OWN: Final = 1_000_000
"""Own parameters have numbers from here on. See `records.custom`."""


class Known:
    """R4's parameters and ``own`` ones, each on one resource type.

    ``building``: own ones whose index is not complete: (resources looked at, of how many) by number. To search by one is
    refused, since what it found would not be all.
    """

    __slots__ = ("_building", "_own", "_references")

    def __init__(
        self,
        own: Iterable[SearchParameter] = (),
        building: Mapping[int, tuple[int, int]] | None = None,
    ) -> None:
        self._building = building or {}
        self._own: dict[str, dict[str, SearchParameter]] = {}
        for parameter in own:
            self._own.setdefault(parameter.base, {})[parameter.name] = parameter
        self._references: dict[str, tuple[int, ...]] = {
            type: tuple(sorted(one.number for one in named.values() if self._is_reference(one)))
            for type, named in self._own.items()
        }
        self._references["*"] = tuple(sorted(n for numbers in self._references.values() for n in numbers))

    def named(self, type: str | None, name: str) -> SearchParameter | None:
        """The parameter of a type, or of every type where ``type`` is None; None where there is none of the name.

        Raises
        ------
        NotIndexedYet
            It is an own one whose index is not complete.
        """
        found = parameter_named(type, name)
        if found is not None or not self._own or type is None:
            return found
        own = self._own.get(type, {}).get(name)
        if own is not None and own.number in self._building:
            done, of = self._building[own.number]
            raise NotIndexedYet("not-indexed-yet", name=name, type=type, done=done, of=of)
        return own

    def of(self, type: str) -> dict[str, SearchParameter]:
        """The own parameters of a type that may be searched by, by name."""
        return {
            name: one for name, one in self._own.get(type, {}).items() if one.number not in self._building
        }

    def ready(self) -> tuple[SearchParameter, ...]:
        """All own parameters that may be searched by."""
        return tuple(one for type in sorted(self._own) for one in self.of(type).values())

    def references(self, type: str) -> tuple[int, ...]:
        """The numbers of a type's own reference parameters that may be searched by; of all types for ``*``."""
        return self._references.get(type, ())

    def _is_reference(self, parameter: SearchParameter) -> bool:
        return parameter.type == "reference" and parameter.number not in self._building


STANDARD: Final = Known()
"""R4's alone."""
