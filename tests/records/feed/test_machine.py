"""The feed and a consumer against a model in memory, through failures, crashes, lost leads and retries by hand."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from pathlib import Path

from following import HERE, add_patient, consumers, observation
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from xinglin.kernel.database import open_database
from xinglin.records.feed import Consumer, Feed, repository
from xinglin.records.service import Records
from xinglin.records.stored import Change, Operation

PATIENTS = ["a", "b", "c", None]
Key = tuple[str, str, int]


class Crash(BaseException):
    """The process is gone in the middle of what it did."""


def lane(change: Change) -> str:
    return change.patient or f"{change.type}/{change.id}"


class FeedMachine(RuleBasedStateMachine):
    """What was committed is the model: a list. Handling may repeat, and never skips, doubles a lane or turns its order."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory(prefix="xinglin-machine-")
        self.url = f"sqlite:///{Path(self.folder.name) / 'x.db'}"
        self.records = self.opened()
        self.written: list[Key] = []  # the model: every version, in the order of commits
        self.alive: list[str] = []
        self.failing: set[str] = set()  # lanes whose observations are refused
        self.handled: dict[str, list[Change]] = defaultdict(list)
        self.crash_after: int | None = None
        self.usurp = False

    def opened(self) -> Records:
        return Records(open_database(self.url, durable=False))

    def consumer(self) -> Consumer:
        return Consumer("a", self.handle, start="beginning", attempts=2, backoff_s=0.0, batch=3, lanes=2)

    def handle(self, changes: list[Change]) -> None:
        if self.usurp:
            self.usurp = False
            self.records.database.write(
                lambda c: c.execute("UPDATE consumer SET owner = 'another', fence = fence + 1, until_us = 0")
            )
        for change in changes:
            if self.crash_after is not None:
                self.crash_after -= 1
                if self.crash_after < 0:
                    raise Crash
            if change.type == "Observation" and lane(change) in self.failing:
                raise ValueError
            self.handled[lane(change)].append(change)

    @initialize()
    def patients(self) -> None:
        for patient in filter(None, PATIENTS):
            add_patient(self.records, patient)
            self.written.append(("Patient", patient, 1))

    @rule(patient=st.sampled_from(PATIENTS), count=st.integers(1, 4))
    def write(self, patient: str | None, count: int) -> None:
        done = self.records.write(
            HERE, [Operation("create", "Observation", body=observation(patient, n)) for n in range(count)]
        )
        self.written += [(one.type, one.id, one.version) for one in done]
        self.alive += [one.id for one in done]

    @rule(data=st.data())
    def change_or_delete(self, data: st.DataObject) -> None:
        if self.alive:
            id_ = data.draw(st.sampled_from(self.alive))
            if data.draw(st.booleans()):
                stored = self.records.delete(HERE, "Observation", id_)
                self.alive.remove(id_)
            else:
                body = self.records.read(HERE, "Observation", id_).body
                stored = self.records.update(HERE, "Observation", id_, body)
            assert stored is not None
            self.written.append((stored.type, stored.id, stored.version))

    @rule(lanes=st.sets(st.sampled_from(["a", "b", "c"])))
    def break_or_mend(self, lanes: set[str]) -> None:
        self.failing = lanes

    @rule()
    def run(self) -> None:
        consumers(self.records, self.consumer()).catch_up()

    @rule(patients=st.lists(st.sampled_from(PATIENTS), min_size=1, max_size=3), after=st.integers(0, 6))
    def crash(self, patients: list[str | None], after: int) -> None:
        """With something to do: most crashes of an idle consumer show nothing."""
        for patient in patients:
            self.write(patient, 2)
        self.crash_after = after
        try:
            consumers(self.records, self.consumer()).catch_up()
        except Crash:
            self.records.close()
            self.records = self.opened()
        self.crash_after = None

    @rule(patient=st.sampled_from(PATIENTS))
    def lose_the_lead(self, patient: str | None) -> None:
        self.write(patient, 2)
        self.usurp = True
        consumers(self.records, self.consumer()).catch_up()
        self.usurp = False

    @rule()
    def retry_by_hand(self) -> None:
        one = consumers(self.records, self.consumer())
        one.retry("a")
        one.catch_up()

    @invariant()
    def the_feed_is_what_was_written(self) -> None:
        found, reached = Feed(self.records).read(HERE, 0, 100_000)
        assert [(c.type, c.id, c.version) for c in found] == self.written
        middle = reached // 2
        assert Feed(self.records).read(HERE, middle, 100_000)[0] == [c for c in found if c.position > middle]

    @invariant()
    def no_lane_skips_or_turns(self) -> None:
        for name, of_lane in self.by_lane().items():
            firsts = list(dict.fromkeys((c.type, c.id, c.version) for c in self.handled[name]))
            assert firsts == [(c.type, c.id, c.version) for c in of_lane[: len(firsts)]]

    def by_lane(self) -> dict[str, list[Change]]:
        found: dict[str, list[Change]] = defaultdict(list)
        for change in Feed(self.records).read(HERE, 0, 100_000)[0]:
            found[lane(change)].append(change)
        return found

    def teardown(self) -> None:
        """Once everything is mended and retried, all has been handled and nothing is held."""
        try:
            self.failing = set()
            one = consumers(self.records, self.consumer())
            one.catch_up()
            one.retry("a")
            one.catch_up()
            self.no_lane_skips_or_turns()
            for name, of_lane in self.by_lane().items():
                assert {(c.id, c.version) for c in of_lane} == {(c.id, c.version) for c in self.handled[name]}
            assert one.parked("a") == []
            with self.records.database.read() as connection:
                assert repository.states(connection)[0, "a"].position == Feed(self.records).last()
        finally:
            self.records.close()
            self.folder.cleanup()


FeedMachine.TestCase.settings = settings(
    max_examples=12, stateful_step_count=14, deadline=None, suppress_health_check=list(HealthCheck)
)
TestFeed = FeedMachine.TestCase
