"""Drafts against a simple model in memory: whatever is done in whatever order, the two say the same."""

from __future__ import annotations

import itertools
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from drafts.patients import DOCTOR, SERVICE, Ward, risk
from xinglin.drafts import Model
from xinglin.drafts.errors import Decided, InputChanged
from xinglin.kernel.database import open_database
from xinglin.records.service import Records

INPUTS = ("a", "b")
KINDS = ("x", "y")


class DraftMachine(RuleBasedStateMachine):
    """``values``: what each input holds now. ``made``: (kind, input, model version, value) → (draft, its state)."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        url = f"sqlite:///{Path(self._folder.name) / 'machine.db'}"
        self.ward = Ward(Records(open_database(url, durable=False)))
        self.numbers = itertools.count(100)
        self.values: dict[str, int] = {}
        self.made: dict[tuple[str, str, int, int], list[str]] = {}
        self.flagged: set[str] = set()
        for name in INPUTS:
            self._measure(name)

    def _measure(self, name: str) -> None:
        self.values[name] = next(self.numbers)
        self.ward.result(name, str(self.values[name]))

    def _open(self) -> list[tuple[str, str, int, int]]:
        return [key for key, (_, state) in self.made.items() if state == "open"]

    @rule(kind=st.sampled_from(KINDS), name=st.sampled_from(INPUTS), version=st.integers(1, 3))
    def propose(self, kind: str, name: str, version: int) -> None:
        value = self.values[name]
        by = Model("machine", str(version), "")
        got = self.ward.propose(f"Observation/{name}", kind=kind, by=by, resources=(risk(),))
        key = (kind, name, version, value)
        newer = [k for k in self._open() if k[:2] == key[:2] and k[3] == value and k[2] > version]
        if key in self.made:
            assert got.ref.id == self.made[key][0]
        elif newer:
            assert got.ref.id == self.made[newer[0]][0]
        else:
            for other in self._open():
                if other[:2] == key[:2]:
                    self.made[other][1] = "superseded"
            self.made[key] = [got.ref.id, "open"]

    @rule(name=st.sampled_from(INPUTS))
    def measure_again(self, name: str) -> None:
        self._measure(name)

    @rule(name=st.sampled_from(INPUTS))
    def label(self, name: str) -> None:
        body = self.ward.read(f"Observation/{name}")
        self.ward.put({**body, "meta": {"tag": [{"system": "urn:x", "code": str(next(self.numbers))}]}})

    @precondition(lambda self: self.made)
    @rule(data=st.data(), how=st.sampled_from(("accept", "reject", "amend")))
    def decide(self, data: st.DataObject, how: str) -> None:
        key = data.draw(st.sampled_from(sorted(self.made)))
        id_, state = self.made[key]
        reference = f"RiskAssessment/{id_}"
        current = key[3] == self.values[key[1]]
        confirming = id_ in self.flagged and state in ("accepted", "amended")
        try:
            if how == "accept":
                self.ward.drafts.accept(DOCTOR, reference)
            elif how == "amend":
                self.ward.drafts.amend(DOCTOR, reference, risk(probability=0.9))
            else:
                self.ward.drafts.reject(DOCTOR, reference, "incorrect")
        except Decided:
            assert state != "open"
            assert not confirming or how == "amend"
        except InputChanged:
            assert state == "open"
            assert not current
            assert how != "reject"
        else:
            if confirming:
                self.flagged.discard(id_)
                if how == "reject":
                    self.made[key][1] = "withdrawn"
                else:
                    self.made[(*key[:3], self.values[key[1]])] = self.made.pop(key)
            else:
                assert state == "open"
                assert current or how == "reject"
                self.made[key][1] = {"accept": "accepted", "amend": "amended", "reject": "rejected"}[how]

    @rule(again=st.booleans())
    def follow(self, again: bool) -> None:
        if again:
            self.ward.position = 0
        self.ward.follow()
        for key, entry in self.made.items():
            if key[3] != self.values[key[1]]:
                if entry[1] == "open":
                    entry[1] = "superseded"
                elif entry[1] in ("accepted", "amended"):
                    self.flagged.add(entry[0])

    @invariant()
    def the_record_says_the_same(self) -> None:
        for id_, state in self.made.values():
            draft = self.ward.drafts.show(DOCTOR, f"RiskAssessment/{id_}")
            assert (draft.state, draft.changed) == (state, id_ in self.flagged)
        open_ = {one.ref.id for one in self.ward.drafts.open(SERVICE).drafts}
        assert open_ == {self.made[key][0] for key in self._open()}
        assert self.ward.dump().get("RiskAssessment", 0) == len(self.made)

    def teardown(self) -> None:
        self.ward.records.close()
        self._folder.cleanup()


DraftMachine.TestCase.settings = settings(
    max_examples=12,
    stateful_step_count=20,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    derandomize=True,
)
TestDrafts = DraftMachine.TestCase
