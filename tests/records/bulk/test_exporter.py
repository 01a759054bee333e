"""What an export holds: everything asked for, once, as of one instant."""

from __future__ import annotations

import json
import random
import threading
import time
from typing import Any

import pytest

from bulk_world import Exported, group, observation, patient, put
from xinglin.kernel.clock import now_us
from xinglin.records.bulk import repository
from xinglin.records.bulk.errors import NoSuchGroup
from xinglin.records.bulk.exporter import State, Watch
from xinglin.records.bulk.moment import Moment
from xinglin.records.bulk.request import Export
from xinglin.records.service import Records, open_records
from xinglin.records.writing import instant_text
from xinglin.trust import Predicate, local_system

HERE, THERE = local_system(1), local_system(2)


def everything(records: Records) -> dict[str, dict[str, Any]]:
    """Every live resource as the record has it now, found through the change feed."""
    names = {(change.type, change.id) for change in _changes(records)}
    found = {}
    for kind, id_ in names:
        try:
            found[f"{kind}/{id_}"] = json.loads(records.read(HERE, kind, id_).body)
        except Exception:
            continue
    return found


def _changes(records: Records) -> list[Any]:
    found: list[Any] = []
    while more := records.changes(HERE, found[-1].position if found else 0):
        found += more
    return found


def test_the_whole_record_once_and_as_it_is(world: Records, export: Any) -> None:
    done = export()
    assert done.bodies == everything(world)
    assert len(done.names) == 54


def test_a_file_begins_where_the_one_before_is_full(world: Records, export: Any) -> None:
    done = export(file_bytes=1)
    assert done.bodies == everything(world)
    many: Exported = export(Export(types=("Observation",)), file_bytes=1)
    assert [file.name for file in many.state.output] == ["Observation-1.ndjson"]  # fewer than one chunk


def test_an_empty_record_exports_nothing(records: Records, export: Any) -> None:
    done = export()
    assert done.state.output == []


def test_types_narrow(world: Records, export: Any) -> None:
    done = export(Export(types=("Patient", "Practitioner")))
    assert {name.split("/")[0] for name in done.names} == {"Patient", "Practitioner"}


def test_another_tenant_sees_nothing_of_it(world: Records, export: Any) -> None:
    put(world, THERE, patient(77))
    assert export(actor=THERE).names == {"Patient/p77"}
    assert "Patient/p77" not in export().names


def test_a_body_is_one_line_whatever_it_holds(world: Records, export: Any) -> None:
    put(world, HERE, patient(1, name=[{"text": "a\r\nb\u2028c\u0085d"}]))
    assert export().bodies["Patient/p1"]["name"][0]["text"] == "a\r\nb\u2028c\u0085d"


def test_digits_survive(world: Records, export: Any) -> None:
    body = b'{"resourceType":"Observation","id":"d","status":"final","code":{"text":"x"},"valueQuantity":{"value":1.10}}'
    world.update(HERE, "Observation", "d", body)
    done = export(Export(types=("Observation",)))
    assert any(b'"value":1.10}' in line for line in done.lines("Observation-1.ndjson"))


def test_the_patient_level_is_every_patients_compartment(world: Records, export: Any) -> None:
    put(world, HERE, {**observation(900, 0), "subject": {"reference": "Group/g"}})
    done = export(Export("patient"))
    kinds = {name.split("/")[0] for name in done.names}
    assert kinds == {
        "Patient",
        "Observation",
        "Appointment",
        "Group",
    }  # a Group is in its members' compartments
    assert "Observation/o900" not in done.names
    assert len(done.names) == 52


def test_a_group_is_its_active_members_compartments(world: Records, export: Any) -> None:
    done = export(Export("group", "g"))
    assert done.names == {
        "Patient/p1", "Patient/p2", "Appointment/both", "Group/g",
        *(f"Observation/o{n}" for n in range(40) if n % 10 in (1, 2)),
    }  # fmt: skip


def test_groups_within_groups_are_followed_and_circles_end(world: Records, export: Any) -> None:
    put(world, HERE, group("outer", ["Group/g", "Patient/p9", "Patient/unknown"]))
    put(world, HERE, group("g", ["Patient/p1", "Group/outer"]))
    done = export(Export("group", "outer", types=("Patient",)))
    assert done.names == {"Patient/p1", "Patient/p9"}


