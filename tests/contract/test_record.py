"""What the record promises, on both databases, with two tenants that use the same ids."""

from __future__ import annotations

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from xinglin.kernel.errors import XinglinError
from xinglin.records.errors import BadCursor, Gone, Mismatch, NoSuchVersion, NotFound, VersionConflict
from xinglin.records.history import HistoryQuery
from xinglin.records.service import Records
from xinglin.records.stored import Operation, Stored
from xinglin.records.transaction import Transaction
from xinglin.standards.fhir.errors import Invalid
from xinglin.trust import Actor


def patient(id_: str | None = "p", **more: Any) -> bytes:
    body = {"resourceType": "Patient", **({"id": id_} if id_ else {}), **more}
    return json.dumps(body, ensure_ascii=False).encode()


def observation(id_: str, subject: str, value: str) -> bytes:
    return (
        f'{{"resourceType":"Observation","id":"{id_}","status":"final","code":{{"coding":[{{"system":"http://loinc.org",'
        f'"code":"4548-4","display":"HbA1c"}}]}},"subject":{{"reference":"Patient/{subject}"}},'
        f'"valueQuantity":{{"value":{value},"unit":"%"}}}}'
    ).encode()


def put(records: Records, actor: Actor, body: bytes, **options: Any) -> Stored:
    sent = json.loads(body)
    return records.update(actor, sent["resourceType"], sent["id"], body, **options)


def test_a_created_resource_is_read_back_as_sent(records: Records, here: Actor) -> None:
    stored = records.create(here, "Patient", b' { "resourceType" : "Patient",\n "active":true } ')
    found = records.read(here, "Patient", stored.id)
    assert found == stored
    body = json.loads(found.body)
    assert body.pop("meta") == {
        "versionId": "1",
        "lastUpdated": stored.updated.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    }
    assert body == {"resourceType": "Patient", "id": stored.id, "active": True}
    assert len(stored.id) == 26


def test_decimals_strings_and_member_order_survive(records: Records, here: Actor) -> None:
    body = (
        b'{"resourceType":"Observation","status":"final","id":"o","meta":{"versionId":"99","profile":["http://p"],'
        b'"lastUpdated":"2001-01-01T00:00:00Z"},"code":{"text":"\\u5f20 \\/ \xe5\xbc\xa0"},'
        b'"valueQuantity":{"value":1.10,"unit":"mg"}}'
    )
    stored = put(records, here, body)
    when = stored.updated.isoformat(timespec="milliseconds").replace("+00:00", "Z").encode()
    assert records.read(here, "Observation", "o").body == body.replace(
        b'"versionId":"99","profile":["http://p"],"lastUpdated":"2001-01-01T00:00:00Z"',
        b'"versionId":"1","lastUpdated":"%s","profile":["http://p"]' % when,
    )


def test_versions_count_per_resource_and_each_can_be_read(records: Records, here: Actor) -> None:
    first = put(records, here, patient(gender="male"))
    put(records, here, patient("other"))
    second = put(records, here, patient(gender="female"))
    assert (first.version, second.version) == (1, 2)
    assert records.vread(here, "Patient", "p", 1) == first
    assert records.vread(here, "Patient", "p", 2) == second
    with pytest.raises(NoSuchVersion):
        records.vread(here, "Patient", "p", 3)


def test_a_deleted_resource_is_gone_and_can_come_back(records: Records, here: Actor) -> None:
    put(records, here, patient())
    gone = records.delete(here, "Patient", "p")
    assert gone is not None
    assert gone.deleted
    assert records.delete(here, "Patient", "p") is None
    with pytest.raises(Gone):
        records.read(here, "Patient", "p")
    with pytest.raises(Gone):
        records.vread(here, "Patient", "p", 2)
    assert records.vread(here, "Patient", "p", 1).version == 1
    again = put(records, here, patient())
    assert (again.version, again.outcome) == (3, "created")


def test_nothing_is_there_that_was_never_written(records: Records, here: Actor) -> None:
    for call in (records.read, lambda a, t, i: records.vread(a, t, i, 1)):
        with pytest.raises(NotFound):
            call(here, "Patient", "nobody")
    assert records.delete(here, "Patient", "nobody") is None
    put(records, here, observation("o", "nobody", "1"))  # a target of a reference is not yet a resource
    with pytest.raises(NotFound):
        records.read(here, "Patient", "nobody")


