"""Conditions are looked up inside the write transaction, on both databases: many callers at once find the same truth."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from xinglin.kernel.database import open_database
from xinglin.kernel.errors import XinglinError
from xinglin.records.errors import Mismatch, NotFound, SeveralMatches, VersionConflict
from xinglin.records.service import Records
from xinglin.records.stored import Operation, Stored
from xinglin.standards.fhir.search.grammar import parse_query
from xinglin.standards.fhir.search.query import Query
from xinglin.trust import Actor


def by_identifier(value: str) -> Query:
    return parse_query("Patient", [("identifier", f"urn:mrn|{value}")], strict=True)


def patient(value: str, **more: Any) -> bytes:
    body = {"resourceType": "Patient", "identifier": [{"system": "urn:mrn", "value": value}], **more}
    return json.dumps(body).encode()


def create(value: str, **more: Any) -> Operation:
    return Operation("create", "Patient", body=patient(value, **more), where=by_identifier(value))


def test_a_conditional_create_gives_back_the_one_that_is_there(records: Records, here: Actor) -> None:
    first = records.write(here, [create("1")])[0]
    again = records.write(here, [create("1", gender="male")])[0]
    assert (first.outcome, again.outcome) == ("created", "existing")
    assert again == first
    assert records.count(here) == {"Patient": 1}


@pytest.mark.parametrize("processes", [1, 3])
def test_of_many_conditional_creates_at_once_one_creates(
    records: Records, here: Actor, database_url: str, processes: int
) -> None:
    others = [Records(open_database(database_url, durable=False)) for _ in range(processes - 1)]
    writing = [records, *others]
    barrier = threading.Barrier(12)

    def write(number: int) -> Stored:
        barrier.wait()
        return writing[number % processes].write(here, [create("same")])[0]

    try:
        with ThreadPoolExecutor(12) as pool:
            stored = list(pool.map(write, range(12)))
    finally:
        for other in others:
            other.close()
    assert len({one.id for one in stored}) == 1
    assert sum(one.outcome == "created" for one in stored) == 1
    assert records.count(here) == {"Patient": 1}


def test_a_condition_sees_what_the_same_transaction_wrote(records: Records, here: Actor) -> None:
    done = records.write(here, [create("1"), create("1"), create("2")])
    assert [stored.outcome for stored in done] == ["created", "existing", "created"]


def test_a_condition_that_finds_several_changes_nothing(records: Records, here: Actor) -> None:
    records.write(here, [Operation("create", "Patient", body=patient("1")) for _ in range(2)])
    before = records.changes(here)
    for operation in (
        create("1"),
        Operation("update", "Patient", body=patient("1"), where=by_identifier("1")),
        Operation("delete", "Patient", where=by_identifier("1")),
        Operation("patch", "Patient", patch=lambda body: body, where=by_identifier("1")),
    ):
        with pytest.raises(SeveralMatches):
            records.write(here, [operation])
    assert records.changes(here) == before
    gone = records.write(here, [Operation("delete", "Patient", where=by_identifier("1"), several=True)])
    assert [stored.deleted for stored in gone] == [True, True]
    assert records.count(here) == {}


def test_a_conditional_update_creates_updates_or_refuses(records: Records, here: Actor) -> None:
    def update(value: str, id_: str | None = None, **more: Any) -> Stored:
        body = patient(value, **({"id": id_} if id_ else {}), **more)
        return records.write(here, [Operation("update", "Patient", id_, body, where=by_identifier(value))])[0]

    first = update("1")
    second = update("1", gender="male")
    assert (first.outcome, second.outcome, second.id, second.version) == ("created", "updated", first.id, 2)
    assert update("1", first.id).version == 3
    with pytest.raises(Mismatch):
        update("1", "another")
    mine = update("2", "mine")
    assert (mine.id, mine.outcome) == ("mine", "created")
    with pytest.raises(VersionConflict):
        update("3", "mine")  # the condition finds nothing, but the id is taken


def test_a_conditional_patch_and_delete_of_nothing(records: Records, here: Actor) -> None:
    with pytest.raises(NotFound):
        records.write(
            here, [Operation("patch", "Patient", patch=lambda body: body, where=by_identifier("1"))]
        )
    assert records.write(here, [Operation("delete", "Patient", where=by_identifier("1"))]) == []


def test_a_condition_never_finds_another_tenants(records: Records, here: Actor, there: Actor) -> None:
    records.write(here, [create("1")])
    assert records.write(there, [create("1")])[0].outcome == "created"
    assert records.write(there, [Operation("delete", "Patient", where=by_identifier("1"))])[0].deleted
    assert records.count(here) == {"Patient": 1}


def test_concurrent_patches_all_take_effect(records: Records, here: Actor) -> None:
    made = records.write(here, [create("1", multipleBirthInteger=0)])[0]

    def add_one(body: bytes) -> bytes:
        sent = json.loads(body)
        sent["multipleBirthInteger"] += 1
        return json.dumps(sent).encode()

    def patch(_: int) -> Stored | XinglinError:
        return records.write(here, [Operation("patch", "Patient", made.id, patch=add_one)])[0]

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(patch, range(24)))
    found = records.read(here, "Patient", made.id)
    assert (found.version, json.loads(found.body)["multipleBirthInteger"]) == (25, 24)
