"""read, vread, create, update, patch, delete and history over HTTP, plain and conditional."""

from __future__ import annotations

import json
import uuid
from typing import Any

import httpx
import pytest

from apps.api.outcomes import refused

JSON = {"content-type": "application/fhir+json"}
PATCH = {"content-type": "application/json-patch+json"}


def patient(family: str = "Zhang", **more: Any) -> dict[str, Any]:
    return {"resourceType": "Patient", "name": [{"family": family}], **more}


def identified(value: str, **more: Any) -> dict[str, Any]:
    return patient(identifier=[{"system": "http://h.example/mrn", "value": value}], **more)


def created(http: httpx.Client, resource: dict[str, Any]) -> dict[str, Any]:
    response = http.post(resource["resourceType"], json=resource, headers=JSON)
    assert response.status_code == 201, response.text
    found: dict[str, Any] = response.json()
    return found


def fresh() -> str:
    return uuid.uuid4().hex


def test_create_gives_an_id_a_version_and_its_address(http: httpx.Client) -> None:
    response = http.post("Patient", json=patient(id="mine"), headers=JSON)
    body = response.json()
    assert response.status_code == 201
    assert body["id"] != "mine"
    assert body["meta"]["versionId"] == "1"
    assert response.headers["etag"] == 'W/"1"'
    assert response.headers["location"] == f"{http.base_url}Patient/{body['id']}/_history/1".replace(
        "//P", "/P"
    )
    assert "last-modified" in response.headers


def test_a_resource_is_read_back_as_it_was_sent(http: httpx.Client) -> None:
    text = (
        '{"resourceType": "Observation", "status": "final", "code": {"text": "钾 \\u00e9"},\n'
        ' "valueQuantity": {"value": 1.10, "unit": "mmol/L"}, "referenceRange": [{"low": {"value": 3.50}}]}'
    )
    id_ = http.post("Observation", content=text.encode(), headers=JSON).json()["id"]
    raw = http.get(f"Observation/{id_}").text
    assert '"value":1.10,' in raw
    assert '"value":3.50}' in raw
    assert '"text":"钾 \\u00e9"' in raw
    assert raw.index('"status"') < raw.index('"code"') < raw.index('"valueQuantity"')


def test_read_head_and_not_modified(http: httpx.Client) -> None:
    id_ = created(http, patient())["id"]
    read = http.get(f"Patient/{id_}")
    assert (read.status_code, read.headers["etag"]) == (200, 'W/"1"')
    head = http.head(f"Patient/{id_}")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["etag"] == 'W/"1"'
    assert head.headers["content-length"] == read.headers["content-length"]
    same = http.get(f"Patient/{id_}", headers={"if-none-match": 'W/"1"'})
    assert (same.status_code, same.content) == (304, b"")
    assert http.get(f"Patient/{id_}", headers={"if-none-match": 'W/"7", "9"'}).status_code == 200
    since = {"if-modified-since": read.headers["last-modified"]}
    assert http.get(f"Patient/{id_}", headers=since).status_code == 304
    before = {"if-modified-since": "Mon, 01 Jan 2001 00:00:00 GMT"}
    assert http.get(f"Patient/{id_}", headers=before).status_code == 200
    assert http.get(f"Patient/{id_}", headers={"if-modified-since": "yesterday"}).status_code == 200


def test_update_makes_a_new_version_and_keeps_the_old_one(http: httpx.Client) -> None:
    one = created(http, patient("A"))
    response = http.put(f"Patient/{one['id']}", json=patient("B", id=one["id"]), headers=JSON)
    assert (response.status_code, response.headers["etag"]) == (200, 'W/"2"')
    assert response.json()["name"][0]["family"] == "B"
    assert http.get(f"Patient/{one['id']}/_history/1").json()["name"][0]["family"] == "A"
    refused(http.get(f"Patient/{one['id']}/_history/3"), 404, "not-found")
    refused(http.get(f"Patient/{one['id']}/_history/x"), 404)


