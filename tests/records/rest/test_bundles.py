"""Batch and transaction bundles as data."""

from __future__ import annotations

import json

import pytest

from xinglin.records.rest.bundles import (
    Links,
    below_base,
    bundle_bytes,
    check_full_urls,
    check_targets,
    entry_bytes,
    in_order,
    read_bundle,
)
from xinglin.records.rest.errors import Malformed, RestError, TooMany
from xinglin.records.rest.references import conditional_references

UUID = "urn:uuid:61ebe359-bfdc-4613-8bf2-c5e300945f0a"


def bundle(*entries: dict[str, object], kind: str = "transaction") -> bytes:
    return json.dumps({"resourceType": "Bundle", "type": kind, "entry": list(entries)}).encode()


def post(url: str = "Patient", **more: object) -> dict[str, object]:
    return {"resource": {"resourceType": "Patient"}, "request": {"method": "POST", "url": url}, **more}


def request(method: str, url: str) -> dict[str, object]:
    return {"resource": {"resourceType": "Patient"}, "request": {"method": method, "url": url}}


def test_entries_are_taken_in_the_order_of_the_standard_and_within_it_as_sent() -> None:
    methods = ["GET", "PUT", "POST", "PATCH", "DELETE", "HEAD", "POST", "PUT"]
    batch = read_bundle(bundle(*(request(m, f"Patient/{i}") for i, m in enumerate(methods))), most=10)
    assert [e.index for e in in_order(batch.entries)] == [4, 2, 6, 1, 3, 7, 0, 5]


def test_a_resource_stays_the_text_it_was() -> None:
    raw = b'{"resourceType":"Bundle","type":"batch","entry":[{"resource":{"v" :1.10},"request":{"method":"POST","url":"X"}}]}'
    assert read_bundle(raw, most=1).entries[0].resource == b'{"v" :1.10}'


@pytest.mark.parametrize(
    ("body", "expression"),
    [
        (b'{"resourceType":"Patient"}', "Bundle.resourceType"),
        (b"[]", "Bundle.resourceType"),
        (b'"x"', "Bundle.resourceType"),
        (b'{"resourceType":"Bundle"}', "Bundle.type"),
        (b'{"resourceType":"Bundle","type":"searchset"}', "Bundle.type"),
        (b'{"resourceType":"Bundle","type":"batch","entry":{}}', "Bundle.entry"),
        (b'{"resourceType":"Bundle","type":"transaction","entry":[5]}', "Bundle.entry[0]"),
        (bundle({"resource": {}}), "Bundle.entry[0].request"),
        (bundle(post(), request("FETCH", "Patient")), "Bundle.entry[1].request.method"),
        (bundle({"request": {"method": "GET"}}), "Bundle.entry[0].request.url"),
        (bundle({"request": {"method": "PUT", "url": "Patient/1"}}), "Bundle.entry[0].resource"),
        (bundle({**post(), "fulUrl": "x"}), "Bundle.entry[0]"),
    ],
)
def test_a_bundle_without_form_is_refused_at_its_place(body: bytes, expression: str) -> None:
    with pytest.raises(Malformed) as error:
        read_bundle(body, most=10)
    assert error.value.expression == expression


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff\xfe", b'{"resourceType":"Bundle","type":"batch"', b"[" * 200_000]
)
def test_what_is_no_json_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed):
        read_bundle(body, most=10)


def test_more_entries_than_allowed_are_refused_with_the_setting_named() -> None:
    with pytest.raises(TooMany) as error:
        read_bundle(bundle(post(), post(), post()), most=2)
    assert "bundle_limit" in error.value.say()
    assert "2" in error.value.say()


def test_two_entries_with_one_full_url_are_refused() -> None:
    batch = read_bundle(bundle(post(fullUrl=UUID), post(fullUrl=UUID)), most=10)
    with pytest.raises(Malformed) as error:
        check_full_urls(batch.entries)
    assert error.value.expression == "Bundle.entry[1].fullUrl"


