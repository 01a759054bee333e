"""The resources of a visit while it is going on: the chart of `resources`, with times of now and states that change."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from random import Random
from typing import Any, Final

from xinglin.apps.demo import catalogue as c
from xinglin.apps.demo.elements import TERMINOLOGY, Json, category, concept
from xinglin.apps.demo.hospital import SITE, Staff
from xinglin.apps.demo.life import Life, Visit
from xinglin.apps.demo.resources import Chart, Person

TAG: Final = {
    "system": f"{SITE}/codes/origin",
    "code": "live",
    "display": "Written by the live demonstration",
}
"""On every encounter of the live hospital: how a later start finds those that were left open."""
WRONG_UNIT: Final = 1 / 40
"""Share of the results in `MISLABELLED` that carry a unit which cannot be right, as an ill-configured analyser sends them."""
MISLABELLED: Final = {"glucose": 18.016, "creatinine": 1 / 88.42, "hb": 0.1, "chol": 38.67}
"""Test → factor to the other unit (mg/dL, for haemoglobin g/dL) in which the value comes while the unit stays."""
_ZONE = timezone(timedelta(hours=8))
PLACES: Final = {
    "emergency": ("急诊科", "Emergency department"),
    "icu": ("重症监护病房", "Intensive care unit"),
    "cardiology": ("心血管内科病房", "Cardiology ward"),
    "neurology": ("神经内科病房", "Neurology ward"),
    "respiratory": ("呼吸内科病房", "Respiratory ward"),
    "surgery": ("普通外科病房", "Surgical ward"),
}


def stamp(us: int) -> str:
    """A time in µs UTC as the hospital writes it, to the second.

    >>> stamp(0)
    '1970-01-01T08:00:00+08:00'
    """
    return datetime.fromtimestamp(us // 1_000_000, UTC).astimezone(_ZONE).isoformat()


def places() -> list[Json]:
    """Where patients lie: a Location for each ward."""
    return [
        {
            "resourceType": "Location",
            "id": f"ward-{key}",
            "status": "active",
            "name": zh,
            "alias": [en],
            "mode": "instance",
            "managingOrganization": {"reference": "Organization/hospital"},
        }
        for key, (zh, en) in PLACES.items()
    ]


class Bedside(Chart):
    """One visit as it goes on; every resource that it makes has an id of the visit's own.

    ``clock`` gives the time (µs UTC) of a minute of the visit.
    """

    def __init__(
        self,
        person: Person,
        life: Life,
        staff: Staff,
        prefix: str,
        rng: Random,
        clock: Callable[[float], int],
    ) -> None:
        super().__init__(person, life, staff)
        self.prefix, self.rng, self.clock = prefix, rng, clock

    def new(self, kind: str, **content: Any) -> Json:
        """A resource of this visit with the next id."""
        self.count += 1
        return {"resourceType": kind, "id": f"{self.prefix}-{self.count}", **content}

    def at(self, minute: float) -> str:
        """The time of a minute of the visit."""
        return stamp(self.clock(minute))

    def arrive(self, visit: Visit, minute: float, place: str | None, source: str | None = None) -> Json:
        """The encounter as it begins; it becomes the one that all else belongs to."""
        classes = {
            "AMB": ("ambulatory", "门诊"),
            "IMP": ("inpatient encounter", "住院"),
            "EMER": ("emergency", "急诊"),
        }
        doctor = self.staff.doctor(visit.department, self.person.number)
        encounter = self.new(
            "Encounter",
            meta={"tag": [TAG]},
            status="in-progress" if visit.kind == "IMP" else "arrived",
            **{
                "class": {
                    "system": f"{TERMINOLOGY}/v3-ActCode",
                    "code": visit.kind,
                    "display": classes[visit.kind][0],
                }
            },
            type=[{"text": classes[visit.kind][1]}],
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
            period={"start": self.at(minute)},
        )
        if visit.reasons:
            encounter["reasonCode"] = [
                concept(c.ICD10, c.DISEASES[k].icd, c.DISEASES[k].en, c.DISEASES[k].zh) for k in visit.reasons
            ]
        if source:
            encounter["hospitalization"] = {"admitSource": _emergency()}
        encounter["serviceProvider"] = {
            "reference": f"Organization/dept-{visit.department}",
            "display": c.DEPARTMENTS[visit.department][1],
        }
        if place:
            self.move(encounter, minute, place)
        self.encounter = {"reference": f"Encounter/{encounter['id']}"}
        return encounter

    def move(self, encounter: Json, minute: float, place: str) -> Json:
        """The encounter at another place."""
        now = self.at(minute)
        before = [
            {**one, "status": "completed", "period": {**one["period"], "end": now}}
            if one["status"] == "active"
            else one
            for one in encounter.get("location", [])
        ]
        here = {
            "location": {"reference": f"Location/ward-{place}", "display": PLACES[place][0]},
            "status": "active",
            "period": {"start": now},
        }
        encounter["location"] = [*before, here]
        return encounter

    def leave(self, encounter: Json, minute: float, *, home: bool = True) -> Json:
        """The encounter as it ends."""
        now = self.at(minute)
        encounter["status"] = "finished"
        encounter["period"] = {**encounter["period"], "end": now}
        for one in encounter.get("location", []):
            if one["status"] == "active":
                one |= {"status": "completed", "period": {**one["period"], "end": now}}
        if encounter["class"]["code"] == "IMP" and home:
            encounter.setdefault("hospitalization", {})["dischargeDisposition"] = {
                "coding": [
                    {"system": f"{TERMINOLOGY}/discharge-disposition", "code": "home", "display": "Home"}
                ],
                "text": "医嘱离院",
            }
        return encounter

    def vitals(self, values: dict[str, float], minute: float, doctor: Json) -> list[Json]:
        """Vital signs measured now."""
        now = self.at(minute)
        signs = [
            self.observation(key, values[key], now, doctor)
            for key in ("height", "weight", "bmi", "pulse", "temperature", "breaths", "spo2")
            if key in values
        ]
        return [*signs, self.pressure(values, now, doctor)] if "systolic" in values else signs

    def order(
        self, system: str, code: str, names: tuple[str, str], minute: float, doctor: Json, kind: str
    ) -> Json:
        """An order for a panel or an examination, not yet done. ``names``: English, Chinese; ``kind``: laboratory or imaging."""
        coded = {
            "laboratory": ("108252007", "Laboratory procedure"),
            "imaging": ("363679005", "Imaging"),
            "electrocardiogram": ("29303009", "Electrocardiographic procedure"),
            "surgery": ("387713003", "Surgical procedure"),
        }[kind]
        return self.new(
            "ServiceRequest",
            status="active",
            intent="order",
            category=[
                {"coding": [{"system": "http://snomed.info/sct", "code": coded[0], "display": coded[1]}]}
            ],
            priority="urgent" if kind != "laboratory" else "routine",
            code=concept(system, code, *names),
            subject=self.subject,
            encounter=self.encounter,
            authoredOn=self.at(minute),
            requester=doctor,
        )

    def panel(
        self, order: Json, panel: str, values: dict[str, float], taken: float, ready: float, doctor: Json
    ) -> list[Json]:
        """A panel's results and report, and its order done."""
        system, code, en, zh, tests = c.PANELS[panel]
        results = [
            self.mislabelled(key, self.observation(key, values[key], self.at(taken), doctor, self.at(ready)))
            for key in tests
            if key in values
        ]
        based = [{"reference": f"ServiceRequest/{order['id']}"}]
        report = self.new(
            "DiagnosticReport",
            basedOn=based,
            status="final",
            category=category("v2-0074", "LAB", "Laboratory"),
            code=concept(system, code, en, zh),
            subject=self.subject,
            encounter=self.encounter,
            effectiveDateTime=self.at(taken),
            issued=self.at(ready),
            performer=[{"reference": "Organization/laboratory", "display": "检验科"}],
            result=[{"reference": f"Observation/{one['id']}"} for one in results],
        )
        return [*results, report, order | {"status": "completed"}]

    def mislabelled(self, key: str, result: Json) -> Json:
        """Now and then: the value in another unit than the one that stands with it."""
        if key not in MISLABELLED or self.rng.random() >= WRONG_UNIT:
            return result
        value = result["valueQuantity"]["value"] * MISLABELLED[key]
        result["valueQuantity"]["value"] = round(value, 1) if value > 2 else round(value, 2)
        bounds = (result.get("referenceRange") or [{}])[0]
        low, high = (bounds.get(side, {}).get("value") for side in ("low", "high"))
        flag = (
            ("L", "Low")
            if low is not None and value < low
            else ("H", "High")
            if high is not None and value > high
            else ("N", "Normal")
        )
        if "interpretation" in result:  # as the analyser, which knows no better, flags it
            result["interpretation"][0]["coding"][0] |= {"code": flag[0], "display": flag[1]}
        return result

    def examination(
        self, key: str, names: tuple[str, str], order: Json, minute: float, doctor: Json
    ) -> list[Json]:
        """An examination or operation done, and its order with it."""
        done = self.new(
            "Procedure",
            basedOn=[{"reference": f"ServiceRequest/{order['id']}"}],
            status="completed",
            code=concept(f"{SITE}/codes/procedure", key, *names),
            subject=self.subject,
            encounter=self.encounter,
            performedDateTime=self.at(minute),
            performer=[{"actor": doctor}],
        )
        return [done, order | {"status": "completed"}]

    def written(self, text: str, code: tuple[str, str, str], minute: float, doctor: Json) -> Json:
        """A note. ``code``: LOINC code, English and Chinese name of the kind of document."""
        chinese = self.person.name.chinese
        return self.new(
            "DocumentReference",
            status="current",
            docStatus="final",
            type=concept(c.LOINC, *code),
            subject=self.subject,
            date=self.at(minute),
            author=[doctor],
            content=[
                {
                    "attachment": {
                        "contentType": "text/plain; charset=utf-8",
                        "language": "zh" if chinese else "en",
                        "data": b64encode(text.encode()).decode(),
                        "title": code[2] if chinese else code[1],
                    }
                }
            ],
            context={"encounter": [self.encounter], "period": {"start": self.at(minute)}},
        )


def _emergency() -> Json:
    return {
        "coding": [
            {
                "system": f"{TERMINOLOGY}/admit-source",
                "code": "emd",
                "display": "From accident/emergency department",
            }
        ],
        "text": "急诊",
    }
