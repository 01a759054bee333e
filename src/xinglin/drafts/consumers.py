"""Who follows the change feed for drafts: retraction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from xinglin.records.site import Site


def consumers(site: Site) -> list[Any]:
    """Retraction follows every type: any resource may be what something rests on; so does what closed a draft."""
    from xinglin.drafts import bypass
    from xinglin.drafts.retraction import handle
    from xinglin.records.feed import Consumer

    def retraction(changes: Any) -> None:
        bypass.handle(site.records, changes)
        handle(site.records, changes)

    return [Consumer(name="drafts.retraction", handle=retraction)]
