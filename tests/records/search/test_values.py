"""Tokens, strings, references, URIs, numbers, quantities and composites: values and modifiers."""

from __future__ import annotations

import pytest
from shelf import Shelf, number

from xinglin.records.index.rows import IDENTIFIER, OF_TYPE, IndexRows

LOINC = "http://loinc.org"
UCUM = "http://unitsofmeasure.org"
CODE, STATUS = number("Observation", "code"), number("Observation", "status")
SUBJECT, VALUE = number("Observation", "subject"), number("Observation", "value-quantity")
PAIR, CODE_PAIR = number("Observation", "code-value-quantity"), number("Observation", "code-value-concept")
NAME, MRN = number("Patient", "name"), number("Patient", "identifier")


@pytest.fixture
def coded(shelf: Shelf) -> Shelf:
    put = shelf.put
    put(
        "Observation/a",
        IndexRows(tokens=[(CODE, LOINC, "8480-6", "Systolic pressure"), (STATUS, "s", "final", "")]),
    )
    put("Observation/b", IndexRows(tokens=[(CODE, LOINC, "8480-6", "收缩压"), (CODE, "", "bp", "Pressure")]))
    put(
        "Observation/c",
        IndexRows(tokens=[(CODE, "other", "8480-6", ""), (CODE, LOINC, "8480-6", "Systolic pressure")]),
    )
    put("Observation/d", IndexRows(tokens=[(CODE, "", "", "Blood pressure, standing")]))
    put("Observation/e", IndexRows(tokens=[(STATUS, "s", "final", "")]))
    return shelf


@pytest.mark.parametrize(
    ("search", "expected"),
    [
        ("code=8480-6", "abc"),
        (f"code={LOINC}|8480-6", "abc"),
        ("code=other|8480-6", "c"),
        ("code=|bp", "b"),
        ("code=|8480-6", ""),
        ("code=BP", "b"),
        (f"code={LOINC}|", "abc"),
        ("code=nowhere|", ""),
        ("code=unheard", ""),
        ("code=unheard,bp", "b"),
        (f"code=bp,{LOINC}|8480-6,other|", "abc"),
        ("code:not=8480-6", "de"),
        ("code:not=unheard", "abcde"),
        ("code:not=bp,8480-6", "de"),
        ("code:missing=true", "e"),
        ("code:missing=false", "abcd"),
        ("code:text=systolic", "ac"),
        ("code:text=PRESSURE", "abcd"),
        ("code:text=收缩", "b"),
        ("code:text=ystolic", ""),
        ("code=8480-6&status=final", "a"),
        ("code=8480-6&status:not=final", "bc"),
        ("code=8480-6&code=bp", "b"),
    ],
)
def test_tokens(coded: Shelf, search: str, expected: str) -> None:
    assert sorted(coded.names(f"Observation?{search}&_count=2")) == [f"Observation/{one}" for one in expected]


def test_code_with_very_many_displays_is_still_found(shelf: Shelf) -> None:
    for n in range(600):
        shelf.put(f"Observation/o{n}", IndexRows(tokens=[(CODE, LOINC, "718-7", f"haemoglobin {n}")]))
    shelf.put("Observation/other", IndexRows(tokens=[(CODE, LOINC, "718-8", "")]))
    assert len(set(shelf.names("Observation?code=718-7&_count=100"))) == 600
    assert len(shelf.names(f"Observation?code={LOINC}|718-7&_count=100")) == 600
    assert shelf.names("Observation?code:not=718-7") == ["Observation/other"]