def test_who_has_left_a_group_or_not_yet_joined_is_no_member(world: Records, export: Any) -> None:
    periods = [{"end": "2001-01-01"}, {"start": "2199-01-01"}, {"start": "2001", "end": "2199"}, {}]
    one = group("g", [f"Patient/p{n}" for n in range(4)])
    for member, period in zip(one["member"], periods, strict=True):
        member["period"] = period
    del one["member"][3]["period"]
    put(world, HERE, one)
    assert export(Export("group", "g", types=("Patient",))).names == {"Patient/p2", "Patient/p3"}


def test_whose_period_in_a_group_has_begun_since_comes_whole(world: Records, export: Any) -> None:
    start = now_us() + 60_000
    one = group("g", ["Patient/p1", "Patient/p2"])
    one["member"][1]["period"] = {"start": instant_text(start)}
    put(world, HERE, one)
    since = export().state.moment.at_us + 1
    assert since < start
    time.sleep(max(0.0, (start - now_us()) / 1e6) + 0.005)
    done = export(Export("group", "g", types=("Patient",), since_us=since))
    assert done.names == {"Patient/p2"}


def test_members_of_whom_nothing_can_be_exported_are_told(world: Records, export: Any) -> None:
    assert not export(Export("group", "g")).state.errors
    one = group("g", ["Patient/p1", "Patient/nobody", "http://other/fhir/Patient/p2", "Practitioner/dr"])
    one["member"].append({"entity": {"identifier": {"value": "1"}}})
    one["member"].append({"entity": {"reference": "Patient/gone"}, "inactive": True})
    put(world, HERE, one)
    done = export(Export("group", "g", types=("Patient",)))
    assert done.names == {"Patient/p1"}
    (file,) = done.state.errors
    (line,) = done.lines(file.name)
    (issue,) = json.loads(line)["issue"]
    assert issue["severity"] == "warning"
    assert issue["diagnostics"].endswith(": 4")


def test_a_group_that_is_not_there_is_said(world: Records, export: Any) -> None:
    with pytest.raises(NoSuchGroup):
        export(Export("group", "none"))
    world.delete(HERE, "Group", "g")
    with pytest.raises(NoSuchGroup):
        export(Export("group", "g"))


def test_filters_of_one_type_are_alternatives(world: Records, export: Any) -> None:
    asked = Export(
        types=("Observation", "Organization"),
        filters=(("Observation", "code=b&subject=Patient/p0"), ("Observation", "_id=o1,o2")),
    )
    done = export(asked)
    wanted = {f"Observation/o{n}" for n in range(40) if n % 4 == 0 and n % 10 == 0} | {
        "Observation/o1",
        "Observation/o2",
    }
    assert done.names == wanted | {"Organization/ward"}


def test_a_filter_narrows_a_group(world: Records, export: Any) -> None:
    done = export(Export("group", "g", types=("Observation",), filters=(("Observation", "code=b"),)))
    assert done.names == {f"Observation/o{n}" for n in range(40) if n % 10 in (1, 2) and n % 4 == 0}


def test_a_filter_narrows_the_patient_level_to_what_is_some_patients_own(world: Records, export: Any) -> None:
    nobodys = observation(900, 1)
    del nobodys["subject"]
    put(world, HERE, nobodys)
    asked = Export("patient", types=("Observation",), filters=(("Observation", "_id=o1,o900"),))
    assert export(asked).names == {"Observation/o1"}


def test_a_filter_narrows_what_was_written_until_then(world: Records, export: Any) -> None:
    until = export().state.moment.at_us
    time.sleep(0.003)
    put(world, HERE, observation(1, 1, note=[{"text": "later"}]))
    asked = Export(types=("Observation",), filters=(("Observation", "_id=o1,o2"),), until_us=until)
    assert export(asked).names == {"Observation/o2"}


def test_a_filter_that_finds_more_than_a_page(records: Records, export: Any) -> None:
    many = (json.dumps(observation(n, n % 3)).encode() for n in range(2600))
    records.load(HERE, many).run()
    done = export(Export(types=("Observation",), filters=(("Observation", "code=a"),)), file_bytes=200_000)
    assert len(done.names) == 2600
    assert len(done.state.output) > 1


