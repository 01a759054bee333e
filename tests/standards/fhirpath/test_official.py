"""HL7's official FHIRPath tests for R4 (FHIR/fhir-test-cases, Apache-2.0), those in the shared test set."""

from __future__ import annotations

import json
import random
import xml.etree.ElementTree as ElementTree
from decimal import Decimal
from functools import cache
from typing import Any

import msgspec
import pytest

from paths import SHARED_DATA, shared
from xinglin.standards.fhir import fhirpath
from xinglin.standards.fhir.fhirpath import FhirPathError, FhirPathSyntaxError, Quantity

FOLDER = ("fhir", "fhir-test-cases", "r4", "fhirpath")

#: Tests that we do not follow, each with the reason. The count of those that pass is asserted below.
MISSES = {
    "HighBoundaryDateTimeMillisecond3": "asks for minute 00 as the latest of an hour; the standard's own text gives minute 59",
}
REQUIRED = 695

#: One input lacks what R4 requires of it, which our structs do not hold; the test is about other elements.
COMPLETION = {
    "status": "active",
    "type": {"text": "not stated"},
    "use": "claim",
    "patient": {"display": "not stated"},
    "created": "2020-01-01",
    "insurer": {"display": "not stated"},
    "provider": {"display": "not stated"},
    "outcome": "complete",
    "insurance": [{"focal": True, "coverage": {"display": "not stated"}}],
}


def _cases() -> list[ElementTree.Element]:
    path = SHARED_DATA.joinpath(*FOLDER, "tests-fhir-r4.xml")
    return list(ElementTree.parse(path).getroot().iter("test")) if path.exists() else []


@cache
def _resource(name: str) -> Any:
    from xinglin.standards.fhir.r4 import model

    body = json.loads(shared(*FOLDER, "input", name.replace(".xml", ".json")).read_bytes())
    if name == "explanationofbenefit-example.json":
        body |= COMPLETION
        for item in body["item"]:
            item["productOrService"] = {"text": "not stated"}
    return msgspec.json.decode(json.dumps(body), type=model.Resource)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def _same(expected: ElementTree.Element, kind: str, value: Any) -> bool:
    text, wanted = expected.text or "", expected.get("type")
    if wanted is not None and kind.partition(".")[2].lower() != wanted.lower():
        return False
    if isinstance(value, (int, Decimal)) and not isinstance(value, bool):
        return Decimal(text) == value and (
            wanted is not None or "." not in text or _text(value) == text.lstrip("-") or _text(value) == text
        )
    if isinstance(value, Quantity):
        return str(value) == text
    return _text(value) == text.removeprefix("@T" if kind == "System.Time" else "@")


def outcome(case: ElementTree.Element) -> str | None:
    """What differs from the expectation, or None where the test passes."""
    node = case.find("expression")
    assert node is not None
    invalid = node.get("invalid")
    file = case.get("inputfile")
    resource = _resource(file) if file else None
    strict = "strict" in (case.get("mode"), node.get("mode"))
    context = type(resource).__name__ if file else None
    try:
        expression = fhirpath.compile(node.text or "", context, strict=strict)
        if case.get("predicate") == "true":
            found = [("System.Boolean", bool(expression.holds(resource)))]
        else:
            found = expression.evaluate_typed(resource)
    except FhirPathError as error:
        if invalid == "syntax" and not isinstance(error, FhirPathSyntaxError):
            return f"an error of the wrong kind: {error!r}"
        return None if invalid else f"{type(error).__name__} {error.key} {error.values}"
    if invalid:
        return f"should be invalid, gives {found}"
    expected = case.findall("output")
    if len(found) != len(expected):
        return f"{len(found)} results, not {len(expected)}: {found}"
    wrong = [pair for pair in zip(expected, found, strict=True) if not _same(pair[0], *pair[1])]
    return f"{wrong[0][1]} is not {wrong[0][0].text}" if wrong else None


@pytest.mark.skipif(not _cases(), reason="needs the shared test set fhir/fhir-test-cases")
def test_official_expressions_give_the_official_results() -> None:
    cases = _cases()
    failed = [(case.get("name", ""), outcome(case)) for case in cases]
    unexpected = [f"{name}: {why}" for name, why in failed if why is not None and name not in MISSES]
    assert not unexpected, "\n".join(unexpected)
    passed = sum(why is None for _, why in failed)
    assert passed >= REQUIRED * len(cases) / 700


@pytest.mark.skipif(not _cases(), reason="needs the shared test set fhir/fhir-test-cases")
def test_the_table_of_misses_lists_only_real_ones() -> None:
    failing = {case.get("name") for case in _cases() if outcome(case) is not None}
    assert set(MISSES) <= failing


@pytest.mark.skipif(not _cases(), reason="needs the shared test set fhir/fhir-test-cases")
def test_any_two_official_expressions_joined_give_a_result_or_a_fhirpath_error() -> None:
    texts = [case.findtext("expression", "") for case in _cases()]
    chance = random.Random(20260620)
    operators = "= != ~ < >= + - * / div mod & | and or in contains implies".split()  # noqa: SIM905
    resource = _resource("patient-example.json")
    results = 0
    for _ in range(3_000):
        first, second = chance.choice(texts), chance.choice(texts)
        cut = chance.randrange(len(second) + 1)
        joined = chance.choice(
            [
                f"({first}) {chance.choice(operators)} ({second})",
                f"({first}).select({second})",
                first + second[cut:],
            ]
        )
        try:
            results += bool(fhirpath.compile(joined, "Patient").evaluate(resource))
        except FhirPathError:
            continue
    assert results > 500