def test_identifier_by_its_type_and_identifier_of_a_reference(shelf: Shelf) -> None:
    shelf.put("Patient/1", IndexRows(tokens=[(MRN, "urn:mrn", "7", ""), (MRN + OF_TYPE, "v2", "MR|7", "")]))
    shelf.put("Patient/2", IndexRows(tokens=[(MRN, "urn:mrn", "7", ""), (MRN + OF_TYPE, "v2", "SS|7", "")]))
    shelf.put(
        "Observation/1",
        IndexRows(tokens=[(SUBJECT + IDENTIFIER, "urn:mrn", "7", "")], references=[(SUBJECT, "", "")]),
    )
    assert shelf.names("Patient?identifier:of-type=v2|MR|7") == ["Patient/1"]
    assert shelf.names("Patient?identifier=urn:mrn|7") == ["Patient/1", "Patient/2"]
    assert shelf.names("Observation?subject:identifier=urn:mrn|7") == ["Observation/1"]
    assert shelf.names("Observation?subject:identifier=urn:mrn|8") == []
    assert shelf.names("Observation?subject:missing=false") == ["Observation/1"]


@pytest.mark.parametrize(
    ("search", "expected"),
    [
        ("name=mull", "1"),
        ("name=MÜLLER", "1"),
        ("name=ller", ""),
        ("name=zw", "2"),
        ("name=张", "2"),
        ("name=伟", "2"),
        ("name:exact=Müller", "1"),
        ("name:exact=müller", ""),
        ("name:exact=zw", ""),
        ("name:exact=Mül", ""),
        ("name:contains=LLE", "1"),
        ("name:contains=hangw", "2"),
        ("name:contains=%", ""),
        ("name=_", ""),
        ("name=mull,zhang", "12"),
        ("name=muller&name=anna", "1"),
        ("name:missing=true", "3"),
        ("name:contains=xyz", ""),
    ],
)
def test_strings(shelf: Shelf, search: str, expected: str) -> None:
    shelf.put("Patient/1", IndexRows(strings=[(NAME, "muller", "Müller", 0), (NAME, "anna", "Anna", 0)]))
    derived = [(NAME, key, "", 1) for key in ("伟", "zhangwei", "zhang wei", "zw", "wei")]
    shelf.put("Patient/2", IndexRows(strings=[(NAME, "张", "张", 0), (NAME, "张伟", "张伟", 0), *derived]))
    shelf.put("Patient/3", IndexRows())
    assert sorted(shelf.names(f"Patient?{search}&_count=1")) == [f"Patient/{one}" for one in expected]


def test_references(shelf: Shelf) -> None:
    shelf.put("Observation/1", IndexRows(references=[(SUBJECT, "Patient", "x")]))
    shelf.put("Observation/2", IndexRows(references=[(SUBJECT, "Group", "x")]))
    shelf.put("Observation/3", IndexRows(references=[(SUBJECT, "", "http://elsewhere.org/Patient/x")]))
    shelf.put("Observation/4", IndexRows())
    assert shelf.names("Observation?subject=Patient/x") == ["Observation/1"]
    assert shelf.names("Observation?subject=x") == ["Observation/1", "Observation/2"]
    assert shelf.names("Observation?subject:Group=x") == ["Observation/2"]
    assert shelf.names("Observation?subject=http://elsewhere.org/Patient/x") == ["Observation/3"]
    assert shelf.names("Observation?subject=Patient/x,Group/x&_count=1") == ["Observation/1", "Observation/2"]
    assert shelf.names("Observation?subject=Patient/none") == []
    assert shelf.names("Observation?subject:missing=true") == ["Observation/4"]


def test_owner_column_never_hides_a_reference_to_something_else(shelf: Shelf) -> None:
    tokens = [(CODE, LOINC, "1", "")]
    shelf.put("Observation/own", IndexRows(tokens, [(SUBJECT, "Patient", "x")], patients=["x"]))
    shelf.put("Observation/both", IndexRows(tokens, [(SUBJECT, "Patient", "x")], patients=["x", "y"]))
    shelf.put("Observation/group", IndexRows(tokens, [(SUBJECT, "Group", "x")]))
    shelf.put("Observation/performer", IndexRows(tokens, [(SUBJECT, "Patient", "z")], patients=["x", "z"]))
    assert sorted(shelf.names("Observation?subject=Patient/x&code=1")) == [
        "Observation/both",
        "Observation/own",
    ]
    assert shelf.names("Observation?subject=Group/x&code=1") == ["Observation/group"]
    assert sorted(shelf.names("Observation?subject=x&code=1")) == [
        "Observation/both",
        "Observation/group",
        "Observation/own",
    ]


