"""$lastn, $stats, $meta, $meta-add and $meta-delete over the REST edge, on both databases."""

from __future__ import annotations

import json
import statistics as reference
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asking import Ask, asking
from xinglin.kernel.settings import Settings
from xinglin.records.api import Api
from xinglin.records.operations.lastn import newest
from xinglin.records.operations.statistics import STATISTICS, statistic
from xinglin.records.service import Records, open_records
from xinglin.records.site import Site
from xinglin.records.stored import Stored
from xinglin.standards.fhir.parse import parse
from xinglin.trust import local_system

LOINC = "http://loinc.org"
UCUM = "http://unitsofmeasure.org"


@pytest.fixture
def records(database_url: str) -> Iterator[Records]:
    opened = open_records(database_url)
    yield opened
    opened.close()


@pytest.fixture
def ask(records: Records) -> Ask:
    return asking(Api(Site(records, Settings())))


def put(ask: Ask, resource: dict[str, Any]) -> None:
    status, body = ask("PUT", f"{resource['resourceType']}/{resource['id']}", resource)
    assert status in (200, 201), body


def observation(id_: str, codes: list[str], day: str | None, **more: Any) -> dict[str, Any]:
    codings = [dict(zip(("system", "code"), code.split("|"), strict=True)) for code in codes if "|" in code]
    texts = [code for code in codes if "|" not in code]
    return {
        "resourceType": "Observation",
        "id": id_,
        "status": "final",
        "code": {**({"coding": codings} if codings else {}), **({"text": texts[0]} if texts else {})},
        "subject": {"reference": "Patient/p1"},
        **({"effectiveDateTime": day} if day else {}),
        **more,
    }


def measured(
    id_: str, value: Any, unit: str = "mmol/L", day: str = "2020-01-01", **more: Any
) -> dict[str, Any]:
    quantity = {"value": value, "unit": unit, "system": UCUM, "code": unit}
    return observation(id_, [f"{LOINC}|2345-7"], day, valueQuantity=quantity, **more)


def ids(bundle: dict[str, Any]) -> list[str]:
    return [entry["resource"]["id"] for entry in bundle.get("entry", [])]


# $lastn


@pytest.fixture
def shelf(ask: Ask) -> Ask:
    put(ask, {"resourceType": "Patient", "id": "p1"})
    for number, (codes, day) in enumerate(
        [
            ([f"{LOINC}|a"], "2020-01-01"),
            ([f"{LOINC}|a"], "2020-03-01"),
            ([f"{LOINC}|a", "http://own|x"], "2020-02-01"),
            (["http://own|x"], "2020-04-01"),
            ([f"{LOINC}|b"], "2019-01-01"),
            ([f"{LOINC}|b"], None),
            (["Pain"], "2020-01-05"),
            (["  pain "], "2020-01-06"),
        ]
    ):
        put(ask, observation(f"o{number}", codes, day))
    put(ask, observation("wrong", [f"{LOINC}|b"], "2021-01-01", status="entered-in-error"))
    other = observation("other", [f"{LOINC}|a"], "2022-01-01")
    put(ask, {"resourceType": "Patient", "id": "p2"})
    put(ask, {**other, "subject": {"reference": "Patient/p2"}})
    return ask


def test_the_last_of_each_code(shelf: Ask) -> None:
    status, bundle = shelf("GET", "Observation/$lastn?patient=p1")
    assert status == 200
    assert ids(bundle) == ["o3", "o7", "o4"]  # a and x are one by the observation that has both
    assert bundle["total"] == 3
    parse(json.dumps(bundle, default=str).encode())


def test_the_last_two_of_each_code_and_what_has_no_date_comes_last(shelf: Ask) -> None:
    _, bundle = shelf("GET", "Observation/$lastn?patient=p1&max=2")
    assert ids(bundle) == ["o3", "o1", "o7", "o6", "o4", "o5"]
    _, bundle = shelf("GET", "Observation/$lastn?subject=Patient/p1&max=3&code=http://loinc.org|a")
    assert ids(bundle) == ["o1", "o2", "o0"]


def test_parameters_may_come_in_a_body(shelf: Ask) -> None:
    body = {
        "resourceType": "Parameters",
        "parameter": [
            {"name": "patient", "valueString": "p1"},
            {"name": "max", "valuePositiveInt": 1},
            {"name": "code", "valueString": f"{LOINC}|b"},
        ],
    }
    assert ids(shelf("POST", "Observation/$lastn", body, content_type="application/fhir+json")[1]) == ["o4"]


def test_what_was_entered_in_error_is_left_out_unless_asked_for(shelf: Ask) -> None:
    _, bundle = shelf("GET", "Observation/$lastn?patient=p1&status=entered-in-error")
    assert ids(bundle) == ["wrong"]


