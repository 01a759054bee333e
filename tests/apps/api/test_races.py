"""Many clients at once: conditions hold, no update is lost, commits are shared."""

from __future__ import annotations

import asyncio
import uuid

import httpx

from apart import run_apart

JSON = {"content-type": "application/fhir+json"}
SYSTEM = "http://h.example/mrn"


def patient(value: str, **more: object) -> dict[str, object]:
    return {"resourceType": "Patient", "identifier": [{"system": SYSTEM, "value": value}], **more}


async def _together(address: str, requests: list[httpx.Request]) -> list[httpx.Response]:
    limits = httpx.Limits(max_connections=len(requests))
    async with httpx.AsyncClient(base_url=f"{address}/fhir", limits=limits, timeout=60) as client:
        return list(await asyncio.gather(*(client.send(request) for request in requests)))


def together(address: str, requests: list[httpx.Request]) -> list[httpx.Response]:
    return run_apart(_together(address, requests))


def test_of_twenty_conditional_creates_one_creates(http: httpx.Client, address: str) -> None:
    value = uuid.uuid4().hex
    headers = {**JSON, "if-none-exist": f"identifier={SYSTEM}|{value}"}
    done = together(
        address,
        [http.build_request("POST", "Patient", json=patient(value), headers=headers) for _ in range(20)],
    )
    assert sorted(r.status_code for r in done) == [200] * 19 + [201]
    assert len({r.json()["id"] for r in done}) == 1


def test_of_twenty_conditional_updates_one_creates(http: httpx.Client, address: str) -> None:
    value = uuid.uuid4().hex
    url = f"Patient?identifier={SYSTEM}|{value}"
    done = together(
        address, [http.build_request("PUT", url, json=patient(value), headers=JSON) for _ in range(20)]
    )
    assert sorted(r.status_code for r in done) == [200] * 19 + [201]
    assert len({r.json()["id"] for r in done}) == 1


def test_of_twenty_transactions_with_one_condition_one_creates_and_all_refer_to_it(
    http: httpx.Client, address: str
) -> None:
    value = uuid.uuid4().hex

    def transaction() -> dict[str, object]:
        mine = f"urn:uuid:{uuid.uuid4()}"
        observation = {
            "resourceType": "Observation",
            "status": "final",
            "code": {"text": value},
            "subject": {"reference": mine},
        }
        create = {"method": "POST", "url": "Patient", "ifNoneExist": f"identifier={SYSTEM}|{value}"}
        return {
            "resourceType": "Bundle",
            "type": "transaction",
            "entry": [
                {"fullUrl": mine, "resource": patient(value), "request": create},
                {"resource": observation, "request": {"method": "POST", "url": "Observation"}},
            ],
        }

    done = together(
        address, [http.build_request("POST", "", json=transaction(), headers=JSON) for _ in range(20)]
    )
    assert {r.status_code for r in done} == {200}
    people = {r.json()["entry"][0]["response"]["location"].split("/")[1] for r in done}
    assert len(people) == 1
    found = http.get("Observation", params={"patient": people.pop(), "_summary": "count"}).json()
    assert found["total"] == 20


def test_of_twenty_updates_of_one_version_one_wins_and_none_is_lost(http: httpx.Client, address: str) -> None:
    id_ = http.post("Patient", json=patient("x"), headers=JSON).json()["id"]
    headers = {**JSON, "if-match": 'W/"1"'}
    done = together(
        address,
        [
            http.build_request("PUT", f"Patient/{id_}", json=patient(str(n), id=id_), headers=headers)
            for n in range(20)
        ],
    )
    assert sorted(r.status_code for r in done) == [200] + [412] * 19
    winner = next(r for r in done if r.status_code == 200).json()
    assert http.get(f"Patient/{id_}").json() == winner


def test_patches_at_once_are_all_kept(http: httpx.Client, address: str) -> None:
    id_ = http.post("Patient", json=patient("x"), headers=JSON).json()["id"]
    headers = {"content-type": "application/json-patch+json"}

    def add(number: int) -> list[dict[str, object]]:
        return [{"op": "add", "path": "/identifier/-", "value": {"system": SYSTEM, "value": f"p{number}"}}]

    done = together(
        address,
        [http.build_request("PATCH", f"Patient/{id_}", json=add(n), headers=headers) for n in range(20)],
    )
    assert {r.status_code for r in done} == {200}
    values = {i["value"] for i in http.get(f"Patient/{id_}").json()["identifier"]}
    assert values == {"x", *(f"p{n}" for n in range(20))}
    assert http.get(f"Patient/{id_}").headers["etag"] == 'W/"21"'


def test_writes_at_once_are_each_answered_with_their_own_resource(http: httpx.Client, address: str) -> None:
    values = [uuid.uuid4().hex for _ in range(60)]
    done = together(
        address,
        [http.build_request("POST", "Patient", json=patient(value), headers=JSON) for value in values],
    )
    assert [r.json()["identifier"][0]["value"] for r in done] == values
    assert len({r.json()["id"] for r in done}) == 60
