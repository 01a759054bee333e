"""The hospital at work: the same stories for the same seed and start, coherent, gone on with after a restart."""

from __future__ import annotations

import base64
from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal
from itertools import pairwise
from typing import Any

import msgspec
import pytest

from xinglin.apps.demo.bedside import MISLABELLED, places
from xinglin.apps.demo.catalogue import TESTS
from xinglin.apps.demo.hospital import Staff, lines, person_and_life
from xinglin.apps.demo.live import MOST_A_SECOND, Due, Hospital, State
from xinglin.apps.demo.stories import story

Json = dict[str, Any]
START_US = 1_795_266_000_000_000  # 2026-11-21 21:00 in China
HOUR_US = 3_600_000_000


def days(hospital: Hospital, hours: float, from_us: int = START_US) -> list[Due]:
    return hospital.due(from_us + round(hours * HOUR_US))


@pytest.fixture(scope="module")
def week() -> list[Due]:
    """A week of a hospital of 300 patients, in real time."""
    return days(Hospital.begun(300, 1, START_US, 1.0), 7 * 24)


@pytest.fixture(scope="module")
def versions(week: list[Due]) -> dict[str, list[Json]]:
    found: dict[str, list[Json]] = defaultdict(list)
    for kind, id_, body in week:
        found[f"{kind}/{id_}"].append(msgspec.json.decode(body))
    return found


def test_same_seed_and_start_give_the_same_bytes(week: list[Due]) -> None:
    again = Hospital.begun(300, 1, START_US, 1.0)
    pieces = [again.due(START_US + round(at * 0.7 * HOUR_US)) for at in range(250)]
    assert [one for piece in pieces for one in piece][: len(week)] == week[: sum(map(len, pieces))]
    assert days(Hospital.begun(300, 2, START_US, 1.0), 24) != days(Hospital.begun(300, 1, START_US, 1.0), 24)


def test_everything_is_valid_fhir_and_refers_to_what_is_there(week: list[Due]) -> None:
    from xinglin.standards.fhir.parse import parse

    there = {f"{r['resourceType']}/{r['id']}" for r in map(msgspec.json.decode, lines(300))}
    there |= {f"Location/{place['id']}" for place in places()}

    def references(node: object) -> Iterator[str]:
        if isinstance(node, dict):
            if isinstance(node.get("reference"), str):
                yield node["reference"]
            for child in node.values():
                yield from references(child)
        elif isinstance(node, list):
            for child in node:
                yield from references(child)

    for kind, id_, body in week:
        parse(body)
        there.add(f"{kind}/{id_}")
    assert [r for _, _, body in week for r in references(msgspec.json.decode(body)) if r not in there] == []


def test_visits_pass_through_their_states_and_end(versions: dict[str, list[Json]]) -> None:
    encounters = {key: found for key, found in versions.items() if key.startswith("Encounter/")}
    classes = {found[0]["class"]["code"] for found in encounters.values()}
    assert classes == {"AMB", "EMER", "IMP"}
    finished = [found for found in encounters.values() if found[-1]["status"] == "finished"]
    assert len(finished) > 0.8 * len(encounters)
    for found in finished:
        states = list(dict.fromkeys(version["status"] for version in found))
        assert states in (
            ["arrived", "in-progress", "finished"],
            ["arrived", "triaged", "in-progress", "finished"],
            ["in-progress", "finished"],
        )
        assert found[-1]["period"]["start"] < found[-1]["period"]["end"]
        assert all(place["status"] == "completed" for place in found[-1].get("location", []))


def test_orders_are_done_before_the_patient_leaves(versions: dict[str, list[Json]]) -> None:
    left = {
        key
        for key, found in versions.items()
        if key.startswith("Encounter/") and found[-1]["status"] == "finished"
    }
    orders = [found for key, found in versions.items() if key.startswith("ServiceRequest/")]
    done = [found for found in orders if found[-1]["encounter"]["reference"] in left]
    assert len(done) > 50
    assert {found[-1]["status"] for found in done} == {"completed"}
    for key, found in versions.items():
        if key.startswith("DiagnosticReport/"):
            order = versions[found[0]["basedOn"][0]["reference"]]
            assert order[0]["authoredOn"] < found[0]["issued"]


def test_nobody_is_in_two_beds_at_once_and_nobody_dead_comes(versions: dict[str, list[Json]]) -> None:
    stays: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for key, found in versions.items():
        if key.startswith("Encounter/"):
            period = found[-1]["period"]
            stays[found[-1]["subject"]["reference"]].append((period["start"], period.get("end", "9")))
    for patient, periods in stays.items():
        periods.sort()
        assert all(one[1] <= other[0] for one, other in pairwise(periods))
        _, life = person_and_life(int(patient.removeprefix("Patient/p")), 1, Staff(1))
        assert life.died is None