@pytest.mark.parametrize(
    "query",
    [
        "code=a",
        "patient=p1&max=0",
        "patient=p1&max=x",
        "patient=p1&_count=2",
        "patient=p1,p2",
        "patient=p1&x=1",
    ],
)
def test_lastn_says_what_is_wrong(shelf: Ask, query: str) -> None:
    status, body = shelf("GET", f"Observation/$lastn?{query}")
    assert status == 400, body


@given(
    st.lists(
        st.tuples(st.lists(st.sampled_from("abcde"), min_size=1, max_size=3), st.booleans()), max_size=30
    ),
    st.integers(1, 4),
)
def test_lastn_is_that_of_a_naive_grouping(drawn: list[tuple[list[str], bool]], most: int) -> None:
    stored = []
    for number, (codes, _) in enumerate(drawn):
        codings = [{"system": "s", "code": code} for code in codes]
        body = json.dumps({"resourceType": "Observation", "code": {"coding": codings}}).encode()
        stored.append(Stored("Observation", str(number), 1, 0, False, "PUT", body))
    groups: list[set[str]] = []
    for codes, _ in drawn:
        together = [group for group in groups if group & set(codes)]
        groups = [group for group in groups if group not in together] + [set(codes).union(*together)]
    expected = set()
    for group in groups:
        expected |= set([str(n) for n, (codes, _) in enumerate(drawn) if group & set(codes)][:most])
    assert {one.id for one in newest(stored, most)} == expected


# $stats


def stats_of(bundle: dict[str, Any]) -> dict[str, Any]:
    resource = next(p["resource"] for p in bundle["parameter"] if p["name"] == "statistics")
    parse(json.dumps(resource, default=float).encode())
    return {part["code"]["coding"][0]["code"]: part for part in resource["component"]}


def test_statistics_of_one_code_in_one_unit(ask: Ask) -> None:
    put(ask, {"resourceType": "Patient", "id": "p1"})
    for number, value in enumerate(("5.0", "6.5", "7.0", "5.5")):
        put(ask, measured(f"m{number}", float(value), day=f"2020-01-0{number + 1}"))
    asked = "average,maximum,minimum,count,total-count,median,std-dev,sum,4-lower"
    url = f"Observation/$stats?subject=Patient/p1&code=2345-7&system={LOINC}&statistic={asked}"
    status, answer = ask("GET", url)
    assert status == 200
    found = {name: part["valueQuantity"]["value"] for name, part in stats_of(answer).items()}
    assert found["average"] == Decimal("6.0")
    assert (found["maximum"], found["minimum"], found["sum"]) == (
        Decimal("7.0"),
        Decimal("5.0"),
        Decimal("24.0"),
    )
    assert (found["count"], found["total-count"]) == (4, 4)
    assert found["median"] == Decimal("6.0")
    assert found["std-dev"] == Decimal("0.913")
    assert found["4-lower"] == Decimal("5.375")
    units = {part["valueQuantity"].get("code") for part in stats_of(answer).values()}
    assert units == {"mmol/L", None}


def test_values_in_another_unit_are_converted_and_what_cannot_be_is_refused(ask: Ask) -> None:
    put(ask, {"resourceType": "Patient", "id": "p1"})
    put(ask, measured("one", 2000, "g", "2020-01-01"))
    put(ask, measured("two", 4, "kg", "2020-01-02"))
    url = "Observation/$stats?subject=p1&code=2345-7&statistic=average"
    part = stats_of(ask("GET", url)[1])["average"]["valueQuantity"]
    assert (part["value"], part["code"]) == (3, "kg")
    put(ask, measured("three", 4, "mL", "2020-01-03"))
    status, body = ask("GET", url)
    assert status == 422
    assert "mL" in body["issue"][0]["diagnostics"]


def test_what_is_no_number_is_counted_apart_and_unknown_is_not_zero(ask: Ask) -> None:
    put(ask, {"resourceType": "Patient", "id": "p1"})
    put(
        ask,
        observation("less", [f"{LOINC}|2345-7"], "2020-01-01", valueQuantity={"value": 5, "comparator": "<"}),
    )
    put(ask, observation("none", [f"{LOINC}|2345-7"], "2020-01-02"))
    put(ask, measured("error", 9, status="entered-in-error"))
    url = "Observation/$stats?subject=p1&code=2345-7&statistic=average,sum,count,total-count"
    _, answer = ask("GET", url)
    found = stats_of(answer)
    assert found["count"]["valueQuantity"]["value"] == 0
    assert found["total-count"]["valueQuantity"]["value"] == 2
    for name in ("average", "sum"):
        assert "valueQuantity" not in found[name]
        assert found[name]["dataAbsentReason"]
    resource = answer["parameter"][0]["resource"]
    assert "2" in resource["note"][0]["text"]


