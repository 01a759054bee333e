"""What follows when something that others rest on is corrected, withdrawn or moved; and the graph it follows."""

from __future__ import annotations

import pytest

from drafts.patients import DOCTOR, NEWER, SERVICE, Ward, code, risk
from xinglin.drafts import Drafts, Input, Proposal
from xinglin.drafts.errors import BadDecision, InputChanged
from xinglin.drafts.parts import RETRACTION
from xinglin.drafts.retraction import handle
from xinglin.records.errors import NotFound


def reviews(ward: Ward, status: str = "requested") -> list[dict]:
    return ward.found("Task", code=f"{RETRACTION}|review", status=status)


@pytest.mark.parametrize("how", ["corrected", "deleted", "entered-in-error", "moved"])
def test_an_open_draft_is_superseded_with_the_reason(ward: Ward, how: str) -> None:
    ward.result("bp")
    draft = ward.propose("Observation/bp")
    assert (ward.follow().superseded, ward.state(draft)) == (0, "open")
    if how == "corrected":
        ward.result("bp", "105")
    elif how == "deleted":
        ward.records.delete(DOCTOR, "Observation", "bp")
    elif how == "moved":
        ward.result("bp", subject={"reference": "Patient/q"})
    else:
        ward.result("bp", status="entered-in-error")
    assert ward.follow().superseded == 1
    assert ward.state(draft) == "superseded"
    [why] = [
        p
        for p in ward.found("Provenance", target=draft.reference)
        if p["activity"]["coding"][0]["code"] == "supersede"
    ]
    expected = {"corrected": "input-corrected", "moved": "input-moved"}.get(how, "input-withdrawn")
    assert why["reason"][0]["coding"][0]["code"] == expected
    assert "Observation/bp" in why["reason"][0]["text"]
    assert {"role": "revision", "what": {"reference": f"{draft.reference}/_history/1"}} in why["entity"]


def test_an_accepted_result_is_flagged_to_who_accepted_it_once(ward: Ward) -> None:
    ward.result("bp")
    draft = ward.propose("Observation/bp")
    ward.drafts.accept(DOCTOR, draft.reference)
    ward.follow()
    assert reviews(ward) == []
    ward.result("bp", "105")
    ward.position = 0  # the feed is at least once: everything comes again
    assert ward.follow().flagged == 1
    ward.position = 0
    assert ward.follow().flagged == 0
    [task] = reviews(ward)
    assert task["owner"] == {"reference": "Practitioner/dr-wang"}
    assert task["for"] == {"reference": "Patient/p"}
    assert task["reasonReference"] == {"reference": "Observation/bp/_history/2"}
    body = ward.read(draft.reference)
    assert (body["status"], code(body, RETRACTION)) == ("final", ["input-changed"])
    assert ward.drafts.show(DOCTOR, draft.reference).changed


def test_a_flagged_result_is_confirmed_or_withdrawn(ward: Ward) -> None:
    ward.result("bp")
    kept, dropped = (ward.propose("Observation/bp", kind=kind) for kind in ("kept", "dropped"))
    for one in (kept, dropped):
        ward.drafts.accept(DOCTOR, one.reference)
    ward.result("bp", "105")
    assert ward.follow().flagged == 2
    assert ward.drafts.accept(DOCTOR, kept.reference, note="Still holds").state == "accepted"
    assert ward.drafts.reject(DOCTOR, dropped.reference, "wrong-input").state == "withdrawn"
    assert (reviews(ward), len(reviews(ward, "completed"))) == ([], 2)
    assert ward.read(dropped.reference)["status"] == "entered-in-error"
    ward.position = 0
    assert ward.follow().flagged == 0  # confirmed by what the input is now
    ward.result("bp", "190")
    assert ward.follow().flagged == 1
    [task] = reviews(ward)
    assert task["focus"]["reference"].startswith(kept.reference)


