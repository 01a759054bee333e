"""What a draft is from its proposal to its decision, on both databases."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from drafts.patients import DOCTOR, MODEL, NEWER, SERVICE, Ward, risk
from xinglin.drafts import Input, Model, Proposal, Reason
from xinglin.drafts.errors import (
    BadDecision,
    BadProposal,
    Decided,
    InputChanged,
    NotAClinician,
    NotADraft,
    NotDraftable,
)
from xinglin.drafts.parts import AIAST, CLINAST, Ref
from xinglin.drafts.retraction import handle
from xinglin.drafts.states import FORMS
from xinglin.records.errors import NotFound, VersionConflict
from xinglin.standards.fhir.errors import Invalid
from xinglin.trust import Actor, local_system


def labels(resource: dict) -> set[str]:
    return {one["code"] for one in resource["meta"]["security"]}


def test_a_draft_is_preliminary_labelled_and_says_where_it_comes_from(ward: Ward) -> None:
    ward.result("bp")
    draft = ward.propose("Observation/bp", confidence=0.8)
    body = ward.read(draft.reference)
    assert body["status"] == "preliminary"  # whatever the model said
    assert labels(body) == {AIAST}
    [provenance] = ward.found("Provenance", target=draft.reference)
    assert provenance["target"] == [{"reference": f"{draft.reference}/_history/1"}]
    assert provenance["entity"] == [{"role": "source", "what": {"reference": "Observation/bp/_history/1"}}]
    who = provenance["agent"][0]["who"]
    assert who["identifier"]["value"] == "cvd-risk|1.0|sha256:aa"
    assert [one["value"] for one in ward.read(who["reference"])["version"]] == ["1.0", "sha256:aa"]
    origin = ward.drafts.show(DOCTOR, draft.reference).origin
    assert (origin.reason.en, origin.reason.zh, origin.confidence) == (
        "Blood pressure and age.",
        "依据血压与年龄。",
        0.8,
    )
    assert len(ward.found("RiskAssessment", _security=AIAST)) == 1


def test_the_same_inputs_and_model_give_the_same_draft(ward: Ward) -> None:
    ward.result("bp")
    first = ward.propose("Observation/bp")
    before = ward.dump()
    assert ward.propose("Observation/bp") == first
    assert ward.dump() == before
    other = ward.propose("Observation/bp", kind="cvd.other")
    assert other.ref != first.ref


def test_many_workers_make_one_draft(ward: Ward) -> None:
    ward.result("bp")
    proposal = ward.proposal("Observation/bp")
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: ward.drafts.propose(SERVICE, proposal)[0], range(16)))
    assert {one.ref for one in made} == {made[0].ref}
    assert ward.dump()["RiskAssessment"] == 1
    assert ward.dump()["Provenance"] == 1


def test_of_two_models_at_once_one_draft_stays_open(ward: Ward) -> None:
    ward.result("bp")
    proposals = [ward.proposal("Observation/bp", by=Model("cvd-risk", f"1.{at}")) for at in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda one: ward.drafts.propose(SERVICE, one), proposals))
    [open_] = ward.drafts.open(DOCTOR).drafts
    assert open_.origin.model.version == "1.7"


def test_a_newer_model_supersedes_the_open_draft_and_an_older_one_does_not(ward: Ward) -> None:
    ward.result("bp")
    old = ward.propose("Observation/bp")
    new = ward.propose("Observation/bp", by=NEWER)
    assert (ward.state(old), ward.state(new)) == ("superseded", "open")
    assert ward.read(old.reference)["status"] == "entered-in-error"
    [about_new] = ward.found("Provenance", target=new.reference)
    assert {"role": "revision", "what": {"reference": f"{old.reference}/_history/1"}} in about_new["entity"]
    late = ward.propose("Observation/bp", by=Model("cvd-risk", "0.9"))
    assert late.ref.id == new.ref.id
    assert ward.propose("Observation/bp").ref.id == old.ref.id  # the same draft as ever, still superseded
    assert ward.state(new) == "open"
    ward.follow()
    assert ward.state(new) == "open"  # that its forerunner was closed is no reason to close it


def test_a_newer_input_supersedes_the_open_draft(ward: Ward) -> None:
    ward.result("bp")
    old = ward.propose("Observation/bp")
    ward.result("bp", "140")
    new = ward.propose("Observation/bp")
    assert (ward.state(old), ward.state(new)) == ("superseded", "open")


def test_inputs_that_changed_since_they_were_read_are_refused(ward: Ward) -> None:
    ward.result("bp")
    stale = ward.proposal("Observation/bp")
    ward.result("bp", "140")
    with pytest.raises(InputChanged):
        ward.drafts.propose(SERVICE, stale)
    ward.records.delete(DOCTOR, "Observation", "bp")
    with pytest.raises(InputChanged):
        ward.propose("Observation/bp/_history/2")
    assert "RiskAssessment" not in ward.dump()


def test_a_label_on_an_input_is_no_change_of_it(ward: Ward) -> None:
    ward.result("bp")
    first = ward.propose("Observation/bp")
    ward.result("bp", meta={"tag": [{"system": "urn:x", "code": "seen"}]})
    assert ward.propose("Observation/bp").ref == first.ref
    ward.follow()
    assert ward.state(first) == "open"


BP = (Input("Observation/bp/_history/1"),)
NO = Reason("", "")


@pytest.mark.parametrize(
    ("proposal", "error"),
    [
        (Proposal("k", MODEL, (), NO, (risk(),)), BadProposal),
        (Proposal("k", MODEL, (Input("Observation/bp"),), NO, (risk(),)), BadProposal),
        (Proposal("k", MODEL, BP, NO, ({"resourceType": "Patient"},)), NotDraftable),
        (Proposal("k", MODEL, BP, NO, ({"resourceType": "Observation"},)), Invalid),
        (Proposal("k", MODEL, BP, NO, (risk(),), corrects="Observation/bp/_history/1"), BadProposal),
    ],
)
def test_what_cannot_be_a_draft_is_refused(
    small_ward: Ward, proposal: Proposal, error: type[Exception]
) -> None:
    small_ward.result("bp")
    before = small_ward.dump()
    with pytest.raises(error) as caught:
        small_ward.drafts.propose(SERVICE, proposal)
    for language in ("en", "zh"):
        assert caught.value.say(language)  # type: ignore[attr-defined]
    assert small_ward.dump() == before


def test_accepting_makes_it_final_and_says_who(ward: Ward) -> None:
    ward.result("bp")
    draft = ward.propose("Observation/bp")
    done = ward.drafts.accept(DOCTOR, draft.reference, version=1, note="同意")
    body = ward.read(draft.reference)
    assert (done.state, body["status"], labels(body)) == ("accepted", "final", {AIAST, CLINAST})
    second = [
        p
        for p in ward.found("Provenance", target=draft.reference)
        if p["target"][0]["reference"].endswith("/2")
    ]
    assert second[0]["agent"][0]["who"] == {"reference": "Practitioner/dr-wang"}
    assert second[0]["reason"] == [{"text": "同意"}]
    assert ward.drafts.open(DOCTOR).drafts == []


def test_software_and_patients_never_decide(ward: Ward) -> None:
    ward.result("bp")
    draft = ward.propose("Observation/bp")
    for actor in (SERVICE, Actor("model-server", kind="system"), Actor("p", kind="patient")):
        for decide in (
            lambda a: ward.drafts.accept(a, draft.reference),
            lambda a: ward.drafts.amend(a, draft.reference, risk()),
            lambda a: ward.drafts.reject(a, draft.reference, "incorrect"),
        ):
            with pytest.raises(NotAClinician):
                decide(actor)
    assert ward.state(draft) == "open"
    assert ward.drafts.accept(local_system(), draft.reference).state == "accepted"


def test_an_edit_keeps_what_was_proposed_and_says_what_changed(ward: Ward) -> None:
    ward.result("bp")
    draft = ward.propose("Observation/bp")
    done = ward.drafts.amend(DOCTOR, draft.reference, risk(probability=0.1), note="Too high")
    body = ward.read(draft.reference)
    assert (done.state, body["status"]) == ("amended", "final")
    assert str(body["prediction"][0]["probabilityDecimal"]) == "0.1"
    assert ward.records.vread(DOCTOR, *draft.reference.split("/"), 1).body.find(b"0.2") > 0
    [said] = [one for one in ward.drafts.feedback(DOCTOR) if one.decision == "amend"]
    assert said.changed == ("prediction[0].probabilityDecimal",)
    other = ward.propose("Observation/bp", kind="again")
    for values in (
        {"prediction[1].x": "1"},
        {"prediction": "1"},
        {"prediction[0].probabilityDecimal": "high"},
    ):
        with pytest.raises(BadDecision):
            ward.drafts.amend(DOCTOR, other.reference, values)
    typed = ward.propose("Observation/bp", kind="typed")
    done = ward.drafts.amend(DOCTOR, typed.reference, {"prediction[0].probabilityDecimal": " 0.30 "})
    assert str(done.resource["prediction"][0]["probabilityDecimal"]) == "0.30"
    with pytest.raises(BadDecision):
        ward.drafts.amend(DOCTOR, other.reference, risk("Patient/q"))
    with pytest.raises(BadDecision):
        ward.drafts.amend(DOCTOR, other.reference, {"resourceType": "Observation"})


def test_a_rejection_has_a_reason_and_the_draft_does_not_come_back(ward: Ward) -> None:
    ward.result("bp")
    draft = ward.propose("Observation/bp")
    for code, text in (("nonsense", ""), ("other", " ")):
        with pytest.raises(BadDecision):
            ward.drafts.reject(DOCTOR, draft.reference, code, text)
    assert ward.drafts.reject(DOCTOR, draft.reference, "incorrect").state == "rejected"
    assert ward.propose("Observation/bp").state == "rejected"
    ward.result("bp", meta={"tag": [{"system": "urn:x", "code": "seen"}]})
    assert ward.propose("Observation/bp").state == "rejected"


def test_what_is_decided_is_decided(ward: Ward) -> None:
    ward.result("bp")
    for decided in ("accept", "reject", "supersede"):
        draft = ward.propose("Observation/bp", kind=decided)
        if decided == "accept":
            ward.drafts.accept(DOCTOR, draft.reference)
        elif decided == "reject":
            ward.drafts.reject(DOCTOR, draft.reference, "incorrect")
        else:
            ward.drafts.supersede(SERVICE, draft.reference, NEWER, Reason("newer", "更新"))
        with pytest.raises(Decided) as caught:
            ward.drafts.accept(DOCTOR, draft.reference)
        assert draft.reference in caught.value.say("zh")
        with pytest.raises(Decided):
            ward.drafts.reject(DOCTOR, draft.reference, "incorrect")


def test_a_version_that_was_not_seen_is_not_decided_on(ward: Ward) -> None:
    ward.result("bp")
    draft = ward.propose("Observation/bp")
    body = ward.read(draft.reference)
    ward.put({**body, "note": [{"text": "changed by somebody"}]})
    with pytest.raises(VersionConflict) as caught:
        ward.drafts.accept(DOCTOR, draft.reference, version=1)
    assert caught.value.status == 412


def test_of_many_who_decide_at_once_one_does(ward: Ward) -> None:
    ward.result("bp")
    draft = ward.propose("Observation/bp")

    def decide(at: int) -> str:
        try:
            if at % 2:
                return ward.drafts.accept(DOCTOR, draft.reference, version=1).state
            return ward.drafts.reject(DOCTOR, draft.reference, "incorrect", version=1).state
        except (Decided, VersionConflict):
            return ""

    with ThreadPoolExecutor(8) as pool:
        outcomes = [one for one in pool.map(decide, range(12)) if one]
    assert outcomes == [ward.state(draft)]
    assert ward.read(draft.reference)["meta"]["versionId"] == "2"


def test_no_decision_on_what_rests_on_changed_data_even_before_retraction(ward: Ward) -> None:
    ward.result("bp")
    draft = ward.propose("Observation/bp")
    ward.result("bp", "90")
    with pytest.raises(InputChanged):
        ward.drafts.accept(DOCTOR, draft.reference)
    assert ward.state(draft) == "open"


def test_what_is_no_draft_is_said_to_be_none(ward: Ward) -> None:
    ward.result("bp")
    with pytest.raises(NotADraft):
        ward.drafts.accept(DOCTOR, "Observation/bp")
    with pytest.raises(NotFound):
        ward.drafts.accept(DOCTOR, "Observation/none")
    with pytest.raises(BadDecision):
        ward.drafts.show(DOCTOR, "nonsense")


def test_drafts_of_one_patient(ward: Ward) -> None:
    ward.result("bp")
    mine = ward.propose("Observation/bp")
    ward.propose("Observation/bp", kind="other", resources=(risk("Patient/q"),))
    assert [one.ref for one in ward.drafts.open(DOCTOR, patient="p").drafts] == [mine.ref]
    assert len(ward.drafts.open(DOCTOR).drafts) == 2
    first = ward.drafts.open(DOCTOR, count=1)
    second = ward.drafts.open(DOCTOR, count=1, cursor=first.next)
    assert {first.drafts[0].ref, second.drafts[0].ref} == {one.ref for one in ward.drafts.open(DOCTOR).drafts}


def test_every_correction_of_a_patient_is_reached_page_by_page(ward: Ward) -> None:
    made = set()
    for at in range(5):
        ward.result(f"o{at}")
        better = {**ward.read(f"Observation/o{at}"), "status": "corrected"}
        cited = ward.cite(f"Observation/o{at}")
        made.add(ward.propose(cited, kind="fix", resources=(better,), corrects=cited).ref)
        made.add(ward.propose(cited, kind="risk").ref)
    met: list[Ref] = []
    cursor = None
    while True:
        page = ward.drafts.open(DOCTOR, patient="p", count=3, cursor=cursor)
        assert len(page.drafts) <= 3
        met += [one.ref for one in page.drafts]
        if (cursor := page.next) is None:
            break
    assert (len(met), set(met)) == (10, made)
    with pytest.raises(BadDecision):
        ward.drafts.open(DOCTOR, patient="p,q")


SUBJECT = {"subject": {"reference": "Patient/p"}}
EXAMPLES = {
    "Observation": {**SUBJECT, "code": {"text": "x"}},
    "DiagnosticReport": {**SUBJECT, "code": {"text": "x"}},
    "RiskAssessment": SUBJECT,
    "DetectedIssue": {"patient": {"reference": "Patient/p"}},
    "Composition": {**SUBJECT, "type": {"text": "x"}, "date": "2024", "author": [{"display": "x"}], "title": "x"},
    "Condition": {
        **SUBJECT,
        "clinicalStatus": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": "active"}]},
    },
    "AllergyIntolerance": {
        "patient": {"reference": "Patient/p"},
        "clinicalStatus": {
            "coding": [{"system": "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical", "code": "active"}]
        },
    },
    "ClinicalImpression": SUBJECT,
    "FamilyMemberHistory": {"patient": {"reference": "Patient/p"}, "relationship": {"text": "mother"}},
    "DocumentReference": {**SUBJECT, "content": [{"attachment": {"title": "x"}}]},
    "MedicationRequest": {**SUBJECT, "medicationCodeableConcept": {"text": "x"}},
    "ServiceRequest": SUBJECT,
    "DeviceRequest": {**SUBJECT, "codeCodeableConcept": {"text": "x"}},
    "NutritionOrder": {"patient": {"reference": "Patient/p"}, "dateTime": "2024", "oralDiet": {"instruction": "x"}},
    "CarePlan": SUBJECT,
    "RequestGroup": SUBJECT,
    "CommunicationRequest": SUBJECT,
    "Goal": {**SUBJECT, "description": {"text": "x"}},
    "Task": {"for": {"reference": "Patient/p"}},
}  # fmt: skip


@pytest.mark.parametrize("type_", sorted(FORMS))
def test_each_type_goes_through_its_own_states(small_ward: Ward, type_: str) -> None:
    small_ward.result("bp")
    resource = {"resourceType": type_, **EXAMPLES[type_]}

    def new(kind: str) -> str:
        return small_ward.propose("Observation/bp", kind=kind, resources=(resource,)).reference

    assert small_ward.drafts.accept(DOCTOR, new("a")).state == "accepted"
    assert small_ward.drafts.reject(DOCTOR, new("b"), "incorrect", "不对").state == "rejected"
    draft = small_ward.propose("Observation/bp", kind="c", resources=(resource,))
    assert [one.ref for one in small_ward.drafts.open(DOCTOR, patient="p").drafts] == [draft.ref]
    small_ward.drafts.supersede(SERVICE, draft.reference, NEWER, Reason("newer", "更新"))
    assert small_ward.drafts.open(DOCTOR).drafts == []


def test_drafts_of_another_tenant_are_not_there(ward: Ward) -> None:
    ward.result("bp")
    draft = ward.propose("Observation/bp")
    elsewhere = Actor("dr-li", tenant=2, kind="practitioner")
    assert ward.drafts.open(elsewhere).drafts == []
    assert list(ward.drafts.feedback(elsewhere)) == []
    for ask in (
        lambda: ward.drafts.show(elsewhere, draft.reference),
        lambda: ward.drafts.accept(elsewhere, draft.reference),
        lambda: ward.drafts.reject(elsewhere, draft.reference, "incorrect"),
        lambda: ward.drafts.rests_on(elsewhere, draft.reference),
    ):
        with pytest.raises(NotFound):
            ask()
    with pytest.raises(InputChanged):  # what it does not see it cannot cite
        ward.drafts.propose(Actor("worker", tenant=2, kind="service"), ward.proposal("Observation/bp"))
    # The same id in another tenant is another resource: its change touches nothing here.
    ward.records.update(elsewhere, "Patient", "p", b'{"resourceType":"Patient","id":"p"}')
    for value in (b"1", b"2"):
        body = (
            b'{"resourceType":"Observation","id":"bp","status":"final","code":{"text":"x"},"valueInteger":'
            + value
            + b"}"
        )
        ward.records.update(elsewhere, "Observation", "bp", body)
    handle(ward.records, ward.records.changes(elsewhere))
    assert ward.state(draft) == "open"