def test_update_with_an_id_of_the_clients_makes_it(http: httpx.Client) -> None:
    id_ = fresh()
    response = http.put(f"Patient/{id_}", json=patient(id=id_), headers=JSON)
    assert response.status_code == 201
    assert response.headers["location"].endswith(f"/Patient/{id_}/_history/1")


def test_update_whose_body_has_no_or_another_id_is_refused(http: httpx.Client) -> None:
    refused(http.put("Patient/a1", json=patient(), headers=JSON), 400, expression="Patient.id")
    refused(http.put("Patient/a1", json=patient(id="b1"), headers=JSON), 400, expression="Patient.id")
    refused(
        http.put(
            "Patient/a1", json={"resourceType": "Basic", "id": "a1", "code": {"text": "x"}}, headers=JSON
        ),
        400,
    )
    refused(http.put("Patient/a_1", json=patient(id="a_1"), headers=JSON), 400)


def test_a_lost_update_is_prevented_by_if_match(http: httpx.Client) -> None:
    id_ = created(http, patient("A"))["id"]
    mine = http.put(f"Patient/{id_}", json=patient("B", id=id_), headers={**JSON, "if-match": 'W/"1"'})
    assert mine.status_code == 200
    yours = http.put(f"Patient/{id_}", json=patient("C", id=id_), headers={**JSON, "if-match": 'W/"1"'})
    refused(yours, 412, "conflict")
    assert http.get(f"Patient/{id_}").json()["name"][0]["family"] == "B"
    refused(http.put("Patient/never", json=patient(id="never"), headers={**JSON, "if-match": 'W/"1"'}), 412)
    refused(http.put(f"Patient/{id_}", json=patient(id=id_), headers={**JSON, "if-match": "a, b"}), 400)


def test_if_none_match_star_makes_only_what_is_not_there(http: httpx.Client) -> None:
    id_ = fresh()
    headers = {**JSON, "if-none-match": "*"}
    assert http.put(f"Patient/{id_}", json=patient(id=id_), headers=headers).status_code == 201
    refused(http.put(f"Patient/{id_}", json=patient(id=id_), headers=headers), 412)


def test_delete_leaves_a_tombstone_and_can_be_undone(http: httpx.Client) -> None:
    id_ = created(http, patient())["id"]
    assert http.delete(f"Patient/{id_}").status_code == 204
    refused(http.get(f"Patient/{id_}"), 410, "deleted")
    refused(http.get(f"Patient/{id_}/_history/2"), 410, "deleted")
    assert http.get(f"Patient/{id_}/_history/1").status_code == 200
    assert http.delete(f"Patient/{id_}").status_code == 204
    assert http.delete(f"Patient/{fresh()}").status_code == 204
    again = http.put(f"Patient/{id_}", json=patient(id=id_), headers=JSON)
    assert (again.status_code, again.headers["etag"]) == (201, 'W/"3"')
    refused(http.get(f"Patient/{fresh()}"), 404, "not-found")


def test_delete_if_match(http: httpx.Client) -> None:
    id_ = created(http, patient())["id"]
    refused(http.delete(f"Patient/{id_}", headers={"if-match": 'W/"9"'}), 412)
    assert http.get(f"Patient/{id_}").status_code == 200
    told = http.delete(f"Patient/{id_}", headers={"if-match": 'W/"1"', "prefer": "return=OperationOutcome"})
    assert told.status_code == 200
    assert told.json()["resourceType"] == "OperationOutcome"


def test_patch_changes_what_it_names_and_nothing_else(http: httpx.Client) -> None:
    body = b'{"resourceType":"Observation","status":"preliminary","code":{"text":"K"},"valueQuantity":{"value":4.10}}'
    id_ = http.post("Observation", content=body, headers=JSON).json()["id"]
    patch = [
        {"op": "test", "path": "/status", "value": "preliminary"},
        {"op": "replace", "path": "/status", "value": "final"},
    ]
    response = http.patch(f"Observation/{id_}", json=patch, headers=PATCH)
    assert (response.status_code, response.headers["etag"]) == (200, 'W/"2"')
    assert '"value":4.10' in response.text
    assert response.json()["status"] == "final"
    refused(http.patch(f"Observation/{id_}", json=patch, headers=PATCH), 422)
    assert http.get(f"Observation/{id_}").headers["etag"] == 'W/"2"'


