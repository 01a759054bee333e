"""Searches over small worlds (`worlds`): chains, reverse chains, compartments, several conditions and types, sorting, pages."""

from __future__ import annotations

import worlds
from hypothesis import strategies as st

from xinglin.standards.fhir.r4.parameters import parameters_of
from xinglin.standards.fhir.search.query import PREFIXES, Compartment

SPECIAL = {"_text", "_content", "_lastUpdated", "_query", "_filter", "_list", "near"}

HERE = "http://here.org/fhir/"
_CODE = st.sampled_from(
    [
        "8480-6",
        "http://loinc.org|8480-6",
        "http://loinc.org|",
        "|local\\|1",
        "local\\|1",
        "a1c",
        "A1C",
        "none",
    ]
)
_WORDS = st.sampled_from(["systolic", "pressure", "血", "血压", "hba", "收缩压", "one"])
_MOMENT = st.tuples(
    st.sampled_from(["", *PREFIXES]), st.sampled_from([*worlds.MOMENTS, "2020-02-29T10:00", "1970"])
).map("".join)
_NUMBER = st.tuples(st.sampled_from(["", *PREFIXES]), st.sampled_from([*worlds.NUMBERS, "1e2", "6"])).map(
    "".join
)
_UNIT = st.sampled_from(
    [
        "",
        "||mg",
        "||mmHg",
        "|http://unitsofmeasure.org|mg",
        "|http://unitsofmeasure.org|g",
        "|http://other|mg",
        "|http://unitsofmeasure.org|",
        "|http://unitsofmeasure.org|nonsense",
        "|http://unitsofmeasure.org|kg",
    ]
)
_QUANTITY = st.tuples(_NUMBER, _UNIT).map("".join)
_NAME = st.sampled_from(
    [
        "张",
        "伟",
        "张伟",
        "zhang",
        "zw",
        "zhangwei",
        "Zhang Wei",
        "shan",
        "ouyang",
        "ouyangxiaoming",
        "mull",
        "MUELLER",
        "Mü",
        "o'n",
        "ann",
        "änn",
        "peter j",
        "明",
        "changle",
        "changyue",
        "dyke",
    ]
)
_BOOL = st.sampled_from(["true", "false"])


def _id(kind: str) -> st.SearchStrategy[str]:
    ids = [*worlds.World(0).ids[kind][:4], "nobody"]
    return st.sampled_from(
        [
            *ids,
            *(f"{kind}/{one}" for one in ids),
            f"{HERE}{kind}/{ids[0]}",
            f"http://elsewhere.org/fhir/{kind}/{ids[1]}",
        ]
    )


def _pairs(*choices: tuple[str, st.SearchStrategy[str]]) -> st.SearchStrategy[tuple[str, str]]:
    alternatives = []
    for name, value in choices:
        several = st.lists(value, min_size=1, max_size=2).map(",".join) if ":missing" not in name else value
        alternatives.append(st.tuples(st.just(name), several))
    return st.one_of(alternatives)


