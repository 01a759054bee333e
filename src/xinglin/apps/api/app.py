"""The whole server as one ASGI application: the record at ``/fhir``, what stands beside FHIR at ``/api``, health, metrics,
and the pages at every other address."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from xinglin.apps.api.endpoint import Endpoint
from xinglin.apps.api.guard import Guard
from xinglin.apps.api.inner import inner
from xinglin.apps.api.observing import Observing
from xinglin.apps.assemble import capabilities, gathered
from xinglin.apps.gauges import Gauges, readiness
from xinglin.apps.metrics import exposition
from xinglin.apps.web.site import site
from xinglin.kernel.log import logger
from xinglin.kernel.settings import Settings
from xinglin.records.api import Api
from xinglin.records.site import Site
from xinglin.trust import Actor, local_system

if TYPE_CHECKING:
    from xinglin.records.service import Records

_FRESH = {"Cache-Control": "no-store"}


class App:
    """Sends each request to the record or to the rest; the record first, because it is asked most."""

    def __init__(self, endpoint: Endpoint, inner: ASGIApp, others: ASGIApp) -> None:
        self.endpoint = endpoint
        self.inner = inner
        self.others = others

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            path: bytes = scope.get("raw_path") or scope["path"].encode()
            if path.startswith(b"/fhir") and path[5:6] in (b"/", b""):
                await self.endpoint(scope, receive, send)
                return
            if path.startswith(b"/api") and path[4:5] in (b"/", b""):
                await self.inner(scope, receive, send)
                return
        elif scope["type"] == "websocket":
            await self.inner(scope, receive, send)
            return
        await self.others(scope, receive, send)

    def close(self) -> None:
        """Let what is held beside the record go."""
        self.endpoint.close()


def create_app(
    records: Records, settings: Settings, *, guard: Guard | None = None, actor: Actor | None = None
) -> App:
    """The application over an open record. ``guard`` decides under which names it may be addressed."""
    guard = guard or Guard(settings.base_url)
    actor = actor or local_system()
    here = Site(records, settings)
    api = Api(here, [operation for capability in capabilities() for operation in capability.operations])
    observing = Observing(actor)
    endpoint = Endpoint(api, settings, guard, actor, observing)
    beside = Mount("/api", app=Router(gathered(here, "routes"), redirect_slashes=False))
    below = inner([beside], api, settings, guard, actor, observing)
    gauges = Gauges(here)

    async def health(request: Request) -> Response:
        return JSONResponse({"status": "ok"}, headers=_FRESH)

    def ready(request: Request) -> Response:
        found = readiness(here)
        status = 200 if found["status"] == "ready" else 503
        return JSONResponse(found, status, headers=_FRESH)

    def metrics(request: Request) -> Response:
        if guard.base(request.headers.get("host", "").encode("latin-1"), request.url.scheme) is None:
            return PlainTextResponse("This server is not addressed under that name.", 421)
        told = exposition([*observing.metrics.families(), *gauges.families()])
        return Response(told, media_type="text/plain; version=0.0.4; charset=utf-8", headers=_FRESH)

    async def unexpected(request: Request, error: Exception) -> Response:
        logger("api").error("unexpected", kind=type(error).__name__)
        return PlainTextResponse("Internal error", 500)

    others = Starlette(
        routes=[
            Route("/health", health),
            Route("/ready", ready),
            Route("/metrics", metrics),
            Mount("/", _Pages(guard, site())),
        ],
        exception_handlers={500: unexpected, Exception: unexpected},
    )
    return App(endpoint, below, others)


class _Pages:
    """The pages, for hosts that are ours and addresses that a file system can hold."""

    def __init__(self, guard: Guard, pages: ASGIApp) -> None:
        self._guard = guard
        self._pages = pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        host = next((value for name, value in scope["headers"] if name == b"host"), b"")
        path: str = scope["path"]
        refused: Response | None = None
        if self._guard.base(host, scope["scheme"]) is None:
            refused = PlainTextResponse("This server is not addressed under that name.", 421)
        elif "\0" in path or any(len(part.encode("utf-8", "replace")) > 255 for part in path.split("/")):
            refused = PlainTextResponse("Not found", 404)
        await (refused or self._pages)(scope, receive, send)
