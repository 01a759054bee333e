"""The database gets new statistics as the record grows, whoever makes it grow; on both databases."""

from __future__ import annotations

from xinglin.kernel.database import open_database
from xinglin.records import repository
from xinglin.records.service import Records
from xinglin.records.stored import Operation
from xinglin.trust import local_system

HERE = local_system()


def patients(low: int, high: int) -> list[bytes]:
    return [b'{"resourceType":"Patient","id":"p%d","gender":"male"}' % number for number in range(low, high)]


def analyzed(records: Records) -> int:
    """How many resources the record had when the database was last analyzed, by both accounts."""
    with records.database.read() as connection:
        ours = int(repository.meta(connection, "analyzed_resources") or 0)
        if connection.dialect == "postgresql":
            row = connection.execute(
                "SELECT reltuples::int FROM pg_class WHERE relname = 'resource'"
            ).fetchone()
            theirs = max(row[0], 0) if row else 0
        elif connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'sqlite_stat1'").fetchone():
            row = connection.execute("SELECT stat FROM sqlite_stat1 WHERE tbl = 'resource'").fetchone()
            theirs = int(row[0].split()[0]) if row else 0
        else:
            theirs = 0
    assert ours <= theirs
    return ours


def opened(url: str) -> Records:
    return Records(open_database(url, durable=False))


def test_small_loads_count_together_and_small_growth_does_not_count(database_url: str) -> None:
    for low in (0, 600):
        records = opened(database_url)
        records.load(HERE, patients(low, low + 600)).run()
        assert analyzed(records) == 0
        records.close()
    records = opened(database_url)
    assert analyzed(records) == 1200
    records.load(HERE, patients(1200, 2300)).run()
    assert analyzed(records) == 1200
    records.load(HERE, patients(2300, 3400)).run()
    assert analyzed(records) == 3400
    records.close()


def test_single_writes_count_too(database_url: str) -> None:
    records = opened(database_url)
    for low in range(0, 1100, 100):
        bodies = patients(low, low + 100)
        records.write(
            HERE, [Operation("update", "Patient", f"p{low + i}", body) for i, body in enumerate(bodies)]
        )
    records.close()
    records = opened(database_url)
    assert analyzed(records) == 1100
    records.close()


def test_a_server_analyzes_what_was_written_to_it(database_url: str) -> None:
    import time

    records = opened(database_url)
    records.write(
        HERE, [Operation("update", "Patient", f"p{i}", body) for i, body in enumerate(patients(0, 1000))]
    )
    records.keep_up()
    deadline = time.monotonic() + 30
    while not analyzed(records):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    records.close()