def test_uris(shelf: Shelf) -> None:
    url = number("ValueSet", "url")
    for id_, uri in (
        ("1", "http://a.org/fhir"),
        ("2", "http://a.org/fhir/vs"),
        ("3", "http://a.org/fhirx"),
        ("4", "urn:x:1"),
    ):
        shelf.put(f"ValueSet/{id_}", IndexRows(tokens=[(url, "", uri, "")]))
    assert shelf.names("ValueSet?url=http://a.org/fhir") == ["ValueSet/1"]
    assert shelf.names("ValueSet?url=http://A.org/fhir") == []
    assert shelf.names("ValueSet?url:below=http://a.org/fhir") == ["ValueSet/1", "ValueSet/2"]
    assert shelf.names("ValueSet?url:above=http://a.org/fhir/vs/deep") == ["ValueSet/1", "ValueSet/2"]
    assert shelf.names("ValueSet?url=urn:x:1,http://a.org/fhirx") == ["ValueSet/3", "ValueSet/4"]


NUMBERS = {
    "a": (4.0, 4.0),
    "b": (5.0, 5.0),
    "c": (5.4, 5.4),
    "d": (6.0, 6.0),
    "r": (3.0, 7.0),
    "w": (5.0, float("inf")),
}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("5", "bc"), ("5.0", "b"), ("5.4", "c"), ("ne5", "adrw"), ("gt5", "cdrw"), ("ge5", "bcdrw"), ("lt5", "ar"),
        ("le5", "abrw"), ("sa5", "cd"), ("eb5", "a"), ("ap5", "bcrw"), ("5,6", "bcd"), ("gt100", "w"), ("lt-1", ""),
    ],
)  # fmt: skip
def test_numbers_and_units(shelf: Shelf, value: str, expected: str) -> None:
    for id_, (low, high) in NUMBERS.items():
        rows = [(VALUE, UCUM, "kg", low, high), (VALUE, "ucum", "g", low * 1000, high * 1000)]
        shelf.put(f"Observation/{id_}", IndexRows(quantities=rows))
    shelf.put("Observation/mmol", IndexRows(quantities=[(VALUE, UCUM, "mmol/L", 50.0, 50.0)]))
    wanted = [f"Observation/{one}" for one in expected]
    values = value.split(",")
    for unit in (f"|{UCUM}|kg", "||kg"):
        asked = ",".join(one + unit for one in values)
        assert sorted(shelf.names(f"Observation?value-quantity={asked}&_count=1")) == wanted
    everything = shelf.names(f"Observation?value-quantity={value}&_count=1")
    assert sorted(set(everything) - {"Observation/mmol"}) == wanted
    assert len(everything) == len(set(everything))


def test_units_are_compared_in_canonical_form(shelf: Shelf) -> None:
    shelf.put(
        "Observation/kg",
        IndexRows(quantities=[(VALUE, UCUM, "kg", 5.0, 5.0), (VALUE, "ucum", "g", 5000.0, 5000.0)]),
    )
    shelf.put(
        "Observation/g",
        IndexRows(quantities=[(VALUE, UCUM, "g", 300.0, 300.0), (VALUE, "ucum", "g", 300.0, 300.0)]),
    )
    assert shelf.names(f"Observation?value-quantity=5000|{UCUM}|g") == ["Observation/kg"]
    assert shelf.names(f"Observation?value-quantity=0.3|{UCUM}|kg") == ["Observation/g"]
    assert shelf.names("Observation?value-quantity=5000") == []  # as written, no row says 5000
    assert shelf.names(f"Observation?value-quantity=gt1|{UCUM}|mmol/L") == []
    assert shelf.names("Observation?_sort=value-quantity") == ["Observation/g", "Observation/kg"]
    assert shelf.names("Observation?_sort=-value-quantity") == ["Observation/kg", "Observation/g"]


