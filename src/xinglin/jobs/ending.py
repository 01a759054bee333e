"""How runs end: done, failed, put off, cancelled, put back; small successes many to a transaction.

What has ended here must come to be so in the database too: where that is away, it is tried again until it is not, or
until the lease is lost.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final

from xinglin.jobs import repository
from xinglin.jobs.errors import (
    Cancelled,
    Interrupted,
    LeaseLost,
    Silent,
    Stopping,
    TooLong,
    WorkerLost,
    passing,
)
from xinglin.jobs.leases import repository as leases
from xinglin.jobs.logs import repository as logs
from xinglin.jobs.model import Job
from xinglin.jobs.queue import Queue
from xinglin.jobs.work import Work, plain_values
from xinglin.kernel.clock import now_us
from xinglin.kernel.database import Connection, Unavailable
from xinglin.kernel.database.errors import Full
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.log import logger

BACKOFF_S: Final = 1.0
BACKOFF_MOST_S: Final = 600.0
AGAIN_S: Final = 0.5
TOGETHER: Final = 512

Reason = tuple[str, dict[str, Any]]


def backoff_us(attempts: int, chance: random.Random) -> int:
    """How long to wait after this many attempts: 1 s, 2 s, 4 s … 10 min, each half to one and a half times that.

    >>> [backoff_us(n, random.Random(1)) // 100_000 / 10 for n in (1, 2, 12)]
    [0.6, 1.2, 380.6]
    """
    if attempts < 1:
        return 0
    return int(
        min(BACKOFF_S * 2 ** min(attempts - 1, 30), BACKOFF_MOST_S) * (0.5 + chance.random()) * 1_000_000
    )


class Endings:
    """Of one worker."""

    def __init__(self, queue: Queue, chance: random.Random) -> None:
        self._queue = queue
        self._chance = chance
        self._done: list[Job] = []
        self._saving: list[Job] = []
        self._changed = threading.Condition()
        self._closed = False
        self._once = False
        self._thread: threading.Thread | None = None
        self._log = logger("jobs")

    def start(self) -> None:
        """Save successes in a thread of its own."""
        self._thread = threading.Thread(target=self._save_all, name="jobs done", daemon=True)
        self._thread.start()

    def give_up_soon(self) -> None:
        """From now on wait for no database that is away: what could not be written ends with the lease."""
        self._once = True

    def close(self) -> None:
        """Save what is left."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def pending(self) -> set[int]:
        """seqs of what has ended but is not saved yet."""
        with self._changed:
            return {job.seq for job in (*self._done, *self._saving)}

    def done(self, work: Work, result: Mapping[str, Any] | None) -> None:
        """The run has succeeded."""
        if work.completed:
            return
        if result is None and work.reported is None and not work.job.shown:
            with self._changed:
                self._done.append(work.job)
                if len(self._done) == 1:
                    self._changed.notify()
            return
        try:
            self._surely(lambda connection: work.finish(connection, result))
        except LeaseLost:
            self._log.warning("lease_lost", job=work.job.id)
        except Exception as error:  # a result that JSON cannot hold, an observer that refuses
            self.broke(work, error)

    def broke(self, work: Work, error: BaseException) -> None:
        """The run has raised ``error``."""
        job = work.job
        if isinstance(error, LeaseLost) or work.completed:
            self._log.warning("lease_lost" if isinstance(error, LeaseLost) else "after_end", job=job.id)
            return
        if isinstance(error, Stopping):
            self.put_back(job)
            return
        if isinstance(error, TooLong):
            since_s = work.silent_since_s if isinstance(error, Silent) else work.began_s
            self.too_long(job, type(error), time.monotonic() - since_s)
            return
        reason: Reason | None
        if isinstance(error, Interrupted):
            reason, again = None, False
        elif isinstance(error, XinglinError):
            reason, again = (error.key, plain_values(error.values)), passing(error)
        else:
            reason, again = ("jobs.unexpected", {"kind": type(error).__name__}), True
            self._log.error("unexpected", job=job.id, kind=type(error).__name__)
        self._end_failed(job, reason, again, cancelled=isinstance(error, Cancelled))

    def too_long(self, job: Job, why: type[TooLong], seconds: float) -> None:
        """The run has taken longer than it may, or been silent for so long."""
        key = "jobs.silent" if issubclass(why, Silent) else "jobs.too-long"
        self._end_failed(job, (key, {"seconds": round(seconds)}), True)

    def _end_failed(self, job: Job, reason: Reason | None, again: bool, *, cancelled: bool = False) -> None:
        try:
            self._surely(lambda connection: self.fail(connection, job, reason, again, cancelled=cancelled))
        except LeaseLost:
            self._log.warning("lease_lost", job=job.id)
        except Exception as failure:  # what shows it refuses: better ended and shown wrongly than never ended
            self._log.error("unexpected", job=job.id, kind=type(failure).__name__)
            with suppress(LeaseLost):
                self._surely(
                    lambda connection: self.fail(
                        connection, job, reason, again, cancelled=cancelled, tell=False
                    )
                )

    def fail(
        self,
        connection: Connection,
        job: Job,
        reason: Reason | None,
        again: bool,
        *,
        cancelled: bool = False,
        tell: bool = True,
    ) -> None:
        """End a claimed job that did not succeed, or queue it again; inside a unit. Raises LeaseLost."""
        now = now_us()
        there = repository.get(connection, job.tenant, job.id, lock=True)
        if there is None or (there.state, there.owner, there.fence) != ("running", job.owner, job.fence):
            raise LeaseLost
        if cancelled or there.cancel_asked:
            ended = repository.finish(connection, job, "cancelled", now)
        elif again and there.attempts < there.attempts_most:
            lost = reason is not None and reason[0] == "jobs.worker-lost"
            wait = backoff_us(there.attempts - lost, self._chance)
            ended = repository.put_back(connection, job, now + wait, now, error=reason)
        else:
            ended = repository.finish(connection, job, "failed", now, error=reason)
        if ended is None:
            raise LeaseLost
        if reason is not None and ended.state != "cancelled":
            level = "error" if ended.state == "failed" else "warning"
            logs.log(connection, job, now, level, *reason)  # type: ignore[arg-type]
        if tell:
            self._queue.tell(connection, ended)

    def lost(self, connection: Connection, job: Job, *, tell: bool = True) -> None:
        """End or queue again a job whose worker's lease is over; inside a unit. Raises LeaseLost where it is not."""
        if not leases.still_orphan(connection, job, now_us()):
            raise LeaseLost
        error = WorkerLost("jobs.worker-lost", attempts=job.attempts)
        self.fail(connection, job, (error.key, plain_values(error.values)), again=True, tell=tell)

    def put_back(self, job: Job) -> None:
        """Queue a job of ours again as if it had not been tried; nothing where it is no longer ours."""

        def unit(connection: Connection, tell: bool = True) -> None:
            now = now_us()
            back = repository.put_back(connection, job, now, now, counted=False)
            if back is not None and tell:
                self._queue.tell(connection, back)

        try:
            self._surely(unit)
        except Exception as error:  # as in `_end_failed`
            self._log.error("unexpected", job=job.id, kind=type(error).__name__)
            self._surely(lambda connection: unit(connection, tell=False))

    def flush(self) -> None:
        """Save the successes that wait; raises what the database raises, and then they wait on."""
        with self._changed:
            self._saving, self._done = self._done[:TOGETHER], self._done[TOGETHER:]
        if not self._saving:
            return
        jobs = self._saving
        try:
            kept = self._queue.database.write(lambda connection: self._finish(connection, jobs))
        except BaseException:
            with self._changed:
                self._done, self._saving = self._saving + self._done, []
            raise
        with self._changed:
            self._saving = []
        if kept < len(jobs):
            self._log.warning("lease_lost", jobs=len(jobs) - kept)

    def _finish(self, connection: Connection, jobs: list[Job]) -> int:
        now, kept = now_us(), 0
        for claim in {(job.owner, job.fence) for job in jobs}:
            these = [job for job in jobs if (job.owner, job.fence) == claim]
            kept += len(repository.finish_many(connection, these, now))
        return kept

    def _save_all(self) -> None:
        while True:
            with self._changed:
                while not self._done:
                    if self._closed:
                        return
                    self._changed.wait()
            try:
                self.flush()
            except XinglinError as error:
                self._log.warning("ending", reason=error.key)
                if self._closed:
                    return  # the lease ends, another worker runs them again
                time.sleep(AGAIN_S)

    def _surely(self, unit: Callable[[Connection], None]) -> None:
        """Write ``unit``, again and again while the database is away or full; once only where this worker is ending."""
        while True:
            try:
                self._queue.database.write(unit)
                return
            except (Unavailable, Full) as error:
                self._log.warning("ending", reason=error.key)
                if self._closed or self._once:
                    return
                time.sleep(AGAIN_S)
