"""Half an hour of everything at once, with kills: two servers and two workers on one PostgreSQL.

    ./run bench soak                            # 30 minutes
    XINGLIN_TEST_SOAK_MINUTES=2 ./run bench soak     # a short look

Writers, searchers, a follower of the feed, a subscriber and an exporter work without a pause, while every few seconds a
server or a worker, and now and then PostgreSQL itself, is killed with signal 9 and started again. Afterwards every
acknowledged write must be there, nothing doubled, the feed whole and in order, every delivery made, every export complete.
"""

from __future__ import annotations

import os
import random
import sys
import threading
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from soaking.house import House
from soaking.people import Exporter, Follower, Searcher, Subscriber, Writer

WRITERS, SEARCHERS = 3, 2
KILL_EVERY_S = 12.0
POSTGRES_EVERY = 12
"""Every so many kills it is PostgreSQL's turn."""
SETTLE_S = 120.0


def main() -> int:
    minutes = float(os.environ.get("XINGLIN_TEST_SOAK_MINUTES", "30"))
    house = House(servers=2, workers=2)
    stop = threading.Event()
    try:
        subscriber = Subscriber(house)
        writers = [Writer(house, number, stop) for number in range(WRITERS)]
        follower = Follower(house, stop)
        others = [*(Searcher(house, number, stop, writers) for number in range(SEARCHERS)), follower]
        exporter = Exporter(house, stop, writers)
        for one in (*writers, *others, exporter):
            one.start()
        kills = _torment(house, time.monotonic() + minutes * 60)
        for one in writers:
            one.finish()
        wrong = _settle(writers, follower, subscriber)
        stop.set()
        for one in (*others, exporter):
            one.join(60)
        wrong += [finding for one in (*writers, *others, exporter) for finding in one.wrong]
        for one in writers:
            wrong += one.verify()
        _report(minutes, kills, writers, others, follower, subscriber, exporter, wrong)
        return 1 if wrong else 0
    finally:
        stop.set()
        house.close()


def _torment(house: House, until: float) -> Counter[str]:
    """Kill and start again until the time is over; what was killed how often."""
    rng, kills = random.Random(1), Counter[str]()
    while time.monotonic() < until:
        time.sleep(min(rng.uniform(0.5, 1.5) * KILL_EVERY_S, max(until - time.monotonic(), 0)))
        number = kills.total() + 1
        what = "PostgreSQL" if number % POSTGRES_EVERY == 0 else rng.choice(("server", "worker"))
        house.kill(what, rng)
        kills[what] += 1
    return kills


def _settle(writers: list[Writer], follower: Follower, subscriber: Subscriber) -> list[str]:
    """Wait until feed and subscription have caught up; what is missing after that."""
    wanted = {name for writer in writers for name in writer.versions()}
    alarms = {name for writer in writers for name in writer.alarms()}
    until = time.monotonic() + SETTLE_S
    while time.monotonic() < until and (wanted - follower.seen or alarms - subscriber.delivered):
        time.sleep(0.5)
    missing = wanted - follower.seen
    undelivered = alarms - subscriber.delivered
    return [
        *(f"the feed never told {name}" for name in sorted(missing)[:5]),
        *(f"never delivered: {name}" for name in sorted(undelivered)[:5]),
    ]


def _report(
    minutes: float,
    kills: Counter[str],
    writers: list[Writer],
    others: list[Searcher | Follower],
    follower: Follower,
    subscriber: Subscriber,
    exporter: Exporter,
    wrong: list[str],
) -> None:
    waits = sorted(wait for writer in writers for wait in writer.waits_s)
    searches = sorted(wait for one in others if isinstance(one, Searcher) for wait in one.waits_s)
    writes = sum(writer.acknowledged for writer in writers)
    rows = [
        ("time", f"{minutes:g} minutes, 2 servers, 2 workers, PostgreSQL"),
        ("killed with signal 9", ", ".join(f"{what} {count} ×" for what, count in sorted(kills.items()))),
        ("writes acknowledged", f"{writes:,} ({writes / minutes / 60:.0f}/s); median {_at(waits, 0.5)}, 99 % {_at(waits, 0.99)}"),
        ("searches answered", f"{len(searches):,}; median {_at(searches, 0.5)}, 99 % {_at(searches, 0.99)}"),
        ("requests that met a killed server", f"{sum(one.refused for one in (*writers, *others)):,}, each tried again"),
        ("changes told by the feed", f"{len(follower.seen):,}, {follower.again:,} told twice after a reconnection"),
        ("deliveries to the subscriber", f"{len(subscriber.delivered):,}, {subscriber.again:,} repeated under the same id"),
        ("exports", f"{exporter.done} complete, {exporter.lines:,} resources"),
        ("lost, doubled, out of order, missing", str(len(wrong)) if wrong else "none"),
    ]  # fmt: skip
    print("| | |\n| --- | --- |")
    for name, value in rows:
        print(f"| {name} | {value} |")
    for finding in wrong[:20]:
        print(finding, file=sys.stderr)


def _at(sorted_s: list[float], part: float) -> str:
    return f"{sorted_s[min(int(len(sorted_s) * part), len(sorted_s) - 1)] * 1000:.0f} ms" if sorted_s else "–"


if __name__ == "__main__":
    sys.exit(main())
