"""One life: what befalls a person, when it is noticed, and what is done about it. Pure; no FHIR.

Every life is drawn from its own random source (seed and number), so that patient 17 is the same person in a hospital of
twenty and in one of a million.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from math import exp
from random import Random

from xinglin.apps.demo.physiology import Body
from xinglin.apps.demo.shots import shots

UNTIL = date(
    2026, 6, 30
)  # the demonstration's today: fixed, so that the same seed gives the same hospital for ever

_VITALS = ("weight", "bmi", "systolic", "diastolic", "pulse", "temperature")
_CHECK_UP = ("count", "chemistry", "lipids", "glucose")


@dataclass(slots=True)
class Visit:
    """One contact with the hospital."""

    day: date
    minute: int  # of the day
    kind: str  # "AMB" outpatient, "IMP" inpatient, "EMER" emergency (v3-ActCode)
    department: str
    reasons: list[str]
    values: dict[str, float] = field(default_factory=dict)
    panels: list[str] = field(default_factory=list)
    diagnosed: list[str] = field(default_factory=list)
    started: list[str] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)
    procedures: list[str] = field(default_factory=list)
    nights: int = 0
    plan: str = ""  # key of a sentence in notes.py


@dataclass(slots=True)
class Life:
    """A person's whole recorded life, visits in order of time."""

    body: Body
    visits: list[Visit]
    shots: list[tuple[date, str]]
    allergies: list[tuple[str, date]]
    died: date | None


def live(rng: Random, born: date, female: bool) -> Life:
    """Draw one life from birth to :data:`UNTIL` (or death); records begin 4 to 12 years back, or at birth."""
    height = rng.gauss(161, 5.5) if female else rng.gauss(172.5, 6)
    body = Body(
        rng=rng,
        born=born,
        female=female,
        height_cm=round(height),
        bmi=min(max(rng.gauss(23.6, 3.0), 17), 36),
        metabolic=rng.gauss(0, 1),
        pressure=rng.gauss(0, 1),
        smoker=not female and rng.random() < 0.45,
        adherence=rng.uniform(0.45, 1.0),
    )
    start = max(born, UNTIL - timedelta(days=rng.randrange(4 * 365, 12 * 365)))
    visits: list[Visit] = []
    teller = Teller(body, visits)
    day = max(born + timedelta(days=18 * 365), UNTIL - timedelta(days=45 * 365))
    while day < start:  # before the records: diseases come, and are known when the records begin
        teller.quarter(day, recorded=False)
        day += timedelta(days=91)
    day = start + timedelta(days=rng.randrange(60))
    died = None
    if teller.known:
        teller.first_visit(day)
    while day < UNTIL:
        if body.age(day) < 18:
            teller.childhood(day)
        else:
            teller.quarter(day, recorded=True)
            if rng.random() < _mortality(body, day):
                died = min(day + timedelta(days=rng.randrange(20, 90)), UNTIL)
                break
        day += timedelta(days=91)
    last = died or UNTIL
    visits[:] = sorted((v for v in visits if v.day <= last), key=lambda v: (v.day, v.minute))
    allergies = [
        (key, born + timedelta(days=rng.randrange(365 * 2, max(366 * 2, (last - born).days))))
        for key, chance in (
            ("penicillin", 0.05),
            ("cephalosporin", 0.02),
            ("sulfonamide", 0.015),
            ("iodine", 0.01),
            ("shrimp", 0.02),
            ("peanut", 0.006),
        )
        if rng.random() < chance and (last - born).days > 366 * 2
    ]
    return Life(body, visits, shots(rng, born, start, last), allergies, died)


def _mortality(body: Body, day: date) -> float:
    """Chance to die in a quarter."""
    risk = 0.00004 * exp(0.092 * max(0.0, body.age(day) - 35))
    return (
        risk
        * (1 + 0.8 * ("failure" in body.has) + 0.6 * ("ckd4" in body.has) + 0.5 * ("copd" in body.has))
        / 4
    )


def _child_bmi(age: float) -> float:
    """The usual body mass index of a child, kg/m²: up in the first year, down to six, up again."""
    if age < 1:
        return 13.6 + 3.6 * age
    return 17.2 - 0.36 * (age - 1) if age < 6 else 15.4 + 0.42 * (age - 6)