def test_a_version_precondition_holds_inside_the_transaction(records: Records, here: Actor) -> None:
    put(records, here, patient())
    barrier = threading.Barrier(8)

    def change(number: int) -> Stored | XinglinError:
        barrier.wait()
        try:
            return put(records, here, patient(birthDate=f"200{number}"), if_match=1)
        except XinglinError as error:
            return error

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(change, range(8)))
    assert sum(isinstance(answer, Stored) for answer in answers) == 1
    assert sum(isinstance(answer, VersionConflict) for answer in answers) == 7
    assert records.read(here, "Patient", "p").version == 2
    with pytest.raises(VersionConflict):
        put(records, here, patient("absent"), if_match=1)


def test_several_operations_happen_together_or_not_at_all(records: Records, here: Actor) -> None:
    put(records, here, patient("old"))
    operations = [
        Operation("create", "Patient", body=patient(None)),
        Operation("delete", "Patient", "old"),
        Operation("update", "Patient", "old2", patient("old2"), if_match=7),
    ]
    with pytest.raises(VersionConflict):
        records.write(here, operations)
    assert records.count(here) == {"Patient": 1}
    assert records.read(here, "Patient", "old").version == 1
    done = records.write(here, operations[:2])
    assert [stored.outcome for stored in done] == ["created", "deleted"]
    assert done[0].updated_us == done[1].updated_us


def test_a_transaction_sees_its_own_writes_and_nobody_elses_half(records: Records, here: Actor) -> None:
    def work(transaction: Transaction) -> tuple[bytes, Stored]:
        made = transaction.create("Patient", patient(None))
        assert transaction.read("Patient", made.id) == made
        changed = transaction.patch(
            "Patient", made.id, lambda body: body.replace(b'"Patient"', b'"Patient","active":false')
        )
        with pytest.raises(NotFound):
            records.read(here, "Patient", made.id)
        return made.body, changed

    before, changed = records.transact(here, work)
    assert b"active" not in before
    assert (changed.version, changed.method) == (2, "PATCH")
    assert records.read(here, "Patient", changed.id) == changed


def test_an_invalid_body_is_refused_and_changes_nothing(records: Records, here: Actor) -> None:
    with pytest.raises(Invalid):
        records.create(here, "Patient", b'{"resourceType":"Patient","birthDate":"2023-02-30"}')
    with pytest.raises(Mismatch):
        records.create(here, "Patient", observation("o", "p", "1"))
    with pytest.raises(Mismatch):
        records.update(here, "Patient", "a b", patient("a"))
    assert records.count(here) == {}
    assert records.changes(here) == []


def test_skip_unchanged_sees_what_differs_to_fhir(records: Records, here: Actor) -> None:
    put(records, here, observation("o", "p", "1.10"))

    def again(body: bytes) -> str:
        return records.write(here, [Operation("update", "Observation", "o", body, skip_unchanged=True)])[
            0
        ].outcome

    assert again(observation("o", "p", "1.10")) == "unchanged"
    assert again(observation("o", "p", "1.1")) == "updated"
    members = json.loads(observation("o", "p", "1.1"))
    assert again(json.dumps(dict(reversed(members.items()))).encode()) == "unchanged"
    assert records.read(here, "Observation", "o").version == 2


def test_two_tenants_with_the_same_ids_never_meet(records: Records, here: Actor, there: Actor) -> None:
    put(records, here, patient(gender="male"))
    with pytest.raises(NotFound):
        records.read(there, "Patient", "p")
    with pytest.raises(NotFound):
        records.history(there, HistoryQuery("Patient", "p"))
    with pytest.raises(VersionConflict):
        put(records, there, patient(), if_match=1)
    assert records.delete(there, "Patient", "p") is None
    mine = put(records, there, patient(gender="female"))
    put(records, there, observation("o", "p", "7"))
    assert mine.version == 1
    assert b'"male"' in records.read(here, "Patient", "p").body
    assert b'"female"' in records.read(there, "Patient", "p").body
    records.delete(there, "Patient", "p")
    assert records.read(here, "Patient", "p").version == 1
    assert records.count(here) == {"Patient": 1}
    assert records.count(there) == {"Observation": 1}
    assert {change.tenant for change in records.changes(here)} == {1}
    assert len(records.changes(there)) == 3
    assert [e.version for e in records.history(here, HistoryQuery()).entries] == [1]
    assert len(records.history(there, HistoryQuery("Patient")).entries) == 2


def _walk(records: Records, actor: Actor, **query: Any) -> list[tuple[str, str, int]]:
    found: list[tuple[str, str, int]] = []
    cursor = None
    while True:
        page = records.history(actor, HistoryQuery(**query, cursor=cursor))
        found += [(entry.type, entry.id, entry.version) for entry in page.entries]
        cursor = page.next
        if cursor is None:
            return found


