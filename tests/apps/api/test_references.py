"""Conditional references and links to entries: what they find, in a transaction, a batch and by themselves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from apps.api.conftest import running
from apps.api.outcomes import refused
from apps.api.test_bundles import (
    JSON,
    SYSTEM,
    bundle,
    count,
    entry,
    fresh,
    observation,
    patient,
    place,
    send,
    urn,
)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def server(request: pytest.FixtureRequest) -> Iterator[httpx.Client]:
    """A client of a server on each database."""
    if request.param == "sqlite":
        yield request.getfixturevalue("http")
        return
    url = request.getfixturevalue("postgres_url")
    with running(url) as address, httpx.Client(base_url=f"{address}/fhir", timeout=30) as client:
        yield client


def by(value: str) -> str:
    return f"Patient?identifier={SYSTEM}|{value}"


def transaction(server: httpx.Client, *entries: dict[str, Any]) -> httpx.Response:
    return server.post("", json=bundle(*entries), headers=JSON)


def test_a_conditional_reference_finds_what_the_same_transaction_makes(server: httpx.Client) -> None:
    for name, make in {
        "POST": lambda value: entry("POST", "Patient", patient(value)),
        "conditional POST": lambda value: entry(
            "POST", "Patient", patient(value), ifNoneExist=f"identifier={SYSTEM}|{value}"
        ),
        "PUT": lambda value: entry("PUT", f"Patient/p{value}", patient(value, id=f"p{value}")),
        "conditional PUT": lambda value: entry("PUT", by(value), patient(value)),
    }.items():
        value = fresh()
        done = send(server, bundle(entry("POST", "Observation", observation(by(value))), make(value)))
        assert [e["response"]["status"] for e in done] == ["201 Created"] * 2, name
        stored = server.get(place(done[0])).json()
        assert stored["subject"]["reference"] == place(done[1]), name
        assert stored["meta"]["versionId"] == "1", name
        found = server.get("Observation", params={"subject": place(done[1])}).json()
        assert [e["resource"]["id"] for e in found["entry"]] == [stored["id"]], name


def test_it_is_held_against_the_record_as_the_transaction_leaves_it(server: httpx.Client) -> None:
    value = fresh()
    old = server.post("Patient", json=patient(value), headers=JSON).json()["id"]
    reference = entry("POST", "Observation", observation(by(value)))
    both = transaction(server, entry("POST", "Patient", patient(value)), reference)
    refused(both, 412, "multiple-matches", "Bundle.entry[1].resource.subject.reference")
    assert count(server, "Patient", identifier=value) == 1
    replaced = bundle(entry("POST", "Patient", patient(value)), reference, entry("DELETE", f"Patient/{old}"))
    done = send(server, replaced)
    assert server.get(place(done[1])).json()["subject"]["reference"] == place(done[0])
    gone = transaction(server, entry("DELETE", place(done[0])), reference)
    refused(gone, 412, "conflict", "Bundle.entry[1].resource.subject.reference")
    assert count(server, "Patient", identifier=value) == 1


def test_a_conditional_delete_that_finds_nothing_does_nothing(server: httpx.Client) -> None:
    done = send(server, bundle(entry("DELETE", by(fresh())), entry("POST", "Patient", patient(fresh()))))
    assert [e["response"]["status"] for e in done] == ["204 No Content", "201 Created"]


def test_outside_a_transaction_conditional_references_are_resolved_or_refused(server: httpx.Client) -> None:
    value, id_ = fresh(), fresh()
    person = f"Patient/{server.post('Patient', json=patient(value), headers=JSON).json()['id']}"
    posted = server.post("Observation", json=observation(by(value)), headers=JSON)
    put = server.put(f"Observation/{id_}", json=observation(by(value), id=id_), headers=JSON)
    where = f"Observation?identifier={fresh()}"
    conditional = server.put(where, json=observation(by(value)), headers=JSON)
    for response in (posted, put, conditional):
        assert response.json()["subject"]["reference"] == person
    (done,) = send(server, bundle(entry("POST", "Observation", observation(by(value))), kind="batch"))
    assert server.get(place(done)).json()["subject"]["reference"] == person
    before = count(server, "Observation")
    none = server.post("Observation", json=observation(by(fresh())), headers=JSON)
    refused(none, 412, "conflict", "Observation.subject.reference")
    (done,) = send(server, bundle(entry("POST", "Observation", observation(by(fresh()))), kind="batch"))
    assert done["response"]["status"].startswith("412")
    assert done["response"]["outcome"]["issue"][0]["expression"] == [
        "Bundle.entry[0].resource.subject.reference"
    ]
    server.post("Patient", json=patient(value), headers=JSON)
    several = server.post("Observation", json=observation(by(value)), headers=JSON)
    refused(several, 412, "multiple-matches", "Observation.subject.reference")
    odd = server.post("Observation", json=observation("Patient?nonsense=1"), headers=JSON)
    refused(odd, 400, expression="Observation.subject.reference")
    patch = [{"op": "replace", "path": "/subject/reference", "value": by(value)}]
    patched = server.patch(
        f"Observation/{id_}", json=patch, headers={"content-type": "application/json-patch+json"}
    )
    refused(patched, 422, expression="Observation.subject.reference")
    assert count(server, "Observation") == before


def test_a_question_mark_in_a_text_is_no_reference(http: httpx.Client) -> None:
    body = observation("Patient/1", note=[{"text": "Patient?identifier=1"}], method={"text": "why?"})
    made = http.post("Observation", json=body, headers=JSON)
    assert made.status_code == 201
    assert made.json()["note"] == body["note"]


def test_a_link_to_an_entry_that_is_not_there_is_refused(http: httpx.Client) -> None:
    lost, value = urn(), fresh()
    response = transaction(
        http, entry("POST", "Patient", patient(value)), entry("POST", "Observation", observation(lost))
    )
    first = refused(response, 422, "processing", "Bundle.entry[1].resource.subject.reference")
    assert lost in first["diagnostics"]
    assert count(http, "Patient", identifier=value) == 0


def test_links_within_a_document_are_its_own(http: httpx.Client) -> None:
    inner = urn()
    document = {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [
            {"fullUrl": inner, "resource": {"resourceType": "Patient"}},
            {"fullUrl": urn(), "resource": observation(inner)},
            {"fullUrl": urn(), "resource": observation(by("kept as it is"))},
        ],
    }
    (done,) = send(http, bundle(entry("POST", "Bundle", document)))
    stored = http.get(place(done)).json()
    assert [e["resource"] for e in stored["entry"]] == [e["resource"] for e in document["entry"]]  # type: ignore[index]
    document["entry"] = [{"fullUrl": inner, "resource": observation(urn())}]
    refused(transaction(http, entry("POST", "Bundle", document)), 422)


WRONG: dict[str, tuple[Any, str]] = {
    "no url": ({"request": {"method": "GET"}}, "Bundle.entry[1].request.url"),
    "unknown method": ({"request": {"method": "FETCH", "url": "Patient"}}, "Bundle.entry[1].request.method"),
    "no resource": ({"request": {"method": "PATCH", "url": "Patient/1"}}, "Bundle.entry[1].resource"),
    "no request": ({"resource": {"resourceType": "Patient"}}, "Bundle.entry[1].request"),
    "no object": (5, "Bundle.entry[1]"),
    "wrong type": ({"request": {"method": "GET", "url": 5}}, "Bundle.entry[1].request.url"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_malformed_entry_of_a_batch_fails_alone_and_of_a_transaction_all(
    http: httpx.Client, name: str
) -> None:
    wrong, expression = WRONG[name]
    value = fresh()
    good = entry("POST", "Patient", patient(value))
    refused(transaction(http, good, wrong), 400, expression=expression)
    assert count(http, "Patient", identifier=value) == 0
    done = send(http, bundle(good, wrong, entry("GET", "Patient?_count=1"), kind="batch"))
    assert [e["response"]["status"][:3] for e in done] == ["201", "400", "200"]
    assert done[1]["response"]["outcome"]["issue"][0]["expression"] == [expression]