class Teller:
    """Walks one body through time and writes down the visits that follow from what happens to it."""

    def __init__(self, body: Body, visits: list[Visit]) -> None:
        self.body, self.visits, self.rng = body, visits, body.rng
        self.known: list[str] = []  # diagnosed, in order
        self.high_sugar = 0  # visits in a row above target
        self.annual_month = self.rng.randrange(4)
        self.diligent = self.rng.random() < 0.66  # goes to the yearly check

    # -- what comes -------------------------------------------------------------------------------------------------
    def onsets(self, day: date) -> list[str]:
        """Diseases that begin in this quarter."""
        body, rng = self.body, self.rng
        age, years = body.age(day), 0.25
        chances = {
            "hypertension": 0.006 * exp(0.055 * (age - 40) + 0.10 * (body.bmi - 23.5) + 0.6 * body.pressure),
            "diabetes": 0.0032 * exp(0.045 * (age - 40) + 0.14 * (body.bmi - 23.5) + 0.8 * body.metabolic),
            "dyslipidaemia": 0.009 * exp(0.03 * (age - 40) + 0.6 * body.metabolic),
            "hypothyroidism": 0.0016 if body.female else 0.0004,
            "gout": 0.0004 if body.female else 0.0022 * exp(0.12 * (body.bmi - 23.5)),
            "copd": (0.0032 if body.smoker else 0.0004) * exp(0.06 * (age - 50)),
            "asthma": 0.0007,
            "coronary": 0.0011
            * exp(0.07 * (age - 50))
            * (1.7 if body.smoker else 1)
            * (1.8 if "diabetes" in body.has else 1)
            * (1.5 if "hypertension" in body.has else 1),
        }
        if "coronary" in body.has:
            chances["infarction"] = 0.012
            chances["failure"] = 0.015
        if "hypertension" in body.has:
            chances["stroke"] = 0.0022 * exp(0.05 * (age - 60)) * exp(0.02 * (body.systolic(day) - 135))
        if "diabetes" in body.has:
            chances |= {
                "retinopathy": 0.002 + 0.006 * body.burden / 3,
                "neuropathy": 0.002 + 0.005 * body.burden / 3,
                "nephropathy": 0.0015 + 0.005 * body.burden / 3,
            }
        acute = ("infarction", "stroke")
        return [
            key
            for key, rate in chances.items()
            if (key in acute or key not in body.has) and rng.random() < min(rate, 0.25) * years
        ]

    def quarter(self, day: date, recorded: bool) -> None:
        """Three months of an adult's life."""
        body = self.body
        body.advance(day, 0.25)
        for key in self.onsets(day):
            body.has.setdefault(key, day)
            if key == "diabetes":
                body.glycaemia = self.rng.uniform(6.7, 9.8)
            if not recorded:
                if key not in self.known and key not in ("infarction", "stroke"):
                    self.known.append(key)
                    self.treat([key], None)
            elif key in ("infarction", "stroke"):
                self.admit(day, key)
            elif key in ("coronary", "copd", "asthma", "failure", "gout", "hypothyroidism"):
                self.diagnose(self.visit(day, [key]), key)
        if not recorded:
            self.step_up_unrecorded(day)
            return
        chronic = [key for key in self.known if key not in ("dyslipidaemia",)]
        if chronic and self.rng.random() < 0.35 + 0.5 * body.adherence:
            self.follow_up(day, chronic)
        elif (
            self.diligent
            and (day.year * 4 + day.month // 3) % 4 == self.annual_month
            and self.rng.random() < 0.85
        ):
            self.check_up(day)
        self.acute(day)

    def step_up_unrecorded(self, day: date) -> None:
        """Treatment before the records begin follows the sugar too, more slowly."""
        if "diabetes" in self.known and self.body.hba1c() > 7.8 and self.rng.random() < 0.12:
            for medicine in ("metformin", "dpp4", "insulin"):
                if medicine not in self.body.takes and not self.forbidden(medicine, {}, day):
                    self.start(medicine, None, day)
                    return

    # -- visits -----------------------------------------------------------------------------------------------------
    def visit(
        self,
        day: date,
        reasons: list[str],
        department: str | None = None,
        kind: str = "AMB",
        **measured: float,
    ) -> Visit:
        """A visit within four weeks of ``day`` on a working day, vital signs taken."""
        from xinglin.apps.demo.catalogue import DISEASES

        when = day + timedelta(days=self.rng.randrange(28))
        if kind == "AMB":
            when += timedelta(days=(7 - when.weekday()) if when.weekday() > 4 else 0)
        visit = Visit(
            day=when,
            minute=self.rng.randrange(8 * 60, 17 * 60) if kind == "AMB" else self.rng.randrange(24 * 60),
            kind=kind,
            department=department or DISEASES[reasons[0]].department,
            reasons=reasons,
        )
        tests = _VITALS if "fever" not in measured else (*_VITALS, "breaths", "spo2")
        visit.values = self.body.measure(tests, when, **measured)
        self.visits.append(visit)
        return visit

    def add(self, visit: Visit, panels: tuple[str, ...], **measured: float) -> None:
        """Order panels at a visit; a test that two panels share is measured once."""
        from xinglin.apps.demo.catalogue import PANELS

        visit.panels.extend(p for p in panels if p not in visit.panels)
        wanted = [t for p in panels for t in PANELS[p][4] if t not in visit.values]
        visit.values |= self.body.measure(wanted, visit.day, **measured)

    def first_visit(self, day: date) -> None:
        """The records begin: what is known already is written down, treatment goes on."""
        visit = self.visit(day, self.known[:3])
        visit.values |= self.body.measure(("height",), visit.day)
        visit.diagnosed = list(self.known)
        visit.started = list(self.body.takes)
        visit.plan = "transfer"
        self.add(
            visit, ("count", "chemistry", "lipids", "glycaemia" if "diabetes" in self.known else "glucose")
        )

    def check_up(self, day: date) -> None:
        """The yearly health examination; what it shows is what gets diagnosed."""
        visit = self.visit(day, [], department="health")
        visit.values |= self.body.measure(("height",), visit.day)
        self.add(visit, _CHECK_UP)
        found = self.findings(visit)
        visit.plan = "found" if found else "known" if self.known else "well"
        for key in found:
            self.diagnose(visit, key)

    def findings(self, visit: Visit) -> list[str]:
        """Diagnoses that the measurements of a visit make, by the usual thresholds."""
        body, values = self.body, visit.values
        found = []
        if "diabetes" in body.has and "diabetes" not in self.known and values.get("glucose", 0) >= 7.0:
            self.add(visit, ("glycaemia",))
            found.append("diabetes")
        if "hypertension" in body.has and "hypertension" not in self.known and values["systolic"] >= 140:
            found.append("hypertension")
        if "dyslipidaemia" in body.has and "dyslipidaemia" not in self.known and values.get("ldl", 0) >= 3.4:
            found.append("dyslipidaemia")
        filtration = values.get("egfr", 90)
        if filtration < 30 and "ckd4" not in self.known:
            found.append("ckd4")
            body.has.setdefault("ckd4", visit.day)
        elif filtration < 60 and not {"ckd", "ckd4"} & set(self.known):
            found.append("ckd")
            body.has.setdefault("ckd", visit.day)
        return found

    def follow_up(self, day: date, chronic: list[str]) -> None:
        """A quarterly visit for what is chronic: measure, judge, adjust."""
        body, rng = self.body, self.rng
        visit = self.visit(day, chronic[:3])
        if "diabetes" in chronic:
            self.add(visit, ("glycaemia",))
            if rng.random() < 0.4:
                self.add(visit, ("kidney",))
        if rng.random() < 0.3:
            self.add(visit, ("chemistry", "lipids"))
        if {"failure", "ckd", "ckd4"} & set(chronic):
            self.add(visit, ("electrolytes",))
        for disease, panel in (("failure", "heart"), ("copd", "lung"), ("hypothyroidism", "thyroid")):
            if disease in chronic and rng.random() < 0.5:
                self.add(visit, (panel,))
        for key in ("retinopathy", "neuropathy", "nephropathy"):
            if key in body.has and key not in self.known and rng.random() < 0.5:
                self.diagnose(visit, key)
        for key in self.findings(visit):
            self.diagnose(visit, key)
        self.adjust(visit)

    def adjust(self, visit: Visit) -> None:
        """Step treatment up or down by what was measured."""
        body, values = self.body, visit.values
        takes, visit.plan = body.takes, visit.plan or "steady"
        if "diabetes" in self.known and "hba1c" in values:
            self.high_sugar = self.high_sugar + 1 if values["hba1c"] > 7.5 else 0
            if self.high_sugar >= 2:
                for medicine in ("metformin", "sglt2", "dpp4", "insulin"):
                    if medicine not in takes and not self.forbidden(medicine, values, visit.day):
                        self.start(medicine, visit)
                        visit.plan, self.high_sugar = "step up", 0
                        break
                else:
                    visit.plan = "titrate" if "insulin" in takes else "watch"
            elif self.high_sugar:
                visit.plan = "watch"
        if values.get("egfr", 90) < 30 and "metformin" in takes:
            del takes["metformin"]
            visit.stopped.append("metformin")
            visit.plan = "kidney"
        if "hypertension" in self.known and values["systolic"] >= 140 and visit.plan == "steady":
            visit.plan = "pressure"
        if "hypertension" in self.known and values["systolic"] >= 150:
            for medicine in ("amlodipine", "valsartan", "metoprolol"):
                if medicine not in takes:
                    self.start(medicine, visit)
                    visit.plan = "step up"
                    break

    def forbidden(self, medicine: str, values: dict[str, float], day: date) -> bool:
        """Contraindications that the demonstration knows: metformin below 30, SGLT2 inhibitors below 20 mL/min/1.73 m²."""
        filtration = values.get("egfr", self.body.true_egfr(day))
        return (medicine == "metformin" and filtration < 30) or (medicine == "sglt2" and filtration < 20)

    def diagnose(self, visit: Visit, key: str) -> None:
        """Write a diagnosis down at a visit, look closer, and begin its treatment."""
        if key in self.known:
            return
        self.known.append(key)
        visit.diagnosed.append(key)
        if key not in visit.reasons and len(visit.reasons) < 3:
            visit.reasons.append(key)
        panel = {
            "diabetes": "glycaemia",
            "failure": "heart",
            "copd": "lung",
            "hypothyroidism": "thyroid",
            "coronary": "lipids",
            "gout": "chemistry",
        }.get(key)
        if panel:
            self.add(visit, (panel,))
        visit.plan = visit.plan or "new"
        self.treat([key], visit)

    def treat(self, diseases: list[str], visit: Visit | None) -> None:
        """First-line treatment."""
        first = {
            "diabetes": ("metformin",),
            "hypertension": ("amlodipine",),
            "dyslipidaemia": ("atorvastatin",),
            "hypothyroidism": ("levothyroxine",),
            "coronary": ("aspirin", "atorvastatin", "metoprolol"),
            "infarction": ("aspirin", "clopidogrel", "atorvastatin"),
            "stroke": ("aspirin", "atorvastatin"),
            "failure": ("valsartan", "metoprolol", "sglt2"),
            "copd": ("tiotropium",),
            "asthma": ("budesonide",),
            "gout": ("febuxostat",),
            "nephropathy": ("valsartan",),
            "ckd": ("valsartan",),
        }
        for disease in diseases:
            for medicine in first.get(disease, ()):
                day = visit.day if visit else self.body.has[disease]
                if medicine not in self.body.takes and not self.forbidden(
                    medicine, visit.values if visit else {}, day
                ):
                    self.start(medicine, visit, day)

    def start(self, medicine: str, visit: Visit | None, day: date | None = None) -> None:
        """Begin a medicine (a visit's prescription, or known from before the records)."""
        self.body.takes[medicine] = visit.day if visit else day or UNTIL
        if visit:
            visit.started.append(medicine)

    def admit(self, day: date, key: str) -> None:
        """An emergency that becomes a hospital stay."""
        visit = self.visit(day, [key], kind="IMP")
        visit.nights = self.rng.randrange(6, 15)
        visit.procedures = ["ecg", "angiography"] if key == "infarction" else ["ecg", "head-ct"]
        self.add(
            visit,
            (
                "count",
                "chemistry",
                "electrolytes",
                "lipids",
                "glycaemia" if "diabetes" in self.known else "glucose",
            ),
        )
        if key == "infarction":  # what the diagnosis is made by, beside the ECG
            self.add(visit, ("cardiac",))
            visit.values["troponin"] = self.rng.uniform(900, 24_000)
        if key not in self.known:
            self.known.append(key)
        visit.diagnosed.append(key)
        visit.plan = "admitted"
        self.treat([key], visit)

    def acute(self, day: date) -> None:
        """What comes and goes."""
        rng, age = self.rng, self.body.age(day)
        table: tuple[tuple[str, float, tuple[str, ...]], ...] = (
            ("cold", 0.22, ("paracetamol",)),
            ("backpain", 0.10, ("paracetamol",)),
            ("gastritis", 0.06, ("omeprazole",)),
            ("pneumonia", 0.006 + 0.0004 * max(0.0, age - 50), ("levofloxacin",)),
            ("fracture", 0.006, ("paracetamol",)),
            ("appendicitis", 0.002, ("cefuroxime",)),
            ("exacerbation", 0.35 if "copd" in self.known else 0.0, ("levofloxacin",)),
        )
        for key, rate, medicines in table:
            if rng.random() < rate / 4:
                self.fall_ill(day, key, medicines)

    def fall_ill(self, day: date, key: str, medicines: tuple[str, ...]) -> Visit:
        """A visit, or a stay, for something that comes and goes."""
        rng = self.rng
        if key in ("pneumonia", "exacerbation", "appendicitis"):
            visit = self.visit(
                day, [key], kind="IMP", fever=rng.uniform(0.8, 2.4), infection=rng.uniform(0.4, 1.0)
            )
            visit.nights = rng.randrange(4, 11)
            visit.procedures = ["appendicectomy"] if key == "appendicitis" else ["chest-xray"]
            self.add(
                visit,
                ("count", "chemistry", "electrolytes", "inflammation"),
                infection=rng.uniform(0.5, 1.0),
            )
            visit.plan = "admitted"
        else:
            measured = {"fever": rng.uniform(0.2, 1.4)} if key == "cold" else {}
            visit = self.visit(day, [key], None, "EMER" if key == "fracture" else "AMB", **measured)
            visit.procedures = ["wrist-xray"] if key == "fracture" else []
            visit.plan = "cast" if key == "fracture" else "short"
        visit.diagnosed.append(key)
        visit.started.extend(medicines)
        return visit

    def childhood(self, day: date) -> None:
        """Three months of a child's life: growth, ears, colds."""
        body, rng = self.body, self.rng
        age = body.age(day)
        adult = body.height_cm
        grown = min(
            1.0, (50 + 25 * min(age, 1) + 11 * max(0.0, min(age, 3) - 1) + 6.2 * max(0.0, age - 3)) / adult
        )
        for key, rate in (("cold", 1.2 if age < 6 else 0.5), ("otitis", 0.35 if age < 6 else 0.05)):
            if rng.random() < rate / 4:
                self.child_ill(day, key, adult * grown)
        if rng.random() < (0.9 if age < 2 else 0.25):
            visit = self.visit(day, [], department="paediatrics")
            tall = adult * grown
            visit.values = {
                "height": tall,
                "weight": _child_bmi(age) * (tall / 100) ** 2,
                "temperature": 36.6 + rng.gauss(0, 0.15),
            }
            visit.plan = "child"

    def child_ill(self, day: date, key: str, height_cm: float) -> Visit:
        """A child's visit with a cold or an ear infection."""
        visit = self.visit(day, [key], department="paediatrics", fever=self.rng.uniform(0.4, 2.2))
        visit.values = {k: v for k, v in visit.values.items() if k in ("temperature", "spo2")}
        visit.values["weight"] = _child_bmi(self.body.age(day)) * (height_cm / 100) ** 2
        visit.diagnosed = [key]
        visit.started = ["amoxicillin"] if key == "otitis" else ["paracetamol"]
        visit.plan = "short"
        return visit
