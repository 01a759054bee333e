"""The guard in the write path: past it nobody makes a draft final, whatever the way in."""

from __future__ import annotations

import json
from typing import Any

import pytest

from drafts.patients import DOCTOR, SERVICE, Ward, code, risk
from xinglin.drafts import guard
from xinglin.drafts.errors import Guarded
from xinglin.drafts.exact import dumps
from xinglin.drafts.parts import STATE
from xinglin.drafts.states import FORMS
from xinglin.records.stored import Operation


@pytest.fixture
def guarded(ward: Ward) -> Ward:
    guard.attach(ward.records)
    guard.attach(ward.records)  # an operator's second server in one process is no second guard
    ward.result("bp")
    return ward


def test_a_direct_write_over_an_open_draft_is_refused_at_once(guarded: Ward) -> None:
    draft = guarded.propose("Observation/bp")
    there = draft.resource
    for written in (
        {**there, "status": "final"},
        {**risk(), "id": draft.ref.id},  # without its tags
        {**there, "meta": {**there["meta"], "tag": [{"system": STATE, "code": "accepted"}]}},
        {**there, "meta": {"tag": there["meta"]["tag"]}},  # without the machine's label
        {**there, "prediction": [{"probabilityDecimal": 0.9}]},  # open still, and no longer what was proposed
        {**there, "subject": {"reference": "Patient/q"}},
        {**there, "status": "entered-in-error"},
    ):
        with pytest.raises(Guarded) as refused:
            guarded.put(written)
        assert (refused.value.status, draft.reference) == (409, draft.reference)
        assert draft.reference in str(refused.value)
    assert guarded.cite(draft.reference) == f"{draft.reference}/_history/1"
    assert guarded.state(draft) == "open"


def test_what_belongs_to_nobodys_decision_may_be_written(guarded: Ward) -> None:
    draft = guarded.propose("Observation/bp")
    there = draft.resource
    tags = [*there["meta"]["tag"], {"system": "urn:ward", "code": "seen"}]
    guarded.put({**there, "meta": {**there["meta"], "tag": tags}})
    narrative = '<div xmlns="http://www.w3.org/1999/xhtml">20 %</div>'
    guarded.put({**guarded.read(draft.reference), "text": {"status": "generated", "div": narrative}})
    assert guarded.drafts.accept(DOCTOR, draft.reference).state == "accepted"  # and is no edit
    guarded.put({**risk(probability=0.3), "id": draft.ref.id})  # a final result, corrected as any other
    guarded.put({**draft.resource, "id": "copy"})  # a copy is nobody's draft
    guarded.put({**draft.resource, "id": "copy", "status": "final"})
    other = guarded.propose("Observation/bp", kind="other")
    guarded.records.delete(DOCTOR, *other.reference.split("/"))


@pytest.mark.parametrize("how", ["rejected", "superseded", "withdrawn"])
def test_a_closed_draft_does_not_come_back_by_a_direct_write(guarded: Ward, how: str) -> None:
    draft = guarded.propose("Observation/bp")
    if how == "rejected":
        guarded.drafts.reject(DOCTOR, draft.reference, "incorrect")
    else:
        if how == "withdrawn":
            guarded.drafts.accept(DOCTOR, draft.reference)
        guarded.result("bp", "105")
        guarded.follow()
        if how == "withdrawn":
            guarded.drafts.reject(DOCTOR, draft.reference, "wrong-input")
    assert guarded.state(draft) == how
    for written in ({**guarded.read(draft.reference), "status": "final"}, {**risk(), "id": draft.ref.id}):
        with pytest.raises(Guarded):
            guarded.put(written)
    assert guarded.read(draft.reference)["status"] == "entered-in-error"


def test_one_refused_write_refuses_its_whole_transaction_and_costs_an_import_one_line(guarded: Ward) -> None:
    draft = guarded.propose("Observation/bp")
    written = dumps({**draft.resource, "status": "final"})
    beside = dumps({"resourceType": "Patient", "id": "beside"})
    with pytest.raises(Guarded):
        guarded.records.write(
            DOCTOR,
            [
                Operation("update", "Patient", "beside", beside),
                Operation("update", *draft.reference.split("/"), written),
            ],
        )
    assert not guarded.found("Patient", _id="beside")
    done = guarded.records.load(
        SERVICE, [beside, written, dumps({"resourceType": "Patient", "id": "r"})]
    ).run()
    assert (done.taken, [one.line for one in done.rejected]) == (2, [2])
    assert isinstance(done.rejected[0].error, Guarded)
    assert guarded.state(draft) == "open"


def test_a_version_is_looked_at_once_however_many_types_are_written_with_it(
    guarded: Ward, monkeypatch: pytest.MonkeyPatch
) -> None:
    bodies = [
        dumps({"resourceType": "Patient", "id": "many"}),
        *(dumps({**guarded.read("Observation/bp"), "id": f"many-{at}"}) for at in range(3)),
        *(dumps({**risk(), "id": f"many-{at}", "status": "final"}) for at in range(3)),
    ]
    seen: list[str] = []
    look = guard._look

    def counted(connection: Any, tenant: int, version: Any) -> None:
        seen.append(f"{version.type}/{version.id}")
        look(connection, tenant, version)

    monkeypatch.setattr(guard, "_look", counted)
    assert guarded.records.load(SERVICE, bodies).run().rejections == 0
    assert len(seen) == len(set(seen)) == 6
    assert not any(name.startswith("Patient") for name in seen)


def test_decisions_and_retraction_pass(guarded: Ward) -> None:
    for type_, status in (("RiskAssessment", "final"), ("Task", "completed")):
        fixed = {**guarded.read("Observation/bp"), "status": "corrected"}
        more: dict[str, Any] = (
            {} if type_ != "Task" else {"resources": (fixed,), "corrects": guarded.cite("Observation/bp")}
        )
        draft = guarded.propose("Observation/bp", kind=type_, **more)
        assert draft.ref.type == type_
        assert guarded.drafts.accept(DOCTOR, draft.reference).resource["status"] == status
    amended = guarded.propose("Observation/bp", kind="amended")
    guarded.drafts.amend(DOCTOR, amended.reference, risk(probability=0.9))
    waiting = guarded.propose("Observation/bp", kind="waiting")
    guarded.result("bp", "105")
    assert guarded.follow().superseded >= 1
    assert guarded.state(waiting) == "superseded"


def test_every_type_that_can_be_a_draft_is_guarded_and_jobs_still_follow_their_tasks(ward: Ward) -> None:
    from xinglin.jobs import Queue

    queue = Queue(ward.records.database)
    job = queue.add("anything")
    guard.attach(ward.records)
    assert set(FORMS) <= set(ward.records.ledger.followed)
    task = {"resourceType": "Task", "id": job.id, "status": "cancelled", "intent": "order"}
    ward.put(task)
    assert queue.get(job.id).state == "cancelled"


def test_the_record_as_the_programs_open_it_is_guarded(sqlite_url: str) -> None:
    from xinglin.apps.assemble import open_record
    from xinglin.kernel.settings import Settings

    records = open_record(Settings(database=sqlite_url))
    try:
        ward = Ward(records)
        ward.result("bp")
        draft = ward.propose("Observation/bp")
        with pytest.raises(Guarded):
            ward.put({**draft.resource, "status": "final"})
        assert code(json.loads(records.read(DOCTOR, *draft.reference.split("/")).body), STATE) == ["open"]
    finally:
        records.close()