def test_a_stay_has_vital_signs_daily_notes_and_a_discharge_note(versions: dict[str, list[Json]]) -> None:
    stays = [
        found[-1]["id"]
        for key, found in versions.items()
        if key.startswith("Encounter/")
        and found[-1]["class"]["code"] == "IMP"
        and found[-1]["status"] == "finished"
    ]
    assert stays
    for stay in stays:
        mine = [
            f[-1]
            for f in versions.values()
            if f[-1].get("encounter", {}).get("reference") == f"Encounter/{stay}"
        ]
        notes = [
            f[-1]["type"]["text"]
            for f in versions.values()
            if f[-1]["resourceType"] == "DocumentReference"
            and f[-1]["context"]["encounter"][0]["reference"] == f"Encounter/{stay}"
        ]
        assert notes[-1] == "出院小结"
        assert notes.count("日常病程记录") >= 3
        assert sum(r["resourceType"] == "Observation" and r["code"]["text"] == "体温" for r in mine) >= 9


def test_nobody_is_given_what_they_are_allergic_to() -> None:
    staff, checked = Staff(1), 0
    for number in range(1, 1500):
        _, life = person_and_life(number, 1, staff)
        allergic = {key for key, _ in life.allergies} & {"penicillin", "cephalosporin"}
        if not allergic or life.died:
            continue
        for run in range(4):
            steps = story(
                number,
                1,
                staff,
                f"live-{run}-{number}",
                lambda m: START_US + round(m * 6e7),
                emergency=run > 1,
            )
            assert steps is not None
            for _, resources in steps:
                for resource in resources:
                    if resource["resourceType"] == "MedicationRequest":
                        given = resource["medicationCodeableConcept"]["coding"][0]["code"]
                        assert given != "J01DC02", "cefuroxime despite an allergy to a beta-lactam"
                        assert not (given == "J01CA04" and "penicillin" in allergic)
                        checked += 1
    assert checked > 30


def test_what_is_done_in_the_emergency_room_comes_in_order_the_ecg_first() -> None:
    staff, seen = Staff(1), 0
    for number in range(1, 1200):
        steps = story(
            number, 1, staff, f"live-0-{number}", lambda m: START_US + round(m * 6e7), emergency=True
        )
        before = 0.0
        for minute, resources in steps or ():
            assert minute >= before
            before = minute
            for resource in resources:
                if resource["resourceType"] == "Procedure" and "心电图" in resource["code"]["text"]:
                    assert minute < 20
                    seen += 1
                if resource["resourceType"] == "Observation" and "issued" in resource:
                    assert resource["effectiveDateTime"] <= resource["issued"]
        if seen > 30:
            return
    pytest.fail("nobody had an ECG")


def test_a_few_results_carry_a_unit_that_cannot_be_right_and_the_rule_finds_each(week: list[Due]) -> None:
    from xinglin.quality.units import examine

    by_loinc = {TESTS[key].loinc: key for key in MISLABELLED}
    found: list[tuple[str, str]] = []
    total = 0
    for kind, _, body in week:
        resource = msgspec.json.decode(body) if kind == "Observation" else {"code": {}}
        loinc = resource["code"].get("coding", [{}])[0].get("code")
        quantity = resource.get("valueQuantity")
        if quantity is None:
            continue
        total += loinc in by_loinc
        assert quantity["code"] == TESTS[next(k for k, t in TESTS.items() if t.loinc == loinc)].unit
        wrong = examine(loinc, Decimal(str(quantity["value"])), quantity["code"])
        if wrong is not None:
            found.append((by_loinc[loinc], wrong.kind))
    assert 2 <= len(found) < total / 12
    assert {kind for _, kind in found} == {"wrong-unit"}


def test_a_hospital_goes_on_after_a_rest_with_the_same_stories() -> None:
    """What is told after a restart is what would have been told; only the times are later by the rest."""
    whole = days(Hospital.begun(200, 3, START_US, 60.0), 2)
    first = Hospital.begun(200, 3, START_US, 60.0)
    told = days(first, 0.9)
    kept = msgspec.convert(msgspec.json.decode(msgspec.json.encode(msgspec.to_builtins(first.state))), State)
    rested_us = START_US + round(0.9 * HOUR_US) + 8 * HOUR_US
    second = Hospital.resumed(200, 3, kept, rested_us, 60.0)
    told += second.due(rested_us + round(1.1 * HOUR_US))
    assert [one[:2] for one in told] == [one[:2] for one in whole][: len(told)]
    assert len(told) >= len(whole) - 40
    starts = {
        id_: msgspec.json.decode(body)["period"]["start"] for kind, id_, body in told if kind == "Encounter"
    }
    assert all(
        starts[id_] == msgspec.json.decode(body)["period"]["start"]
        for kind, id_, body in whole
        if kind == "Encounter" and (kind, id_) in {x[:2] for x in told[:200]}
    )


def test_a_large_and_fast_hospital_stays_within_bounds() -> None:
    hospital = Hospital.begun(1_000_000, 1, START_US, 3600.0)
    hospital.due(START_US + 20_000_000)
    assert hospital.state.next_number < 20 * MOST_A_SECOND * 2


def test_the_first_minutes_bring_an_emergency_with_a_note_in_the_patients_language() -> None:
    written = Hospital.begun(200, 1, START_US, 60.0).due(START_US + 10 * 60_000_000)
    assert any(b'"code":"EMER"' in body for kind, _, body in written if kind == "Encounter")
    notes = [
        base64.b64decode(msgspec.json.decode(body)["content"][0]["attachment"]["data"]).decode()
        for kind, _, body in written
        if kind == "DocumentReference"
    ]
    assert any("主诉：" in text for text in notes)
    assert all(text.count("\n") >= 3 for text in notes)
