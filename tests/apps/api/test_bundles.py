"""batch and transaction over HTTP: order, links, conditions, atomicity, and what comes back."""

from __future__ import annotations

import base64
import json
import uuid
from typing import Any

import httpx

from apps.api.outcomes import refused

JSON = {"content-type": "application/fhir+json"}
SYSTEM = "http://h.example/mrn"


def bundle(*entries: dict[str, Any], kind: str = "transaction") -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": kind, "entry": list(entries)}


def entry(method: str, url: str, resource: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    full_url = more.pop("fullUrl", None)
    found: dict[str, Any] = {"request": {"method": method, "url": url, **more}}
    if full_url:
        found["fullUrl"] = full_url
    if resource is not None:
        found["resource"] = resource
    return found


def urn() -> str:
    return f"urn:uuid:{uuid.uuid4()}"


def fresh() -> str:
    return uuid.uuid4().hex


def patient(value: str, **more: Any) -> dict[str, Any]:
    return {"resourceType": "Patient", "identifier": [{"system": SYSTEM, "value": value}], **more}


def observation(subject: str, **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "status": "final",
        "code": {"text": "x"},
        "subject": {"reference": subject},
        **more,
    }


def send(http: httpx.Client, body: dict[str, Any], **headers: str) -> list[dict[str, Any]]:
    response = http.post("", json=body, headers={**JSON, **headers})
    assert response.status_code == 200, response.text[:800]
    found = response.json()
    assert found["type"] == f"{body['type']}-response"
    entries: list[dict[str, Any]] = found.get("entry", [])
    return entries


def count(http: httpx.Client, type_: str, **where: str) -> int:
    total: int = http.get(type_, params={**where, "_summary": "count"}).json()["total"]
    return total


def place(response: dict[str, Any]) -> str:
    """Type/id of the resource that a response entry speaks of."""
    return "/".join(response["response"]["location"].split("/")[:2])


def test_links_between_entries_in_any_order_and_in_circles(http: httpx.Client) -> None:
    one, two, three = urn(), urn(), urn()
    done = send(
        http,
        bundle(
            entry("POST", "Observation", observation(one, hasMember=[{"reference": three}]), fullUrl=two),
            entry(
                "POST",
                "Patient",
                patient(fresh(), link=[{"other": {"reference": one}, "type": "seealso"}]),
                fullUrl=one,
            ),
            entry("POST", "Observation", observation(one, derivedFrom=[{"reference": two}]), fullUrl=three),
        ),
    )
    assert [e["response"]["status"] for e in done] == ["201 Created"] * 3
    first, person, last = (http.get(place(e)).json() for e in done)
    assert first["subject"]["reference"] == f"Patient/{person['id']}"
    assert first["hasMember"][0]["reference"] == f"Observation/{last['id']}"
    assert last["derivedFrom"][0]["reference"] == f"Observation/{first['id']}"
    assert person["link"][0]["other"]["reference"] == f"Patient/{person['id']}"


def test_each_response_has_status_location_etag_and_time(http: httpx.Client) -> None:
    (done,) = send(http, bundle(entry("POST", "Patient", patient(fresh()))))
    response = done["response"]
    assert response["status"] == "201 Created"
    assert response["location"].endswith("/_history/1")
    assert response["etag"] == 'W/"1"'
    stored = http.get(place(done)).json()
    assert response["lastModified"] == stored["meta"]["lastUpdated"]
    (asked,) = send(http, bundle(entry("POST", "Patient", patient(fresh()))), prefer="return=representation")
    assert asked["resource"]["resourceType"] == "Patient"


def test_a_transaction_is_all_or_nothing_and_names_the_entry_that_failed(http: httpx.Client) -> None:
    value = fresh()
    good = entry("POST", "Patient", patient(value))
    bad = {
        "no resource": (
            entry("POST", "Patient", {"resourceType": "Patient", "gender": "x"}),
            "Bundle.entry[1].resource.gender",
            400,
        ),
        "broken rule": (
            entry("POST", "Patient", {"resourceType": "Patient", "contact": [{"gender": "male"}]}),
            "Bundle.entry[1].resource.contact[0]",
            422,
        ),
        "wrong version": (
            entry("PUT", "Patient/a1", {"resourceType": "Patient", "id": "a1"}, ifMatch='W/"9"'),
            "Bundle.entry[1]",
            412,
        ),
        "no reference": (
            entry("POST", "Observation", observation(f"Patient?identifier={fresh()}")),
            "Bundle.entry[1]",
            412,
        ),
        "unknown type": (entry("POST", "Foo", {"resourceType": "Foo"}), "Bundle.entry[1]", 404),
        "nothing to patch": (
            entry(
                "PATCH",
                "Patient/none",
                {
                    "resourceType": "Binary",
                    "contentType": "application/json-patch+json",
                    "data": base64.b64encode(b"[]").decode(),
                },
            ),
            "Bundle.entry[1]",
            404,
        ),
        "other type": (
            entry("POST", "Patient", {"resourceType": "Basic", "code": {"text": "x"}}),
            "Bundle.entry[1].resource",
            400,
        ),
    }
    for name, (wrong, expression, status) in bad.items():
        response = http.post("", json=bundle(good, wrong), headers=JSON)
        body = response.json()
        places = [e for issue in body["issue"] for e in issue.get("expression", [])]
        assert response.status_code == status, (name, body)
        assert any(p.startswith(expression) for p in places), (name, body)
        assert count(http, "Patient", identifier=value) == 0, name


def test_entries_are_done_in_the_order_of_the_standard(http: httpx.Client) -> None:
    id_ = fresh()
    assert http.put(f"Patient/{id_}", json=patient("old", id=id_), headers=JSON).status_code == 201
    value = fresh()
    done = send(
        http,
        bundle(
            entry("GET", f"Patient?identifier={value}"),
            entry("POST", "Patient", patient(value)),
            entry("DELETE", f"Patient/{id_}"),
        ),
    )
    assert [e["response"]["status"] for e in done] == ["200 OK", "201 Created", "204 No Content"]
    assert len(done[0]["resource"]["entry"]) == 1
    refused(http.get(f"Patient/{id_}"), 410)


def test_conditional_create_update_and_delete_in_a_transaction(http: httpx.Client) -> None:
    there, new, gone = fresh(), fresh(), fresh()
    for value in (there, gone):
        http.post("Patient", json=patient(value), headers=JSON)
    known = http.get("Patient", params={"identifier": there}).json()["entry"][0]["resource"]["id"]
    same, made = urn(), urn()
    done = send(
        http,
        bundle(
            entry(
                "POST", "Patient", patient(there), ifNoneExist=f"identifier={SYSTEM}|{there}", fullUrl=same
            ),
            entry("PUT", f"Patient?identifier={SYSTEM}|{new}", patient(new), fullUrl=made),
            entry("DELETE", f"Patient?identifier={SYSTEM}|{gone}"),
            entry("POST", "Observation", observation(same)),
            entry("POST", "Observation", observation(made)),
        ),
    )
    assert [e["response"]["status"][:3] for e in done] == ["200", "201", "204", "201", "201"]
    assert http.get(place(done[3])).json()["subject"]["reference"] == f"Patient/{known}"
    assert http.get(place(done[4])).json()["subject"]["reference"] == place(done[1])
    assert count(http, "Patient", identifier=gone) == 0


def test_conditional_references_are_resolved(http: httpx.Client) -> None:
    value = fresh()
    made = http.post("Patient", json=patient(value), headers=JSON).json()["id"]
    (done,) = send(
        http, bundle(entry("POST", "Observation", observation(f"Patient?identifier={SYSTEM}|{value}")))
    )
    assert http.get(place(done)).json()["subject"]["reference"] == f"Patient/{made}"
    http.post("Patient", json=patient(value), headers=JSON)
    several = http.post(
        "",
        json=bundle(entry("POST", "Observation", observation(f"Patient?identifier={SYSTEM}|{value}"))),
        headers=JSON,
    )
    refused(several, 412, "multiple-matches")


def test_duplicates_are_refused(http: httpx.Client) -> None:
    id_ = fresh()
    body = {"resourceType": "Patient", "id": id_}
    twice = bundle(entry("PUT", f"Patient/{id_}", body), entry("PUT", f"Patient/{id_}", body))
    refused(http.post("", json=twice, headers=JSON), 400, expression="Bundle.entry[1]")
    same = urn()
    urls = bundle(
        entry("POST", "Patient", patient("a"), fullUrl=same),
        entry("POST", "Patient", patient("b"), fullUrl=same),
    )
    refused(http.post("", json=urls, headers=JSON), 400, expression="Bundle.entry[1].fullUrl")
    condition = f"identifier={SYSTEM}|{fresh()}"
    conditions = bundle(
        entry("POST", "Patient", patient("a"), ifNoneExist=condition),
        entry("POST", "Patient", patient("a"), ifNoneExist=condition),
    )
    refused(http.post("", json=conditions, headers=JSON), 400, expression="Bundle.entry[1]")


def test_a_patch_in_a_transaction(http: httpx.Client) -> None:
    id_ = http.post("Patient", json=patient(fresh()), headers=JSON).json()["id"]
    patch = json.dumps([{"op": "add", "path": "/gender", "value": "female"}]).encode()
    carrier = {
        "resourceType": "Binary",
        "contentType": "application/json-patch+json",
        "data": base64.b64encode(patch).decode(),
    }
    (done,) = send(http, bundle(entry("PATCH", f"Patient/{id_}", carrier)))
    assert done["response"]["status"] == "200 OK"
    assert http.get(f"Patient/{id_}").json()["gender"] == "female"


def test_the_entries_of_a_batch_stand_each_for_itself(http: httpx.Client) -> None:
    id_, value = fresh(), fresh()
    done = send(
        http,
        bundle(
            entry("POST", "Patient", patient(value)),
            entry("POST", "Patient", {"resourceType": "Patient", "gender": "x"}),
            entry("PUT", f"Patient/{id_}", {"resourceType": "Patient", "id": id_}),
            entry("GET", f"Patient/{fresh()}"),
            entry("GET", f"Patient/{id_}"),
            entry("DELETE", f"Patient?identifier={SYSTEM}|{fresh()}"),
            entry("GET", "Nonsense"),
            entry("POST", "http://elsewhere.example/fhir/Patient", patient(value)),
            entry("POST", "Patient/$validate", patient(value)),
            entry("GET", "Patient?identifier=" + value),
            kind="batch",
        ),
    )
    statuses = [e["response"]["status"][:3] for e in done]
    assert statuses == ["201", "400", "201", "404", "200", "204", "404", "400", "200", "200"]
    assert done[1]["response"]["outcome"]["issue"][0]["expression"] == ["Bundle.entry[1].resource.gender"]
    assert done[4]["resource"]["id"] == id_
    assert len(done[9]["resource"]["entry"]) == 1


def test_an_empty_transaction_is_answered(http: httpx.Client) -> None:
    assert send(http, {"resourceType": "Bundle", "type": "transaction"}) == []
    assert send(http, {"resourceType": "Bundle", "type": "batch", "entry": []}) == []


def test_more_entries_than_the_setting_allows_are_refused(http: httpx.Client) -> None:
    many = bundle(*(entry("GET", "Patient/1") for _ in range(51)), kind="batch")
    first = refused(http.post("", json=many, headers=JSON), 413, "too-costly")
    assert "bundle_limit" in first["diagnostics"]
    assert "50" in first["diagnostics"]


def test_a_bundle_within_a_bundle_is_refused(http: httpx.Client) -> None:
    inner = bundle(entry("GET", "Patient"), kind="batch")
    (done,) = send(http, bundle({"resource": inner, "request": {"method": "POST", "url": "/"}}, kind="batch"))
    assert done["response"]["status"].startswith("400")
