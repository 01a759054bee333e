"""``/api/websocket``: the web-socket channel of R4 Subscriptions.

The client sends ``bind [id]`` of a Subscription whose channel is ``websocket``; the server answers ``bound [id]`` and sends
``ping [id]`` whenever something matched since; several matches close together are one ping. ``error [id] …`` says why an id
cannot be bound, ``unbound [id]`` that its Subscription is no longer kept up.

Source: HL7 FHIR R4, subscription.html, "Websocket".
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.routing import BaseRoute, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from xinglin.apps.api.beats import Beats, until
from xinglin.apps.api.leaving import leaving
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.language import say
from xinglin.records.prepared import ID
from xinglin.records.subscriptions import repository
from xinglin.records.subscriptions.definition import LIVE
from xinglin.records.subscriptions.repository import Key

if TYPE_CHECKING:
    from xinglin.records.site import Site
    from xinglin.trust import Actor

BOUND_MOST: Final = 100
SOCKETS_MOST: Final = 500
LOOK_S: Final = 15.0


def websocket_routes(site: Site, beats: Beats) -> list[BaseRoute]:
    """The address below ``/api``."""
    sockets = Sockets(site, beats)
    return [WebSocketRoute("/websocket", sockets.serve)]


class Sockets:
    """Every open socket of this process."""

    def __init__(self, site: Site, beats: Beats) -> None:
        self._records = site.records
        self._beats = beats
        self._open = 0
        self._looking = asyncio.Lock()
        self._looked_s = 0.0
        self._matched: dict[Key, int] = {}

    async def serve(self, socket: WebSocket) -> None:
        """Serve one socket until its end."""
        if self._open >= SOCKETS_MOST:
            await socket.close(1013)  # try again later
            return
        self._open += 1
        try:
            await socket.accept()
            await self._serve(socket)
        finally:
            self._open -= 1

    async def _serve(self, socket: WebSocket) -> None:
        bound: dict[str, int | None] = {}
        await self._beats.ready()
        heard = self._beats.join()
        reading = asyncio.ensure_future(self._read(socket, bound, heard))
        telling = asyncio.ensure_future(self._tell(socket, bound, heard))
        try:
            await asyncio.wait([reading, telling], return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._beats.leave(heard)
            for task in (reading, telling):
                task.cancel()
            await asyncio.gather(reading, telling, return_exceptions=True)
            with suppress(RuntimeError, WebSocketDisconnect):
                await socket.close(1012 if leaving().is_set() else 1000)

    async def _read(self, socket: WebSocket, bound: dict[str, int | None], heard: asyncio.Event) -> None:
        with suppress(WebSocketDisconnect):
            while (message := await socket.receive())["type"] == "websocket.receive":
                word, _, id_ = (
                    (message.get("text") or "").strip().partition(" ")
                )  # a binary message has no text
                id_ = id_.strip()
                if word != "bind" or not ID.fullmatch(id_) or (len(bound) >= BOUND_MOST and id_ not in bound):
                    await socket.send_text(f"error {say('records.subscription-bind', socket.state.language)}")
                    continue
                try:
                    await run_in_threadpool(self._check, socket.state.actor, id_)
                except XinglinError as error:
                    await socket.send_text(f"error {id_} {error.say(socket.state.language)}")
                    continue
                matched = await self._states()
                bound[id_] = matched.get((socket.state.actor.tenant, id_))
                await socket.send_text(f"bound {id_}")
                heard.set()

    def _check(self, actor: Actor, id_: str) -> None:
        stored = self._records.read(actor, "Subscription", id_)
        resource = msgspec.json.decode(stored.body)
        if resource["channel"].get("type") != "websocket" or resource.get("status") not in LIVE:
            raise XinglinError("records.subscription-not-socket")

    async def _tell(self, socket: WebSocket, bound: dict[str, int | None], heard: asyncio.Event) -> None:
        tenant = socket.state.actor.tenant
        gone = leaving()
        while not gone.is_set():
            heard.clear()
            if bound:
                matched = await self._states()
                for id_, seen in list(bound.items()):
                    now = matched.get((tenant, id_))
                    if now is None and seen is not None:
                        del bound[id_]
                        await socket.send_text(f"unbound {id_}")
                    elif now is not None and now != seen:
                        bound[id_] = now
                        if now > (seen or 0):
                            await socket.send_text(f"ping {id_}")
            await until(heard, LOOK_S)

    async def _states(self) -> dict[Key, int]:
        """The newest position that each Subscription matched; one look, begun now or later, for all who ask meanwhile."""
        asked_s = time.monotonic()
        async with self._looking:
            if self._looked_s < asked_s:
                began_s = time.monotonic()
                with suppress(XinglinError):  # away: the next look finds what moved
                    self._matched = await run_in_threadpool(self._look)
                    self._looked_s = began_s
            return self._matched

    def _look(self) -> dict[Key, int]:
        with self._records.database.read(snapshot=False) as connection:
            return {state.key: state.matched for state in repository.states(connection)}
