"""Index rows of every datatype, and of everything HL7 and Synthea give as examples."""

from __future__ import annotations

import gzip
import json
import tarfile
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from paths import r4_examples, shared
from xinglin.records.index.extract import extract, written_rows
from xinglin.records.index.general import general_rows
from xinglin.records.index.rows import CANONICAL, IDENTIFIER, LONGEST, OF_TYPE, IndexContext, IndexRows
from xinglin.records.index.signature import index_signature
from xinglin.records.index.source import MOST_FIRST, MOST_SECOND, UNINDEXED
from xinglin.records.index.unions import is_union, row_numbers
from xinglin.records.search.owners import is_single
from xinglin.standards.fhir.parse import Invalid, parse
from xinglin.standards.fhir.r4.codes import RESOURCE_TYPES
from xinglin.standards.fhir.r4.parameters import PARAMETERS, parameters_of
from xinglin.standards.fhir.temporal import MAX_US, interval

UCUM = "http://unitsofmeasure.org"
INF = float("inf")
SINGLE = {one.number for one in PARAMETERS.values() if is_single(one.base, one.name)}


def rows(kind: str, /, **elements: Any) -> IndexRows:
    """The rows of a resource given by its elements."""
    context = elements.pop("context", IndexContext())
    return extract(parse(json.dumps({"resourceType": kind, **elements}).encode()), context)


def under(found: list[Any], type: str, name: str, shift: int = 0) -> list[Any]:
    """Those of one parameter, without its number."""
    return [row[1:] for row in found if row[0] == PARAMETERS[type, name].number + shift]


def observation(**elements: Any) -> IndexRows:
    return rows("Observation", **{"status": "final", "code": {"text": "x"}, **elements})


def test_a_concept_gives_its_codings_and_a_text_that_none_of_them_shows() -> None:
    code = {"coding": [{"system": "s", "code": "1", "display": "One"}, {"code": "2"}], "text": "Eins"}
    found = observation(code=code)
    expected = [("s", "1", "One"), ("", "2", ""), ("", "", "Eins")]
    assert under(found.tokens, "Observation", "code") == expected
    assert (
        under(found.tokens, "Observation", "combo-code") == []
    )  # found by the rows of code and component-code
    code["text"] = "One"
    assert under(observation(code=code).tokens, "Observation", "code") == expected[:2]


def test_tokens_of_every_other_datatype() -> None:
    found = rows(
        "Patient",
        id="p",
        active=True,
        gender="female",
        meta={"tag": [{"system": "t", "code": "x"}], "profile": ["http://p"], "source": "http://s"},
        identifier=[
            {"system": "i", "value": "7", "type": {"text": "MRN", "coding": [{"system": "v2", "code": "MR"}]}}
        ],
        telecom=[{"system": "phone", "value": "555", "use": "home"}, {"system": "email", "value": "a@b"}],
        communication=[{"language": {"coding": [{"code": "zh"}]}}],
    )
    special = "http://terminology.hl7.org/CodeSystem/special-values"
    for name, expected in {
        "active": [(special, "true", "")],
        "gender": [("http://hl7.org/fhir/administrative-gender", "female", "")],
        "identifier": [("i", "7", "MRN")],
        "telecom": [("home", "555", ""), ("", "a@b", "")],
        "phone": [("home", "555", "")],
        "email": [("", "a@b", "")],
        "language": [("", "zh", "")],
        "deceased": [(special, "false", "")],
    }.items():
        assert sorted(under(found.tokens, "Patient", name)) == sorted(expected), name
    assert under(found.tokens, "Patient", "identifier", OF_TYPE) == [("v2", "MR|7", "")]
    assert under(found.tokens, "Resource", "_tag") == [("t", "x", "")]
    assert under(found.tokens, "Resource", "_profile") == [("", "http://p", "")]
    assert under(found.tokens, "Resource", "_source") == [("", "http://s", "")]


@pytest.mark.parametrize(
    ("element", "expected"),
    [
        ({}, "false"),
        ({"deceasedBoolean": False}, "false"),
        ({"deceasedBoolean": True}, "true"),
        ({"deceasedDateTime": "2020"}, "true"),
    ],
)
def test_a_patient_is_dead_or_not(element: dict[str, Any], expected: str) -> None:
    assert [code for _, code, _ in under(rows("Patient", **element).tokens, "Patient", "deceased")] == [
        expected
    ]


