"""Runs jobs: claims what is due, keeps its lease, ends what is done, and gives back what it cannot finish.

One process has one Worker; its threads run the jobs. Several Workers, in as many processes and machines as there are,
share one queue; within a priority they serve the tenants in turn. A small job costs little because many are claimed,
and ended, in one transaction; how many depends on how long their kind has taken here so far, so that nobody waits
behind long ones.
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Final

from xinglin.jobs import repository
from xinglin.jobs.ending import Endings
from xinglin.jobs.errors import LeaseLost, Silent, Stopping, TooLong
from xinglin.jobs.keeping import Keeper, place
from xinglin.jobs.lines import repository as lines
from xinglin.jobs.lines.repository import Candidate
from xinglin.jobs.model import ATTEMPTS, Job, Kind
from xinglin.jobs.queue import Observer, Queue
from xinglin.jobs.work import Work
from xinglin.kernel.clock import now_us
from xinglin.kernel.database import Connection, Full, Pulse, Unavailable
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.ids import new_id
from xinglin.kernel.log import bind, logger, unbind

CLAIM_MOST: Final = 256
AHEAD_S: Final = 0.2
"""Work claimed ahead for each thread, as far as one can tell how long it takes."""
IDLE_S: Final = 0.2
NEWS_S: Final = 0.5
"""How long to wait for somebody's commit before looking whether there is still work to wait for."""
AWAY_S: Final = 1.0
WAITED_S: Final = 2.0
FINISH_S: Final = 1.0
OVERDUE_S: Final = 20.0
"""A job that has run for longer than its kind may has this long, or once more its time where that is less, to end itself."""
RETENTION_S: Final = 14 * 86400


