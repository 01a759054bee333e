"""The addresses below ``/api``: one line for each module of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.routing import BaseRoute

    from xinglin.records.site import Site


def routes(site: Site) -> list[BaseRoute]:
    """Every route that the server itself adds."""
    from xinglin.apps.api import bulk_routes, drafts_routes, feed_routes, jobs_routes, status_routes

    return [
        *jobs_routes.routes(site),
        *bulk_routes.routes(site),
        *feed_routes.routes(site),
        *drafts_routes.routes(site),
        *status_routes.routes(site),
    ]
