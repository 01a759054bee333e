"""Own search parameters over REST: written, refused while being built, opened by the job, listed; on both databases."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from asking import Ask, asking
from xinglin.jobs import Worker
from xinglin.kernel.settings import Settings
from xinglin.records.api import Api
from xinglin.records.jobs import kinds
from xinglin.records.service import open_records
from xinglin.records.site import Site

JSON = "application/fhir+json"
SPEAKS = {
    "resourceType": "SearchParameter", "id": "speaks", "url": "http://example.org/speaks", "name": "speaks",
    "status": "active", "description": "Language", "code": "speaks", "base": ["Patient"], "type": "token",
    "expression": "Patient.language",
}  # fmt: skip


@pytest.fixture
def site(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setattr("xinglin.records.custom.job.SETTLE_S", 0.0)
    opened = open_records(database_url, Settings())
    yield Site(opened, Settings())
    opened.close()


def listed(ask: Ask) -> set[str]:
    _, statement = ask("GET", "metadata")
    (patient,) = (one for one in statement["rest"][0]["resource"] if one["type"] == "Patient")
    return {one["name"] for one in patient["searchParam"]}


def test_a_parameter_from_its_definition_to_its_searches(site: Site) -> None:
    ask, other = asking(Api(site), content_type=JSON), asking(Api(site), 2, content_type=JSON)
    for number in range(5):
        assert (
            ask(
                "PUT", f"Patient/p{number}", {"resourceType": "Patient", "id": f"p{number}", "language": "zh"}
            )[0]
            == 201
        )
    assert ask("PUT", "SearchParameter/speaks", SPEAKS)[0] == 201
    status, outcome = ask("GET", "Patient?speaks=zh")
    assert (status, outcome["issue"][0]["code"]) == (503, "incomplete")
    assert "0 of 5" in outcome["issue"][0]["diagnostics"]
    assert "speaks" not in listed(ask)
    status, told = ask("GET", "SearchParameter/speaks/$status")
    parts = {part["name"]: part for part in told["parameter"][0]["part"]}
    assert (parts["state"]["valueCode"], parts["total"]["valueInteger"]) == ("building", 5)

    status, task = ask("POST", "Patient/$reindex")
    assert (status, task["status"], task["code"]["text"]) == (202, "requested", "Reindex")
    assert ask("POST", "Patient/$reindex")[1]["id"] == task["id"]
    Worker(site.queue, kinds(site)).run_pending()
    status, task = ask("GET", f"Task/{task['id']}")
    assert task["status"] == "completed"
    status, found = ask("GET", "Task?code=records.reindex")
    assert len(found["entry"]) == 2  # the definition's own, and the one asked for

    status, found = ask("GET", "Patient?speaks=zh&_total=accurate")
    assert (status, found["total"]) == (200, 5)
    assert "speaks" in listed(ask)
    assert "speaks" not in listed(other)
    assert other("GET", "SearchParameter/$status")[1].get("parameter", []) == []
    assert ask("GET", "SearchParameter/nothing/$status")[0] == 404
    status, told = ask("GET", "SearchParameter/speaks/$status")
    parts = {part["name"]: part for part in told["parameter"][0]["part"]}
    assert (parts["checked"]["valueInteger"], parts["different"]["valueInteger"]) == (5, 0)


def test_what_is_wrong_is_an_outcome_with_its_place(site: Site) -> None:
    ask = asking(Api(site), content_type=JSON)
    status, outcome = ask("PUT", "SearchParameter/speaks", {**SPEAKS, "expression": "Patient.tongue"})
    assert (status, outcome["issue"][0]["expression"]) == (422, ["SearchParameter.expression"])
    assert ask("GET", "SearchParameter/speaks")[0] == 404
    assert ask("POST", "$reindex?parameter=nothing")[0] == 404
    assert ask("POST", "$reindex?type=Nothing")[0] == 404
    assert ask("POST", "$reindex?speed=fast")[0] == 400
