"""Chains, _has, compartments, includes: what one resource says of another."""

from __future__ import annotations

import pytest
from shelf import Shelf, number

from xinglin.records.index.rows import IndexRows
from xinglin.records.search import Bounds, Search, TooManyIncluded

DAY = 86_400_000_000
CODE, DATE = number("Observation", "code"), number("Observation", "date")
SUBJECT, PATIENT = number("Observation", "subject"), number("Observation", "patient")
ENCOUNTER, PERFORMER = number("Observation", "encounter"), number("Observation", "performer")
NAME, GENDER, ORG = number("Patient", "name"), number("Patient", "gender"), number("Patient", "organization")
LINK, PRACTITIONER = number("Patient", "link"), number("Patient", "general-practitioner")


def patient(name: str, gender: str, organization: str) -> IndexRows:
    return IndexRows(
        tokens=[(GENDER, "g", gender, "")],
        strings=[(NAME, name, name, 0)],
        references=[(ORG, "Organization", organization)],
    )


def observation(code: str, subject: str, day: int, encounter: str = "") -> IndexRows:
    kind, id_ = subject.split("/")
    references = [(SUBJECT, kind, id_)]
    if kind == "Patient":
        references.append((PATIENT, kind, id_))
    if encounter:
        references.append((ENCOUNTER, "Encounter", encounter))
    return IndexRows(
        tokens=[(CODE, "c", code, "")],
        references=references,
        dates=[(DATE, day * DAY, day * DAY + 1)],
        patients=[id_] if kind == "Patient" else [],
    )


@pytest.fixture
def ward(shelf: Shelf) -> Shelf:
    partof = number("Organization", "partof")
    shelf.put("Organization/top", IndexRows(strings=[(number("Organization", "name"), "trust", "Trust", 0)]))
    shelf.put("Organization/north", IndexRows(references=[(partof, "Organization", "top")]))
    shelf.put("Organization/south", IndexRows())
    shelf.put("Patient/p1", patient("zhang", "male", "north"), patient="p1")
    shelf.put("Patient/p2", patient("zhao", "female", "south"), patient="p2")
    shelf.put("Patient/p3", patient("li", "male", "south"), patient="p3")
    shelf.put("Group/p1", IndexRows())
    shelf.put(
        "Encounter/e1",
        IndexRows(
            references=[(number("Encounter", name), "Patient", "p1") for name in ("subject", "patient")],
            patients=["p1"],
        ),
    )
    for n, (code, subject, encounter) in enumerate(
        [
            ("hb", "Patient/p1", "e1"),
            ("hb", "Patient/p2", ""),
            ("k", "Patient/p1", "e1"),
            ("k", "Patient/p3", ""),
            ("hb", "Group/p1", ""),
            ("na", "Patient/gone", ""),
        ]
    ):
        shelf.put(f"Observation/o{n}", observation(code, subject, n, encounter))
    return shelf


@pytest.mark.parametrize(
    ("search", "expected"),
    [
        ("Observation?subject:Patient.name=zha", "o0 o1 o2"),
        ("Observation?subject:Patient.name=zha&code=hb", "o0 o1"),
        ("Observation?subject.name=zhang", "o0 o2"),
        ("Observation?patient.gender=male", "o0 o2 o3"),
        ("Observation?patient.gender:not=male", "o1"),
        ("Observation?subject:Patient.gender:missing=false", "o0 o1 o2 o3"),
        ("Observation?subject:Patient.birthdate:missing=true", "o0 o1 o2 o3"),
        ("Observation?subject:Patient.organization.name=trust", ""),
        ("Observation?subject:Patient.organization.partof.name=trust", "o0 o2"),
        ("Observation?subject:Patient._id=p2,p3", "o1 o3"),
        ("Observation?subject:Patient._id=gone", ""),
        ("Observation?subject:Group._id=p1", "o4"),
        ("Observation?encounter.subject:Patient.name=zhang", "o0 o2"),
        ("Observation?patient._has:Observation:patient:code=k", "o0 o2 o3"),
        ("Patient?_has:Observation:patient:code=hb", "p1 p2"),
        ("Patient?_has:Observation:subject:code=k", "p1 p3"),
        ("Group?_has:Observation:subject:code=hb", "p1"),
        ("Patient?_has:Observation:patient:code=na", ""),
        ("Patient?_has:Observation:patient:code:not=k", "p1 p2"),
        ("Patient?_has:Observation:patient:date=ge1970-01-04", "p3"),
        ("Patient?_has:Observation:patient:encounter._id=e1", "p1"),
        ("Patient?_has:Encounter:patient:_has:Observation:encounter:code=na", ""),
        ("Patient?_has:Encounter:subject:_has:Observation:encounter:code=k", "p1"),
        ("Patient?_has:Observation:patient:code=hb&_has:Observation:patient:code=k", "p1"),
        ("Organization?_has:Patient:organization:gender=male", "north south"),
        (
            "Organization?_has:Patient:organization:_has:Observation:patient:code=k&name:missing=true",
            "north south",
        ),
        ("Patient?_has:Observation:patient:code=nothing", ""),
        ("Patient?gender=male&_has:Observation:patient:code=hb", "p1"),
    ],
)
def test_chains_and_has(ward: Shelf, search: str, expected: str) -> None:
    kind = search.partition("?")[0]
    wanted = [f"{kind}/{one}" for one in expected.split()]
    assert sorted(ward.names(f"{search}&_count=1")) == wanted
    assert sorted(ward.names(f"{search}&_sort=_id&_count=2")) == wanted
    assert ward.page(f"{search}&_total=accurate&_count=1").total == len(wanted)