def test_everything_computed_from_a_touched_result_is_touched(ward: Ward) -> None:
    ward.result("bp")
    first = ward.propose("Observation/bp", kind="first")
    ward.drafts.accept(DOCTOR, first.reference)
    second = ward.propose(first.reference, kind="second")
    third = ward.propose(second.reference, kind="third")
    beside = ward.propose("Patient/p", kind="beside")
    ward.follow()
    assert [ward.state(one) for one in (second, third)] == ["open", "open"]
    ward.result("bp", "105")
    done = ward.follow()
    assert (done.superseded, done.flagged) == (2, 1)
    assert [ward.state(one) for one in (first, second, third, beside)] == [
        "accepted",
        "superseded",
        "superseded",
        "open",
    ]


def test_accepting_an_input_is_no_change_of_it(ward: Ward) -> None:
    ward.result("bp")
    first = ward.propose("Observation/bp", kind="first")
    second = ward.propose(first.reference, kind="second")
    ward.drafts.accept(DOCTOR, first.reference)
    ward.follow()
    assert ward.state(second) == "open"
    rejected = ward.propose("Observation/bp", kind="other")
    third = ward.propose(rejected.reference, kind="third")
    ward.drafts.reject(DOCTOR, rejected.reference, "incorrect")
    ward.follow()
    assert ward.state(third) == "superseded"


def test_only_the_elements_used_count_where_they_are_named(ward: Ward) -> None:
    used = Input(ward.cite("Patient/p"), ("birthDate", "gender"))
    [draft] = ward.drafts.propose(
        SERVICE, Proposal("age", NEWER, (used,), ward.proposal("Patient/p").reason, (risk(),))
    )
    patient = ward.read("Patient/p")
    ward.put({**patient, "telecom": [{"system": "phone", "value": "13800000000"}]})
    ward.follow()
    assert ward.state(draft) == "open"
    ward.put({**patient, "birthDate": "1946-05-03"})
    ward.follow()
    assert ward.state(draft) == "superseded"


def test_a_draft_written_while_its_input_changed_is_found(ward: Ward) -> None:
    ward.result("bp")
    draft = ward.propose("Observation/bp")
    ward.result("bp", "105")
    changes = ward.records.changes(SERVICE)
    late = [
        one for one in changes if one.type == "Provenance"
    ]  # the change itself came by before the draft was there
    assert handle(ward.records, late).superseded == 1
    assert ward.state(draft) == "superseded"


def correction(ward: Ward, value: str = "120", **more: object) -> dict:
    body = ward.read("Observation/bp")
    quantity = {**body["valueQuantity"], "value": float(value)}
    return {**body, "status": "corrected", "valueQuantity": quantity, **more}


def correct(ward: Ward) -> str:
    cited = ward.cite("Observation/bp")
    return ward.propose("Observation/bp", kind="fix", resources=(correction(ward),), corrects=cited).reference


def test_an_accepted_correction_is_the_next_version_of_what_it_corrects(ward: Ward) -> None:
    ward.result(
        "bp",
        contained=[{"resourceType": "Device", "id": "d"}],
        device={"reference": "#d"},
        meta={"profile": ["http://x"]},
    )
    reference = correct(ward)
    assert ward.dump()["Observation"] == 1  # the value is not counted twice while it waits
    draft = ward.drafts.show(DOCTOR, reference)
    assert ward.drafts.before(DOCTOR, draft) == ward.read("Observation/bp")
    ward.drafts.accept(DOCTOR, reference)
    body = ward.read("Observation/bp")
    assert (body["meta"]["versionId"], body["status"], float(body["valueQuantity"]["value"])) == (
        "2",
        "corrected",
        120,
    )
    assert (body["contained"], body["meta"]["profile"]) == (
        [{"resourceType": "Device", "id": "d"}],
        ["http://x"],
    )
    assert {one["code"] for one in body["meta"]["security"]} == {"AIAST", "CLINAST"}
    assert ward.read(reference)["status"] == "completed"
    assert ward.follow().flagged == 0  # its own effect is no reason to doubt it
    assert ward.drafts.show(DOCTOR, reference).state == "accepted"


def test_a_correction_is_refused_where_its_target_changed_meanwhile(ward: Ward) -> None:
    ward.result("bp")
    reference = correct(ward)
    ward.result("bp", "111")
    with pytest.raises(InputChanged):
        ward.drafts.accept(DOCTOR, reference)
    assert ward.read("Observation/bp")["meta"]["versionId"] == "2"
    ward.follow()
    assert ward.drafts.show(DOCTOR, reference).state == "superseded"


