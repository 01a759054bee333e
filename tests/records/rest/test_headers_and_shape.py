"""Formats, preferences, version tags and the cutting of resources."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xinglin.records.rest.conditional import not_modified, tags, version_number, version_of
from xinglin.records.rest.errors import RestError
from xinglin.records.rest.negotiate import check_nesting, check_sent, preferences, wanted
from xinglin.records.rest.outcome import Issue, outcome
from xinglin.records.rest.shape import cut

FHIR = b"application/fhir+json; charset=utf-8"


@pytest.mark.parametrize(
    ("accept", "format_", "expected"),
    [
        (None, None, FHIR),
        ("*/*", None, FHIR),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", None, FHIR),
        ("application/fhir+json; fhirVersion=4.0", None, FHIR),
        ("application/fhir+xml, application/fhir+json;q=0.1", None, FHIR),
        ("application/json", None, b"application/json; charset=utf-8"),
        ("application/fhir+xml", "json", FHIR),
        ("application/fhir+xml", "application/fhir json", FHIR),
        ("APPLICATION/FHIR+JSON", None, FHIR),
    ],
)
def test_a_format_that_is_spoken(accept: str | None, format_: str | None, expected: bytes) -> None:
    assert wanted(accept, format_)[0] == expected


@pytest.mark.parametrize(
    ("accept", "format_"),
    [
        ("application/fhir+xml", None),
        ("application/fhir+json; fhirVersion=5.0", None),
        ("application/json;q=0", None),
        ("text/turtle", None),
        (None, "xml"),
        (None, "ttl"),
        (None, "application/fhir+xml"),
        (None, ""),
    ],
)
def test_a_format_that_is_not(accept: str | None, format_: str | None) -> None:
    with pytest.raises(RestError) as error:
        wanted(accept, format_)
    assert error.value.status == 406


def test_preferences_are_read_in_any_spelling_and_unknown_ones_passed_over() -> None:
    assert preferences('respond-async, return="minimal" ; handling=Strict').strict is True
    assert preferences("return=everything").returning is None
    assert preferences("return=OperationOutcome").returning == "OperationOutcome"
    assert preferences("handling=lenient").strict is False
    assert preferences(";;,=,return").returning is None


@given(st.text())
def test_no_header_breaks_its_reader(text: str) -> None:
    preferences(text)
    tags(text)
    not_modified(1, datetime(2024, 1, 1, tzinfo=UTC), None, text)
    for read in (
        lambda: wanted(text, None),
        lambda: version_of(text),
        lambda: check_sent(text),
        lambda: version_number(text),
    ):
        with contextlib.suppress(RestError):
            read()


@given(
    st.recursive(
        st.none() | st.booleans() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_nesting_is_counted_as_it_is(value: object) -> None:
    def depth(node: object) -> int:
        if isinstance(node, dict):
            return 1 + max((depth(v) for v in node.values()), default=0)
        return 1 + max((depth(v) for v in node), default=0) if isinstance(node, list) else 0

    body = json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")
    deep = depth(value)
    check_nesting(body, max(deep, 1))
    if deep > 1:
        with pytest.raises(RestError):
            check_nesting(body, deep - 1)


@given(st.text(), st.text(), st.text())
def test_an_outcome_can_hold_any_text(code: str, said: str, place: str) -> None:
    issue = json.loads(outcome([Issue("error", "value", said, place)]))["issue"][0]
    assert all(ord(c) >= 32 or c in "\t\r\n" for c in issue["diagnostics"])


OBSERVATION = (
    b'{"resourceType":"Observation","id":"1","meta":{"versionId":"3","tag":[{"code":"x"}]},"status":"final","_status":{"id":"s"},'
    b'"code":{"text":"K"},"note":[{"text":"n"}],"valueQuantity":{"value":1.10},"component":[{"code":{"text":"c"}}]}'
)


def test_elements_are_cut_from_the_text_itself() -> None:
    cutter = cut(None, ("value",))
    assert cutter is not None
    assert cutter("Observation", OBSERVATION) == (
        b'{"resourceType":"Observation","id":"1","meta":{"versionId":"3","tag":[{"code":"x"},'
        b'{"system":"http://terminology.hl7.org/CodeSystem/v3-ObservationValue","code":"SUBSETTED"}]},'
        b'"status":"final","_status":{"id":"s"},"code":{"text":"K"},"valueQuantity":{"value":1.10}}'
    )


def test_a_summary_is_cut_at_every_depth() -> None:
    cutter = cut("true", ())
    assert cutter is not None
    body = (
        b'{"resourceType":"CapabilityStatement","status":"draft","purpose":"p",'
        b'"rest":[{"mode":"server","documentation":"d","resource":[{"type":"Patient","documentation":"d"}]}]}'
    )
    found = json.loads(cutter("CapabilityStatement", body))
    assert "purpose" not in found
    assert found["rest"] == [{"mode": "server", "resource": [{"type": "Patient"}]}]


def test_a_whole_resource_is_not_touched() -> None:
    assert cut(None, ()) is None
    assert cut("false", ()) is None
