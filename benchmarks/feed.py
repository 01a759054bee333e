"""The change feed: how soon a consumer sees a commit, how many changes four consumers follow, what followers cost writers.

Consumers run in a process of their own, as a worker's do. A latency is from the moment the commit was acknowledged to its
writer to the moment the consumer's function is called. The rates of writers are taken alternately with and without
followers, or a dead subscriber, in one run; the ratio is what counts.

    python benchmarks/feed.py [--seconds 4]
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from xinglin.kernel.log import configure
from xinglin.kernel.settings import Settings
from xinglin.records.consumers import consumers as of_record
from xinglin.records.feed import Consumer, Consumers, Feed
from xinglin.records.service import Records, open_records
from xinglin.records.site import Site
from xinglin.records.stored import Change
from xinglin.trust import local_system

ACTOR = local_system()
SETTINGS = Settings(subscription_loopback=True, subscription_timeout_s=1.0)
BODY = (
    '{"resourceType":"Observation","status":"final","code":{"coding":[{"system":"http://loinc.org","code":"4548-4"}]},'
    '"subject":{"reference":"Patient/p%d"},"effectiveDateTime":"2024-02-29T08:00:00Z","valueInteger":%d}'
)
RATE = 5000
PATIENTS = 100


def follow(url: str, what: str) -> None:
    """Run apart: ``four`` consumers that report each second's lag, or ``subscriptions``."""
    configure("error")  # standard output is for answers
    records = open_records(url, SETTINGS)
    site = Site(records, SETTINGS)
    seen = [0] * 4
    late: list[float] = []

    def handler(place: int) -> Any:
        def handle(changes: list[Change]) -> None:
            seen[place] += len(changes)
            if place == 0:
                now = time.time()
                late.extend((now - change.at_us / 1e6) * 1000 for change in changes)

        return handle

    four = [Consumer(f"c{place}", handler(place)) for place in range(4)]
    with Consumers(site, four if what == "four" else of_record(site)) as running:
        while not all(lag.led for lag in running.lag().values()):
            time.sleep(0.05)
        print("ready", flush=True)
        for line in sys.stdin:
            if line.startswith("lag"):
                lag = running.lag()
                print(json.dumps({"lag": max(x.seconds for x in lag.values()), "seen": seen}), flush=True)
            elif line.startswith("late"):
                print(json.dumps({"late": late, "cpu": time.process_time()}), flush=True)
                late.clear()
    records.close()


class Apart:
    """A process of followers."""

    def __init__(self, url: str, what: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__, "--follow", what, url],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self._process.stdout is not None
        assert self._process.stdout.readline().strip() == "ready"

    def ask(self, what: str) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{what}\n")
        self._process.stdin.flush()
        found: dict[str, Any] = json.loads(self._process.stdout.readline())
        return found

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(30)


def create(records: Records, number: int) -> None:
    records.create(ACTOR, "Observation", (BODY % (number % PATIENTS, number)).encode())


class Paced:
    """Lines for a load, `RATE` a second."""

    def __init__(self, seconds: float) -> None:
        self.start = time.monotonic()
        self.until = self.start + seconds
        self.done = 0

    def __iter__(self) -> Iterator[bytes]:
        while (now := time.monotonic()) < self.until:
            if self.done < (now - self.start) * RATE:
                name = b'{"id":"l%d-%d",' % (self.start * 1000, self.done)
                yield name + (BODY % (self.done % PATIENTS, self.done))[1:].encode()
                self.done += 1
            else:
                time.sleep(0.001)


def percentiles(values: list[float]) -> str:
    values.sort()
    return " / ".join(
        f"{values[min(int(len(values) * p), len(values) - 1)]:.0f}" for p in (0.5, 0.95, 0.99, 1)
    )


def latency(records: Records, url: str, seconds: float) -> tuple[str, str]:
    """Milliseconds from commit to consumer: in another process, and in the writer's own."""
    apart = Apart(url, "four")
    until = time.monotonic() + seconds
    number = 0
    while time.monotonic() < until:
        create(records, number)
        number += 1
        time.sleep(0.02)
    time.sleep(0.3)
    other = apart.ask("late")["late"]
    apart.close()
    late: list[float] = []

    def handle(changes: list[Change]) -> None:
        late.extend((time.time() - change.at_us / 1e6) * 1000 for change in changes)

    with Consumers(Site(records, SETTINGS), [Consumer("own", handle)]) as running:
        while not running.lag()["own"].led:
            time.sleep(0.05)
        until = time.monotonic() + seconds / 2
        while time.monotonic() < until:
            create(records, number)
            time.sleep(0.02)
        time.sleep(0.3)
    return percentiles(other), percentiles(late)