_IDENTIFIER = st.sampled_from(["1", "http://ids|1", "|1", "http://ids|", "a-3"])
SIMPLE: dict[str, st.SearchStrategy[tuple[str, str]]] = {
    "Patient": _pairs(
        ("name", _NAME),
        ("name:contains", _NAME),
        ("name:exact", st.sampled_from([*worlds.FAMILIES, *worlds.GIVENS, "müller"])),
        ("family", _NAME),
        ("given", _NAME),
        ("name:missing", _BOOL),
        ("identifier", _IDENTIFIER),
        ("identifier:missing", _BOOL),
        ("identifier:of-type", st.sampled_from(["http://v2|MR|1", "http://v2|SS|A-3"])),
        ("identifier:text", st.just("record")),
        ("gender", st.sampled_from(["male", "http://hl7.org/fhir/administrative-gender|male", "|male"])),
        ("gender:not", st.just("male")),
        ("birthdate", _MOMENT),
        ("active", _BOOL),
        ("active:missing", _BOOL),
        ("deceased", _BOOL),
        ("phone", st.just("555")),
        ("address-city", st.sampled_from(["koln", "北", "new"])),
        ("address", st.sampled_from(["1 main", "york"])),
        ("organization", _id("Organization")),
        ("general-practitioner", _id("Practitioner")),
        ("link", _id("Patient")),
        ("general-practitioner:Organization", st.sampled_from(["or0", "or1"])),
        ("_id", st.sampled_from(["pa0", "pa1", "nobody"])),
        ("_id:not", st.sampled_from(["pa0", "pa1", "nobody"])),
        ("_tag", _CODE),
        ("_tag:not", _CODE),
        ("_profile", st.sampled_from(worlds.URLS)),
        ("_profile:below", st.sampled_from(worlds.URLS)),
        ("organization:missing", _BOOL),
        ("organization:identifier", _IDENTIFIER),
    ),
    "Observation": _pairs(
        ("code", _CODE),
        ("code:not", _CODE),
        ("code:text", _WORDS),
        ("date", _MOMENT),
        ("date:missing", _BOOL),
        ("status", st.just("final")),
        ("value-quantity", _QUANTITY),
        ("value-string", st.sampled_from(["gross", "Größe", "pos"])),
        ("value-date", _MOMENT),
        ("value-string:exact", st.sampled_from(["Größe", "größe"])),
        ("value-concept", _CODE),
        ("value-concept:text", _WORDS),
        ("component-code", _CODE),
        ("component-value-quantity", _QUANTITY),
        ("combo-value-quantity", _QUANTITY),
        ("combo-value-quantity:missing", _BOOL),
        ("combo-code", _CODE),
        ("combo-code:not", _CODE),
        ("combo-code:text", _WORDS),
        ("combo-value-concept", _CODE),
        ("subject", _id("Patient")),
        ("patient", _id("Patient")),
        ("subject:Group", st.sampled_from(["gr0", "gr1"])),
        ("subject:missing", _BOOL),
        ("patient:missing", _BOOL),
        ("patient:identifier", _IDENTIFIER),
        ("encounter", _id("Encounter")),
        ("performer", _id("Practitioner")),
        ("has-member", _id("Observation")),
        ("value-quantity:missing", _BOOL),
        ("code-value-quantity", st.tuples(_CODE, _QUANTITY).map("$".join)),
        ("code-value-date", st.tuples(_CODE, _MOMENT).map("$".join)),
        ("combo-code-value-quantity", st.tuples(_CODE, _QUANTITY).map("$".join)),
        ("code-value-concept", st.tuples(_CODE, _CODE).map("$".join)),
        ("combo-code-value-concept", st.tuples(_CODE, _CODE).map("$".join)),
        ("component-code-value-quantity", st.tuples(_CODE, _QUANTITY).map("$".join)),
        ("component-code-value-concept", st.tuples(_CODE, _CODE).map("$".join)),
        ("code-value-string", st.tuples(_CODE, st.sampled_from(["gr", "pos"])).map("$".join)),
    ),
    "Encounter": _pairs(
        ("date", _MOMENT),
        ("class", _CODE),
        ("subject", _id("Patient")),
        ("patient", _id("Patient")),
        ("status:not", st.just("planned")),
        ("service-provider", _id("Organization")),
        ("date:missing", _BOOL),
    ),
    "Organization": _pairs(
        ("name", st.sampled_from(["kl", "协", "klinik süd", "st."])),
        ("partof", _id("Organization")),
        ("identifier", _IDENTIFIER),
    ),
    "Practitioner": _pairs(("name", _NAME), ("gender", st.just("male")), ("family", _NAME)),
    "Group": _pairs(
        ("member", _id("Patient")),
        ("characteristic-value", st.tuples(_CODE, st.sampled_from(["true", "8480-6"])).map("$".join)),
    ),
    "RiskAssessment": _pairs(("probability", _NUMBER), ("subject", _id("Patient"))),
    "ValueSet": _pairs(
        ("url", st.sampled_from(worlds.URLS)),
        ("url:below", st.sampled_from([*worlds.URLS, "http://a.org"])),
        ("url:above", st.sampled_from([*worlds.URLS, "http://a.org/b/c/d"])),
        ("version", st.just("1")),
        ("version:missing", _BOOL),
        ("context-type-quantity", st.tuples(_CODE, _QUANTITY).map("$".join)),
        ("context-quantity", _QUANTITY),
    ),
    "MeasureReport": _pairs(
        ("measure", st.sampled_from([*worlds.URLS, "http://a.org/b|2"])), ("subject", _id("Patient"))
    ),
    "DocumentReference": _pairs(
        (
            "relationship",
            st.sampled_from(["DocumentReference/do0$replaces", "do1$appends", "do1$http://x|appends"]),
        ),
        ("relatesto", _id("DocumentReference")),
        ("relation", st.just("appends")),
        ("patient", _id("Patient")),
    ),
    "Provenance": _pairs(
        ("target", _id("Observation")),
        ("patient", _id("Patient")),
        ("recorded", _MOMENT),
        ("agent", _id("Practitioner")),
    ),
}
LINKS = {
    "Patient": [
        ("organization", "Organization"),
        ("general-practitioner", "Practitioner"),
        ("general-practitioner", "Organization"),
        ("link", "Patient"),
    ],
    "Observation": [
        ("subject", "Patient"),
        ("patient", "Patient"),
        ("encounter", "Encounter"),
        ("performer", "Practitioner"),
        ("has-member", "Observation"),
        ("subject", "Group"),
    ],
    "Encounter": [("subject", "Patient"), ("service-provider", "Organization")],
    "Organization": [("partof", "Organization")],
    "Group": [("member", "Patient")],
    "Provenance": [("target", "Observation"), ("target", "Encounter"), ("agent", "Practitioner")],
    "RiskAssessment": [("subject", "Patient")],
    "DocumentReference": [("patient", "Patient"), ("relatesto", "DocumentReference")],
}
BACK = {
    target: [(source, name) for source, links in LINKS.items() for name, kind in links if kind == target]
    for target in SIMPLE
}