def test_components_count_by_their_own_code(ask: Ask) -> None:
    put(ask, {"resourceType": "Patient", "id": "p1"})
    parts = [
        {
            "code": {"coding": [{"system": LOINC, "code": code}]},
            "valueQuantity": {"value": value, "unit": "mmHg"},
        }
        for code, value in (("8480-6", 120), ("8462-4", 80))
    ]
    put(ask, observation("bp", [f"{LOINC}|85354-9"], "2020-01-01", component=parts))
    _, answer = ask(
        "GET", f"Observation/$stats?subject=p1&coding={LOINC}|8480-6&statistic=maximum,count&include=true"
    )
    assert stats_of(answer)["maximum"]["valueQuantity"]["value"] == 120
    assert [p["resource"]["id"] for p in answer["parameter"] if p["name"] == "source"] == ["bp"]


def test_a_period_of_statistics(ask: Ask) -> None:
    put(ask, {"resourceType": "Patient", "id": "p1"})
    for number in range(1, 5):
        put(ask, measured(f"m{number}", number, day=f"2020-0{number}-15"))
    body = {
        "resourceType": "Parameters",
        "parameter": [
            {"name": "subject", "valueUri": "Patient/p1"},
            {"name": "coding", "valueCoding": {"system": LOINC, "code": "2345-7"}},
            {"name": "period", "valuePeriod": {"start": "2020-02", "end": "2020-03"}},
            {"name": "statistic", "valueCode": "sum"},
        ],
    }
    _, answer = ask("POST", "Observation/$stats", body, content_type="application/fhir+json")
    assert stats_of(answer)["sum"]["valueQuantity"]["value"] == 5
    assert answer["parameter"][0]["resource"]["effectivePeriod"] == {"start": "2020-02", "end": "2020-03"}
    url = "Observation/$stats?subject=p1&code=2345-7&statistic=count&duration=24"
    assert stats_of(ask("GET", url)[1])["count"]["valueQuantity"]["value"] == 0


@pytest.mark.parametrize(
    "query",
    [
        "code=a&statistic=sum",
        "subject=p1&statistic=sum",
        "subject=p1&code=a",
        "subject=p1&code=a&statistic=mode",
        "subject=p1&code=a&statistic=sum&duration=x",
        "subject=p1&code=a&statistic=sum&duration=1&period=2020/2021",
        "subject=p1&code=a&statistic=sum&limit=x",
        "subject=p1&code=a&statistic=sum&x=1",
    ],
)
def test_stats_says_what_is_wrong(ask: Ask, query: str) -> None:
    assert ask("GET", f"Observation/$stats?{query}")[0] == 400


@given(st.lists(st.decimals(-1000, 1000, places=2), min_size=2, max_size=20))
def test_statistics_are_those_of_the_standard_library(values: list[Decimal]) -> None:
    close = Decimal("0.001")
    quartiles = reference.quantiles(values, n=4, method="inclusive")
    quintiles = reference.quantiles(values, n=5, method="inclusive")
    for code, expected in {
        "average": reference.mean(values),
        "median": reference.median(values),
        "std-dev": reference.stdev(values),
        "variance": reference.variance(values),
        "4-lower": quartiles[0],
        "4-upper": quartiles[2],
        "5-1": quintiles[0],
        "5-4": quintiles[3],
        "sum": sum(values),
        "maximum": max(values),
    }.items():
        found = statistic(code, values)
        assert found is not None
        assert abs(found - Decimal(expected)) <= close, code


def test_too_few_numbers_give_no_statistic() -> None:
    for code in STATISTICS:
        found = statistic(code, [])
        assert (found == 0) if code in ("count", "total-count") else found is None
    assert statistic("std-dev", [Decimal(1)]) is None
    assert statistic("skew", [Decimal(1), Decimal(1), Decimal(1)]) is None


def test_a_draft_is_nobodys_last_value_and_in_no_statistic(ask: Ask) -> None:
    put(ask, {"resourceType": "Patient", "id": "p1"})
    system = "http://terminology.hl7.org/CodeSystem/v3-ObservationValue"
    for id_, day, value, labels in (
        ("measured", "2026-01-01", 60, []),
        ("accepted", "2026-01-02", 62, ["AIAST", "CLINAST"]),
        ("draft", "2026-01-03", 90, ["AIAST"]),
    ):
        put(ask, {"resourceType": "Observation", "id": id_, "status": "final",
                  "code": {"coding": [{"system": "http://loinc.org", "code": "29463-7"}]},
                  "subject": {"reference": "Patient/p1"}, "effectiveDateTime": day,
                  "valueQuantity": {"value": value, "unit": "kg", "system": "http://unitsofmeasure.org", "code": "kg"},
                  **({"meta": {"security": [{"system": system, "code": one} for one in labels]}} if labels else {})})  # fmt: skip
    last = ask("GET", "Observation/$lastn?patient=p1")[1]
    assert [entry["resource"]["id"] for entry in last["entry"]] == ["accepted"]
    asked = ask("GET", "Observation/$lastn?patient=p1&_security=AIAST")[1]
    assert [entry["resource"]["id"] for entry in asked["entry"]] == ["draft"]
    _, found = ask(
        "GET",
        "Observation/$stats?subject=Patient/p1&code=http://loinc.org|29463-7&statistic=maximum,total-count",
    )
    assert [one["valueQuantity"]["value"] for one in found["parameter"][0]["resource"]["component"]] == [
        62,
        2,
    ]