def test_all_parts_of_names_and_addresses_are_strings() -> None:
    found = rows(
        "Patient",
        name=[
            {
                "family": "Müller",
                "given": ["Ann", "Bé"],
                "prefix": ["Dr."],
                "suffix": ["MD"],
                "text": "Ann Müller",
            }
        ],
        address=[
            {
                "line": ["1 Main St", "Flat 2"],
                "city": "Köln",
                "postalCode": "50667",
                "country": "DE",
                "text": "Köln",
            }
        ],
    )
    names = [
        ("ann muller", "Ann Müller"),
        ("muller", "Müller"),
        ("ann", "Ann"),
        ("be", "Bé"),
        ("dr.", "Dr."),
        ("md", "MD"),
    ]
    for parameter in ("name", "phonetic"):
        assert under(found.strings, "Patient", parameter) == [(*name, 0) for name in names]
    assert under(found.strings, "Patient", "family") == [("muller", "Müller", 0)]
    assert under(found.strings, "Patient", "given") == [("ann", "Ann", 0), ("be", "Bé", 0)]
    addresses = {norm for norm, _, _ in under(found.strings, "Patient", "address")}
    assert addresses == {"1 main st", "flat 2", "koln", "50667", "de"}
    assert under(found.strings, "Patient", "address-city") == [("koln", "Köln", 0)]


def test_a_chinese_name_has_derived_keys_that_are_no_exact_ones() -> None:
    found = rows("Patient", name=[{"family": "张", "given": ["伟"], "text": "张伟"}])
    name = under(found.strings, "Patient", "name")
    assert {norm for norm, _, kind in name if kind == 0} == {"张", "伟", "张伟"}
    assert {"zhangwei", "zhang wei", "zw", "wei"} == {norm for norm, _, kind in name if kind == 1}
    assert all(exact == "" for _, exact, kind in name if kind == 1)
    assert ("zhang", "", 1) in under(found.strings, "Patient", "family")
    assert ("wei", "", 1) in under(found.strings, "Patient", "given")


def test_long_strings_are_cut() -> None:
    found = rows("ValueSet", status="draft", description="É" * 5000)
    ((norm, exact, kind),) = under(found.strings, "ValueSet", "description")
    assert (norm, len(exact), kind) == ("e" * LONGEST, LONGEST, 0)
    assert exact.startswith("ÉÉÉ")
    ((_, other, _),) = under(
        rows("ValueSet", status="draft", description="É" * 5001).strings, "ValueSet", "description"
    )
    assert other != exact  # different texts stay different


def test_references_are_local_elsewhere_or_name_nothing() -> None:
    def subject(**reference: Any) -> IndexRows:
        return observation(subject=reference, context=IndexContext(bases=("http://here/fhir/",)))

    for literal, expected in {
        "Patient/1": ("Patient", "1"),
        "Patient/1/_history/3": ("Patient", "1"),
        "http://here/fhir/Patient/1": ("Patient", "1"),
        "http://here/fhir/Patient/1/_history/3": ("Patient", "1"),
        "http://other/fhir/Patient/1": ("", "http://other/fhir/Patient/1"),
        "urn:uuid:7c5bf2f4-6d5c-4d8b-9c57-3d2f0a2f1a55": (
            "",
            "urn:uuid:7c5bf2f4-6d5c-4d8b-9c57-3d2f0a2f1a55",
        ),
    }.items():
        assert under(subject(reference=literal).references, "Observation", "subject") == [expected]
    assert under(subject(display="Someone").references, "Observation", "subject") == [("", "")]
    named = subject(identifier={"system": "i", "value": "7"}, type="Patient")
    assert under(named.references, "Observation", "subject") == [("", "")]
    assert under(named.references, "Observation", "patient") == [("", "")]
    assert under(named.tokens, "Observation", "subject", IDENTIFIER) == [("i", "7", "")]
    assert under(named.tokens, "Observation", "patient", IDENTIFIER) == [("i", "7", "")]


def test_resolve_is_decided_by_the_literal_the_type_or_what_is_contained() -> None:
    assert under(observation(subject={"reference": "Patient/1"}).references, "Observation", "patient") == [
        ("Patient", "1")
    ]
    assert under(observation(subject={"reference": "Group/1"}).references, "Observation", "patient") == []
    far = "http://other/fhir/Patient/1"
    assert under(observation(subject={"reference": far}).references, "Observation", "patient") == [("", far)]
    urn = {"reference": "urn:uuid:7c5bf2f4-6d5c-4d8b-9c57-3d2f0a2f1a55", "type": "Patient"}
    assert len(under(observation(subject=urn).references, "Observation", "patient")) == 1
    inside = {"contained": [{"resourceType": "Patient", "id": "p"}], "subject": {"reference": "#p"}}
    assert under(observation(**inside).references, "Observation", "patient") == [("", "")]


