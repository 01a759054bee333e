"""FHIRPath: microseconds per evaluation, against the same thing written by hand in Python.

The data are fixed resources decoded into the R4 structs; each figure is the best of several rounds of CPU time. The floor of each
row is a function that reads the same attributes and gives the same list, measured in the same run; it is first checked that both
give the same.

    python benchmarks/fhirpath.py [--seconds 0.2]
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from typing import Any

import msgspec

from xinglin.standards import ucum
from xinglin.standards.fhir import fhirpath

PATIENT = {
    "resourceType": "Patient",
    "name": [
        {"use": "official", "family": "Chalmers", "given": ["Peter", "James"]},
        {"use": "usual", "given": ["Jim"]},
    ],
    "telecom": [
        {"system": "phone", "value": "(03) 5555 6473", "use": "work"},
        {"system": "email", "value": "p@example.org"},
    ],
    "birthDate": "1974-12-25",
    "contact": [{"name": {"family": "du Marché"}}],
}
OBSERVATION = {
    "resourceType": "Observation",
    "status": "final",
    "code": {"coding": [{"system": "http://loinc.org", "code": "29463-7"}]},
    "subject": {"reference": "Patient/example"},
    "effectiveDateTime": "2016-03-28",
    "valueQuantity": {
        "value": 185,
        "unit": "lbs",
        "system": "http://unitsofmeasure.org",
        "code": "[lb_av]",
    },
}
CONDITION = {
    "resourceType": "Condition",
    "clinicalStatus": {
        "coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": "active"}]
    },
    "code": {"text": "Hypertension"},
    "subject": {"reference": "Patient/example"},
}


def _struct(body: dict[str, Any]) -> Any:
    from xinglin.standards.fhir.r4 import model

    return msgspec.json.decode(json.dumps(body), type=model.Resource)


def _listed(value: Any) -> list[Any]:
    return [] if value is None else [value]


def _given(patient: Any) -> list[str]:
    return [given for name in patient.name or () for given in name.given or ()]


def _email(patient: Any) -> list[Any]:
    return [point for point in patient.telecom or () if point.system == "email"]


def _patient_of(observation: Any) -> list[Any]:
    subject = observation.subject
    if subject is None or subject.reference is None:
        return []
    return [subject] if subject.reference.rpartition("/")[0].rpartition("/")[2] == "Patient" else []


def _con_4(condition: Any) -> list[bool]:
    if condition.abatementDateTime is None and condition.abatementAge is None:
        return [True]
    return [
        any(
            coding.code in ("resolved", "remission", "inactive") for coding in condition.clinicalStatus.coding
        )
    ]


_FAMILIES = (
    "AllergyIntolerance.code | AllergyIntolerance.reaction.substance | Condition.code | (DeviceRequest.code as "
    "CodeableConcept) | DiagnosticReport.code | FamilyMemberHistory.condition.code | List.code | Medication.code | "
    "Observation.code | Procedure.code"
)
_CON_4 = (
    "abatement.empty() or clinicalStatus.coding.where(system='http://terminology.hl7.org/CodeSystem/condition-clinical' "
    "and (code='resolved' or code='remission' or code='inactive')).exists()"
)

#: (expression, resource, the same by hand)
CASES: list[tuple[str, dict[str, Any], Callable[[Any], list[Any]]]] = [
    ("Observation.code", OBSERVATION, lambda r: _listed(r.code)),
    (_FAMILIES, CONDITION, lambda r: _listed(r.code)),
    ("(Observation.value as Quantity)", OBSERVATION, lambda r: _listed(r.valueQuantity)),
    ("Observation.subject", OBSERVATION, lambda r: _listed(r.subject)),
    ("Patient.birthDate", PATIENT, lambda r: _listed(r.birthDate)),
    ("Patient.name.given", PATIENT, _given),
    ("Patient.telecom.where(system='email')", PATIENT, _email),
    ("Observation.subject.where(resolve() is Patient)", OBSERVATION, _patient_of),
    (_CON_4, CONDITION, _con_4),
]


def microseconds(call: Callable[[], Any], seconds: float) -> float:
    """CPU time of one call in microseconds: the best of five rounds of ``seconds`` in all."""
    count, best = 100, float("inf")
    while True:
        start = time.process_time_ns()
        for _ in range(count):
            call()
        used = time.process_time_ns() - start
        if used > seconds / 10 * 1e9:
            break
        count *= 2
    for _ in range(5):
        start = time.process_time_ns()
        for _ in range(count):
            call()
        best = min(best, (time.process_time_ns() - start) / count)
    return best / 1000


def main(arguments: list[str] | None = None) -> int:
    """Prints the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=0.2, help="CPU time for each figure")
    options = parser.parse_args(arguments)

    from decimal import Decimal

    print("| expression | µs | by hand, µs | ratio |\n| --- | ---: | ---: | ---: |")
    for text, body, by_hand in CASES:
        resource = _struct(body)
        expression = fhirpath.compile(text, body["resourceType"])
        if expression.evaluate(resource) != by_hand(resource):
            raise SystemExit(f"{text}: the floor gives something else")
        ours = microseconds(lambda e=expression, r=resource: e.evaluate(r), options.seconds)
        floor = microseconds(lambda f=by_hand, r=resource: f(r), options.seconds)
        shown = text if len(text) <= 60 else text[:57] + "…"
        print(f"| `{shown.replace('|', chr(92) + '|')}` | {ours:.2f} | {floor:.2f} | {ours / floor:.1f} |")
    value = Decimal("5.5")
    ours = microseconds(lambda: ucum.canonical(value, "mg/dL"), options.seconds)
    factor = Decimal("0.1")
    floor = microseconds(lambda: (value * factor, "g.m-3"), options.seconds)
    print(f"| `ucum.canonical(5.5, 'mg/dL')` | {ours:.2f} | {floor:.2f} | {ours / floor:.1f} |")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