@pytest.fixture
def lived(records: Records, here: Actor) -> dict[str, Stored]:
    """Three patients: a written three times, b written and deleted, c written once; an observation between."""
    stored = {}
    for name in ("a1", "b1", "a2", "o1", "b2", "c1", "a3"):
        time.sleep(0.003)
        if name == "o1":
            stored[name] = put(records, here, observation("o", "a", "5"))
        elif name == "b2":
            deleted = records.delete(here, "Patient", "b")
            assert deleted is not None
            stored[name] = deleted
        else:
            stored[name] = put(records, here, patient(name[0], birthDate=f"200{name[1]}"))
    return stored


@pytest.mark.parametrize("count", [1, 2, 3, 50])
def test_history_is_complete_newest_first_in_pages_of_any_size(
    records: Records, here: Actor, lived: dict[str, Stored], count: int
) -> None:
    everything = [(s.type, s.id, s.version) for s in reversed(lived.values())]
    assert _walk(records, here, count=count) == everything
    patients = [entry for entry in everything if entry[0] == "Patient"]
    assert _walk(records, here, type="Patient", count=count) == patients
    of_a = [entry for entry in patients if entry[1] == "a"]
    assert _walk(records, here, type="Patient", id="a", count=count) == of_a


def test_history_since_and_at(records: Records, here: Actor, lived: dict[str, Stored]) -> None:
    middle = lived["o1"].updated_us
    names = {(s.type, s.id, s.version): name for name, s in lived.items()}

    def shown(**query: Any) -> list[str]:
        return [names[entry] for entry in _walk(records, here, **query)]

    assert shown(since_us=middle) == ["a3", "c1", "b2", "o1"]
    assert shown(type="Patient", since_us=middle) == ["a3", "c1", "b2"]
    assert shown(type="Patient", id="a", since_us=middle) == ["a3"]
    assert shown(at_us=(middle, middle + 1)) == ["o1", "a2", "b1"]
    assert shown(type="Patient", at_us=(middle, lived["c1"].updated_us + 1)) == ["c1", "b2", "a2", "b1"]
    assert shown(type="Patient", id="a", at_us=(0, lived["a1"].updated_us)) == []
    assert records.history(here, HistoryQuery("Patient", "a")).total == 3


def test_a_history_page_stays_where_it_was_while_others_write(
    records: Records, here: Actor, lived: dict[str, Stored]
) -> None:
    first = records.history(here, HistoryQuery("Patient", count=2))
    put(records, here, patient("a", birthDate="2020"))
    put(records, here, patient("z"))
    rest = _walk(records, here, type="Patient", count=50)
    second = records.history(here, HistoryQuery("Patient", count=50, cursor=first.next))
    seen = [(e.type, e.id, e.version) for page in (first, second) for e in page.entries]
    assert seen == [entry for entry in rest if entry not in (("Patient", "a", 4), ("Patient", "z", 1))]


def test_a_cursor_is_good_for_its_own_question_and_tenant_only(
    records: Records, here: Actor, there: Actor, lived: dict[str, Stored]
) -> None:
    cursor = records.history(here, HistoryQuery("Patient", count=1)).next
    assert cursor is not None
    flipped = ("A" if cursor[5] != "A" else "B").join((cursor[:5], cursor[6:]))
    for actor, query in (
        (there, HistoryQuery("Patient", cursor=cursor)),
        (here, HistoryQuery(cursor=cursor)),
        (here, HistoryQuery("Patient", cursor=flipped)),
        (here, HistoryQuery("Patient", cursor="张")),
        (here, HistoryQuery("Patient", cursor="")),
    ):
        with pytest.raises(BadCursor):
            records.history(actor, query)