def test_canonicals_are_found_with_and_without_version() -> None:
    found = rows(
        "MeasureReport", status="complete", type="summary", measure="http://m|2", period={"start": "2020"}
    )
    assert under(found.references, "MeasureReport", "measure") == [("", "http://m|2"), ("", "http://m")]


def test_dates_of_every_datatype() -> None:
    assert under(observation(effectiveDateTime="2020-01").dates, "Observation", "date") == [
        interval("2020-01")
    ]
    assert under(observation(effectiveInstant="2020-01-01T00:00:00.5Z").dates, "Observation", "date") == [
        interval("2020-01-01T00:00:00.5Z")
    ]
    period = observation(effectivePeriod={"start": "2020"})
    assert under(period.dates, "Observation", "date") == [(interval("2020")[0], MAX_US)]
    timing = observation(effectiveTiming={"event": ["2021", "2020"]})
    assert under(timing.dates, "Observation", "date") == [(interval("2020")[0], interval("2021")[1])]
    zoned = rows("Patient", birthDate="1970-01-01", context=IndexContext(zone="Asia/Shanghai"))
    assert under(zoned.dates, "Patient", "birthdate") == [(-28_800_000_000, 57_600_000_000)]


def test_quantities_are_kept_as_written_and_in_canonical_units() -> None:
    quantity = {"value": 5.5, "unit": "mg per dL", "system": UCUM, "code": "mg/dL"}
    assert under(observation(valueQuantity=quantity).quantities, "Observation", "value-quantity") == [
        (UCUM, "mg/dL", 5.5, 5.5),
        ("", "mg per dL", 5.5, 5.5),
        (CANONICAL, "g.m-3", 55.0, 55.0),
    ]
    below = {"value": 5, "comparator": "<", "unit": "x"}
    ((_, _, low, high), *_) = under(
        observation(valueQuantity=below).quantities, "Observation", "value-quantity"
    )
    assert low == -INF
    assert 4.999 < high < 5
    assert under(observation(valueQuantity={"unit": "mg"}).quantities, "Observation", "value-quantity") == []
    unknown = {"value": 1, "system": UCUM, "code": "smoots"}
    assert under(observation(valueQuantity=unknown).quantities, "Observation", "value-quantity") == [
        (UCUM, "smoots", 1, 1)
    ]


def test_one_quantity_in_two_units_has_one_canonical_row() -> None:
    def canonical(value: float, code: str) -> list[Any]:
        found = observation(valueQuantity={"value": value, "system": UCUM, "code": code})
        return [
            row for row in under(found.quantities, "Observation", "value-quantity") if row[0] == CANONICAL
        ]

    assert canonical(5.4, "mg") == canonical(0.0054, "g") == canonical(5400, "ug") != []


def test_ranges_and_samples_are_intervals() -> None:
    sampled = {
        "origin": {"value": 10, "system": UCUM, "code": "mm"},
        "period": 1,
        "dimensions": 1,
        "factor": 2,
        "data": "-1 E 3 U",
    }
    found = observation(valueSampledData={**sampled, "upperLimit": 20})
    assert under(found.quantities, "Observation", "value-quantity")[0] == (UCUM, "mm", 8.0, 50.0)
    risk = rows(
        "RiskAssessment",
        status="final",
        subject={"reference": "Patient/1"},
        prediction=[{"probabilityDecimal": 0.25}, {"probabilityRange": {"low": {"value": 0.5}}}],
    )
    assert under(risk.quantities, "RiskAssessment", "probability") == [
        ("", "", 0.25, 0.25),
        ("", "", 0.5, INF),
    ]
    money = rows("Invoice", status="draft", totalNet={"value": 3, "currency": "CNY"})
    assert under(money.quantities, "Invoice", "totalnet") == [("urn:iso:std:iso:4217", "CNY", 3, 3)]


@pytest.mark.parametrize(
    "data", ["NaN 1", "sNaN 1", "Infinity 1", "1e999999999 1", "x 1", "U L 1", "-" * 50 + " 1"]
)
def test_samples_that_are_no_numbers_are_passed_by(data: str) -> None:
    sampled = {"origin": {"value": 0, "unit": "mm"}, "period": 1, "dimensions": 1, "data": data}
    found = observation(valueSampledData=sampled)
    assert under(found.quantities, "Observation", "value-quantity")[0] == ("", "", 1, 1)


