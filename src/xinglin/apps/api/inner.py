"""``/api``: what the pages and scripts ask beside FHIR. Guarded like ``/fhir``; every error an OperationOutcome.

Routes come from the capabilities (``Capability.routes``), each a function of one Site. A handler finds its actor in
``request.state.actor`` and the language to answer in in ``request.state.language``; it raises XinglinError.
"""

from __future__ import annotations

import secrets

from starlette.applications import Starlette
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from xinglin.apps.api.endpoint import plainly
from xinglin.apps.api.guard import Guard
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.language import choose
from xinglin.kernel.log import logger
from xinglin.kernel.settings import Settings
from xinglin.records.api import Api
from xinglin.records.rest.exchange import Answer
from xinglin.trust import Actor


def inner(routes: list[BaseRoute], api: Api, settings: Settings, guard: Guard, actor: Actor) -> ASGIApp:
    """The application below ``/api`` (and the web sockets there)."""

    async def refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, XinglinError)
        return _response(api.refuse(error, request.state.language))

    async def unexpected(request: Request, error: Exception) -> Response:
        id_ = secrets.token_hex(8)
        logger("api").error("unexpected", request=id_, kind=type(error).__name__)
        return _response(plainly(500, "exception", "rest-unexpected", request.state.language, request=id_))

    app = Starlette(
        routes=routes, exception_handlers={XinglinError: refused, 500: unexpected, Exception: unexpected}
    )
    return _Guarded(app, settings, guard, actor)


class _Guarded:
    """Lets in whom `Guard` lets in, and notes who asks and in which language."""

    def __init__(self, app: ASGIApp, settings: Settings, guard: Guard, actor: Actor) -> None:
        self._app = app
        self._settings = settings
        self._guard = guard
        self._actor = actor

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = HTTPConnection(scope).headers
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
            scope.setdefault("state", {}).update(actor=self._actor, language=chosen, base=base)
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            await _response(refusal)(scope, receive, send)


def _response(answer: Answer) -> Response:
    headers = {name.decode(): value.decode("latin-1") for name, value in answer.headers}
    return Response(answer.body, answer.status, headers)
