"""A body's id, meta and references change; nothing else does."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from standards.fhir.model.samples import ALL, BUNDLE, DIV, OBSERVATION, PATIENT, text
from xinglin.standards.fhir.edit import replace_references, with_meta
from xinglin.standards.fhir.parse import minify, parse

URN = "urn:uuid:61ebe359-bfdc-4613-8bf2-c5e300945f0a"
WHEN = "2024-02-29T00:00:00.000Z"


def test_id_and_meta_stand_after_the_type_where_there_were_none() -> None:
    assert with_meta(b'{"resourceType":"Patient","active":true}', "a", "1", WHEN) == (
        b'{"resourceType":"Patient","id":"a","meta":{"versionId":"1","lastUpdated":"2024-02-29T00:00:00.000Z"},"active":true}'
    )


def test_id_and_meta_stay_where_they_were() -> None:
    body = (
        b'{"meta":{"tag":[{"code":"x"}],"versionId":"7"},"active":true,"id":"old","resourceType":"Patient"}'
    )
    assert with_meta(body, "a", "8", WHEN) == (
        b'{"meta":{"versionId":"8","lastUpdated":"2024-02-29T00:00:00.000Z","tag":[{"code":"x"}]},'
        b'"active":true,"id":"a","resourceType":"Patient"}'
    )


def test_meta_follows_an_id_that_was_sent() -> None:
    body = b'{"id":"old","active":true,"resourceType":"Patient"}'
    stamped = with_meta(body, "a", "1", WHEN)
    assert list(json.loads(stamped)) == ["id", "meta", "active", "resourceType"]


def test_extensions_of_the_stamps_go_with_them() -> None:
    body = b'{"resourceType":"Patient","meta":{"_versionId":{"id":"x"},"_lastUpdated":{"id":"y"},"source":"urn:z"}}'
    assert json.loads(with_meta(body, "a", "1", WHEN))["meta"] == {
        "versionId": "1",
        "lastUpdated": WHEN,
        "source": "urn:z",
    }


def test_a_version_id_inside_an_extension_is_not_taken_for_the_metas() -> None:
    body = (
        b'{"resourceType":"Patient","meta":{"extension":[{"url":"versionId","valueString":"lastUpdated"}]}}'
    )
    meta = json.loads(with_meta(body, "a", "1", WHEN))["meta"]
    assert meta["extension"] == [{"url": "versionId", "valueString": "lastUpdated"}]
    assert meta["versionId"] == "1"


def test_every_other_lexeme_and_the_order_stay() -> None:
    body = minify(
        b'{"resourceType":"Observation","status":"final","code":{"text":"\\u4e2d\\/"},'
        b'"valueQuantity":{"value":1.10,"unit":"m"},"component":[{"code":{"text":"x"},"valueQuantity":{"value":1E+2}}]}'
    )
    stamped = with_meta(body, "a", "1", WHEN)
    assert stamped.endswith(body.partition(b'"Observation",')[2])


@given(st.sampled_from(sorted(ALL)), st.integers(1, 10**6))
@settings(deadline=None)
def test_stamping_twice_is_stamping_once_with_the_later(kind: str, version: int) -> None:
    body = minify(text(ALL[kind]))
    once = with_meta(body, "x", str(version), WHEN)
    assert with_meta(with_meta(body, "y", "0", "2000-01-01T00:00:00Z"), "x", str(version), WHEN) == once
    parsed = parse(once)
    assert (parsed.id, parsed.meta and parsed.meta.versionId) == ("x", str(version))


def replaced(resource: dict[str, Any], mapping: dict[str, str]) -> Any:
    return json.loads(replace_references(minify(text(resource)), mapping))


def test_references_are_replaced_everywhere() -> None:
    resource = json.loads(text(OBSERVATION).replace(b"Patient/p-1", URN.encode()))
    resource["performer"].append({"reference": URN})
    found = replaced(resource, {URN: "Patient/9"})
    assert found["subject"]["reference"] == found["performer"][1]["reference"] == "Patient/9"
    assert found["performer"][0] == OBSERVATION["performer"][0]


def test_conditional_references_are_replaced() -> None:
    query = "Patient?identifier=http://example.org|1"
    body = json.dumps(
        {"resourceType": "Basic", "code": {"text": "x"}, "subject": {"reference": query}}
    ).encode()
    assert b'"reference":"Patient/4"' in replace_references(minify(body), {query: "Patient/4"})


def test_only_what_is_a_link_is_replaced() -> None:
    extensions = [
        {"url": "u", "valueUri": URN},
        {"url": "u", "valueUrl": URN},
        {"url": "u", "valueUuid": URN},
        {"url": "u", "valueCanonical": URN},
        {"url": "u", "valueString": URN},
        {"url": "u", "valueReference": {"reference": URN, "display": URN}},
    ]
    patient = {
        "resourceType": "Patient",
        "extension": extensions,
        "identifier": [{"system": URN, "value": URN}],
    }
    found = replaced(patient, {URN: "Patient/9"})
    values = [next(v for k, v in e.items() if k != "url") for e in found["extension"]]
    assert values == [
        "Patient/9",
        "Patient/9",
        "Patient/9",
        URN,
        URN,
        {"reference": "Patient/9", "display": URN},
    ]
    assert found["identifier"] == [{"system": "Patient/9", "value": URN}]


def test_longer_text_that_begins_like_a_key_stays() -> None:
    patient = {"resourceType": "Patient", "link": [{"other": {"reference": URN + "0"}, "type": "refer"}]}
    assert replaced(patient, {URN: "Patient/9"}) == patient


def test_links_in_narratives_are_replaced_and_text_is_not() -> None:
    div = f'{DIV}<a href="{URN}">{URN}</a> <a href=\'{URN}#x\'>y</a> <img src="{URN}"/></div>'
    patient = {"resourceType": "Patient", "text": {"status": "generated", "div": div}}
    found = replaced(patient, {URN: "Patient/9"})["text"]["div"]
    assert (
        found
        == f'{DIV}<a href="Patient/9">{URN}</a> <a href="Patient/9#x">y</a> <img src="Patient/9"/></div>'
    )


def test_references_inside_contained_resources_and_bundles_are_replaced() -> None:
    inner = {"resourceType": "Basic", "code": {"text": "x"}, "subject": {"reference": URN}}
    bundle = {**BUNDLE, "entry": [{"resource": {**inner, "contained": [inner]}}]}
    found = replaced(bundle, {URN: "Patient/9"})["entry"][0]["resource"]
    assert found["subject"] == found["contained"][0]["subject"] == {"reference": "Patient/9"}


def test_a_reference_written_with_escapes_is_found() -> None:
    extension = b'"extension":[{"url":"u","valueUri":"urn:uu\\u0069d:1"}]'
    body = (
        b'{"resourceType":"Basic","code":{"text":"x"},"subject":{"reference":"Patient\\/1"},%s}' % extension
    )
    found = json.loads(replace_references(body, {"Patient/1": "Patient/2", "urn:uuid:1": "Patient/3"}))
    assert found["subject"]["reference"] == "Patient/2"
    assert found["extension"][0]["valueUri"] == "Patient/3"


@given(st.sampled_from(sorted(ALL)))
@settings(deadline=None)
def test_nothing_mapped_leaves_the_bytes_alone(kind: str) -> None:
    body = minify(text(ALL[kind]))
    assert replace_references(body, {"urn:uuid:none": "Patient/9"}) == body
    assert replace_references(body, {}) == body


def test_many_mappings_and_few_find_the_same() -> None:
    body = minify(text(PATIENT)).replace(b"Organization/2", URN.encode())
    many = {f"urn:uuid:{i}": f"Basic/{i}" for i in range(50)} | {URN: "Organization/3"}
    assert replace_references(body, many) == replace_references(body, {URN: "Organization/3"})
    assert b"Organization/3" in replace_references(body, many)


def test_members_named_with_escapes_are_known() -> None:
    body = b'{"resourceType":"Patient","id":"old","m\\u0065ta":{"source":"urn:z"},"active":true}'
    assert json.loads(with_meta(body, "a", "1", WHEN), object_pairs_hook=lambda pairs: pairs)[:3] == [
        ("resourceType", "Patient"),
        ("id", "a"),
        ("meta", [("versionId", "1"), ("lastUpdated", WHEN), ("source", "urn:z")]),
    ]


@given(
    st.permutations(["resourceType", "id", "meta", "contained", "active"]), st.integers(1, 5), st.booleans()
)
@settings(deadline=None)
def test_any_order_of_members_is_stamped_alike(names: list[str], count: int, spaced: bool) -> None:
    values = {
        "resourceType": "Patient",
        "id": "old",
        "meta": {"source": "urn:z", "versionId": "9"},
        "contained": [
            {"resourceType": "Basic", "id": "c", "meta": {"source": "urn:c"}, "code": {"text": "meta"}}
        ],
        "active": True,
    }
    sent = {name: values[name] for name in names if name in names[:count] or name == "resourceType"}
    body = minify(json.dumps(sent, indent=2 if spaced else None).encode())
    pairs = json.loads(with_meta(body, "a", "1", WHEN), object_pairs_hook=lambda pairs: pairs)
    found = dict(pairs)
    assert len(found) == len(pairs)
    assert found["id"] == "a"
    assert dict(found["meta"]) == {"versionId": "1", "lastUpdated": WHEN} | (
        {"source": "urn:z"} if "meta" in sent else {}
    )
    assert [n for n in found if n in sent] == list(sent)
    assert json.dumps(dict(json.loads(with_meta(body, "a", "1", WHEN))).get("contained")) == json.dumps(
        sent.get("contained")
    )
