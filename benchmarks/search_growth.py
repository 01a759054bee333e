"""Flat growth: forty typical searches at 1,000 and at 10,000 patients, on SQLite and PostgreSQL.

The demonstration hospital is made at both sizes (about 240 resources a patient) into SQLite through the loader, and copied row by
row into PostgreSQL, whose tables and indexes are the same. Each search is run warm; a time is the median of its runs, wall time of
the whole search: SQL, bodies fetched and decompressed. ``first`` is the slowest of all first runs, with nothing prepared or counted.

    python benchmarks/search_growth.py [--sizes 1000 10000] [--folder FOLDER] [--keep] [--only sqlite] [--plans]

``--folder`` keeps the databases for another run; ``--plans`` writes the query plan of each search, at the larger size, to
docs/search-plans.md. The large hospital takes about ten minutes to make, and 5 GB for each database.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from search_suite import searches

from xinglin.kernel.database import Database, open_database
from xinglin.records.cursors import Cursors
from xinglin.records.search import Search
from xinglin.trust import Predicate, local_system

ROOT = Path(__file__).resolve().parents[1]
PLANS = ROOT / "docs" / "search-plans.md"
RUNS = 21
LIMIT_MS = 50.0
TABLES = (
    "meta", "entity", "resource", "resource_patient", "commits", "term", "ix_token", "ix_reference", "ix_string",
    "ix_date", "ix_quantity", "ix_pair",
)  # fmt: skip


def filled_sqlite(path: Path, patients: int) -> Database:
    """The hospital in a SQLite file, made unless it is there."""
    from xinglin.apps.demo.hospital import lines
    from xinglin.records.service import Records

    if not path.exists():
        began = time.perf_counter()
        part = path.with_suffix(".part")
        part.unlink(missing_ok=True)
        records = Records(open_database(f"sqlite:///{part}", durable=False))
        taken = records.load(local_system(), lines(patients, seed=1)).run().taken
        records.close()
        part.rename(path)
        print(f"{patients} patients, {taken} resources: {time.perf_counter() - began:.0f} s", file=sys.stderr)
    return open_database(f"sqlite:///{path}")


def filled_postgres(url: str, source: Database) -> Database:
    """A copy of ``source`` in the empty PostgreSQL database at ``url``."""
    from xinglin.records.schema import migrate

    target = open_database(url, durable=False)
    with target.read() as connection:
        there = connection.execute("SELECT to_regclass('ix_pair')::text").fetchone()
    if there is not None and there[0] is not None:
        return target
    migrate(target)

    def copy(connection: Any) -> None:
        indexes = connection.execute(
            "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename LIKE 'ix\\_%'"
        ).fetchall()
        for name, _ in indexes:
            connection.execute(f"DROP INDEX {name}")
        for table in TABLES:
            connection.execute(f"DELETE FROM {table}")
            columns = [
                row[0]
                for row in connection.execute(
                    "SELECT column_name FROM information_schema.columns WHERE table_name = ? ORDER BY ordinal_position",
                    (table,),
                ).fetchall()
            ]
            for rows in batches(source, f"SELECT {', '.join(columns)} FROM {table}"):
                connection.insert(table, columns, rows)
        connection.execute("SET maintenance_work_mem = '512MB'")
        for _, definition in indexes:
            connection.execute(definition)
        connection.execute("ANALYZE")

    target.exclusively(copy)
    return target


def batches(source: Database, sql: str, size: int = 20_000) -> Iterator[list[tuple[Any, ...]]]:
    """Rows of a query, some at a time."""
    with source.read() as connection:
        cursor: Any = connection.execute(sql)
        while rows := cursor.fetchmany(size):
            yield rows


def timed(database: Database) -> tuple[dict[str, float], float, dict[str, int]]:
    """Milliseconds of each search, the slowest first run, and how many entries each gave."""
    times: dict[str, float] = {}
    entries: dict[str, int] = {}
    first = 0.0
    search, predicate = Search(Cursors(bytes(32))), Predicate(1)
    for _, text, query in searches():
        runs = []
        for _ in range(RUNS):
            began = time.perf_counter()
            with database.read() as connection:
                page = search.page(connection, predicate, query)
            runs.append((time.perf_counter() - began) * 1000)
        first = max(first, runs[0])
        times[text] = statistics.median(runs[1:])
        entries[text] = len(page.entries) if page.total is None else page.total
    return times, first, entries


def plans(databases: dict[str, Database], patients: int) -> None:
    """Write the query plans of all searches to the documentation."""
    lines = [
        "# Search plans",
        "",
        f"How each of the forty searches of `benchmarks/search_suite.py` runs at {patients:,} patients. Written by",
        "`python benchmarks/search_growth.py --plans`; do not edit. How a plan is chosen: `src/xinglin/records/search/plans.py`.",
        "",
        "A page of a search is a few index ranges: one drives, the others are probed by the number of the resource.",
        "",
    ]
    for purpose, text, query in searches():
        lines += [f"## {purpose[0].upper()}{purpose[1:]}", "", f"`{text}`", ""]
        for name, database in databases.items():
            with database.read() as connection:
                found = Search().explain(connection, Predicate(1), query)
            lines += [f"{name}:", "", "```"]
            for _, plan in found:
                lines += plan
            lines += ["nothing to read: the record knows no such code or id"] if not found else []
            lines += ["```", ""]
    PLANS.write_text("\n".join(lines), encoding="utf-8")


def table(name: str, small: dict[str, float], large: dict[str, float], entries: dict[str, int]) -> list[str]:
    """One Markdown row a search."""
    rows = []
    for purpose, text, _ in searches():
        ratio = large[text] / small[text]
        rows.append(f"| {purpose} | {entries[text]} | {small[text]:.2f} | {large[text]:.2f} | {ratio:.1f} |")
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", nargs=2, type=int, default=(1000, 10_000), metavar="PATIENTS")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--only", choices=("sqlite", "postgresql"))
    parser.add_argument("--plans", action="store_true", help="write docs/search-plans.md")
    parser.add_argument(
        "--postgres", metavar="URL", help="a server to make databases on, instead of one of our own"
    )
    given = parser.parse_args()
    with ExitStack() as stack:
        folder = given.folder or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="growth-")))
        folder.mkdir(parents=True, exist_ok=True)
        sqlite = [
            stack.enter_context(filled_sqlite(folder / f"demo-{size}.db", size)) for size in given.sizes
        ]  # type: ignore[type-var]
        databases: dict[str, list[Database]] = {"SQLite": list(sqlite)} if given.only != "postgresql" else {}
        if given.only != "sqlite":
            databases["PostgreSQL"] = postgres(stack, given.postgres, given.sizes, list(sqlite))
        report(databases, given.sizes)
        if given.plans:
            plans({name: pair[1] for name, pair in databases.items()}, given.sizes[1])
    return 0


def postgres(
    stack: ExitStack, server: str | None, sizes: list[int], sources: list[Database]
) -> list[Database]:
    """The copies on PostgreSQL."""
    if server is None:
        sys.path.insert(0, str(ROOT / "tests"))
        from postgres import FAST, Cluster

        cluster = Cluster(*FAST, "max_wal_size=4GB", "shared_buffers=1GB")
        stack.callback(cluster.close)
        urls = [cluster.new_database() for _ in sizes]
    else:
        urls = [f"{server}/growth{size}" for size in sizes]
    return [
        stack.enter_context(filled_postgres(url, source)) for url, source in zip(urls, sources, strict=True)
    ]  # type: ignore[type-var]


def report(databases: dict[str, list[Database]], sizes: list[int]) -> None:
    """Print the tables."""
    summary = [
        "| database | median at {:,} | median at {:,} | ratio | slowest | first run, slowest |".format(
            *sizes
        ),
        "|---|--:|--:|--:|--:|--:|",
    ]
    details: list[str] = []
    for name, (small, large) in databases.items():
        few, _, _ = timed(small)
        many, first, entries = timed(large)
        medians = [statistics.median(times.values()) for times in (few, many)]
        slowest = max(many.values())
        summary.append(
            f"| {name} | {medians[0]:.2f} ms | {medians[1]:.2f} ms | {medians[1] / medians[0]:.2f} | {slowest:.1f} ms | {first:.0f} ms |"
        )
        details += [
            "",
            f"{name}, milliseconds:",
            "",
            "| search | entries | {:,} | {:,} | ratio |".format(*sizes),
            "|---|--:|--:|--:|--:|",
        ]
        details += table(name, few, many, entries)
    print("\n".join([*summary, "", "Aim: ratio of the medians at most 1.5, none over 50 ms.", *details]))


if __name__ == "__main__":
    sys.exit(main())
