"""fhirclient (SMART), as it is, against our server: what we send fits its own models of R4."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

pytest.importorskip("fhirclient", reason="fhirclient is not installed: pip install -e '.[test]'")

from fhirclient import client as smart
from fhirclient.models.bundle import Bundle, BundleEntry, BundleEntryRequest
from fhirclient.models.capabilitystatement import CapabilityStatement
from fhirclient.models.observation import Observation
from fhirclient.models.patient import Patient


@pytest.fixture
def server(base: str) -> Any:
    return smart.FHIRClient(settings={"app_id": "journey", "api_base": base}).server


def patient(family: str, value: str) -> Patient:
    return Patient(
        {
            "resourceType": "Patient",
            "name": [{"family": family, "given": ["Wei"]}],
            "identifier": [{"system": "http://h", "value": value}],
            "birthDate": "1980-02-29",
        }
    )


def test_the_capability_statement_fits_its_model(server: Any) -> None:
    statement = CapabilityStatement(server.request_json("metadata"))
    assert statement.fhirVersion == "4.0.1"
    assert "Patient" in [resource.type for resource in statement.rest[0].resource]


def test_create_read_update_delete(server: Any) -> None:
    made = patient("Zhang", uuid.uuid4().hex).create(server)
    found = Patient.read(made["id"], server)
    assert found.name[0].family == "Zhang"
    assert found.meta.versionId == "1"
    found.gender = "male"
    assert found.update(server)["meta"]["versionId"] == "2"
    history = Bundle(server.request_json(f"Patient/{made['id']}/_history"))
    assert [entry.request.method for entry in history.entry] == ["PUT", "POST"]
    found.delete(server)
    with pytest.raises(Exception, match="410"):
        Patient.read(made["id"], server)


def test_transaction_search_and_pages(server: Any) -> None:
    mark = uuid.uuid4().hex
    urn = f"urn:uuid:{uuid.uuid4()}"
    bundle = Bundle({"resourceType": "Bundle", "type": "transaction"})
    bundle.entry = []

    def add(resource: Any, url: str, full_url: str | None = None) -> None:
        entry = BundleEntry()
        entry.resource = resource
        entry.fullUrl = full_url
        entry.request = BundleEntryRequest({"method": "POST", "url": url})
        bundle.entry.append(entry)

    for day in range(1, 8):
        add(
            Observation(
                {
                    "resourceType": "Observation",
                    "status": "final",
                    "code": {"text": "Hb"},
                    "subject": {"reference": urn},
                    "effectiveDateTime": f"2024-05-0{day}",
                }
            ),
            "Observation",
        )
    add(patient("Li", mark), "Patient", urn)
    done = Bundle(server.post_json("./", bundle.as_json()).json())
    assert {entry.response.status for entry in done.entry} == {"201 Created"}

    (person,) = Patient.where({"identifier": f"http://h|{mark}"}).perform_resources(server)
    search = Observation.where({"patient": person.id, "_count": "3", "_sort": "date"})
    days = [o.effectiveDateTime.as_json()[-1] for o in search.perform_resources_iter(server)]
    assert days == list("1234567")
    assert [len(page.entry) for page in search.perform_iter(server)] == [3, 3, 1]
