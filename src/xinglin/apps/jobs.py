"""The kinds of job that the applications add: one line each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from xinglin.records.site import Site


def kinds(site: Site) -> list[Any]:
    """What a worker can run for the applications."""
    from xinglin.apps.backup.jobs import kinds as backup
    from xinglin.apps.live import kinds as live

    return [*live(site), *backup(site)]
