"""The demonstration hospital itself, and the stream of everything in it.

``lines(200, seed=1)`` yields NDJSON, one resource a line, hospital first, patient after patient, in bounded memory; the
same seed gives the same bytes, and the same patient whatever the number of patients.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from random import Random
from typing import TYPE_CHECKING, Any

import msgspec

from xinglin.apps.demo import names
from xinglin.apps.demo.catalogue import DEPARTMENTS

if TYPE_CHECKING:
    from xinglin.apps.demo.life import Life
    from xinglin.apps.demo.resources import Person

SITE = "https://xinglin.example"
Json = dict[str, Any]


class Staff:
    """Four doctors a department; a patient keeps the same one."""

    def __init__(self, seed: int) -> None:
        rng = Random(f"{seed}:staff")
        self.doctors: dict[str, list[tuple[str, names.Name, bool]]] = {}
        number = 0
        for department in DEPARTMENTS:
            self.doctors[department] = []
            for _ in range(4):
                number += 1
                female = rng.random() < 0.5
                self.doctors[department].append(
                    (f"d{number}", names.name(rng, female, rng.random() < 0.9), female)
                )

    def doctor(self, department: str, patient: int) -> Json:
        """Reference to the doctor who sees that patient in that department."""
        choice = self.doctors[department][patient % 4]
        return {"reference": f"Practitioner/{choice[0]}", "display": choice[1].text}

    def resources(self) -> Iterator[Json]:
        """Hospital, departments, laboratory, practitioners and their roles."""
        yield {
            "resourceType": "Organization",
            "id": "hospital",
            "active": True,
            "name": "杏林示范医院",
            "alias": ["Xinglin Demonstration Hospital"],
            "identifier": [{"system": f"{SITE}/organization", "value": "XL-0001"}],
        }
        for key, (en, zh) in (*DEPARTMENTS.items(), ("laboratory", ("Laboratory", "检验科"))):
            code = key if key == "laboratory" else f"dept-{key}"
            yield {
                "resourceType": "Organization",
                "id": code,
                "active": True,
                "name": zh,
                "alias": [en],
                "partOf": {"reference": "Organization/hospital"},
            }
        for department, doctors in self.doctors.items():
            for code, name, female in doctors:
                yield {
                    "resourceType": "Practitioner",
                    "id": code,
                    "active": True,
                    "gender": "female" if female else "male",
                    "identifier": [{"system": f"{SITE}/practitioner", "value": f"D{code[1:]:0>5}"}],
                    "name": [{"text": name.text, "family": name.family, "given": [name.given]}],
                }
                yield {
                    "resourceType": "PractitionerRole",
                    "id": f"{code}-role",
                    "active": True,
                    "practitioner": {"reference": f"Practitioner/{code}", "display": name.text},
                    "organization": {"reference": f"Organization/dept-{department}"},
                    "code": [
                        {
                            "coding": [
                                {
                                    "system": "http://terminology.hl7.org/CodeSystem/practitioner-role",
                                    "code": "doctor",
                                    "display": "Doctor",
                                }
                            ],
                            "text": "医师",
                        }
                    ],
                }


def person_and_life(number: int, seed: int, staff: Staff) -> tuple[Person, Life]:
    """Who patient ``number`` (1, 2, …) is, and what befell them until the demonstration's today."""
    from xinglin.apps.demo.life import UNTIL, live
    from xinglin.apps.demo.resources import Person

    rng = Random(f"{seed}:{number}")
    female, chinese = rng.random() < 0.52, rng.random() < 0.8
    # Ages as in a hospital's clientele: few children, many of middle and old age.
    age_days = round(
        365.25 * min(max(rng.triangular(1, 97, 58) if rng.random() < 0.93 else rng.uniform(0, 16), 0.1), 99)
    )
    born: date = UNTIL - timedelta(days=age_days)
    person = Person(
        number,
        names.name(rng, female, chinese),
        names.resident_number(rng, born, female),
        names.phone(rng),
        names.address(rng),
    )
    return person, live(rng, born, female)


def patient(number: int, seed: int, staff: Staff) -> Iterator[Json]:
    """All resources of patient ``number`` (1, 2, …)."""
    from xinglin.apps.demo.resources import Chart

    person, life = person_and_life(number, seed, staff)
    yield from Chart(person, life, staff).write()


def lines(patients: int = 200, seed: int = 1, *, after: int = 0) -> Iterator[bytes]:
    """The whole hospital as NDJSON lines (no newline at the end of a line), or what it holds ``after`` that many patients.

    Raises
    ------
    ValueError
        If ``patients`` or ``after`` is negative.
    """
    if patients < 0 or after < 0:
        raise ValueError("patients must be 0 or more")
    encode = msgspec.json.encode
    staff = Staff(seed)
    if not after:
        for resource in staff.resources():
            yield encode(resource)
    for number in range(after + 1, patients + 1):
        for resource in patient(number, seed, staff):
            yield encode(resource)
