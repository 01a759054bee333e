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
    twenty as they are; a comment now and then keeps the line open. 503 where too many listen already.

A job is ``{"id", "kind", "title", "state", "done", "of", "stage", "queued", "started", "ended", "attempts",
"attemptsMost", "reason", "cancelAsked", "canCancel", "canRetry"}``: ``title``, ``stage`` and ``reason`` are sentences in
the language asked for (``reason`` null where there is none), ``of`` is null where it is not known how much there is,
``queued``, ``started`` and ``ended`` are ISO instants in the record's time zone, or null.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from xinglin.apps.api.jobs_events import Events, Stream
from xinglin.apps.errors import AppError
from xinglin.apps.worker import view
from xinglin.jobs.model import STATES, Job, State

if TYPE_CHECKING:
    from xinglin.jobs import Queue
    from xinglin.records.site import Site

PAGE: Final = 50
PAGE_MOST: Final = 500


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
        self._events = Events(site)

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
            brief=True,
        )
        page = jobs[:limit]
        return _json(
            {
                "jobs": [self._say(job, request) for job in page],
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
        return _json(self._say(job, request))

    def log(self, request: Request) -> Response:
        """See the module."""
        lines = self._queue.log(request.path_params["id"], request.state.actor.tenant)
        zone = self._site.records.zone(request.state.actor.tenant)
        return _json({"lines": [view.line(each, request.state.language, zone) for each in lines]})

    def cancel(self, request: Request) -> Response:
        """See the module."""
        job = self._queue.cancel(request.path_params["id"], request.state.actor.tenant)
        return _json(self._say(job, request))

    def retry(self, request: Request) -> Response:
        """See the module."""
        job = self._queue.retry(request.path_params["id"], request.state.actor.tenant)
        return _json(self._say(job, request))

    async def events(self, request: Request) -> Response:
        """See the module."""
        self._events.check()
        actor, language = request.state.actor, request.state.language
        return Stream(self._events.told(self._queue, actor.tenant, _shown(request), language))

    def _say(self, job: Job, request: Request) -> dict[str, Any]:
        zone = self._site.records.zone(request.state.actor.tenant)
        return view.shown(self._queue, job, request.state.language, zone)


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
