"""Reads, searches and charts of the past against the plainest oracle: replay everything that was ever written.

The clock of the writer is set, so that commits lie years apart, on both sides of midnights, of changes to summer time, and
several in one instant. Questions are asked at commits' own instants, a microsecond beside them, before the first, and as
people write dates; what a date means is worked out here anew, by the calendar of the zone.
"""

from __future__ import annotations

import json
import random
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from xinglin.kernel.database import open_database
from xinglin.kernel.settings import Settings
from xinglin.records.identity import ledger
from xinglin.records.past import AsOf, past_of
from xinglin.records.past.errors import GoneThen, NotYet
from xinglin.records.past.instants import as_of, instant_text
from xinglin.records.past.service import Past
from xinglin.records.service import Records
from xinglin.records.stored import Operation
from xinglin.standards.fhir.search.grammar import parse_query
from xinglin.standards.fhir.search.query import Compartment
from xinglin.trust import Actor, local_system

ACTOR = local_system()
PATIENTS = ("p0", "p1", "p2")
SECOND = 1_000_000
DATES = (None, "2019", "2020-02", "2020-01-01", "2019-12-31", "2020-03-08", "2020-11-01", "2020-06-15T23:30:00+08:00",
         "2020-06-15T12:00:00.500Z", "2023-12-31T23:59:59-05:00")  # fmt: skip


@dataclass
class World:
    """What was written: of each resource its versions, as (instant, number, resource or None)."""

    records: Records
    zone: str
    versions: dict[tuple[str, str], list[tuple[int, int, dict[str, Any] | None]]] = field(
        default_factory=dict
    )
    instants: list[int] = field(default_factory=list)

    @property
    def past(self) -> Past:
        return past_of(self.records)

    def at(self, name: tuple[str, str], known_us: int) -> tuple[int, int, dict[str, Any] | None] | None:
        """The last thing written of a resource by ``known_us``."""
        before = [one for one in self.versions.get(name, ()) if one[0] <= known_us]
        return before[-1] if before else None

    def chart(self, patient: str, known_us: int, valid_us: int | None) -> dict[tuple[str, str], int]:
        """What lay in a patient's compartment, and had begun: name → version."""
        found = {}
        for name in self.versions:
            one = self.at(name, known_us)
            if one is None or one[2] is None or not self.begun(one[2], valid_us):
                continue
            if name == ("Patient", patient) or patient in people(one[2]):
                found[name] = one[1]
        return found

    def begun(self, resource: dict[str, Any], valid_us: int | None) -> bool:
        """By its own date; what has none always had."""
        when = resource.get("effectiveDateTime") or (resource.get("period") or {}).get("start")
        return valid_us is None or when is None or bounds(when, self.zone)[0] <= valid_us


def people(resource: dict[str, Any]) -> set[str]:
    """The patients in whose compartments it lies: whom it is about, and who made it."""
    references = [resource.get("subject"), *resource.get("performer", ())]
    return {one["reference"].removeprefix("Patient/") for one in references if one}


def bounds(text: str, zone: str) -> tuple[int, int]:
    """The first and the last µs of a date or time as written; the calendar's way, with nothing of the program."""
    if "T" in text:
        moment = datetime.fromisoformat(text)
        seconds = 1 if "." not in text else 0.001
        low = us(moment)
        return low, low + int(seconds * SECOND) - 1
    parts = [int(part) for part in text.split("-")]
    first = datetime(*[*parts, 1, 1][:3], tzinfo=ZoneInfo(zone))
    if len(parts) == 1:
        after = first.replace(year=first.year + 1)
    elif len(parts) == 2:
        after = (first.replace(day=28) + timedelta(days=4)).replace(day=1)
    else:
        after = first + timedelta(days=1)  # on the wall's clock: 23, 24 or 25 hours
    return us(first), us(after) - 1