def test_a_correction_is_refused_where_its_target_changed_though_it_is_no_input(ward: Ward) -> None:
    ward.result("bp")
    ward.result("other")
    draft = ward.propose(
        "Observation/other",
        kind="fix",
        resources=(correction(ward),),
        corrects=ward.cite("Observation/bp"),
    )
    ward.result("bp", "111")
    with pytest.raises(InputChanged) as refused:
        ward.drafts.accept(DOCTOR, draft.reference)
    assert refused.value.key == "drafts.target-changed"
    assert str(ward.read("Observation/bp")["valueQuantity"]["value"]) == "111"
    ward.follow()
    assert ward.state(draft) == "superseded"


def test_an_amended_correction_writes_what_the_clinician_says(ward: Ward) -> None:
    ward.result("bp")
    reference = correct(ward)
    ward.drafts.amend(DOCTOR, reference, correction(ward, "125"))
    assert float(ward.read("Observation/bp")["valueQuantity"]["value"]) == 125
    [said] = [one for one in ward.drafts.feedback(DOCTOR) if one.decision == "amend"]
    assert said.changed == ("valueQuantity.value",)


@pytest.mark.parametrize(
    ("typed", "code_"),
    [
        ("kPa", "kPa"),
        ("毫米汞柱", None),
        ("mmHg", "mm[Hg]"),
        ("μmol/L", "umol/L"),
        ("℃", "Cel"),
        ("×10⁹/L", "10*9/L"),
    ],
)
def test_the_code_of_a_unit_follows_what_was_typed(small_ward: Ward, typed: str, code_: str | None) -> None:
    small_ward.result("bp")
    small_ward.drafts.amend(
        DOCTOR, correct(small_ward), {"valueQuantity.value": "16.0", "valueQuantity.unit": typed}
    )
    quantity = small_ward.read("Observation/bp")["valueQuantity"]
    assert (str(quantity["value"]), quantity["unit"], quantity.get("code")) == ("16.0", typed, code_)


def test_a_correction_changes_what_rests_on_the_old_value_and_is_itself_retracted(ward: Ward) -> None:
    ward.result("bp")
    score = ward.propose("Observation/bp", kind="score")
    ward.drafts.accept(DOCTOR, score.reference)
    reference = correct(ward)
    ward.drafts.accept(DOCTOR, reference)
    assert ward.follow().flagged == 1  # the score, not the correction
    ward.put({**ward.read("Observation/bp"), "status": "entered-in-error"})
    assert ward.follow().flagged == 1  # the score waits for its doctor already; now the correction too
    assert {one["focus"]["reference"].split("/_")[0] for one in reviews(ward)} == {score.reference, reference}
    with pytest.raises(BadDecision):
        ward.drafts.reject(DOCTOR, reference, "wrong-input")
    ward.drafts.accept(DOCTOR, reference, note="Seen")
    assert len(reviews(ward)) == 1


def test_a_corrected_resource_is_flagged_where_the_grounds_of_its_correction_fall(ward: Ward) -> None:
    ward.result("bp")
    ward.result("other")
    cited = ward.cite("Observation/bp")
    draft = ward.propose(
        "Observation/other", "Observation/bp", kind="fix", resources=(correction(ward),), corrects=cited
    )
    ward.drafts.accept(DOCTOR, draft.reference)
    ward.follow()
    ward.records.delete(DOCTOR, "Observation", "other")
    assert ward.follow().flagged == 1
    [task] = reviews(ward)
    assert task["focus"]["reference"].startswith(draft.reference)
    [changed] = ward.drafts.open(DOCTOR, state="changed").drafts
    assert changed.reference == draft.reference


