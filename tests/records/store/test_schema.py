"""Older databases become newer ones, whole or not at all; newer ones are refused."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from xinglin.jobs import Kind, Queue, Worker
from xinglin.kernel.database import Connection, Database, NewerSchema, open_database
from xinglin.records import schema
from xinglin.records.history import HistoryQuery
from xinglin.records.schema import migrate, schema_version
from xinglin.records.service import Records, open_records
from xinglin.standards.fhir.search.grammar import parse_query
from xinglin.trust import local_system

FIXTURES = sorted((Path(__file__).resolve().parents[2] / "fixtures").glob("db-v*.sqlite.gz"))
HERE, THERE = local_system(1), local_system(2)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    with open_database(database_url, durable=False) as opened:
        yield opened


def _layout(url: str) -> dict[str, str]:
    with open_database(url) as database, database.read() as connection:
        rows = connection.execute("SELECT type || ' ' || name, sql FROM sqlite_schema WHERE sql IS NOT NULL")
        return {row[0]: " ".join(row[1].split()) for row in rows if "sqlite_stat" not in row[0]}


def test_every_released_version_has_its_fixture() -> None:
    assert len(FIXTURES) == schema.SCHEMA_VERSION


@pytest.mark.parametrize("fixture", FIXTURES, ids=lambda path: path.name)
def test_a_released_database_opens_with_all_that_was_in_it(fixture: Path, tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    path.write_bytes(gzip.decompress(fixture.read_bytes()))
    records = open_records(f"sqlite:///{path}")
    try:
        assert records.count(HERE) == {"Observation": 1, "Patient": 1}
        assert "张伟" in records.read(HERE, "Patient", "a").body.decode()
        assert b"Miller" in records.read(THERE, "Patient", "a").body
        assert [e.version for e in records.history(HERE, HistoryQuery("Patient", "a")).entries] == [2, 1]
        assert json.loads(records.read(HERE, "Observation", "o").body)["valueQuantity"]["value"] == 7.1
        assert b"7.10" in records.read(HERE, "Observation", "o").body
        query = parse_query(
            "Observation", [("code", "4548-4"), ("patient", "a"), ("_content", "hba1c")], strict=True
        )
        assert [entry.stored.id for entry in records.search(HERE, query).entries] == ["o"]
        assert records.context(2).zone == "Asia/Shanghai"
        assert records.update(HERE, "Patient", "a", b'{"resourceType":"Patient","id":"a"}').version == 3
        assert len(records.changes(HERE)) == 6
    finally:
        records.close()


@pytest.mark.parametrize("fixture", FIXTURES, ids=lambda path: path.name)
def test_a_migrated_database_has_the_same_tables_as_a_new_one(fixture: Path, tmp_path: Path) -> None:
    old, new = tmp_path / "old.db", f"sqlite:///{tmp_path / 'new.db'}"
    old.write_bytes(gzip.decompress(fixture.read_bytes()))
    for url in (f"sqlite:///{old}", new):
        open_records(url).close()
    assert _layout(f"sqlite:///{old}") == _layout(new)


def _indexes(database: Database) -> set[str]:
    with database.read() as connection:
        if connection.dialect == "sqlite":
            return {
                row[0] for row in connection.execute("SELECT sql FROM sqlite_schema WHERE type = 'index'")
            }
        return {
            row[0]
            for row in connection.execute("SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'")
        }


def test_each_released_version_becomes_what_a_new_database_is(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On PostgreSQL too, of which there are no fixtures: with a job that was queued at each version there were jobs at."""
    steps = schema.STEPS
    for version in range(1, len(steps) + 1):
        monkeypatch.setattr(schema, "SCHEMA_VERSION", version)
        monkeypatch.setattr(schema, "STEPS", steps[:version])
        assert migrate(database) == (version - 1, version)
        if version == 2:
            Queue(database).add("a")
    ran: list[str] = []
    Worker(Queue(database), [Kind("a", lambda work: ran.append(work.job.kind))]).run_pending()
    assert ran == ["a"]
    with open_database("sqlite://") as new:
        migrate(new)
        if database.dialect == "sqlite":
            assert _indexes(database) == _indexes(new)
        else:
            assert any("(priority DESC, tenant, run_at_us, seq)" in text for text in _indexes(database))


def test_opening_twice_changes_nothing(database: Database) -> None:
    assert migrate(database) == (0, schema.SCHEMA_VERSION)
    Records(database).update(HERE, "Patient", "p", b'{"resourceType":"Patient","id":"p"}')
    assert migrate(database) == (schema.SCHEMA_VERSION, schema.SCHEMA_VERSION)
    assert Records(database).count(HERE) == {"Patient": 1}


def test_a_newer_database_is_refused_and_left_alone(database: Database) -> None:
    migrate(database)
    database.write(lambda c: c.execute("UPDATE meta SET value = '99' WHERE key = 'schema_version'"))
    with pytest.raises(NewerSchema, match="99"):
        Records(database)
    with database.read() as connection:
        assert schema_version(connection) == 99


def test_a_step_that_fails_leaves_the_version_before(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, released = migrate(database)

    def add(connection: Connection) -> None:
        connection.execute("ALTER TABLE tenant ADD COLUMN motto TEXT")

    def fail(connection: Connection) -> None:
        connection.execute("DROP TABLE tenant")
        raise RuntimeError("half way")

    monkeypatch.setattr(schema, "SCHEMA_VERSION", released + 2)
    monkeypatch.setattr(schema, "STEPS", (*schema.STEPS, add, fail))
    with pytest.raises(RuntimeError, match="half way"):
        migrate(database)
    with database.read() as connection:
        assert schema_version(connection) == released
        assert connection.execute("SELECT count(*) FROM tenant").fetchone() == (1,)
    monkeypatch.setattr(schema, "SCHEMA_VERSION", released + 1)
    monkeypatch.setattr(schema, "STEPS", schema.STEPS[:-1])
    assert migrate(database) == (released, released + 1)
    with database.read() as connection:
        assert connection.execute("SELECT motto FROM tenant").fetchall() == [(None,)]


def test_two_processes_that_open_a_new_database_at_once_make_one(database_url: str) -> None:
    from concurrent.futures import ThreadPoolExecutor

    def opened(_: int) -> int:
        records = open_records(database_url)
        try:
            return len(records.cursors.seal([1], "x"))
        finally:
            records.close()

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(opened, range(4)))) == 1
