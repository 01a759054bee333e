"""The queue as everybody but its workers uses it: add, look, cancel, retry, schedule.

A job's state changes inside the database's own transactions; for a job that is shown, the `Observer` writes what shows
it (a FHIR Task) in the very same one.
"""

from __future__ import annotations

import builtins
import contextvars
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Protocol, Unpack

from xinglin.jobs import repository
from xinglin.jobs.errors import NoSuchJob, NotNow
from xinglin.jobs.leases import repository as leases
from xinglin.jobs.lines import repository as lines
from xinglin.jobs.logs import repository as logs
from xinglin.jobs.model import Job, Kind, Lasting, LogLine, Options, Schedule, State, Terms, title
from xinglin.jobs.schedules import Timetable
from xinglin.kernel.clock import now_us
from xinglin.kernel.database import Connection, Database
from xinglin.kernel.ids import new_id
from xinglin.kernel.language import Language
from xinglin.kernel.log import REQUEST

ARGUMENTS_MOST: Final = 1 << 20
"""Bytes of a job's arguments as JSON: what is larger belongs into the record or the blobs, and its id here."""


class Observer(Protocol):
    """Who shows jobs elsewhere in the same database."""

    def changed(self, connection: Connection, job: Job, titles: Mapping[Language, str]) -> None:
        """``job``, which is shown, is new or has changed, in the transaction of ``connection``; ``titles`` say what it does."""
        ...


