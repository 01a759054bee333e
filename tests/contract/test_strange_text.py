"""Text that databases stumble over: long, empty-looking, of any script; taken and found, never a failure."""

from __future__ import annotations

import json
from typing import Any

import pytest

from xinglin.records.service import Records
from xinglin.standards.fhir.errors import Invalid
from xinglin.standards.fhir.search.grammar import parse_query
from xinglin.trust import Actor

STRANGE = [
    "\u200b",
    "\ufeffbom",
    "𠜎𠜱 🏥👩‍⚕️",
    "שלום עליכם",
    "İstanbul ﬁ ß Ǆ",
    "a\u0301\u0323 é",
    "Robert'); DROP TABLE resource;--",
    "\\x00 \\N \\. %s ? :x $1",
    "tab\there\nline",
    "x" * 3000,
    "漢" * 3000,
    "\U0010ffff",
    "NaN",
    "ｆｕｌｌ　ｗｉｄｔｈ",
]


def patient(id_: str, text: str) -> dict[str, Any]:
    return {
        "resourceType": "Patient",
        "id": id_,
        "identifier": [{"system": "urn:" + text.replace(" ", "")[:1500].strip(), "value": text}],
        "name": [{"family": text, "text": text}],
        "maritalStatus": {"coding": [{"code": "M", "display": text}], "text": text},
        "generalPractitioner": [{"reference": "https://example.org/" + "p" * 3000}],
    }


@pytest.mark.parametrize("text", STRANGE, ids=range(len(STRANGE)))
def test_strange_text_is_kept_and_found(records: Records, here: Actor, text: str) -> None:
    body = patient("p", text)
    try:
        records.update(here, "Patient", "p", json.dumps(body).encode())
    except Invalid:
        # Tier 1 may refuse it; then nothing of it may be there.
        assert records.count(here) == {}
        return
    found = json.loads(records.read(here, "Patient", "p").body)
    found.pop("meta")
    assert found == body
    assert records.load(here, [json.dumps(body, ensure_ascii=False).encode()]).run().unchanged == 1
    escaped = text[:200].replace("\\", "\\\\").replace(",", "\\,").replace("$", "\\$").replace("|", "\\|")
    # A long name is found by its beginning; as a whole it is compared only as far as the index goes.
    for name in ("identifier", "family:exact") if len(text) <= 200 else ("family",):
        query = parse_query("Patient", [(name, escaped)], strict=True)
        assert [entry.stored.id for entry in records.search(here, query).entries] == ["p"], name
    records.fulltext.catch_up()
    records.delete(here, "Patient", "p")


@pytest.mark.parametrize("escape", ["\\u0000", "\\ud800", "\\u0007"])
def test_characters_that_fhir_forbids_are_refused_not_stumbled_over(
    records: Records, here: Actor, escape: str
) -> None:
    body = f'{{"resourceType":"Patient","id":"p","name":[{{"family":"a{escape}b"}}]}}'.encode()
    with pytest.raises(Invalid):
        records.update(here, "Patient", "p", body)
    assert records.load(here, [body]).run().rejections == 1


def test_identifiers_that_share_a_long_beginning_stay_apart(records: Records, here: Actor) -> None:
    for id_, ending in (("a", "1"), ("b", "2")):
        body = {"resourceType": "Patient", "id": id_, "identifier": [{"value": "x" * 220 + ending}]}
        records.update(here, "Patient", id_, json.dumps(body).encode())
    query = parse_query("Patient", [("identifier", "x" * 220 + "2")], strict=True)
    assert [entry.stored.id for entry in records.search(here, query).entries] == ["b"]


def test_numbers_of_any_size_are_kept_digit_for_digit(records: Records, here: Actor) -> None:
    for number in ("1e-400", "12345678901234567890.123456789012345678", "1E+5", "-0.0", "9e307"):
        body = (
            b'{"resourceType":"Observation","id":"o","status":"final","code":{"text":"x"},"valueQuantity":{"value":%s}}'
            % number.encode()
        )
        try:
            records.update(here, "Observation", "o", body)
        except Invalid:
            continue
        assert b'"value":%s}' % number.encode() in records.read(here, "Observation", "o").body