def test_plain_number(shelf: Shelf) -> None:
    probability = number("RiskAssessment", "probability")
    for id_, value in (("1", 0.5), ("2", 0.8)):
        shelf.put(f"RiskAssessment/{id_}", IndexRows(quantities=[(probability, "", "", value, value)]))
    assert shelf.names("RiskAssessment?probability=gt0.6") == ["RiskAssessment/2"]
    assert shelf.names("RiskAssessment?probability=0.5") == ["RiskAssessment/1"]


def test_composites_hold_within_one_row(shelf: Shelf) -> None:
    systolic, diastolic, mmhg = (LOINC, "8480-6", ""), (LOINC, "8462-4", ""), (UCUM, "mm[Hg]", "")
    pascal = ("ucum", "g.m-1.s-2", "")

    def pressure(id_: str, high: float, low: float) -> None:
        pairs = []
        for code, value in ((systolic, high), (diastolic, low)):
            pairs.append((PAIR, code, mmhg, value, value, ""))
            pairs.append((PAIR, code, pascal, value * 133322.387415, value * 133322.387415, ""))
        shelf.put(f"Observation/{id_}", IndexRows(pairs=pairs))  # type: ignore[arg-type]

    pressure("high", 160, 95)
    pressure("low", 100, 60)
    assert shelf.names(f"Observation?code-value-quantity={LOINC}|8480-6$gt140|{UCUM}|mm[Hg]") == [
        "Observation/high"
    ]
    assert shelf.names("Observation?code-value-quantity=8462-4$gt140||mm[Hg]") == []
    assert shelf.names(
        "Observation?code-value-quantity=8480-6$gt12|http://unitsofmeasure.org|kPa&_count=1"
    ) == [
        "Observation/low",
        "Observation/high",
    ]
    assert shelf.names("Observation?code-value-quantity=8480-6$100") == ["Observation/low"]
    assert shelf.names(f"Observation?code-value-quantity={LOINC}|$95") == ["Observation/high"]
    assert shelf.names("Observation?code-value-quantity=8462-4$lt70,8480-6$gt150") == [
        "Observation/high",
        "Observation/low",
    ]
    shelf.put(
        "Observation/concept", IndexRows(pairs=[(CODE_PAIR, ("x", "k", ""), ("x", "v", "text"), 0, 0, "")])
    )
    assert shelf.names("Observation?code-value-concept=x|k$v") == ["Observation/concept"]
    assert shelf.names("Observation?code-value-concept=x|k$k") == []


def test_composites_of_other_shapes(shelf: Shelf) -> None:
    day = 86_400_000_000
    dated, texted = number("Observation", "code-value-date"), number("Observation", "code-value-string")
    related = number("DocumentReference", "relationship")
    window = number("MolecularSequence", "chromosome-window-coordinate")
    k = ("x", "k", "")
    shelf.put(
        "Observation/1",
        IndexRows(pairs=[(dated, k, None, day, 2 * day, ""), (texted, k, None, 0, 0, "brown rash")]),
    )
    shelf.put(
        "DocumentReference/1",
        IndexRows(pairs=[(related, ("DocumentReference", "0"), ("x", "replaces", ""), 0, 0, "")]),
    )
    shelf.put("MolecularSequence/1", IndexRows(pairs=[(window, ("", "1", ""), None, 100, 200, "")]))
    assert shelf.names("Observation?code-value-date=k$1970-01-02") == ["Observation/1"]
    assert shelf.names("Observation?code-value-date=k$gt1970-01-02") == []
    assert shelf.names("Observation?code-value-string=k$Brown") == ["Observation/1"]
    assert shelf.names("Observation?code-value-string=k$rash") == []
    assert shelf.names("DocumentReference?relationship=DocumentReference/0$replaces") == [
        "DocumentReference/1"
    ]
    assert shelf.names("DocumentReference?relationship=DocumentReference/1$replaces") == []
    assert shelf.names("MolecularSequence?chromosome-window-coordinate=1$gt50$lt300") == [
        "MolecularSequence/1"
    ]
    assert shelf.names("MolecularSequence?chromosome-window-coordinate=1$gt150$lt300") == []
