"""Import: resources per CPU-second into SQLite and PostgreSQL, memory and size, beside a floor in the same run.

27,861 Synthea resources as NDJSON (where they are not at hand: a demo hospital), read from memory; tier 1, all search
parameters but full text indexed live, history kept, a sync before each transaction is acknowledged. The floor does the
least that must be done: orjson parses each line, and the very rows that the import made go into the same tables and indexes
in the same transactions, by ``executemany`` or COPY, without validation, extraction, look-ups or compression. Memory is the peak
of the process, in which the whole input lies.

CPU is user and system time of this process, all threads; of PostgreSQL the back end of the writing connection is named apart.
Each figure is the best of three runs, each in a process of its own.

    python benchmarks/import_.py [--runs 3] [--only sqlite]
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
SYNTHEA = HERE.parents[1] / "shared" / "data" / "fhir" / "synthea_100.ndjson.gz"
TABLES = (
    "entity", "term", "resource", "ix_token", "ix_reference", "ix_string", "ix_date", "ix_quantity", "ix_pair",
    "resource_patient", "commits",
)  # fmt: skip


def lines() -> list[bytes]:
    """The input in memory."""
    if SYNTHEA.exists():
        return gzip.open(SYNTHEA).read().splitlines(keepends=True)
    from xinglin.apps.demo.hospital import lines as demo

    return [line + b"\n" for line in demo(150)]


def backend_cpu_s(pid: int) -> float:
    """User and system time of another process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def load(url: str) -> dict[str, Any]:
    """One import into a new database, in this process."""
    from xinglin.records.service import open_records
    from xinglin.trust import local_system

    given = lines()
    records = open_records(url)
    actor = local_system()
    records.load(actor, given[:1]).run()  # the model and the extractors are loaded once for all
    pid = records.database.exclusively(
        lambda c: c.execute("SELECT pg_backend_pid()").fetchone()[0] if c.dialect == "postgresql" else 0
    )
    backend = backend_cpu_s(pid) if pid else 0.0
    started, cpu = time.perf_counter(), time.process_time()
    done = records.load(actor, given[1:]).run()
    cpu, wall = time.process_time() - cpu, time.perf_counter() - started
    backend = backend_cpu_s(pid) - backend if pid else 0.0
    assert done.rejections == 0, done.rejected[:3]
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    records.close()
    file = Path(url.removeprefix("sqlite:///"))
    return {
        "count": done.taken,
        "cpu": cpu,
        "wall": wall,
        "backend": backend,
        "mib": peak_mib,  # with the whole input, which is streamed in use
        "size": file.stat().st_size if url.startswith("sqlite") else 0,
        "raw": sum(map(len, given)),
    }


def floor(url: str, source: str) -> dict[str, Any]:
    """The floor: the rows of the SQLite database ``source`` into a new database at ``url``, in the same transactions."""
    import orjson

    from xinglin.kernel.database import open_database
    from xinglin.records.schema import migrate

    batches = rows_of(source)
    given = lines()
    database = open_database(url)
    migrate(database)
    statements = {
        table: f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"
        for table, columns in columns_of(source).items()
    }
    columns = columns_of(source)
    postgres = url.startswith("postgresql")
    pid = (
        database.exclusively(lambda c: c.execute("SELECT pg_backend_pid()").fetchone()[0]) if postgres else 0
    )
    backend = backend_cpu_s(pid) if pid else 0.0
    started, cpu = time.perf_counter(), time.process_time()
    place = 0
    for batch in batches:
        for line in given[place : place + len(batch["resource"])]:
            orjson.loads(line)
        place += len(batch["resource"])

        def write(connection: Any, batch: dict[str, list[Any]] = batch) -> None:
            for table, rows in batch.items():
                if not rows:
                    continue
                if postgres:
                    connection.insert(table, columns[table], rows)
                else:
                    connection.executemany(statements[table], rows)

        database.write(write)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - started
    backend = backend_cpu_s(pid) - backend if pid else 0.0
    database.close()
    return {"count": place, "cpu": cpu, "wall": wall, "backend": backend}


def columns_of(source: str) -> dict[str, list[str]]:
    """Column names by table."""
    from xinglin.kernel.database import open_database

    with open_database(source) as database, database.read() as connection:
        return {
            table: [row[1] for row in connection.execute(f"PRAGMA table_info({table})")] for table in TABLES
        }