class Queue:
    """The queue in ``database``; any number of them may be open at once, in any number of processes."""

    def __init__(self, database: Database, observer: Observer | None = None) -> None:
        self.database = database
        self.observer = observer
        self.timetable = Timetable(self)
        self._titles: dict[str, str] = {}

    # Adding

    def add(self, kind: str, arguments: Mapping[str, Any] | None = None, **options: Unpack[Options]) -> Job:
        """A new job, on disk once this returns; where ``unique`` is taken by one of its kind not yet ended, that one.

        ``arguments`` are what JSON holds, at most `ARGUMENTS_MOST` bytes of it: ids and parameters, never clinical content.
        ``options`` are those of `Terms`. Raises TooLarge.
        """
        # In the caller's context: the writer's thread knows nothing of the request that asked.
        enqueue = contextvars.copy_context().run
        return self.database.write(
            lambda connection: enqueue(lambda: self.enqueue(connection, kind, arguments, **options))
        )

    def enqueue(
        self,
        connection: Connection,
        kind: str,
        arguments: Mapping[str, Any] | None = None,
        **options: Unpack[Options],
    ) -> Job:
        """`add` as part of a unit of work that is running: the job is there if and only if the unit is."""
        now = now_us()
        job = _new(kind, arguments, now, Terms(**options))
        while not repository.insert(connection, job):
            there = repository.holder(connection, job.tenant, kind, job.unique)
            if there is not None:  # else it ended between the two statements
                return there
        if request := REQUEST.get():
            logs.log(connection, job, now, "info", "jobs.requested", {"request": request})
        self.tell(connection, job)
        return job

    def add_many(
        self, kind: str, arguments: Iterable[Mapping[str, Any]], *, tenant: int = 1, priority: int = 0
    ) -> int:
        """Add a job for each of ``arguments``, all or none; how many. For many small ones that nobody is shown."""
        now = now_us()
        terms = Terms(tenant=tenant, priority=priority)
        jobs = [_new(kind, each, now, terms) for each in arguments]
        self.database.write(lambda connection: repository.insert_many(connection, jobs))
        return len(jobs)

    # Looking

    def get(self, id_: str, *, tenant: int = 1) -> Job:
        """One job. Raises NoSuchJob."""
        with self.database.read(snapshot=False) as connection:
            return _there(repository.get(connection, tenant, id_), id_)

    def list(
        self,
        tenant: int = 1,
        *,
        states: Sequence[State] = (),
        kind: str | None = None,
        shown: bool | None = None,
        before: int | None = None,
        limit: int = 50,
        brief: bool = False,
    ) -> list[Job]:
        """Newest first; go on with ``before`` the last one's ``seq``. ``brief``: without results and checkpoints."""
        sought = repository.Sought(tenant, states, kind, shown, before)
        with self.database.read(snapshot=False) as connection:
            return repository.listed(connection, sought, limit, brief=brief)

    def under_way(self, tenant: int = 1, *, shown: bool | None = None, limit: int = 50) -> builtins.list[Job]:
        """Running jobs and those that come next, at most ``limit`` of each; without results and checkpoints."""
        with self.database.read(snapshot=False) as connection:
            return lines.under_way(connection, tenant, shown, limit)

    def find(self, id_: str, tenant: int = 1) -> builtins.list[Job]:
        """`get` as a list of one or none."""
        with self.database.read(snapshot=False) as connection:
            job = repository.get(connection, tenant, id_)
        return [] if job is None else [job]

    def log(self, id_: str, tenant: int = 1) -> builtins.list[LogLine]:
        """What the job said, oldest first: all that is kept, see `jobs.logs`. Raises NoSuchJob."""
        with self.database.read() as connection:
            _there(repository.get(connection, tenant, id_), id_)
            return logs.logged(connection, tenant, id_)

    def counts(self, tenant: int | None = 1) -> dict[str, int]:
        """Jobs of each state, of one tenant or (None) of all."""
        with self.database.read() as connection:
            return repository.counts(connection, tenant)

    def waiting(self) -> tuple[int, float]:
        """Due jobs that no worker has taken yet, of all tenants, and for how many seconds the oldest has waited."""
        now = now_us()
        with self.database.read(snapshot=False) as connection:
            count, oldest = repository.waiting(connection, now)
        return count, 0.0 if oldest is None else max(0, now - oldest) / 1e6

    def workers(self) -> builtins.list[tuple[str, str, int, int]]:
        """Workers that are alive: token, name, since when and until when their lease holds (µs UTC)."""
        with self.database.read(snapshot=False) as connection:
            return leases.workers(connection, now_us())

    # Changing

    def cancel(self, id_: str, tenant: int = 1) -> Job:
        """End a queued job at once; ask a running one to end. Raises NoSuchJob, or NotNow where it has ended."""

        def unit(connection: Connection) -> Job:
            job = _there(repository.get(connection, tenant, id_, lock=True), id_)
            if job.ended:
                raise NotNow("jobs.cancel-ended", id=id_, state=job.state)
            job = repository.cancel(connection, job, now_us())
            self.tell(connection, job)
            return job

        return self.database.write(unit)

    def retry(self, id_: str, tenant: int = 1) -> Job:
        """Queue a failed or cancelled job again; it goes on from its checkpoint. Raises NoSuchJob, NotNow."""

        def unit(connection: Connection) -> Job:
            job = _there(repository.get(connection, tenant, id_, lock=True), id_)
            if job.state not in ("failed", "cancelled"):
                raise NotNow("jobs.retry-not-ended", id=id_, state=job.state)
            other = repository.holder(connection, tenant, job.kind, job.unique) if job.unique else None
            if other is not None:
                raise NotNow("jobs.retry-taken", id=id_, other=other.id)
            job = repository.requeue(connection, job, now_us())
            self.tell(connection, job)
            return job

        return self.database.write(unit)

    def tell(self, connection: Connection, job: Job) -> None:
        """Let the observer show ``job`` as it is now."""
        if job.shown and self.observer is not None:
            self.observer.changed(connection, job, {"en": self.title(job, "en"), "zh": self.title(job, "zh")})

    def know(self, kinds: Iterable[Kind]) -> None:
        """Call jobs of these kinds by their titles from now on."""
        self._titles.update({kind.name: kind.title for kind in kinds})

    def title(self, job: Job, language: Language = "en") -> str:
        """What ``job`` does, as a sentence; its kind's name where nobody has said more (`know`)."""
        return title(job.kind, job.arguments, language, self._titles.get(job.kind, ""))

    # Schedules

    def schedule(
        self,
        name: str,
        kind: str,
        arguments: Mapping[str, Any] | None = None,
        *,
        every_s: float | None = None,
        cron: str | None = None,
        zone: str = "UTC",
        **options: Unpack[Lasting],
    ) -> Schedule:
        """Have a job enqueued again and again, by whichever worker is there first, once a tick.

        ``every_s`` seconds, or as ``cron`` says in the time zone ``zone``: five fields, minute hour day month weekday.
        The same name and times again leave the next tick where it is. Ticks that nobody was there for are made up for
        once; a tick whose forerunner has not ended yet adds nothing. Raises BadSchedule, TooLarge.
        """
        terms = Terms(**options)
        repository.packed_within(arguments or {}, ARGUMENTS_MOST, "jobs.arguments-large", kind=kind)
        return self.timetable.put(
            Schedule(
                name, terms.tenant, kind, dict(arguments or {}), every_s, cron, zone, terms.actor, terms.purpose,
                terms.priority, terms.attempts or 0, terms.shown, 0, None,
            )
        )  # fmt: skip

    def schedules(self, tenant: int | None = 1) -> builtins.list[Schedule]:
        """The schedules of one tenant or (None) of all, by name."""
        return self.timetable.all(tenant)

    def unschedule(self, name: str, tenant: int = 1) -> bool:
        """End a schedule; False where there is none of that name. What it has enqueued stays."""
        return self.timetable.drop(name, tenant)


def ask_to_cancel(connection: Connection, tenant: int, id_: str) -> bool:
    """`Queue.cancel` as part of a unit of work, and without telling who shows it; False where nothing of that id goes on."""
    job = repository.get(connection, tenant, id_, lock=True)
    if job is None or job.ended or job.cancel_asked:
        return False
    repository.cancel(connection, job, now_us())
    return True


def _new(kind: str, arguments: Mapping[str, Any] | None, now: int, terms: Terms) -> Job:
    repository.packed_within(arguments or {}, ARGUMENTS_MOST, "jobs.arguments-large", kind=kind)
    return Job(
        id=new_id(), tenant=terms.tenant, kind=kind, state="queued", actor=terms.actor, purpose=terms.purpose,
        arguments=dict(arguments or {}), priority=terms.priority, attempts=0, attempts_most=terms.attempts or 0,
        run_at_us=now if terms.run_at_us is None else terms.run_at_us, queued_us=now, started_us=None, ended_us=None,
        owner=None, done=0, of=None, stage="", result=None, error=None, cancel_asked=False, unique=terms.unique,
        shown=terms.shown,
    )  # fmt: skip


def _there(job: Job | None, id_: str) -> Job:
    if job is None:
        raise NoSuchJob("jobs.no-such-job", id=id_)
    return job
