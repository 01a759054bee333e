"""FHIRPath Patch: the operations of fhirpatch.html on a resource's own text, and over the REST edge."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from asking import Ask, asking
from xinglin.kernel.settings import Settings
from xinglin.records.api import Api
from xinglin.records.rest.errors import Malformed, Unprocessable
from xinglin.records.rest.fhirpath_patch import apply, read_patch
from xinglin.records.service import open_records
from xinglin.records.site import Site

JSON = "application/fhir+json"


def operation(kind: str, path: str, **parts: Any) -> str:
    """One operation; ``value`` is the JSON of the part's own members, numbers are integers, other text a string."""
    listed = [
        f'{{"name":"type","valueCode":"{kind}"}}',
        f'{{"name":"path","valueString":{json.dumps(path)}}}',
    ]
    for name, value in parts.items():
        if name == "value":
            listed.append(f'{{"name":"value",{value}}}')
        elif isinstance(value, int):
            listed.append(f'{{"name":"{name}","valueInteger":{value}}}')
        else:
            listed.append(f'{{"name":"{name}","valueString":"{value}"}}')
    return f'{{"name":"operation","part":[{",".join(listed)}]}}'


def patch(*operations: str) -> bytes:
    return f'{{"resourceType":"Parameters","parameter":[{",".join(operations)}]}}'.encode()


def patched(members: str, *operations: str, kind: str = "Patient") -> str:
    start = f'{{"resourceType":"{kind}"'
    done = apply(
        read_patch(patch(*operations)), f"{start}{',' if members else ''}{members}}}".encode()
    ).decode()
    return done.removeprefix(start).removeprefix(",")[:-1]


IDENTIFIERS = '"identifier":[{"value":"1"},{"value":"2"},{"value":"3"}]'