@pytest.mark.parametrize(
    "literal",
    [
        "/",
        "#",
        "Patient",
        "Patient/",
        "Patient//x",
        "Patient/1/2/3",
        "Patient/1/_history/",
        "http://a/",
        "Patient?identifier=1",
        "\u202e",
    ],
)
def test_any_literal_gives_one_reference_row(literal: str) -> None:
    found = observation(subject={"reference": literal}, context=IndexContext(bases=("http://a/",)))
    ((type, _),) = under(found.references, "Observation", "subject")
    assert type == ""


def test_composites_pair_the_values_of_one_element() -> None:
    code = {"coding": [{"system": "l", "code": "bp"}]}

    def part(code: str, value: int) -> dict[str, Any]:
        return {
            "code": {"coding": [{"system": "l", "code": code}]},
            "valueQuantity": {"value": value, "unit": "mmHg"},
        }

    found = observation(code=code, component=[part("sys", 120), part("dia", 80)])
    assert under(found.pairs, "Observation", "component-code-value-quantity") == [
        (("l", "sys", ""), ("", "", ""), 120, 120, ""),
        (("l", "sys", ""), ("", "mmHg", ""), 120, 120, ""),
        (("l", "dia", ""), ("", "", ""), 80, 80, ""),
        (("l", "dia", ""), ("", "mmHg", ""), 80, 80, ""),
    ]
    assert under(found.pairs, "Observation", "code-value-quantity") == []
    found = observation(code=code, valueString="Größe")
    assert under(found.pairs, "Observation", "code-value-string") == [(("l", "bp", ""), None, 0, 0, "grosse")]
    found = observation(code=code, valueDateTime="2020")
    assert under(found.pairs, "Observation", "code-value-date") == [
        (("l", "bp", ""), None, *interval("2020"), "")
    ]
    found = observation(code=code, valueCodeableConcept={"coding": [{"code": "pos"}]})
    assert under(found.pairs, "Observation", "code-value-concept") == [
        (("l", "bp", ""), ("", "pos", ""), 0, 0, "")
    ]
    relates = rows(
        "DocumentReference",
        status="current",
        content=[{"attachment": {"url": "http://x"}}],
        relatesTo=[{"code": "replaces", "target": {"reference": "DocumentReference/1"}}],
    )
    ((target, token, *_),) = under(relates.pairs, "DocumentReference", "relationship")
    assert target == ("DocumentReference", "1")
    assert token[1] == "replaces"
    sequence = rows(
        "MolecularSequence",
        coordinateSystem=0,
        referenceSeq={"chromosome": {"coding": [{"code": "1"}]}, "windowStart": 3, "windowEnd": 9},
        variant=[{"start": 4, "end": 5}],
    )
    assert under(sequence.pairs, "MolecularSequence", "chromosome-variant-coordinate") == [
        (("", "1", ""), None, 4, 5, "")
    ]
    assert under(sequence.pairs, "MolecularSequence", "chromosome-window-coordinate") == [
        (("", "1", ""), None, 3, 9, "")
    ]


def test_pairs_of_one_element_are_bounded() -> None:
    many = {"coding": [{"system": "s", "code": str(number)} for number in range(100)]}
    found = observation(code=many, valueCodeableConcept=many)
    assert len(under(found.pairs, "Observation", "code-value-concept")) == MOST_FIRST * MOST_SECOND


def test_owners_are_the_patients_of_the_compartment() -> None:
    assert rows("Patient", id="a").patients == ["a"]
    assert rows(
        "Patient", id="a", link=[{"other": {"reference": "Patient/b"}, "type": "seealso"}]
    ).patients == ["a", "b"]
    assert observation(
        subject={"reference": "Patient/a"}, performer=[{"reference": "Patient/a"}]
    ).patients == ["a"]
    assert observation(subject={"reference": "Group/a"}).patients == []
    assert observation(focus=[{"reference": "Patient/a"}]).patients == []
    assert rows("Organization", name="x").patients == []


def test_a_bundle_is_found_by_its_composition() -> None:
    inner = {"resourceType": "Composition", "id": "c", "status": "final", "type": {"text": "x"}, "date": "2020", "title": "t",
             "author": [{"reference": "Practitioner/1"}]}  # fmt: skip
    found = rows("Bundle", type="document", entry=[{"fullUrl": "urn:x:1", "resource": inner}])
    assert under(found.references, "Bundle", "composition") == [("Composition", "c")]
    assert under(found.references, "Bundle", "message") == []