def test_a_follower_of_the_feed_misses_nothing_whoever_writes(
    records: Records, here: Actor, there: Actor, database_url: str
) -> None:
    """Several writers, on PostgreSQL in several processes' worth of connections, and one follower meanwhile."""
    from xinglin.kernel.database import open_database

    others = [Records(open_database(database_url, durable=False)) for _ in range(3)]
    writing = [records, *others]
    written: list[set[tuple[str, int]]] = [set() for _ in writing]
    followed: list[tuple[str, int]] = []
    positions: list[int] = []
    finished = threading.Event()

    def write(index: int) -> None:
        for number in range(40):
            stored = put(writing[index], here, patient(f"p{number % 7}", birthDate=f"{1900 + number}"))
            written[index].add((stored.id, stored.version))
            if number % 10 == 0:
                put(writing[index], there, patient(f"p{number}"))

    def follow() -> None:
        position = 0
        while True:
            last = finished.is_set()
            for change in records.changes(here, position, 5):
                assert change.position >= position
                position = change.position
                positions.append(position)
                followed.append((change.id, change.version))
            if last and not records.changes(here, position, 5):
                return

    follower = threading.Thread(target=follow)
    follower.start()
    try:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(write, range(4)))
    finally:
        finished.set()
        follower.join()
        for other in others:
            other.close()
    assert positions == sorted(positions)
    assert len(followed) == len(set(followed)) == 160
    assert set(followed) == set().union(*written)


def test_time_never_runs_backwards_between_commits(
    records: Records, here: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = put(records, here, patient())
    monkeypatch.setattr("xinglin.records.identity.ledger.now_us", lambda: first.updated_us - 3_600_000_000)
    assert put(records, here, patient()).updated_us == first.updated_us


def test_many_writers_of_new_ids_get_one_version_each(records: Records, here: Actor) -> None:
    def write(number: int) -> Stored:
        return put(records, here, observation(f"o{number}", f"p{number % 3}", "1"))

    with ThreadPoolExecutor(12) as pool:
        stored = list(pool.map(write, range(60)))
    assert {s.version for s in stored} == {1}
    assert records.count(here) == {"Observation": 60}


def test_two_processes_load_the_same_file_at_once(records: Records, here: Actor, database_url: str) -> None:
    """They meet at every new code, target and resource, in opposite order; each resource is taken by one of them."""
    from xinglin.kernel.database import open_database

    other = Records(open_database(database_url, durable=False))
    lines = [observation(f"o{number}", f"p{number % 50}", str(number)) for number in range(600)]
    lines += [patient(f"p{number}", birthDate=str(1900 + number)) for number in range(50)]
    try:
        with ThreadPoolExecutor(2) as pool:
            loads = [
                pool.submit(lambda: records.load(here, lines, batch=60).run()),
                pool.submit(lambda: other.load(here, lines[::-1], batch=70).run()),
            ]
            done = [load.result() for load in loads]
    finally:
        other.close()
    assert sum(one.taken for one in done) == 650
    assert sum(one.unchanged for one in done) == 650
    assert [one.rejections for one in done] == [0, 0]
    assert records.count(here) == {"Observation": 600, "Patient": 50}
    with records.database.read() as connection:
        for table, key in (
            ("term", "tenant, system, code, text"),
            ("entity", "tenant, type, id"),
            ("ix_token", "rid, param, value"),
            ("ix_reference", "rid, param, target"),
        ):
            total, distinct = (
                connection.execute(sql).fetchone()
                for sql in (
                    f"SELECT count(*) FROM {table}",
                    f"SELECT count(*) FROM (SELECT DISTINCT {key} FROM {table}) AS d",
                )
            )
            assert total == distinct, table


def test_names_first_met_in_a_failed_write_are_met_again(records: Records, here: Actor) -> None:
    """Codes and identities are remembered between writes; those of a write that was undone must be forgotten."""
    from xinglin.standards.fhir.search.grammar import parse_query

    body = observation("o", "p", "1").replace(b"4548-4", b"new-code")

    def fail(transaction: Transaction) -> None:
        transaction.update("Observation", "o", body)
        raise ZeroDivisionError

    held = threading.Event()
    blocker = records.begin(here, lambda _: held.wait(30))
    failing = [records.begin(here, fail) for _ in range(3)]
    taken = records.begin(here, lambda transaction: transaction.update("Observation", "o", body))
    failing.append(records.begin(here, fail))
    held.set()
    blocker.result()
    for one in failing:
        with pytest.raises(ZeroDivisionError):
            one.result()
    assert taken.result().version == 1
    for criterion in (("code", "new-code"), ("subject", "Patient/p")):
        query = parse_query("Observation", [criterion], strict=True)
        assert [entry.stored.id for entry in records.search(here, query).entries] == ["o"]
    assert [change.id for change in records.changes(here)] == ["o"]
    with records.database.read() as connection:
        assert connection.execute("SELECT count(*) FROM term WHERE code = 'new-code'").fetchone() == (1,)
        duplicated = "SELECT count(*) FROM (SELECT rid FROM entity GROUP BY rid HAVING count(*) > 1) AS d"
        assert connection.execute(duplicated).fetchone() == (0,)
