"""Validation in tiers.

Tier 1, on every write: structure, formats, required bindings (`parse` does it at the decoder's speed and raises;
`tier1` describes). Tier 2: the invariants of R4. Tier 3: profiles, through whatever is registered as `Tier3`; nothing
is yet.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from xinglin.standards.fhir import invariants, structure
from xinglin.standards.fhir.findings import Finding

if TYPE_CHECKING:
    from xinglin.standards.fhir.r4.model import ResourceBase


class Tier3(Protocol):
    """The seam for profiles: a validator that knows some of them."""

    def __call__(self, resource: ResourceBase, profiles: Sequence[str]) -> list[Finding]:
        """The findings of a resource that passed tiers 1 and 2 against profiles, named by canonical URL."""
        ...


def tier1(body: bytes) -> list[Finding]:
    """Every finding of tier 1 about a JSON body; empty for a valid resource."""
    return structure.describe(body)


def tier2(resource: ResourceBase) -> list[Finding]:
    """Every finding of R4's invariants about a resource that passed tier 1: errors, and warnings for best practice."""
    return invariants.check(resource)