def paced(records: Records, url: str, seconds: float) -> str:
    """The greatest lag of four consumers while `RATE` changes a second are written in batches of 100."""
    apart = Apart(url, "four")
    while apart.ask("lag")["lag"] > 0:
        time.sleep(0.05)
    before = apart.ask("lag")["seen"]
    cpu = apart.ask("late")["cpu"]
    lines, worst = Paced(seconds), 0.0
    end = lines.start
    for place, _ in enumerate(records.load(ACTOR, lines, batch=100)):
        end = time.monotonic()  # the last commit; the statistics that a load ends with come later
        if place % 10 == 0:
            worst = max(worst, apart.ask("lag")["lag"])
    done = lines.done
    rate = done / (end - lines.start)
    time.sleep(1)
    told = apart.ask("late")
    late, cpu = told["late"], (told["cpu"] - cpu) / (time.monotonic() - lines.start)
    seen = apart.ask("lag")["seen"]
    apart.close()
    assert [now - then for now, then in zip(seen, before, strict=True)] == [done] * 4, (seen, before, done)
    return f"{rate:,.0f} written/s; lag at most {worst:.2f} s; commit to consumer {percentiles(late)} ms; {cpu:.0%} of a core"


def read_rate(records: Records) -> float:
    """Changes per CPU-second that one follower reads from the beginning."""
    feed = Feed(records)
    position = count = 0
    cpu = time.process_time()
    while True:
        found, reached = feed.read_house(None, position, 1000)
        if reached == position:
            return count / (time.process_time() - cpu)
        position, count = reached, count + len(found)


def write_rate(records: Records, seconds: float) -> float:
    """Creates a second by 8 threads."""
    until = time.perf_counter() + seconds
    counts = [0] * 8

    def work(place: int) -> None:
        while time.perf_counter() < until:
            create(records, counts[place])
            counts[place] += 1

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    return sum(counts) / seconds


def dead_endpoint() -> tuple[socket.socket, str]:
    """An address that accepts connections and never answers."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    return listener, f"http://127.0.0.1:{listener.getsockname()[1]}/in"


def beside(records: Records, url: str, what: str, seconds: float, pairs: int = 4) -> str:
    """Rate without, rate with, ratio: the median of alternating pairs."""
    without, with_ = [], []
    for _ in range(pairs):
        without.append(write_rate(records, seconds / pairs))
        apart = Apart(url, what)
        while (
            apart.ask("lag")["lag"] > 0
        ):  # what was written while nobody followed is not the writers' to wait for
            time.sleep(0.05)
        with_.append(write_rate(records, seconds / pairs))
        apart.close()
    ratio = statistics.median(b / a for a, b in zip(without, with_, strict=True))
    return f"{statistics.median(without):,.0f} | {statistics.median(with_):,.0f} | {ratio:.2f}"


def subscribe(records: Records, endpoint: str, criteria: str) -> None:
    body = {
        "resourceType": "Subscription", "status": "requested", "reason": "benchmark", "criteria": criteria,
        "channel": {"type": "rest-hook", "endpoint": endpoint, "payload": "application/fhir+json"},
    }  # fmt: skip
    records.create(ACTOR, "Subscription", json.dumps(body).encode())


def idle(records: Records, seconds: float) -> float:
    """Share of one core that four idle consumers take."""
    site = Site(records, SETTINGS)
    with Consumers(site, [Consumer(f"i{n}", lambda changes: None) for n in range(4)]) as running:
        while not all(lag.led for lag in running.lag().values()):
            time.sleep(0.05)
        time.sleep(0.5)
        before = time.process_time()
        time.sleep(seconds)
        return (time.process_time() - before) / seconds


def measure(name: str, url: str, seconds: float) -> list[str]:
    records = open_records(url, SETTINGS)
    people = (b'{"resourceType":"Patient","id":"p%d"}' % number for number in range(PATIENTS))
    records.load(ACTOR, people).run()
    other, own = latency(records, url, seconds)
    rows = [
        f"| {name}: commit to consumer in another process, ms (50 / 95 / 99 % / most) | {other} |",
        f"| {name}: the same in the writer's process, ms | {own} |",
        f"| {name}: four consumers, {RATE:,} changes/s | {paced(records, url, seconds)} |",
        f"| {name}: changes read per CPU-second by one follower | {read_rate(records):,.0f} |",
        f"| {name}: four idle consumers, share of a core | {idle(records, seconds):.2%} |",
    ]
    rows.append(
        f"| {name}: writes/s alone, with four consumers, ratio | {beside(records, url, 'four', seconds)} |"
    )
    listener, endpoint = dead_endpoint()
    subscribe(
        records, endpoint, "Encounter"
    )  # one that matches nothing: what matching costs is not the subscriber's doing
    alive = beside(records, url, "subscriptions", seconds)
    subscribe(records, endpoint, "Observation?code=4548-4")
    rows.append(f"| {name}: writes/s alone, with a worker and no match, ratio | {alive} |")
    rows.append(
        f"| {name}: writes/s alone, with a worker and a dead subscriber, ratio |"
        f" {beside(records, url, 'subscriptions', seconds)} |"
    )
    listener.close()
    records.close()
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--follow", nargs=2)
    options = parser.parse_args()
    if options.follow:
        follow(options.follow[1], options.follow[0])
        return 0
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
    from postgres import Cluster

    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    threading.stack_size(1 << 20)
    print("| what | |\n| --- | ---: |")
    with tempfile.TemporaryDirectory(prefix="xinglin-feed-") as folder:
        print("\n".join(measure("SQLite", f"sqlite:///{folder}/x.db", options.seconds)), flush=True)
    cluster = Cluster("shared_buffers=256MB")
    try:
        print("\n".join(measure("PostgreSQL", cluster.new_database(), options.seconds)), flush=True)
    finally:
        cluster.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