def test_the_graph_is_followed_both_ways_by_version(ward: Ward) -> None:
    ward.result("bp")
    first = ward.propose("Observation/bp", kind="first")
    ward.drafts.accept(DOCTOR, first.reference)
    second = ward.propose(first.reference, kind="second")
    grounds = [str(one) for one in ward.drafts.rests_on(DOCTOR, second.reference).nodes()]
    assert grounds == [
        f"{first.reference}/_history/2",
        f"{first.reference}/_history/1",
        "Observation/bp/_history/1",
    ]
    built = [str(one) for one in ward.drafts.computed_from(DOCTOR, "Observation/bp/_history/1").nodes()]
    assert built == [
        f"{first.reference}/_history/1",
        f"{first.reference}/_history/2",
        f"{second.reference}/_history/1",
    ]
    ward.result("bp", "105")
    assert ward.drafts.computed_from(DOCTOR, "Observation/bp/_history/2").nodes() == []
    later = ward.propose("Observation/bp", kind="later")  # from version 2: no part of what version 1 led to
    assert [
        str(one) for one in ward.drafts.computed_from(DOCTOR, "Observation/bp/_history/1").nodes()
    ] == built
    assert ward.drafts.computed_from(DOCTOR, "Observation/bp/_history/2").nodes() == [later.ref]
    assert len(ward.drafts.computed_from(DOCTOR, "Observation/bp").nodes()) >= 3
    bounded = ward.drafts.computed_from(DOCTOR, "Observation/bp", most=1)
    assert (len(bounded.edges), bounded.complete) == (1, False)
    with pytest.raises(NotFound):
        ward.drafts.rests_on(DOCTOR, "Observation/none")


def test_circles_end(ward: Ward) -> None:
    ward.result("a")
    ward.result("b")
    for at, (one, other) in enumerate((("a", "b"), ("b", "a"))):
        ward.put(
            {
                "resourceType": "Provenance",
                "id": f"c{at}",
                "target": [{"reference": f"Observation/{one}/_history/1"}],
                "recorded": "2024-01-01T00:00:00Z",
                "agent": [{"who": {"display": "x"}}],
                "entity": [{"role": "source", "what": {"reference": f"Observation/{other}/_history/1"}}],
            }
        )
    assert len(ward.drafts.rests_on(DOCTOR, "Observation/a").edges) == 2
    assert len(ward.drafts.computed_from(DOCTOR, "Observation/a/_history/1").edges) == 2
    ward.result("a", "105")
    assert ward.follow().flagged == 0


def test_feedback_says_who_decided_what_and_how_soon(ward: Ward) -> None:
    ward.result("bp")
    ward.drafts.accept(DOCTOR, ward.propose("Observation/bp", kind="a").reference)
    ward.drafts.reject(DOCTOR, ward.propose("Observation/bp", kind="b").reference, "too-late", "机密")
    ward.propose("Observation/bp", kind="c", by=NEWER)
    said = list(ward.drafts.feedback(DOCTOR, "cvd-risk|1.0"))
    assert [(one.decision, one.by, one.code) for one in said] == [
        ("reject", "Practitioner/dr-wang", "too-late"),
        ("accept", "Practitioner/dr-wang", ""),
    ]
    assert all(one.latency_s is not None and 0 <= one.latency_s < 60 for one in said)
    assert "机密" not in repr(said)
    assert list(ward.drafts.feedback(DOCTOR, "other")) == []
    assert list(ward.drafts.feedback(DOCTOR, since="2999")) == []


def test_what_was_superseded_is_told_of_the_model_that_proposed_it(ward: Ward) -> None:
    ward.result("bp")
    draft = ward.propose("Observation/bp")
    ward.result("bp", "105")
    ward.follow()
    [one] = ward.drafts.feedback(DOCTOR, "cvd-risk|1.0")
    assert (one.draft.name, one.decision, one.code) == (draft.reference, "supersede", "input-corrected")


def test_inputs_that_are_again_what_they_were_are_proposed_on_again(ward: Ward) -> None:
    ward.result("bp")
    first = ward.propose("Observation/bp")
    ward.result("bp", "105")
    ward.follow()
    ward.result("bp")  # taken back: 150 again
    ward.follow()
    again = ward.propose("Observation/bp")
    assert (ward.state(first), again.state, again.ref.id != first.ref.id) == ("superseded", "open", True)
    assert ward.propose("Observation/bp").ref == again.ref
    ward.drafts.reject(DOCTOR, again.reference, "incorrect")
    ward.result("bp", "105")
    ward.result("bp")
    ward.follow()
    assert ward.propose("Observation/bp").state == "rejected"  # a clinician has said so


