"""Retraction and the rule of units as the worker runs them: durable consumers of the change feed."""

from __future__ import annotations

from drafts.patients import DOCTOR, Ward
from xinglin.apps.assemble import gathered
from xinglin.drafts.parts import RETRACTION
from xinglin.kernel.settings import Settings
from xinglin.records.feed import Consumers
from xinglin.records.site import Site


def test_from_a_wrong_unit_to_a_review_through_the_consumers(ward: Ward) -> None:
    site = Site(ward.records, Settings())
    ours = [one for one in gathered(site, "consumers") if one.name in ("drafts.retraction", "quality.units")]
    assert len(ours) == 2
    with Consumers(site, ours) as consumers:
        consumers.catch_up()
        ward.result("glucose", "99", "mmol/L", "14771-0")
        consumers.catch_up()
        [draft] = ward.drafts.open(DOCTOR, patient="p").drafts
        score = ward.propose("Observation/glucose", kind="score")
        ward.drafts.accept(DOCTOR, draft.reference)
        consumers.catch_up()
        assert ward.state(score) == "superseded"
        assert ward.drafts.open(DOCTOR).drafts == []
        ward.put({**ward.read("Observation/glucose"), "status": "entered-in-error"})
        consumers.catch_up()
        [task] = ward.found("Task", code=f"{RETRACTION}|review")
        assert task["owner"] == {"reference": "Practitioner/dr-wang"}
        assert all(not lag.parked for lag in consumers.lag().values())
