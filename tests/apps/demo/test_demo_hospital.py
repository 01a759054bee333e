"""The demonstration hospital: the same for ever, coherent, and valid FHIR."""

from __future__ import annotations

import itertools
import statistics
from collections import Counter
from datetime import date
from random import Random
from typing import Any

import msgspec
import pytest

from xinglin.apps.demo import names, physiology
from xinglin.apps.demo.hospital import Staff, lines, patient
from xinglin.apps.demo.life import UNTIL

Json = dict[str, Any]


@pytest.fixture(scope="module")
def charts() -> list[list[Json]]:
    staff = Staff(1)
    return [list(patient(number, 1, staff)) for number in range(1, 201)]


def code(resource: Json) -> str:
    concept = resource.get("code") or resource["medicationCodeableConcept"]
    return str(concept["coding"][0]["code"])


def values(chart: list[Json], loinc: str) -> list[tuple[str, float]]:
    found = [r for r in chart if r["resourceType"] == "Observation" and code(r) == loinc]
    return sorted((r["effectiveDateTime"], r["valueQuantity"]["value"]) for r in found)


def test_same_seed_gives_the_same_bytes() -> None:
    assert list(lines(5, seed=3)) == list(lines(5, seed=3))
    assert list(lines(5, seed=3)) != list(lines(5, seed=4))


def test_a_patient_is_the_same_whatever_the_number_of_patients() -> None:
    few, many = list(lines(3)), list(itertools.islice(lines(1_000_000), 5000))
    assert few == many[: len(few)]


def test_a_typical_patient_has_at_least_150_resources(charts: list[list[Json]]) -> None:
    assert statistics.median(len(chart) for chart in charts) >= 150


def test_every_resource_is_valid_fhir() -> None:
    from xinglin.standards.fhir.parse import parse

    for line in lines(40):
        parse(line)


def test_every_local_reference_points_at_something_written() -> None:
    resources = [msgspec.json.decode(line) for line in lines(30)]
    there = {f"{r['resourceType']}/{r['id']}" for r in resources}
    assert len(there) == len(resources)

    def references(node: object) -> list[str]:
        if isinstance(node, dict):
            own = [node["reference"]] if isinstance(node.get("reference"), str) else []
            return own + [x for child in node.values() for x in references(child)]
        return [x for child in node for x in references(child)] if isinstance(node, list) else []

    assert [ref for r in resources for ref in references(r) if ref not in there] == []


def test_nothing_is_recorded_after_the_demonstrations_today_or_before_birth(charts: list[list[Json]]) -> None:
    for chart in charts:
        born = chart[0]["birthDate"]
        for resource in chart:
            when = (
                resource.get("effectiveDateTime")
                or resource.get("authoredOn")
                or resource.get("recordedDate")
                or born
            )
            assert born <= when[: len(born)] <= UNTIL.isoformat()


def test_diabetics_hba1c_treatment_and_complications_agree(charts: list[list[Json]]) -> None:
    diabetics = 0
    for chart in charts:
        conditions = {code(r) for r in chart if r["resourceType"] == "Condition"}
        medicines = {code(r) for r in chart if r["resourceType"] == "MedicationRequest"}
        if "E11.9" not in conditions:
            assert not conditions & {"E11.2", "E11.3", "E11.4"}, "a diabetic complication without diabetes"
            assert not medicines & {"A10BA02", "A10AE04"}, "metformin or insulin without diabetes"
            assert all(value < 6.5 for _, value in values(chart, "4548-4"))
            continue
        diabetics += 1
        a1c = values(chart, "4548-4")
        assert max(value for _, value in a1c) >= 6.0
        assert (
            medicines & {"A10BA02", "A10BK01", "A10BH05", "A10AE04"}
            or min(v for _, v in values(chart, "98979-8")) < 30
        )
        fasting = dict(values(chart, "14771-0"))
        for when, value in a1c:
            if when in fasting:
                assert fasting[when] == pytest.approx(physiology.glucose_from_hba1c(value) * 0.9, abs=1.8)
    assert diabetics >= 10


def test_reported_egfr_is_ckd_epi_of_the_reported_creatinine(charts: list[list[Json]]) -> None:
    checked = 0
    for chart in charts:
        female, born = chart[0]["gender"] == "female", date.fromisoformat(chart[0]["birthDate"])
        egfr = dict(values(chart, "98979-8"))
        for when, creatinine in values(chart, "14682-9"):
            age = (date.fromisoformat(when[:10]) - born).days / 365.25
            assert abs(egfr[when] - physiology.egfr(creatinine, age, female)) <= 1
            checked += 1
    assert checked > 200


def test_metformin_is_stopped_when_the_kidneys_fail() -> None:
    staff, stopped = Staff(1), 0
    for number in range(1, 500):
        chart = list(patient(number, 1, staff))
        low = [when for when, value in values(chart, "98979-8") if value < 30]
        for request in chart:
            if request["resourceType"] == "MedicationRequest" and code(request) == "A10BA02":
                assert not (low and request["authoredOn"] > max(low)), "metformin begun below eGFR 30"
                stopped += request["status"] == "stopped"
    assert stopped >= 1


def test_names_are_chinese_and_english_and_surnames_vary(charts: list[list[Json]]) -> None:
    people = [chart[0]["name"][0] for chart in charts]
    chinese = [p for p in people if "一" <= p["family"][0] <= "鿿"]
    assert 0.6 < len(chinese) / len(people) < 0.95
    assert all(p["text"] == p["family"] + p["given"][0] for p in chinese)
    assert max(Counter(p["family"] for p in people).values()) < len(people) / 4


def test_resident_numbers_carry_a_right_check_digit_and_nobodys_prefix() -> None:
    for seed in range(50):
        number = names.resident_number(Random(seed), date(1980, 2, 29), seed % 2 == 0)
        assert number.startswith("990101")
        digits = [10 if c == "X" else int(c) for c in number]
        assert (
            sum(d * pow(2, 17 - i, 11) for i, d in enumerate(digits)) % 11 == 1
        )  # GB 11643: ISO 7064 MOD 11-2
        assert int(number[16]) % 2 == (0 if seed % 2 == 0 else 1)  # even: female


@pytest.mark.parametrize(
    ("creatinine", "age", "female", "expected"),
    [(88.42, 50, False, 92), (70.7, 60, True, 84), (176.8, 70, False, 35)],
)
def test_egfr_matches_ckd_epi_2021(creatinine: float, age: float, female: bool, expected: float) -> None:
    assert physiology.egfr(creatinine, age, female) == pytest.approx(expected, abs=1)
    assert physiology.creatinine_umol(physiology.egfr(creatinine, age, female), age, female) == pytest.approx(
        creatinine
    )


def test_every_medicine_is_given_for_something_it_treats(charts: list[list[Json]]) -> None:
    from xinglin.apps.demo.catalogue import DISEASES
    from xinglin.apps.demo.formulary import INDICATIONS, MEDICINES

    treats = {
        MEDICINES[key].atc: {DISEASES[d].icd for d in diseases} for key, diseases in INDICATIONS.items()
    }
    checked = 0
    for chart in charts:
        for request in chart:
            if request["resourceType"] == "MedicationRequest" and code(request) in treats:
                assert request["reasonCode"][0]["coding"][0]["code"] in treats[code(request)]
                checked += 1
    assert checked > 100
