"""An export is of one instant: nothing that is written meanwhile leaks in, nothing is missed or stands twice."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from bulk_world import observation, patient, put
from xinglin.records.bulk.exporter import State, Watch
from xinglin.records.bulk.request import Export
from xinglin.records.service import Records
from xinglin.trust import local_system

HERE = local_system()


class Meddling(Watch):
    """Changes the record each time that the exporter looks up."""

    def __init__(self, records: Records, seed: int) -> None:
        self.records = records
        self.chance = random.Random(seed)
        self.states: list[dict[str, Any]] = []
        self.begun = False

    def save(self, state: State) -> None:
        self.begun = True
        self.states.append(state.as_dict())

    def check(self) -> None:
        if not self.begun:
            return
        for _ in range(6):
            number = self.chance.randrange(60)
            act = self.chance.random()
            if act < 0.3:
                self.records.delete(HERE, "Observation", f"o{number}")
            elif act < 0.5:
                self.records.delete(HERE, "Patient", f"p{number % 12}")
            elif act < 0.8:
                note = [{"text": str(self.chance.random())}]
                put(self.records, HERE, observation(number, self.chance.randrange(12), note=note))
            else:
                put(self.records, HERE, patient(number % 12, active=self.chance.random() < 0.5))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    "asked",
    [
        Export(),
        Export("patient"),
        Export("group", "g"),
        Export(filters=(("Observation", "code=a"),)),
        Export(since_us=1),
    ],
    ids=["system", "patient", "group", "filter", "since"],
)
def test_writes_during_an_export_neither_leak_in_nor_lose_anything(
    world: Records, export: Any, asked: Export, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("xinglin.records.bulk.exporter.CHUNK", 7)
    monkeypatch.setattr("xinglin.records.bulk.moment.CHUNK", 7)
    meddling = Meddling(world, seed)
    meddling.begun = True
    meddling.check()  # some history before the instant
    meddling.begun = False
    wanted = export(asked)
    done = export(asked, watch=meddling, file_bytes=300)
    assert len(meddling.states) > 4
    assert done.bodies == wanted.bodies
    assert done.deleted == wanted.deleted
    assert export(asked).bodies != wanted.bodies


class Once(Watch):
    """Does something once, between the moment of an export and its first file."""

    def __init__(self, act: Callable[[State], None]) -> None:
        self.act = act
        self.state: State | None = None

    def save(self, state: State) -> None:
        if self.state is None:
            self.state = state
            self.act(state)


@pytest.mark.parametrize(
    "asked",
    [
        Export(types=("Patient",)),
        Export("patient", types=("Patient",)),
        Export("group", "g", types=("Patient",)),
        Export(types=("Patient",), filters=(("Patient", "gender=female"),)),
        Export(types=("Patient",), since_us=1),
    ],
    ids=["system", "patient", "group", "filter", "since"],
)
def test_a_commit_behind_the_moment_stays_out_whatever_its_clock_says(
    world: Records, export: Any, asked: Export
) -> None:
    """PostgreSQL with several writers: a commit behind the moment may carry an instant before it."""
    wanted = export(asked)

    def meddle(state: State) -> None:
        put(world, HERE, patient(90), patient(1, active=True))
        world.delete(HERE, "Patient", "p2")
        at, behind = state.moment.at_us - 5_000, state.moment.position

        def backdate(connection: Any) -> None:
            late = "SELECT tx FROM commits WHERE position > ?"
            connection.execute(f"UPDATE resource SET updated_us = ? WHERE tx IN ({late})", (at, behind))
            connection.execute("UPDATE commits SET at_us = ? WHERE position > ?", (at, behind))

        world.database.exclusively(backdate)

    done = export(asked, watch=Once(meddle))
    assert done.bodies == wanted.bodies
    assert done.deleted == wanted.deleted
    following = export(Export(types=("Patient",), since_us=done.state.moment.at_us))
    assert {"Patient/p90", "Patient/p1"} <= following.names
    assert following.deleted == {"Patient/p2"}


@pytest.mark.parametrize(
    "asked",
    [Export(), Export("group", "g"), Export(filters=(("Observation", "code=a"),))],
    ids=["system", "group", "filter"],
)
def test_what_changes_only_after_the_moment_is_not_in_what_changed_since(
    world: Records, export: Any, asked: Export
) -> None:
    since = export().state.moment.at_us + 1
    time.sleep(0.003)
    put(world, HERE, observation(1, 1, note=[{"text": "in time"}]))
    asked = replace(asked, types=("Observation",), since_us=since)
    assert export(asked).names == {"Observation/o1"}

    def meddle(state: State) -> None:
        put(
            world,
            HERE,
            observation(2, 2, note=[{"text": "late"}]),
            observation(1, 1, note=[{"text": "late"}]),
        )

    done = export(asked, watch=Once(meddle))
    assert done.names == {"Observation/o1"}
    assert done.bodies["Observation/o1"]["note"] == [{"text": "in time"}]
