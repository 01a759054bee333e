"""Reindex: resources per CPU-second of a new search parameter, and what reads feel of it, on SQLite and PostgreSQL.

Demo hospitals of about 100,000 resources. Two parameters on Observation, by far the most frequent type: a *dense* one, under
which every resource has a row (``Observation.effective``), and a *sparse* one on an extension that none has. "Drawing" is the
scan that makes the rows; "with proof" is the whole run, in which up to 20,000 resources are compared with a fresh extraction
before the parameter opens. CPU is user and system time of this process; of PostgreSQL, that of the client alone.

Reads: one process reads, searches and reads again as fast as it can, for some seconds without and with a reindex in another
process, in turn, at the default setting ``reindex_share``; the table gives the ratio of the medians.

    python benchmarks/reindex.py [--resources 100000] [--seconds 4] [--only sqlite]
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

PARAMETERS = {
    "dense": ("date", "Observation.effective.ofType(dateTime)"),
    "sparse": ("string", "Observation.extension.where(url='http://example.org/ward').value.ofType(string)"),
}


def definition(code: str) -> bytes:
    kind, expression = PARAMETERS[code]
    return json.dumps(
        {
            "resourceType": "SearchParameter", "id": code, "url": f"http://example.org/{code}", "name": code,
            "status": "active", "description": code, "code": code, "base": ["Observation"], "type": kind,
            "expression": expression,
        }
    ).encode()  # fmt: skip


def filled(url: str, resources: int) -> dict[str, int]:
    from xinglin.apps.demo.hospital import lines
    from xinglin.records.service import open_records
    from xinglin.trust import local_system

    records = open_records(url)
    records.load(local_system(), (line + b"\n" for line in islice(lines(100_000), resources))).run()
    found = records.count(local_system())
    records.close()
    return found


def drawn(url: str, code: str) -> dict[str, float]:
    """One reindex of one new parameter as fast as it can."""
    from xinglin.records import reindexing
    from xinglin.records.reindexing import Pace, Reindex
    from xinglin.records.service import open_records
    from xinglin.trust import local_system

    records = open_records(url)
    records.update(local_system(), "SearchParameter", code, definition(code))
    spent = {"drawing": 0.0}
    scan = Reindex._scan

    def timed(self: Any, *arguments: Any) -> None:
        began = time.process_time()
        scan(self, *arguments)
        spent["drawing"] += time.process_time() - began

    reindexing.Reindex._scan = timed  # type: ignore[method-assign]
    began = time.process_time()
    report = Reindex(records, 1, pace=Pace(settle_s=0)).run()
    total = time.process_time() - began
    reindexing.Reindex._scan = scan  # type: ignore[method-assign]
    proof = report["proofs"][f"Observation.{code}"]
    assert proof["different"] == proof["stale"] == 0
    looked = report["types"]["Observation"]["redrawn"]
    records.delete(local_system(), "SearchParameter", code)
    Reindex(records, 1, pace=Pace(settle_s=0)).run()
    records.close()
    return {
        "looked": looked,
        "rows": proof["rows"],
        "drawing": looked / spent["drawing"],
        "whole": looked / total,
    }


def busy(url: str, begin: Any, stop: Any, done: Any) -> None:
    """Until told to stop: a parameter comes, is indexed, goes, and comes again, whenever ``begin`` is set."""
    from xinglin.kernel.settings import Settings
    from xinglin.records.reindexing import Pace, Reindex
    from xinglin.records.service import open_records
    from xinglin.trust import local_system

    records = open_records(url)

    class Ends(Exception):
        pass

    class Keeping:
        def check(self) -> None:
            if stop.is_set():
                raise Ends
            begin.wait()

        def save(self, checkpoint: Any, unit: Any = None) -> Any:
            with done.get_lock():
                done.value += 1
            return None if unit is None else records.database.write(unit)

        def progress(self, *_: Any) -> None:
            pass

    pace = Pace(share=Settings().reindex_share, settle_s=0)
    turn = 0
    while not stop.is_set():
        begin.wait()
        turn += 1
        if turn % 2:
            records.update(local_system(), "SearchParameter", "dense", definition("dense"))
        else:
            records.delete(local_system(), "SearchParameter", "dense")
        try:
            Reindex(records, 1, Keeping(), pace=pace).run()
        except Ends:
            break
    records.close()


def reads(url: str, seconds: float) -> dict[str, float]:
    """Median seconds of a read and of a search, without (0) and with (1) a reindex beside."""
    from xinglin.records.service import open_records
    from xinglin.standards.fhir.search.grammar import parse_query
    from xinglin.trust import local_system

    context = multiprocessing.get_context("spawn")
    begin, stop, done = context.Event(), context.Event(), context.Value("i", 0)
    process = context.Process(target=busy, args=(url, begin, stop, done))
    process.start()
    records, actor = open_records(url), local_system()
    some = [
        entry.stored.id
        for entry in records.search(actor, parse_query("Patient", [("_count", "200")], strict=True)).entries
    ]
    took: dict[tuple[str, int], list[float]] = {(k, n): [] for k in ("read", "search") for n in (0, 1)}
    begin.set()
    while not done.value:
        time.sleep(0.05)
    for turn in range(8):
        beside = turn % 2
        (begin.set if beside else begin.clear)()
        time.sleep(0.7)
        until = time.monotonic() + seconds / 4
        place = 0
        while time.monotonic() < until:
            id_ = some[place % len(some)]
            place += 1
            query = parse_query(
                "Observation", [("patient", id_), ("_sort", "-date"), ("_count", "10")], strict=True
            )
            began = time.perf_counter()
            records.read(actor, "Patient", id_)
            middle = time.perf_counter()
            records.search(actor, query)
            took["read", beside].append(middle - began)
            took["search", beside].append(time.perf_counter() - middle)
    stop.set()
    begin.set()
    process.join(60)
    records.close()
    found = {f"{k}{n}": statistics.median(values) for (k, n), values in took.items()}
    found |= {f"{k}{n}_p95": statistics.quantiles(values, n=20)[-1] for (k, n), values in took.items()}
    return found | {"beside": sum(took["read", 1]) + sum(took["search", 1]), "batches": done.value}


def measured(name: str, url: str, resources: int, seconds: float) -> list[str]:
    counts = filled(url, resources)
    lines = []
    for code in PARAMETERS:
        one = drawn(url, code)
        lines.append(
            f"| {name} | {code}: {one['rows']:,.0f} rows of {one['looked']:,.0f} Observations |"
            f" {one['drawing']:,.0f} | {one['whole']:,.0f} |"
        )
    felt = reads(url, seconds)
    for kind in ("read", "search"):
        ratio = felt[f"{kind}1"] / felt[f"{kind}0"]
        worst = felt[f"{kind}1_p95"] / felt[f"{kind}0_p95"]
        lines.append(
            f"| {name} | {kind}, µs median without → with reindex ({felt['batches']} batches beside) |"
            f" {felt[f'{kind}0'] * 1e6:,.0f} → {felt[f'{kind}1'] * 1e6:,.0f} | × {ratio:.2f} (p95 × {worst:.2f}) |"
        )
    print(f"{name}: {sum(counts.values()):,} resources", file=sys.stderr)
    return lines


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--resources", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--only", choices=("sqlite", "postgresql"))
    given = parser.parse_args()
    lines = ["| | | drawing, resources per CPU-second | with proof |", "| --- | --- | --- | --- |"]
    if given.only != "postgresql":
        with tempfile.TemporaryDirectory() as folder:
            lines += measured("SQLite", f"sqlite:///{folder}/bench.db", given.resources, given.seconds)
    if given.only != "sqlite":
        from postgres import Cluster

        cluster = Cluster()
        try:
            lines += measured("PostgreSQL", cluster.new_database(), given.resources, given.seconds)
        finally:
            cluster.close()
    print("\n".join(lines))
    print(f"\n{os.cpu_count()} cores; the reindex runs in a process of its own.")


if __name__ == "__main__":
    main()
