"""``/api/jobs``: the queue of the asker's tenant.

``GET /api/jobs?state=&kind=&shown=1&limit=&after=``
    ``{"jobs": [job…], "counts": {state: n}, "next": cursor | null}``, newest first; ``state`` may repeat. ``after`` is the
    ``next`` of the page before.
``GET /api/jobs/counts``
    ``{"counts": {state: n}, "waiting": n, "waitingSeconds": s, "workers": n}``: all of the tenant; due jobs that no
    worker has taken, how long the oldest has waited, and workers alive, over the whole installation.
``GET /api/jobs/{id}``, ``GET /api/jobs/{id}/log``
    One job; ``{"lines": [{"at", "level", "text"}…]}``.
``POST /api/jobs/{id}/cancel``, ``POST /api/jobs/{id}/retry``
    The job as it is then; 409 where it is in no state for that.
``GET /api/jobs/events?shown=1``
    Server-sent events: ``event: job`` with one job as data for each that is new or has changed since, first the newest
    twenty as they are; a comment now and then keeps the line open.

A job is ``{"id", "kind", "title", "state", "done", "of", "stage", "queued", "started", "ended", "attempts",
"attemptsMost", "reason", "cancelAsked", "canCancel", "canRetry"}``: ``title``, ``stage`` and ``reason`` are sentences in
the language asked for (``reason`` null where there is none), ``of`` is null where it is not known how much there is,
``queued``, ``started`` and ``ended`` are ISO instants or null.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from xinglin.apps.api.leaving import leaving
from xinglin.apps.errors import AppError
from xinglin.apps.worker import view
from xinglin.jobs.model import STATES, Job, State
from xinglin.kernel.language import Language

if TYPE_CHECKING:
    from xinglin.jobs import Queue
    from xinglin.records.site import Site

PAGE: Final = 50
PAGE_MOST: Final = 500
FIRST: Final = 20
WATCHED: Final = 100
"""Events follow this many of the newest jobs, and this many of those that have not ended."""
PAUSE_S: Final = 0.5
QUIET_S: Final = 15.0


def routes(site: Site) -> list[BaseRoute]:
    """The addresses below ``/api``."""
    here = Jobs(site)
    return [
        Route("/jobs", here.page),
        Route("/jobs/counts", here.counts),
        Route("/jobs/events", here.events),
        Route("/jobs/{id}", here.one),
        Route("/jobs/{id}/log", here.log),
        Route("/jobs/{id}/cancel", here.cancel, methods=["POST"]),
        Route("/jobs/{id}/retry", here.retry, methods=["POST"]),
    ]


class Jobs:
    """The handlers; those that are plain functions run in a thread of the web framework."""

    def __init__(self, site: Site) -> None:
        self._site = site

    @cached_property
    def _queue(self) -> Queue:
        from xinglin.apps.assemble import gathered

        self._site.queue.know(gathered(self._site, "jobs"))
        return self._site.queue

    def page(self, request: Request) -> Response:
        """See the module."""
        tenant = request.state.actor.tenant
        asked = request.query_params
        limit = _limit(asked.get("limit"))
        after = asked.get("after")
        jobs = self._queue.list(
            tenant,
            states=_states(asked.getlist("state")),
            kind=asked.get("kind"),
            shown=_shown(request),
            before=self._queue.get(after, tenant=tenant).seq if after else None,
            limit=limit + 1,
        )
        page = jobs[:limit]
        return _json(
            {
                "jobs": [view.shown(self._queue, job, request.state.language) for job in page],
                "counts": self._queue.counts(tenant),
                "next": page[-1].id if len(jobs) > limit else None,
            }
        )

    def counts(self, request: Request) -> Response:
        """See the module."""
        waiting, seconds = self._queue.waiting()
        return _json(
            {
                "counts": self._queue.counts(request.state.actor.tenant),
                "waiting": waiting,
                "waitingSeconds": round(seconds, 3),
                "workers": len(self._queue.workers()),
            }
        )

    def one(self, request: Request) -> Response:
        """See the module."""
        job = self._queue.get(request.path_params["id"], tenant=request.state.actor.tenant)
        return _json(view.shown(self._queue, job, request.state.language))

    def log(self, request: Request) -> Response:
        """See the module."""
        lines = self._queue.log(request.path_params["id"], request.state.actor.tenant)
        return _json({"lines": [view.line(each, request.state.language) for each in lines]})

    def cancel(self, request: Request) -> Response:
        """See the module."""
        job = self._queue.cancel(request.path_params["id"], request.state.actor.tenant)
        return _json(view.shown(self._queue, job, request.state.language))

    def retry(self, request: Request) -> Response:
        """See the module."""
        job = self._queue.retry(request.path_params["id"], request.state.actor.tenant)
        return _json(view.shown(self._queue, job, request.state.language))

    async def events(self, request: Request) -> Response:
        """See the module."""
        told = self._told(request.state.actor.tenant, _shown(request), request.state.language)
        return StreamingResponse(
            told,
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )

    async def _told(self, tenant: int, shown: bool | None, language: Language) -> AsyncIterator[bytes]:
        """The text of the stream, until the asker or the server goes."""
        gone = leaving()
        known: dict[str, Job] | None = None
        quiet_s = 0.0
        while not gone.is_set():
            seen = await run_in_threadpool(self._watched, tenant, shown)
            if known is None:
                newest = sorted(seen.values(), key=lambda job: -job.seq)[:FIRST]
                changed = newest[::-1]
            else:
                changed = [job for id_, job in seen.items() if known.get(id_) != job]
                # What is no longer among those watched may have changed as it went.
                for id_ in known.keys() - seen.keys():
                    if not known[id_].ended:
                        changed += await run_in_threadpool(self._lost, tenant, id_)
            known = seen
            for job in changed:
                yield b"event: job\ndata: %s\n\n" % msgspec.json.encode(
                    view.shown(self._queue, job, language)
                )
            quiet_s = 0.0 if changed else quiet_s + PAUSE_S
            if quiet_s >= QUIET_S:
                quiet_s = 0.0
                yield b": still here\n\n"
            try:
                await asyncio.wait_for(gone.wait(), PAUSE_S)
            except TimeoutError:
                continue

    def _watched(self, tenant: int, shown: bool | None) -> dict[str, Job]:
        newest = self._queue.list(tenant, shown=shown, limit=WATCHED)
        under_way = self._queue.under_way(tenant, shown=shown, limit=WATCHED)
        return {job.id: job for job in sorted((*newest, *under_way), key=lambda job: job.seq)}

    def _lost(self, tenant: int, id_: str) -> list[Job]:
        return self._queue.find(id_, tenant)


def _json(value: Any) -> Response:
    return Response(
        msgspec.json.encode(value), media_type="application/json", headers={"Cache-Control": "no-store"}
    )


def _limit(given: str | None) -> int:
    if given is None:
        return PAGE
    if not given.isascii() or not given.isdigit() or not 1 <= int(given) <= PAGE_MOST:
        raise AppError("apps.jobs-limit", given=given[:40], most=PAGE_MOST)
    return int(given)


def _states(given: list[str]) -> list[State]:
    for state in given:
        if state not in STATES:
            raise AppError("apps.jobs-state", state=state[:40])
    return [state for state in STATES if state in given]


def _shown(request: Request) -> bool | None:
    return True if request.query_params.get("shown") in ("1", "true") else None
