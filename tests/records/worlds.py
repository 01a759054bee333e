"""Small worlds of resources that hang together, drawn from a seed, and the values that searches over them use.

Values come from small pools, so that searches hit; every datatype that search knows occurs, and much is left out at times.
"""

from __future__ import annotations

import random
from typing import Any

FAMILIES = ["张", "单", "欧阳", "Müller", "Miller", "O'Neil", "van Dyke", "王"]
GIVENS = ["伟", "小明", "长乐", "Ann", "Änne", "Peter James", "李"]
CODES = [
    ("http://loinc.org", "8480-6", "Systolic blood pressure"),
    ("http://loinc.org", "8462-4", "Diastolic"),
    ("http://snomed.info/sct", "8480-6", "收缩压"),
    ("", "local|1", "Local, one"),
    ("http://loinc.org", "A1c", "HbA1c"),
    ("http://loinc.org", "a1c", ""),
]
UNITS = [
    ("http://unitsofmeasure.org", "mg", "mg"),
    ("http://unitsofmeasure.org", "g", "gram"),
    ("", "", "mg"),
    ("http://unitsofmeasure.org", "mm[Hg]", "mmHg"),
    ("http://other", "mg", "mg"),
    ("http://unitsofmeasure.org", "nonsense", "x"),
]
NUMBERS = ["5", "5.4", "5.40", "5400", "0.0054", "120", "-1", "0", "100", "99.5", "100.5"]
MOMENTS = [
    "2020",
    "2020-02",
    "2020-02-29",
    "2020-02-29T10:00:00+08:00",
    "2020-02-29T02:00:00Z",
    "2020-03-01T00:00:00.5Z",
    "2019-12-31",
    "2021-01-01T00:00:00+14:00",
    "2020-06-15",
]
URLS = [
    "http://a.org/b",
    "http://a.org/b/c",
    "http://a.org/bc",
    "http://A.org/b",
    "urn:oid:1.2.3",
    "http://a.org/b|1",
]


