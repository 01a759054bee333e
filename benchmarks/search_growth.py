"""Flat growth: forty typical searches at 1,000 and at 10,000 patients, on SQLite and PostgreSQL.

The demonstration hospital is made at the smaller size (about 230 resources a patient) through the loader into SQLite and copied
row by row into PostgreSQL, whose tables and indexes are the same; the larger is that hospital ten times over inside the
database, each copy with ids, record numbers, staff and references of its own. Each search is run warm; a time is the median of
its runs, wall time of the whole search: SQL, bodies fetched and decompressed. ``first run`` is the slowest of all first runs,
with nothing prepared, counted or in the cache of the database.

    python benchmarks/search_growth.py [--patients 1000] [--copies 10] [--folder FOLDER] [--only sqlite] [--plans]

``--folder`` keeps the SQLite databases for another run, ``--postgres`` names a server that keeps the others; ``--plans`` writes
the query plan of each search, at the larger size, to docs/search-plans.md. All takes a quarter of an hour and 12 GB of disk.
"""

from __future__ import annotations

import argparse
import shutil
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
from xinglin.standards.fhir.r4.parameters import PARAMETERS
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
        part = path.with_suffix(".part")
        part.unlink(missing_ok=True)
        records = Records(open_database(f"sqlite:///{part}", durable=False))
        taken = records.load(local_system(), lines(patients, seed=1)).run().taken
        records.close()
        part.rename(path)
        print(f"{patients} patients, {taken} resources", file=sys.stderr)
    return open_database(f"sqlite:///{path}")


def grown_sqlite(path: Path, small: Path, copies: int) -> Database:
    """``small`` so many times over, made unless it is there."""
    if not path.exists():
        part = path.with_suffix(".part")
        shutil.copy(small, part)
        with open_database(f"sqlite:///{part}", durable=False) as database:
            database.exclusively(lambda connection: multiply(connection, copies))
        part.rename(path)
    return open_database(f"sqlite:///{path}")


IDENTIFIERS = ", ".join(str(p.number) for p in PARAMETERS.values() if p.name == "identifier")
APART = 10_000_000
"""Between the numbers of one copy and the next."""


def multiply(connection: Any, copies: int) -> None:
    """Copies of all resources and their index rows, ``copies`` in all; indexes by value are made anew afterwards."""
    k, n = f"{{k}} * {APART}", "{k}"
    owner = f"CASE WHEN patient > 0 THEN patient + {k} ELSE patient END"
    value = f"CASE WHEN param IN ({IDENTIFIERS}) THEN value + {k} ELSE value END"
    given = {
        "entity": {"id": f"id || '-{n}'", "rid": f"rid + {k}"},
        "resource": {"id": f"id || '-{n}'", "rid": f"rid + {k}", "patient": owner},
        "resource_patient": {"rid": f"rid + {k}", "patient": owner},
        "term": {"value": f"value + {k}", "code": f"code || '-{n}'", "folded_code": f"folded_code || '-{n}'"},
        "ix_token": {"rid": f"rid + {k}", "value": value, "patient": owner},
        "ix_reference": {"rid": f"rid + {k}", "target": f"target + {k}"},
        "ix_string": {"rid": f"rid + {k}"},
        "ix_date": {"rid": f"rid + {k}", "patient": owner},
        "ix_quantity": {"rid": f"rid + {k}"},
        "ix_pair": {"rid": f"rid + {k}", "patient": owner},
    }
    of = {
        "term": f"value < {APART} AND value IN (SELECT value FROM ix_token WHERE param IN ({IDENTIFIERS}))",
        "entity": f"rid < {APART}",
    }
    definitions = without_indexes(connection)
    if connection.dialect == "sqlite":
        connection.execute("PRAGMA cache_size = -1000000")  # sorts an index in memory
    connection.execute("BEGIN")
    for table, changed in given.items():
        columns = columns_of(connection, table)
        chosen = ", ".join(changed.get(column, column) for column in columns)
        for copy in range(1, copies):
            connection.execute(
                f"INSERT INTO {table} ({', '.join(columns)}) SELECT {chosen.format(k=copy)} FROM {table}"
                f" WHERE {of.get(table, f'rid < {APART}')}"
            )
        print(f"{table} copied", file=sys.stderr)
    connection.execute("COMMIT")
    for definition in definitions:
        connection.execute(definition)
    if connection.dialect == "sqlite":
        connection.execute("PRAGMA analysis_limit = 1000")
    connection.execute("ANALYZE")
    if connection.dialect == "sqlite":
        connection.execute("DELETE FROM sqlite_stat4")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def without_indexes(connection: Any) -> list[str]:
    """Drop the indexes that are not a table's key; the statements that make them again."""
    if connection.dialect == "sqlite":
        sql = "SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL"
    else:
        sql = (
            "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' AND indexname NOT LIKE '%pkey'"
            " AND indexname NOT LIKE '%_key'"
        )
    found = connection.execute(sql).fetchall()
    for name, _ in found:
        connection.execute(f"DROP INDEX {name}")
    if connection.dialect == "postgresql":
        connection.execute("SET maintenance_work_mem = '512MB'")
    return [definition for _, definition in found]


