"""R4's invariants through the engine: silent on the official examples, loud on what breaks them."""

from __future__ import annotations

import json
import tarfile
from typing import Any

import pytest

from paths import r4_examples
from xinglin.standards.fhir.errors import Invalid
from xinglin.standards.fhir.parse import parse
from xinglin.standards.fhir.validate import tier2

#: Official examples that break R4 themselves: concrete StructureDefinitions without a base, and a Bundle that holds the same
#: entries several times.
BROKEN_EXAMPLES = {
    ("StructureDefinition", "sdf-4"),
    ("Bundle", "bdl-7"),
}
LARGEST = 1_000_000  # bytes; the few larger ones are bundles of the same definitions


@pytest.mark.slow
def test_official_examples_break_no_invariant_but_for_the_ones_that_do() -> None:
    checked, found = 0, set()
    with tarfile.open(r4_examples()) as archive:
        for member in archive:
            if not member.name.endswith(".json") or member.size > LARGEST:
                continue
            file = archive.extractfile(member)
            assert file is not None
            try:
                resource = parse(file.read())
            except Invalid:
                continue  # tier 1 has its own test
            checked += 1
            for finding in tier2(resource):
                assert finding.message_key != "standards.fhir-not-evaluated", (member.name, finding)
                if finding.severity == "error":
                    found.add((type(resource).__name__, str(finding.values["key"])))
    assert checked > 2_000
    assert found <= BROKEN_EXAMPLES


PATIENT = {"resourceType": "Patient"}
OBSERVATION = {"resourceType": "Observation", "status": "final", "code": {"coding": [{"code": "a"}]}}
BREAKS: list[tuple[str, dict[str, Any]]] = [
    ("pat-1", PATIENT | {"contact": [{"gender": "male"}]}),
    ("per-1", PATIENT | {"name": [{"period": {"start": "2020-02-01", "end": "2020-01-31"}}]}),
    (
        "per-1",
        PATIENT
        | {"name": [{"period": {"start": "2020-02-01T00:00:00+01:00", "end": "2020-01-31T22:00:00Z"}}]},
    ),
    ("cpt-2", PATIENT | {"telecom": [{"value": "123"}]}),
    ("ref-1", PATIENT | {"managingOrganization": {"reference": "#gone"}}),
    ("att-1", PATIENT | {"photo": [{"data": "QUJD"}]}),
    ("obs-6", OBSERVATION | {"valueString": "x", "dataAbsentReason": {"text": "y"}}),
    (
        "obs-7",
        OBSERVATION
        | {"valueString": "x", "component": [{"code": {"coding": [{"code": "a"}]}, "valueString": "y"}]},
    ),
    ("obs-3", OBSERVATION | {"referenceRange": [{"age": {"low": {"value": 1}}}]}),
    (
        "rng-2",
        OBSERVATION
        | {
            "valueRange": {
                "low": {"value": 2, "system": "http://unitsofmeasure.org", "code": "g"},
                "high": {"value": 1999, "system": "http://unitsofmeasure.org", "code": "mg"},
            }
        },
    ),
    ("qty-3", OBSERVATION | {"valueQuantity": {"value": 1, "code": "mg"}}),
    ("rat-1", OBSERVATION | {"valueRatio": {"numerator": {"value": 1}}}),
    (
        "tim-1",
        {
            "resourceType": "MedicationRequest",
            "status": "active",
            "intent": "order",
            "medicationCodeableConcept": {"text": "x"},
            "subject": {"display": "y"},
            "dosageInstruction": [{"timing": {"repeat": {"duration": 2}}}],
        },
    ),
    ("bdl-1", {"resourceType": "Bundle", "type": "collection", "total": 1}),
    ("bdl-3", {"resourceType": "Bundle", "type": "transaction", "entry": [{"resource": PATIENT}]}),
    (
        "bdl-7",
        {
            "resourceType": "Bundle",
            "type": "collection",
            "entry": [{"fullUrl": "urn:x", "resource": PATIENT}] * 2,
        },
    ),
    ("org-1", {"resourceType": "Organization", "active": True}),
    ("org-3", {"resourceType": "Organization", "name": "x", "telecom": [{"system": "phone", "use": "home"}]}),
    (
        "que-2",
        {
            "resourceType": "Questionnaire",
            "status": "draft",
            "item": [{"linkId": "1", "type": "group", "item": [{"linkId": "1", "type": "string"}]}],
        },
    ),
    (
        "que-7",
        {
            "resourceType": "Questionnaire",
            "status": "draft",
            "item": [
                {
                    "linkId": "1",
                    "type": "string",
                    "enableWhen": [{"question": "0", "operator": "exists", "answerString": "x"}],
                }
            ],
        },
    ),
    (
        "csd-1",
        {
            "resourceType": "CodeSystem",
            "status": "draft",
            "content": "complete",
            "concept": [{"code": "a"}, {"code": "b", "concept": [{"code": "a"}]}],
        },
    ),
    (
        "con-4",
        {
            "resourceType": "Condition",
            "subject": {"display": "x"},
            "clinicalStatus": {
                "coding": [
                    {"system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": "active"}
                ]
            },
            "abatementDateTime": "2020",
        },
    ),
    (
        "app-2",
        {
            "resourceType": "Appointment",
            "status": "proposed",
            "start": "2020-01-01T10:00:00Z",
            "participant": [{"actor": {"display": "x"}, "status": "accepted"}],
        },
    ),
    (
        "ras-2",
        {
            "resourceType": "RiskAssessment",
            "status": "final",
            "subject": {"display": "x"},
            "prediction": [{"probabilityDecimal": 100.5}],
        },
    ),
]


@pytest.mark.parametrize(("key", "body"), BREAKS)
def test_a_broken_invariant_is_found(key: str, body: dict[str, Any]) -> None:
    findings = tier2(parse(json.dumps(body).encode()))
    assert key in {finding.values.get("key") for finding in findings}


@pytest.mark.parametrize(
    "period",
    [
        {"start": "2020-01", "end": "2020-01-31"},  # cannot be decided, so it is not refused
        {"start": "2020-01-31", "end": "2020-01-31T10:00:00Z"},
        {"start": "2020-01-01T00:00:00+08:00", "end": "2019-12-31T16:00:00Z"},  # the same moment
    ],
)
def test_what_partial_dates_leave_open_is_no_finding(period: dict[str, str]) -> None:
    body = PATIENT | {"name": [{"period": period}]}
    assert "per-1" not in {f.values.get("key") for f in tier2(parse(json.dumps(body).encode()))}