@pytest.mark.parametrize(
    ("before", "operations", "after"),
    [
        ('"birthDate":"1920-01-01"', [], '"birthDate":"1920-01-01"'),
        (
            '"birthDate":"1920-01-01"',
            [operation("replace", "Patient.birthDate", value='"valueDate":"1930-01-01"')],
            '"birthDate":"1930-01-01"',
        ),
        ('"active":true,"birthDate":"1920"', [operation("delete", "Patient.birthDate")], '"active":true'),
        ('"active":true', [operation("delete", "Patient.birthDate")], '"active":true'),
        (
            "",
            [operation("add", "Patient", name="birthDate", value='"valueDate":"1930-01-01"')],
            '"birthDate":"1930-01-01"',
        ),
        (
            '"contact":[{"name":{"text":"a"},"gender":"male"}]',
            [operation("replace", "Patient.contact[0].name.text", value='"valueString":"b"')],
            '"contact":[{"name":{"text":"b"},"gender":"male"}]',
        ),
        (
            '"contact":[{"name":{"text":"a"},"gender":"male"}]',
            [operation("delete", "Patient.contact[0].name.text")],
            '"contact":[{"gender":"male"}]',
        ),
        (
            '"contact":[{"name":{"text":"a"}}]',
            [operation("add", "Patient.contact[0]", name="gender", value='"valueCode":"male"')],
            '"contact":[{"name":{"text":"a"},"gender":"male"}]',
        ),
        (
            '"maritalStatus":{"id":"1","text":"married"}',
            [operation("replace", "Patient.maritalStatus", value='"valueCodeableConcept":{"id":"2","text":"not"}')],
            '"maritalStatus":{"id":"2","text":"not"}',
        ),
        (
            "",
            [operation("add", "Patient", name="contact",
                       value='"part":[{"name":"name","valueHumanName":{"text":"a"}},{"name":"gender","valueCode":"male"}]')],
            '"contact":[{"name":{"text":"a"},"gender":"male"}]',
        ),
        (  # complex types through parts of their own
            '"active":true',
            [operation("add", "Patient", name="name",
                       value='"part":[{"name":"family","valueString":"Li"},{"name":"given","valueString":"Si"},'
                             '{"name":"given","valueString":"San","_valueString":{"id":"x"}},'
                             '{"name":"period","part":[{"name":"start","valueDateTime":"2020"}]}]')],
            '"active":true,"name":[{"family":"Li","given":["Si","San"],"_given":[null,{"id":"x"}],'
            '"period":{"start":"2020"}}]',
        ),
        (
            IDENTIFIERS,
            [operation("insert", "Patient.identifier", index=0,
                       value='"part":[{"name":"value","valueString":"0"},'
                             '{"name":"assigner","part":[{"name":"display","valueString":"H"}]}]')],
            '"identifier":[{"value":"0","assigner":{"display":"H"}},{"value":"1"},{"value":"2"},{"value":"3"}]',
        ),
        (
            '"maritalStatus":{"text":"married"}',
            [operation("replace", "Patient.maritalStatus",
                       value='"part":[{"name":"coding","part":[{"name":"code","valueCode":"D"}]}]')],
            '"maritalStatus":{"coding":[{"code":"D"}]}',
        ),
        (
            '"active":true',
            [operation("add", "Patient", name="extension",
                       value='"part":[{"name":"url","valueUri":"http://x"},{"name":"value","valueBoolean":true}]')],
            '"active":true,"extension":[{"url":"http://x","valueBoolean":true}]',
        ),
        (
            '"active":true',
            [operation("add", "Patient", name="extension",
                       value='"part":[{"name":"url","valueUri":"http://x"},'
                             '{"name":"valuePeriod","part":[{"name":"end","valueDateTime":"2020"}]}]')],
            '"active":true,"extension":[{"url":"http://x","valuePeriod":{"end":"2020"}}]',
        ),
        (
            '"active":true',
            [operation("add", "Patient", name="contained",
                       value='"resource":{"resourceType":"Organization","id":"o","name":"O"}')],
            '"active":true,"contained":[{"resourceType":"Organization","id":"o","name":"O"}]',
        ),
        (
            '"active":true,"contact":[{"name":{"text":"a"}}]',
            [operation("delete", "Patient.contact[0]")],
            '"active":true',
        ),
        (
            IDENTIFIERS,
            [operation("insert", "Patient.identifier", index=3, value='"valueIdentifier":{"value":"4"}')],
            '"identifier":[{"value":"1"},{"value":"2"},{"value":"3"},{"value":"4"}]',
        ),
        (
            IDENTIFIERS,
            [operation("insert", "Patient.identifier", index=1, value='"valueIdentifier":{"value":"4"}')],
            '"identifier":[{"value":"1"},{"value":"4"},{"value":"2"},{"value":"3"}]',
        ),
        (
            IDENTIFIERS,
            [operation("delete", "Patient.identifier[0]"), operation("delete", "Patient.identifier.where(value='3')")],
            '"identifier":[{"value":"2"}]',
        ),
        (
            IDENTIFIERS,
            [operation("move", "Patient.identifier", source=0, destination=2)],
            '"identifier":[{"value":"2"},{"value":"3"},{"value":"1"}]',
        ),
        (
            IDENTIFIERS,
            [operation("move", "Patient.identifier", source=2, destination=0)],
            '"identifier":[{"value":"3"},{"value":"1"},{"value":"2"}]',
        ),
        (
            '"name":[{"given":["a","b"],"_given":[null,{"id":"x"}]}]',
            [operation("insert", "Patient.name[0].given", index=0, value='"valueString":"z"')],
            '"name":[{"given":["z","a","b"],"_given":[null,null,{"id":"x"}]}]',
        ),
        (
            '"name":[{"given":["a","b"],"_given":[null,{"id":"x"}]}]',
            [operation("delete", "Patient.name.given.last()")],
            '"name":[{"given":["a"]}]',
        ),
        (
            '"name":[{"given":["a","b"]}]',
            [operation("replace", "Patient.name.given.where($this = 'b')", value='"valueString":"c"')],
            '"name":[{"given":["a","c"]}]',
        ),
        (
            '"active":true,"deceasedBoolean":false',
            [operation("replace", "Patient.deceased", value='"valueDateTime":"2020"')],
            '"active":true,"deceasedDateTime":"2020"',
        ),
        (
            '"active":true,"deceasedBoolean":false',
            [operation("delete", "Patient.deceased")],
            '"active":true',
        ),
    ],
)  # fmt: skip
def test_operation_as_the_standard_has_it(before: str, operations: list[str], after: str) -> None:
    assert patched(before, *operations) == after


def test_what_a_patch_does_not_touch_keeps_its_digits_and_its_order() -> None:
    body = '"status":"final","code":{"text":"\\u00e9"},"valueQuantity":{"value":1.10,"unit":"g"}'
    done = patched(
        body,
        operation("add", "Observation", name="referenceRange",
                  value='"part":[{"name":"low","valueQuantity":{"value":2.500}}]'),
        kind="Observation",
    )  # fmt: skip
    assert done == (
        '"status":"final","code":{"text":"é"},"valueQuantity":{"value":1.10,"unit":"g"},'
        '"referenceRange":[{"low":{"value":2.500}}]'
    )


