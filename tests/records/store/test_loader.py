"""Bulk loading: idempotent, resumable, every reject explained, nothing stopped by one line; on both databases."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from paths import shared
from xinglin.kernel.database import Connection, Full, Unavailable, open_database
from xinglin.records.service import Records
from xinglin.standards.fhir.search.grammar import parse_query
from xinglin.trust import local_system

ACTOR = local_system()


@pytest.fixture
def records(database_url: str) -> Iterator[Records]:
    opened = Records(open_database(database_url, durable=False))
    yield opened
    opened.close()


def line(number: int, **more: Any) -> bytes:
    return json.dumps({"resourceType": "Patient", "id": f"p{number}", **more}).encode() + b"\n"


def test_a_load_is_idempotent_and_tells_what_it_did(records: Records) -> None:
    lines = [line(number) for number in range(25)]
    first = records.load(ACTOR, lines, batch=10).run()
    assert (first.taken, first.updated, first.unchanged, first.rejections) == (25, 0, 0, 0)
    lines[3] = line(3, active=True)
    records.delete(ACTOR, "Patient", "p4")
    second = records.load(ACTOR, lines, batch=10).run()
    assert (second.taken, second.updated, second.unchanged, second.rejections) == (1, 1, 23, 0)
    assert records.read(ACTOR, "Patient", "p3").version == 2
    assert records.read(ACTOR, "Patient", "p4").version == 3
    assert len(records.changes(ACTOR)) == 28


def test_a_bad_line_stops_nothing_and_is_named_with_its_place(records: Records) -> None:
    lines = [
        line(1),
        b"not json\n",
        line(2, gender="unheard-of"),
        b"\n",
        b'{"resourceType":"Nonsense"}\n',
        line(3, birthDate="2023-02-30"),
        line(4),
    ]
    done = records.load(ACTOR, lines).run()
    assert done.taken == 2
    assert [(reject.line, reject.offset) for reject in done.rejected] == [
        (number, sum(map(len, lines[: number - 1]))) for number in (2, 3, 5, 6)
    ]
    assert [reject.body for reject in done.rejected] == [lines[n - 1] for n in (2, 3, 5, 6)]
    assert all(str(reject.error) and reject.error.say("zh") for reject in done.rejected)
    assert (done.line, done.offset) == (7, sum(map(len, lines)))


def test_only_bad_lines_are_reported_in_bounded_batches(records: Records) -> None:
    reports = list(records.load(ACTOR, (b"{}\n" for _ in range(25)), batch=10))
    assert sum(report.rejections for report in reports) == 25
    assert [(report.line, len(report.rejected)) for report in reports] == [(10, 10), (20, 10), (25, 5)]


def test_the_same_resource_twice_in_one_file_is_two_versions(records: Records) -> None:
    done = records.load(ACTOR, [line(1), line(1, active=True), line(1, active=True), line(2)]).run()
    assert (done.taken, done.updated, done.unchanged) == (2, 1, 1)
    assert records.read(ACTOR, "Patient", "p1").version == 2


def test_a_load_cut_short_goes_on_from_the_place_last_reported(records: Records) -> None:
    lines = [line(number) for number in range(60)]
    data = b"".join(lines)
    loading = iter(records.load(ACTOR, lines, batch=10))
    place = next(loading)
    loading.close()  # type: ignore[attr-defined]
    assert place.line == place.taken == (40 if records.database.dialect == "sqlite" else 10)
    assert place.offset == sum(map(len, lines[: place.line]))
    rest = data[place.offset :].splitlines(keepends=True)
    done = records.load(ACTOR, rest, batch=10, line=place.line + 1, offset=place.offset).run()
    assert (done.taken, done.unchanged) == (60 - place.line, 0)
    assert (done.line, done.offset) == (60, len(data))


def test_batches_that_go_together_keep_their_order_where_one_fails(
    records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A later line on the same resource stays the later version, though an earlier batch had to be written in parts."""
    from xinglin.records import loader

    genuine = loader.write_versions

    def stumbling(connection: Connection, ledger: Any, tenant: int, versions: Any, **options: Any) -> Any:
        if any(version.id == "p7" for version in versions):
            if len(versions) > 5:
                raise ValueError("a fault of the unit")
            if len(versions) > 1:
                connection.execute("SELECT no_such_column FROM resource")  # and one of the database
        return genuine(connection, ledger, tenant, versions, **options)

    monkeypatch.setattr(loader, "write_versions", stumbling)
    lines = [*(line(number) for number in range(10)), *(line(number, active=True) for number in range(10))]
    done = records.load(ACTOR, lines, batch=10).run()
    assert (done.taken, done.updated, done.line) == (10, 10, 20)
    for number in range(10):
        kept = records.read(ACTOR, "Patient", f"p{number}")
        assert (kept.version, b'"active":true' in kept.body) == (2, True)


def test_what_is_large_is_not_held(records: Records, monkeypatch: pytest.MonkeyPatch) -> None:
    from xinglin.records import loader

    monkeypatch.setattr(loader, "BATCH_BYTES", 5000)
    text = [{"text": "x" * 1000}]
    good = [line(number, name=text) for number in range(12)]
    bad = [line(number, name=text, gender="mal") for number in range(12)]
    for lines in (good, bad):
        reports = list(records.load(ACTOR, lines, batch=10))
        assert [report.line for report in reports] == [5, 10, 12]
    assert sum(report.rejections for report in reports) == 12


