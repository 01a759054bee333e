"""``/api/feed``: the change feed as server-sent events, and how far its followers are.

GET /api/feed?after=POSITION&epoch=EPOCH&type=Observation&type=Patient
    With ``epoch`` (empty: not known yet) first ``event: hello``, ``data: {"epoch", "position"}``: in which of its lives the
    record is, and where this begins. One event a change: ``event: change``, ``data: {"position", "at", "type",
    "id", "version", "method", "patient"}``; ids only.
    ``id:`` is the position, on the last change of each commit: a browser that reconnects sends it as
    ``Last-Event-ID`` and goes on there; nothing is missed, and a commit of several changes that was cut comes once more
    whole. Without ``after`` and ``Last-Event-ID`` it begins now. A comment each 15 s shows that it lives.
GET /api/feed/page?after=POSITION&epoch=EPOCH&type=Observation&limit=1000
    What there is after a position, at once: ``{"changes": […], "position": to go on from, "epoch"}``; whole commits.
409 by either where the position is of before a restore, or of another record: see `Feed.check`.
GET /api/feed/consumers
    How far each consumer is behind: ``{"position", "epoch", "consumers": {name: lag}}``, a lag ``{"commits", "seconds",
    "parked", "led", "reason"}``.

Source: HTML Living Standard, server-sent events.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Final

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from xinglin.apps.api.beats import Beats, until
from xinglin.apps.api.leaving import leaving
from xinglin.apps.api.socket import websocket_routes
from xinglin.apps.following import shown
from xinglin.kernel.database import Unavailable
from xinglin.kernel.language import say
from xinglin.records.feed import Feed, Lag
from xinglin.records.feed.errors import BadPosition
from xinglin.records.stored import Change
from xinglin.standards.fhir.search.names import RESOURCE_TYPES
from xinglin.trust import Actor

if TYPE_CHECKING:
    from xinglin.kernel.language import Language
    from xinglin.records.site import Site

AT_ONCE: Final = 500
"""Changes read for one follower at a time: all of them are sent before more are read, so a slow one costs no memory."""
QUIET_S: Final = 15.0
SLOW_S: Final = 60.0
"""A follower that takes nothing for so long is let go; it goes on from where it was when it comes again."""
GATHER_S: Final = 0.005
FOLLOWERS_MOST: Final = 500
POSITION_MOST: Final = 2**62
EPOCH_MOST: Final = 64


def routes(site: Site) -> list[BaseRoute]:
    """The addresses below ``/api``, the web socket of Subscriptions among them."""
    beats = Beats(site.records.database)
    here = FeedRoutes(site, beats)
    return [
        Route("/feed", here.follow),
        Route("/feed/page", here.page),
        Route("/feed/consumers", here.consumers),
        *websocket_routes(site, beats),
    ]


class FeedRoutes:
    """The handlers."""

    def __init__(self, site: Site, beats: Beats) -> None:
        self._feed = Feed(site.records)
        self._beats = beats
        self._following = 0

    async def follow(self, request: Request) -> Response:
        """See the module."""
        given = request.headers.get("last-event-id") or request.query_params.get("after")
        types = _types(request)
        if self._following >= FOLLOWERS_MOST:
            raise Unavailable("records.feed-followers", most=FOLLOWERS_MOST)
        if given is None:
            after = await run_in_threadpool(self._feed.last)
            epoch = await run_in_threadpool(self._feed.epoch)
        else:
            after = position(given)
            epoch = await run_in_threadpool(self._check, after, request)
        asked = "epoch" in request.query_params
        return Stream(self, request.state.actor, after, types, epoch if asked else None)

    def page(self, request: Request) -> Response:
        """See the module."""
        asked = request.query_params
        limit = min(max(1, position(asked.get("limit", "1000"))), 10_000)
        after = position(asked.get("after", "0"))
        epoch = self._check(after, request)
        changes, reached = self._feed.read(request.state.actor, after, limit, _types(request))
        return _json({"changes": [shown(change) for change in changes], "position": reached, "epoch": epoch})

    def _check(self, after: int, request: Request) -> str:
        """The record's epoch. Raises OtherHistory."""
        self._feed.check(after, request.query_params.get("epoch", "")[:EPOCH_MOST])
        return self._feed.epoch()

    def consumers(self, request: Request) -> Response:
        """See the module."""
        found = {
            name: lag_shown(lag, request.state.language) for name, lag in sorted(self._feed.lag().items())
        }
        return _json({"position": self._feed.last(), "epoch": self._feed.epoch(), "consumers": found})

    async def send_all(self, stream: Stream, send: Send) -> None:
        """Send to one follower until it or the server goes."""
        gone = leaving()
        await self._beats.ready()
        heard = self._beats.join()
        self._following += 1
        after, sent_s = stream.after, time.monotonic()
        try:
            await _write(send, b": following\n\n")
            if stream.epoch is not None:
                hello = msgspec.json.encode({"epoch": stream.epoch, "position": after})
                await _write(send, b"event: hello\ndata: %s\n\n" % hello)
            while not gone.is_set():
                heard.clear()
                try:
                    changes, reached = await run_in_threadpool(
                        self._feed.read, stream.actor, after, AT_ONCE, stream.types
                    )
                except Unavailable:
                    changes, reached = [], after  # it is tried again, and the follower stays
                moved, after = reached != after, reached
                if changes:
                    await _write(send, events(changes))
                    sent_s = time.monotonic()
                elif time.monotonic() - sent_s >= QUIET_S:
                    await _write(send, b"id: %d\n: here\n\n" % after)
                    sent_s = time.monotonic()
                if not moved:
                    await until(heard, QUIET_S)
                    await asyncio.sleep(GATHER_S)  # what is committed close together is read together
        finally:
            self._following -= 1
            self._beats.leave(heard)


