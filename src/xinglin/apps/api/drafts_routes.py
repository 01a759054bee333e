"""``/api/drafts``: machine proposals that wait for a clinician.

``GET /api/drafts?patient=&state=open&count=&after=``
    ``{"drafts": [draft…], "next": cursor | null}``, newest first. ``state``: open, accepted, amended, rejected, superseded,
    withdrawn, bypassed; changed: those to look at again, since their grounds have changed or nobody decided on them.
``GET /api/drafts/feedback?model=&since=&count=``
    ``{"decisions": [{"draft", "model", "version", "decision", "by", "at", "latencySeconds", "code", "changed"}…]}``, newest
    first: what became of a model's drafts.
``GET /api/drafts/reasons``
    ``{"reasons": [{"code", "text"}…]}``: why a draft may be rejected.
``GET /api/drafts/{type}/{id}``
    One draft, in whatever state.

A draft is what `xinglin.drafts.view.shown` says. Decisions are FHIR operations: ``POST /fhir/{type}/{id}/$accept`` …
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from xinglin.apps.errors import AppError
from xinglin.drafts import guard
from xinglin.drafts.deciding import REJECTIONS
from xinglin.drafts.exact import dumps
from xinglin.drafts.feedback import told
from xinglin.drafts.parts import DECIDED
from xinglin.drafts.service import MOST_SHOWN, Drafts
from xinglin.drafts.view import shown
from xinglin.kernel.language import say

if TYPE_CHECKING:
    from xinglin.records.site import Site

PAGE: Final = 50
FEEDBACK_MOST: Final = 1000


class BadQuestion(AppError):
    """A parameter of the address is not what it must be."""

    status = 400
    issue = "value"


def routes(site: Site) -> list[BaseRoute]:
    """The addresses below ``/api``."""
    guard.attach(site.records)  # whoever opened it: no server writes past a decision
    here = Pages(site)
    return [
        Route("/drafts", here.page),
        Route("/drafts/feedback", here.feedback),
        Route("/drafts/reasons", here.reasons),
        Route("/drafts/{type}/{id}", here.one),
    ]


class Pages:
    """The handlers: plain functions, which the web framework runs in a thread."""

    def __init__(self, site: Site) -> None:
        self._drafts = Drafts(site.records)

    def page(self, request: Request) -> Response:
        """See the module."""
        asked, actor = request.query_params, request.state.actor
        state = asked.get("state", "open")
        if state not in ("open", "changed", *DECIDED):
            raise BadQuestion("apps.drafts-state", state=state[:40])
        page = self._drafts.open(
            actor,
            patient=asked.get("patient"),
            state=state,
            count=_count(request, PAGE, MOST_SHOWN),
            cursor=asked.get("after"),
        )
        drafts = [shown(self._drafts, actor, one, request.state.language) for one in page.drafts]
        return _json({"drafts": drafts, "next": page.next})

    def one(self, request: Request) -> Response:
        """See the module."""
        actor = request.state.actor
        found = self._drafts.show(actor, "{type}/{id}".format(**request.path_params))
        return _json(shown(self._drafts, actor, found, request.state.language))

    def feedback(self, request: Request) -> Response:
        """See the module."""
        asked = request.query_params
        found = self._drafts.feedback(request.state.actor, asked.get("model"), asked.get("since"))
        count = _count(request, PAGE, FEEDBACK_MOST)
        return _json({"decisions": [told(one) for one in islice(found, count)]})

    def reasons(self, request: Request) -> Response:
        """See the module."""
        language = request.state.language
        texts = [{"code": code, "text": say(f"drafts.reject-{code}", language)} for code in REJECTIONS]
        return _json({"reasons": texts})


def _count(request: Request, usual: int, most: int) -> int:
    given = request.query_params.get("count")
    if given is None:
        return usual
    if not (given.isascii() and given.isdigit() and 1 <= int(given) <= most):
        raise BadQuestion("apps.drafts-count", given=given[:20], most=most)
    return int(given)


def _json(value: Any) -> Response:
    return Response(
        dumps(value), media_type="application/json", headers={"cache-control": "private, no-store"}
    )