def rows_of(source: str) -> list[dict[str, list[Any]]]:
    """The rows of an imported database, by the transaction that wrote them and by table."""
    from xinglin.kernel.database import open_database

    batches: dict[int, dict[str, list[Any]]] = {}
    with open_database(source) as database, database.read() as connection:
        first = [row[0] for row in connection.execute("SELECT tx FROM commits ORDER BY tx")]
        for tx in first:
            batches[tx] = {table: [] for table in TABLES}
        tx_of: dict[int, int] = {}
        for row in connection.execute("SELECT * FROM resource ORDER BY tx, rid"):
            tx_of[row[0]] = row[5]
            batches[row[5]]["resource"].append(tuple(row))
        for row in connection.execute("SELECT * FROM commits ORDER BY tx"):
            batches[row[0]]["commits"].append(tuple(row))
        for row in connection.execute("SELECT * FROM entity ORDER BY rid"):
            batches[tx_of.get(row[3], first[0])]["entity"].append(tuple(row))
        # A term was written with the first resource that has it; entities that are no resources stand at the beginning.
        terms = {row[0]: tuple(row) for row in connection.execute("SELECT * FROM term")}
        for table in TABLES[3:-1]:
            for row in connection.execute(f"SELECT * FROM {table} ORDER BY rid"):
                batch = batches[tx_of[row[0]]]
                batch[table].append(tuple(row))
                term = terms.pop(row[2], None) if table == "ix_token" else None
                if term is not None:
                    batch["term"].append(term)
        batches[first[-1]]["term"] += list(terms.values())
    return list(batches.values())


def in_own_process(*arguments: str) -> dict[str, Any]:
    """Run one measurement of this script in a new process."""
    done = subprocess.run([sys.executable, __file__, *arguments], stdout=subprocess.PIPE, check=True)
    result: dict[str, Any] = json.loads(done.stdout)
    return result


@contextmanager
def postgres() -> Iterator[Any]:
    """A server as it would be set in use, but for its small memory."""
    sys.path.insert(0, str(HERE.parent / "tests"))
    from postgres import Cluster

    cluster = Cluster("shared_buffers=256MB", "max_wal_size=2GB", "autovacuum=off")
    try:
        yield cluster
    finally:
        cluster.close()


def table(rows: list[tuple[str, dict[str, Any], dict[str, Any]]]) -> str:
    """The measurements as Markdown."""
    out = [
        "| database | resources | per client CPU-s | with back end | floor per CPU-s | time ÷ floor | memory, MiB |"
        " size ÷ NDJSON |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, got, low in rows:
        both, low_both = got["cpu"] + got["backend"], low["cpu"] + low["backend"]
        out.append(
            f"| {name} | {got['count']:,} | {got['count'] / got['cpu']:,.0f} |"
            f" {got['count'] / both:,.0f} | {low['count'] / low_both:,.0f} |"
            f" {(both / got['count']) / (low_both / low['count']):.2f} | {got['mib']:.0f} |"
            f" {got['size'] / got['raw']:.2f} |".replace(" 0.00 |", " – |")
        )
    return "\n".join(out)


def best(runs: list[dict[str, Any]]) -> dict[str, Any]:
    return min(runs, key=lambda run: float(run["cpu"] + run["backend"]))


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only", choices=("sqlite", "postgresql"))
    parser.add_argument("--load", metavar="URL", help=argparse.SUPPRESS)
    parser.add_argument("--floor", nargs=2, metavar=("URL", "SOURCE"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.load:
        print(json.dumps(load(options.load)))
        return 0
    if options.floor:
        print(json.dumps(floor(*options.floor)))
        return 0
    rows = []
    with tempfile.TemporaryDirectory(prefix="xinglin-import-") as folder:
        source = f"sqlite:///{folder}/0.db"
        in_own_process("--load", source)
        if options.only != "postgresql":
            got, low = [], []
            for run in range(options.runs):
                got.append(in_own_process("--load", f"sqlite:///{folder}/load{run}.db"))
                low.append(in_own_process("--floor", f"sqlite:///{folder}/floor{run}.db", source))
            rows.append(("SQLite", best(got), best(low)))
        if options.only != "sqlite":
            with postgres() as cluster:
                got, low = [], []
                for _ in range(options.runs):
                    got.append(in_own_process("--load", cluster.new_database()))
                    low.append(in_own_process("--floor", cluster.new_database(), source))
            rows.append(("PostgreSQL", best(got), best(low)))
    print(table(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
