"""``xinglin feed``: what was written, as NDJSON; and how far those who follow it are."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from xinglin.apps.backend import Embedded, dumps, open_backend
from xinglin.apps.cli.grammar import Asked
from xinglin.apps.cli.output import print_json, print_table
from xinglin.apps.errors import UsageError
from xinglin.apps.following import changes, consumers, shown
from xinglin.kernel.language import Language, say
from xinglin.kernel.settings import Loaded

if TYPE_CHECKING:
    from xinglin.apps.backend import Backend
    from xinglin.records.feed import Consumers


def run(asked: Asked, loaded: Loaded, language: Language) -> int:
    """Print changes, or the consumers, or have what is parked tried again."""
    after = _position(asked.options["after"])
    types = [_known(name) for name in asked.options["type"] or ()]
    backend = open_backend(loaded.settings, create=False, language=language)
    try:
        if asked.options["again"] is not None:
            return _again(backend, asked.options["again"], language, as_json=bool(asked.options["json"]))
        if asked.options["consumers"]:
            return _consumers(backend, language, as_json=bool(asked.options["json"]))
        epoch = asked.options["epoch"] or ""
        for change in changes(backend, after, types, follow=bool(asked.options["follow"]), epoch=epoch):
            sys.stdout.write(dumps(shown(change)).decode() + "\n")
            if asked.options["follow"]:
                sys.stdout.flush()
    finally:
        backend.close()
    return 0


def _position(given: str | None) -> int:
    if given is None:
        return 0
    if not (given.isascii() and given.isdigit() and len(given) < 19):
        raise UsageError("apps.cli-number-least", option="--after", given=given, least=0)
    return int(given)


def _known(name: str) -> str:
    from xinglin.apps.cli.searching import _known_type

    return _known_type(name)


def _all(backend: Embedded) -> Consumers:
    from xinglin.apps.assemble import gathered
    from xinglin.records.feed import Consumers
    from xinglin.records.site import Site

    site = Site(backend.records, backend.records.settings)
    return Consumers(site, gathered(site, "consumers"))


def _again(backend: Backend, name: str, language: Language, *, as_json: bool) -> int:
    if not isinstance(backend, Embedded):
        raise UsageError("apps.feed-remote")
    count = _all(backend).retry(name)
    if as_json:
        print_json({"consumer": name, "lanes": count})
    else:
        print(say("apps.feed-again", language, name=name, count=count))
    return 0


def _consumers(backend: Backend, language: Language, *, as_json: bool) -> int:
    found = _found(backend, language) if isinstance(backend, Embedded) else consumers(backend)
    if as_json:
        print_json(found)
        return 0
    print(say("apps.feed-position", language, position=found["position"]))
    head = [
        say(f"apps.feed-head-{name}", language) for name in ("name", "commits", "seconds", "parked", "led")
    ]
    rows = [
        [name, str(lag["commits"]), str(lag["seconds"]), str(lag["parked"]), _led(lag, language)]
        for name, lag in found["consumers"].items()
    ]
    print_table([head, *rows])
    for name, lag in found["consumers"].items():
        for lane in lag.get("lanes", ()):
            print(say("apps.feed-parked", language, name=name, **lane))
    return 0


def _led(lag: dict[str, Any], language: Language) -> str:
    return lag["reason"] or say("apps.feed-led" if lag["led"] else "apps.feed-not-led", language)


def _found(backend: Embedded, language: Language) -> dict[str, Any]:
    from xinglin.records.feed.follow import reason_of

    ours = _all(backend)
    found: dict[str, Any] = {}
    for name, lag in sorted(ours.lag().items()):
        lanes = []
        for lane, waiting in ours.parked(name) if lag.parked else ():
            reason = reason_of(lane.reason)
            if lane.parked and waiting and reason is not None:
                first = waiting[0]
                lanes.append(
                    {
                        "lane": lane.lane,
                        "position": first.position,
                        "change": f"{first.type}/{first.id}/_history/{first.version}",
                        "attempts": lane.attempts,
                        "reason": say(reason[0], language, **reason[1]),
                    }
                )
        found[name] = {
            "commits": lag.commits,
            "seconds": round(lag.seconds, 3),
            "parked": lag.parked,
            "led": lag.led,
            "reason": None if lag.reason is None else say(lag.reason[0], language, **lag.reason[1]),
            "lanes": lanes,
        }
    return {"position": ours.feed.last(), "epoch": ours.feed.epoch(), "consumers": found}
