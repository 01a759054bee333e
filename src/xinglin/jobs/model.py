"""What the queue holds: jobs, their kinds, their log, schedules."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, TypedDict

from xinglin.kernel.language import Language, say

if TYPE_CHECKING:
    from xinglin.jobs.work import Work

State: TypeAlias = Literal["queued", "running", "done", "failed", "cancelled"]
STATES: Final[tuple[State, ...]] = ("queued", "running", "done", "failed", "cancelled")
"""In the database a state is its place here; what is below 2 is not ended."""
ATTEMPTS: Final = 5
SILENT_S: Final = 1800.0
"""For work of any length that looks about after each batch: no batch, nor a count through the largest table, takes so long."""
Level: TypeAlias = Literal["info", "warning", "error"]


@dataclass(frozen=True)
class Kind:
    """What a worker can run: a name such as ``records.export``, and its function.

    ``attempts``: how often a job of the kind is tried unless `Queue.add` says otherwise. ``concurrency``: how many of the
    kind one worker runs at a time, 0 no limit. ``title``: the key of the sentence that a person reads in place of the
    name, filled from the job's arguments; ``records.job-export`` where nothing is said. ``most_s``: how long one attempt may
    take; ``silent_s``: how long it may go without a sign of life (`Work.check`, `save`, `progress`), for work that may take
    any time but never hang. 0: no limit. Past either it is asked to end, and soon given up if it does not; that counts
    as a failed attempt.
    """

    name: str
    run: Callable[[Work], Mapping[str, Any] | None]
    attempts: int = ATTEMPTS
    concurrency: int = 0
    title: str = ""
    most_s: float = 0.0
    silent_s: float = 0.0


@dataclass(frozen=True)
class Terms:
    """On what terms a job is wanted.

    Parameters
    ----------
    priority : int
        Higher ones run first.
    run_at_us : int, optional
        Not before this instant (µs UTC).
    attempts : int, optional
        How often it is tried in all before it is given up as failed; by default as its kind says.
    unique : str
        Of one kind and tenant there is one job of this key, until it has ended.
    shown : bool
        Whether people see it: as a FHIR Task of the same id, where the record is.
    """

    tenant: int = 1
    actor: str = "local-system"
    purpose: str = "HOPERAT"
    priority: int = 0
    run_at_us: int | None = None
    attempts: int | None = None
    unique: str = ""
    shown: bool = False


class Lasting(TypedDict, total=False):
    """Those of `Terms` that hold for every job of a schedule, as keywords; one that is left out is as there."""

    tenant: int
    actor: str
    purpose: str
    priority: int
    attempts: int | None
    shown: bool


class Options(Lasting, total=False):
    """`Terms` as keywords."""

    run_at_us: int | None
    unique: str


@dataclass(frozen=True)
class Job:
    """One job as it was when it was read. Times are µs UTC.

    ``done``, ``of``, ``stage``: progress; ``of`` None: not known how much there is. ``error``: key and values of the
    sentence why it failed or will be tried again. ``seq`` and ``fence`` are the queue's own: order, and which claim.
    """

    id: str
    tenant: int
    kind: str
    state: State
    actor: str
    purpose: str
    arguments: dict[str, Any]
    priority: int
    attempts: int
    attempts_most: int
    run_at_us: int
    queued_us: int
    started_us: int | None
    ended_us: int | None
    owner: str | None
    done: int
    of: int | None
    stage: str
    result: dict[str, Any] | None
    error: tuple[str, dict[str, Any]] | None
    cancel_asked: bool
    unique: str
    shown: bool
    checkpoint: dict[str, Any] = field(default_factory=dict)
    seq: int = 0
    fence: int = 0

    @property
    def ended(self) -> bool:
        """Done, failed or cancelled: only a retry by hand brings it back."""
        return self.state not in ("queued", "running")

    def reason(self, language: Language = "en") -> str | None:
        """Why it failed, or why it was put off, as a sentence."""
        return None if self.error is None else sentence(self.error[0], language, self.error[1])


@dataclass(frozen=True)
class LogLine:
    """One line of a job's log."""

    at_us: int
    level: Level
    key: str
    values: dict[str, Any]

    def say(self, language: Language = "en") -> str:
        """The line as a sentence."""
        return sentence(self.key, language, self.values)


@dataclass(frozen=True)
class Schedule:
    """What is enqueued again and again: every ``every_s`` seconds, or as ``cron`` says in ``zone``."""

    name: str
    tenant: int
    kind: str
    arguments: dict[str, Any]
    every_s: float | None
    cron: str | None
    zone: str
    actor: str
    purpose: str
    priority: int
    attempts_most: int
    shown: bool
    next_us: int
    last_us: int | None


def title(kind: str, arguments: Mapping[str, Any], language: Language = "en", key: str = "") -> str:
    """What a job of this kind does, as the sentence ``key`` filled from its arguments; the kind's name where there is none."""
    package, _, name = kind.partition(".")
    key = key or f"{package}.job-{name}"
    said = sentence(key, language, arguments)
    return kind if said == key else said


def sentence(key: str, language: Language, values: Mapping[str, Any]) -> str:
    """The sentence ``key``; the key itself where the package that has it is not installed or no longer has it."""
    try:
        return say(key, language, **values)
    except (KeyError, IndexError, ModuleNotFoundError, FileNotFoundError, ValueError):
        return key