def test_primitives_that_have_only_an_extension_give_no_row() -> None:
    given_name = {
        "given": [None, "Ann"],
        "_given": [{"extension": [{"url": "http://x", "valueBoolean": True}]}, None],
    }
    assert under(rows("Patient", name=[given_name]).strings, "Patient", "given") == [("ann", "Ann", 0)]


def test_every_type_has_a_function_and_leaves_little_to_the_engine() -> None:
    left = {(type, one.name) for type in RESOURCE_TYPES for one in written_rows(type)[1]}
    assert left == {
        ("Patient", "deceased"),
        ("MolecularSequence", "chromosome-variant-coordinate"),
        ("MolecularSequence", "referenceseqid-variant-coordinate"),
    }


def test_signatures_tell_types_and_stay_the_same() -> None:
    signatures = {type: index_signature(type) for type in RESOURCE_TYPES}
    index_signature.cache_clear()
    assert signatures == {type: index_signature(type) for type in RESOURCE_TYPES}
    assert len(set(signatures.values())) > 130  # types with the common parameters only share theirs
    assert all(0 <= one < 2**31 for one in signatures.values())


def test_a_changed_surname_changes_the_signature_of_types_with_names_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from xinglin.records.index import signature

    before = {type: index_signature(type) for type in ("Patient", "Observation", "Flag")}
    monkeypatch.setattr(signature, "_readings", lambda: "other")
    index_signature.cache_clear()
    assert index_signature("Patient") != before["Patient"]
    assert index_signature("Flag") == before["Flag"]
    monkeypatch.undo()
    index_signature.cache_clear()


def _official() -> Iterator[bytes]:
    with tarfile.open(r4_examples()) as archive:
        for member in archive:
            if member.name.endswith(".json") and (file := archive.extractfile(member)) is not None:
                body = file.read()
                if b'"resourceType"' in body:
                    yield body


def _without_system(row: Any) -> str:
    return repr([part[1:] if isinstance(part, tuple) and len(part) == 3 else part for part in row])


def _lists(rows: IndexRows) -> list[list[Any]]:
    return [rows.tokens, rows.references, rows.strings, rows.dates, rows.quantities, rows.pairs]


def _agree(resource: Any) -> set[int]:
    """Compare with the FHIRPath engine's rows; the numbers of the parameters that have rows."""
    found, other = extract(resource, IndexContext()), IndexRows()
    unions = []
    for parameter in parameters_of(type(resource).__name__).values():
        if parameter.name not in UNINDEXED and parameter.expression and parameter.type != "special":
            if is_union(parameter):
                unions.append(parameter)
                continue
            general_rows(parameter, resource, (), None, other)
    for parameter in unions:
        whole = IndexRows()
        general_rows(parameter, resource, (), None, whole)
        for ours, parts in zip(_lists(whole), _lists(other), strict=True):
            assert {row[1:] for row in ours} == {
                row[1:] for row in parts if row[0] in row_numbers(parameter)
            }, parameter.name
    # The engine knows neither implied systems nor the readings of a name's parts, and unites equal quantities.
    assert {(n, c, t) for n, _, c, t in found.tokens} == {(n, c, t) for n, _, c, t in other.tokens}
    assert {row[:3] for row in found.strings if row[3] == 0} == {
        row[:3] for row in other.strings if row[3] == 0
    }
    assert set(found.references) == set(other.references)
    assert set(found.dates) == set(other.dates)
    assert set(found.quantities) >= set(other.quantities)
    assert {row[0] for row in found.quantities} == {row[0] for row in other.quantities}
    assert {_without_system(row) for row in found.pairs} == {_without_system(row) for row in other.pairs}
    lists = _lists(found)
    for one in lists:
        assert len(one) == len(set(one))
        for number, count in Counter(row[0] for row in one).items():
            assert count == 1 or number not in SINGLE, number  # search relies on it
    return {row[0] for one in lists for row in one}


@pytest.mark.slow
def test_written_functions_agree_with_the_fhirpath_engine_on_all_official_examples() -> None:
    seen: set[int] = set()
    count = 0
    for body in _official():
        try:
            resource = parse(body)
        except Invalid:
            continue
        seen |= _agree(resource)
        count += 1
    assert count > 5000
    assert (
        len(seen & set(range(1, 10_000))) > 1300
    )  # of 1,700 parameters; HL7's examples do not fill the others


def test_written_functions_agree_with_the_fhirpath_engine_on_synthea() -> None:
    lines = gzip.decompress(shared("fhir", "synthea_100.ndjson.gz").read_bytes()).splitlines()
    for line in lines[::50]:
        _agree(parse(line))
