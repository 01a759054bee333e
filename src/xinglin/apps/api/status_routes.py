"""``/api/status``: what an operator wants to see at a glance.

``GET /api/status``
    ``{"version", "now", "database", "feed": {"position", "consumers": [{"name", "commits", "seconds", "parked", "led",
    "reason"}]}, "jobs": {"counts", "waiting", "waitingSeconds", "workers"}, "backup": {"folder", "newest", "rehearsed",
    "well", "reason"}}``. ``newest`` and ``rehearsed`` are ISO instants in the record's time zone, or null; ``reason`` is a
    sentence where backups cannot be looked at, or none are asked for.
``GET /api/status/checks``
    ``{"checks": [{"name", "level", "message"}]}``: what ``xinglin doctor`` finds, looked at once a minute at most.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from xinglin.apps.worker.view import instant_text
from xinglin.kernel.clock import now_us
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.language import Language, say
from xinglin.kernel.settings import redacted
from xinglin.records.feed import Feed

if TYPE_CHECKING:
    from collections.abc import Callable

    from xinglin.apps.doctor import Finding
    from xinglin.records.site import Site

KEPT_S: Final = 60.0
"""How long what is costly to look at (the doctor's findings, a store of backups far away) is taken to hold."""


def routes(site: Site) -> list[BaseRoute]:
    """The addresses of this module."""
    here = StatusRoutes(site)
    return [Route("/status", here.status), Route("/status/checks", here.checks)]


class StatusRoutes:
    """Answers from the queue, the feed and the backups of one site."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._feed = Feed(site.records)
        self._findings = _Kept(self._examine)
        self._backup = _Kept(self._look_for_backups)

    def status(self, request: Request) -> Response:
        """See the module."""
        from xinglin import __version__

        language: Language = request.state.language
        queue = self._site.queue
        waiting, seconds = queue.waiting()
        consumers = [
            {
                "name": name,
                "commits": lag.commits,
                "seconds": round(lag.seconds, 3),
                "parked": lag.parked,
                "led": lag.led,
                "reason": None if lag.reason is None else _sentence(lag.reason, language),
            }
            for name, lag in sorted(self._feed.lag().items())
        ]
        backup = dict(self._backup.value())
        if isinstance(backup["reason"], XinglinError):
            backup["reason"] = backup["reason"].say(language)
        return _json(
            {
                "version": __version__,
                "now": instant_text(now_us(), self._site.records.zone()),
                "database": redacted(self._site.settings.database_url),
                "feed": {"position": self._feed.last(), "consumers": consumers},
                "jobs": {
                    "counts": queue.counts(request.state.actor.tenant),
                    "waiting": waiting,
                    "waitingSeconds": round(seconds, 3),
                    "workers": len(queue.workers()),
                },
                "backup": backup,
            }
        )

    def checks(self, request: Request) -> Response:
        """See the module."""
        language: Language = request.state.language
        found: list[Finding] = self._findings.value()
        return _json(
            {"checks": [{"name": f.name, "level": f.level, "message": f.say(language)} for f in found]}
        )

    def _examine(self) -> list[Finding]:
        from xinglin.apps.doctor import examine

        return examine(self._site.settings)

    def _look_for_backups(self) -> dict[str, Any]:
        from xinglin.apps.backup.keeping import backups
        from xinglin.apps.backup.place import open_place

        folder = self._site.settings.backup_folder
        shown: dict[str, Any] = {
            "folder": redacted(folder) if folder else None,
            "newest": None,
            "rehearsed": None,
            "well": None,
            "reason": None,
        }
        if not folder:
            return shown
        try:
            newest = next(iter(backups(open_place(self._site.settings))), None)
        except XinglinError as error:
            return shown | {"reason": error}
        if newest is None:
            return shown
        zone, rehearsed = self._site.records.zone(), newest.rehearsed or {}
        return shown | {
            "newest": instant_text(newest.manifest.made_us, zone),
            "rehearsed": instant_text(rehearsed.get("at_us"), zone),
            "well": rehearsed.get("well"),
        }


class _Kept:
    """A value looked at once in `KEPT_S`, by one asker while others wait."""

    def __init__(self, look: Callable[[], Any]) -> None:
        self._look = look
        self._lock = threading.Lock()
        self._value: Any = None
        self._until_s = 0.0

    def value(self) -> Any:
        with self._lock:
            if time.monotonic() >= self._until_s:
                self._value = self._look()
                self._until_s = time.monotonic() + KEPT_S
            return self._value


def _sentence(reason: tuple[str, dict[str, str]], language: Language) -> str:
    try:
        return say(reason[0], language, **reason[1])
    except (KeyError, IndexError, ValueError, ModuleNotFoundError, FileNotFoundError):
        return reason[0]


def _json(value: Any) -> Response:
    return Response(
        msgspec.json.encode(value), media_type="application/json", headers={"Cache-Control": "no-store"}
    )