def test_a_patch_that_would_break_the_resource_is_refused_at_its_place(http: httpx.Client) -> None:
    id_ = created(http, patient())["id"]
    bad = [{"op": "add", "path": "/gender", "value": "unknown-to-all"}]
    refused(http.patch(f"Patient/{id_}", json=bad, headers=PATCH), 422, expression="Patient.gender")
    other_id = [{"op": "replace", "path": "/id", "value": "x"}]
    refused(http.patch(f"Patient/{id_}", json=other_id, headers=PATCH), 422)
    other_type = [{"op": "replace", "path": "/resourceType", "value": "Basic"}]
    refused(http.patch(f"Patient/{id_}", json=other_type, headers=PATCH), 422)
    whole = [{"op": "replace", "path": "", "value": 5}]
    refused(http.patch(f"Patient/{id_}", json=whole, headers=PATCH), 422)
    assert http.get(f"Patient/{id_}").headers["etag"] == 'W/"1"'


def test_patch_needs_its_own_media_type_and_a_target(http: httpx.Client) -> None:
    id_ = created(http, patient())["id"]
    refused(http.patch(f"Patient/{id_}", content=b"[]", headers={"content-type": "text/plain"}), 415)
    refused(http.patch(f"Patient/{id_}", json=[], headers=JSON), 400)  # which would be a FHIRPath Patch
    refused(http.patch(f"Patient/{fresh()}", json=[], headers=PATCH), 404)
    refused(http.patch(f"Patient/{id_}", content=b"[", headers=PATCH), 400)
    conflict = {**PATCH, "if-match": 'W/"4"'}
    refused(http.patch(f"Patient/{id_}", json=[], headers=conflict), 412)


def test_conditional_create(http: httpx.Client) -> None:
    value = fresh()
    headers = {**JSON, "if-none-exist": f"identifier=http://h.example/mrn|{value}"}
    first = http.post("Patient", json=identified(value), headers=headers)
    again = http.post("Patient", json=identified(value), headers=headers)
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json()["id"] == first.json()["id"]
    created(http, identified(value))
    refused(http.post("Patient", json=identified(value), headers=headers), 412, "multiple-matches")


def test_a_query_on_a_create_is_its_condition_and_on_an_id_refused(http: httpx.Client) -> None:
    value = fresh()
    where = {"identifier": f"http://h.example/mrn|{value}"}
    done = [http.post("Patient", params=where, json=identified(value), headers=JSON) for _ in range(2)]
    assert [r.status_code for r in done] == [201, 200]
    id_ = done[0].json()["id"]
    refused(http.put(f"Patient/{id_}", params=where, json=patient(id=id_), headers=JSON), 400)
    refused(http.delete(f"Patient/{id_}", params=where), 400)


@pytest.mark.parametrize("condition", ["", "?", "_count=5", "nosuch=1", "birthdate=never"])
def test_a_condition_that_names_nothing_in_particular_is_refused(http: httpx.Client, condition: str) -> None:
    headers = {**JSON, "if-none-exist": condition}
    response = http.post("Patient", json=patient(), headers=headers)
    assert response.status_code in (400, 412)
    refused(response, response.status_code)


def test_conditional_update(http: httpx.Client) -> None:
    value = fresh()
    where = {"identifier": f"http://h.example/mrn|{value}"}
    first = http.put("Patient", params=where, json=identified(value), headers=JSON)
    again = http.put("Patient", params=where, json=identified(value, gender="female"), headers=JSON)
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json()["id"] == first.json()["id"]
    other = http.put("Patient", params=where, json=identified(value, id="another"), headers=JSON)
    refused(other, 400)
    created(http, identified(value))
    refused(http.put("Patient", params=where, json=identified(value), headers=JSON), 412, "multiple-matches")
    refused(http.put("Patient", json=patient(), headers=JSON), 412)


