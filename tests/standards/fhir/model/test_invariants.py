"""Tier 2: R4's invariants hold on official and synthetic data, and say where they do not."""

from __future__ import annotations

import gzip
import random
from typing import Any

import pytest

from paths import shared
from standards.fhir.model.samples import ALL, BUNDLE, OBSERVATION, PATIENT, QUESTIONNAIRE, drop, put, text
from xinglin.kernel.language import sentences
from xinglin.standards.fhir.fhirpath import compile as compile_path
from xinglin.standards.fhir.fhirpath.errors import FhirPathError
from xinglin.standards.fhir.invariants import NOT_EVALUATED
from xinglin.standards.fhir.parse import parse
from xinglin.standards.fhir.r4.invariants import INVARIANTS
from xinglin.standards.fhir.validate import tier2


def broken(resource: dict[str, Any]) -> set[tuple[str, object]]:
    return {(f.expression, f.values["key"]) for f in tier2(parse(text(resource))) if f.is_error}


def test_every_invariant_compiles_or_is_listed_with_its_reason() -> None:
    for path, invariants in INVARIANTS.items():
        for invariant in invariants:
            try:
                compile_path(invariant.expression, path)
            except FhirPathError:
                assert invariant.key in NOT_EVALUATED


@pytest.mark.parametrize("kind", ALL)
def test_whole_resources_break_none(kind: str) -> None:
    assert broken(ALL[kind]) == set()


def test_synthea_breaks_none() -> None:
    lines = gzip.decompress(shared("fhir", "synthea_100.ndjson.gz").read_bytes()).splitlines()
    for line in random.Random(3).sample(lines, 1000):
        assert not [f for f in tier2(parse(line)) if f.is_error], line[:200]


@pytest.mark.parametrize(
    ("resource", "expression", "key"),
    [
        (put(PATIENT, "contact.0", {"gender": "male"}), "Patient.contact[0]", "pat-1"),
        (put(PATIENT, "telecom.0", {"value": "1"}), "Patient.telecom[0]", "cpt-2"),
        (put(PATIENT, "identifier.0.period", {"start": "2002", "end": "2001"}), "Patient.identifier[0].period", "per-1"),
        (put(PATIENT, "name.0", {"id": "x"}), "Patient.name[0]", "ele-1"),
        (put(PATIENT, "name.0", {"given": ["W", None], "_given": [None, {"id": "x"}]}), "Patient.name[0].given[1]", "ele-1"),
        (put(PATIENT, "extension.0", {"url": "u", "valuePeriod": {"start": "2002", "end": "2001"}}),
         "Patient.extension[0].value.ofType(Period)", "per-1"),
        (put(OBSERVATION, "dataAbsentReason", {"text": "x"}), "Observation", "obs-6"),
        (put(OBSERVATION, "referenceRange.0", {"type": {"text": "x"}}), "Observation.referenceRange[0]", "obs-3"),
        (put(OBSERVATION, "valueQuantity", {"value": 1, "code": "%"}), "Observation.value.ofType(Quantity)", "qty-3"),
        (put(OBSERVATION, "device", {"reference": "#other"}), "Observation.device", "ref-1"),
        (drop(OBSERVATION, "device"), "Observation.contained[0]", "dom-3"),
        (put(OBSERVATION, "contained.0.meta", {"versionId": "1"}), "Observation", "dom-4"),
        (put(OBSERVATION, "contained.0.meta", {"security": [{"code": "R"}]}), "Observation", "dom-5"),
        (put(QUESTIONNAIRE, "item.0.item.0.linkId", "1"), "Questionnaire", "que-2"),
        (put(QUESTIONNAIRE, "item.0.type", "display"), "Questionnaire.item[0]", "que-1"),
        (put(BUNDLE, "total", 1), "Bundle", "bdl-1"),
        (put(BUNDLE, "entry.0.search", {"mode": "match"}), "Bundle", "bdl-2"),
        (drop(BUNDLE, "entry.0.request"), "Bundle", "bdl-3"),
        (put(BUNDLE, "entry.0.resource", PATIENT | {"contact": [{"gender": "male"}]}),
         "Bundle.entry[0].resource.contact[0]", "pat-1"),
        ({"resourceType": "Organization", "name": "x", "telecom": [{"system": "phone", "value": "1", "use": "home"}]},
         "Organization.telecom[0]", "org-3"),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)  # fmt: skip
def test_a_broken_invariant_is_found_at_its_place(
    resource: dict[str, Any], expression: str, key: str
) -> None:
    assert (expression, key) in broken(resource)


def test_best_practice_is_a_warning_only() -> None:
    findings = tier2(parse(text(OBSERVATION)))
    assert [(f.severity, f.values["key"]) for f in findings] == [("warning", "dom-6")]
    assert findings[0].say("zh") != findings[0].say("en")


def test_the_docs_tell_which_invariants_are_not_evaluated() -> None:
    from pathlib import Path

    page = (Path(__file__).resolve().parents[4] / "docs" / "validation.md").read_text(encoding="utf-8")
    assert all(key in page for key in NOT_EVALUATED)


def test_sentences_of_invariants_are_about_invariants_that_exist() -> None:
    keys = {invariant.key for group in INVARIANTS.values() for invariant in group}
    own = {
        name.removeprefix("fhir-invariant-")
        for name in sentences("standards")
        if name.startswith("fhir-invariant-")
    }
    assert len(own) > 80
    assert own <= keys


def test_an_invariant_speaks_both_languages() -> None:
    finding = next(f for f in tier2(parse(text(put(PATIENT, "contact.0", {"gender": "male"})))) if f.is_error)
    assert (
        finding.say("en")
        == "SHALL at least contain a contact's details or a reference to an organization. (pat-1)"
    )
    assert finding.say("zh") == "联系人至少要有姓名、联系方式、地址或所属机构之一。（pat-1）"
