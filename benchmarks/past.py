"""The time machine: a chart of 5,000 resources as it was known five years ago, and as it is.

One patient with 5,000 resources, each written three times: six years ago, four years ago and now (the clock that stamps
commits is set back for it), beside ten others, whose resources stay as they are. ``$everything`` is asked over the REST edge
without HTTP, every page of 1,000, as of five years ago and, in the same run, as of now. A search of one code, newest first,
likewise. The first answer of each question has nothing kept to use; the median of several questions of different instants
is given.

    python benchmarks/past.py [--resources 5000]
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import msgspec

from xinglin.kernel.clock import now_us
from xinglin.kernel.settings import Settings
from xinglin.records.api import Api
from xinglin.records.identity import ledger
from xinglin.records.rest.exchange import Answer, Request
from xinglin.records.service import Records, open_records
from xinglin.records.site import Site
from xinglin.trust import local_system

ACTOR = local_system()
BASE = "http://localhost/fhir"
YEAR_US = 31_557_600_000_000
CODES = ("718-7", "4548-4", "2345-7", "2160-0", "2951-2")


def lines(patients: int, each: int, round_: int) -> Iterator[bytes]:
    """The resources of ``patients``, as the ``round_``-th version has them."""
    for patient in range(patients):
        yield b'{"resourceType":"Patient","id":"p%d","birthDate":"19%02d-01-01"}' % (
            patient,
            40 + patient % 50,
        )
        for number in range(each - 1):
            day = datetime(2010, 1, 1, tzinfo=UTC) + timedelta(days=number)
            yield (
                b'{"resourceType":"Observation","id":"o%d-%d","status":"%s","category":[{"coding":[{"system":"http://terminology.'
                b'hl7.org/CodeSystem/observation-category","code":"laboratory"}]}],"code":{"coding":[{"system":"http://loinc.org",'
                b'"code":"%s"}]},"subject":{"reference":"Patient/p%d"},"performer":[{"reference":"Practitioner/d%d"}],'
                b'"effectiveDateTime":"%s","valueQuantity":{"value":%d.%d0,"unit":"g/L","system":"http://unitsofmeasure.org",'
                b'"code":"g/L"}}'
            ) % (
                patient, number, b"preliminary" if round_ == 0 else b"final", CODES[number % 5].encode(), patient,
                number % 20, day.strftime("%Y-%m-%dT08:00:00Z").encode(), 100 + number % 50, round_,
            )  # fmt: skip


def world(url: str, resources: int) -> Records:
    """The record after all three rounds; the first patient is the one asked about."""
    records = open_records(url)
    doctors = [b'{"resourceType":"Practitioner","id":"d%d"}' % number for number in range(20)]
    for round_, years in enumerate((6, 4, 0)):
        ledger.now_us = lambda years=years: now_us() - years * YEAR_US  # type: ignore[attr-defined]
        if round_ == 0:
            records.load(ACTOR, [*doctors, *lines(11, resources, 0)]).run()
        else:
            records.load(ACTOR, lines(1, resources, round_)).run()
    return records


class _Bundle(msgspec.Struct):
    link: list[dict[str, str]]
    entry: list[msgspec.Raw] = []


def all_pages(api: Api, path: tuple[str, ...], query: str) -> int:
    """Entries over all pages."""
    found = 0
    while True:
        answer = api.answer(Request("GET", path, ACTOR, BASE, tuple(parse_qsl(query))))
        assert isinstance(answer, Answer)
        bundle = msgspec.json.decode(answer.body, type=_Bundle)
        found += len(bundle.entry)
        following = [link["url"] for link in bundle.link if link["relation"] == "next"]
        if not following:
            return found
        query = urlsplit(following[0]).query


def taken(ask: Callable[[int], int], rounds: int = 7) -> tuple[float, int]:
    """Median ms of an ask, and what it found."""
    times, found = [], 0
    for number in range(rounds):
        start = time.perf_counter()
        found = ask(number)
        times.append((time.perf_counter() - start) * 1000)
    return statistics.median(times), found


def measure(name: str, url: str, resources: int) -> list[str]:
    """The rows of one database."""
    records = world(url, resources)
    api = Api(Site(records, Settings()))
    ago = datetime.now(UTC) - timedelta(days=5 * 365)

    def instant(number: int) -> str:
        return (ago + timedelta(hours=number)).strftime("%Y-%m-%dT%H:%M:%SZ")

    chart, search = ("Patient", "p0", "$everything"), ("Observation",)
    asked = "patient=p0&code=718-7&_sort=-date&_count=50"
    rows = []
    for what, past, now in (
        (
            "chart, all pages of 1,000",
            lambda n: all_pages(api, chart, f"_count=1000&_known={instant(n)}"),
            lambda n: all_pages(api, chart, "_count=1000"),
        ),
        (
            "chart, known and valid",
            lambda n: all_pages(api, chart, f"_count=1000&_known={instant(n)}&_valid=2020-01-01"),
            lambda n: all_pages(api, chart, f"_count=1000&end=2020-01-0{n + 1}"),
        ),
        (
            "search of one code, all pages of 50",
            lambda n: all_pages(api, search, f"{asked}&_known={instant(n)}"),
            lambda n: all_pages(api, search, asked),
        ),
    ):  # fmt: skip
        (then_ms, found), (now_ms, _) = taken(past), taken(now)
        rows.append(
            f"| {name}: {what} | {found:,} | {then_ms:,.0f} | {now_ms:,.0f} | {then_ms / now_ms:.1f} |"
        )
    records.close()
    return rows


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--resources", type=int, default=5000)
    resources = parser.parse_args().resources
    sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
    from postgres import Cluster

    rows = []
    with tempfile.TemporaryDirectory() as folder:
        rows += measure("SQLite", f"sqlite:///{folder}/past.db", resources)
    cluster = Cluster()
    try:
        rows += measure("PostgreSQL", cluster.new_database(), resources)
    finally:
        cluster.close()
    print(f"A patient with {resources:,} resources in three versions each.\n")
    print("| Question | found | five years ago, ms | today, ms | ratio |\n|---|--:|--:|--:|--:|")
    print("\n".join(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
