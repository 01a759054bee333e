"""URL parameters to a typed Query."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paths import shared
from xinglin.kernel.language import sentences
from xinglin.standards.fhir.r4.elements import ELEMENTS
from xinglin.standards.fhir.r4.parameters import PARAMETERS, SearchParameter, parameters_of
from xinglin.standards.fhir.search.errors import (
    MalformedParameter,
    SearchError,
    TooLargeSearch,
    UnknownParameter,
    UnsupportedSearch,
)
from xinglin.standards.fhir.search.grammar import parse_query
from xinglin.standards.fhir.search.implied import code_system
from xinglin.standards.fhir.search.limits import Limits
from xinglin.standards.fhir.search.names import RESOURCE_TYPES, targets
from xinglin.standards.fhir.search.query import (
    PREFIXES,
    Chain,
    CompositeValue,
    Criterion,
    DateValue,
    Has,
    NumberValue,
    OfTypeValue,
    QuantityValue,
    Query,
    ReferenceValue,
    StringValue,
    TextValue,
    TokenValue,
    UriValue,
    Value,
)
from xinglin.standards.fhir.search.text import escaped, plain, split

DAY = 86_400_000_000


def ask(type: str | None, *pairs: str, **options: object) -> Query:
    """A search from ``name=value`` texts, strictly."""
    parted = [(name, value) for name, _, value in (pair.partition("=") for pair in pairs)]
    return parse_query(type, parted, **{"strict": True, **options})  # type: ignore[arg-type]


def criterion(type: str, pair: str, **options: object) -> Criterion:
    (found,) = ask(type, pair, **options).criteria
    assert isinstance(found, Criterion)
    return found


def value(type: str, pair: str, **options: object) -> Value | bool:
    (found,) = criterion(type, pair, **options).values
    return found


@pytest.mark.parametrize(
    ("type", "pair", "expected"),
    [
        ("Patient", "gender=male", TokenValue(None, "male")),
        ("Patient", "identifier=http://a|1", TokenValue("http://a", "1")),
        ("Patient", "identifier=|1", TokenValue("", "1")),
        ("Patient", "identifier=http://a|", TokenValue("http://a", None)),
        ("Patient", r"identifier=a\|b|c\,d", TokenValue("a|b", "c,d")),
        ("Patient", "identifier:of-type=http://t|MR|4", OfTypeValue("http://t", "MR", "4")),
        ("Observation", "code:text=blood pressure", TextValue("blood pressure")),
        ("Patient", "name=peter", StringValue("peter")),
        ("Patient", r"name=a\,b\$c\|d\\e", StringValue("a,b$c|d\\e")),
        ("Patient", "name=a|b$c", StringValue("a|b$c")),
        ("Patient", "_text=糖尿病", TextValue("糖尿病")),
        ("Observation", "subject=Patient/1", ReferenceValue("Patient", "1")),
        ("Observation", "subject=1", ReferenceValue(None, "1")),
        ("Observation", "patient=1", ReferenceValue("Patient", "1")),
        ("Observation", "subject:Patient=1", ReferenceValue("Patient", "1")),
        ("Observation", "subject:Patient=Patient/1", ReferenceValue("Patient", "1")),
        ("Observation", "subject=Patient/1/_history/2", ReferenceValue("Patient", "1", None, "2")),
        ("Observation", "subject=http://other/fhir/Patient/1", ReferenceValue(None, None, "http://other/fhir/Patient/1")),
        ("Observation", "subject=http://here/fhir/Patient/1", ReferenceValue("Patient", "1")),
        ("Observation", "subject=urn:uuid:c757873d", ReferenceValue(None, None, "urn:uuid:c757873d")),
        ("Observation", "subject:identifier=http://a|1", TokenValue("http://a", "1")),
        ("CarePlan", "instantiates-canonical=http://a/b|1.0", ReferenceValue(None, None, "http://a/b", "1.0")),
        ("ValueSet", "url=http://a/b|1", UriValue("http://a/b|1")),
        ("ValueSet", "url:below=http://a/", UriValue("http://a/")),
        ("ValueSet", "url:above=http://a/b/c", UriValue("http://a/b/c")),
        ("Patient", "birthdate=1970", DateValue("eq", 0, 365 * DAY)),
        ("Patient", "birthdate=ge1970-01-02", DateValue("ge", DAY, 2 * DAY)),
        ("Observation", "date=sa1970-01-01T01:00:00 01:00", DateValue("sa", 0, 1_000_000)),
        ("Patient", "name:missing=true", True),
        ("Patient", "name:missing=false", False),
    ],
)  # fmt: skip
def test_values(type: str, pair: str, expected: Value | bool) -> None:
    assert value(type, pair, bases=("http://here/fhir/",)) == expected


def test_dates_without_offset_are_read_in_the_sites_zone() -> None:
    assert value("Patient", "birthdate=1970-01-01", timezone="Asia/Shanghai") == DateValue(
        "eq", -DAY // 3, DAY * 2 // 3
    )


def test_approximate_dates_widen_by_a_tenth_of_the_distance_from_now() -> None:
    assert value("Patient", "birthdate=ap1970-01-01", now_us=11 * DAY) == DateValue(
        "ap", -11 * DAY // 10, 21 * DAY // 10
    )


@pytest.mark.parametrize(
    ("text", "low", "high"),  # search.html#number and #quantity
    [
        ("100", "99.5", "100.5"), ("100.00", "99.995", "100.005"), ("1e2", "95", "105"), ("5.4", "5.35", "5.45"),
        ("5.40e-3", "0.005395", "0.005405"), ("-2", "-2.5", "-1.5"), ("0", "-0.5", "0.5"),
    ],
)  # fmt: skip
def test_numbers_have_the_precision_they_are_written_with(text: str, low: str, high: str) -> None:
    expected = ("eq", Decimal(text), Decimal(low), Decimal(high))
    assert value("RiskAssessment", f"probability={text}") == NumberValue(*expected)  # type: ignore[arg-type]
    assert value("Observation", f"value-quantity={text}||mg") == QuantityValue(*expected, None, "mg")  # type: ignore[arg-type]


def test_approximate_numbers_are_a_tenth_about() -> None:
    found = value("RiskAssessment", "probability=ap0.50")
    assert found == NumberValue("ap", Decimal("0.50"), Decimal("0.45"), Decimal("0.55"))


@pytest.mark.parametrize(
    ("text", "system", "code"),
    [("5.4", None, None), ("5.4|http://unitsofmeasure.org|mg", "http://unitsofmeasure.org", "mg"), ("5.4||mg", None, "mg"),
     ("5.4|http://unitsofmeasure.org|", "http://unitsofmeasure.org", None)],
)  # fmt: skip
def test_quantities_have_units(text: str, system: str | None, code: str | None) -> None:
    found = value("Observation", f"value-quantity=gt{text}")
    assert isinstance(found, QuantityValue)
    assert (found.prefix, found.system, found.code) == ("gt", system, code)


@pytest.mark.parametrize("prefix", PREFIXES)
def test_every_prefix_is_understood(prefix: str) -> None:
    for type, pair in (
        ("Patient", "birthdate={}2000"),
        ("RiskAssessment", "probability={}1"),
        ("Observation", "value-quantity={}1"),
    ):
        found = value(type, pair.format(prefix))
        assert isinstance(found, DateValue | NumberValue | QuantityValue)
        assert found.prefix == prefix


def test_composites_are_read_part_by_part() -> None:
    found = value("Observation", "code-value-quantity=http://loinc.org|8480-6$gt140")
    assert isinstance(found, CompositeValue)
    assert found.parts[0] == TokenValue("http://loinc.org", "8480-6")
    assert isinstance(found.parts[1], QuantityValue)
    found = value("MolecularSequence", "chromosome-variant-coordinate=1$lt10$gt3")
    assert isinstance(found, CompositeValue)
    assert [part.prefix for part in found.parts[1:]] == ["lt", "gt"]  # type: ignore[union-attr]


def test_values_joined_by_commas_are_alternatives_without_repetition() -> None:
    assert criterion("Patient", r"name=a,b\,c,a").values == (StringValue("a"), StringValue("b,c"))


def test_a_parameter_given_twice_is_two_conditions() -> None:
    assert len(ask("Patient", "name=a", "name=b").criteria) == 2


def test_a_chain_follows_every_type_that_has_the_parameter() -> None:
    (found,) = ask("Observation", "subject.name=x").criteria
    assert isinstance(found, Chain)
    assert found.types == ("Location", "Patient")
    assert [one.parameter.base for one in found.criteria] == ["Location", "Patient"]  # type: ignore[union-attr]
    (found,) = ask("Observation", "subject:Patient.organization.name:exact=x").criteria
    assert isinstance(found, Chain)
    assert found.types == ("Patient",)
    (inner,) = found.criteria
    assert isinstance(inner, Chain)
    assert inner.types == ("Organization",)
    assert isinstance(inner.criteria[0], Criterion)
    assert inner.criteria[0].modifier == "exact"


def test_has_may_be_nested_chained_and_end_a_chain() -> None:
    (found,) = ask("Patient", "_has:Observation:patient:_has:AuditEvent:entity:agent=1").criteria
    assert isinstance(found, Has)
    assert found.reference.base == "Observation"
    assert isinstance(found.criterion, Has)
    assert found.criterion.type == "AuditEvent"
    (found,) = ask("Patient", "_has:Observation:patient:device.manufacturer=x").criteria
    assert isinstance(found, Has)
    assert isinstance(found.criterion, Chain)
    (found,) = ask("Encounter", "patient._has:Group:member:_id=102").criteria
    assert isinstance(found, Chain)
    assert isinstance(found.criteria[0], Has)


def test_includes() -> None:
    found = ask("Observation", "_include=Observation:subject:Patient", "_include:iterate=Patient:organization", "_include=*",
                "_revinclude=Provenance:target", "_revinclude:iterate=Provenance:*")  # fmt: skip
    assert [(one.source, one.target, one.iterate) for one in found.includes] == [
        ("Observation", "Patient", False),
        ("Patient", None, True),
        ("*", None, False),
    ]
    assert found.includes[2].parameter == "*"
    assert [(one.source, one.iterate) for one in found.revincludes] == [
        ("Provenance", False),
        ("Provenance", True),
    ]


def test_what_shapes_the_result() -> None:
    found = ask("Observation", "_sort=-date,code,_lastUpdated", "_count=7", "_total=accurate", "_summary=data",
                "_elements=code,value", "_cursor=abc", "_format=json", "_pretty=true", "_contained=false")  # fmt: skip
    assert [(key.parameter.name, key.descending) for key in found.sort] == [
        ("date", True),
        ("code", False),
        ("_lastUpdated", False),
    ]
    assert (found.count, found.total, found.summary, found.cursor) == (7, "accurate", "data", "abc")
    assert found.elements == ("code", "value")
    assert ("_cursor", "abc") not in found.pairs
    assert ("_count", "7") in found.pairs
    assert ask("Observation", "_count=999999").count == Limits().page_size_max
    assert ask("Observation", "_count=0").count == 0
    assert ask("Observation").count == Limits().page_size


def test_a_search_over_all_types() -> None:
    found = ask(None, "_lastUpdated=gt2020", "_type=Patient,Practitioner", "_sort=-_lastUpdated")
    assert (found.type, found.types) == (None, ("Patient", "Practitioner"))
    assert ask(None, "_type=Patient", "name=x").type == "Patient"
    (shared_name,) = ask(None, "_type=Patient,Practitioner", "name=x").criteria
    assert isinstance(shared_name, Criterion)
    assert [one.base for one in (shared_name.parameter, *shared_name.also)] == ["Patient", "Practitioner"]


@pytest.mark.parametrize(
    ("type", "pair", "error"),
    [
        ("Patientt", "name=x", UnknownParameter),
        ("Patient", "nam=x", UnknownParameter),
        ("Patient", "Name=x", UnknownParameter),
        ("Patient", "=x", UnknownParameter),
        ("Patient", "name:exakt=x", UnknownParameter),
        ("Patient", "name:=x", UnknownParameter),
        ("Patient", "birthdate:exact=2000", UnknownParameter),
        ("Patient", "_id:missing=true", UnknownParameter),
        ("Patient", "_lastUpdated:missing=true", UnknownParameter),
        ("Patient", "_content:exact=x", UnknownParameter),
        ("Patient", "gender:exact=male", UnknownParameter),
        ("Observation", "code-value-quantity:missing=true", UnknownParameter),
        ("Observation", "code.text=x", UnknownParameter),
        ("Observation", "subject.foo=x", UnknownParameter),
        ("Observation", "subject:Nobody.name=x", UnknownParameter),
        ("Observation", "_include:foo=Observation:subject", UnknownParameter),
        ("Patient", "_has:Foo:patient:code=x", UnknownParameter),
        ("Patient", "_has:Observation:code:code=x", UnknownParameter),
        ("Patient", "_has:Observation:patient:foo=x", UnknownParameter),
        (None, "name=x", UnknownParameter),
        ("Observation", "code:in=http://vs", UnsupportedSearch),
        ("Observation", "code:not-in=http://vs", UnsupportedSearch),
        ("Observation", "code:below=x", UnsupportedSearch),
        ("Observation", "subject:above=1", UnsupportedSearch),
        ("Location", "near=1|2|3|km", UnsupportedSearch),
        ("Patient", "_list=42", UnsupportedSearch),
        ("Patient", "_query=x", UnsupportedSearch),
        ("Patient", "_filter=name eq x", UnsupportedSearch),
        ("Patient", "_contained=true", UnsupportedSearch),
        ("Patient", "_type=Patient", UnsupportedSearch),
        ("Observation", "_sort=code-value-quantity", UnsupportedSearch),
        ("Observation", "subject:Encounter=1", MalformedParameter),
        ("Observation", "subject:Practitioner.name=x", MalformedParameter),
        ("Observation", "subject=Patientt/1", MalformedParameter),
        ("Observation", "subject:Patient=Group/1", MalformedParameter),
        ("Observation", "subject=a b", MalformedParameter),
        ("Patient", "name=", MalformedParameter),
        ("Patient", "name=a,,b", MalformedParameter),
        ("Patient", "name= ", MalformedParameter),
        ("Patient", "name:contains=\u0301", MalformedParameter),
        ("Patient", "identifier:text=\u0301", MalformedParameter),
        ("Patient", "_content= ", MalformedParameter),
        ("Patient", "name=a\\b", MalformedParameter),
        ("Patient", "identifier=a|b|c", MalformedParameter),
        ("Patient", "identifier=|", MalformedParameter),
        ("Patient", "identifier:of-type=a|b", MalformedParameter),
        ("Patient", "identifier:of-type=a||c", MalformedParameter),
        ("Patient", "birthdate=2000-02-30", MalformedParameter),
        ("Patient", "birthdate=xx2000", MalformedParameter),
        ("Patient", "name:missing=maybe", MalformedParameter),
        ("RiskAssessment", "probability=high", MalformedParameter),
        ("RiskAssessment", "probability=1e", MalformedParameter),
        ("RiskAssessment", "probability=NaN", MalformedParameter),
        ("RiskAssessment", "probability=1e999", MalformedParameter),
        ("RiskAssessment", "probability=٣", MalformedParameter),
        ("Observation", "value-quantity=5.4|mg", MalformedParameter),
        ("Observation", "code-value-quantity=a", MalformedParameter),
        ("Observation", "code-value-quantity=a$b$c", MalformedParameter),
        ("Patient", "_has:Observation:patient=x", MalformedParameter),
        ("Patient", "_has:Observation:encounter:code=x", MalformedParameter),
        ("Patient", "_count=-1", MalformedParameter),
        ("Patient", "_count=many", MalformedParameter),
        ("Patient", "_total=some", MalformedParameter),
        ("Patient", "_summary=all", MalformedParameter),
        ("Patient", "_sort=nam", MalformedParameter),
        ("Patient", "_sort=name;DROP TABLE resource", MalformedParameter),
        ("Patient", "_elements=nam", MalformedParameter),
        ("Patient", "_include=Patient", MalformedParameter),
        ("Patient", "_include=Patient:name", MalformedParameter),
        ("Patient", "_include=Observation:subject", MalformedParameter),
        ("Patient", "_include=Patient:organization:Patient", MalformedParameter),
        ("Patient", "_revinclude=Observation:encounter", MalformedParameter),
        ("Patient", "_cursor=a b", MalformedParameter),
        (None, "_type=Patient,Foo", MalformedParameter),
        (None, "_sort=name", MalformedParameter),
    ],
)
def test_what_is_wrong_is_refused_and_named(type: str | None, pair: str, error: type[SearchError]) -> None:
    with pytest.raises(error) as caught:
        ask(type, pair)
    assert caught.value.status == 400
    name, _, text = pair.partition("=")
    assert name in caught.value.say("en") or type == "Patientt"
    assert name in caught.value.say("zh") or type == "Patientt"
    if len(text) > 3 and not name.startswith("_"):
        assert text not in caught.value.say("en")  # a value may be a patient's name


@pytest.mark.parametrize("name", ["_sort", "_count", "_total", "_summary", "_elements", "_cursor"])
def test_a_shaping_parameter_stands_once(name: str) -> None:
    pair = {
        "_sort": "name",
        "_count": "1",
        "_total": "none",
        "_summary": "true",
        "_elements": "name",
        "_cursor": "a",
    }[name]
    with pytest.raises(MalformedParameter):
        ask("Patient", f"{name}={pair}", f"{name}={pair}")


def test_lenient_handling_names_what_it_leaves_out() -> None:
    found = ask("Patient", "nam=x", "birthdate=soon", "gender=male", "_sort=nam", "_list=1", strict=False)
    assert [one.name for one in found.ignored] == ["nam", "birthdate", "_sort", "_list"]
    assert all(one.say("en") != one.say("zh") for one in found.ignored)
    assert len(found.criteria) == 1
    assert found.pairs == (("gender", "male"),)


@pytest.mark.parametrize(
    ("limit", "pairs"),
    [
        ("parameter_limit", ["name=a"] * 4),
        ("value_limit", ["name=a,b,c,d"]),
        ("pattern_limit", ["name=abcd"]),
        ("chain_depth", ["general-practitioner:Organization.partof.partof.partof.name=a"]),
        ("chain_depth", ["_has:Observation:patient:_has:AuditEvent:entity:agent.organization.partof.name=a"]),
        ("chain_branches", ["_has:Provenance:target:target.target.target._id=1"]),
        ("include_parameter_limit", ["_include=*"] * 4),
        ("sort_key_limit", ["_sort=name,_id,birthdate,gender"]),
        ("element_limit", ["_elements=name,id,birthDate,gender"]),
    ],
)
def test_every_bound_is_named_in_both_handlings(limit: str, pairs: list[str]) -> None:
    limits = replace(Limits(), **{limit: 3})
    for strict in (True, False):
        with pytest.raises(TooLargeSearch) as caught:
            ask("Patient", *pairs, limits=limits, strict=strict)
        assert limit in caught.value.say("en")
        assert limit in caught.value.say("zh")
        assert " 3 " in caught.value.say("en")
        assert caught.value.issue == "too-costly"


def test_ambiguous_chains_are_bounded_before_they_cost_time() -> None:
    with pytest.raises(TooLargeSearch):
        ask("Provenance", "target.target.target.target.target.nothing=x")


@given(st.text(), st.sampled_from([",", "|", "$"]))
def test_what_is_escaped_comes_back(text: str, separator: str) -> None:
    assert plain(escaped(text)) == text
    assert split(escaped(text), separator) == [escaped(text)]
    assert split(f"{escaped(text)}{separator}x", separator) == [escaped(text), "x"]


@given(
    st.sampled_from(["Patient", "Observation", "ValueSet", None, "Encounter"]),
    st.lists(
        st.tuples(
            st.sampled_from(["name", "date", "value-quantity", "code-value-quantity", "subject", "url", "_sort", "_include",
                             "_id", "_elements", "_has:Observation:patient:code", "subject.name", "code:text",
                             "_type", "_count", "patient.identifier", "identifier:of-type"])
            | st.text(),
            st.text() | st.sampled_from(["1", "gt5", "a|b", "a$b", "2000-01", "\\", "*", "Patient/1"]),
        ),
        max_size=4,
    ),
)  # fmt: skip
def test_any_parameters_give_a_query_or_a_search_error(
    type: str | None, pairs: list[tuple[str, str]]
) -> None:
    try:
        found = parse_query(type, pairs, strict=True)
    except SearchError as error:
        caught: SearchError | None = error
    else:
        caught = None
    if caught is not None:
        assert caught.status == 400
        assert caught.say("en")
        assert caught.say("zh")
    else:
        assert parse_query(type, list(found.pairs), strict=True).criteria == found.criteria
        assert not found.ignored


def _sample(parameter: SearchParameter) -> str:
    if parameter.type == "composite":
        named = parameters_of(parameter.base)
        return "$".join(_sample(named[name]) for name, _ in parameter.components)
    return {
        "date": "2020-01",
        "number": "1",
        "quantity": "5.4|http://unitsofmeasure.org|mg",
        "reference": "1",
    }.get(parameter.type, "x")


def test_every_parameter_of_every_type_is_read() -> None:
    read = 0
    for type in RESOURCE_TYPES:
        for parameter in parameters_of(type).values():
            pair = (parameter.name, _sample(parameter))
            try:
                (found,) = parse_query(type, [pair], strict=True).criteria
            except UnsupportedSearch:
                assert parameter.name in ("near", "_query", "_filter", "_list")
                continue
            assert isinstance(found, Criterion)
            assert found.parameter == parameter
            read += 1
    assert read > 1600


def test_every_reference_parameter_has_targets_and_those_of_patient_point_to_patients() -> None:
    for parameter in PARAMETERS.values():
        if parameter.type == "reference":
            assert set(targets(parameter)) <= RESOURCE_TYPES
            assert targets(parameter)
            if parameter.name == "patient":
                assert "Patient" in targets(parameter)
    assert targets(PARAMETERS["Observation", "patient"]) == ("Patient",)


def test_every_sentence_has_the_same_placeholders_in_both_languages() -> None:
    import string

    for name, sentence in sentences("standards").items():
        if name.startswith("search-"):
            fields = [
                {field for _, field, _, _ in string.Formatter().parse(sentence[one]) if field}
                for one in ("en", "zh")
            ]
            assert fields[0] == fields[1], name


def test_codes_imply_the_code_system_of_their_value_set() -> None:
    document = json.loads(gzip.decompress(shared("fhir", "r4-definitions", "valuesets.json.gz").read_bytes()))
    systems = {
        entry["resource"]["url"]: {
            one.get("system", "") for one in entry["resource"].get("compose", {}).get("include", [])
        }
        for entry in document["entry"]
        if entry["resource"]["resourceType"] == "ValueSet"
    }
    checked = 0
    for elements in ELEMENTS.values():
        for element in elements.values():
            url = element.binding.partition("|")[0]
            if "code" in element.types and element.strength == "required" and url in systems:
                expected = systems[url].copy().pop() if len(systems[url]) == 1 else ""
                assert code_system(element.binding, element.strength) == expected
                checked += 1
    assert checked > 200
