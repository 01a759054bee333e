"""The store without HTTP: reads and writes per CPU-second of this process, in Python, on both databases.

Each write is synced before it is acknowledged; with many threads writing, several share a transaction. The floor of a read is
the same row fetched by a bare statement on a bare connection, nothing decompressed; that of a write is one row inserted and
committed. PostgreSQL's back ends are not counted.

    python benchmarks/store.py [--seconds 1]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from xinglin.kernel.database import open_database
from xinglin.records.history import HistoryQuery
from xinglin.records.service import Records, open_records
from xinglin.trust import local_system

ACTOR = local_system()
BODY = (
    b'{"resourceType":"Observation","id":"%s","status":"final","category":[{"coding":[{"system":"http://terminology.hl7.org/'
    b'CodeSystem/observation-category","code":"laboratory"}]}],"code":{"coding":[{"system":"http://loinc.org","code":"4548-4",'
    b'"display":"Hemoglobin A1c"}]},"subject":{"reference":"Patient/p%d"},"effectiveDateTime":"2024-02-29T08:00:00Z",'
    b'"valueQuantity":{"value":7.10,"unit":"%%","system":"http://unitsofmeasure.org","code":"%%"}}'
)


def rate(call: Callable[[int], Any], seconds: float, threads: int = 1) -> tuple[float, float]:
    """Calls per CPU-second and per second."""
    call(0)
    count, done = 64, 0
    started, cpu = time.perf_counter(), time.process_time()
    with ThreadPoolExecutor(threads) as pool:
        while time.perf_counter() - started < seconds:
            if threads == 1:
                for number in range(done, done + count):
                    call(number)
            else:
                list(pool.map(call, range(done, done + count)))
            done += count
    return done / (time.process_time() - cpu), done / (time.perf_counter() - started)


def measure(name: str, url: str, seconds: float) -> list[str]:
    """The rows of one database."""
    records = open_records(url)
    records.load(ACTOR, (BODY % (b"o%d" % n, n % 100) for n in range(5000))).run()
    rows = []

    def row(what: str, got: tuple[float, float], floor: tuple[float, float] | None = None) -> None:
        ratio = f"{floor[0]:,.0f} | {floor[0] / got[0]:.1f}" if floor else "– | –"
        rows.append(f"| {name}: {what} | {got[0]:,.0f} | {got[1]:,.0f} | {ratio} |")

    row(
        "read by id",
        rate(lambda n: records.read(ACTOR, "Observation", f"o{n % 5000}"), seconds),
        _bare_read(records, seconds),
    )
    row("read a version", rate(lambda n: records.vread(ACTOR, "Observation", f"o{n % 5000}", 1), seconds))
    row(
        "history of a type, 20 versions",
        rate(lambda n: records.history(ACTOR, HistoryQuery("Observation")), seconds),
    )
    bare = _bare_write(url, seconds)
    for threads in (1, 8, 32):
        create = rate(
            lambda n: records.create(ACTOR, "Observation", BODY % (b"x", n % 100)), seconds, threads
        )
        row(f"create, {threads} at once", create, bare if threads == 1 else None)
    row(
        "update", rate(lambda n: records.update(ACTOR, "Observation", "o1", BODY % (b"o1", n % 100)), seconds)
    )
    last = records.changes(ACTOR, 2, 100_000)[-1].position
    row("100 changes of the feed", rate(lambda n: records.changes(ACTOR, last - 100, 100), seconds))
    records.close()
    return rows


def _bare_read(records: Records, seconds: float) -> tuple[float, float]:
    with records.database.read(snapshot=False) as connection:
        (rid,) = connection.execute("SELECT max(rid) FROM resource").fetchone() or (0,)
        return rate(
            lambda n: connection.execute(
                "SELECT body FROM resource WHERE tenant = 1 AND rid = ?", (rid - n % 100,)
            ).fetchone(),
            seconds,
        )


def _bare_write(url: str, seconds: float) -> tuple[float, float]:
    with open_database(url) as database:
        database.exclusively(lambda c: c.execute("CREATE TABLE floor (n BIGINT PRIMARY KEY, body TEXT)"))

        def write(number: int) -> None:
            def insert(connection: Any) -> None:
                connection.execute("BEGIN")
                connection.execute("INSERT INTO floor VALUES (?, 'x') ON CONFLICT DO NOTHING", (number,))
                connection.execute("COMMIT")

            database.exclusively(insert)

        return rate(write, seconds)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=1.0)
    options = parser.parse_args()
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
    from postgres import Cluster

    print(
        "| what | per CPU-second | per second | floor per CPU-second | floor ÷ it |\n| --- | ---: | ---: | ---: | ---: |"
    )
    with tempfile.TemporaryDirectory(prefix="xinglin-store-") as folder:
        rows = measure("SQLite", f"sqlite:///{folder}/x.db", options.seconds)
    cluster = Cluster("shared_buffers=256MB")
    try:
        rows += measure("PostgreSQL", cluster.new_database(), options.seconds)
    finally:
        cluster.close()
    print("\n".join(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
