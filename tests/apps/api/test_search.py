"""Search over HTTP: bundles, pages, strictness, includes, compartments, POST, $everything."""

from __future__ import annotations

import uuid
from typing import Any

import httpx
import pytest

from apps.api.outcomes import refused

JSON = {"content-type": "application/fhir+json"}
FORM = {"content-type": "application/x-www-form-urlencoded"}
STRICT = {"prefer": "handling=strict"}


@pytest.fixture(scope="module")
def ward(http: httpx.Client) -> dict[str, str]:
    """A practitioner, two patients, 25 observations of the first and one of the second; their ids."""
    ids = {name: uuid.uuid4().hex for name in ("doctor", "zhang", "li")}
    entries: list[dict[str, Any]] = []

    def put(resource: dict[str, Any]) -> None:
        url = f"{resource['resourceType']}/{resource['id']}"
        entries.append({"resource": resource, "request": {"method": "PUT", "url": url}})

    put({"resourceType": "Practitioner", "id": ids["doctor"], "name": [{"family": "House"}]})
    for name, family in (("zhang", "张"), ("li", "Li & Söhne")):
        put(
            {
                "resourceType": "Patient",
                "id": ids[name],
                "name": [{"family": family}],
                "gender": "female",
                "generalPractitioner": [{"reference": f"Practitioner/{ids['doctor']}"}],
            }
        )
    for number in range(26):
        put(
            {
                "resourceType": "Observation",
                "id": uuid.uuid4().hex,
                "status": "final",
                "code": {"coding": [{"system": "http://loinc.org", "code": "718-7", "display": "Hb"}]},
                "subject": {"reference": f"Patient/{ids['li' if number == 25 else 'zhang']}"},
                "performer": [{"reference": f"Practitioner/{ids['doctor']}"}],
                "effectiveDateTime": f"2024-01-{number + 1:02d}",
                "valueQuantity": {
                    "value": 100 + number,
                    "unit": "g/L",
                    "system": "http://unitsofmeasure.org",
                    "code": "g/L",
                },
            }
        )
    response = http.post(
        "", json={"resourceType": "Bundle", "type": "transaction", "entry": entries}, headers=JSON
    )
    assert response.status_code == 200, response.text[:500]
    return ids


def pages(http: httpx.Client, url: str, **params: str) -> list[dict[str, Any]]:
    found = [http.get(url, params=params).json()]
    while link := next((x["url"] for x in found[-1]["link"] if x["relation"] == "next"), None):
        found.append(http.get(link).json())
    return found


def matches(bundle: dict[str, Any]) -> list[dict[str, Any]]:
    return [e["resource"] for e in bundle.get("entry", []) if e["search"]["mode"] == "match"]


def test_pages_hold_every_match_once_in_order(http: httpx.Client, ward: dict[str, str]) -> None:
    found = pages(
        http, "Observation", patient=ward["zhang"], code="http://loinc.org|718-7", _sort="-date", _count="7"
    )
    dates = [o["effectiveDateTime"] for page in found for o in matches(page)]
    assert dates == [f"2024-01-{day:02d}" for day in range(25, 0, -1)]
    assert [len(matches(page)) for page in found] == [7, 7, 7, 4]


def test_each_entry_has_its_address_and_its_mode(http: httpx.Client, ward: dict[str, str]) -> None:
    bundle = http.get("Patient", params={"_id": ward["zhang"]}).json()
    (only,) = bundle["entry"]
    assert only["fullUrl"] == f"{str(http.base_url).rstrip('/')}/Patient/{ward['zhang']}"
    assert only["search"] == {"mode": "match"}
    assert "total" not in bundle


def test_self_link_finds_the_same_again(http: httpx.Client, ward: dict[str, str]) -> None:
    first = http.get("Patient", params={"family": "Li & Söhne", "gender": "female"}).json()
    link = next(x["url"] for x in first["link"] if x["relation"] == "self")
    assert [p["id"] for p in matches(http.get(link).json())] == [ward["li"]]
    posted = http.post("Patient/_search", content="family=Li+%26+S%C3%B6hne", headers=FORM).json()
    link = next(x["url"] for x in posted["link"] if x["relation"] == "self")
    assert [p["id"] for p in matches(http.get(link).json())] == [ward["li"]]


def test_post_search_takes_a_form_and_the_addresss_own_parameters(
    http: httpx.Client, ward: dict[str, str]
) -> None:
    form = f"patient={ward['zhang']}&_count=5&_sort=date"
    found = http.post("Observation/_search", content=form, headers=FORM).json()
    assert len(matches(found)) == 5
    nxt = next(x["url"] for x in found["link"] if x["relation"] == "next")
    assert matches(http.get(nxt).json())[0]["effectiveDateTime"] == "2024-01-06"
    both = http.post("Observation/_search?_count=2", content=f"patient={ward['zhang']}", headers=FORM).json()
    assert len(matches(both)) == 2
    refused(http.post("Observation/_search", content="{}", headers=JSON), 415)


