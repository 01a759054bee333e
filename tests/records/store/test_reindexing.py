"""Index rows made by older rules are found and made anew, without a new version of anything; on both databases."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from xinglin.kernel.database import Connection, open_database
from xinglin.records.reindexing import count_stale, reindex
from xinglin.records.service import Records
from xinglin.standards.fhir.search.grammar import parse_query
from xinglin.trust import local_system

HERE, THERE = local_system(1), local_system(2)


@pytest.fixture
def records(database_url: str) -> Iterator[Records]:
    opened = Records(open_database(database_url, durable=False))
    yield opened
    opened.close()


def patient(number: int) -> bytes:
    return b'{"resourceType":"Patient","id":"p%d","gender":"male","name":[{"family":"Li"}]}' % number


def found(records: Records) -> set[str]:
    query = parse_query("Patient", [("gender", "male"), ("family", "li"), ("_count", "1000")], strict=True)
    return {entry.stored.id for entry in records.search(HERE, query).entries}


def test_stale_rows_are_made_anew_and_versions_stay(records: Records) -> None:
    lines = [patient(number) for number in range(700)]
    records.load(HERE, lines).run()
    records.load(THERE, lines[:3]).run()
    records.delete(HERE, "Patient", "p5")
    before = records.changes(HERE, 0, 10_000)
    assert count_stale(records, HERE) == {}

    def spoil(connection: Connection) -> None:
        connection.execute("UPDATE resource SET index_version = 7, patient = 0 WHERE tenant = 1")
        for table in ("ix_token", "ix_string"):
            connection.execute(f"DELETE FROM {table} WHERE tenant = 1")

    records.database.write(spoil)
    assert found(records) == set()
    assert count_stale(records, HERE) == {"Patient": 699}
    assert list(reindex(records, HERE)) == [500, 199]
    assert found(records) == {f"p{number}" for number in range(700)} - {"p5"}
    assert count_stale(records, HERE) == {}
    assert records.changes(HERE, 0, 10_000) == before
    assert list(reindex(records, HERE)) == []


def test_a_resource_written_meanwhile_keeps_its_new_rows(records: Records) -> None:
    records.update(HERE, "Patient", "p1", patient(1))
    records.database.write(lambda c: c.execute("UPDATE resource SET index_version = 7"))
    from xinglin.records import reindexing

    genuine = reindexing.repository.stale

    def then_written(*arguments: object) -> object:
        rows = genuine(*arguments)  # type: ignore[arg-type]
        records.update(HERE, "Patient", "p1", b'{"resourceType":"Patient","id":"p1","gender":"female"}')
        return rows

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(reindexing.repository, "stale", then_written)
        assert next(reindex(records, HERE)) == 0
    assert found(records) == set()
    assert count_stale(records, HERE) == {}


def test_a_server_renews_stale_rows_in_the_background_and_looks_once(
    records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    import time

    from xinglin.records import reindexing

    records.load(HERE, [patient(number) for number in range(20)]).run()
    assert reindexing.renew(records, lambda: False) == 0

    def spoil(connection: Connection) -> None:
        connection.execute("UPDATE resource SET index_version = 7")
        connection.execute("DELETE FROM ix_token")
        connection.execute("DELETE FROM meta WHERE key = 'indexed_1'")

    records.database.write(spoil)
    records.keep_up()
    deadline = time.monotonic() + 30
    while len(found(records)) < 20:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    records.stop_keeping_up()
    monkeypatch.setattr(reindexing, "reindex", lambda *_: pytest.fail("it was up to date"))
    assert reindexing.renew(records, lambda: False) == 0
