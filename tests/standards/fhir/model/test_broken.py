"""Broken resources are refused at the right place, and whole ones accepted."""

from __future__ import annotations

import pytest

from standards.fhir.model.broken import BROKEN, Broken
from standards.fhir.model.samples import ALL, text
from xinglin.kernel.language import sentences
from xinglin.standards.fhir.errors import Invalid
from xinglin.standards.fhir.parse import parse
from xinglin.standards.fhir.validate import tier1


def test_at_least_two_hundred_kinds_with_names_of_their_own() -> None:
    assert len({b.name for b in BROKEN}) == len(BROKEN) >= 200


@pytest.mark.parametrize("broken", BROKEN, ids=lambda b: b.name)
def test_broken_resource_is_refused_at_its_place(broken: Broken) -> None:
    with pytest.raises(Invalid) as refused:
        parse(broken.body)
    found = [(f.expression, f.message_key) for f in refused.value.findings if f.is_error]
    assert (broken.expression, f"standards.fhir-{broken.key}") in found
    for finding in refused.value.findings:
        assert finding.say("en")
        assert finding.say("zh")


@pytest.mark.parametrize("resource", ALL.values(), ids=ALL)
def test_the_whole_resource_is_accepted(resource: dict[str, object]) -> None:
    body = text(resource)
    assert not tier1(body)
    assert type(parse(body)).__name__ == resource["resourceType"]


def test_every_finding_of_one_body_is_told() -> None:
    body = b'{"resourceType":"Patient","gender":"M","birthDate":"2023-02-29","foo":1,"name":[{"given":[""]}]}'
    with pytest.raises(Invalid) as refused:
        parse(body)
    places = {f.expression for f in refused.value.findings}
    assert places == {"Patient.gender", "Patient.birthDate", "Patient.foo", "Patient.name[0].given[0]"}


def test_findings_hold_nothing_of_the_record() -> None:
    body = b'{"resourceType":"Patient","gender":"secret1","birthDate":"secret2","id":"sec ret3"}'
    with pytest.raises(Invalid) as refused:
        parse(body)
    said = " ".join(f.say(language) for f in refused.value.findings for language in ("en", "zh"))
    assert "sec" not in said


def test_every_sentence_of_a_format_exists() -> None:
    from xinglin.standards.fhir.primitives import PATTERNS

    assert {f"fhir-format-{kind.lower()}" for kind in PATTERNS} <= set(sentences("standards"))


def test_findings_have_an_end() -> None:
    body = b'{"resourceType":"Patient","name":[' + b"null," * 200_000 + b"null]}"
    findings = tier1(body)
    assert len(findings) == 1001
    assert findings[-1].message_key == "standards.fhir-more-findings"
    with pytest.raises(Invalid):
        parse(body)
