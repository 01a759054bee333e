"""Searches by own parameters find what a naive scan finds: every type, modifier and prefix, whichever way rows came."""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from xinglin.kernel.database import open_database
from xinglin.kernel.settings import Settings
from xinglin.records.index.source import UNINDEXED
from xinglin.records.reindexing import Pace, Reindex
from xinglin.records.service import Records
from xinglin.standards.fhir.parse import parse
from xinglin.standards.fhir.r4.parameters import SearchParameter, parameters_of
from xinglin.standards.fhir.search.grammar import parse_query
from xinglin.standards.fhir.temporal import site_zone
from xinglin.trust import local_system

sys.path.insert(0, str(Path(__file__).parent.parent))

import worlds
from naive import Naive
from searches import HERE
from test_search_equals_scan import searched, values

ACTOR = local_system()
ZONE = "Asia/Shanghai"
BEYOND = [  # no plain walks
    ("Observation", "token", "Observation.code.coding.where(code.startsWith('8'))"),
    ("Observation", "token", "Observation.value.exists()"),
    ("Observation", "date", "Observation.effective.ofType(dateTime) | Observation.effective.ofType(Period)"),
    ("Observation", "quantity", "Observation.component.value.ofType(Quantity).where(value > 5)"),
    ("Patient", "string", "Patient.name.where(family.exists())"),
    ("Patient", "token", "Patient.name.given.count() > 1"),
    ("Encounter", "reference", "Encounter.participant.individual.where(reference.exists())"),
    ("ValueSet", "uri", "ValueSet.url.where($this.startsWith('http'))"),
]


def chosen(kinds: list[str], chance: random.Random) -> list[tuple[str, str, str, tuple[str, ...]]]:
    """Type, parameter type, expression and targets: many of R4's own under other names, and what is no walk."""
    found: list[tuple[str, str, str, tuple[str, ...]]] = [(*one, ()) for one in BEYOND]
    for kind in kinds:
        of_kind = [
            one
            for one in parameters_of(kind).values()
            if one.name not in UNINDEXED and one.expression and one.type not in ("special", "composite")
        ]
        for one in chance.sample(of_kind, min(6, len(of_kind))):
            found.append((kind, one.type, one.expression, one.targets))
    return found


def definition(number: int, kind: str, type: str, expression: str, targets: tuple[str, ...]) -> bytes:
    body: dict[str, Any] = {
        "resourceType": "SearchParameter", "id": f"own-{number}", "url": f"http://own/{number}", "name": "own",
        "status": "active", "description": "own", "code": f"own-{number}", "base": [kind], "type": type,
        "expression": expression,
    }  # fmt: skip
    if targets:
        body["target"] = list(targets)
    return json.dumps(body).encode()


def asked(
    naive: Naive, resources: list[Any], parameter: SearchParameter, chance: random.Random
) -> Iterator[list[tuple[str, str]]]:
    pairs: list[tuple[str, str]] = []
    for resource in chance.sample(resources, min(12, len(resources))):
        for one in naive.items(resource, parameter)[:2]:
            if naive.present(parameter, one):
                pairs += [
                    (parameter.name + modifier, text)
                    for modifier, text in values(naive, parameter, one, chance)
                    if len(text) <= 256
                ]
    for pair in chance.sample(pairs, min(8, len(pairs))):
        yield [pair]
    if len(pairs) > 1:
        yield chance.sample(pairs, 2)
    yield [(f"{parameter.name}:missing", "true")]
    yield [(f"{parameter.name}:missing", "false")]


@pytest.mark.parametrize("seed", [11, 12])
def test_random_own_parameters_find_what_a_scan_finds(database_url: str, seed: int) -> None:
    chance = random.Random(seed)
    bodies = [json.dumps(one).encode() for one in worlds.World(seed).resources]
    chance.shuffle(bodies)
    records = Records(
        open_database(database_url, durable=False), Settings(time_zone=ZONE, base_url=HERE.rstrip("/"))
    )
    kinds = sorted({type(parse(body)).__name__ for body in bodies})
    definitions = [definition(number, *one) for number, one in enumerate(chosen(kinds, chance))]
    third = len(bodies) // 3
    # Written before there was any, with a first half of them, and with all: the index must not tell.
    records.load(ACTOR, bodies[:third]).run()
    for one in definitions[: len(definitions) // 2]:
        records.write(ACTOR, [_put(one)])
    records.load(ACTOR, bodies[third : 2 * third]).run()
    Reindex(records, 1, pace=Pace(settle_s=0)).run()
    for one in definitions[len(definitions) // 2 :]:
        records.write(ACTOR, [_put(one)])
    records.load(ACTOR, bodies[2 * third :]).run()
    report = Reindex(records, 1, pace=Pace(settle_s=0)).run()
    assert all(proof["different"] == proof["stale"] == 0 for proof in report["proofs"].values())
    naive = Naive([parse(body) for body in bodies], site_zone(ZONE), (HERE,))
    by_type: dict[str, list[Any]] = {}
    for resource in naive.by_name.values():
        by_type.setdefault(type(resource).__name__, []).append(resource)
    wrong, hits, known = [], 0, records.known(1)
    for own in records.own.of(1).parameters:
        assert own.state == "ready"
        parameter = own.parameter
        for pairs in asked(naive, by_type[parameter.base], parameter, chance):
            query = parse_query(
                parameter.base,
                [*pairs, ("_count", "7")],
                strict=True,
                timezone=ZONE,
                bases=(HERE,),
                known=known,
            )
            expected, found = naive.search(query), set(searched(records, query))
            hits += bool(expected)
            if expected != found:
                wrong.append(f"{parameter.base} {parameter.expression} {pairs}: {expected ^ found}")
    records.close()
    assert not wrong, "\n".join(wrong[:20]) + f"\n… {len(wrong)} in all"
    assert hits > 200


def _put(body: bytes) -> Any:
    from xinglin.records.stored import Operation

    return Operation("update", "SearchParameter", json.loads(body)["id"], body)
