"""What /metadata says is there is there: every parameter, include and operation of every type is answered."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from xinglin.kernel.errors import XinglinError
from xinglin.kernel.settings import Settings
from xinglin.records.api import Api
from xinglin.records.rest.exchange import Answer, Pending, Preferences, Request
from xinglin.records.service import open_records
from xinglin.records.site import Site
from xinglin.trust import local_system

VALUES = {
    "token": "http://s|c",
    "string": "a",
    "date": "2024",
    "reference": "Patient/1",
    "quantity": "5.4|http://unitsofmeasure.org|mg",
    "number": "5",
    "uri": "http://u",
}


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    records = open_records("sqlite://", Settings())
    yield Api(Site(records, Settings()))
    records.close()


def ask(api: Api, method: str, path: str, *pairs: tuple[str, str], body: bytes = b"") -> Answer:
    request = Request(
        method=method,
        path=tuple(path.split("/")),
        actor=local_system(),
        base="http://h/fhir",
        pairs=pairs,
        body=body,
        prefer=Preferences(strict=True),
    )
    try:
        answer = api.answer(request)
        return answer.wait() if isinstance(answer, Pending) else answer
    except XinglinError as error:
        return api.refuse(error, "en")


@pytest.fixture(scope="module")
def resources(api: Api) -> list[dict[str, Any]]:
    statement = json.loads(ask(api, "GET", "metadata").body)
    found: list[dict[str, Any]] = statement["rest"][0]["resource"]
    return found


def test_every_search_parameter_it_names_is_answered(api: Api, resources: list[dict[str, Any]]) -> None:
    count = 0
    for resource in resources:
        for parameter in resource["searchParam"]:
            kind, name = parameter["type"], parameter["name"]
            if kind == "composite":
                continue  # the components' types decide the value; searched for in the tests of the grammar
            value = {"_text": "a", "_content": "a", "_id": "a"}.get(name) or VALUES[kind]
            answer = ask(api, "GET", resource["type"], (name, value), ("_count", "1"))
            assert answer.status == 200, (resource["type"], parameter, answer.body)
            count += 1
    assert count > 2500


def test_every_include_it_names_is_answered(api: Api, resources: list[dict[str, Any]]) -> None:
    for resource in resources:
        for name in ("searchInclude", "searchRevInclude"):
            parameter = "_include" if name == "searchInclude" else "_revinclude"
            for value in resource[name]:
                answer = ask(api, "GET", resource["type"], (parameter, value), ("_count", "1"))
                assert answer.status == 200, (resource["type"], parameter, value, answer.body)


def test_every_interaction_and_operation_it_names_is_answered(
    api: Api, resources: list[dict[str, Any]]
) -> None:
    for resource in resources:
        type_ = resource["type"]
        assert ask(api, "GET", f"{type_}/none").status == 404
        assert ask(api, "GET", f"{type_}/none/_history/1").status == 404
        assert ask(api, "GET", f"{type_}/_history").status == 200
        assert ask(api, "GET", f"{type_}/none/_history").status == 404
        assert ask(api, "DELETE", f"{type_}/none").status == 204
        body = json.dumps({"resourceType": type_, "id": "none"}).encode()
        assert ask(api, "POST", f"{type_}/$validate", body=body).status == 200
        for operation in resource["operation"]:
            answers = [
                ask(api, "POST", f"{place}/${operation['name']}") for place in (type_, f"{type_}/none")
            ]
            # An operation on instances alone answers 404 where there is none, but not as one that does not exist.
            assert any(
                one.status in (200, 202, 400, 405) or b'"code":"not-found"' in one.body for one in answers
            ), operation


def test_the_statement_is_itself_a_valid_resource(api: Api) -> None:
    statement = ask(api, "GET", "metadata").body
    outcome = json.loads(ask(api, "POST", "CapabilityStatement/$validate", body=statement).body)
    assert [i for i in outcome["issue"] if i["severity"] in ("error", "fatal")] == []


def test_every_outcome_is_itself_a_valid_resource(api: Api) -> None:
    for refused in (
        ask(api, "GET", "Patient/none"),
        ask(api, "GET", "Patient", ("nosuch", "1")),
        ask(api, "POST", "Patient", body=b'{"resourceType":"Patient","gender":"x","birthDate":"y"}'),
    ):
        assert refused.status >= 400
        outcome = json.loads(ask(api, "POST", "OperationOutcome/$validate", body=refused.body).body)
        assert [i for i in outcome["issue"] if i["severity"] in ("error", "fatal")] == []


def test_every_bundle_is_itself_a_valid_resource(api: Api) -> None:
    made = ask(api, "PUT", "Patient/v1", body=b'{"resourceType":"Patient","id":"v1","gender":"male"}')
    assert made.status == 201
    ask(api, "DELETE", "Patient/v1")
    ask(api, "PUT", "Patient/v1", body=b'{"resourceType":"Patient","id":"v1","gender":"female"}')
    requests = [
        {"method": "GET", "url": "Patient/v1"},
        {"method": "DELETE", "url": "X/1"},
        {"method": "GET", "url": "X"},
    ]
    entries = [{"request": request} for request in requests]
    batch = json.dumps({"resourceType": "Bundle", "type": "batch", "entry": entries}).encode()
    for bundle in (
        ask(api, "GET", "Patient", ("_elements", "gender")),
        ask(api, "GET", "Patient/v1/_history"),
        ask(api, "GET", "_history"),
        ask(api, "GET", "Patient/v1/$everything"),
        api.answer(Request(method="POST", path=(), actor=local_system(), base="http://h/fhir", body=batch)),
    ):
        assert isinstance(bundle, Answer)
        assert bundle.status == 200
        outcome = json.loads(ask(api, "POST", "Bundle/$validate", body=bundle.body).body)
        assert [i for i in outcome["issue"] if i["severity"] in ("error", "fatal")] == [], bundle.body
