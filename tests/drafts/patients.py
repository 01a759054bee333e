"""A patient with results, a model that computes from them, a doctor who decides, and the feed that follows."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from xinglin.drafts import Draft, Drafts, Input, Model, Proposal, Reason
from xinglin.drafts.exact import dumps, loads
from xinglin.drafts.retraction import Outcome, handle
from xinglin.records.service import Records
from xinglin.records.stored import Stored
from xinglin.trust import Actor

MODEL = Model("cvd-risk", "1.0", "sha256:aa")
NEWER = Model("cvd-risk", "1.1", "sha256:bb")
REASON = Reason("Blood pressure and age.", "依据血压与年龄。")
DOCTOR = Actor("dr-wang", kind="practitioner")
SERVICE = Actor("worker", kind="service")


def risk(subject: str = "Patient/p", probability: float = 0.2) -> dict[str, Any]:
    return {
        "resourceType": "RiskAssessment",
        "status": "final",
        "subject": {"reference": subject},
        "prediction": [{"outcome": {"text": "CVD"}, "probabilityDecimal": probability}],
    }


class Ward:
    """One record, with the steps that the tests take."""

    def __init__(self, records: Records) -> None:
        self.records = records
        self.drafts = Drafts(records)
        self.position = 0
        self.put(
            {"resourceType": "Patient", "id": "p", "name": [{"text": "张伟"}], "birthDate": "1964-05-03"}
        )
        self.put({"resourceType": "Patient", "id": "q", "name": [{"text": "单丽华"}]})

    def put(self, resource: dict[str, Any]) -> Stored:
        body = dumps(resource)
        return self.records.update(DOCTOR, resource["resourceType"], resource["id"], body)

    def result(
        self, id_: str, value: str = "150", unit: str = "mm[Hg]", code: str = "8480-6", **more: Any
    ) -> Stored:
        return self.put(
            {
                "resourceType": "Observation",
                "id": id_,
                "status": "final",
                "subject": {"reference": "Patient/p"},
                "code": {"coding": [{"system": "http://loinc.org", "code": code}]},
                "valueQuantity": {
                    "value": Decimal(value),
                    "unit": unit,
                    "system": "http://unitsofmeasure.org",
                    "code": unit,
                },
                **more,
            }
        )

    def proposal(self, *inputs: str, by: Model = MODEL, kind: str = "cvd.risk", **more: Any) -> Proposal:
        read = tuple(Input(self.cite(one) if "_history" not in one else one) for one in inputs)
        resources = more.pop("resources", (risk(),))
        return Proposal(kind, by, read, REASON, resources, **more)

    def propose(self, *inputs: str, **more: Any) -> Draft:
        return self.drafts.propose(SERVICE, self.proposal(*inputs, **more))[0]

    def cite(self, name: str) -> str:
        type_, id_ = name.split("/")
        return f"{name}/_history/{self.records.read(DOCTOR, type_, id_).version}"

    def read(self, name: str) -> dict[str, Any]:
        type_, id_ = name.split("/")
        return loads(self.records.read(DOCTOR, type_, id_).body)

    def state(self, one: Draft) -> str:
        return self.drafts.show(DOCTOR, one.reference).state

    def follow(self) -> Outcome:
        """Let retraction follow the feed up to now."""
        outcome = Outcome()
        while changes := self.records.changes(SERVICE, self.position):
            done = handle(self.records, changes)
            outcome = Outcome(outcome.superseded + done.superseded, outcome.flagged + done.flagged)
            self.position = changes[-1].position
        return outcome

    def found(self, type_: str, **asked: str) -> list[dict[str, Any]]:
        from xinglin.drafts.reading import found

        return [body for _, body in found(self.records, DOCTOR, type_, *asked.items())]

    def dump(self) -> dict[str, int]:
        return self.records.count(DOCTOR)


def code(resource: dict[str, Any], system: str) -> list[str]:
    return [tag["code"] for tag in resource["meta"].get("tag", []) if tag["system"] == system]


def shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
