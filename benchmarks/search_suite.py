"""Forty typical searches, as wards, clinics, laboratories, registries and apps ask them, of the demonstration hospital.

Each is (what for, search). ``{patient}`` and the like are filled by `searches` with one middling patient who is the same
whatever the hospital's size.
"""

from __future__ import annotations

from collections.abc import Sequence

from xinglin.standards.fhir.search.grammar import parse_query
from xinglin.standards.fhir.search.query import Compartment, Query

PATIENT = {"patient": "p77", "mrn": "XL00000077", "doctor": "d10"}

SEARCHES: tuple[tuple[str, str], ...] = (
    # One patient's chart
    ("one laboratory value over time", "Observation?patient={patient}&code=http://loinc.org|14682-9&_sort=-date&_count=10"),
    ("latest vital signs", "Observation?patient={patient}&category=vital-signs&_sort=-date&_count=20"),
    ("laboratory since last year", "Observation?patient={patient}&category=laboratory&date=ge2024&_sort=-date&_count=50"),
    ("three vital signs together", "Observation?patient={patient}&code=85354-9,8867-4,8310-5&_sort=-date&_count=20"),
    ("active problems", "Condition?patient={patient}&clinical-status=active"),
    ("visits with their doctors", "Encounter?patient={patient}&_include=Encounter:participant&_sort=-date&_count=10"),
    ("medicines now taken", "MedicationRequest?patient={patient}&status=active"),
    ("medicines not completed", "MedicationRequest?patient={patient}&status:not=completed"),
    ("allergies", "AllergyIntolerance?patient={patient}"),
    ("reports with their results", "DiagnosticReport?patient={patient}&_include=DiagnosticReport:result&_sort=-date&_count=5"),
    ("documents, newest first", "DocumentReference?patient={patient}&_sort=-date&_count=10"),
    (
        "front page of a chart",
        "Patient?_id={patient}&_revinclude=Condition:patient&_revinclude=AllergyIntolerance:patient"
        "&_revinclude=MedicationRequest:patient",
    ),
    ("heights, by compartment", "Patient/{patient}/Observation?code=8302-2&_sort=-date"),
    ("what several types hold of a patient", "Patient/{patient}/?_type=Condition,Encounter,MedicationRequest&_count=20"),
    ("all of one visit", "Observation?encounter={patient}-2&_count=50"),
    ("visits without a reason", "Encounter?patient={patient}&reason-code:missing=true"),
    # Finding a person
    ("by record number with system", "Patient?identifier=https://xinglin.example/patient|{mrn}"),
    ("by record number alone", "Patient?identifier={mrn}"),
    ("by surname in Chinese", "Patient?name=李&_count=20"),
    ("by full pinyin", "Patient?name=zhangwei&_count=20"),
    ("by initials", "Patient?name=zw&_count=20"),
    ("by family name and decade of birth", "Patient?family=王&birthdate=ge1950&birthdate=lt1960&_count=20"),
    ("by the exact name", "Patient?name:exact=李艳"),
    ("by day of birth", "Patient?birthdate=1966-07-13"),
    ("by part of a name", "Patient?name:contains=xiao&_count=10"),
    ("a list sorted by name and age", "Patient?gender=female&_sort=family,-birthdate&_count=20"),
    # Over all patients
    ("newest results of one test", "Observation?code=4548-4&_sort=-date&_count=10"),
    ("newest results of any kind", "Observation?_sort=-date&_count=10"),
    ("results of one day", "Observation?date=2024-03-05&_sort=date&_count=50"),
    ("visits from a date on", "Encounter?date=ge2024-05-01&_sort=date&_count=20"),
    ("a doctor's visits this year", "Encounter?participant=Practitioner/{doctor}&date=ge2024&_sort=-date&_count=20"),
    ("everyone with a diagnosis", "Condition?code=http://hl7.org/fhir/sid/icd-10|E11.9&_count=20"),
    ("active diagnoses by a word", "Condition?code:text=diabetes&clinical-status=active&_count=20"),
    ("high HbA1c", "Observation?code=4548-4&value-quantity=gt8|http://unitsofmeasure.org|%&_count=20"),
    ("high systolic pressure", "Observation?component-code-value-quantity=http://loinc.org|8480-6$gt160&_count=20"),
    ("results of people called Zhang", "Observation?subject:Patient.name=zhang&_count=10"),
    ("visits by record number, chained", "Encounter?subject:Patient.identifier={mrn}&_sort=-date&_count=10"),
    ("patients with a diagnosis", "Patient?_has:Condition:patient:code=E11.9&_count=20"),
    ("men born before 1960 with an HbA1c", "Patient?_has:Observation:patient:code=4548-4&gender=male&birthdate=lt1960&_count=20"),
    ("how many have a diagnosis", "Condition?code=E11.9&_summary=count"),
)  # fmt: skip


def searches() -> list[tuple[str, str, Query]]:
    """(what for, search, parsed)."""
    found = []
    for purpose, template in SEARCHES:
        search = template.format(**PATIENT)
        found.append((purpose, search, parsed(search)))
    return found


def parsed(search: str) -> Query:
    """``Type?name=value…`` or ``Base/id/Type?…`` as a Query."""
    path, _, text = search.partition("?")
    parts = path.split("/")
    compartment = Compartment(parts[0], parts[1]) if len(parts) == 3 else None
    pairs: Sequence[tuple[str, str]] = [tuple(pair.split("=", 1)) for pair in text.split("&")] if text else []  # type: ignore[misc]
    return parse_query(parts[-1] or None, pairs, strict=True, compartment=compartment)