# $meta


def parameters(**meta: Any) -> dict[str, Any]:
    return {"resourceType": "Parameters", "parameter": [{"name": "meta", "valueMeta": meta}]}


JSON = {"content_type": "application/fhir+json"}


def test_meta_is_added_and_deleted_as_new_versions(ask: Ask, records: Records) -> None:
    put(ask, {"resourceType": "Patient", "id": "p1"})
    tag = {"system": "http://x", "code": "vip", "display": "Guest"}
    status, answer = ask("POST", "Patient/p1/$meta-add", parameters(tag=[tag], profile=["http://p"]), **JSON)
    assert status == 200
    meta = answer["parameter"][0]["valueMeta"]
    assert (meta["tag"], meta["profile"], meta["versionId"]) == ([tag], ["http://p"], "2")
    # The same again, under another display, changes nothing.
    again = parameters(tag=[{"system": "http://x", "code": "vip"}])
    assert (
        ask("POST", "Patient/p1/$meta-add", again, **JSON)[1]["parameter"][0]["valueMeta"]["versionId"] == "2"
    )
    assert ask("GET", "Patient?_tag=http://x|vip")[1]["entry"]
    assert ask("GET", "Patient/p1/$meta")[1]["parameter"][0]["valueMeta"]["tag"] == [tag]
    _, answer = ask("POST", "Patient/p1/$meta-delete", again, **JSON)
    assert "tag" not in answer["parameter"][0]["valueMeta"]
    assert ask("GET", "Patient/p1/_history")[1]["total"] == 3
    assert ask("GET", "Patient/p1/_history/2/$meta")[1]["parameter"][0]["valueMeta"]["tag"] == [tag]
    assert "tag" not in ask("GET", "Patient/p1/_history/1/$meta")[1]["parameter"][0]["valueMeta"]
    assert ask("GET", "Patient/p1/_history/9/$meta")[0] == 404
    changes = records.changes(local_system())
    assert [(one.version, one.method) for one in changes] == [(1, "PUT"), (2, "PATCH"), (3, "PATCH")]


def test_meta_of_a_type_and_of_everything(ask: Ask) -> None:
    put(ask, {"resourceType": "Patient", "id": "p1", "meta": {"tag": [{"system": "http://x", "code": "a"}]}})
    put(ask, {"resourceType": "Group", "id": "g1", "type": "person", "actual": True,
              "meta": {"tag": [{"system": "http://x", "code": "b"}], "profile": ["http://p"]}})  # fmt: skip
    _, answer = ask("GET", "$meta")
    meta = answer["parameter"][0]["valueMeta"]
    assert [tag["code"] for tag in meta["tag"]] == ["a", "b"]
    assert meta["profile"] == ["http://p"]
    meta = ask("GET", "Group/$meta")[1]["parameter"][0]["valueMeta"]
    assert [tag["code"] for tag in meta["tag"]] == ["b"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"resourceType": "Parameters"}, 400),
        ({"resourceType": "Patient"}, 400),
        (parameters(source="http://x"), 400),
        (parameters(tag=[]), 400),
        (parameters(tag=["x"]), 400),
        (parameters(tag=[{"system": 1, "code": "x"}]), 422),
        (parameters(tag=[{"system": "urn:xinglin:time-machine", "code": "as-of"}]), 400),
    ],
)
def test_a_wrong_meta_changes_nothing(ask: Ask, body: dict[str, Any], status: int) -> None:
    put(ask, {"resourceType": "Patient", "id": "p1"})
    got, answer = ask("POST", "Patient/p1/$meta-add", body, **JSON)
    assert got in (status, 400), answer
    assert ask("GET", "Patient/p1")[1]["meta"]["versionId"] == "1"


def test_meta_of_what_is_not_there(ask: Ask) -> None:
    assert ask("GET", "Patient/none/$meta")[0] == 404
    assert ask("POST", "Patient/none/$meta-add", parameters(profile=["http://p"]), **JSON)[0] == 404
    put(ask, {"resourceType": "Patient", "id": "p1"})
    tag = parameters(profile=["http://p"])
    assert ask("POST", "Patient/p1/$meta-add", tag, if_match='W/"7"', **JSON)[0] == 412
