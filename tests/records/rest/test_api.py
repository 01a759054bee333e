"""The REST API without HTTP, on both databases, in two tenants that use the same ids."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from asking import BASE, Ask, asking
from xinglin.kernel.settings import Settings
from xinglin.records.api import Api
from xinglin.records.service import Records, open_records
from xinglin.records.site import Site


@pytest.fixture
def records(database_url: str) -> Iterator[Records]:
    settings = Settings()
    opened = open_records(database_url, settings)
    opened.set_tenant(2, "second", "UTC")
    yield opened
    opened.close()


@pytest.fixture
def asks(records: Records) -> tuple[Ask, Ask]:
    """A way to ask as each of the two tenants: (method, path with query, body, headers) → (status, body)."""
    api = Api(Site(records, Settings()))
    return asking(api), asking(api, 2)


def patient(family: str, **more: Any) -> dict[str, Any]:
    return {"resourceType": "Patient", "id": "p1", "name": [{"family": family}], **more}


def observation(**more: Any) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "id": "o1",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "718-7"}]},
        "subject": {"reference": "Patient/p1"},
        **more,
    }


def ids(bundle: dict[str, Any]) -> list[str]:
    return [f"{e['resource']['resourceType']}/{e['resource']['id']}" for e in bundle.get("entry", [])]


def test_tenants_with_the_same_ids_never_see_each_other(asks: tuple[Ask, Ask]) -> None:
    one, two = asks
    assert one("PUT", "Patient/p1", patient("Zhang"))[0] == 201
    assert two("GET", "Patient/p1")[0] == 404
    assert two("GET", "Patient/p1/_history")[0] == 404
    assert two("PUT", "Patient/p1", patient("Li"))[0] == 201
    assert one("PUT", "Observation/o1", observation())[0] == 201
    assert one("GET", "Patient/p1")[1]["name"][0]["family"] == "Zhang"
    assert two("GET", "Patient/p1")[1]["name"][0]["family"] == "Li"
    assert two("DELETE", "Observation/o1")[0] == 204
    assert one("GET", "Observation/o1")[0] == 200
    for question in (
        "Observation?code=718-7",
        "Observation?patient.family=zhang",
        "Patient?_has:Observation:patient:code=718-7",
        "Observation?_sort=-_lastUpdated&_include=Observation:patient",
        "?_type=Observation",
        "Patient/p1/Observation",
        "Observation/_history",
    ):
        assert ids(one("GET", question)[1]), question
        assert not ids(two("GET", question)[1]), question
    assert ids(two("GET", "Patient/p1/$everything")[1]) == ["Patient/p1"]
    assert two("GET", "Patient?_revinclude=Observation:patient&_total=accurate")[1]["total"] == 1
    found = two("PUT", "Observation?code=718-7", {k: v for k, v in observation().items() if k != "id"})
    assert found[0] == 201


def test_conditions_are_decided_within_a_tenant(asks: tuple[Ask, Ask]) -> None:
    one, two = asks
    body = {"resourceType": "Patient", "identifier": [{"system": "s", "value": "7"}]}
    assert one("POST", "Patient", body, if_none_exist="identifier=s|7")[0] == 201
    assert two("POST", "Patient", body, if_none_exist="identifier=s|7")[0] == 201
    assert one("POST", "Patient", body, if_none_exist="identifier=s|7")[0] == 200


def test_a_transaction_and_what_it_refuses(asks: tuple[Ask, Ask]) -> None:
    ask, other = asks
    urn = "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0"
    body: dict[str, Any] = {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [
            {
                "resource": observation(id="o2", subject={"reference": urn}),
                "request": {"method": "PUT", "url": "Observation/o2"},
            },
            {
                "fullUrl": urn,
                "resource": {"resourceType": "Patient", "identifier": [{"system": "s", "value": "8"}]},
                "request": {"method": "POST", "url": "Patient", "ifNoneExist": "identifier=s|8"},
            },
        ],
    }
    status, done = ask("POST", "", body)
    assert (status, [e["response"]["status"] for e in done["entry"]]) == (200, ["201 Created", "201 Created"])
    status, again = ask("POST", "", body)
    assert [e["response"]["status"] for e in again["entry"]] == ["200 OK", "200 OK"]
    person = done["entry"][1]["response"]["location"].split("/")[1]
    assert again["entry"][1]["response"]["location"].split("/")[1] == person
    assert ask("GET", "Observation/o2")[1]["subject"]["reference"] == f"Patient/{person}"
    wrong = {
        "resource": {"resourceType": "Patient", "id": "p9"},
        "request": {"method": "PUT", "url": "Patient/p9", "ifMatch": 'W/"3"'},
    }
    status, refused = ask("POST", "", {**body, "entry": [*body["entry"], wrong]})
    assert (status, refused["issue"][0]["expression"]) == (412, ["Bundle.entry[2]"])
    assert ask("GET", "Observation/o2")[1]["meta"]["versionId"] == "2"
    assert not ids(other("GET", "Observation")[1])


def test_versions_and_history(asks: tuple[Ask, Ask]) -> None:
    ask, _ = asks
    for family in ("A", "B"):
        ask("PUT", "Patient/p1", patient(family))
    assert ask("PUT", "Patient/p1", patient("C"), if_match='W/"1"')[0] == 412
    assert ask("GET", "Patient/p1/_history/1")[1]["name"][0]["family"] == "A"
    assert ask("DELETE", "Patient/p1")[0] == 204
    assert ask("GET", "Patient/p1")[0] == 410
    status, history = ask("GET", "Patient/p1/_history")
    assert (status, [e["request"]["method"] for e in history["entry"]]) == (200, ["DELETE", "PUT", "PUT"])
    first = ask("GET", "_history?_count=2")[1]
    following = next(x["url"] for x in first["link"] if x["relation"] == "next")
    rest = ask("GET", following.removeprefix(BASE + "/"))[1]
    assert len(first["entry"]) == 2
    assert len(rest["entry"]) == 1


def test_a_patch_is_applied_to_what_is_there(asks: tuple[Ask, Ask]) -> None:
    ask, _ = asks
    ask("PUT", "Patient/p1", patient("A"))
    patch = [{"op": "replace", "path": "/name/0/family", "value": "B"}]
    status, body = ask("PATCH", "Patient/p1", patch, content_type="application/json-patch+json")
    assert (status, body["name"][0]["family"], body["meta"]["versionId"]) == (200, "B", "2")


def test_paging_is_stable_while_others_write(asks: tuple[Ask, Ask]) -> None:
    ask, _ = asks
    for number in range(7):
        ask("PUT", f"Patient/a{number}", patient("A", id=f"a{number}", birthDate=f"2000-01-0{number + 1}"))
    seen: list[str] = []
    url = "Patient?_sort=birthdate&_count=3"
    for turn in range(10):
        bundle = ask("GET", url)[1]
        seen += [e["resource"]["id"] for e in bundle["entry"]]
        ask("PUT", f"Patient/z{turn}", patient("Z", id=f"z{turn}", birthDate="1990-01-01"))
        following = [x["url"] for x in bundle["link"] if x["relation"] == "next"]
        if not following:
            break
        url = following[0].removeprefix(BASE + "/")
    assert seen == [f"a{number}" for number in range(7)]
