"""Operations that are asked wrongly: refused by name, never answered with something else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from asking import BASE, Ask, asking
from xinglin.kernel.settings import Settings
from xinglin.records.api import Api
from xinglin.records.service import open_records
from xinglin.records.site import Site

LOINC = "http://loinc.org"


@pytest.fixture
def ask(database_url: str) -> Iterator[Ask]:
    records = open_records(database_url)
    yield asking(Api(Site(records, Settings())))
    records.close()


def put(ask: Ask, resource: dict[str, Any]) -> None:
    status, body = ask("PUT", f"{resource['resourceType']}/{resource['id']}", resource)
    assert status in (200, 201), body


def glucose(number: int) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "id": f"g{number}",
        "status": "final",
        "code": {"coding": [{"system": LOINC, "code": "2345-7"}]},
        "subject": {"reference": f"Patient/p{number}"},
        "effectiveDateTime": "2020-01-01",
        "valueQuantity": {"value": 5 * number, "unit": "mmol/L"},
    }


STATS = f"code={LOINC}|2345-7&statistic=average,count"


@pytest.fixture
def two(ask: Ask) -> Ask:
    """Two patients, each with a glucose."""
    for number in (1, 2):
        put(ask, {"resourceType": "Patient", "id": f"p{number}"})
        put(ask, glucose(number))
    return ask


@pytest.mark.parametrize(
    ("query", "key"),
    [
        (f"subject=p1,p2&{STATS}", "for one subject"),  # else two persons' values in one average
        (f"subject=p1&period=2024/2020&{STATS}", "start must not lie after end"),
        (f"subject=p1&period=2020&{STATS}", "period is start/end"),
        (f"subject=p1&period=&{STATS}", "period is start/end"),
        (f"subject=p1&period=/&{STATS}", "period is start/end"),
        (f"subject=p1&period=x/y&{STATS}", "period is start/end"),
        (f"subject=p1&include=maybe&{STATS}", "include"),
        ("subject=p1&coding=2345-7&statistic=count", "coding names a code"),
        ("subject=p1&code=|&statistic=count", "code names a code"),
        ("subject=p1&code=2345-7&statistic=", "needs statistic"),
    ],
)
def test_statistics_asked_wrongly_are_refused_not_answered_with_something_else(
    two: Ask, query: str, key: str
) -> None:
    status, outcome = two("GET", f"Observation/$stats?{query}")
    assert status == 400
    assert key in outcome["issue"][0]["diagnostics"]


def test_statistics_of_nobody_are_not_zero(two: Ask) -> None:
    assert two("GET", f"Observation/$stats?subject=nobody&{STATS}")[0] == 404
    assert two("GET", f"Observation/$stats?subject={BASE}/Patient/nobody&{STATS}")[0] == 404
    two("DELETE", "Observation/g2")
    two("DELETE", "Patient/p2")
    assert two("GET", f"Observation/$stats?subject=p2&{STATS}")[0] == 410
    status, body = two("GET", "Observation/$stats?subject=p1&code=nonsense&statistic=count")
    (component,) = body["parameter"][0]["resource"]["component"]
    assert (status, component["valueQuantity"]["value"]) == (200, 0)


def test_several_codes_with_a_comma_are_answered_one_by_one(two: Ask) -> None:
    _, body = two("GET", "Observation/$stats?subject=p1&code=nonsense,2345-7&statistic=count")
    counts = [part["resource"]["component"][0]["valueQuantity"]["value"] for part in body["parameter"]]
    assert counts == [0, 1]


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "patient", "valueReference": {"reference": 5}},
        {"name": "patient", "valueReference": {"display": "p1"}},
        {"name": "patient", "valueString": None},
        {"name": "patient"},
        {"name": "patient", "valueString": "p1", "valueCode": "p1"},
        {"name": "patient", "valueCoding": {"system": 5, "code": {}}},
    ],
)
def test_a_parameter_without_one_plain_value_is_named(two: Ask, wrong: dict[str, Any]) -> None:
    sent = {"resourceType": "Parameters", "parameter": [wrong]}
    status, outcome = two("POST", "Observation/$lastn", sent)
    assert status == 400
    assert "patient" in outcome["issue"][0]["diagnostics"]


def test_everything_takes_the_same_kinds_of_value_by_post(two: Ask) -> None:
    def names(*parameters: dict[str, Any]) -> set[str]:
        sent = {"resourceType": "Parameters", "parameter": parameters}
        status, body = two("POST", "Patient/p1/$everything", sent)
        assert status == 200, body
        return {entry["resource"]["resourceType"] for entry in body["entry"]}

    assert names() == {"Patient", "Observation"}
    several = [{"name": "_type", "valueCode": kind} for kind in ("Observation", "Condition")]
    assert names(*several) == {"Observation"}
    assert names({"name": "start", "valueDateTime": "2021-01-01"}) == {"Patient"}
    assert names({"name": "_since", "valueUri": "2000-01-01"}, {"name": "_count", "valuePositiveInt": 5})
