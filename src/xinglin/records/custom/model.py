"""An own search parameter as the tables have it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from xinglin.standards.fhir.r4.parameters import SearchParameter

State: TypeAlias = Literal["building", "ready", "going", "gone"]
STATES: Final[tuple[State, ...]] = ("building", "ready", "going", "gone")
"""In the database a state is its place here. Up to ``ready`` rows are written; of ``going`` they are still to be removed."""
BUILDING: Final = 0
READY: Final = 1
GOING: Final = 2
GONE: Final = 3


@dataclass(frozen=True, slots=True)
class OwnParameter:
    """One definition on one type.

    ``resource``: id of the SearchParameter. ``added``, ``removed``: generations. ``done`` of ``total`` resources have been
    looked at since it was added. ``report``: what its last verification found, None before.
    """

    tenant: int
    parameter: SearchParameter
    resource: str
    state: State
    added: int
    removed: int | None
    changed_us: int
    done: int
    total: int
    report: dict[str, Any] | None

    @property
    def number(self) -> int:
        """Its number in the index tables."""
        return self.parameter.number

    @property
    def live(self) -> bool:
        """Whether rows are written for it."""
        return self.state in ("building", "ready")
