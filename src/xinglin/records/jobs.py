"""The kinds of job that the record itself knows: one line each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from xinglin.records.site import Site


def kinds(site: Site) -> list[Any]:
    """What a worker can run for the record."""
    from xinglin.records.bulk import job as bulk
    from xinglin.records.custom import job as custom

    return [*bulk.kinds(site), *custom.kinds(site)]