def test_compartments(ward: Shelf) -> None:
    ward.put("Observation/performed", IndexRows(references=[(PERFORMER, "Patient", "p1")], patients=["p1"]))
    assert sorted(ward.names("Patient/p1/Observation?_count=2")) == [
        "Observation/o0",
        "Observation/o2",
        "Observation/performed",
    ]
    assert ward.names("Patient/p1/Observation?code=k&_sort=-date") == ["Observation/o2"]
    assert ward.names("Encounter/e1/Observation?_sort=-date") == ["Observation/o2", "Observation/o0"]
    assert ward.names("Patient/p1/Patient?") == ["Patient/p1"]
    assert ward.names("Patient/nobody/Observation?") == []
    assert ward.names("Patient/p1/Organization?") == []


def test_whole_compartment_over_several_types(ward: Shelf) -> None:
    found = ward.names("Patient/p1/?_type=Observation,Encounter,Patient&_count=2")
    assert sorted(found) == ["Encounter/e1", "Observation/o0", "Observation/o2", "Patient/p1"]


def test_includes_bring_each_resource_once(ward: Shelf) -> None:
    found = ward.included("Observation?code=hb&_include=Observation:subject&_include=Observation:encounter")
    assert sorted(found) == ["Encounter/e1", "Group/p1", "Patient/p1", "Patient/p2"]
    assert sorted(ward.included("Observation?code=hb&_include=Observation:subject:Patient")) == [
        "Patient/p1",
        "Patient/p2",
    ]
    assert sorted(ward.included("Observation?_id=o0&_include=*")) == ["Encounter/e1", "Patient/p1"]
    assert ward.included("Observation?code=na&_include=Observation:subject") == []


def test_included_resources_are_followed_only_with_iterate(ward: Shelf) -> None:
    once = ward.included("Observation?_id=o0&_include=Observation:patient")
    chain = ward.included(
        "Observation?_id=o0&_include=Observation:patient&_include:iterate=Patient:organization"
        "&_include:iterate=Organization:partof"
    )
    assert once == ["Patient/p1"]
    assert chain == ["Patient/p1", "Organization/north", "Organization/top"]


def test_revinclude_and_its_iteration(ward: Shelf) -> None:
    assert sorted(ward.included("Patient?name=zhang&_revinclude=Observation:subject")) == [
        "Observation/o0",
        "Observation/o2",
    ]
    found = ward.included(
        "Organization?_id=north&_revinclude=Patient:organization&_revinclude:iterate=Observation:patient"
    )
    assert sorted(found) == ["Observation/o0", "Observation/o2", "Patient/p1"]


def test_cycles_of_includes_end(shelf: Shelf) -> None:
    for this, that in (("a", "b"), ("b", "c"), ("c", "a")):
        shelf.put(f"Patient/{this}", IndexRows(references=[(LINK, "Patient", that)]))
    assert shelf.included("Patient?_id=a&_include:iterate=Patient:link") == ["Patient/b", "Patient/c"]


def test_too_many_includes_are_an_error_that_names_the_limit(ward: Shelf) -> None:
    ward.search = Search(ward.search.cursors, Bounds(included=1))
    with pytest.raises(TooManyIncluded, match="1 included"):
        ward.page("Observation?code=hb&_include=Observation:subject")


def test_deleted_resources_are_in_no_answer(ward: Shelf) -> None:
    ward.put("Observation/o0")
    ward.put("Patient/p2")
    assert sorted(ward.names("Observation?code=hb")) == ["Observation/o1", "Observation/o4"]
    assert ward.names("Observation?subject:Patient.name=zhao") == []
    assert ward.names("Patient?_has:Observation:patient:code=hb") == []
    assert ward.included("Observation?_id=o1&_include=Observation:subject") == []
    assert ward.names("Patient?_id=p2") == []
    assert ward.page("Patient?_summary=count").total == 2
    assert ward.page("?_summary=count").total == 12
