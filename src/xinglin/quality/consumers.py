"""Who follows the change feed for quality: the rule of units."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from xinglin.records.site import Site


def consumers(site: Site) -> list[Any]:
    """The rule of units follows Observations."""
    from xinglin.quality.rule import handle
    from xinglin.records.feed import Consumer

    def units(changes: Any) -> None:
        handle(site.records, changes)

    return [Consumer(name="quality.units", handle=units, types=frozenset({"Observation"}))]