def test_two_entries_that_change_one_resource_are_refused() -> None:
    batch = read_bundle(bundle(request("PUT", "Patient/1"), request("DELETE", "Patient/1")), most=10)
    with pytest.raises(Malformed) as error:
        check_targets((e, "Patient", "1") for e in batch.entries)
    assert error.value.expression == "Bundle.entry[1]"


def test_links_to_entries_are_rewritten_wherever_they_stand_and_nothing_else_is() -> None:
    body = json.dumps(
        {
            "resourceType": "DocumentReference",
            "id": "1",
            "text": {
                "status": "generated",
                "div": f'<div xmlns="http://www.w3.org/1999/xhtml"><a href="{UUID}">{UUID}</a></div>',
            },
            "identifier": [{"system": "urn:ietf:rfc:3986", "value": UUID}],
            "subject": {"reference": UUID, "display": UUID},
            "content": [{"attachment": {"url": UUID, "size": 3}}],
        },
        separators=(",", ":"),
    ).encode()
    found = json.loads(Links({UUID: "Patient/7"}).resolve(body, None))
    assert found["subject"] == {"reference": "Patient/7", "display": UUID}
    assert found["content"][0]["attachment"]["url"] == "Patient/7"
    assert found["identifier"][0]["value"] == UUID
    assert f'<a href="Patient/7">{UUID}</a>' in found["text"]["div"]


def test_a_relative_reference_is_read_against_its_own_entrys_address() -> None:
    links = Links({"http://old/fhir/Patient/1": "Patient/new"})
    body = b'{"resourceType":"Observation","subject":{"reference":"Patient/1"}}'
    assert b'"Patient/new"' in links.resolve(body, "http://old/fhir/Observation/5")
    assert links.resolve(body, "http://other/fhir/Observation/5") == body
    assert links.resolve(body, UUID) == body


def test_numbers_keep_their_digits_when_links_are_rewritten() -> None:
    body = (
        b'{"resourceType":"Observation","subject":{"reference":"%s"},"valueQuantity":{"value":1.10}}'
        % UUID.encode()
    )
    assert Links({UUID: "Patient/1"}).resolve(body, None) == (
        b'{"resourceType":"Observation","subject":{"reference":"Patient/1"},"valueQuantity":{"value":1.10}}'
    )


def test_conditional_references_are_found_at_any_depth() -> None:
    found = conditional_references(
        {"a": [{"b": {"reference": "Patient?identifier=s|1"}}], "reference": "Patient/1", "url": "X?y"}
    )
    assert found == {"Patient?identifier=s|1": "Resource.a[0].b.reference"}


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("Patient/1", (("Patient", "1"), "")),
        ("/Patient?a=b", (("Patient",), "a=b")),
        ("http://h/fhir/Patient/1/_history/2", (("Patient", "1", "_history", "2"), "")),
        ("Patient?identifier=http://x|1", (("Patient",), "identifier=http://x|1")),
        ("Pat%69ent/a%2Fb", (("Patient", "a/b"), "")),
        ("http://elsewhere/fhir/Patient/1", None),
        ("http://h/fhirx/Patient/1", None),
        ("urn:uuid:1", None),
    ],
)
def test_addresses_of_entries(url: str, expected: object) -> None:
    assert below_base(url, "http://h/fhir") == expected


def test_a_bundle_is_joined_from_its_entries_bytes() -> None:
    entry = entry_bytes("http://h/Patient/1", b'{"v":1.10}', status="200 OK", etag='W/"1"')
    joined = bundle_bytes("batch-response", [entry], links=[("self", 'http://h?"x"')], total=1)
    assert b'"resource":{"v":1.10}' in joined
    found = json.loads(joined)
    assert found["entry"][0]["response"] == {"status": "200 OK", "etag": 'W/"1"'}
    assert found["link"] == [{"relation": "self", "url": 'http://h?"x"'}]


def test_every_refusal_is_a_sentence_in_both_languages() -> None:
    with pytest.raises(RestError) as error:
        read_bundle(bundle(kind="message"), most=1)
    assert "message" in error.value.say("en")
    assert "message" in error.value.say("zh")