def test_conditional_patch_and_delete(http: httpx.Client) -> None:
    value = fresh()
    where = {"identifier": f"http://h.example/mrn|{value}"}
    patch = [{"op": "add", "path": "/gender", "value": "male"}]
    refused(http.patch("Patient", params=where, json=patch, headers=PATCH), 404)
    id_ = created(http, identified(value))["id"]
    assert http.patch("Patient", params=where, json=patch, headers=PATCH).json()["gender"] == "male"
    created(http, identified(value))
    refused(http.delete("Patient", params=where), 412, "multiple-matches")
    refused(http.patch("Patient", params=where, json=patch, headers=PATCH), 412, "multiple-matches")
    assert http.delete(f"Patient/{id_}").status_code == 204
    assert http.delete("Patient", params=where).status_code == 204
    assert http.delete("Patient", params=where).status_code == 204
    assert http.get("Patient", params=where).json().get("entry") is None
    refused(http.delete("Patient"), 412)


def test_prefer_return(http: httpx.Client) -> None:
    def prefer(value: str) -> httpx.Response:
        return http.post("Patient", json=patient(), headers={**JSON, "prefer": f"return={value}"})

    minimal = prefer("minimal")
    assert (minimal.status_code, minimal.content) == (201, b"")
    assert "location" in minimal.headers
    assert prefer("representation").json()["resourceType"] == "Patient"
    assert prefer("OperationOutcome").json()["resourceType"] == "OperationOutcome"


def test_history_of_an_instance(http: httpx.Client) -> None:
    id_ = created(http, patient("A"))["id"]
    http.put(f"Patient/{id_}", json=patient("B", id=id_), headers=JSON)
    http.delete(f"Patient/{id_}")
    bundle = http.get(f"Patient/{id_}/_history").json()
    assert (bundle["type"], bundle["total"]) == ("history", 3)
    assert [e["request"]["method"] for e in bundle["entry"]] == ["DELETE", "PUT", "POST"]
    assert [e["response"]["etag"] for e in bundle["entry"]] == ['W/"3"', 'W/"2"', 'W/"1"']
    assert "resource" not in bundle["entry"][0]
    assert bundle["entry"][1]["resource"]["name"][0]["family"] == "B"
    refused(http.get(f"Patient/{fresh()}/_history"), 404)


def test_history_pages_hold_every_version_once(http: httpx.Client) -> None:
    id_ = created(http, patient("v1"))["id"]
    for number in range(2, 8):
        http.put(f"Patient/{id_}", json=patient(f"v{number}", id=id_), headers=JSON)
    seen: list[str] = []
    url: str | None = f"{http.base_url}Patient/{id_}/_history?_count=3"
    while url:
        bundle = http.get(url).json()
        seen += [e["resource"]["name"][0]["family"] for e in bundle["entry"]]
        url = next((link["url"] for link in bundle["link"] if link["relation"] == "next"), None)
    assert seen == [f"v{n}" for n in range(7, 0, -1)]


def test_history_since_and_at(http: httpx.Client) -> None:
    one = created(http, patient("A"))
    two = http.put(f"Patient/{one['id']}", json=patient("B", id=one["id"]), headers=JSON).json()
    since = http.get(f"Patient/{one['id']}/_history", params={"_since": two["meta"]["lastUpdated"]}).json()
    assert [e["resource"]["meta"]["versionId"] for e in since["entry"]] == ["2"]
    past = http.get(f"Patient/{one['id']}/_history", params={"_at": "2001"}).json()
    assert "entry" not in past
    refused(http.get("Patient/_history", params={"_since": "soon"}), 400)
    refused(http.get("Patient/_history", params={"_count": "-1"}), 400)
    refused(http.get("_history", params={"_cursor": "AAAA"}), 400)


