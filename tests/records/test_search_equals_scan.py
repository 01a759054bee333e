"""What a search finds is what a naive scan finds: every parameter, modifier and prefix, on both databases."""

from __future__ import annotations

import json
import os
import random
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from msgspec.structs import replace

from paths import r4_examples
from xinglin.kernel.database import open_database
from xinglin.kernel.settings import Settings
from xinglin.records.service import Records
from xinglin.standards.fhir.parse import Invalid, parse
from xinglin.standards.fhir.r4.parameters import SearchParameter, parameters_of
from xinglin.standards.fhir.search.grammar import parse_query
from xinglin.standards.fhir.search.query import PREFIXES, Compartment, Query, SortKey
from xinglin.standards.fhir.search.text import escaped
from xinglin.standards.fhir.temporal import site_zone
from xinglin.trust import local_system

sys.path.insert(0, str(Path(__file__).parent))

import worlds
from naive import Found, Naive, measures, strings, texts, tokens
from searches import HERE, SPECIAL, searches

ACTOR = local_system()
EXAMPLES = int(os.environ.get("XINGLIN_SEARCH_EXAMPLES", "150"))
"""Searches tried on each small world and database; raise it to hunt."""


def searched(records: Records, query: Query) -> list[tuple[str, str]]:
    """All matches of a query in order, over all pages, each once."""
    found: list[tuple[str, str]] = []
    while True:
        page = records.search(ACTOR, query)
        found += [(entry.stored.type, entry.stored.id) for entry in page.entries if entry.mode == "match"]
        if page.next is None:
            assert len(found) == len(set(found)), "a match came twice"
            return found
        query = replace(query, cursor=page.next)


def in_order(naive: Naive, found: list[tuple[str, str]], key: SortKey) -> bool:
    """Whether matches come in the order of a key, those without it last."""
    values = [naive.sort_value(naive.by_name[one], key.parameter, descending=key.descending) for one in found]
    have = [value for value in values if value is not None]
    return values[: len(have)] == sorted(have, reverse=key.descending)


def disagreements(
    records: Records, naive: Naive, asked_for: Iterator[tuple[str | None, list[tuple[str, str]]]]
) -> Iterator[str]:
    """Searches on which the two differ, in words; fails where fewer than a few find anything."""
    asked = answered = 0
    for kind, pairs in asked_for:
        query = parse_query(kind, [*pairs, ("_count", "1000")], strict=True)
        expected, found = naive.search(query), set(searched(records, query))
        asked += 1
        answered += bool(expected)
        if expected != found:
            missed, extra = sorted(expected - found)[:3], sorted(found - expected)[:3]
            yield f"{kind}?{'&'.join('='.join(pair) for pair in pairs)}: missed {missed}, not expected {extra}"
    assert answered > asked // 3, f"only {answered} of {asked} searches find anything: they show little"


# Searches made from what is there


def values(
    naive: Naive, parameter: SearchParameter, one: Found, chance: random.Random
) -> Iterator[tuple[str, str]]:
    """Modifier and value of searches that one item suggests."""
    kind = parameter.type
    if kind == "token":
        for system, code in tokens(one)[:2]:
            if code:
                yield "", escaped(code)
                yield "", escaped(code.swapcase())
                yield ":not", escaped(code)
                yield "", f"{escaped(system)}|{escaped(code)}"
            if system and system != "text":
                yield "", f"{escaped(system)}|"
        for text in list(texts(one))[:2]:
            word = chance.choice(text.split() or ["x"])
            yield ":text", escaped(word[:12])
        if one.type == "Identifier" and one.value.type is not None and one.value.value:
            for coding in one.value.type.coding or ():
                yield (
                    ":of-type",
                    "|".join(escaped(part or "x") for part in (coding.system, coding.code, one.value.value)),
                )
    elif kind == "string":
        for text, _ in list(strings(one))[:6]:
            if not text.strip():
                continue
            yield "", escaped(text[: chance.randint(1, 12)].upper())
            yield ":exact", escaped(text[:200])
            start = chance.randrange(len(text))
            yield ":contains", escaped(text[start : start + 6])
    elif kind == "reference":
        for literal in naive.literals(one):
            aim = naive.aim(literal)
            if aim is not None:
                yield "", "/".join(aim)
                yield "", aim[1]
                yield f":{aim[0]}", aim[1]
                yield f":{aim[0]}._id", aim[1]
            elif ":" in literal and not literal.startswith("#"):
                yield "", escaped(literal.partition("|")[0])
                yield "", escaped(literal).replace("\\|", "|")
        identifier = getattr(one.value, "identifier", None)
        if identifier is not None and identifier.value:
            yield ":identifier", f"{escaped(identifier.system or '')}|{escaped(identifier.value)}"
    elif kind == "uri":
        yield "", escaped(one.value)
        yield ":below", escaped(one.value.rpartition("/")[0] or one.value)
        yield ":above", escaped(one.value + "/x/y")
    elif kind == "date":
        text = one.value
        if one.type == "Period":
            text = chance.choice([end for end in (one.value.start, one.value.end) if end is not None])
        elif one.type == "Timing":
            text = (one.value.event or ["2020-01"])[0]
        for prefix in chance.sample(PREFIXES, 4):
            yield "", prefix + text[: chance.choice([4, 7, 10, 40])]
    elif kind in ("number", "quantity"):
        for measure in measures(one, kind):
            number = measure.low if measure.low.is_finite() else measure.high
            for prefix in chance.sample(PREFIXES, 4):
                unit = ""
                if kind == "quantity":
                    unit = chance.choice(
                        [
                            "",
                            f"|{escaped(measure.system)}|{escaped(measure.code)}",
                            f"||{escaped(measure.unit)}",
                        ]
                    )
                yield "", f"{prefix}{number * chance.choice([1, 1, 2]):f}{unit}"


