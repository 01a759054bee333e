"""The hospital at work: who comes when, whose story is at which step, and what is due by now.

Deterministic: the same seed, number of patients, start and speed give the same people with the same stories at the same
times. Hospital time begins at 0 s; `Clock` turns it into the time on the wall. What a `Hospital` needs to go on after a
restart is its `State`, a few numbers: the stories under way are told again from their beginnings and passed over up to there.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from random import Random
from typing import Final

import msgspec

from xinglin.apps.demo.elements import Json
from xinglin.apps.demo.hospital import Staff
from xinglin.apps.demo.stories import Step, story

SPEED: Final = 60.0
VISITS_AN_HOUR: Final = 0.02
"""Arrivals an hour for each patient of the hospital: 200 patients make about 4."""
MOST_A_SECOND: Final = 2.0
"""Arrivals a second on the wall, however large and fast the hospital: each brings ten to three hundred writes."""
_SOON_S: Final = (0.0, 60.0, 150.0, 300.0)
"""The first arrivals, so that one who opens the page sees them; the second is an emergency."""


class Segment(msgspec.Struct, frozen=True, array_like=True):
    """From hospital time ``at_s`` on, which is ``wall_us`` (µs UTC), the hospital runs at ``speed``."""

    at_s: float
    wall_us: int
    speed: float


class Case(msgspec.Struct, frozen=True, array_like=True):
    """Arrival ``number`` at hospital time ``at_s``: patient ``patient``."""

    number: int
    at_s: float
    patient: int


class State(msgspec.Struct):
    """All that has to be kept: the clock, the next arrival, the cases under way, and up to where they are told."""

    run: str
    segments: list[Segment]
    next_number: int = 0
    next_s: float = 0.0
    open: list[Case] = []
    told_s: float = -1.0


Due = tuple[str, str, bytes]
"""Type, id and body of a resource to be written."""


def due(resource: Json) -> Due:
    """A resource as it is at this moment."""
    return resource["resourceType"], resource["id"], msgspec.json.encode(resource)


def base36(number: int) -> str:
    """A number with digits and letters: part of the ids of what a run writes.

    >>> base36(1795266000)
    'tou8uo'
    """
    digits = ""
    while number:
        number, rest = divmod(number, 36)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[rest] + digits
    return digits or "0"


class Hospital:
    """What happens next. ``due`` gives the steps whose time has come; ``state`` is where it stands after them."""

    def __init__(self, patients: int, seed: int, state: State) -> None:
        self.state = state
        self._patients, self._seed = patients, seed
        self._staff = Staff(seed)
        self._queue: list[tuple[float, int, list[Json], Iterator[Step]]] = []
        self._cases: dict[int, Case] = {}
        for case in state.open:
            self._tell(case, told_s=state.told_s)

    @classmethod
    def begun(cls, patients: int, seed: int, wall_us: int, speed: float) -> Hospital:
        """A hospital that opens now."""
        return cls(patients, seed, State(base36(wall_us // 1_000_000), [Segment(0.0, wall_us, speed)]))

    @classmethod
    def resumed(cls, patients: int, seed: int, state: State, wall_us: int, speed: float) -> Hospital:
        """A hospital that goes on now from where it stood: what was due meanwhile was not missed, time stood still."""
        earliest = min((case.at_s for case in state.open), default=state.told_s)
        kept = [
            segment
            for segment, after in zip(state.segments, [*state.segments[1:], None], strict=True)
            if after is None or after.at_s > earliest
        ]
        state.segments = [*kept, Segment(max(state.told_s, 0.0), wall_us, speed)]
        return cls(patients, seed, state)

    def wall_us(self, at_s: float) -> int:
        """The time on the wall at a hospital time."""
        segment = next(
            (one for one in reversed(self.state.segments) if one.at_s <= at_s), self.state.segments[0]
        )
        return segment.wall_us + round((at_s - segment.at_s) / segment.speed * 1e6)

    def next_us(self) -> int:
        """When the next step is due."""
        upcoming = min(self.state.next_s, self._queue[0][0]) if self._queue else self.state.next_s
        return self.wall_us(upcoming)

    def due(self, wall_us: int) -> list[Due]:
        """Everything that has happened by ``wall_us`` and was not given yet, in order; `state` moves past it."""
        written: list[Due] = []
        while self.next_us() <= wall_us:
            if not self._queue or self.state.next_s <= self._queue[0][0]:
                self._arrive()
                continue
            at_s, number, resources, steps = heapq.heappop(self._queue)
            written += map(due, resources)  # now: the story goes on with the same objects
            self.state.told_s = at_s
            self._advance(number, steps)
        self.state.open = list(self._cases.values())
        return written

    def _arrive(self) -> None:
        """The next person comes, and the one after is thought of."""
        number, at_s = self.state.next_number, self.state.next_s
        rng = Random(f"{self._seed}:{self.state.run}:{number}")
        speed = self.state.segments[-1].speed
        rate = min(VISITS_AN_HOUR * self._patients / 3600, MOST_A_SECOND / speed)
        self.state.next_number = number + 1
        self.state.next_s = _SOON_S[number + 1] if number + 1 < len(_SOON_S) else at_s + rng.expovariate(rate)
        busy = {case.patient for case in self._cases.values()}
        for _ in range(20):  # among very few patients everybody may be here, or dead
            patient = rng.randrange(1, self._patients + 1)
            if patient not in busy and self._tell(Case(number, at_s, patient)):
                return

    def _tell(self, case: Case, told_s: float | None = None) -> bool:
        """Begin the story of a case (``told_s``: begin it again and pass over what was told); whether there is one."""
        steps = story(
            case.patient,
            self._seed,
            self._staff,
            f"live-{self.state.run}-{case.number}",
            lambda minute: self.wall_us(case.at_s + minute * 60),
            emergency=case.number % 12 == 1,
        )
        if steps is None:
            return False
        self._cases[case.number] = case
        self._advance(case.number, steps, told_s)
        return True

    def _advance(self, number: int, steps: Iterator[Step], told_s: float | None = None) -> None:
        case = self._cases[number]
        for minute, resources in steps:
            at_s = case.at_s + minute * 60
            if told_s is not None and at_s <= told_s:
                continue
            heapq.heappush(self._queue, (at_s, number, resources, steps))
            return
        del self._cases[number]