class Stream(Response):
    """The answer: it is written as long as the follower reads."""

    def __init__(
        self, feed: FeedRoutes, actor: Actor, after: int, types: frozenset[str], epoch: str | None
    ) -> None:
        super().__init__(
            media_type="text/event-stream", headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        )
        del self.headers["content-length"]
        self.actor = actor
        self.after = after
        self.types = types
        self.epoch = epoch
        self._feed = feed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        if scope["method"] == "HEAD":
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            return
        sending = asyncio.ensure_future(self._feed.send_all(self, send))
        leaves = asyncio.ensure_future(_left(receive))
        try:
            await asyncio.wait([sending, leaves], return_when=asyncio.FIRST_COMPLETED)
            if sending.done() and sending.exception() is None:
                await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            for task in (sending, leaves):
                task.cancel()
            await asyncio.gather(sending, leaves, return_exceptions=True)


def _json(value: dict[str, Any]) -> Response:
    return Response(
        msgspec.json.encode(value), media_type="application/json", headers={"Cache-Control": "no-store"}
    )


def _types(request: Request) -> frozenset[str]:
    """The types asked for, empty for all. Raises BadPosition."""
    types = frozenset(request.query_params.getlist("type"))
    if not types <= RESOURCE_TYPES:
        raise BadPosition("records.feed-type", expression="http.type")
    return types


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _write(send: Send, body: bytes) -> None:
    """Raises TimeoutError for a follower that does not read."""
    async with asyncio.timeout(SLOW_S):
        await send({"type": "http.response.body", "body": body, "more_body": True})


def events(changes: list[Change]) -> bytes:
    """Changes of whole commits as server-sent events."""
    parts = []
    for place, change in enumerate(changes):
        last = place + 1 == len(changes) or changes[place + 1].position != change.position
        mark = b"id: %d\n" % change.position if last else b""
        parts.append(b"%sevent: change\ndata: %s\n\n" % (mark, msgspec.json.encode(shown(change))))
    return b"".join(parts)


def position(given: str) -> int:
    """A position of the feed as text. Raises BadPosition."""
    if given.isascii() and given.isdigit() and len(given) < 20 and int(given) < POSITION_MOST:
        return int(given)
    raise BadPosition("records.feed-position", expression="http.after")


def lag_shown(lag: Lag, language: Language) -> dict[str, Any]:
    """How far one consumer is behind, with its reason in words."""
    reason = None if lag.reason is None else say(lag.reason[0], language, **lag.reason[1])
    return {
        "commits": lag.commits, "seconds": round(lag.seconds, 3), "parked": lag.parked, "led": lag.led, "reason": reason,
    }  # fmt: skip