class World:
    """Resources as JSON objects."""

    def __init__(self, seed: int, size: int = 12) -> None:
        self.chance = random.Random(seed)
        self.resources: list[dict[str, Any]] = []
        counts = {
            "Organization": 4,
            "Practitioner": 4,
            "Patient": size,
            "Encounter": size,
            "Group": 4,
            "Observation": 5 * size,
            "RiskAssessment": size,
            "ValueSet": 8,
            "MeasureReport": 6,
            "DocumentReference": 8,
            "Provenance": size,
        }
        self.ids = {
            kind: [f"{kind[:2].lower()}{number}" for number in range(count)] for kind, count in counts.items()
        }
        for kind, ids in self.ids.items():
            for id in ids:
                made = {"resourceType": kind, "id": id, **getattr(self, kind.lower())()}
                if self.maybe():
                    made["meta"] = {"tag": [self.coding()], "profile": [self.pick(URLS[:4])]}
                self.resources.append(
                    {name: value for name, value in made.items() if value is not None and value != []}
                )

    def pick(self, pool: Any) -> Any:
        return self.chance.choice(pool)

    def maybe(self, odds: float = 0.5) -> bool:
        return self.chance.random() < odds

    def coding(self) -> dict[str, Any]:
        system, code, display = self.pick(CODES)
        made = {"system": system, "code": code, "display": display}
        return {name: value for name, value in made.items() if value}

    def concept(self) -> dict[str, Any]:
        made: dict[str, Any] = {}
        if self.maybe(0.9):
            made["coding"] = [self.coding() for _ in range(self.pick([1, 1, 2]))]
        if self.maybe(0.4) or not made:
            made["text"] = self.pick(["Systolic pressure", "血压", "HbA1c"])
        return made

    def quantity(self) -> dict[str, Any]:
        system, code, unit = self.pick(UNITS)
        made: dict[str, Any] = {"value": float(self.pick(NUMBERS)), "unit": unit}
        if system:
            made |= {"system": system, "code": code}
        if self.maybe(0.2):
            made["comparator"] = self.pick(["<", "<=", ">=", ">"])
        return made

    def period(self) -> dict[str, Any]:
        first, second = sorted([self.pick(MOMENTS), self.pick(MOMENTS)])
        made = {"start": first, "end": second}
        if self.maybe(0.4):
            del made[self.pick(["start", "end"])]
        return made

    def reference(self, *kinds: str) -> dict[str, Any]:
        kind = self.pick(kinds)
        roll = self.chance.random()
        if roll < 0.06:
            return {"display": "Someone"}
        if roll < 0.12:
            return {"identifier": {"system": "http://ids", "value": self.pick(["1", "2"])}, "type": kind}
        if roll < 0.16:
            return {"reference": f"http://elsewhere.org/fhir/{kind}/{self.pick(self.ids[kind])}"}
        if roll < 0.20:
            return {"reference": f"{kind}/nobody"}
        if roll < 0.24:
            return {"reference": f"http://here.org/fhir/{kind}/{self.pick(self.ids[kind])}"}
        if roll < 0.28:
            return {"reference": f"{kind}/{self.pick(self.ids[kind])}/_history/1"}
        return {"reference": f"{kind}/{self.pick(self.ids[kind])}"}

    def identifier(self) -> list[dict[str, Any]]:
        made: dict[str, Any] = {"value": self.pick(["1", "2", "A-3"])}
        if self.maybe(0.8):
            made["system"] = self.pick(["http://ids", "http://mrn"])
        if self.maybe():
            made["type"] = {
                "coding": [{"system": "http://v2", "code": self.pick(["MR", "SS"])}],
                "text": "Record number",
            }
        return [made]

    def name(self) -> dict[str, Any]:
        family, given = self.pick(FAMILIES), self.pick(GIVENS)
        made: dict[str, Any] = {"family": family, "given": [given]}
        if self.maybe(0.3):
            made = {"text": f"{family}{given}"}
        elif self.maybe(0.3):
            made["text"] = f"{given} {family}"
        return made

    def organization(self) -> dict[str, Any]:
        return {
            "name": self.pick(["Klinik Süd", "协和医院", "St. Mary"]),
            "identifier": self.identifier(),
            "partOf": self.reference("Organization") if self.maybe() else None,
        }

    def practitioner(self) -> dict[str, Any]:
        return {"name": [self.name()], "gender": self.pick(["male", "female", None])}

    def patient(self) -> dict[str, Any]:
        return {
            "name": [self.name() for _ in range(self.pick([0, 1, 1, 2]))],
            "identifier": self.identifier() if self.maybe() else [],
            "gender": self.pick(["male", "female", None]),
            "active": self.pick([True, False, None]),
            "birthDate": self.pick(["2020", "2020-02", "2020-02-29", "1970-01-01", None]),
            "telecom": [{"system": self.pick(["phone", "email"]), "value": "555", "use": "home"}]
            if self.maybe()
            else [],
            "address": [{"city": self.pick(["Köln", "北京", "New York"]), "line": ["1 Main St"]}]
            if self.maybe()
            else [],
            "managingOrganization": self.reference("Organization") if self.maybe() else None,
            "generalPractitioner": [self.reference("Practitioner", "Organization")] if self.maybe() else [],
            "link": [{"other": self.reference("Patient"), "type": "seealso"}] if self.maybe(0.2) else [],
            "deceasedBoolean": self.pick([True, False, None]),
        }

    def encounter(self) -> dict[str, Any]:
        return {
            "status": self.pick(["finished", "planned"]),
            "class": self.coding(),
            "period": self.period() if self.maybe() else None,
            "subject": self.reference("Patient", "Group") if self.maybe(0.9) else None,
            "serviceProvider": self.reference("Organization") if self.maybe() else None,
        }

    def group(self) -> dict[str, Any]:
        members = [{"entity": self.reference("Patient")} for _ in range(self.pick([0, 1, 3]))]
        value: Any = self.pick([{"valueBoolean": True}, {"valueCodeableConcept": self.concept()}])
        return {
            "type": "person",
            "actual": True,
            "member": members,
            "characteristic": [{"code": self.concept(), "exclude": False, **value}],
        }

    def value(self) -> dict[str, Any]:
        return self.pick(
            [
                {"valueQuantity": self.quantity()},
                {"valueQuantity": self.quantity()},
                {"valueCodeableConcept": self.concept()},
                {"valueString": self.pick(["Größe", "grosse", "positiv"])},
                {"valueDateTime": self.pick(MOMENTS)},
                {"valuePeriod": self.period()},
                {
                    "valueSampledData": {
                        "origin": {"value": 5, "unit": "mg"},
                        "period": 1,
                        "dimensions": 1,
                        "data": "1 E -1",
                    }
                },
                {},
            ]
        )

    def observation(self) -> dict[str, Any]:
        when: Any = self.pick(
            [
                {"effectiveDateTime": self.pick(MOMENTS)},
                {"effectivePeriod": self.period()},
                {"effectiveTiming": {"event": [self.pick(MOMENTS), self.pick(MOMENTS)]}},
                {},
            ]
        )
        parts = [{"code": self.concept(), **self.part()} for _ in range(self.pick([0, 0, 2]))]
        return {
            "status": self.pick(["final", "preliminary"]),
            "code": self.concept(),
            **when,
            **self.value(),
            "component": parts,
            "subject": self.reference("Patient", "Group") if self.maybe(0.9) else None,
            "encounter": self.reference("Encounter") if self.maybe() else None,
            "performer": [self.reference("Practitioner", "Patient")] if self.maybe() else [],
            "hasMember": [self.reference("Observation")] if self.maybe(0.2) else [],
        }

    def part(self) -> dict[str, Any]:
        return self.pick([{"valueQuantity": self.quantity()}, {"valueCodeableConcept": self.concept()}, {}])

    def riskassessment(self) -> dict[str, Any]:
        number = float(self.pick(NUMBERS))
        low = {"low": {"value": number}} if self.maybe(0.7) else {"high": {"value": number}}
        return {
            "status": "final",
            "subject": self.reference("Patient"),
            "prediction": [self.pick([{"probabilityDecimal": number}, {"probabilityRange": low}])],
        }

    def valueset(self) -> dict[str, Any]:
        return {
            "status": "draft",
            "url": self.pick(URLS[:5]),
            "name": self.pick(["One", "Two"]),
            "version": self.pick(["1", "2", None]),
            "useContext": [{"code": self.coding(), "valueQuantity": self.quantity()}] if self.maybe() else [],
        }

    def measurereport(self) -> dict[str, Any]:
        return {
            "status": "complete",
            "type": "summary",
            "measure": self.pick(URLS),
            "period": {"start": "2020"},
            "subject": self.reference("Patient") if self.maybe() else None,
        }

    def documentreference(self) -> dict[str, Any]:
        relations = [
            {"code": self.pick(["replaces", "appends"]), "target": self.reference("DocumentReference")}
        ]
        return {
            "status": "current",
            "content": [{"attachment": {"url": "http://a.org/x"}}],
            "subject": self.reference("Patient"),
            "relatesTo": relations if self.maybe() else [],
        }

    def provenance(self) -> dict[str, Any]:
        targets = [self.reference("Observation", "Encounter", "Patient") for _ in range(self.pick([1, 2]))]
        return {
            "target": targets,
            "recorded": "2020-02-29T10:00:00Z",
            "agent": [{"who": self.reference("Practitioner")}],
        }
