"""What a Subscription matches is what a search for that one resource finds."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from msgspec.structs import replace
from subscriber import HERE, SETTINGS

sys.path.insert(0, str(Path(__file__).parents[1]))

import worlds
from searches import searches

from xinglin.kernel.database import open_database
from xinglin.records.service import Records
from xinglin.records.subscriptions import definition
from xinglin.records.subscriptions.definition import Definition
from xinglin.records.subscriptions.matching import Matcher
from xinglin.standards.fhir.search.query import Criterion


class Small:
    """A record with a small world in it; its representation is short, for what hypothesis prints."""

    def __init__(self) -> None:
        made = worlds.World(3, size=6)
        self.records = Records(open_database("sqlite://"), SETTINGS)
        self.records.load(HERE, (json.dumps(one).encode() for one in made.resources)).run()
        self.stored = [self.records.read(HERE, one["resourceType"], one["id"]) for one in made.resources]
        self.matcher = Matcher(self.records)
        self.answered = 0


@pytest.fixture(scope="module")
def world() -> Iterator[Small]:
    made = Small()
    yield made
    made.matcher.close()
    made.records.close()
    assert made.answered > 15, "few searches found anything: they show little"


def definition_of(criteria: str, records: Records, id_: str = "s") -> Definition:
    query = definition.criteria(criteria, records.context(1))
    related = any(not isinstance(one, Criterion) for one in query.criteria)
    return Definition(1, id_, 1, "active", "", None, query, related, "rest-hook", "", False, ())


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(asked=searches())
def test_matching_is_searching(world: Small, asked: tuple[str | None, object, list[tuple[str, str]]]) -> None:
    kind, _, pairs = asked
    kept = [(name, value) for name, value in pairs if name not in ("_sort", "_count", "_type")]
    if kind is None:
        return  # a Subscription is of one type
    one = definition_of(f"{kind}?{urlencode(kept)}", world.records)
    versions = [each for each in world.stored if each.type == kind]
    found = {versions[place].id for place, _ in world.matcher.matches(1, versions, [one], {})}
    page = world.records.search(HERE, replace(one.query, count=1000))
    assert found == {entry.stored.id for entry in page.entries}
    world.answered += bool(found)


def test_the_version_that_was_written_decides_not_the_one_that_took_its_place(small: Records) -> None:
    body = b'{"resourceType":"Basic","id":"b","code":{"coding":[{"code":"%s"}]}}'
    first = small.update(HERE, "Basic", "b", body % b"old")
    second = small.update(HERE, "Basic", "b", body % b"new")
    matcher = Matcher(small)
    old, new = definition_of("Basic?code=old", small, "1"), definition_of("Basic?code=new", small, "2")
    found = matcher.matches(1, [first, second], [old, new], {})
    matcher.close()
    assert [(place, one.id) for place, one in found] == [(0, "1"), (1, "2")]


def test_criteria_that_ask_for_other_resources_are_answered_by_the_record(small: Records) -> None:
    small.update(HERE, "Patient", "p", b'{"resourceType":"Patient","id":"p","gender":"female"}')
    body = b'{"resourceType":"Basic","code":{"text":"x"},"subject":{"reference":"Patient/%s"}}'
    here = small.create(HERE, "Basic", body % b"p")
    there = small.create(HERE, "Basic", body % b"q")
    matcher = Matcher(small)
    found = matcher.matches(
        1, [here, there], [definition_of("Basic?subject:Patient.gender=female", small)], {}
    )
    matcher.close()
    assert [place for place, _ in found] == [0]
