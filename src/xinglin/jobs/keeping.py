"""What a worker does beside running jobs: its lease, orphans of others, ticks of schedules, old jobs."""

from __future__ import annotations

import os
import socket
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from xinglin.jobs import repository
from xinglin.jobs.errors import LeaseLost
from xinglin.jobs.leases import repository as leases
from xinglin.jobs.model import Job
from xinglin.kernel.clock import now_us
from xinglin.kernel.database import Connection, Full, Unavailable
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.log import logger

if TYPE_CHECKING:
    from xinglin.jobs.worker import Worker

TICK_S: Final = 1.0
PRUNE_S: Final = 3600.0
PRUNE_TOGETHER: Final = 1000
RECONCILE_S: Final = 5.0
CLOCK_S: Final = 60.0
"""How often it is looked for what waits for a time that the clock, put back, had been at; what is less ahead is a skew."""


def place() -> str:
    """This process, in words that tell one of the same machine, boot and container whether it still runs."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")[:8]
        return f"{socket.gethostname()}/{boot}/{os.stat('/proc/self/ns/pid').st_ino}/{os.getpid()}"
    except OSError:
        return f"{socket.gethostname()}/{os.getpid()}"


def gone(name: str) -> bool:
    """Whether the process that `place` called so is one of this machine and has ended: its lease need not be waited for."""
    theirs, _, pid = name.rpartition("/")
    ours, _, _ = place().rpartition("/")
    if theirs != ours or ours.count("/") < 2 or not pid.isdigit():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


class Keeper:
    """Of one worker: `keep` once, or `start` a thread that goes on."""

    def __init__(self, worker: Worker, lease_s: float, retention_s: float) -> None:
        self._worker = worker
        self._lease_s = lease_s
        self._retention_s = retention_s
        self._renewed_s = float("-inf")
        self._pruned_us = 0
        self._reconciled_s = time.monotonic()
        self._clock_s = time.monotonic()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None
        self._log = logger("jobs")

    def start(self) -> None:
        """Take the lease and keep it, in a thread of its own. Raises Unavailable."""
        self._renew()
        self._thread = threading.Thread(target=self._go_on, name="jobs kept", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Give the lease up."""
        self._closed.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        with suppress(XinglinError):
            token = self._worker.token
            self._worker.queue.database.write(lambda connection: leases.end_leases(connection, [token]))

    def _go_on(self) -> None:
        pause = min(TICK_S, self._lease_s / 4)
        while not self._closed.wait(pause):
            try:
                self.keep(renew=time.monotonic() - self._renewed_s >= self._lease_s / 3)
            except XinglinError as error:
                self._log.warning("lease", reason=error.key)
            except Exception as error:  # a job that cannot be shown must not end the heartbeat
                self._log.error("unexpected", kind=type(error).__name__)
            if time.monotonic() - self._renewed_s > self._lease_s:
                for work in self._worker.works():
                    work.interrupt(LeaseLost)
            try:
                self._worker.end_overdue()
            except XinglinError as error:
                self._log.warning("overdue", reason=error.key)

    def keep(self, *, renew: bool = True) -> None:
        """Renew the lease, take orphans up, tick, prune: whatever of it is due. Raises Unavailable."""
        if renew:
            self._renew()
        self._take_up_orphans()
        self._worker.queue.timetable.tick()
        self._worker.give_back_waiting()
        self._reconcile()
        self._mind_the_clock()
        self._prune()

    def _renew(self) -> None:
        worker = self._worker
        began = 0.0

        def unit(connection: Connection) -> None:
            # Told by the clock as it is when the writer gets to it: a lease that has waited for the disk would be over
            # as soon as it is given.
            nonlocal began
            began, now = time.monotonic(), now_us()
            until = now + int(self._lease_s * 1_000_000)
            leases.renew_lease(connection, worker.token, worker.name, now, until)

        worker.queue.database.write(unit)
        self._renewed_s = began

    def _take_up_orphans(self) -> None:
        queue = self._worker.queue
        dead = [token for token, name, _, _ in queue.workers() if gone(name)]
        if dead:
            queue.database.write(lambda connection: leases.end_leases(connection, dead))
        with queue.database.read(snapshot=False) as connection:
            orphans = leases.orphans(connection, now_us())
        for job in orphans:
            with suppress(LeaseLost):  # its worker is back, or another one was quicker
                self._take_up(job)
                self._log.warning("worker_lost", job=job.id, attempts=job.attempts)

    def _take_up(self, job: Job) -> None:
        lost, write = self._worker.endings.lost, self._worker.queue.database.write
        try:
            write(lambda connection: lost(connection, job))
        except (LeaseLost, Unavailable, Full):
            raise
        except (
            Exception
        ) as error:  # what shows it refuses: it must neither hang for ever nor hold the other orphans up
            self._log.error("unexpected", job=job.id, kind=type(error).__name__)
            write(lambda connection: lost(connection, job, tell=False))

    def _reconcile(self) -> None:
        """Give back what the database holds as ours and we know nothing of.

        A claim or an end whose commit was lost, and what was let go because the lease seemed to be over, where nobody
        took it up meanwhile. A claim that is under way is left alone.
        """
        if time.monotonic() - self._reconciled_s < RECONCILE_S:
            return
        self._reconciled_s = time.monotonic()
        worker = self._worker
        settled = worker.settled
        with worker.queue.database.read(snapshot=False) as connection:
            strays = repository.held_jobs(connection, worker.token)
        known = worker.known()
        for job in strays:
            if job.fence <= settled and job.seq not in known:
                worker.endings.put_back(job)

    def _mind_the_clock(self) -> None:
        """Jobs and schedules must not stand still for as long as the clock was put back by."""
        if time.monotonic() - self._clock_s < CLOCK_S:
            return
        self._clock_s = time.monotonic()
        now = now_us()
        beyond = now + int(CLOCK_S * 1_000_000)
        queue = self._worker.queue
        with queue.database.read(snapshot=False) as connection:
            jobs = repository.from_the_future(connection, beyond)
        if jobs:
            queue.database.write(lambda connection: repository.as_if_queued(connection, jobs, now))
        schedules = queue.timetable.put_back(now, beyond)
        if jobs or schedules:
            self._log.warning("clock_put_back", jobs=len(jobs), schedules=schedules)

    def _prune(self) -> None:
        now = now_us()
        if now - self._pruned_us < PRUNE_S * 1_000_000:
            return
        self._pruned_us = now
        database = self._worker.queue.database
        before = now - int(self._retention_s * 1_000_000)
        until = time.monotonic() + self._lease_s / 6  # the lease must not run out over it
        while (
            database.write(lambda connection: repository.prune(connection, before, PRUNE_TOGETHER))
            >= PRUNE_TOGETHER
        ):
            if time.monotonic() > until:
                self._pruned_us = 0  # on with it at the next tick
                return
        long_ago = now - int(10 * self._lease_s * 1_000_000)
        database.write(lambda connection: leases.forget_workers(connection, long_ago))
