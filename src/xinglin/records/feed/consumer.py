"""What follows the feed durably, and how far behind it is."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from xinglin.records.stored import Change


@dataclass(frozen=True)
class Consumer:
    """A named follower of the feed. Its position is kept in the database under ``name``.

    handle
        Is given changes in order, at least once: after a crash those of the last moment come again. All changes of one
        patient come in order and never two lists of them at a time; lists of other patients run beside them in other
        threads. What it raises: an `Unavailable` or `Full` is waited out; anything else makes the changes be given
        one by one, and the patient whose change failed is held back while the others go on.
    types
        Resource types that it wants; empty: all.
    tenant
        Whose changes; None: every tenant's.
    batch
        Most changes given at a time.
    lanes
        How many lists run at a time; 1: strictly in the order of the feed.
    start
        Where it begins when its name is first seen: at the beginning of the record, or with what comes from now on.
    attempts, backoff_s
        A failed change is tried that often, after ``backoff_s`` and four times as long each time, then parked.
    gather_s
        Least time between two rounds: more of it makes fewer and larger lists under load, and costs the first nothing.
    ease
        A round is followed by a rest of so many times as long as it took, half a second at most: for what writes to the
        database in every round, which else takes turns with the writers where the disk is slow.
    beside
        Runs in a thread of its own for as long as this process leads the consumer; ends when the event is set.
    """

    name: str
    handle: Callable[[list[Change]], None]
    types: frozenset[str] = frozenset()
    tenant: int | None = None
    batch: int = 200
    lanes: int = 4
    start: Literal["beginning", "now"] = "now"
    attempts: int = 5
    backoff_s: float = 0.5
    gather_s: float = 0.005
    ease: float = 0.0
    beside: Callable[[threading.Event], None] | None = None

    @property
    def key(self) -> tuple[int, str]:
        """Its row in the database; tenant 0 stands for all."""
        return (self.tenant or 0, self.name)


class Lag(NamedTuple):
    """How far a consumer is behind: commits, the age in seconds of the oldest of them, and lanes that are parked.

    ``led``: a process leads it now. ``reason``: why it stands still as (key of a sentence, values), None where it moves.
    """

    commits: int
    seconds: float
    parked: int = 0
    led: bool = True
    reason: tuple[str, dict[str, str]] | None = None


def lane_of(change: Change) -> str:
    """The lane of a change: its patient's, or that of the resource itself where it has no patient or several."""
    if change.patient:
        return f"Patient/{change.patient}"
    return f"{change.type}/{change.id}"