def test_where_a_batch_is_not_taken_none_behind_it_is(
    records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    from xinglin.records.identity import repository

    genuine, left = repository.append_commits, [1, 2]

    def append_commits(connection: Connection, commits: Any) -> None:
        if left:  # as all of them are committed, and as the first one is alone
            left.pop()
            raise Full("kernel.database-full")
        genuine(connection, commits)

    monkeypatch.setattr(repository, "append_commits", append_commits)
    with pytest.raises(Full):
        records.load(ACTOR, (line(number) for number in range(40)), batch=10).run()
    records.database.write(lambda connection: None)  # behind all that was queued
    found = records.search(ACTOR, parse_query("Patient", [("_summary", "count")], strict=True))
    assert found.total == 0


def test_lines_that_come_slowly_are_not_held(records: Records, monkeypatch: pytest.MonkeyPatch) -> None:
    from xinglin.records import loader

    monkeypatch.setattr(loader, "HELD_S", 0.0)
    drawn: list[int] = []

    def coming() -> Iterator[bytes]:
        for number in range(100):
            drawn.append(number)
            yield line(number)

    loading = iter(records.load(ACTOR, coming(), batch=10))
    assert next(loading).taken == 10
    assert len(drawn) == 11
    monkeypatch.setattr(loader, "HELD_S", 1000.0)
    together = 10 * (loader.HELD if records.database.dialect == "sqlite" else 1)
    assert next(loading).taken == together
    assert len(drawn) == 11 + together


def test_a_resource_without_an_id_gets_one_that_follows_from_its_content(records: Records) -> None:
    lines = [b'{"resourceType":"Patient","gender":"male"}', b'{"resourceType":"Patient","gender":"female"}']
    assert records.load(ACTOR, lines).run().taken == 2
    assert records.load(ACTOR, [lines[0].replace(b":", b": ")]).run().unchanged == 1
    assert records.load(ACTOR, lines, ids=False).run().rejections == 2


def test_what_the_database_alone_refuses_costs_only_its_own_line(
    records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The writer is made to stumble over one resource as it would over a value that a column does not take."""
    from xinglin.records import loader

    genuine = loader.write_versions

    def stumbling(connection: Connection, ledger: Any, tenant: int, versions: Any, **options: Any) -> Any:
        if any(version.id == "p7" for version in versions):
            connection.execute("SELECT no_such_column FROM resource")
        return genuine(connection, ledger, tenant, versions, **options)

    monkeypatch.setattr(loader, "write_versions", stumbling)
    done = records.load(ACTOR, [line(number) for number in range(20)]).run()
    assert (done.taken, [reject.line for reject in done.rejected]) == (19, [8])


def test_a_load_stops_clearly_where_the_database_goes_away(
    records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    loading = iter(records.load(ACTOR, (line(number) for number in range(100)), batch=10))
    assert next(loading).taken in (10, 40)
    records.close()
    with pytest.raises(Unavailable):
        list(loading)


def test_loaded_resources_are_found_by_search(records: Records) -> None:
    path = shared("fhir", "synthea_100.ndjson.gz")
    with gzip.open(path) as file:
        lines = [text for _, text in zip(range(1500), file, strict=False)]
    assert records.load(ACTOR, lines).run().rejections == 0
    sent = [json.loads(text) for text in lines]
    weights = {
        body["id"]
        for body in sent
        if body["resourceType"] == "Observation" and body["code"]["coding"][0]["code"] == "29463-7"
    }
    query = parse_query(
        "Observation", [("code", "http://loinc.org|29463-7"), ("_count", "1000")], strict=True
    )
    assert {entry.stored.id for entry in records.search(ACTOR, query).entries} == weights
    for body in sent[::50]:
        found = json.loads(records.read(ACTOR, body["resourceType"], body["id"]).body)
        meta = found.pop("meta")
        own = body.pop("meta", {})
        assert {**meta, **own} == meta
        assert found == body


MEMORY = """
import re, sys
from pathlib import Path
from xinglin.records.service import open_records
from xinglin.trust import local_system
records = open_records(sys.argv[1])
text = '{"resourceType":"Basic","id":"b%d","code":{"text":"' + "x" * 3000 + '"}}'
done = records.load(local_system(), ((text % number).encode() for number in range(int(sys.argv[2])))).run()
assert done.taken == int(sys.argv[2])
# The peak of this program alone: ru_maxrss would begin with that of the process that started it.
print(int(re.search(r"VmHWM:\\s*(\\d+)", Path("/proc/self/status").read_text())[1]) // 1024)
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_length_of_the_input(database_url: str) -> None:
    """60 MB against 6 MB of input."""
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, database_url, "20000"], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) < 300


def test_a_fault_of_our_own_costs_only_its_line(records: Records, monkeypatch: pytest.MonkeyPatch) -> None:
    from xinglin.records import loader

    genuine = loader.prepare_parsed

    def faulty(resource: Any, *rest: Any) -> Any:
        if resource.id == "p2":
            raise KeyError("an oversight")
        return genuine(resource, *rest)

    monkeypatch.setattr(loader, "prepare_parsed", faulty)
    done = records.load(ACTOR, [line(number) for number in range(4)]).run()
    assert (done.taken, [reject.line for reject in done.rejected]) == (3, [3])
    assert "KeyError" in str(done.rejected[0].error)
    assert "an oversight" not in str(done.rejected[0].error)


def test_a_tenant_made_by_another_process_keeps_its_own_time(records: Records, database_url: str) -> None:
    other = Records(open_database(database_url, durable=False))
    other.set_tenant(7, "seventh", "Asia/Shanghai")
    other.close()
    assert records.context(7).zone == "Asia/Shanghai"
    assert records.context(8).zone == "UTC"