class Worker:
    """See the module.

    Parameters
    ----------
    threads : int
        How many jobs run at a time.
    lease_s : float
        After this long without a sign of life from this process its jobs are anybody's. Clocks of several machines must
        agree far better than this.
    retention_s : float
        Ended jobs are deleted after this long.
    seed : int, optional
        Of the chance in the delays between attempts.
    """

    def __init__(
        self,
        queue: Queue,
        kinds: Iterable[Kind],
        *,
        threads: int = 2,
        lease_s: float = 30.0,
        observer: Observer | None = None,
        name: str = "",
        retention_s: float = RETENTION_S,
        seed: int | None = None,
    ) -> None:
        self.queue = queue
        if observer is not None:
            queue.observer = observer
        self.kinds = {kind.name: kind for kind in kinds}
        queue.know(self.kinds.values())
        self.threads = threads
        self.token = new_id()
        self.name = name or place()
        self.endings = Endings(queue, random.Random(seed))  # noqa: S311  delays are no secret
        self.keeper = Keeper(self, lease_s, retention_s)
        self._fence = 0
        self._after_tenant = -1
        self._settled = 0
        self._cost_s: dict[str, float] = {}
        self._hand: deque[Job] = deque()
        self._running: dict[int, Work] = {}
        self._left: list[Work] = []
        self._moved_s = 0.0
        self._changed = threading.Condition()
        self._stopped = threading.Event()
        self._threads: list[threading.Thread] = []
        self._log = logger("jobs")

    # Starting and stopping

    def start(self) -> None:
        """Begin, in threads of its own."""
        self.keeper.start()
        self.endings.start()
        for number in range(self.threads):
            self._begin(self._run_jobs, f"job {number + 1}")
        self._begin(self._claim_jobs, "jobs")

    def _begin(self, target: Callable[[], None], name: str) -> None:
        thread = threading.Thread(target=target, name=name, daemon=True)
        thread.start()
        self._threads.append(thread)

    def run(self, grace_s: float = 20.0) -> None:
        """Work until `ask_to_stop` is called from a signal handler or another thread."""
        self.start()
        self._stopped.wait()
        self.stop(grace_s)

    def ask_to_stop(self) -> None:
        """Claim nothing more; `run` then stops."""
        self._stopped.set()

    def stop(self, grace_s: float = 20.0) -> None:
        """Give what runs a moment to finish, then ask it to end, and after ``grace_s`` queue again what still has not."""
        self.ask_to_stop()
        with self._changed:
            self._changed.notify_all()
            self._changed.wait_for(lambda: not self._running, min(FINISH_S, grace_s / 2))
            for work in self._running.values():
                work.interrupt(Stopping)
            self._changed.wait_for(lambda: not self._running, grace_s)
            left, waiting = list(self._running.values()), list(self._hand)
            hanging = bool(left or self._left)
            self._hand.clear()
        self.endings.give_up_soon()
        for work in left:
            work.interrupt(LeaseLost)
            with suppress(XinglinError):
                self.endings.put_back(work.job)
        with suppress(XinglinError):
            self._give_back(waiting)
        self.endings.close()
        self.keeper.close()
        for thread in self._threads:
            thread.join(timeout=0.1 if hanging else None)

    def _give_back(self, jobs: list[Job]) -> None:
        """Queue again what was claimed and never begun."""
        for job in jobs:
            if job.shown:
                self.endings.put_back(job)
        for fence in {job.fence for job in jobs}:
            these = [job for job in jobs if job.fence == fence and not job.shown]
            if these:
                self.queue.database.write(
                    lambda connection, these=these: repository.give_back_many(connection, these, now_us())  # type: ignore[misc]
                )

    def give_back_waiting(self) -> None:
        """Queue again what has waited in hand for longer than it should, behind jobs that take longer than was thought."""
        with self._changed:
            if not self._hand or time.monotonic() - self._moved_s < WAITED_S:
                return
            waiting = list(self._hand)
            self._hand.clear()
            for job in waiting:
                self._cost_s.pop(job.kind, None)
        self._give_back(waiting)

    # Claiming

    def _claim_jobs(self) -> None:
        pulse: Pulse | None = None
        while not self._stopped.is_set():
            with self._changed:
                if not self._hungry():
                    self._changed.wait(IDLE_S)
                    continue
            try:
                if pulse is None:
                    pulse = self.queue.database.pulse()
                if not (self._due() and self.claim()):
                    pulse.wait(self._pause_s())
            except XinglinError as error:
                self._log.warning("claim", reason=error.key)
                self._stopped.wait(AWAY_S)
            except Exception as error:  # what shows a job refuses: the others must go on
                self._log.error("unexpected", kind=type(error).__name__)
                self._stopped.wait(AWAY_S)
        with self._changed:
            late = list(self._hand)  # of a claim that was under way as the worker stopped
            self._hand.clear()
        with suppress(XinglinError):
            self._give_back(late)

    def _pause_s(self) -> float:
        now = now_us()
        with self.queue.database.read(snapshot=False) as connection:
            due = lines.next_due_us(connection, now)
        return NEWS_S if due is None else min(NEWS_S, max(0.001, (due - now) / 1e6))

    def _due(self) -> bool:
        """Whether a claim would find anything: a look costs no write."""
        kinds, _, _ = self._room()
        with self.queue.database.read(snapshot=False) as connection:
            return lines.any_due(connection, kinds, now_us())

    def _room(self) -> tuple[list[str], dict[str, int], int]:
        """Kinds of which another job may be begun, how many of those that are limited, and how many jobs there are."""
        with self._changed:
            busy = Counter(job.kind for job in self._hand)
            busy.update(work.job.kind for work in self._running.values())
        room = {
            kind.name: kind.concurrency - busy[kind.name] for kind in self.kinds.values() if kind.concurrency
        }
        return [name for name in self.kinds if room.get(name, 1) > 0], room, busy.total()

    def _hungry(self) -> bool:
        if self._stopped.is_set():
            return False
        ahead = sum(self._cost_s.get(job.kind, AHEAD_S) for job in self._hand)
        return len(self._hand) + len(self._running) < self.threads or ahead < AHEAD_S * self.threads / 2

    def claim(self) -> list[Job]:
        """Take the next due jobs in hand, as many as are good to have there. Raises Unavailable."""
        kinds, room, busy = self._room()
        if not kinds:
            return []
        self._fence += 1
        fence = self._fence
        with self._changed:
            ahead = sum(self._cost_s.get(job.kind, AHEAD_S) for job in self._hand)
        idle = max(1, self.threads - busy)
        budget = AHEAD_S * self.threads - ahead
        quickest = min((self._cost_s.get(name, AHEAD_S) for name in kinds), default=AHEAD_S)
        limit = max(idle, min(CLAIM_MOST, int(budget / max(quickest, 1e-6))))

        def choose(found: list[Candidate]) -> list[Candidate]:
            return self._choose(found, idle, budget, dict(room))

        asked = lines.Claim(self.token, fence, kinds, limit, self._after_tenant)

        def unit(connection: Connection) -> list[Job]:
            jobs = lines.claim(connection, asked, now_us(), choose)
            for kind in {job.kind for job in jobs}:
                if self.kinds[kind].attempts != ATTEMPTS:
                    these = [job for job in jobs if job.kind == kind]
                    repository.set_attempts(connection, these, self.kinds[kind].attempts)
            for job in jobs if tell else ():
                self.queue.tell(connection, job)
            return jobs

        jobs: list[Job] = []
        tell = True
        try:
            try:
                jobs = self.queue.database.write(unit)
            except (Unavailable, Full):
                raise
            except (
                Exception
            ) as error:  # what shows one refuses: better run and not shown than in everybody's way
                self._log.error("unexpected", kind=type(error).__name__)
                tell = False
                jobs = self.queue.database.write(unit)
        finally:
            with self._changed:
                self._hand.extend(jobs)
                self._after_tenant = jobs[-1].tenant if jobs else self._after_tenant
                self._settled = fence
                self._moved_s = time.monotonic()
                self._changed.notify_all()
        return jobs

    def _choose(
        self, found: list[Candidate], idle: int, budget_s: float, room: dict[str, int]
    ) -> list[Candidate]:
        """The first of ``found`` that go together.

        One that has been tried before comes alone: should it be what ended its worker, it takes no others with it again
        and again. Those that are shown are of one tenant, because a transaction of the record is.
        """
        chosen: list[Candidate] = []
        tenant: int | None = None
        spent = 0.0
        for candidate in found:
            _, its_tenant, kind, attempts, shown = candidate
            if room.get(kind, 1) <= 0:
                continue
            cost = self._cost_s.get(kind, AHEAD_S)
            if chosen and (attempts or (len(chosen) >= idle and spent + cost > budget_s)):
                break
            if shown:
                if tenant not in (None, its_tenant):
                    break
                tenant = its_tenant
            chosen.append(candidate)
            spent += cost
            if kind in room:
                room[kind] -= 1
            if attempts:
                break
        return chosen

    # Running

    def _run_jobs(self) -> None:
        while True:
            with self._changed:
                while not self._hand:
                    if self._stopped.is_set():
                        return
                    self._changed.wait()
                if self._stopped.is_set():
                    return  # what is in hand is given back
                job = self._hand.popleft()
                self._moved_s = time.monotonic()
                work = self._running[job.seq] = Work(self.queue, job)
                if len(self._hand) < self.threads:
                    self._changed.notify_all()
            try:
                self._run(work)
            except (
                Exception
            ) as error:  # its end could not be written: it is put back, and others are run meanwhile
                self._log.error("unexpected", job=job.id, kind=type(error).__name__)
            finally:
                with self._changed:
                    if self._running.get(job.seq) is work:
                        del self._running[job.seq]
                    left = work in self._left
                    if left:
                        self._left.remove(work)
                    if self._stopped.is_set() or not self._hand:
                        self._changed.notify_all()
            if left:
                return  # another thread has taken this one's place

    def _run(self, work: Work) -> None:
        """Run one job and see to its end, whatever it is."""
        job = work.job
        bind(job=job.id)
        began = time.monotonic()
        try:
            result = self.kinds[job.kind].run(work)
        except BaseException as error:
            self.endings.broke(work, error)
        else:
            self.endings.done(work, result)
        finally:
            unbind()
        took = time.monotonic() - began
        known = self._cost_s.get(job.kind)
        self._cost_s[job.kind] = took if known is None else max(0.8 * known + 0.2 * took, took / 8)

    def known(self) -> set[int]:
        """seqs of the jobs in hand, running, or being ended."""
        with self._changed:
            return {job.seq for job in self._hand} | set(self._running) | self.endings.pending()

    def end_overdue(self) -> None:
        """Ask what runs for longer than its kind may to end; what does not is given up, its thread left to itself."""
        for work in self.works():
            kind, now_s = self.kinds[work.job.kind], time.monotonic()
            why: type[TooLong]
            if kind.most_s and now_s - work.began_s > kind.most_s:
                why, most_s, since_s = TooLong, kind.most_s, work.began_s
            elif kind.silent_s and now_s - work.heard_s > kind.silent_s:
                why, most_s, since_s = Silent, kind.silent_s, work.heard_s
            else:
                continue
            work.interrupt(why)
            if now_s - since_s - most_s < min(OVERDUE_S, most_s):
                continue
            with self._changed:
                if self._running.get(work.job.seq) is not work:
                    continue  # it has just ended
                del self._running[work.job.seq]
                self._left.append(work)
            work.interrupt(LeaseLost, instead=True)
            self._log.error("hangs", job=work.job.id, kind=work.job.kind)
            self._begin(self._run_jobs, "job in place of one that hangs")
            self.endings.too_long(work.job, why, most_s)

    def works(self) -> list[Work]:
        """What runs."""
        with self._changed:
            return list(self._running.values())

    @property
    def settled(self) -> int:
        """The number of the latest claim that is over: what it took is in hand, and nothing where it failed."""
        with self._changed:
            return self._settled

    def run_pending(self) -> int:
        """Run what is due, in this thread, until nothing is; how many runs. For tests, and for a queue without workers."""
        self.keeper.keep()
        ran = 0
        while self._due() and self.claim():
            while self._hand:
                job = self._hand.popleft()
                work = self._running[job.seq] = Work(self.queue, job)
                try:
                    self._run(work)
                finally:
                    del self._running[job.seq]
                ran += 1
            self.endings.flush()
            self.keeper.keep()
        return ran