@pytest.mark.parametrize("elements", [(), ("birthDate",)])
def test_a_patient_who_was_merged_into_another_has_moved(ward: Ward, elements: tuple[str, ...]) -> None:
    used = Input(ward.cite("Patient/p"), elements)
    [draft] = ward.drafts.propose(
        SERVICE, Proposal("age", NEWER, (used,), ward.proposal("Patient/p").reason, (risk(),))
    )
    other = {"other": {"reference": "Patient/q"}, "type": "replaced-by"}
    ward.put({**ward.read("Patient/p"), "link": [{**other, "type": "seealso"}]})
    if elements:
        ward.follow()
        assert ward.state(draft) == "open"
    ward.put({**ward.read("Patient/p"), "link": [other]})
    ward.follow()
    assert ward.state(draft) == "superseded"
    [why] = [one for one in ward.drafts.feedback(DOCTOR) if one.decision == "supersede"]
    assert why.code == "input-moved"


def test_each_deletion_of_an_input_is_asked_about_once(ward: Ward) -> None:
    ward.result("bp")
    draft = ward.propose("Observation/bp")
    ward.drafts.accept(DOCTOR, draft.reference)
    for _ in range(2):
        ward.records.delete(DOCTOR, "Observation", "bp")
        assert ward.follow().flagged == 1
        ward.drafts.accept(DOCTOR, draft.reference, note="Holds without it")
        ward.position = 0
        assert ward.follow().flagged == 0  # met again: asked and answered
        ward.result("bp")  # as it was: no change, and a new deletion may come
        assert ward.follow().flagged == 0


@pytest.mark.parametrize("met", ["before", "after"])
def test_a_change_that_came_while_a_result_was_looked_at_again_is_asked_about_too(
    ward: Ward, met: str
) -> None:
    ward.result("bp")
    draft = ward.propose("Observation/bp")
    ward.drafts.accept(DOCTOR, draft.reference)
    ward.result("bp", "105")
    ward.follow()
    ward.result("bp", "190")  # the page still shows 105
    if met == "before":
        ward.follow()
    ward.drafts.accept(DOCTOR, draft.reference, note="105 is close enough")
    ward.follow()
    [task] = reviews(ward)
    assert task["reasonReference"] == {"reference": "Observation/bp/_history/3"}
    assert ward.drafts.show(DOCTOR, draft.reference).changed
    ward.drafts.accept(DOCTOR, draft.reference, note="Seen at 190")
    ward.follow()
    assert (reviews(ward), ward.drafts.show(DOCTOR, draft.reference).changed) == ([], False)


@pytest.mark.postgres
def test_an_accept_that_overtakes_a_retraction_is_flagged_to_its_clinician(postgres_url: str) -> None:
    """Both saw the input and the draft as they were: on PostgreSQL they run side by side, and the accept commits first."""
    import threading

    from xinglin.kernel.database import open_database
    from xinglin.records.service import Records

    ward = Ward(Records(open_database(postgres_url, durable=False)))
    ward.result("bp")
    draft = ward.propose("Observation/bp")
    beside = Records(open_database(postgres_url, durable=False))
    written, release = threading.Event(), threading.Event()

    class Slow(Records):
        def transact(self, actor, work):  # type: ignore[no-untyped-def]
            def held(transaction):  # type: ignore[no-untyped-def]
                done = work(transaction)
                written.set()
                assert release.wait(30)
                return done

            return super().transact(actor, held)

    slow = Slow(open_database(postgres_url, durable=False))
    accepting = threading.Thread(target=Drafts(slow).accept, args=(DOCTOR, draft.reference))
    accepting.start()
    assert written.wait(30)
    ward.result("bp", "105")
    found: list[int] = []

    def retract() -> None:
        outcome = handle(beside, [one for one in beside.changes(SERVICE) if one.id == "bp"])
        found.append(outcome.flagged)

    retracting = threading.Thread(target=retract)
    retracting.start()
    retracting.join(0.5)
    assert retracting.is_alive()  # it waits for the draft that is being accepted
    release.set()
    accepting.join(30)
    retracting.join(30)
    try:
        assert found == [1]
        [task] = reviews(ward)
        assert task["owner"] == {"reference": "Practitioner/dr-wang"}
        assert ward.drafts.show(DOCTOR, draft.reference).changed
    finally:
        for records in (slow, beside, ward.records):
            records.close()
