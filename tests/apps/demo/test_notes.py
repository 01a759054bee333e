"""What the demonstration's doctors write fits what happened, as one who reads it would expect."""

from __future__ import annotations

from base64 import b64decode
from datetime import date
from typing import Any

import pytest

from xinglin.apps.demo.hospital import Staff, patient, person_and_life
from xinglin.apps.demo.life import Teller, Visit
from xinglin.apps.demo.notes import note


def visit(*reasons: str, kind: str = "AMB", department: str = "endocrinology", **more: Any) -> Visit:
    return Visit(date(2026, 1, 5), 600, kind, department, list(reasons), **more)


def test_gout_that_is_known_is_reviewed_not_breaking_out_at_every_visit() -> None:
    assert "红肿疼痛1天" in note(visit("gout", diagnosed=["gout"], plan="new"), True, [])
    again = note(visit("gout", plan="steady"), True, ["gout"])
    assert "主诉：痛风复诊，近期无关节红肿疼痛" in again
    assert "painful right big toe" not in note(visit("gout", plan="transfer"), False, [])


def test_who_is_taken_in_for_a_known_illness_comes_with_it_as_it_is_now() -> None:
    admitted = visit("failure", kind="IMP", department="cardiology", plan="admitted")
    assert "活动后气促、双下肢水肿" in note(admitted, True, ["failure"])


def test_an_examination_that_finds_something_was_still_an_examination() -> None:
    found = visit("hypertension", department="health", diagnosed=["hypertension"], plan="found")
    text = note(found, True, [])
    assert "主诉：健康体检" in text
    assert "诊断：原发性高血压" in text


@pytest.fixture(scope="module")
def notes() -> list[str]:
    staff = Staff(1)
    return [
        b64decode(one["content"][0]["attachment"]["data"]).decode()
        for number in range(1, 81)
        for one in patient(number, 1, staff)
        if one["resourceType"] == "DocumentReference"
    ]


def test_an_infarction_is_found_by_ecg_and_troponin() -> None:
    teller = Teller(person_and_life(3, 1, Staff(1))[1].body, [])
    teller.admit(date(2026, 1, 5), "infarction")
    (stay,) = teller.visits
    assert stay.procedures[0] == "ecg"
    assert stay.values["troponin"] > 26
    assert "高敏肌钙蛋白I" in note(stay, True, [])


def test_no_fracture_goes_home_without_a_cast(notes: list[str]) -> None:
    broken = [text for text in notes if "桡骨远端骨折" in text.partition("诊断：")[2]]
    assert broken
    assert all("石膏外固定" in text for text in broken)


def test_pressure_above_target_is_not_called_stable(notes: list[str]) -> None:
    reviews = [text for text in notes if "主诉：高血压复诊" in text]
    assert len(reviews) > 50
    for text in reviews:
        systolic = int(text.partition("血压 ")[2].partition("/")[0])
        assert systolic < 141 or "病情平稳" not in text, text
