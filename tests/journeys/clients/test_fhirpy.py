"""fhirpy, as it is, against our server."""

from __future__ import annotations

import uuid

import pytest

fhirpy = pytest.importorskip("fhirpy", reason="fhirpy is not installed: pip install -e '.[test]'")


@pytest.fixture
def client(base: str) -> object:
    return fhirpy.SyncFHIRClient(base)


def test_create_read_update_delete(client: fhirpy.SyncFHIRClient) -> None:
    patient = client.resource("Patient", name=[{"family": "Zhang", "given": ["Wei"]}], birthDate="1980-02-29")
    patient.save()
    assert patient.id
    assert patient["meta"]["versionId"] == "1"
    again = client.reference("Patient", patient.id).to_resource()
    assert again.get_by_path(["name", 0, "family"]) == "Zhang"
    again["gender"] = "male"
    again.save()
    assert again["meta"]["versionId"] == "2"
    again.delete()
    with pytest.raises(fhirpy.base.exceptions.ResourceNotFound):
        client.reference("Patient", patient.id).to_resource()


def test_search_sort_include_and_count(client: fhirpy.SyncFHIRClient) -> None:
    mark = uuid.uuid4().hex
    patient = client.resource(
        "Patient", identifier=[{"system": "http://h", "value": mark}], name=[{"family": "Li"}]
    )
    patient.save()
    for day in range(1, 8):
        client.resource(
            "Observation",
            status="final",
            code={"coding": [{"system": "http://loinc.org", "code": "718-7"}]},
            subject=patient.to_reference(),
            effectiveDateTime=f"2024-05-0{day}",
        ).save()
    found = (
        client.resources("Observation")
        .search(patient=patient.id, code="http://loinc.org|718-7")
        .sort("-date")
    )
    assert found.count() == 7
    assert found.limit(1).first()["effectiveDateTime"] == "2024-05-07"
    # fetch_all follows the next links: pages of two
    assert [o["effectiveDateTime"][-1] for o in found.limit(2).fetch_all()] == list("7654321")
    only = client.resources("Patient").search(identifier=f"http://h|{mark}").get()
    assert only.id == patient.id
    with_subject = (
        client.resources("Observation").search(patient=patient.id).include("Observation", "subject")
    )
    kinds = {entry["resource"]["resourceType"] for entry in with_subject.fetch_raw()["entry"]}
    assert kinds == {"Observation", "Patient"}
    chained = client.resources("Observation").search(patient__Patient__family="Li", patient=patient.id)
    assert len(chained.fetch_all()) == 7


def test_conditional_create_and_update(client: fhirpy.SyncFHIRClient) -> None:
    mark = uuid.uuid4().hex
    resource = client.resource("Patient", identifier=[{"system": "http://h", "value": mark}])
    one, made = client.resources("Patient").search(identifier=mark).get_or_create(resource)
    two, again = client.resources("Patient").search(identifier=mark).get_or_create(resource)
    assert (made, again) == (True, False)
    assert one.id == two.id
    changed = client.resource("Patient", identifier=[{"system": "http://h", "value": mark}], gender="female")
    three, created = client.resources("Patient").search(identifier=mark).update(changed)
    assert (three.id, three["gender"], created) == (one.id, "female", False)


def test_transaction_and_history(client: fhirpy.SyncFHIRClient) -> None:
    urn = f"urn:uuid:{uuid.uuid4()}"
    bundle = client.resource(
        "Bundle",
        type="transaction",
        entry=[
            {
                "fullUrl": urn,
                "resource": {"resourceType": "Patient", "name": [{"family": "Wang"}]},
                "request": {"method": "POST", "url": "Patient"},
            },
            {
                "resource": {
                    "resourceType": "Condition",
                    "subject": {"reference": urn},
                    "code": {"text": "x"},
                },
                "request": {"method": "POST", "url": "Condition"},
            },
        ],
    )
    done = client.execute("", method="post", data=bundle.serialize())
    places = [entry["response"]["location"].split("/") for entry in done["entry"]]
    condition = client.reference("Condition", places[1][1]).to_resource()
    assert condition["subject"]["reference"] == f"Patient/{places[0][1]}"
    history = client.execute(f"Patient/{places[0][1]}/_history", method="get")
    assert (history["type"], history["total"]) == ("history", 1)