def test_elements_are_cut_and_marked(world: Records, export: Any) -> None:
    done = export(Export(types=("Patient", "Observation"), elements=("Patient.id", "status")))
    first = done.bodies["Patient/p1"]
    assert "gender" not in first
    assert first["meta"]["tag"][0]["code"] == "SUBSETTED"
    assert "subject" not in done.bodies["Observation/o1"]


# Since


def test_since_is_what_changed_and_what_was_deleted(world: Records, export: Any) -> None:
    before = export()
    time.sleep(0.003)
    put(world, HERE, patient(3, active=True), patient(50))
    world.delete(HERE, "Observation", "o7")
    put(world, HERE, patient(51))
    world.delete(HERE, "Patient", "p51")
    done = export(Export(since_us=before.state.moment.at_us + 1))
    assert done.names == {"Patient/p3", "Patient/p50"}
    assert done.deleted == {"Observation/o7", "Patient/p51"}
    assert export(Export(types=("Practitioner",), since_us=before.state.moment.at_us + 1)).deleted == set()


def test_following_by_transaction_time_loses_nothing(world: Records, export: Any) -> None:
    """Export after export, each since the one before: applied in order they give the record."""
    chance, copy = random.Random(5), {}
    since = None
    for _ in range(6):
        done = export(Export(since_us=since), file_bytes=3000)
        copy.update(done.bodies)
        for name in done.deleted:
            copy.pop(name, None)
        since = done.state.moment.at_us
        for _ in range(10):
            number = chance.randrange(40)
            if chance.random() < 0.3:
                world.delete(HERE, "Observation", f"o{number}")
            else:
                put(
                    world,
                    HERE,
                    observation(number, chance.randrange(10), note=[{"text": str(chance.random())}]),
                )
    done = export(Export(since_us=since))
    copy.update(done.bodies)
    for name in done.deleted:
        copy.pop(name, None)
    assert copy == everything(world)


def test_a_commit_stamped_before_the_one_in_front_of_it_is_not_lost(world: Records, export: Any) -> None:
    """PostgreSQL with several writers: who began first may commit last, under the older instant."""
    before = export().state.moment
    put(world, HERE, patient(80))

    def backdate(connection: Any) -> None:
        earlier = before.at_us - 5_000
        connection.execute("UPDATE commits SET at_us = ? WHERE position > ?", (earlier, before.position))
        connection.execute(
            "UPDATE resource SET updated_us = ? WHERE tenant = 1 AND type = 'Patient' AND id = 'p80'",
            (earlier,),
        )

    world.database.exclusively(backdate)
    done = export(Export(since_us=before.at_us))
    assert "Patient/p80" in done.names
    assert done.state.moment.at_us == before.at_us


def test_who_joined_a_group_since_comes_whole(world: Records, export: Any) -> None:
    since = export().state.moment.at_us + 1
    time.sleep(0.003)
    put(world, HERE, group("g", ["Patient/p1", "Patient/p5"]), observation(1, 1, note=[{"text": "new"}]))
    world.delete(HERE, "Observation", "o11")
    world.delete(HERE, "Observation", "o12")  # of p2, who is no member any more
    done = export(Export("group", "g", since_us=since))
    assert done.names == {
        "Group/g",
        "Observation/o1",
        "Patient/p5",
        *(f"Observation/o{n}" for n in (5, 15, 25, 35)),
    }
    assert done.deleted == {"Observation/o11"}


def test_a_deletion_of_several_patients_own_belongs_to_each(world: Records, export: Any) -> None:
    since = export().state.moment.at_us + 1
    time.sleep(0.003)
    world.delete(HERE, "Appointment", "both")
    world.delete(HERE, "Organization", "ward")
    assert export(Export("group", "g", since_us=since)).deleted == {"Appointment/both"}
    assert export(Export("patient", since_us=since)).deleted == {"Appointment/both"}
    assert export(Export(since_us=since)).deleted == {"Appointment/both", "Organization/ward"}


