"""Who follows the change feed on the record's own behalf: one line each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from xinglin.records.site import Site


def consumers(site: Site) -> list[Any]:
    """The consumers that a worker runs for the record."""
    from xinglin.records.subscriptions.engine import consumer as subscriptions

    return [subscriptions(site)]
