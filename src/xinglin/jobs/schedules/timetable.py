"""The schedules of one queue, and the tick: enqueueing and moving on are one transaction."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from xinglin.jobs.errors import BadSchedule
from xinglin.jobs.model import Schedule
from xinglin.jobs.schedules import repository
from xinglin.jobs.schedules.cron import Cron
from xinglin.kernel.clock import now_us
from xinglin.kernel.database import Connection

if TYPE_CHECKING:
    from xinglin.jobs.queue import Queue


class Timetable:
    """See the module."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue

    def put(self, schedule: Schedule) -> Schedule:
        """Make or change a schedule. Raises BadSchedule."""
        now = now_us()
        first = following(schedule, now)  # raises before anything is written

        def unit(connection: Connection) -> Schedule:
            there = repository.get(connection, schedule.tenant, schedule.name)
            new = replace(schedule, next_us=first)
            if there is not None and times(there) == times(schedule):
                new = replace(schedule, next_us=there.next_us, last_us=there.last_us)
            if new != there:
                repository.put(connection, new)
            return new

        return self._queue.database.write(unit)

    def all(self, tenant: int | None) -> list[Schedule]:
        """By name."""
        with self._queue.database.read(snapshot=False) as connection:
            return repository.listed(connection, tenant)

    def drop(self, name: str, tenant: int) -> bool:
        """False where there is none."""
        return self._queue.database.write(lambda connection: repository.drop(connection, tenant, name))

    def next_us(self) -> int | None:
        """When the next tick is due."""
        with self._queue.database.read(snapshot=False) as connection:
            return repository.next_us(connection)

    def tick(self) -> int:
        """Enqueue what is due; how many schedules were. Several workers may call it at once: one of them enqueues."""
        soonest = self.next_us()
        if soonest is None or soonest > now_us():
            return 0
        ticked = 0
        now = now_us()
        for tenant in sorted({schedule.tenant for schedule in self.all(None) if schedule.next_us <= now}):
            ticked += self._queue.database.write(partial(self._tick, tenant))
        return ticked

    def put_back(self, now: int, beyond_us: int) -> int:
        """Tick anew those whose last tick lies after ``beyond_us``: the clock has been put back since; how many."""
        early = [schedule for schedule in self.all(None) if (schedule.last_us or 0) > beyond_us]

        def unit(connection: Connection) -> None:
            for schedule in early:
                repository.put(
                    connection,
                    replace(schedule, next_us=following(replace(schedule, next_us=0), now), last_us=None),
                )

        if early:
            self._queue.database.write(unit)
        return len(early)

    def _tick(self, tenant: int, connection: Connection) -> int:
        """The ticks of one tenant: a transaction of the record is of one tenant only."""
        now = now_us()
        due = [schedule for schedule in repository.due(connection, now) if schedule.tenant == tenant]
        for schedule in due:
            self._queue.enqueue(
                connection, schedule.kind, schedule.arguments, tenant=tenant, actor=schedule.actor,
                purpose=schedule.purpose, priority=schedule.priority, attempts=schedule.attempts_most,
                unique=f"schedule:{schedule.name}", shown=schedule.shown,
            )  # fmt: skip
            repository.move_on(connection, schedule, following(schedule, now))
        return len(due)


def times(schedule: Schedule) -> tuple[float | None, str | None, str]:
    """What decides when it ticks."""
    return schedule.every_s, schedule.cron, schedule.zone


def following(schedule: Schedule, after_us: int) -> int:
    """The first tick after ``after_us``; those of ``every_s`` keep their distance from the ones before. Raises BadSchedule."""
    if (schedule.every_s is None) == (schedule.cron is None):
        raise BadSchedule("jobs.schedule-times", name=schedule.name)
    if schedule.cron is not None:
        return Cron.parse(schedule.cron, schedule.zone).next_us(after_us)
    assert schedule.every_s is not None
    if not 0.001 <= schedule.every_s <= 366 * 86400:
        raise BadSchedule("jobs.schedule-every", name=schedule.name, every_s=schedule.every_s)
    every = int(schedule.every_s * 1_000_000)
    if not schedule.next_us:
        return after_us + every
    return schedule.next_us + ((after_us - schedule.next_us) // every + 1) * every