def columns_of(connection: Any, table: str) -> list[str]:
    """The table's columns, in order."""
    if connection.dialect == "sqlite":
        return [row[1] for row in connection.execute(f"PRAGMA table_info({table})").fetchall()]
    sql = "SELECT column_name FROM information_schema.columns WHERE table_name = ? ORDER BY ordinal_position"
    return [row[0] for row in connection.execute(sql, (table,)).fetchall()]


def filled_postgres(url: str, source: Database, copies: int) -> Database:
    """``source`` so many times over in the PostgreSQL database at ``url``, made unless it is there."""
    from xinglin.records.schema import migrate

    target = open_database(url, durable=False)
    with target.read() as connection:
        (there,) = connection.execute("SELECT to_regclass('ix_pair')::text").fetchone() or (None,)
    if there is not None:
        return target
    migrate(target)

    def copy(connection: Any) -> None:
        definitions = without_indexes(connection)
        for table in TABLES:
            connection.execute(f"DELETE FROM {table}")
            columns = columns_of(connection, table)
            for rows in batches(source, f"SELECT {', '.join(columns)} FROM {table}"):
                connection.insert(table, columns, rows)
        for definition in definitions:
            connection.execute(definition)
        connection.execute("ANALYZE")

    target.exclusively(copy)
    if copies > 1:
        target.exclusively(lambda connection: multiply(connection, copies))
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
    parser.add_argument("--patients", type=int, default=1000)
    parser.add_argument("--copies", type=int, default=10)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--only", choices=("sqlite", "postgresql"))
    parser.add_argument("--plans", action="store_true", help="write docs/search-plans.md")
    parser.add_argument(
        "--postgres", metavar="URL", help="a server to make databases on, instead of one of our own"
    )
    given = parser.parse_args()
    sizes = (given.patients, given.patients * given.copies)
    with ExitStack() as stack:
        folder = given.folder or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="growth-")))
        folder.mkdir(parents=True, exist_ok=True)
        files = [folder / f"demo-{size}.db" for size in sizes]
        small = filled_sqlite(files[0], sizes[0])
        stack.callback(small.close)
        databases: dict[str, tuple[Database, Database]] = {}
        if given.only != "postgresql":
            large = grown_sqlite(files[1], files[0], given.copies)
            stack.callback(large.close)
            databases["SQLite"] = (small, large)
        if given.only != "sqlite":
            databases["PostgreSQL"] = postgres(stack, given.postgres, sizes, small, given.copies)
        report(databases, sizes)
        if given.plans:
            plans({name: pair[1] for name, pair in databases.items()}, sizes[1])
    return 0


def postgres(
    stack: ExitStack, server: str | None, sizes: tuple[int, int], source: Database, copies: int
) -> tuple[Database, Database]:
    """The same two on PostgreSQL."""
    if server is None:
        sys.path.insert(0, str(ROOT / "tests"))
        from postgres import FAST, Cluster

        cluster = Cluster(*FAST, "max_wal_size=4GB", "shared_buffers=1GB")
        stack.callback(cluster.close)
        urls = [cluster.new_database() for _ in sizes]
    else:
        urls = [f"{server}/growth{size}" for size in sizes]
    small = filled_postgres(urls[0], source, 1)
    stack.callback(small.close)
    large = filled_postgres(urls[1], source, copies)
    stack.callback(large.close)
    return small, large


def report(databases: dict[str, tuple[Database, Database]], sizes: tuple[int, int]) -> None:
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
            f"| {name} | {medians[0]:.2f} ms | {medians[1]:.2f} ms | {medians[1] / medians[0]:.2f} "
            f"| {slowest:.1f} ms | {first:.0f} ms |"
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