@st.composite
def conditions(draw: st.DrawFn, kind: str, depth: int = 3) -> tuple[str, str]:
    """One condition on a resource of a type: plain, chained or reverse chained."""
    ways = ["plain", "plain"]
    if depth and kind in LINKS:
        ways.append("chain")
    if depth and BACK[kind]:
        ways.append("has")
    way = draw(st.sampled_from(ways))
    if way == "chain":
        name, target = draw(st.sampled_from(LINKS[kind]))
        inner, value = draw(conditions(target, depth - 1))
        return f"{name}:{target}.{inner}", value
    if way == "has":
        source, name = draw(st.sampled_from(BACK[kind]))
        inner, value = draw(conditions(source, depth - 1))
        return f"_has:{source}:{name}:{inner}", value
    return draw(SIMPLE[kind])


@st.composite
def searches(draw: st.DrawFn) -> tuple[str | None, Compartment | None, list[tuple[str, str]]]:
    """A whole search: of one type, of a compartment, or of several types."""
    shape = draw(st.sampled_from(["type", "type", "type", "compartment", "system"]))
    sort = draw(st.sampled_from([[], [], ["_sort=_id"], ["_sort=-_lastUpdated"]]))
    page = [("_count", draw(st.sampled_from(["1000", "1000", "3", "1"])))]
    extra = [tuple(text.split("=")) for text in sort]
    if shape == "system":
        names = ",".join(draw(st.lists(st.sampled_from(sorted(SIMPLE)), min_size=2, max_size=3, unique=True)))
        value = draw(_CODE)
        return (
            None,
            None,
            [("_type", names), (draw(st.sampled_from(["_tag", "_tag:not"])), value), *extra, *page],
        )  # type: ignore[list-item]
    kinds = (
        sorted(SIMPLE)
        if shape == "type"
        else ["Observation", "Encounter", "Group", "Provenance", "DocumentReference"]
    )
    kind = draw(st.sampled_from(kinds))
    compartment = (
        Compartment("Patient", draw(st.sampled_from(["pa0", "pa1", "pa2", "nobody"])))
        if shape == "compartment"
        else None
    )
    pairs = draw(st.lists(conditions(kind), min_size=0 if compartment else 1, max_size=3))
    if draw(st.booleans()) and shape == "type":
        key = draw(
            st.sampled_from(
                [
                    name
                    for name, one in parameters_of(kind).items()
                    if one.type in SORTABLE and name not in SPECIAL
                ]
            )
        )
        extra = [("_sort", draw(st.sampled_from(["", "-"])) + key)]
    return kind, compartment, [*pairs, *extra, *page]  # type: ignore[list-item]


SORTABLE = {"string", "token", "date", "number", "quantity", "reference", "uri"}