def test_until_leaves_out_what_changed_later(world: Records, export: Any) -> None:
    until = export().state.moment.at_us
    time.sleep(0.003)
    put(world, HERE, patient(3, active=True), patient(50))
    done = export(Export(until_us=until))
    assert not {"Patient/p3", "Patient/p50"} & done.names
    assert len(done.names) == 53


# Going on


def test_a_long_export_holds_no_transaction(world: Records, export: Any) -> None:
    """What SQLite's log grows by is folded back between two chunks: no reader holds on to an old snapshot."""
    readers: list[int] = []
    database = world.database
    inside = threading.local()
    read = database.read

    class Looking(Watch):
        def check(self) -> None:
            readers.append(getattr(inside, "depth", 0))

    from contextlib import contextmanager

    @contextmanager
    def counted(**options: Any) -> Any:
        inside.depth = getattr(inside, "depth", 0) + 1
        try:
            with read(**options) as connection:
                yield connection
        finally:
            inside.depth -= 1

    database.read = counted  # type: ignore[method-assign]
    try:
        export(watch=Looking(), file_bytes=1)
    finally:
        database.read = read  # type: ignore[method-assign]
    begin = 6  # types
    assert readers[:begin] == [1] * begin  # the one snapshot in which the moment is fixed
    assert set(readers[begin:]) == {0}


class Stop(Exception):
    pass


class Stopping(Watch):
    """Ends the exporter at its n-th look, as a kill would: what was saved last is all that is known."""

    def __init__(self, after: int) -> None:
        self.left = after
        self.saved: dict[str, Any] | None = None

    def save(self, state: State) -> None:
        self.saved = json.loads(json.dumps(state.as_dict()))

    def check(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise Stop


@pytest.mark.parametrize(
    "asked", [Export(), Export("group", "g"), Export(since_us=1)], ids=["system", "group", "since"]
)
def test_an_export_goes_on_from_where_it_stopped(
    world: Records, tmp_path: Any, asked: Export, export: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from xinglin.records.bulk.exporter import Exporter
    from xinglin.records.bulk.files import FolderFiles
    from xinglin.standards.fhir.search.grammar import parse_query

    monkeypatch.setattr("xinglin.records.bulk.exporter.CHUNK", 7)
    monkeypatch.setattr("xinglin.records.bulk.moment.CHUNK", 7)
    wanted = export(asked)
    saved: dict[str, Any] | None = None
    for attempt in range(200):
        watch = Stopping(1 + attempt % 9)
        watch.saved = saved
        try:
            exporter = Exporter(
                world, HERE, asked, FolderFiles(tmp_path / "resumed"),
                ask=lambda kind, pairs: parse_query(kind, pairs, strict=True),
                watch=watch, state=State.of(saved) if saved else None, file_bytes=300,
            )  # fmt: skip
            done = Exported(exporter.run(), tmp_path / "resumed")
            break
        except Stop:
            saved = watch.saved
    assert attempt > 2
    assert done.bodies == wanted.bodies
    assert done.deleted == wanted.deleted
    named = {file.name for file in (*done.state.output, *done.state.deleted)}
    assert {path.name for path in (tmp_path / "resumed").iterdir()} == named


def test_a_damaged_body_costs_itself_alone(world: Records, export: Any) -> None:
    world.database.write(
        lambda connection: connection.execute(
            "UPDATE resource SET body = ? WHERE tenant = 1 AND type = 'Patient' AND id = 'p3'", (b"damaged",)
        )
    )
    done = export()
    assert "Patient/p3" not in done.names
    assert len(done.names) == 53
    (file,) = done.state.errors
    (line,) = done.lines(file.name)
    assert json.loads(line)["resourceType"] == "OperationOutcome"
    assert b"Patient/p3" in line


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


def test_chosen_numbers_never_cost_a_look_through_all_of_their_type(sqlite_url: str) -> None:
    records = open_records(sqlite_url)
    with records.database.read() as connection:
        watched: Any = _Explaining(connection)
        repository.of_rids(watched, Predicate(1), "Observation", Moment(1, 1), list(range(1, 600)))
        list(repository.owned(watched, Predicate(1), "Patient", [1], list(range(1, 600)), None))
    records.close()
    assert watched.plans
    assert not [plan for plan in watched.plans if "resource_updated" in plan]