@pytest.mark.parametrize(
    ("before", "one", "key"),
    [
        ('"active":true', operation("replace", "Patient.birthDate", value='"valueDate":"2020"'), "place"),
        (IDENTIFIERS, operation("delete", "Patient.identifier"), "several"),
        (
            IDENTIFIERS,
            operation("insert", "Patient.identifier", index=4, value='"valueIdentifier":{}'),
            "index",
        ),
        (IDENTIFIERS, operation("move", "Patient.identifier", source=0, destination=3), "index"),
        (
            '"active":true',
            operation("insert", "Patient.active", index=0, value='"valueBoolean":true'),
            "no-list",
        ),
        ('"active":true', operation("add", "Patient", name="active", value='"valueBoolean":true'), "there"),
        ('"active":true', operation("add", "Patient", name="colour", value='"valueString":"x"'), "element"),
        (
            '"active":true',
            operation("add", "Patient.contact", name="gender", value='"valueCode":"male"'),
            "place",
        ),
        ('"active":true', operation("add", "Patient", name="birthDate", value='"part":[]'), "value"),
        ('"active":true', operation("add", "Patient", name="name", value='"part":[]'), "value"),
        ('"active":true', operation("add", "Patient", name="name", value='"part":{}'), "value"),
        ('"active":true', operation("add", "Patient", name="name", value='"part":[5]'), "element"),
        (
            '"active":true',
            operation("add", "Patient", name="name", value='"part":[{"name":"colour","valueString":"x"}]'),
            "element",
        ),
        (
            '"active":true',
            operation("add", "Patient", name="name", value='"valueHumanName":{},"part":[]'),
            "value",
        ),
        (
            '"active":true',
            operation(
                "add",
                "Patient",
                name="name",
                value='"part":[{"name":"text","valueString":"x"},{"name":"text","valueString":"y"}]',
            ),
            "there",
        ),
        (
            '"active":true',  # which of fifty types?
            operation(
                "add",
                "Patient",
                name="extension",
                value='"part":[{"name":"value","part":[{"name":"end","valueDateTime":"2020"}]}]',
            ),
            "value",
        ),
        ('"active":true', operation("add", "Patient", name="active", value='"resource":{}'), "value"),
        ('"active":true', operation("delete", "Patient.where("), "path"),
        ('"active":true', operation("delete", "Patient.active | Patient.active.not()"), "path"),
        ('"active":true', operation("delete", "Patient"), "place"),
        (
            '"deceasedBoolean":true',
            operation("add", "Patient", name="deceased", value='"valueDateTime":"2020"'),
            "there",
        ),
    ],
)
def test_what_cannot_be_done_is_named_and_changes_nothing(before: str, one: str, key: str) -> None:
    with pytest.raises(Unprocessable) as caught:
        patched(before, one)
    assert caught.value.key == f"records.rest-fhirpath-patch-{key}"
    assert caught.value.values["index"] == 0


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b'{"resourceType":"Patient"}',
        b'{"resourceType":"Parameters","parameter":[{"name":"x"}]}',
        b'{"resourceType":"Parameters","parameter":[{"name":"operation"}]}',
        patch('{"name":"operation","part":[{"name":"type","valueCode":"copy"}]}'),
        patch('{"name":"operation","part":[{"name":"type","valueCode":"delete"}]}'),
        patch(operation("replace", "Patient.active")),
        patch(operation("move", "Patient.name", source=0)),
        patch(operation("move", "Patient.name", source=-1, destination=0)),
    ],
)
def test_what_is_no_patch_is_refused_before_anything(body: bytes) -> None:
    with pytest.raises(Malformed):
        read_patch(body)


@pytest.fixture
def ask(database_url: str) -> Iterator[Ask]:
    records = open_records(database_url)
    yield asking(Api(Site(records, Settings())), content_type=JSON)
    records.close()


def test_a_patch_over_the_edge_plain_conditional_and_in_bundles(ask: Ask) -> None:
    before = b'{"resourceType":"Patient","id":"p1","identifier":[{"system":"http://i","value":"1"}]}'
    assert ask("PUT", "Patient/p1", before)[0] == 201
    one = patch(operation("add", "Patient", name="gender", value='"valueCode":"male"'))
    status, body = ask("PATCH", "Patient/p1", one)
    assert (status, body["gender"], body["meta"]["versionId"]) == (200, "male", "2")
    assert ask("PATCH", "Patient/p1", one)[0] == 422  # it is there now
    assert ask("GET", "Patient/p1")[1]["meta"]["versionId"] == "2"
    two = patch(operation("replace", "Patient.gender", value='"valueCode":"female"'))
    assert ask("PATCH", "Patient?identifier=http://i|1", two)[1]["gender"] == "female"
    assert ask("PATCH", "Patient?identifier=http://i|2", two)[0] in (404, 412)
    assert ask("PATCH", "Patient/p1", two, if_match='W/"1"')[0] == 412
    for kind, gender in (("transaction", "other"), ("batch", "unknown")):
        three = patch(operation("replace", "Patient.gender", value=f'"valueCode":"{gender}"')).decode()
        entry = f'{{"resource":{three},"request":{{"method":"PATCH","url":"Patient/p1"}}}}'
        status, body = ask(
            "POST", "", f'{{"resourceType":"Bundle","type":"{kind}","entry":[{entry}]}}'.encode()
        )
        assert status == 200, body
        assert body["entry"][0]["response"]["status"].startswith("200")
        assert ask("GET", "Patient/p1")[1]["gender"] == gender


def test_a_patch_that_makes_no_valid_resource_changes_nothing(ask: Ask) -> None:
    ask("PUT", "Patient/p1", b'{"resourceType":"Patient","id":"p1","gender":"male"}')
    for wrong in (
        operation("replace", "Patient.gender", value='"valueCode":"blue"'),
        operation("replace", "Patient.id", value='"valueId":"p2"'),
    ):
        assert ask("PATCH", "Patient/p1", patch(wrong))[0] == 422
    assert ask("GET", "Patient/p1")[1]["meta"]["versionId"] == "1"
