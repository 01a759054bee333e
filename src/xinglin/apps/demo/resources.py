"""A life as FHIR R4 resources, in the order in which they were written.

Ids are derived from the patient's number and a counter, so that a second run of the demo changes nothing.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from xinglin.apps.demo import catalogue as c
from xinglin.apps.demo import formulary as f
from xinglin.apps.demo.elements import TERMINOLOGY, Json, category, concept, instant
from xinglin.apps.demo.hospital import SITE, Staff
from xinglin.apps.demo.life import Life, Visit
from xinglin.apps.demo.names import Name
from xinglin.apps.demo.notes import note

PROCEDURES = {
    "angiography": ("Coronary angiography with stent", "冠状动脉造影及支架植入术"),
    "ecg": ("12-lead electrocardiogram", "十二导联心电图"),
    "head-ct": ("CT of the head", "头颅CT平扫"),
    "chest-xray": ("Chest X-ray", "胸部X线检查"),
    "wrist-xray": ("X-ray of the wrist", "腕关节X线检查"),
    "appendicectomy": ("Laparoscopic appendicectomy", "腹腔镜阑尾切除术"),
}
_CLASSES = {
    "AMB": ("ambulatory", "门诊"),
    "IMP": ("inpatient encounter", "住院"),
    "EMER": ("emergency", "急诊"),
}


@dataclass(frozen=True, slots=True)
class Person:
    """Who the life belongs to."""

    number: int
    name: Name
    resident_number: str
    phone: str
    address: Json


class Chart:
    """Writes one person's resources; ``write()`` yields them."""

    def __init__(self, person: Person, life: Life, staff: Staff) -> None:
        self.person, self.life, self.staff = person, life, staff
        self.id = f"p{person.number}"
        self.count = 0
        self.subject = {"reference": f"Patient/{self.id}", "display": person.name.text}
        self.running: dict[str, Json] = {}  # medicine → its MedicationRequest

    def new(self, kind: str, **content: Any) -> Json:
        """A resource of this patient with the next id."""
        self.count += 1
        return {"resourceType": kind, "id": f"{self.id}-{self.count}", **content}

    def write(self) -> Iterator[Json]:
        """Every resource of the life, the patient first."""
        yield self.patient()
        for key, when in self.life.allergies:
            yield self.allergy(key, when)
        for when, key in self.life.shots:
            yield self.shot(when, key)
        known: list[str] = []
        ended: list[Json] = []
        for visit in self.life.visits:
            yield from self.visit(visit, known, ended)
            known.extend(k for k in visit.diagnosed if k not in known and c.DISEASES[k].chronic)
        yield from ended
        yield from self.running.values()

    def patient(self) -> Json:
        person, life = self.person, self.life
        name: Json = {
            "use": "official",
            "text": person.name.text,
            "family": person.name.family,
            "given": [person.name.given],
        }
        patient: Json = {
            "resourceType": "Patient",
            "id": self.id,
            "identifier": [
                {
                    "use": "usual",
                    "type": {
                        "coding": [
                            {
                                "system": f"{TERMINOLOGY}/v2-0203",
                                "code": "MR",
                                "display": "Medical record number",
                            }
                        ],
                        "text": "病案号",
                    },
                    "system": f"{SITE}/patient",
                    "value": f"XL{person.number:08d}",
                },
                {
                    "use": "official",
                    "type": {
                        "coding": [
                            {
                                "system": f"{TERMINOLOGY}/v2-0203",
                                "code": "NI",
                                "display": "National unique individual identifier",
                            }
                        ],
                        "text": "居民身份证",
                    },
                    "system": "urn:oid:2.16.156.10011.1.3",
                    "value": person.resident_number,
                },
            ],
            "active": life.died is None,
            "name": [name],
            "telecom": [{"system": "phone", "value": person.phone, "use": "mobile"}],
            "gender": "female" if life.body.female else "male",
            "birthDate": life.body.born.isoformat(),
        }
        if life.died:
            patient["deceasedDateTime"] = life.died.isoformat()
        patient["address"] = [person.address]
        patient["communication"] = [
            {
                "language": {
                    "coding": [{"system": "urn:ietf:bcp:47", "code": "zh" if person.name.chinese else "en"}]
                },
                "preferred": True,
            }
        ]
        patient["managingOrganization"] = {"reference": "Organization/hospital"}
        return patient

    def allergy(self, key: str, when: date) -> Json:
        atc, en, zh, category, reaction_zh, reaction_en = f.ALLERGENS[key]
        return self.new(
            "AllergyIntolerance",
            clinicalStatus={
                "coding": [{"system": f"{TERMINOLOGY}/allergyintolerance-clinical", "code": "active"}]
            },
            verificationStatus={
                "coding": [{"system": f"{TERMINOLOGY}/allergyintolerance-verification", "code": "confirmed"}]
            },
            type="allergy",
            category=[category],
            criticality="high" if reaction_en in ("Dyspnoea", "Laryngeal oedema") else "low",
            code=concept(c.ATC, atc, en, zh),
            patient=self.subject,
            onsetDateTime=when.isoformat()[:4],
            recordedDate=max(when, self.life.visits[0].day if self.life.visits else when).isoformat(),
            reaction=[
                {
                    "manifestation": [
                        {
                            "text": reaction_zh,
                            "coding": [
                                {
                                    "system": f"{SITE}/codes/reaction",
                                    "code": reaction_en.lower().replace(" ", "-"),
                                    "display": reaction_en,
                                }
                            ],
                        }
                    ]
                }
            ],
        )

    def shot(self, when: date, key: str) -> Json:
        cvx, en, zh = f.VACCINES[key]
        return self.new(
            "Immunization",
            status="completed",
            vaccineCode=concept(c.CVX, cvx, en, zh),
            patient=self.subject,
            occurrenceDateTime=when.isoformat(),
            primarySource=True,
        )

    def visit(self, visit: Visit, known: list[str], ended: list[Json]) -> Iterator[Json]:
        """The encounter and all that was written at it."""
        doctor = self.staff.doctor(visit.department, self.person.number)
        start = instant(visit.day, visit.minute)
        end_day = visit.day + timedelta(days=visit.nights)
        end = (
            instant(end_day, min(visit.minute + 25, 1439)) if not visit.nights else instant(end_day, 10 * 60)
        )
        encounter = self.new(
            "Encounter",
            status="finished",
            **{
                "class": {
                    "system": f"{TERMINOLOGY}/v3-ActCode",
                    "code": visit.kind,
                    "display": _CLASSES[visit.kind][0],
                }
            },
            type=[
                {"text": _CLASSES[visit.kind][1] + ("（健康体检）" if visit.department == "health" else "")}
            ],
            serviceType={
                "coding": [
                    {
                        "system": f"{SITE}/codes/department",
                        "code": visit.department,
                        "display": c.DEPARTMENTS[visit.department][0],
                    }
                ],
                "text": c.DEPARTMENTS[visit.department][1],
            },
            subject=self.subject,
            participant=[{"individual": doctor}],
            period={"start": start, "end": end},
            serviceProvider={
                "reference": f"Organization/dept-{visit.department}",
                "display": c.DEPARTMENTS[visit.department][1],
            },
        )
        if visit.reasons:
            encounter["reasonCode"] = [
                concept(c.ICD10, c.DISEASES[k].icd, c.DISEASES[k].en, c.DISEASES[k].zh) for k in visit.reasons
            ]
        yield encounter
        self.encounter = {"reference": f"Encounter/{encounter['id']}"}
        for key in visit.diagnosed:
            yield self.condition(key, visit, start, end_day, doctor)
        yield from self.observations(visit, start, doctor)
        for key in visit.procedures:
            en, zh = PROCEDURES[key]
            yield self.new(
                "Procedure",
                status="completed",
                code=concept(f"{SITE}/codes/procedure", key, en, zh),
                subject=self.subject,
                encounter=self.encounter,
                performedDateTime=start,
                performer=[{"actor": doctor}],
            )
        for medicine in visit.stopped:
            request = self.running.pop(medicine, None)
            if request:
                request["status"] = "stopped"
                request["statusReason"] = {
                    "text": "肾功能下降，存在用药禁忌",
                    "coding": [
                        {
                            "system": f"{SITE}/codes/reason",
                            "code": "contraindicated",
                            "display": "Contraindicated: kidney function",
                        }
                    ],
                }
                ended.append(request)
        for medicine in visit.started:
            request = self.prescription(medicine, visit, [*known, *visit.diagnosed], start, doctor)
            if request["status"] == "active":
                self.running[medicine] = request
            else:
                yield request
        yield self.document(visit, known, start, doctor)

    def condition(self, key: str, visit: Visit, start: str, end_day: date, doctor: Json) -> Json:
        disease = c.DISEASES[key]
        active = disease.chronic
        condition = self.new(
            "Condition",
            clinicalStatus={
                "coding": [
                    {
                        "system": f"{TERMINOLOGY}/condition-clinical",
                        "code": "active" if active else "resolved",
                    }
                ]
            },
            verificationStatus={
                "coding": [{"system": f"{TERMINOLOGY}/condition-ver-status", "code": "confirmed"}]
            },
            category=category(
                "condition-category",
                "problem-list-item" if active else "encounter-diagnosis",
                "Problem List Item" if active else "Encounter Diagnosis",
            ),
            code=concept(c.ICD10, disease.icd, disease.en, disease.zh),
            subject=self.subject,
            encounter=self.encounter,
        )
        onset = self.life.body.has.get(key)
        condition["onsetDateTime"] = (
            onset.isoformat()[:7] if active and onset and onset < visit.day else visit.day.isoformat()
        )
        if not active:
            condition["abatementDateTime"] = (end_day + timedelta(days=10)).isoformat()
        condition["recordedDate"] = start
        condition["recorder"] = doctor
        return condition

    def observations(self, visit: Visit, start: str, doctor: Json) -> Iterator[Json]:
        """Vital signs one by one, blood pressure as one with two components, laboratory results with their reports."""
        values = visit.values
        for key in ("height", "weight", "bmi", "pulse", "temperature", "breaths", "spo2"):
            if key in values:
                yield self.observation(key, values[key], start, doctor)
        if "systolic" in values:
            yield self.pressure(values, start, doctor)
        taken = instant(visit.day, min(visit.minute + 10, 1439))
        reported = instant(visit.day, min(visit.minute + 130, 1439))
        done: dict[str, str] = {}
        for panel in visit.panels:
            system, code, en, zh, tests = c.PANELS[panel]
            for key in tests:
                if key in values and key not in done:
                    result = self.observation(key, values[key], taken, doctor, reported)
                    done[key] = result["id"]
                    yield result
            results = [{"reference": f"Observation/{done[key]}"} for key in tests if key in done]
            yield self.new(
                "DiagnosticReport",
                status="final",
                category=category("v2-0074", "LAB", "Laboratory"),
                code=concept(system, code, en, zh),
                subject=self.subject,
                encounter=self.encounter,
                effectiveDateTime=taken,
                issued=reported,
                performer=[{"reference": "Organization/laboratory", "display": "检验科"}],
                result=results,
            )

    def observation(self, key: str, value: float, when: str, doctor: Json, issued: str | None = None) -> Json:
        test = c.TESTS[key]
        low, high = test.women if self.life.body.female else test.men
        shown = round(value, test.decimals) if test.decimals else round(value)
        laboratory = test.category == "laboratory"
        result = self.new(
            "Observation",
            status="final",
            category=category(
                "observation-category", test.category, "Laboratory" if laboratory else "Vital Signs"
            ),
            code=concept(c.LOINC, test.loinc, test.en, test.zh),
            subject=self.subject,
            encounter=self.encounter,
            effectiveDateTime=when,
        )
        if issued:
            result["issued"] = issued
        result["performer"] = (
            [{"reference": "Organization/laboratory", "display": "检验科"}] if laboratory else [doctor]
        )
        result["valueQuantity"] = {
            "value": shown,
            "unit": c.UNITS.get(test.unit, test.unit),
            "system": c.UCUM,
            "code": test.unit,
        }
        if low is not None or high is not None:
            flag = (
                ("L", "Low")
                if low is not None and shown < low
                else ("H", "High")
                if high is not None and shown > high
                else ("N", "Normal")
            )
            result["interpretation"] = [
                {
                    "coding": [
                        {
                            "system": f"{TERMINOLOGY}/v3-ObservationInterpretation",
                            "code": flag[0],
                            "display": flag[1],
                        }
                    ]
                }
            ]
            bounds = {
                side: {
                    "value": bound,
                    "unit": c.UNITS.get(test.unit, test.unit),
                    "system": c.UCUM,
                    "code": test.unit,
                }
                for side, bound in (("low", low), ("high", high))
                if bound is not None
            }
            result["referenceRange"] = [bounds]
        return result

    def pressure(self, values: dict[str, float], when: str, doctor: Json) -> Json:
        def millimetres(value: float) -> Json:
            return {"value": round(value), "unit": "mmHg", "system": c.UCUM, "code": "mm[Hg]"}

        def part(loinc: str, en: str, zh: str, value: float, low: int, high: int) -> Json:
            return {
                "code": concept(c.LOINC, loinc, en, zh),
                "valueQuantity": millimetres(value),
                "referenceRange": [{"low": millimetres(low), "high": millimetres(high)}],
            }

        return self.new(
            "Observation",
            status="final",
            category=category("observation-category", "vital-signs", "Vital Signs"),
            code=concept(c.LOINC, "85354-9", "Blood pressure panel with all children optional", "血压"),
            subject=self.subject,
            encounter=self.encounter,
            effectiveDateTime=when,
            performer=[doctor],
            component=[
                part("8480-6", "Systolic blood pressure", "收缩压", values["systolic"], 90, 139),
                part("8462-4", "Diastolic blood pressure", "舒张压", values["diastolic"], 60, 89),
            ],
        )

    def prescription(self, key: str, visit: Visit, known: list[str], start: str, doctor: Json) -> Json:
        medicine = f.MEDICINES[key]
        lasting = key in self.life.body.takes or key in {m for v in self.life.visits for m in v.stopped}
        request = self.new(
            "MedicationRequest",
            status="active" if lasting else "completed",
            intent="order",
            medicationCodeableConcept=concept(c.ATC, medicine.atc, medicine.en, medicine.zh),
            subject=self.subject,
            encounter=self.encounter,
            authoredOn=start,
            requester=doctor,
            dosageInstruction=[
                {
                    "text": medicine.how_zh if self.person.name.chinese else medicine.how_en,
                    "timing": {"repeat": {"frequency": medicine.per_day, "period": 1, "periodUnit": "d"}},
                    "doseAndRate": [
                        {
                            "doseQuantity": {
                                "value": medicine.dose,
                                "unit": c.UNITS.get(medicine.unit, medicine.unit),
                                "system": c.UCUM,
                                "code": medicine.unit,
                            }
                        }
                    ],
                }
            ],
        )
        reason = next(
            (d for d in f.INDICATIONS.get(key, visit.reasons) if d in known or d in visit.reasons), None
        )
        if reason:
            disease = c.DISEASES[reason]
            request["reasonCode"] = [concept(c.ICD10, disease.icd, disease.en, disease.zh)]
        if self.life.died and request["status"] == "active":
            request["status"] = "stopped"
        return request

    def document(self, visit: Visit, known: list[str], start: str, doctor: Json) -> Json:
        text = note(visit, self.person.name.chinese, known)
        code, en, zh = (
            ("34133-9", "Summary of episode note", "出院小结")
            if visit.kind == "IMP"
            else ("11506-3", "Progress note", "门诊病历")
        )
        if visit.kind == "EMER":
            code, en, zh = "34111-5", "Emergency department Note", "急诊病历"
        return self.new(
            "DocumentReference",
            status="current",
            docStatus="final",
            type=concept(c.LOINC, code, en, zh),
            subject=self.subject,
            date=start,
            author=[doctor],
            content=[
                {
                    "attachment": {
                        "contentType": "text/plain; charset=utf-8",
                        "language": "zh" if self.person.name.chinese else "en",
                        "data": b64encode(text.encode()).decode(),
                        "title": zh if self.person.name.chinese else en,
                    }
                }
            ],
            context={"encounter": [self.encounter], "period": {"start": start}},
        )
