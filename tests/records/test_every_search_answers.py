"""No search that the grammar takes fails in the database: every parameter with every modifier, as sort key, chained, included."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from xinglin.kernel.database import open_database
from xinglin.kernel.settings import Settings
from xinglin.records.service import Records
from xinglin.standards.fhir.r4.parameters import SearchParameter, parameters_of
from xinglin.standards.fhir.search.errors import SearchError
from xinglin.standards.fhir.search.grammar import parse_query
from xinglin.trust import local_system

sys.path.insert(0, str(Path(__file__).parent))

import worlds

KINDS = [
    "Patient",
    "Observation",
    "ValueSet",
    "RiskAssessment",
    "MolecularSequence",
    "Bundle",
    "Binary",
    "Location",
    "DocumentReference",
]
MODIFIERS = {"": None, ":missing": "true", ":exact": None, ":contains": None, ":not": None, ":text": None, ":identifier": "a|b",
             ":of-type": "a|b|c", ":above": None, ":below": None, ":Patient": None}  # fmt: skip
Search = tuple[str | None, list[tuple[str, str]]]


def sample(parameter: SearchParameter) -> str:
    """A value of the parameter's form."""
    if parameter.type == "composite":
        named = parameters_of(parameter.base)
        return "$".join(sample(named[name]) for name, _ in parameter.components)
    forms = {
        "date": "2020-01",
        "number": "1",
        "quantity": "5.4|http://unitsofmeasure.org|mg",
        "reference": "pa1",
    }
    return forms.get(parameter.type, "x")


def searches() -> Iterator[Search]:
    for kind in KINDS:
        for parameter in parameters_of(kind).values():
            name = parameter.name
            for modifier, value in MODIFIERS.items():
                pair = (name + modifier, value or sample(parameter))
                yield kind, [pair]
                if kind == "Patient":
                    yield "Observation", [(f"subject:Patient.{pair[0]}", pair[1])]
                    yield None, [("_type", "Patient,Practitioner"), pair]
                if kind == "Observation":
                    yield "Patient", [(f"_has:Observation:patient:{pair[0]}", pair[1])]
            yield kind, [("_sort", name)]
            yield kind, [("_sort", f"-{name},_id"), ("_count", "2"), ("_total", "accurate")]
            yield kind, [("_include", f"{kind}:{name}"), ("_count", "3")]
            yield kind, [("_revinclude", f"{kind}:{name}"), ("_count", "3")]
        yield (
            kind,
            [("_include", "*"), ("_include:iterate", "*"), ("_revinclude", "Provenance:*"), ("_count", "3")],
        )
        yield kind, [("_summary", "count")]
    for parameter in parameters_of("Resource").values():
        for modifier, value in MODIFIERS.items():
            yield None, [(parameter.name + modifier, value or sample(parameter))]
        yield None, [("_sort", parameter.name)]


@pytest.mark.slow
def test_every_search_answers(database_url: str) -> None:
    records = Records(open_database(database_url, durable=False), Settings())
    records.load(local_system(), [json.dumps(one).encode() for one in worlds.World(3, 4).resources]).run()
    records.fulltext.catch_up()
    asked = 0
    for kind, pairs in searches():
        try:
            query = parse_query(kind, pairs, strict=True)
        except SearchError:
            continue
        page = records.search(local_system(), query)
        assert page.total is None or page.total >= sum(entry.mode == "match" for entry in page.entries)
        asked += 1
    records.close()
    assert asked > 1500
