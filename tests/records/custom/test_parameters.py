"""SearchParameters of a tenant's own: defined, indexed, searched by, changed and retired; on both databases."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from xinglin.kernel.database import open_database
from xinglin.kernel.errors import XinglinError
from xinglin.records.custom.errors import BadDefinition, CodeTaken, Unproven
from xinglin.records.custom.verification import verify
from xinglin.records.reindexing import Pace, Reindex, count_stale, want
from xinglin.records.service import Records
from xinglin.standards.fhir.search.errors import NotIndexedYet, UnknownParameter
from xinglin.standards.fhir.search.grammar import parse_query
from xinglin.trust import Actor, local_system

HERE, THERE = local_system(1), local_system(2)
WARD = "http://example.org/ward"
SOON = Pace(settle_s=0)


@pytest.fixture
def records(database_url: str) -> Iterator[Records]:
    opened = Records(open_database(database_url, durable=False))
    yield opened
    opened.close()


def definition(id_: str = "ward", **elements: Any) -> bytes:
    return json.dumps(
        {
            "resourceType": "SearchParameter",
            "id": id_,
            "url": f"http://example.org/SearchParameter/{id_}",
            "name": id_,
            "status": "active",
            "description": "A parameter",
            "code": id_,
            "base": ["Patient"],
            "type": "string",
            "expression": f"Patient.extension.where(url='{WARD}').value.ofType(string)",
            **elements,
        }
    ).encode()


def patient(id_: str, ward: str | None = None, **elements: Any) -> bytes:
    more = {"extension": [{"url": WARD, "valueString": ward}]} if ward else {}
    return json.dumps({"resourceType": "Patient", "id": id_, **more, **elements}).encode()


def contact(gender: str, family: str) -> dict[str, Any]:
    return {"gender": gender, "name": {"family": family}}


def define(records: Records, actor: Actor = HERE, id_: str = "ward", **elements: Any) -> None:
    records.update(actor, "SearchParameter", id_, definition(id_, **elements))


def reindexed(records: Records, tenant: int = 1) -> dict[str, Any]:
    return Reindex(records, tenant, pace=SOON).run()


def found(records: Records, kind: str, *pairs: tuple[str, str], actor: Actor = HERE) -> list[str]:
    query = parse_query(kind, [*pairs, ("_count", "1000")], strict=True, known=records.known(actor.tenant))
    return [entry.stored.id for entry in records.search(actor, query).entries]


def test_it_is_refused_until_its_index_is_complete_and_then_finds_old_and_new(records: Records) -> None:
    records.load(HERE, [patient(f"p{n}", f"Ward {n % 3}") for n in range(30)]).run()
    define(records)
    records.update(HERE, "Patient", "later", patient("later", "Ward 1"))
    for strict in (True, False):
        with pytest.raises(NotIndexedYet) as refused:
            parse_query("Patient", [("ward", "ward 1")], strict=strict, known=records.known(1))
    assert refused.value.values["of"] == 30
    report = reindexed(records)
    proof = report["proofs"]["Patient.ward"]
    assert (proof["checked"], proof["different"], proof["with_rows"], proof["rows"]) == (31, 0, 31, 31)
    assert len(found(records, "Patient", ("ward", "ward 1"))) == 11
    records.update(HERE, "Patient", "newest", patient("newest", "Ward 1"))
    records.update(HERE, "Patient", "later", patient("later", "Ward 2"))
    records.delete(HERE, "Patient", "p1")
    wards = set(found(records, "Patient", ("ward:exact", "Ward 1")))
    assert wards == {"newest", *(f"p{n}" for n in range(4, 30, 3))}
    assert found(records, "Patient", ("ward:contains", "d 1"), ("ward:missing", "true")) == []
    assert count_stale(records, HERE) == {}


@pytest.mark.parametrize("change", ["retired", "deleted", "draft"])
def test_a_retired_one_goes_away_with_its_rows(records: Records, change: str) -> None:
    records.load(HERE, [patient(f"p{n}", "W") for n in range(10)]).run()
    define(records)
    reindexed(records)
    assert len(found(records, "Patient", ("ward", "w"))) == 10
    if change == "deleted":
        records.delete(HERE, "SearchParameter", "ward")
    else:
        define(records, status=change)
    with pytest.raises(UnknownParameter):
        found(records, "Patient", ("ward", "w"))
    records.update(HERE, "Patient", "new", patient("new", "W"))
    reindexed(records)
    with records.database.read() as connection:
        left = connection.execute("SELECT count(*) FROM ix_string WHERE param >= 1000000").fetchone()
    assert left == (0,)
    assert count_stale(records, HERE) == {}
    define(records)
    assert reindexed(records)["proofs"]["Patient.ward"]["with_rows"] == 11
    assert len(found(records, "Patient", ("ward", "w"))) == 11
    assert [one.number for one in records.own.of(1).parameters] == [1_000_000, 1_000_001]


def test_a_changed_expression_is_another_parameter_and_an_edited_text_is_not(records: Records) -> None:
    records.load(HERE, [patient("a", "W", language="zh"), patient("b", "V", language="en")]).run()
    define(records)
    reindexed(records)
    define(records, description="Said in other words")
    assert found(records, "Patient", ("ward", "w")) == ["a"]
    define(records, expression="Patient.language")
    with pytest.raises(NotIndexedYet):
        found(records, "Patient", ("ward", "zh"))
    reindexed(records)
    assert found(records, "Patient", ("ward", "zh")) == ["a"]
    assert found(records, "Patient", ("ward", "w")) == []


def test_two_tenants_define_the_same_code_differently(records: Records) -> None:
    for actor in (HERE, THERE):
        records.load(actor, [patient("a", "W", language="zh"), patient("b", "V", language="zh")]).run()
    define(records)
    define(records, THERE, expression="Patient.language")
    reindexed(records, 1)
    with pytest.raises(NotIndexedYet):
        found(records, "Patient", ("ward", "zh"), actor=THERE)
    reindexed(records, 2)
    assert found(records, "Patient", ("ward", "w")) == ["a"]
    assert found(records, "Patient", ("ward", "zh")) == []
    assert sorted(found(records, "Patient", ("ward", "zh"), actor=THERE)) == ["a", "b"]
    assert found(records, "Patient", ("ward", "w"), actor=THERE) == []


def test_chains_has_sort_and_includes_take_it(records: Records) -> None:
    lines = [patient(f"p{n}", f"W{n}") for n in range(6)]
    for n in range(6):
        lines.append(
            json.dumps(
                {
                    "resourceType": "Observation",
                    "id": f"o{n}",
                    "status": "final",
                    "code": {"text": "x"},
                    "subject": {"reference": f"Patient/p{n}"},
                    "extension": [
                        {
                            "url": "http://example.org/by",
                            "valueReference": {"reference": f"Patient/p{5 - n}"},
                        },
                        {"url": "http://example.org/at", "valueDateTime": f"2024-01-0{n + 1}"},
                    ],
                }
            ).encode()
        )
    records.load(HERE, lines).run()
    define(records)
    define(records, id_="by", base=["Observation"], type="reference", target=["Patient"],
           expression="Observation.extension.where(url='http://example.org/by').value.ofType(Reference)")  # fmt: skip
    define(records, id_="at", base=["Observation"], type="date",
           expression="Observation.extension('http://example.org/at').value.ofType(dateTime)")  # fmt: skip
    with pytest.raises(NotIndexedYet):
        found(records, "Observation", ("subject:Patient.ward", "w1"))
    with pytest.raises(NotIndexedYet):
        found(records, "Observation", ("_include", "Observation:by"))
    assert len(found(records, "Observation", ("_include", "*"))) == 12
    reindexed(records)
    assert found(records, "Observation", ("subject:Patient.ward", "w1")) == ["o1"]
    assert found(records, "Observation", ("by.ward", "w1")) == ["o4"]
    assert found(records, "Patient", ("_has:Observation:by:at", "2024-01-02")) == ["p4"]
    assert found(records, "Patient", ("_sort", "-ward")) == [f"p{n}" for n in (5, 4, 3, 2, 1, 0)]
    assert found(
        records, "Observation", ("_sort", "-at"), ("at", "ge2024-01-03"), ("at", "lt2024-01-05")
    ) == ["o3", "o2"]
    assert found(records, "Observation", ("_id", "o1"), ("_include", "Observation:by")) == ["o1", "p4"]
    assert sorted(found(records, "Observation", ("_id", "o1"), ("_include", "*"))) == ["o1", "p1", "p4"]
    assert found(records, "Patient", ("_id", "p4"), ("_revinclude", "Observation:by")) == ["p4", "o1"]
    assert sorted(found(records, "Patient", ("_id", "p4"), ("_revinclude", "Observation:*"))) == [
        "o1",
        "o4",
        "p4",
    ]
    assert found(records, "Observation", ("at:missing", "true")) == []


WRONG = [
    ({"expression": "Patient.nothing"}, "SearchParameter.expression", BadDefinition),
    ({"expression": "Patient.name.where("}, "SearchParameter.expression", BadDefinition),
    ({"expression": "Observation.status"}, "SearchParameter.expression", BadDefinition),
    ({"expression": "Patient.name", "type": "date"}, "SearchParameter.expression", BadDefinition),
    ({"expression": "today()", "type": "date"}, "SearchParameter.expression", BadDefinition),
    ({"expression": "Patient.descendants()"}, "SearchParameter.expression", BadDefinition),
    ({"expression": None}, "SearchParameter.expression", BadDefinition),
    (
        {"expression": "Patient.language" + " | Patient.language" * 300},
        "SearchParameter.expression",
        BadDefinition,
    ),
    ({"code": "gender"}, "SearchParameter.code", BadDefinition),
    ({"code": "_sort"}, "SearchParameter.code", BadDefinition),
    ({"code": "a.b"}, "SearchParameter.code", BadDefinition),
    ({"type": "special"}, "SearchParameter.type", BadDefinition),
    ({"type": "composite"}, "SearchParameter.component", BadDefinition),
    ({"code": "held"}, "SearchParameter.code", CodeTaken),
]


@pytest.mark.parametrize(("elements", "place", "error"), WRONG)
def test_what_cannot_be_searched_by_is_refused_naming_the_place(
    records: Records, elements: dict[str, Any], place: str, error: type[XinglinError]
) -> None:
    define(records, id_="held")
    elements = {name: value for name, value in elements.items() if value is not None or name == "expression"}
    body = json.loads(definition("new", **elements))
    body = {name: value for name, value in body.items() if value is not None}
    with pytest.raises(error) as refused:
        records.update(HERE, "SearchParameter", "new", json.dumps(body).encode())
    assert refused.value.expression == place
    assert refused.value.say("en")
    assert refused.value.say("zh")
    body["status"] = "draft"
    records.update(HERE, "SearchParameter", "new", json.dumps(body).encode())
    assert [one.resource for one in records.own.of(1).parameters] == ["held"]


def test_r4s_own_definition_may_be_stored_and_changes_nothing(records: Records) -> None:
    define(records, id_="gender", url="http://hl7.org/fhir/SearchParameter/individual-gender", type="token",
           expression="Patient.gender")  # fmt: skip
    assert records.own.of(1).parameters == ()


def test_an_expression_that_fails_on_a_resource_does_not_refuse_it(records: Records) -> None:
    define(records, expression="Patient.name.family.single()")
    records.update(HERE, "Patient", "a", patient("a", name=[{"family": "Li"}, {"family": "Wang"}]))
    records.update(HERE, "Patient", "b", patient("b", name=[{"family": "Li"}]))
    reindexed(records)
    assert found(records, "Patient", ("ward", "li")) == ["b"]


def test_a_composite_of_r4s_parameters(records: Records) -> None:
    define(
        records, id_="name-language", base=["Patient"], type="composite", expression="Patient.contact",
        component=[
            {"definition": "http://hl7.org/fhir/SearchParameter/individual-gender", "expression": "gender"},
            {"definition": "http://hl7.org/fhir/SearchParameter/individual-family", "expression": "name.family"},
        ],
    )  # fmt: skip
    records.load(
        HERE,
        [
            patient("a", contact=[contact("male", "Li"), contact("female", "Wang")]),
            patient("b", contact=[contact("female", "Li")]),
        ],
    ).run()  # fmt: skip
    assert reindexed(records)["proofs"]["Patient.name-language"]["different"] == 0
    assert found(records, "Patient", ("name-language", "female$li")) == ["b"]


def test_another_process_learns_and_what_it_wrote_before_is_made_anew(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = Records(open_database(database_url, durable=False))
    second = Records(open_database(database_url, durable=False))
    try:
        assert second.known(1).of("Patient") == {}
        monkeypatch.setattr("xinglin.records.custom.rules.LOOK_S", 3600.0)
        second.own.look()
        define(first)
        second.update(HERE, "Patient", "early", patient("early", "W"))
        with pytest.raises(UnknownParameter):
            found(second, "Patient", ("ward", "w"))
        assert count_stale(first, HERE) == {"Patient": 1}
        reindexed(first)
        assert found(first, "Patient", ("ward", "w")) == ["early"]
        # Cut off for so long that the reindex has looked its last: what it writes is stale, and once it learns
        # it asks for another look.
        second.update(HERE, "Patient", "late", patient("late", "W"))
        assert count_stale(first, HERE) == {"Patient": 1}
        monkeypatch.setattr("xinglin.records.custom.rules.SETTLE_S", 0.0)
        second.own.look()
        second.update(HERE, "Patient", "after", patient("after", "W"))
        assert found(second, "Patient", ("ward", "w")) == ["early", "after"]
        queued = [job.unique for job in first.own.queue.list() if job.state == "queued"]
        assert any(one.startswith("late-") for one in queued)
        reindexed(first)
        assert set(found(second, "Patient", ("ward", "w"))) == {"early", "late", "after"}
    finally:
        first.close()
        second.close()


def test_a_parameter_on_every_type(records: Records) -> None:
    define(records, id_="came-from", base=["Resource"], type="uri", expression="Resource.meta.source")
    for kind in ("Patient", "Basic"):
        body = {"resourceType": kind, "id": "a", "meta": {"source": "http://his.example"}}
        more = {"code": {"text": "x"}} if kind == "Basic" else {}
        records.update(HERE, kind, "a", json.dumps(body | more).encode())
    reindexed(records)
    assert found(records, "Patient", ("came-from", "http://his.example")) == ["a"]
    assert found(records, "Basic", ("came-from:below", "http://his.example")) == ["a"]
    assert len({one.number for one in records.own.of(1).parameters}) > 140


def test_one_that_was_there_before_these_tables_is_adopted(records: Records) -> None:
    records.load(HERE, [patient("a", "W")]).run()
    define(records)
    define(records, id_="draft", status="draft")

    def forget(connection: Any) -> None:
        for table in ("own_parameter", "own_generation", "job"):
            connection.execute(f"DELETE FROM {table}")

    records.database.write(forget)
    records.own.look()
    assert want(records) == [1]
    assert [one.parameter.name for one in records.own.of(1).parameters] == ["ward"]
    reindexed(records)
    assert found(records, "Patient", ("ward", "w")) == ["a"]
    assert [one.parameter.name for one in records.own.of(1).parameters] == ["ward"]


def test_a_record_that_this_program_filled_asks_for_no_reindex(records: Records) -> None:
    records.load(HERE, [patient("a", "W")]).run()
    assert want(records) == []
    assert records.own.queue.list() == []

    def spoil(connection: Any) -> None:
        connection.execute("UPDATE resource SET index_version = 1")
        connection.execute("DELETE FROM meta WHERE key = 'indexed_1'")

    records.database.write(spoil)
    assert want(records) == [1]
    define(records)
    assert want(records) == [1], "a parameter is to be built"


def test_what_another_process_writes_before_it_learns_is_waited_for(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = Records(open_database(database_url, durable=False))
    second = Records(open_database(database_url, durable=False))
    try:
        monkeypatch.setattr("xinglin.records.custom.rules.LOOK_S", 3600.0)
        second.own.look()  # and never again
        define(first)
        first.update(HERE, "Patient", "a", patient("a", "W"))
        late = threading.Timer(0.7, lambda: second.update(HERE, "Patient", "late", patient("late", "W")))
        late.start()
        Reindex(first, 1, pace=Pace(settle_s=2.0)).run()
        late.join()
        assert count_stale(first, HERE) == {}
        assert set(found(first, "Patient", ("ward", "w"))) == {"a", "late"}
    finally:
        first.close()
        second.close()


def test_counts_stay_true_where_resources_are_written_during_the_comparison(
    records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("xinglin.records.custom.verification.BATCH", 5)
    records.load(HERE, [patient(f"p{n}", "W") for n in range(20)]).run()
    define(records)
    reindexed(records)
    (one,) = records.own.of(1).parameters
    written: list[int] = []

    def step(done: int, of: int) -> None:
        if len(written) < 3:  # one that was compared already, and one that is new
            records.update(HERE, "Patient", f"p{len(written)}", patient(f"p{len(written)}", "V"))
            records.update(HERE, "Patient", f"new{len(written)}", patient(f"new{len(written)}", "V"))
            written.append(done)

    proof = verify(records, 1, "Patient", one, 1000, step)
    assert (proof.resources, proof.different, proof.stale, proof.with_rows) == (20, 0, 0, 20)
    assert 17 <= proof.checked <= 20


def test_rules_that_change_while_they_are_proven_are_built_by_the_same_run(
    records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    records.load(HERE, [patient("a", "W", language="zh")]).run()
    define(records)
    prove, proven = Reindex._prove, []

    def meanwhile(self: Reindex, *given: Any) -> Any:
        wrong = prove(self, *given)
        if not proven:
            define(records, id_="speaks", type="token", expression="Patient.language")
        proven.append(1)
        return wrong

    monkeypatch.setattr(Reindex, "_prove", meanwhile)
    Reindex(records, 1, pace=Pace(settle_s=0.0)).run()
    records.own.look()
    assert {one.state for one in records.own.of(1).parameters} == {"ready"}
    assert found(records, "Patient", ("speaks", "zh")) == ["a"]


def test_one_that_is_retired_while_it_is_built_goes_and_every_process_sees_that(
    records: Records, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Records(open_database(database_url, durable=False))
    try:
        records.load(HERE, [patient(f"p{n}", "W") for n in range(30)]).run()
        define(records)
        other.own.look()
        prove = Reindex._prove
        retired: list[int] = []

        def meanwhile(self: Reindex, *given: Any) -> Any:
            if not retired:
                retired.append(1)
                define(records, status="retired")
                other.own.look()
            return prove(self, *given)

        monkeypatch.setattr(Reindex, "_prove", meanwhile)
        Reindex(records, 1, pace=Pace(settle_s=0.0)).run()
        for each in (records, other):
            each.own.look()
            assert [one.state for one in each.own.of(1).parameters] == ["gone"]
    finally:
        other.close()


def stale_by_another(records: Records, id_: str) -> None:
    """As a process writes that knows of no own parameter."""

    def unit(connection: Any) -> None:
        row = connection.execute("SELECT rid FROM resource WHERE id = ?", (id_,)).fetchone()
        connection.execute("DELETE FROM ix_string WHERE rid = ? AND param >= 1000000", (row[0],))
        connection.execute("UPDATE resource SET index_version = 1 WHERE rid = ?", (row[0],))

    records.database.write(unit)


def test_a_parameter_does_not_open_while_rows_are_stale_nor_is_the_run_taken_for_done(
    records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    records.load(HERE, [patient(f"p{n}", "W") for n in range(5)]).run()
    define(records)
    prove, proven = Reindex._prove, []

    def meanwhile(self: Reindex, *given: Any) -> Any:
        if len(proven) < times:
            stale_by_another(records, "p3")
        proven.append(1)
        return prove(self, *given)

    monkeypatch.setattr(Reindex, "_prove", meanwhile)
    times = 99  # again and again: it says so
    with pytest.raises(Unproven):
        Reindex(records, 1, pace=Pace(settle_s=0.0)).run()
    with pytest.raises(NotIndexedYet):
        found(records, "Patient", ("ward", "w"))
    assert want(records) == [1]
    proven.clear()
    times = 1
    Reindex(records, 1, pace=Pace(settle_s=0.0)).run()
    assert len(found(records, "Patient", ("ward", "w"))) == 5


def test_what_an_older_program_wrote_beside_is_found_at_the_next_start(records: Records) -> None:
    records.load(HERE, [patient("a", "W")]).run()
    define(records)
    reindexed(records)
    assert want(records) == []
    records.update(HERE, "Patient", "late", patient("late", "W"))
    stale_by_another(records, "late")
    assert want(records) == [1]


def test_the_report_says_how_many_had_no_rows_to_make(records: Records) -> None:
    plain = json.dumps({"resourceType": "Patient", "id": "none"}).encode()
    records.load(HERE, [patient("a", "W"), patient("b", "V"), plain]).run()
    define(records)
    assert reindexed(records)["types"]["Patient"] == {"redrawn": 3, "skipped": 1}
