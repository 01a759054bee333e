"""Index rows made by older rules are found and made anew, without a new version of anything; on both databases."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from xinglin.jobs import Worker
from xinglin.kernel.clock import now_us
from xinglin.kernel.database import Connection, open_database
from xinglin.kernel.settings import Settings
from xinglin.records import repository
from xinglin.records.jobs import kinds
from xinglin.records.reindexing import Reindex, count_stale
from xinglin.records.service import Records, open_records
from xinglin.records.site import Site
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


def redrawn(report: dict[str, Any]) -> int:
    return sum(one["redrawn"] for one in report["types"].values())


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
    assert redrawn(Reindex(records, 1).run()) == 699
    assert found(records) == {f"p{number}" for number in range(700)} - {"p5"}
    assert count_stale(records, HERE) == {}
    assert records.changes(HERE, 0, 10_000) == before
    assert redrawn(Reindex(records, 1).run()) == 0


def test_a_resource_written_meanwhile_keeps_its_new_rows(records: Records) -> None:
    records.update(HERE, "Patient", "p1", patient(1))
    records.database.write(lambda c: c.execute("UPDATE resource SET index_version = 7"))
    from xinglin.records import reindexing

    genuine, seen = reindexing.repository.stale, []

    def then_written(*arguments: Any) -> Any:
        rows = genuine(*arguments)
        if rows and not seen:
            seen.append(rows)
            records.update(HERE, "Patient", "p1", b'{"resourceType":"Patient","id":"p1","gender":"female"}')
        return rows

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(reindexing.repository, "stale", then_written)
        assert redrawn(Reindex(records, 1).run()) == 0
    assert seen
    assert found(records) == set()
    assert count_stale(records, HERE) == {}


def test_a_server_asks_for_a_reindex_of_stale_rows_and_once_only(records: Records) -> None:
    from xinglin.records import reindexing

    site = Site(records, Settings())
    worker = Worker(site.queue, kinds(site))
    records.load(HERE, [patient(number) for number in range(20)]).run()
    assert reindexing.want(records) == [], "all of it was drawn by today's rules"

    def spoil(connection: Connection) -> None:
        connection.execute("UPDATE resource SET index_version = 7")
        connection.execute("DELETE FROM ix_token")
        connection.execute("DELETE FROM meta WHERE key = 'indexed_1'")

    records.database.write(spoil)
    records.keep_up()
    deadline = time.monotonic() + 30
    while not site.queue.list(states=("queued",)):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    records.stop_keeping_up()
    assert found(records) == set()
    worker.run_pending()
    assert len(found(records)) == 20
    assert reindexing.want(records) == []


def test_what_a_start_has_found_up_to_date_the_next_one_does_not_look_at_again(
    records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    from xinglin.records import reindexing

    looked: dict[str, int] = {}
    genuine = repository.stale

    def stale(connection: Connection, tenant: int, kind: str, signature: int, after: Any, most: int) -> Any:
        looked[kind] = after[0]
        return genuine(connection, tenant, kind, signature, after, most)

    monkeypatch.setattr(repository, "stale", stale)
    records.load(HERE, [patient(number) for number in range(20)]).run()
    for again in (False, True, True):
        before = now_us()
        assert reindexing.want(records) == []
        assert looked.keys() == {"Patient"}
        assert (looked["Patient"] > before - 2 * reindexing.SKEW_US) == again
    records.create(HERE, "Basic", b'{"resourceType":"Basic","code":{"text":"new"}}')
    assert reindexing.want(records) == []
    assert looked["Basic"] == -1
    assert looked["Patient"] > 0


def test_a_spoilt_row_is_found_by_comparison_and_made_anew(records: Records) -> None:
    records.load(HERE, [patient(number) for number in range(20)]).run()

    def spoil(connection: Connection) -> None:
        connection.execute("DELETE FROM ix_token WHERE rid = (SELECT min(rid) FROM resource)")
        connection.execute(
            "UPDATE resource SET index_version = 7 WHERE rid > (SELECT min(rid) FROM resource)"
        )

    records.database.write(spoil)
    assert len(found(records)) == 19
    report = Reindex(records, 1).run()
    assert report["proofs"]["Patient"]["different"] == 0
    assert len(found(records)) == 20


class _Explaining:
    """A connection that keeps the plan of each statement."""

    dialect = "sqlite"

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.plans: list[str] = []

    def execute(self, sql: str, params: Any = ()) -> Any:
        rows = self.connection.execute(f"EXPLAIN QUERY PLAN {sql}", params).fetchall()
        self.plans += [row[3] for row in rows]
        return self.connection.execute(sql, params)


def test_many_numbers_never_cost_a_look_through_the_whole_tenant(sqlite_url: str) -> None:
    records = open_records(sqlite_url)
    numbers = list(range(1, 600))
    with records.database.read() as connection:
        watched: Any = _Explaining(connection)
        repository.current(watched, 1, numbers)
        repository.drawn_by(watched, 1, numbers)
    records.close()
    assert watched.plans
    assert not [plan for plan in watched.plans if "resource_updated" in plan]