def test_total_and_count(http: httpx.Client, ward: dict[str, str]) -> None:
    accurate = http.get(
        "Observation", params={"patient": ward["zhang"], "_total": "accurate", "_count": "3"}
    ).json()
    assert (accurate["total"], len(matches(accurate))) == (25, 3)
    only = http.get("Observation", params={"patient": ward["zhang"], "_summary": "count"}).json()
    assert (only["total"], "entry" in only) == (25, False)
    assert "entry" not in http.get("Observation", params={"patient": ward["zhang"], "_count": "0"}).json()


def test_include_and_revinclude(http: httpx.Client, ward: dict[str, str]) -> None:
    bundle = http.get(
        "Observation",
        params={
            "patient": ward["li"],
            "_include": "Observation:subject",
            "_include:iterate": "Patient:general-practitioner",
        },
    ).json()
    modes = {(e["resource"]["resourceType"], e["search"]["mode"]) for e in bundle["entry"]}
    assert modes == {("Observation", "match"), ("Patient", "include"), ("Practitioner", "include")}
    back = http.get("Patient", params={"_id": ward["li"], "_revinclude": "Observation:patient"}).json()
    assert [e["search"]["mode"] for e in back["entry"]] == ["match", "include"]


def test_chain_and_has(http: httpx.Client, ward: dict[str, str]) -> None:
    chained = http.get(
        "Observation", params={"patient.general-practitioner.family": "House", "patient": ward["li"]}
    )
    assert len(matches(chained.json())) == 1
    having = http.get("Patient", params={"_has:Observation:patient:code": "718-7", "_id": ward["zhang"]})
    assert len(matches(having.json())) == 1


def test_compartment_search(http: httpx.Client, ward: dict[str, str]) -> None:
    own = http.get(f"Patient/{ward['li']}/Observation").json()
    assert len(matches(own)) == 1
    link = next(x["url"] for x in own["link"] if x["relation"] == "self")
    assert link.endswith(f"/Patient/{ward['li']}/Observation")
    every = http.get(f"Patient/{ward['li']}/*").json()
    assert {r["resourceType"] for r in matches(every)} == {"Observation", "Patient"}
    posted = http.post(
        f"Patient/{ward['zhang']}/Observation/_search", content="_count=2", headers=FORM
    ).json()
    assert len(matches(posted)) == 2
    assert matches(http.get(f"Patient/{uuid.uuid4().hex}/Observation").json()) == []
    refused(http.get("Observation/1/Patient"), 404)


def test_search_over_all_types(http: httpx.Client, ward: dict[str, str]) -> None:
    found = http.get(
        "", params={"_type": "Patient,Practitioner", "_id": f"{ward['li']},{ward['doctor']}"}
    ).json()
    assert {r["resourceType"] for r in matches(found)} == {"Patient", "Practitioner"}
    posted = http.post("_search", content=f"_id={ward['li']}", headers=FORM).json()
    assert len(matches(posted)) == 1


def test_elements_and_summary_are_marked(http: httpx.Client, ward: dict[str, str]) -> None:
    bundle = http.get("Observation", params={"patient": ward["li"], "_elements": "value"}).json()
    (only,) = matches(bundle)
    assert set(only) == {"resourceType", "id", "meta", "status", "code", "valueQuantity"}
    assert only["meta"]["tag"][0]["code"] == "SUBSETTED"
    summary = matches(http.get("Patient", params={"_id": ward["li"], "_summary": "true"}).json())[0]
    assert "name" in summary
    assert "generalPractitioner" not in summary


def test_everything_about_a_patient(http: httpx.Client, ward: dict[str, str]) -> None:
    found = pages(http, f"Patient/{ward['zhang']}/$everything", _count="10")
    kinds = [(e["resource"]["resourceType"], e["resource"]["id"]) for page in found for e in page["entry"]]
    own = [kind for kind in kinds if kind[0] != "Practitioner"]
    assert len(own) == len(set(own)) == 26
    assert ("Practitioner", ward["doctor"]) in kinds
    assert ("Patient", ward["li"]) not in kinds
    some = http.get(
        f"Patient/{ward['zhang']}/$everything", params={"_type": "Observation", "_count": "100"}
    ).json()
    assert {e["resource"]["resourceType"] for e in some["entry"]} == {"Observation"}
    past = http.get(f"Patient/{ward['zhang']}/$everything", params={"_since": "2200-01-01"}).json()
    assert "entry" not in past
    asked = {"resourceType": "Parameters", "parameter": [{"name": "_type", "valueCode": "Patient"}]}
    posted = http.post(f"Patient/{ward['zhang']}/$everything", json=asked, headers=JSON).json()
    assert [e["resource"]["resourceType"] for e in posted["entry"]] == ["Patient"]
    refused(http.post(f"Patient/{ward['zhang']}/$everything", json=[], headers=JSON), 400)
    refused(http.get(f"Patient/{uuid.uuid4().hex}/$everything"), 404)
    refused(http.get(f"Patient/{ward['zhang']}/$everything", params={"start": "soon"}), 400)
    refused(http.get(f"Patient/{ward['zhang']}/$everything", params={"odd": "1"}), 400)