def composites(
    naive: Naive, parameter: SearchParameter, resource: Any, one: Found, chance: random.Random
) -> Iterator[str]:
    """Values of a composite that one item suggests."""
    named = parameters_of(parameter.base)
    chosen = []
    for (name, _), group in zip(
        parameter.components, naive.components(resource, parameter, one), strict=True
    ):
        plain = [
            text
            for part in group[:2]
            for modifier, text in values(naive, named[name], part, chance)
            if not modifier
        ]
        if not plain:
            return
        chosen.append(chance.choice(plain))
    yield "$".join(chosen)


def suggested(naive: Naive, chance: random.Random, most: int) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """For every parameter with a value, up to ``most`` searches that its values suggest, and both of ``:missing``."""
    by_type: dict[str, list[Any]] = {}
    for resource in naive.by_name.values():
        by_type.setdefault(type(resource).__name__, []).append(resource)
    for kind, resources in sorted(by_type.items()):
        for parameter in parameters_of(kind).values():
            if parameter.name in SPECIAL or not parameter.expression:
                continue
            pairs: list[tuple[str, str]] = []
            chance.shuffle(resources)
            for resource in resources[:200]:
                for one in naive.items(resource, parameter)[:2]:
                    if parameter.type == "composite":
                        found = [("", text) for text in composites(naive, parameter, resource, one, chance)]
                    elif naive.present(parameter, one):
                        found = list(values(naive, parameter, one, chance))
                    else:
                        continue
                    pairs += [
                        (parameter.name + modifier, text) for modifier, text in found if len(text) <= 256
                    ]
                if len(pairs) > 3 * most:
                    break
            if not pairs:
                continue
            for pair in chance.sample(pairs, min(most, len(pairs))):
                yield kind, [pair]
            if len(pairs) > 1:
                first, second = chance.sample(pairs, 2)
                yield kind, [first, second]
                if first[0] == second[0]:
                    yield kind, [(first[0], f"{first[1]},{second[1]}")]
            if parameter.type != "composite" and parameter.name != "_id":
                yield kind, [(f"{parameter.name}:missing", chance.choice(["true", "false"]))]


@pytest.mark.slow
def test_every_parameter_of_the_official_examples(database_url: str) -> None:
    bodies, resources = {}, {}
    with tarfile.open(r4_examples()) as archive:
        for member in archive:
            file = archive.extractfile(member) if member.name.endswith(".json") else None
            body = file.read() if file is not None else b""
            if b'"resourceType"' not in body or len(body) > 300_000:
                continue
            try:
                resource: Any = parse(body)
            except Invalid:
                continue
            if resource.id is not None:
                name = (type(resource).__name__, resource.id)
                bodies[name], resources[name] = body, resource
    # ValueSets and CodeSystems by the thousand show nothing that a few hundred do not.
    kept: dict[str, int] = {}
    for name in list(resources):
        kept[name[0]] = kept.get(name[0], 0) + 1
        if kept[name[0]] > 150:
            del bodies[name], resources[name]
    records = Records(open_database(database_url, durable=False))
    done = records.load(ACTOR, bodies.values()).run()
    assert done.taken == len(bodies)
    naive = Naive(list(resources.values()))
    wrong = list(disagreements(records, naive, suggested(naive, random.Random(1), 6)))
    records.close()
    assert not wrong, "\n".join(wrong[:40]) + f"\n… {len(wrong)} in all"


@pytest.mark.parametrize(("seed", "zone"), [(1, "UTC"), (2, "Asia/Shanghai")])
def test_any_search_over_a_small_world(database_url: str, seed: int, zone: str) -> None:
    bodies = [json.dumps(one).encode() for one in worlds.World(seed).resources]
    records = Records(
        open_database(database_url, durable=False), Settings(time_zone=zone, base_url=HERE.rstrip("/"))
    )
    done = records.load(ACTOR, bodies).run()
    assert done.taken == len(bodies), [str(one.error) for one in done.rejected[:3]]
    naive = Naive([parse(body) for body in bodies], site_zone(zone), (HERE,))
    answered: list[int] = []

    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
    @given(searches())
    def check(search: tuple[str | None, Compartment | None, list[tuple[str, str]]]) -> None:
        kind, compartment, pairs = search
        query = parse_query(kind, pairs, strict=True, timezone=zone, bases=(HERE,), compartment=compartment)
        expected = naive.search(query)
        found = searched(records, query)
        assert set(found) == expected
        if (
            query.sort
            and query.sort[0].parameter.type in ("date", "string")
            and query.sort[0].parameter.name[0] != "_"
        ):
            assert in_order(naive, found, query.sort[0])
        answered.append(len(expected))

    check()
    records.close()
    assert sum(map(bool, answered)) > len(answered) // 5