def us(moment: datetime) -> int:
    return round((moment.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(microseconds=1))


def built(records: Records, zone: str, seed: int, monkeypatch: pytest.MonkeyPatch) -> World:
    chance = random.Random(seed)
    world = World(records, zone)
    place = ZoneInfo(zone)
    edges = [
        datetime(2019, 12, 31, 23, 59, 59, 999000, tzinfo=place),
        datetime(2020, 1, 1, tzinfo=place),
        datetime(2020, 3, 8, 2, 30, tzinfo=place),  # New York's clocks went forward that night
        datetime(2020, 11, 1, 1, 30, tzinfo=place),  # and back: this time came twice
        datetime(2020, 2, 29, 12, tzinfo=place),
    ]
    moments = [us(one) for one in edges]
    moments += [
        us(datetime(2019, 6, 1, tzinfo=UTC)) + chance.randrange(5 * 365 * 86_400) * SECOND for _ in range(25)
    ]
    moments += [
        one + chance.choice((0, 0, 1000)) for one in chance.sample(moments, 8)
    ]  # together, and a millisecond later
    names = [("Observation", f"o{n}") for n in range(6)] + [("Encounter", f"e{n}") for n in range(2)]
    names += [("Patient", one) for one in PATIENTS]
    for moment in sorted(moments):
        monkeypatch.setattr(ledger, "now_us", partial(int, moment))
        operations = []
        for kind, id_ in chance.sample(names, chance.choice((1, 1, 2, 4))):
            body = None if chance.random() < 0.25 else drawn(chance, kind, id_)
            if body is None:
                operations.append(Operation("delete", kind, id_))
            else:
                operations.append(Operation("update", kind, id_, json.dumps(body).encode()))
        for stored in records.write(ACTOR, operations):
            body = None if stored.deleted else json.loads(stored.body)
            world.versions.setdefault((stored.type, stored.id), []).append(
                (stored.updated_us, stored.version, body)
            )
            world.instants.append(stored.updated_us)
    monkeypatch.undo()
    return world


def drawn(chance: random.Random, kind: str, id_: str) -> dict[str, Any]:
    if kind == "Patient":
        return {"resourceType": kind, "id": id_, "gender": chance.choice(("male", "female"))}
    whose = {"reference": f"Patient/{chance.choice(PATIENTS)}"}
    when = chance.choice(DATES)
    if kind == "Encounter":
        period = {"period": {"start": when}} if when else {}
        return {
            "resourceType": kind,
            "id": id_,
            "status": "unknown",
            "class": {"code": "AMB"},
            "subject": whose,
            **period,
        }
    dated: dict[str, Any] = {"effectiveDateTime": when} if when else {}
    if chance.random() < 0.4:  # measured at home, by another patient at times: it lies in two compartments
        dated["performer"] = [{"reference": f"Patient/{chance.choice(PATIENTS)}"}]
    code = {"coding": [{"system": "http://loinc.org", "code": chance.choice(("718-7", "2345-7"))}]}
    return {"resourceType": kind, "id": id_, "status": "final", "code": code, "subject": whose, **dated}


ZONES = ("Asia/Shanghai", "UTC", "America/New_York")


@pytest.fixture
def world(
    request: pytest.FixtureRequest, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[World]:
    zone = getattr(request, "param", ZONES[0])
    records = Records(open_database(database_url, durable=False), Settings(time_zone=zone))
    yield built(records, zone, 20, monkeypatch)
    records.close()


def questions(world: World) -> Iterator[tuple[AsOf, int, int | None]]:
    """Each as the program takes it, and as the oracle does."""
    chance = random.Random(4)
    instants = sorted(set(world.instants))
    beside = [instants[0] - 1, *(one + by for one in instants for by in (-1, 0, 1))]
    begins = [bounds(when, world.zone)[0] for when in DATES if when]  # at which it has just begun
    valids = [None, None, *chance.sample(instants, 4), *begins, *(one - 1 for one in begins)]
    for known in beside:
        valid = chance.choice(valids)
        yield AsOf(known, valid), known, valid
    dates = [
        "2019",
        "2020",
        "2020-01",
        "2020-02",
        "2020-03",
        "2019-12-31",
        "2020-01-01",
        "2020-02-29",
        "2020-03-08",
        "2020-11-01",
    ]
    dates += [instant_text(one) for one in chance.sample(instants, 4)]
    dates += ["2020-11-01T01:30:00-04:00", "2020-11-01T01:30:00-05:00", "2020-01-01T00:00:00+08:00", "2018"]
    for known in dates:
        for text in (None, *chance.sample(dates, 3)):
            at = as_of(known, text, world.zone)
            assert at is not None
            low, high = (
                bounds(known, world.zone) if "." not in known else (us(datetime.fromisoformat(known)),) * 2
            )
            assert low <= high
            valid = None
            if text is not None:
                valid = bounds(text, world.zone)[1] if "." not in text else us(datetime.fromisoformat(text))
            yield at, high, valid


@pytest.mark.parametrize("world", ZONES, indirect=True)
def test_reads_and_charts_are_what_a_replay_gives(world: World) -> None:
    there = charts = gone = 0
    for at, known, valid in questions(world):
        assert (at.known_us, at.valid_us) == (known, valid), (instant_text(known), at)
        for kind, id_ in world.versions:
            expected = world.at((kind, id_), known)
            if expected is None:
                with pytest.raises(NotYet):
                    world.past.read(ACTOR, kind, id_, at)
            elif expected[2] is None:
                gone += 1
                with pytest.raises(GoneThen):
                    world.past.read(ACTOR, kind, id_, at)
            elif not world.begun(expected[2], valid):
                with pytest.raises(NotYet):
                    world.past.read(ACTOR, kind, id_, at)
            else:
                there += 1
                assert world.past.read(ACTOR, kind, id_, at).version == expected[1]
        for patient in PATIENTS:
            expected_chart = world.chart(patient, known, valid)
            entries = world.past.chart(ACTOR, patient, at, count=1000).entries
            assert {(one.type, one.id): one.version for one in entries} == expected_chart
            charts += len(expected_chart)
    assert min(there, charts, gone) > 150


def test_searches_within_a_patient_are_what_a_replay_gives(world: World) -> None:
    chance = random.Random(5)
    matched = 0
    asked = list(questions(world))
    for at, known, valid in chance.sample(asked, 90):
        patient = chance.choice(PATIENTS)
        chart = world.chart(patient, known, valid)
        bodies = {name: world.at(name, known) for name in chart}
        for pairs, fits in (
            ([], lambda body: True),
            ([("code", "718-7")], lambda body: body["code"]["coding"][0]["code"] == "718-7"),
            ([("date:missing", "true")], lambda body: "effectiveDateTime" not in body),
        ):
            expected = {
                name: one[1]
                for name, one in bodies.items()
                if name[0] == "Observation" and one is not None and one[2] is not None and fits(one[2])
            }
            for compartment, own in ((None, [("patient", patient)]), (Compartment("Patient", patient), [])):
                query = parse_query(
                    "Observation",
                    [*own, *pairs, ("_count", "100")],
                    strict=True,
                    timezone=world.zone,
                    compartment=compartment,
                )
                page = world.past.search(ACTOR, query, at)
                assert {(e.stored.type, e.stored.id): e.stored.version for e in page.entries} == {
                    name: version
                    for name, version in expected.items()
                    if compartment or bodies[name][2]["subject"]["reference"] == f"Patient/{patient}"  # type: ignore[index]
                }
            matched += len(expected)
    assert matched > 50


def test_history_of_each_resource_has_no_gap_and_ends_where_the_next_begins(world: World) -> None:
    for (kind, id_), versions in world.versions.items():
        assert [one[1] for one in versions] == list(range(1, len(versions) + 1))
        instants = [one[0] for one in versions]
        assert instants == sorted(instants)
        for number, (instant, version, body) in enumerate(versions):
            last_there = bisect_right(instants, instant) - 1
            if body is not None and last_there == number:
                assert world.past.read(ACTOR, kind, id_, AsOf(instant)).version == version


def test_another_tenant_has_another_past(world: World) -> None:
    world.records.set_tenant(2, "second", "UTC")
    stranger = Actor("stranger", 2, "HOPERAT", "system")
    at = AsOf(max(world.instants))
    for patient in PATIENTS:
        assert world.past.chart(stranger, patient, at).entries == []
        query = parse_query("Observation", [("patient", patient)], strict=True)
        assert world.past.search(stranger, query, at).entries == []
    assert world.past.read_all(stranger, list(world.versions), at) == []