def test_everything_about_everybody(http: httpx.Client, ward: dict[str, str]) -> None:
    found = pages(http, "Patient/$everything", _count="20")
    own = {
        (e["resource"]["resourceType"], e["resource"]["id"])
        for page in found
        for e in page.get("entry", [])
        if e["search"]["mode"] == "match"
    }
    assert {("Patient", ward["zhang"]), ("Patient", ward["li"])} <= own
    assert len([kind for kind in own if kind[0] == "Observation"]) == 26


@pytest.mark.parametrize(
    "query",
    [
        "nosuch=1",
        "birthdate=tomorrow",
        "name:odd=x",
        "_sort=nosuch",
        "_include=Foo:bar",
        "_count=x",
        "_total=maybe",
    ],
)
def test_what_is_not_understood_is_refused_or_named_but_never_passed_over(
    http: httpx.Client, ward: dict[str, str], query: str
) -> None:
    first = refused(http.get(f"Patient?{query}", headers=STRICT), 400)
    assert first["expression"][0].startswith("http.")
    lenient = http.get(f"Patient?{query}&_id={ward['li']}")
    assert lenient.status_code == 200
    told = [e["resource"] for e in lenient.json()["entry"] if e["search"]["mode"] == "outcome"]
    assert told[0]["resourceType"] == "OperationOutcome"
    assert query.partition("=")[0] in told[0]["issue"][0]["expression"][0]
    link = next(x["url"] for x in lenient.json()["link"] if x["relation"] == "self")
    assert query.partition("=")[0] not in link


def test_bounds_are_named(http: httpx.Client) -> None:
    deep = "subject:Patient." + "link:Patient." * 12 + "name"
    first = refused(http.get("Observation", params={deep: "x"}), 400, "too-costly")
    assert "chain_depth" in first["diagnostics"]
    many = refused(http.get("Patient?" + "&".join(f"name=a{i}" for i in range(150))), 400, "too-costly")
    assert "parameter_limit" in many["diagnostics"]
    assert "100" in many["diagnostics"]
    page = http.get("Patient", params={"_count": "999999"})
    assert page.status_code == 200


def test_a_cursor_is_good_for_its_own_question_only(http: httpx.Client, ward: dict[str, str]) -> None:
    bundle = http.get("Observation", params={"patient": ward["zhang"], "_count": "2"}).json()
    link = next(x["url"] for x in bundle["link"] if x["relation"] == "next")
    cursor = httpx.URL(link).params["_cursor"]
    refused(http.get("Observation", params={"patient": ward["li"], "_count": "2", "_cursor": cursor}), 400)
    refused(http.get("Patient", params={"_cursor": cursor}), 400)
    refused(http.get("Observation", params={"patient": ward["zhang"], "_cursor": cursor[:-4] + "AAAA"}), 400)


def test_a_conditional_read_costs_no_body(http: httpx.Client, ward: dict[str, str]) -> None:
    assert http.head("Patient", params={"_id": ward["li"]}).content == b""


def test_large_answers_are_packed_for_those_who_take_it(http: httpx.Client, ward: dict[str, str]) -> None:
    packed = http.get("Observation", params={"patient": ward["zhang"]}, headers={"accept-encoding": "gzip"})
    plain = http.get(
        "Observation", params={"patient": ward["zhang"]}, headers={"accept-encoding": "identity"}
    )
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert int(packed.headers["content-length"]) < int(plain.headers["content-length"]) / 3
    assert [e["fullUrl"] for e in packed.json()["entry"]] == [e["fullUrl"] for e in plain.json()["entry"]]


def test_a_long_search_leaves_the_event_loop_and_is_answered_all_the_same(
    http: httpx.Client, ward: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from xinglin.records import api as module

    turned_away: list[str] = []
    answer = module.Api.answer

    def watched(self: module.Api, request: Any, *, inline: bool = False) -> Any:
        try:
            return answer(self, request, inline=inline)
        except module.OverBudget:
            turned_away.append(request.path[0])
            raise

    monkeypatch.setattr(module, "STEPS_INLINE", 0)
    monkeypatch.setattr(module.Api, "answer", watched)
    found = http.get(
        "Observation", params={"code:text": "hb", "patient": ward["zhang"], "_sort": "-date", "_count": "50"}
    )
    assert found.status_code == 200
    assert len(matches(found.json())) == 25
    assert turned_away == ["Observation"]
