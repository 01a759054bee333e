"""A search as of an instant finds what the ordinary search found at that instant, on random histories."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from eras import ACTOR, Era, built
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from searches import LINKS, SIMPLE, conditions

from xinglin.records.past import AsOf, past_of
from xinglin.records.past.questions import compartment_types
from xinglin.records.search import Page
from xinglin.records.service import Records
from xinglin.standards.fhir.r4.compartments import PATIENT_COMPARTMENT
from xinglin.standards.fhir.search.grammar import parse_query
from xinglin.standards.fhir.search.query import Compartment, Query

EXAMPLES = int(os.environ.get("XINGLIN_PAST_EXAMPLES", "120"))
HERE = "http://here.org/fhir/"
PATIENTS = [f"pa{number}" for number in range(6)]
OWN = sorted(set(SIMPLE) & set(PATIENT_COMPARTMENT))
NAMED = {
    "Observation": "patient",
    "Encounter": "patient",
    "RiskAssessment": "subject:Patient",
    "DocumentReference": "patient",
    "Provenance": "patient",
    "Patient": "_id",
}
SORTS = [[], [], [("_sort", "_id")], [("_sort", "-_lastUpdated")]]


@st.composite
def within_a_patient(draw: Any) -> tuple[str | None, Compartment | None, list[tuple[str, str]]]:
    patient = draw(st.sampled_from(PATIENTS))
    if draw(st.booleans()):
        kind = draw(st.sampled_from([*OWN, "Patient"]))
        compartment, named = Compartment("Patient", patient), []
    else:
        kind = draw(st.sampled_from(sorted(NAMED)))
        compartment, named = None, [(NAMED[kind], patient)]
    pairs = draw(st.lists(conditions(kind, depth=2), max_size=2))
    brought = []
    if draw(st.booleans()) and kind in LINKS:
        name, _ = draw(st.sampled_from(LINKS[kind]))
        iterate = draw(st.sampled_from(["", ":iterate"]))
        brought.append((f"_include{iterate}", f"{kind}:{name}"))
    back = [(source, name) for source, links in LINKS.items() for name, target in links if target == kind]
    if draw(st.booleans()) and back:
        source, name = draw(st.sampled_from(back))
        brought.append(("_revinclude", f"{source}:{name}"))
    count = [("_count", draw(st.sampled_from(["1000", "2"])))]
    return kind, compartment, [*named, *pairs, *brought, *draw(st.sampled_from(SORTS)), *count]


def all_pages(ask: Any, query: Query) -> tuple[list[tuple[Any, ...]], set[tuple[Any, ...]]]:
    """Matches in order, and what was included with any page."""
    matches: list[tuple[Any, ...]] = []
    included: set[tuple[Any, ...]] = set()
    while True:
        page: Page = ask(query)
        for entry in page.entries:
            one = (entry.stored.type, entry.stored.id, entry.stored.version, entry.stored.body)
            if entry.mode == "match":
                matches.append(one)
            else:
                included.add(one)
        if page.next is None:
            return matches, included
        query = replace(query, cursor=page.next)


@pytest.mark.parametrize(("seed", "zone"), [(1, "UTC"), (7, "Asia/Shanghai")])
def test_a_search_as_of_an_instant_finds_what_it_found_then(
    database_url: str, tmp_path: Path, seed: int, zone: str
) -> None:
    records, eras = built(database_url, tmp_path, seed, zone)
    past = past_of(records)
    found: list[int] = []

    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
    @given(within_a_patient(), st.sampled_from(eras))
    def check(search: tuple[str | None, Compartment | None, list[tuple[str, str]]], era: Era) -> None:
        kind, compartment, pairs = search
        query = parse_query(kind, pairs, strict=True, timezone=zone, bases=(HERE,), compartment=compartment)
        expected = all_pages(lambda q: era.then.search(ACTOR, q), query)
        answered = all_pages(lambda q: past.search(ACTOR, q, AsOf(era.at_us)), query)
        if era.same_numbers:
            if query.sort:
                assert answered[0] == expected[0]  # in the same order
            assert set(answered[0]) == set(expected[0])
            assert len(answered[0]) == len(expected[0])
            assert answered[1] == expected[1]
        else:
            for mine, theirs in zip(answered, expected, strict=True):
                assert {one[:2] for one in mine} == {one[:2] for one in theirs}
        found.append(len(expected[0]))

    check()
    _close(records, eras)
    assert sum(map(bool, found)) > len(found) // 12, (
        f"only {sum(map(bool, found))} of {len(found)} found anything"
    )


def test_a_chart_as_of_an_instant_holds_what_it_held_then(database_url: str, tmp_path: Path) -> None:
    records, eras = built(database_url, tmp_path, 3, "UTC")
    past = past_of(records)
    seen = 0
    for era in eras:
        for patient in PATIENTS:
            query = parse_query(
                None, [("_count", "1000")], strict=True, compartment=Compartment("Patient", patient)
            )
            expected = {(e.stored.type, e.stored.id) for e in era.then.search(ACTOR, query).entries}
            after, found = None, []
            while True:
                page = past.chart(ACTOR, patient, AsOf(era.at_us), count=7, after=after)
                found += [(stored.type, stored.id) for stored in page.entries]
                after = page.next
                if after is None:
                    break
            assert len(found) == len(set(found))
            assert set(found) == expected
            seen += len(found)
    _close(records, eras)
    assert seen > 100


def test_a_read_as_of_an_instant_gives_the_version_of_then(database_url: str, tmp_path: Path) -> None:
    records, eras = built(database_url, tmp_path, 5, "UTC")
    past = past_of(records)
    names = [
        (kind, f"{kind[:2].lower()}{n}") for kind in ("Observation", "Patient", "Group") for n in range(12)
    ]
    there = 0
    for era in eras:
        expected = {}
        for name in names:
            try:
                expected[name] = era.then.read(ACTOR, *name).body
            except Exception as error:
                expected[name] = type(error).__name__.encode()
        for name in names:
            try:
                body = past.read(ACTOR, *name, AsOf(era.at_us)).body
                there += 1
                assert body == expected[name] or not era.same_numbers
            except Exception as error:
                # A copy of live resources knows nothing of deletions: not found is then as good as gone.
                same = {"GoneThen": "Gone", "NotYet": "NotFound"}.get(
                    type(error).__name__, type(error).__name__
                )
                assert same.encode() == expected[name] or (
                    not era.same_numbers and expected[name] == b"NotFound"
                )
    _close(records, eras)
    assert there > 20


def test_the_types_of_a_chart_are_those_of_the_compartment() -> None:
    assert "Observation" in compartment_types()
    assert "Patient" in compartment_types()
    assert "Practitioner" not in compartment_types()


def _close(records: Records, eras: list[Era]) -> None:
    records.close()
    for era in eras:
        era.then.close()
