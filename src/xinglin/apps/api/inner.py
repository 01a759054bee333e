"""``/api``: what the pages and scripts ask beside FHIR. Guarded like ``/fhir``; every error an OperationOutcome.

Routes come from the capabilities (``Capability.routes``), each a function of one Site. A handler finds its actor in
``request.state.actor`` and the language to answer in in ``request.state.language``; it raises XinglinError.
"""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from xinglin.apps.api.endpoint import plainly
from xinglin.apps.api.guard import Guard
from xinglin.apps.api.observing import Observing, place
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.language import choose
from xinglin.kernel.log import REQUEST, logger
from xinglin.kernel.settings import Settings
from xinglin.records.api import Api
from xinglin.records.rest.exchange import Answer
from xinglin.trust import Actor


def inner(
    routes: list[BaseRoute],
    api: Api,
    settings: Settings,
    guard: Guard,
    actor: Actor,
    observing: Observing | None = None,
) -> ASGIApp:
    """The application below ``/api`` (and the web sockets there)."""

    async def refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, XinglinError)
        return _response(api.refuse(error, request.state.language))

    async def unexpected(request: Request, error: Exception) -> Response:
        id_ = request.state.request
        logger("api").error("unexpected", request=id_, kind=type(error).__name__)
        return _response(plainly(500, "exception", "rest-unexpected", request.state.language, request=id_))

    async def unrouted(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        language = request.state.language
        if error.status_code != 405:
            return _response(plainly(404, "not-found", "rest-no-address", language))
        allowed = ", ".join(sorted(_methods(routes, request.scope)))
        told = plainly(
            405, "not-supported", "rest-method", language, method=request.method[:20], allowed=allowed
        )
        return _response(Answer(told.status, [*told.headers, (b"allow", allowed.encode())], told.body))

    app = Starlette(
        routes=routes,
        exception_handlers={
            XinglinError: refused,
            HTTPException: unrouted,
            500: unexpected,
            Exception: unexpected,
        },
    )
    app.router.redirect_slashes = False
    return _Guarded(app, settings, guard, actor, observing or Observing(actor))


def _methods(routes: Sequence[BaseRoute], scope: Scope) -> set[str]:
    """Every method that some route takes at the address of ``scope``; the framework names those of one route only."""
    found: set[str] = set()
    fresh = {"type": "http", "method": scope["method"], "path": scope["path"], "root_path": "", "headers": []}
    for mount in routes:
        match, within = mount.matches(fresh)
        for route in getattr(mount, "routes", None) or [] if match is not Match.NONE else []:
            if isinstance(route, Route) and route.matches({**fresh, **within})[0] is not Match.NONE:
                found |= route.methods or set()
    return found


class _Guarded:
    """Lets in whom `Guard` lets in, and notes who asks and in which language."""

    def __init__(
        self, app: ASGIApp, settings: Settings, guard: Guard, actor: Actor, observing: Observing
    ) -> None:
        self._app = app
        self._observing = observing
        self._settings = settings
        self._guard = guard
        self._actor = actor

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = HTTPConnection(scope).headers
        request_id = self._observing.request_id(headers.get("x-request-id", ""))
        REQUEST.set(request_id)
        noted = _Noted(self._observing, scope, request_id, send)
        send = noted.send
        host = headers.get("host", "").encode("latin-1")
        given = headers.get("accept-language")
        chosen = choose(given if given or self._settings.language == "auto" else self._settings.language)
        base = self._guard.base(host, "https" if scope["scheme"] in ("https", "wss") else "http")
        refusal = None
        if base is None:
            refusal = plainly(421, "security", "rest-host", chosen)
        elif self._guard.foreign(host, headers.get("origin"), headers.get("sec-fetch-site")):
            refusal = plainly(403, "security", "rest-foreign", chosen)
        if refusal is None:
            scope.setdefault("state", {}).update(
                actor=self._actor, language=chosen, base=base, request=request_id
            )
            with noted:
                await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            with noted:
                await _response(refusal)(scope, receive, send)


class _Noted:
    """Notes one request, and puts its id on the answer."""

    def __init__(self, observing: Observing, scope: Scope, request_id: str, send: Send) -> None:
        self._observing = observing
        self._kind = place(scope["path"])
        self._socket = scope["type"] == "websocket"
        self._id = request_id
        self._send = send
        self._began = perf_counter()
        self._status = 0
        self._open = ""

    def __enter__(self) -> None:
        if self._socket:
            self._opened("websocket")

    def __exit__(self, *_: object) -> None:
        if self._open:
            self._observing.metrics.open[self._open] -= 1
        if not self._socket and self._open != "event-stream":
            self._observing.done(self._kind, self._status, perf_counter() - self._began, self._id)

    async def send(self, message: Message) -> None:
        """Pass ``message`` on."""
        if message["type"] == "http.response.start":
            self._status = message["status"]
            headers = [*message.get("headers", ()), (b"x-request-id", self._id.encode())]
            message = {**message, "headers": headers}
            if any(
                name == b"content-type" and value.startswith(b"text/event-stream") for name, value in headers
            ):
                # How long one listens says nothing of how quick the answer was.
                self._observing.done(self._kind, self._status, perf_counter() - self._began, self._id)
                self._opened("event-stream")
        await self._send(message)

    def _opened(self, kind: str) -> None:
        self._open = kind
        open_ = self._observing.metrics.open
        open_[kind] = open_.get(kind, 0) + 1


def _response(answer: Answer) -> Response:
    headers = {name.decode(): value.decode("latin-1") for name, value in answer.headers}
    return Response(answer.body, answer.status, headers)
