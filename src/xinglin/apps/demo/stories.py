"""What happens to the people of the hospital from now on: outpatient visits, emergencies, stays, minute by minute.

A story is a generator of steps ``(minute, resources)`` from the patient's arrival. It goes on with the life that `life` has told
so far: the same body, diseases, medicines and allergies. It is a pure function of its seed and of the clock, so that a story
cut short by a restart is told again and gone on with.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from math import exp
from random import Random
from typing import Final

from xinglin.apps.demo import catalogue as c
from xinglin.apps.demo.bedside import Bedside
from xinglin.apps.demo.elements import Json
from xinglin.apps.demo.formulary import MEDICINES
from xinglin.apps.demo.hospital import SITE, Staff, person_and_life
from xinglin.apps.demo.life import Life, Teller, Visit
from xinglin.apps.demo.notes import note, progress_note
from xinglin.apps.demo.resources import PROCEDURES

Step = tuple[float, list[Json]]

_SHORT: Final = frozenset(("paracetamol", "amoxicillin", "levofloxacin", "cefuroxime", "omeprazole"))
"""Medicines that end with a stay."""
_OUTPATIENT_NOTE = ("11506-3", "Progress note", "门诊病历")
_EMERGENCY_NOTE = ("34111-5", "Emergency department Note", "急诊病历")
_DAILY_NOTE = ("11506-3", "Progress note", "日常病程记录")
_DISCHARGE_NOTE = ("34133-9", "Summary of episode note", "出院小结")
_DAILY: Final = {
    "pneumonia": ["count", "inflammation"],
    "exacerbation": ["count", "inflammation"],
    "appendicitis": ["count", "inflammation"],
    "infarction": ["electrolytes"],
    "stroke": ["electrolytes"],
    "failure": ["electrolytes", "heart"],
}
"""What is tested again every morning of a stay."""
_MEASURED = ("systolic", "diastolic", "pulse", "temperature", "breaths", "spo2")


def story(
    number: int,
    seed: int,
    staff: Staff,
    prefix: str,
    clock: Callable[[float], int],
    *,
    emergency: bool = False,
) -> Iterator[Step] | None:
    """What happens to patient ``number`` who comes now; None where there is nobody to come (died).

    ``prefix`` begins the ids and is the seed of the story; ``emergency``: let it be one if this person can have one.
    """
    person, life = person_and_life(number, seed, staff)
    if life.died:
        return None
    rng = Random(f"{seed}:{prefix}")
    life.body.rng = rng
    teller = Teller(life.body, [])
    teller.known = [
        k for k in dict.fromkeys(k for v in life.visits for k in v.diagnosed) if c.DISEASES[k].chronic
    ]
    bedside = Bedside(person, life, staff, prefix, rng, clock)
    today = datetime.fromtimestamp(clock(0) // 1_000_000, UTC) + timedelta(hours=8)
    before = list(teller.known)
    visit = _reason(teller, life, today.date(), rng, emergency)
    visit.day, visit.minute = today.date(), today.hour * 60 + today.minute
    _mind_allergies(visit, life)
    tell = _stay if visit.kind == "IMP" else _visit
    return tell(bedside, visit, before, rng)


def _reason(teller: Teller, life: Life, today: date, rng: Random, emergency: bool) -> Visit:
    """Why this person comes, and what will be found."""
    body, known = life.body, teller.known
    age = body.age(today)
    if age < 18:
        grown = min(
            1.0,
            (50 + 25 * min(age, 1) + 11 * max(0.0, min(age, 3) - 1) + 6.2 * max(0.0, age - 3))
            / body.height_cm,
        )
        return teller.child_ill(
            today, "otitis" if age < 6 and rng.random() < 0.25 else "cold", body.height_cm * grown
        )
    acute = {
        "pneumonia": 0.010 + 0.0005 * max(0.0, age - 50),
        "appendicitis": 0.006 if age < 60 else 0.003,
        "exacerbation": 0.05 if "copd" in known else 0.0,
        "infarction": 0.02 if "coronary" in known else 0.0,
        "stroke": 0.012 if "hypertension" in known and age > 55 else 0.0,
        "failure": 0.05 if "failure" in known else 0.0,
    }
    light = {"cold": 0.28, "backpain": 0.13, "gastritis": 0.10, "fracture": 0.03}
    chances = acute if emergency else light | acute | {"review": 0.75 if known else 0.0, "check": 0.10}
    key = rng.choices(list(chances), list(chances.values()))[0]
    if key == "review":
        teller.follow_up(today, known[:])
        return teller.visits[-1]
    if key == "check":
        teller.check_up(today)
        return teller.visits[-1]
    if key in ("infarction", "stroke"):
        teller.admit(today, key)
        return teller.visits[-1]
    if key == "failure":
        visit = teller.visit(today, ["failure"], kind="IMP", fever=0.0)
        visit.nights, visit.plan, visit.procedures = rng.randrange(5, 10), "admitted", ["chest-xray"]
        teller.add(visit, ("count", "chemistry", "electrolytes", "heart"))
        visit.values["spo2"] = min(visit.values["spo2"], rng.uniform(89, 93))
        visit.values["breaths"] = max(visit.values["breaths"], rng.uniform(22, 27))
        return visit
    medicines = {
        "cold": ("paracetamol",),
        "backpain": ("paracetamol",),
        "fracture": ("paracetamol",),
        "gastritis": ("omeprazole",),
        "pneumonia": ("levofloxacin",),
        "exacerbation": ("levofloxacin",),
        "appendicitis": ("cefuroxime",),
    }
    visit = teller.fall_ill(today, key, medicines[key])
    if key == "appendicitis":  # nothing wrong with the lungs
        visit.values["spo2"] = max(visit.values["spo2"], rng.uniform(96, 99))
    return visit


def _mind_allergies(visit: Visit, life: Life) -> None:
    """Nobody is given what the chart says they do not bear."""
    allergic = {key for key, _ in life.allergies}
    if "cephalosporin" in allergic or "penicillin" in allergic:
        visit.started = ["levofloxacin" if m == "cefuroxime" else m for m in visit.started]
    if "penicillin" in allergic:  # a child's ear: watchful waiting and something for the pain
        visit.started = ["paracetamol" if m == "amoxicillin" else m for m in visit.started]


def _prescriptions(
    bedside: Bedside, visit: Visit, known: list[str], minute: float, doctor: Json
) -> list[Json]:
    requests = []
    for medicine in visit.started:
        request = bedside.prescription(
            medicine, visit, [*known, *visit.diagnosed], bedside.at(minute), doctor
        )
        request["status"] = "active"
        requests.append(request)
    return requests


def _conditions(bedside: Bedside, visit: Visit, minute: float, doctor: Json) -> list[Json]:
    """What was diagnosed, as it stands today: nothing is over yet."""
    found = []
    for key in visit.diagnosed:
        condition = bedside.condition(key, visit, bedside.at(minute), visit.day, doctor)
        condition.pop("abatementDateTime", None)
        condition["clinicalStatus"]["coding"][0]["code"] = "active"
        found.append(condition)
    return found


def _orders(
    bedside: Bedside, panels: list[str], procedures: list[str], minute: float, doctor: Json
) -> tuple[dict[str, Json], dict[str, Json]]:
    tests = {
        panel: bedside.order(
            c.PANELS[panel][0], c.PANELS[panel][1], c.PANELS[panel][2:4], minute, doctor, "laboratory"
        )
        for panel in panels
    }
    pictures = {
        key: bedside.order(
            f"{SITE}/codes/procedure",
            key,
            PROCEDURES[key],
            minute,
            doctor,
            "electrocardiogram" if key == "ecg" else "imaging",
        )
        for key in procedures
    }
    return tests, pictures


def _visit(bedside: Bedside, visit: Visit, known: list[str], rng: Random) -> Iterator[Step]:
    """An outpatient or emergency visit from arrival to the door."""
    doctor = bedside.staff.doctor(visit.department, bedside.person.number)
    urgent = visit.kind == "EMER"
    encounter = bedside.arrive(visit, 0, "emergency" if urgent else None)
    yield 0, [encounter]
    now = rng.uniform(3, 7)
    encounter["status"] = "triaged" if urgent else "in-progress"
    yield now, [encounter, *bedside.vitals(visit.values, now, doctor)]
    now += rng.uniform(5, 10)
    encounter["status"] = "in-progress"
    tests, pictures = _orders(bedside, visit.panels, visit.procedures, now, doctor)
    if tests or pictures:
        yield now, [encounter, *tests.values(), *pictures.values()]
    ends = now
    for panel, ready in sorted(((p, now + rng.uniform(35, 85)) for p in tests), key=lambda one: one[1]):
        yield ready, bedside.panel(tests[panel], panel, visit.values, now + 8, ready, doctor)
        ends = ready
    for key, order in pictures.items():
        ends = max(ends, now) + rng.uniform(15, 30)
        yield ends, bedside.examination(key, PROCEDURES[key], order, ends, doctor)
    ends += rng.uniform(6, 14)
    yield (
        ends,
        [*_conditions(bedside, visit, ends, doctor), *_prescriptions(bedside, visit, known, ends, doctor)],
    )
    ends += rng.uniform(2, 5)
    text = note(visit, bedside.person.name.chinese, known)
    kind = _EMERGENCY_NOTE if urgent else _OUTPATIENT_NOTE
    yield ends, [bedside.written(text, kind, ends, doctor), bedside.leave(encounter, ends)]


def _stay(bedside: Bedside, visit: Visit, known: list[str], rng: Random) -> Iterator[Step]:
    """From the emergency room to the ward and home again."""
    chinese, reason = bedside.person.name.chinese, visit.reasons[0]
    physician = bedside.staff.doctor("emergency", bedside.person.number)
    before = Visit(
        visit.day,
        visit.minute,
        "EMER",
        "emergency",
        visit.reasons,
        visit.values,
        diagnosed=visit.diagnosed,
        plan="admit",
    )
    emergency = bedside.arrive(before, 0, "emergency")
    yield 0, [emergency]
    now = rng.uniform(2, 4)
    emergency["status"] = "triaged"
    yield now, [emergency, *bedside.vitals(visit.values, now, physician)]
    now += rng.uniform(3, 8)
    emergency["status"] = "in-progress"
    pictures = [key for key in visit.procedures if key in ("ecg", "chest-xray", "head-ct")]
    tests, images = _orders(bedside, visit.panels, pictures, now, physician)
    yield now, [emergency, *tests.values(), *images.values()]
    shown = now
    for key, order in images.items():
        # The ECG comes first, within minutes; a picture, and specimens (taken after six minutes), take longer.
        shown = now + (rng.uniform(1, 3) if key == "ecg" else rng.uniform(18, 30))
        yield shown, bedside.examination(key, PROCEDURES[key], order, shown, physician)
    ready = max(shown, now + 18)
    for panel in tests:
        ready += rng.uniform(4, 14)
        yield ready, bedside.panel(tests[panel], panel, visit.values, now + 6, ready, physician)
    now = ready + rng.uniform(8, 15)
    text = note(before, chinese, known)
    leaving = bedside.leave(emergency, now, home=False)
    found = _conditions(bedside, visit, now, physician)
    yield (
        now,
        [
            *found,
            bedside.written(text, _EMERGENCY_NOTE, now, physician),
            leaving,
        ],
    )
    for minute, resources in _ward(bedside, visit, known, rng, now + rng.uniform(10, 25), reason):
        over = [_over(one, bedside.at(minute)) for one in found] if _discharges(resources) else []
        yield minute, [*resources, *over]


def _ward(
    bedside: Bedside, visit: Visit, known: list[str], rng: Random, begin: float, reason: str
) -> Iterator[Step]:
    """The days on the ward: vital signs, operations, daily tests and notes, the way home."""
    chinese, body = bedside.person.name.chinese, bedside.life.body
    doctor = bedside.staff.doctor(visit.department, bedside.person.number)
    intensive = reason in ("infarction", "stroke") or visit.values.get("spo2", 98) < 90
    stay = bedside.arrive(visit, begin, "icu" if intensive else visit.department, source="emergency")
    yield begin, [stay]
    prescribed = _prescriptions(bedside, visit, known, begin + 12, doctor)
    yield begin + 12, prescribed
    events: list[tuple[float, str]] = [(begin + 24 * 60.0 + 40, "move")] if intensive else []
    if "appendicectomy" in visit.procedures or "angiography" in visit.procedures:
        events.append((begin + (55.0 if reason == "infarction" else 260.0), "operation"))
    last = begin + visit.nights * 24 * 60.0 - rng.uniform(0, 120)
    events += [(begin + 60.0 * hour, "vitals") for hour in (2, 6, 10, 14, 18, 22)]
    events += [(begin + 60.0 * hour, "vitals") for hour in range(30, visit.nights * 24 - 2, 8)]
    for day in range(1, visit.nights):
        ordered = begin + day * 24 * 60.0 - 150 + rng.uniform(0, 20)
        events += [(ordered, "order"), (ordered + 130, "results")]
        events.append((begin + day * 24 * 60.0 + rng.uniform(20, 60), "round"))
    measured: dict[str, float] = {}
    tests: dict[str, Json] = {}
    for minute, what in sorted(event for event in events if event[0] < last):
        days = (minute - begin) / (24 * 60)
        ill = exp(-0.45 * days) if reason in ("pneumonia", "exacerbation", "appendicitis") else 0.0
        if what == "vitals":
            signs = body.measure(list(_MEASURED), visit.day, fever=1.2 * ill, infection=0.7 * ill)
            if reason == "failure":
                signs["spo2"], signs["breaths"] = (
                    min(signs["spo2"], 91 + 2 * days),
                    max(signs["breaths"], 24 - 2 * days),
                )
            measured |= signs
            yield minute, bedside.vitals(signs, minute, doctor)
        elif what == "move":
            yield minute, [bedside.move(stay, minute, visit.department)]
        elif what == "operation":
            key = "appendicectomy" if reason == "appendicitis" else "angiography"
            order = bedside.order(
                f"{SITE}/codes/procedure", key, PROCEDURES[key], minute - 45, doctor, "surgery"
            )
            yield minute, bedside.examination(key, PROCEDURES[key], order, minute, doctor)
        elif what == "order":
            panels = _DAILY[reason]
            tests, _ = _orders(bedside, panels, [], minute, doctor)
            ordered = minute
            yield minute, list(tests.values())
        elif what == "results":
            values = body.measure([t for p in tests for t in c.PANELS[p][4]], visit.day, infection=0.8 * ill)
            if "bnp" in values:
                values["bnp"] *= 0.4 + 2.2 * exp(-0.35 * days)
            measured |= values
            for panel, order in tests.items():
                yield minute, bedside.panel(order, panel, values, ordered + 15, minute, doctor)
        else:
            text = progress_note(reason, measured, days > 0.45 * visit.nights, chinese)
            measured = {}
            yield minute, [bedside.written(text, _DAILY_NOTE, minute, doctor)]
    yield last, [_done(request) for request in prescribed if _acute(request)]
    text = note(visit, chinese, known)
    yield (
        last + 20,
        [bedside.written(text, _DISCHARGE_NOTE, last + 20, doctor), bedside.leave(stay, last + 20)],
    )


def _discharges(resources: list[Json]) -> bool:
    return any(one["resourceType"] == "Encounter" and one["status"] == "finished" for one in resources)


def _over(condition: Json, now: str) -> Json:
    """An acute illness resolved; what is chronic stays as it is."""
    if condition["category"][0]["coding"][0]["code"] == "problem-list-item":
        return condition
    resolved = {"coding": [condition["clinicalStatus"]["coding"][0] | {"code": "resolved"}]}
    return condition | {"clinicalStatus": resolved, "abatementDateTime": now}


def _done(request: Json) -> Json:
    return request | {"status": "completed"}


def _acute(request: Json) -> bool:
    """Whether a prescription ends with the stay."""
    code = request["medicationCodeableConcept"]["coding"][0]["code"]
    return any(MEDICINES[key].atc == code for key in _SHORT)