def test_history_of_type_and_system(http: httpx.Client) -> None:
    id_ = created(http, {"resourceType": "Basic", "code": {"text": "x"}})["id"]
    of_type = http.get("Basic/_history").json()
    assert of_type["entry"][0]["resource"]["id"] == id_
    assert {e["resource"]["resourceType"] for e in of_type["entry"]} == {"Basic"}
    assert http.get("_history", params={"_count": "1"}).json()["entry"][0]["resource"]["id"] == id_


def test_elements_and_summary_of_a_read_are_marked_as_a_part(http: httpx.Client) -> None:
    text = {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml">x</div>'}
    id_ = created(http, patient("A", gender="male", text=text, contact=[{"name": {"text": "Li"}}]))["id"]
    some = http.get(f"Patient/{id_}", params={"_elements": "gender"}).json()
    assert set(some) == {"resourceType", "id", "meta", "gender"}
    assert some["meta"]["tag"][0]["code"] == "SUBSETTED"
    summary = http.get(f"Patient/{id_}", params={"_summary": "true"}).json()
    assert "name" in summary
    assert "contact" not in summary
    assert "text" not in summary
    assert "text" not in http.get(f"Patient/{id_}", params={"_summary": "data"}).json()
    only = http.get(f"Patient/{id_}", params={"_summary": "text"}).json()
    assert "text" in only
    assert "name" not in only
    refused(http.get(f"Patient/{id_}", params={"_elements": "nosuch"}), 400)


def test_a_binary_is_given_as_what_it_holds_and_never_run(http: httpx.Client) -> None:
    binary = {"resourceType": "Binary", "contentType": "text/html", "data": "PGI+aGk8L2I+"}
    id_ = created(http, binary)["id"]
    raw = http.get(f"Binary/{id_}", headers={"accept": "text/html, */*"})
    assert raw.content == b"<b>hi</b>"
    assert raw.headers["content-type"] == "text/html"
    assert "sandbox" in raw.headers["content-security-policy"]
    assert raw.headers["content-disposition"] == "attachment"
    assert (
        http.get(f"Binary/{id_}", headers={"accept": "application/fhir+json"}).json()["data"]
        == "PGI+aGk8L2I+"
    )


def test_content_sent_to_binary_as_itself(http: httpx.Client) -> None:
    made = http.post("Binary", content=b"\x89PNG\x00", headers={"content-type": "image/png"})
    assert made.status_code == 201
    id_ = made.json()["id"]
    assert http.get(f"Binary/{id_}", headers={"accept": "image/png, */*"}).content == b"\x89PNG\x00"
    again = http.put(f"Binary/{id_}", content=b"[[[", headers={"content-type": "text/plain"})
    assert (again.status_code, again.json()["data"]) == (200, "W1tb")
    refused(http.post("Binary", content=b"<Binary/>", headers={"content-type": "application/fhir+xml"}), 415)
    refused(http.post("Patient", content=b"x", headers={"content-type": "image/png"}), 415)


def test_validate_says_everything_and_writes_nothing(http: httpx.Client) -> None:
    before = http.get("Patient", params={"_summary": "count"}).json()["total"]
    good = http.post("Patient/$validate", json=patient(), headers=JSON)
    assert good.status_code == 200
    assert {issue["severity"] for issue in good.json()["issue"]} <= {"information", "warning"}
    bad = http.post("Patient/$validate", json=patient(gender="x", birthDate="2001-02-30"), headers=JSON)
    places = {e for issue in bad.json()["issue"] for e in issue["expression"]}
    assert bad.status_code == 200
    assert {"Patient.gender", "Patient.birthDate"} <= places
    carried = {
        "resourceType": "Parameters",
        "parameter": [
            {"name": "mode", "valueCode": "create"},
            {"name": "resource", "resource": patient(gender="x")},
        ],
    }
    inside = http.post("Patient/$validate", json=carried, headers=JSON).json()
    assert inside["issue"][0]["expression"] == ["Patient.gender"]
    profile = http.post("Patient/$validate", params={"profile": "http://p"}, json=patient(), headers=JSON)
    refused(profile, 400, "not-supported")
    refused(http.post("Patient/$validate", params={"mode": "odd"}, json=patient(), headers=JSON), 400)
    id_ = created(http, patient())["id"]
    assert http.get(f"Patient/{id_}/$validate").status_code == 200
    assert http.get("Patient", params={"_summary": "count"}).json()["total"] == before + 1


def test_metadata_says_what_is_there_and_what_it_says_is_true(http: httpx.Client) -> None:
    statement = http.get("metadata").json()
    assert statement["fhirVersion"] == "4.0.1"
    resources = {r["type"]: r for r in statement["rest"][0]["resource"]}
    assert len(resources) == 145
    names = {p["name"] for p in resources["Patient"]["searchParam"]}
    assert {"name", "birthdate", "_id", "_lastUpdated"} <= names
    for type_ in ("Patient", "Observation", "Encounter"):
        for parameter in resources[type_]["searchParam"]:
            query = {f"{parameter['name']}:missing": "true", "_count": "0"}
            if (
                parameter["name"].startswith("_") or parameter["type"] == "composite"
            ):  # neither takes :missing
                continue
            assert http.get(type_, params=query, headers={"prefer": "handling=strict"}).status_code == 200, (
                parameter
            )


def test_unknown_places_and_methods(http: httpx.Client) -> None:
    refused(http.get("Foo"), 404, "not-supported")
    refused(http.get("patient"), 404)
    refused(http.get("Patient/1/2/3/4"), 404)
    refused(http.get("Patient/$frobnicate"), 404)
    refused(http.get("$everything"), 404)
    refused(http.get("metadata/x"), 404)
    wrong = http.post("Patient/1", json=patient(), headers=JSON)
    refused(wrong, 405)
    assert "PUT" in wrong.headers["allow"]
    refused(http.delete("metadata"), 405)
    refused(http.get("_search"), 405)
    refused(http.request("PROPFIND", "Patient"), 405)
    refused(http.options("Patient"), 405)


def test_formats(http: httpx.Client) -> None:
    id_ = created(http, patient())["id"]
    refused(http.get(f"Patient/{id_}", params={"_format": "xml"}), 406)
    refused(http.get(f"Patient/{id_}", headers={"accept": "application/fhir+xml"}), 406)
    refused(http.get(f"Patient/{id_}", params={"_format": "yaml"}), 406)
    refused(
        http.post("Patient", content=b"<Patient/>", headers={"content-type": "application/fhir+xml"}), 415
    )
    refused(http.post("Patient", content=b"{}", headers={"content-type": "text/plain"}), 415)
    refused(
        http.post("Patient", content=b"{}", headers={"content-type": "application/json; charset=gbk"}), 415
    )
    assert http.get(f"Patient/{id_}").headers["content-type"].startswith("application/fhir+json")
    generic = http.get(f"Patient/{id_}", headers={"accept": "application/json"})
    assert generic.headers["content-type"].startswith("application/json")
    for format_ in ("json", "application/json", "application/fhir+json"):
        assert http.get(f"Patient/{id_}", params={"_format": format_}).status_code == 200
    pretty = http.get(f"Patient/{id_}", params={"_pretty": "true"}).text
    assert pretty.startswith('{\n  "resourceType"')
    assert json.loads(pretty)["id"] == id_


def test_errors_are_in_the_readers_language(http: httpx.Client) -> None:
    english = refused(http.get("Patient/none"), 404)["diagnostics"]
    chinese = refused(http.get("Patient/none", headers={"accept-language": "zh-CN"}), 404)["diagnostics"]
    assert english.isascii()
    assert "请" in chinese


def test_request_id_is_echoed_or_given(http: httpx.Client) -> None:
    assert http.get("metadata", headers={"x-request-id": "abc-1"}).headers["x-request-id"] == "abc-1"
    odd = http.get("metadata", headers={"x-request-id": "a b<script>"}).headers["x-request-id"]
    assert odd != "a b<script>"
    assert odd.isalnum()
