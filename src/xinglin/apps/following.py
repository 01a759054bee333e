"""Following the change feed of a record, an open one or one on a server."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import msgspec

from xinglin.apps.backend import Embedded
from xinglin.apps.errors import RemoteError
from xinglin.records.stored import Change, instant
from xinglin.trust import local_system

if TYPE_CHECKING:
    from xinglin.apps.backend import Backend
    from xinglin.apps.remote import Remote

SILENT_S: Final = 45.0
"""A server shows every 15 s that it lives."""
AGAIN_S: Final = 1.0
AWAY_S: Final = 60.0
_AWAY: Final = frozenset({429, 502, 503, 504})
"""What a server that is away for a moment answers, or a proxy in its place."""


def changes(
    backend: Backend, after: int, types: Collection[str], *, follow: bool, epoch: str = ""
) -> Iterator[Change]:
    """Changes after a position: those that are there, or with ``follow`` also what comes, for ever.

    Raises Unavailable or RemoteError where the record has not answered for a minute; OtherHistory (from a server: a
    RemoteError with its sentence) where the position is of before a restore, which ``epoch`` helps to tell.
    """
    if isinstance(backend, Embedded):
        yield from _embedded(backend, after, types, follow, epoch)
        return
    from xinglin.apps.remote import Remote

    assert isinstance(backend, Remote)
    position = after
    while True:
        page = _page(backend, position, types, epoch)
        epoch = page.get("epoch", "")
        yield from map(_change, page["changes"])
        if page["position"] == position:
            break
        position = page["position"]
    if follow:
        yield from _events(backend, position, types, epoch)


def epoch_of(backend: Backend) -> str:
    """In which of its lives the record is: another text after each restore."""
    if isinstance(backend, Embedded):
        from xinglin.records.feed import Feed

        return Feed(backend.records).epoch()
    from xinglin.apps.remote import Remote

    assert isinstance(backend, Remote)
    found: str = _page(backend, 0, ("Basic",), "", limit=1)["epoch"]
    return found


def consumers(remote: Backend) -> dict[str, Any]:
    """The position of a server's feed, and how far each of its consumers is behind."""
    from xinglin.apps.remote import Remote

    assert isinstance(remote, Remote)
    found: dict[str, Any] = msgspec.json.decode(remote.ask("GET", f"{_base(remote)}/consumers")[1])
    return found


def _embedded(
    backend: Embedded, after: int, types: Collection[str], follow: bool, epoch: str
) -> Iterator[Change]:
    from xinglin.records.feed import Feed

    feed = Feed(backend.records)
    actor = local_system()
    if follow:
        for found in feed.follow(actor, after, types=types, epoch=epoch):
            yield from found
        return
    feed.check(after, epoch)
    while True:
        found, reached = feed.read(actor, after, types=types)
        yield from found
        if reached == after:
            return
        after = reached


def _base(remote: Remote) -> str:
    return f"{remote.base.removesuffix('/fhir')}/api/feed"


def _page(
    remote: Remote, after: int, types: Collection[str], epoch: str, limit: int = 1000
) -> dict[str, Any]:
    asked = [*_asked(after, types, epoch), ("limit", str(limit))]
    found: dict[str, Any] = msgspec.json.decode(
        remote.ask("GET", f"{_base(remote)}/page?{urlencode(asked)}")[1]
    )
    return found


def _asked(after: int, types: Collection[str], epoch: str) -> list[tuple[str, str]]:
    return [("after", str(after)), ("epoch", epoch), *(("type", name) for name in types)]


def _events(remote: Remote, position: int, types: Collection[str], epoch: str) -> Iterator[Change]:
    """Server-sent events, begun again where the connection is lost."""
    away_since: float | None = None
    while True:
        asked = urlencode(_asked(position, types, epoch))
        request = Request(f"{_base(remote)}?{asked}", headers={"Accept": "text/event-stream"})  # noqa: S310
        try:
            with urlopen(request, timeout=SILENT_S) as answer:  # noqa: S310 http and https only
                away_since = None
                held: list[Change] = []
                mark: int | None = None
                event = b""
                for line in answer:
                    if line.startswith(b"event: "):
                        event = line[7:].strip()
                    elif line.startswith(b"id: "):
                        mark = int(line[4:])
                    elif line.startswith(b"data: ") and event == b"change":
                        held.append(_change(msgspec.json.decode(line[6:])))
                    elif line == b"\n" and mark is not None:
                        # Only whole commits are given on: what was cut comes again.
                        yield from held
                        held, position, mark = [], mark, None
        except HTTPError as error:
            with error:
                if error.code == 409:  # restored meanwhile: going on would pass over what that took away
                    from xinglin.apps.remote import _refused

                    raise _refused(error.code, error.read()) from None
                if error.code not in _AWAY:
                    raise RemoteError(
                        "apps.remote-unreachable", url=remote.base, answered=error.code
                    ) from None
        except (URLError, TimeoutError, ConnectionError, ValueError):
            pass
        away_since = away_since or time.monotonic()
        if time.monotonic() - away_since > AWAY_S:
            raise RemoteError("apps.remote-unreachable", url=remote.base)
        time.sleep(AGAIN_S)


def _change(sent: dict[str, Any]) -> Change:
    at_us = (datetime.fromisoformat(sent["at"]) - instant(0)) // timedelta(microseconds=1)
    return Change(
        sent["position"], at_us, 1, sent["type"], sent["id"], sent["version"], sent["method"], sent["patient"]
    )


def shown(change: Change) -> dict[str, Any]:
    """A change as it is printed and sent: ids only. ``patient`` null: of none; empty: of several."""
    return {
        "position": change.position,
        "at": instant(change.at_us).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "type": change.type,
        "id": change.id,
        "version": change.version,
        "method": change.method,
        "patient": change.patient,
    }
