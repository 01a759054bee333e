"""Drafts that somebody writes over by hand: nobody is taken to have decided, and a clinician still can."""

from __future__ import annotations

import pytest

from drafts.patients import DOCTOR, Ward, code, risk
from xinglin.drafts import bypass
from xinglin.drafts.errors import Altered, BadDecision, InputChanged
from xinglin.drafts.parts import ASSERTED_BY, RETRACTION, STATE
from xinglin.records.errors import VersionConflict


def follow(ward: Ward, after: int = 0) -> list[str]:
    return [one.name for one in bypass.handle(ward.records, ward.records.changes(DOCTOR, after))]


def reviews(ward: Ward, status: str = "requested") -> list[dict]:
    return ward.found("Task", code=f"{RETRACTION}|review", status=status)


@pytest.mark.parametrize("labels", ["kept", "dropped", "forged"])
def test_a_draft_made_final_by_hand_is_recorded_and_put_to_a_clinician(ward: Ward, labels: str) -> None:
    ward.result("bp")
    draft = ward.propose("Observation/bp")
    written = {**risk(), "id": draft.ref.id, "status": "final"}
    if labels == "kept":
        written["meta"] = draft.resource["meta"]
    elif labels == "forged":
        written["meta"] = {"tag": [{"system": STATE, "code": "accepted"}]}
    ward.put(written)
    assert follow(ward) == [draft.reference]
    assert follow(ward) == []  # met twice, recorded once
    body = ward.read(draft.reference)
    assert (body["status"], code(body, STATE)) == ("final", ["bypassed"])
    assert not ward.drafts.show(DOCTOR, draft.reference).changed  # nobody has accepted it
    assert [one["code"] for one in body["meta"]["security"] if one["system"] == ASSERTED_BY] == ["AIAST"]
    [task] = reviews(ward)
    assert ("owner" in task, task["for"]) == (False, {"reference": "Patient/p"})
    assert [one.ref.name for one in ward.drafts.open(DOCTOR, state="changed").drafts] == [draft.reference]
    assert [(one.decision, one.by) for one in ward.drafts.feedback(DOCTOR, "cvd-risk")] == [("bypass", "")]
    assert ward.drafts.accept(DOCTOR, draft.reference).state == "accepted"
    assert (reviews(ward), len(reviews(ward, "completed"))) == ([], 1)
    ward.result("bp", "105")
    assert (ward.follow().flagged, follow(ward)) == (1, [])
    assert reviews(ward)[0]["owner"] == {"reference": "Practitioner/dr-wang"}


def test_what_a_hand_withdrew_needs_no_look(ward: Ward) -> None:
    ward.result("bp")
    draft = ward.propose("Observation/bp")
    ward.put({**draft.resource, "status": "entered-in-error"})
    assert follow(ward) == [draft.reference]
    assert (ward.state(draft), reviews(ward)) == ("bypassed", [])


def test_a_correction_completed_by_hand_corrected_nothing_and_may_still_be_accepted(ward: Ward) -> None:
    ward.result("sugar", "99", "mmol/L", "14771-0")
    better = {**ward.read("Observation/sugar"), "status": "corrected"}
    better["valueQuantity"] = {**better["valueQuantity"], "value": 5.5}
    at = ward.cite("Observation/sugar")
    draft = ward.propose("Observation/sugar", resources=(better,), corrects=at)
    ward.put({**draft.resource, "status": "completed"})
    assert follow(ward) == [draft.reference]
    assert ward.cite("Observation/sugar") == at
    ward.drafts.accept(DOCTOR, draft.reference)
    assert float(ward.read("Observation/sugar")["valueQuantity"]["value"]) == 5.5
    assert (follow(ward), ward.state(draft), reviews(ward)) == ([], "accepted", [])


def test_decisions_and_what_is_no_draft_are_left_alone(ward: Ward) -> None:
    ward.result("bp")
    accepted, rejected, still = (ward.propose("Observation/bp", kind=kind) for kind in "abc")
    ward.drafts.accept(DOCTOR, accepted.reference)
    ward.drafts.reject(DOCTOR, rejected.reference, "incorrect")
    for probability in (0.1, 0.2):
        ward.put({**risk(probability=probability), "id": "own"})
        ward.put({**risk(probability=probability), "id": accepted.ref.id})  # changed after it was accepted
    assert follow(ward) == []
    assert ward.state(still) == "open"


def test_a_copy_with_the_tags_of_a_draft_blocks_no_proposal(ward: Ward) -> None:
    ward.result("bp")
    draft = ward.propose("Observation/bp")
    ward.put({**draft.resource, "id": "copy"})
    ward.result("bp", "105")
    assert ward.propose("Observation/bp").state == "open"


@pytest.mark.parametrize("how", ["rejected", "superseded"])
def test_a_closed_draft_brought_back_by_hand_is_put_to_a_clinician(ward: Ward, how: str) -> None:
    ward.result("bp")
    draft = ward.propose("Observation/bp")
    if how == "rejected":
        ward.drafts.reject(DOCTOR, draft.reference, "incorrect")
    else:
        ward.result("bp", "105")
        ward.follow()
    assert follow(ward) == []
    ward.put({**ward.read(draft.reference), "status": "final"})
    assert follow(ward) == [draft.reference]
    assert ward.state(draft) == "bypassed"
    assert len(reviews(ward)) == 1


def test_what_a_hand_changed_in_an_open_draft_is_not_accepted_as_the_models(ward: Ward) -> None:
    ward.result("bp")
    draft = ward.propose("Observation/bp")
    ward.put({**draft.resource, "prediction": [{"outcome": {"text": "CVD"}, "probabilityDecimal": 0.9}]})
    with pytest.raises(Altered):  # nobody says that it was seen
        ward.drafts.accept(DOCTOR, draft.reference)
    with pytest.raises(VersionConflict):  # what was seen is what was proposed
        ward.drafts.accept(DOCTOR, draft.reference, version=1)
    done = ward.drafts.accept(DOCTOR, draft.reference, version=2)
    assert done.state == "amended"
    [said] = ward.drafts.feedback(DOCTOR, "cvd-risk")
    assert (said.decision, said.changed) == ("amend", ("prediction[0].probabilityDecimal",))
    moved = ward.propose("Observation/bp", kind="moved")
    ward.put({**moved.resource, "subject": {"reference": "Patient/q"}})
    with pytest.raises(BadDecision):
        ward.drafts.accept(DOCTOR, moved.reference, version=2)


def test_a_bypassed_draft_whose_grounds_have_changed_can_only_be_refused(ward: Ward) -> None:
    ward.result("bp")
    draft = ward.propose("Observation/bp")
    ward.put({**draft.resource, "status": "final"})
    assert follow(ward) == [draft.reference]
    ward.result("bp", "105")
    with pytest.raises(InputChanged) as refused:
        ward.drafts.accept(DOCTOR, draft.reference)
    assert refused.value.key == "drafts.bypassed-changed"
    assert ward.drafts.reject(DOCTOR, draft.reference, "wrong-input").state == "rejected"
