"""One process leading one consumer: read, hand out by lanes, hold what fails, remember how far.

The position is written at most every `SAVE_S`, so that a busy consumer costs the writers next to nothing; what was handled
since comes again after a crash. What fails is held in the same transaction that moves the position past it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, TypeVar
from zlib import crc32

import msgspec

from xinglin.kernel.clock import now_us
from xinglin.kernel.database import Connection, Database, DatabaseError, Full, Unavailable
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.log import logger
from xinglin.records.feed import repository
from xinglin.records.feed.consumer import Consumer, lane_of
from xinglin.records.feed.errors import Fenced
from xinglin.records.feed.follow import LOOK_S, Feed
from xinglin.records.feed.lanes import Lanes
from xinglin.records.feed.outage import Outage
from xinglin.records.feed.repository import Lane, State
from xinglin.records.stored import Change

SAVE_S: Final = 0.5
REST_MOST_S: Final = 0.5
AGAIN_MOST_S: Final = 60.0
WAIT_MOST_S: Final = 15.0
LONG_S: Final = 30.0
"""A call of the handler that takes longer is shown as the reason why the consumer stands still."""
HELD_MOST: Final = 1000
"""With so many lanes held the fault is the consumer's own: it stands still rather than hold every patient."""

T = TypeVar("T")
Name = tuple[int, str]
"""Tenant and lane."""


class _Stopped(Exception):
    """Asked to end while waiting for the database."""


@dataclass(slots=True)
class _Step:
    """What one round did, to be written in one transaction."""

    new: dict[Name, list[Change]] = field(default_factory=dict)  # to be held, in order
    lanes: dict[Name, Lane] = field(default_factory=dict)  # as they are now
    done: dict[Name, list[Change]] = field(default_factory=dict)  # held before, handled now
    freed: set[Name] = field(default_factory=set)
    kept: dict[Name, int] = field(default_factory=dict)  # how many of ``new`` are in the database already

    def durable(self) -> bool:
        return bool(self.new or self.lanes or self.done or self.freed)


class Leader:
    """Leads ``consumer`` from ``state`` on: `run` in a thread until `stop`, or `catch_up` in this one."""

    def __init__(self, feed: Feed, consumer: Consumer, state: State, lease_us: int) -> None:
        self._feed = feed
        self._database: Database = feed.records.database
        self.consumer = consumer
        self.fence = state.fence
        self.position = state.position
        self._saved = state.position
        self._reason = state.reason
        self._due_s = 0.0  # when the position is to be written, monotonic
        self._looked_s = 0.0
        self.stop = threading.Event()
        self._held: dict[Name, Lane] = {}
        self._lanes = Lanes(consumer.lanes, f"feed {consumer.name}")
        self._pulse = self._database.pulse()
        self._outage = Outage("feed", consumer=consumer.name)
        self._lease_us = lease_us
        self._good_until_s = 0.0
        self._confirming = threading.Lock()
        self._standing = threading.Lock()
        self._calls: dict[int, float] = {}  # thread, and since when (monotonic) it is in the handler
        self.renewed(time.monotonic())

    def run(self) -> None:
        """Follow until stopped, or until another process has taken over."""
        beside = None
        if self.consumer.beside is not None:
            beside = threading.Thread(
                target=self.consumer.beside,
                args=(self.stop,),
                name=f"beside {self.consumer.name}",
                daemon=True,
            )
            beside.start()
        try:
            self._begin()
            while not self.stop.is_set():
                began = time.monotonic()
                if not self.round():
                    self._wait()
                else:  # what is committed meanwhile is read together: under load a round costs as much for many as for one
                    took = time.monotonic() - began
                    self.stop.wait(
                        max(self.consumer.gather_s - took, min(self.consumer.ease * took, REST_MOST_S))
                    )
            self._save(_Step(), force=True)
        except Fenced:
            logger("feed").warning("lost", consumer=self.consumer.name)
        except _Stopped:
            pass
        except Exception as error:  # whoever keeps the consumers begins anew from the position that was saved
            logger("feed").error("ended", consumer=self.consumer.name, kind=type(error).__name__)
        finally:
            self.stop.set()
            self._pulse.wake()
            if beside is not None:
                beside.join()
            self.close()

    def catch_up(self, until: int) -> None:
        """Handle everything up to a position, and what is due of the held lanes; then remember it."""
        try:
            self._begin()
            while self.position < until and self.round():
                pass
            self._looked_s = 0.0
            while self.round():
                pass
            self._save(_Step(), force=True)
        except Fenced:
            logger("feed").warning("lost", consumer=self.consumer.name)
        finally:
            self.close()

    def close(self) -> None:
        """Let the threads go, and another process lead at once."""
        self._lanes.close()
        with suppress(XinglinError):  # away or closing: who keeps the lease sees to it, or it runs out
            self._database.write(lambda c: repository.release(c, self.consumer.key, self.fence))

    def round(self) -> bool:
        """One round; False where there was nothing to do."""
        step = _Step()
        consumer = self.consumer
        most = max(1, consumer.batch) * max(1, consumer.lanes)
        changes, reached = self._patiently(
            lambda: self._feed.read_house(consumer.tenant, self.position, most)
        )
        due = self._lanes_due()
        if reached == self.position and not due:
            return False
        if consumer.types:
            changes = [change for change in changes if change.type in consumer.types]
        retries = [self._lanes.submit(self._retry, step, lane) for lane in due]
        try:
            for segment, single in _segments(changes):
                if single:  # of several patients: nothing else is handled meanwhile
                    _wait_for(retries)
                self._segment(step, segment, single)
        finally:
            _wait_for(retries)
        for name in step.freed & set(step.new):  # what waits there now has not failed yet
            step.freed.discard(name)
            step.lanes[name] = Lane(*name, False, 0, 0, self._held[name].since_us, "")
        before, self.position = self.position, reached
        try:
            self._save(step)
        except BaseException:
            self.position = before
            raise
        return True

    # Handing out

    def _segment(self, step: _Step, changes: list[Change], single: bool) -> None:
        """Hand changes out by lanes and wait for all of them."""
        groups: dict[int, list[Change]] = {}
        lanes = 1 if single else max(1, self.consumer.lanes)
        for change in changes:
            name = (change.tenant, lane_of(change))
            if name in self._held:
                step.new.setdefault(name, []).append(change)  # behind what waits there already
            else:
                groups.setdefault(crc32(name[1].encode()) % lanes, []).append(change)
        _wait_for([self._lanes.submit(self._group, step, group) for group in groups.values()])

    def _group(self, step: _Step, changes: list[Change]) -> None:
        for start in range(0, len(changes), self.consumer.batch):
            self._chunk(step, changes[start : start + self.consumer.batch])

    def _chunk(self, step: _Step, changes: list[Change]) -> None:
        """Give ``changes`` together; where that fails, each lane by itself, change by change."""
        if not any(self._is_held(step, (change.tenant, lane_of(change))) for change in changes):
            try:
                self._handle(changes)
                return
            except (_Stopped, Fenced):
                raise
            except Exception as error:
                self._tell(error, changes)
        by_lane: dict[Name, list[Change]] = {}
        for change in changes:
            by_lane.setdefault((change.tenant, lane_of(change)), []).append(change)
        for name, own in by_lane.items():
            self._one_by_one(step, name, own)

    def _one_by_one(self, step: _Step, name: Name, changes: Sequence[Change]) -> None:
        for place, change in enumerate(changes):
            if self._is_held(step, name):  # an earlier part of this round has failed
                self._hold(step, name, changes[place:])
                return
            try:
                self._handle([change])
            except (_Stopped, Fenced):
                raise
            except Exception as error:
                again: Exception | None = error
                while again is not None and self._failing(step) >= HELD_MOST:
                    again = self._stand_still(step, change, again)
                if again is not None:
                    step.lanes[name] = self._failed(Lane(*name, False, 0, 0, now_us(), ""), again)
                    self._hold(step, name, changes[place:])
                    return

    def _hold(self, step: _Step, name: Name, changes: Sequence[Change]) -> None:
        with self._standing:
            step.new.setdefault(name, []).extend(changes)

    def _is_held(self, step: _Step, name: Name) -> bool:
        return name in step.lanes or name in self._held

    def _failing(self, step: _Step) -> int:
        """How many lanes are held that have failed since a person asked for them."""
        names = {name for name, lane in self._held.items() if lane.parked or lane.attempts}
        return len(names | set(step.lanes))

    def _stand_still(self, step: _Step, change: Change, error: Exception) -> Exception | None:
        """Too much is held already: wait, then try this change again; None once it was taken.

        What this round has held so far is written first, so that a person sees it, can ask for it and give it up.
        """
        self._note(error)
        with self._standing:
            lanes = dict(step.lanes)  # they stay until they are known as held: their threads go on meanwhile
            new = {name: step.new.pop(name) for name in list(step.new)}

            def unit(connection: Connection) -> None:
                repository.explain(connection, self.consumer.key, self.fence, self._reason)
                self._write_held(connection, step, new, lanes)

            self._write(unit)
            for name, changes in new.items():
                step.kept[name] = step.kept.get(name, 0) + len(changes)
            self._patiently(self._load)
            for name in lanes:
                del step.lanes[name]
        self._pause(WAIT_MOST_S)
        self._patiently(self._load)
        try:
            self._handle([change])
        except (_Stopped, Fenced):
            raise
        except Exception as again:
            return again
        return None

    def _retry(self, step: _Step, lane: Lane) -> None:
        """Try what is held of one lane again, in order."""
        name = (lane.tenant, lane.lane)
        batch = self.consumer.batch
        changes = self._patiently(lambda: self._read_held(lane, batch))
        done = step.done.setdefault(name, [])
        for change in changes:
            try:
                self._handle([change])
            except (_Stopped, Fenced):
                raise
            except Exception as error:
                attempts = 0 if done else lane.attempts
                step.lanes[name] = self._failed(
                    Lane(*name, False, attempts, 0, lane.since_us, lane.reason), error
                )
                return
            done.append(change)
        if len(changes) < batch:
            step.freed.add(name)
        else:
            step.lanes[name] = Lane(*name, False, 0, 0, lane.since_us, lane.reason)

    def _read_held(self, lane: Lane, most: int) -> list[Change]:
        with self._database.read() as connection:
            return repository.held(connection, self.consumer.name, lane.tenant, lane.lane, most)

    def _handle(self, changes: list[Change]) -> None:
        """Give changes to the consumer; what passes by itself is waited out."""
        wait = self.consumer.backoff_s
        while True:
            self._confirm()
            self._calls[threading.get_ident()] = time.monotonic()
            try:
                self.consumer.handle(changes)
            except (Unavailable, Full) as error:
                self._note(error)
                self._pause(wait)
                wait = min(2 * wait, WAIT_MOST_S)
            else:
                return
            finally:
                self._calls.pop(threading.get_ident(), None)

    # The lease

    def renewed(self, at_s: float) -> None:
        """The lease was renewed; the database was asked at ``at_s`` (monotonic)."""
        self._good_until_s = at_s + self._lease_us / 1e6

    def _confirm(self) -> None:
        """Give out nothing more under a lease that has nearly run out: another process may have begun. Raises Fenced."""
        if time.monotonic() < self._good_until_s - self._lease_us / 3e6:
            return
        with self._confirming:
            at_s = time.monotonic()
            if at_s < self._good_until_s - self._lease_us / 3e6:
                return
            self._write(lambda c: repository.extend(c, self.consumer.key, self.fence, self._lease_us))
            self.renewed(at_s)

    def look(self) -> None:
        """Show a handler that does not come back. For whoever keeps the lease, in another thread."""
        thread, since_s = min(list(self._calls.items()), key=lambda call: call[1], default=(0, None))
        if since_s is not None and time.monotonic() - since_s > LONG_S:
            error = XinglinError("records.feed-long", seconds=int(LONG_S))
            with suppress(Fenced):
                self._note(error, lambda: self._calls.get(thread) == since_s)

    def _failed(self, lane: Lane, error: Exception) -> Lane:
        lane.attempts += 1
        lane.parked = lane.attempts >= self.consumer.attempts
        wait = min(self.consumer.backoff_s * 4 ** (lane.attempts - 1), AGAIN_MOST_S)
        lane.due_us = now_us() + int(wait * 1e6)
        lane.reason = reason_text(error)
        if lane.parked:
            logger("feed").error("parked", consumer=self.consumer.name, kind=type(error).__name__)
        return lane

    def _tell(self, error: Exception, changes: Sequence[Change]) -> None:
        logger("feed").warning(
            "failed", consumer=self.consumer.name, kind=type(error).__name__, changes=len(changes),
            position=changes[0].position,
        )  # fmt: skip

    # Remembering

    def _begin(self) -> None:
        self._load()
        last = self._patiently(self._feed.last)
        if (
            self.position > last
        ):  # the record was restored to an earlier moment: positions are given anew from there
            logger("feed").warning("restored", consumer=self.consumer.name, position=self.position, last=last)
            self.position = last

    def _load(self) -> None:
        with self._database.read() as connection:
            self._held = {
                (lane.tenant, lane.lane): lane for lane in repository.lanes(connection, self.consumer.name)
            }
        self._looked_s = time.monotonic()

    def _lanes_due(self) -> list[Lane]:
        """Held lanes whose time has come. A person may have asked for one in another process: looked at each second."""
        if not self._held:
            return []
        if time.monotonic() - self._looked_s >= min(LOOK_S, self.consumer.backoff_s):
            self._patiently(self._load)
        now = now_us()
        latest = now + 2 * int(AGAIN_MOST_S * 1e6)  # later than that: the clock has been set back since
        due = [lane for lane in self._held.values() if not lane.parked and not now < lane.due_us <= latest]
        due.sort(key=lambda lane: lane.due_us)
        return due[: max(1, self.consumer.lanes // 2)]  # the others' changes are not to wait for all of them

    def _save(self, step: _Step, *, force: bool = False) -> None:
        """Write what must not be lost; the position alone only when its time has come. Raises Fenced."""
        if not step.durable():
            if self.position == self._saved and not self._reason:
                return
            if not self._due_s:
                self._due_s = time.monotonic() + SAVE_S
            if not force and time.monotonic() < self._due_s:
                return
        name = self.consumer.name
        position = self.position

        def unit(connection: Connection) -> None:
            repository.move(connection, self.consumer.key, self.fence, position, "")
            for (_, lane_name), changes in step.done.items():
                repository.let_go(connection, name, lane_name, changes)
            self._write_held(connection, step, step.new, step.lanes)
            for tenant, lane_name in step.freed:
                repository.drop_lane(connection, name, tenant, lane_name)

        self._write(unit)
        self._saved, self._due_s, self._reason = position, 0.0, ""
        if step.durable():
            self._load()

    def _write_held(
        self, connection: Connection, step: _Step, new: dict[Name, list[Change]], lanes: dict[Name, Lane]
    ) -> None:
        for key, changes in new.items():
            repository.hold(connection, self.consumer.name, key[1], changes, step.kept.get(key, 0))
        for lane in lanes.values():
            repository.put_lane(connection, self.consumer.name, lane)

    def _note(self, error: Exception, still: Callable[[], bool] = lambda: True) -> None:
        """Show why the consumer stands still, if it does ``still`` when that is written."""
        reason = reason_text(error)
        if reason == self._reason:
            return
        self._reason = reason
        logger("feed").warning("waiting", consumer=self.consumer.name, kind=type(error).__name__)

        def unit(connection: Connection) -> None:
            if still():
                repository.explain(connection, self.consumer.key, self.fence, reason)

        with suppress(DatabaseError):  # it may be the database itself that is away
            self._database.write(unit)

    def _write(self, unit: Callable[[Connection], None]) -> None:
        wait = 0.1
        while True:
            try:
                self._database.write(unit)
                self._outage.end()
                return
            except (Unavailable, Full) as error:
                self._outage.begin(error)
                self._pause(wait)
                wait = min(2 * wait, WAIT_MOST_S)

    def _patiently(self, read: Callable[[], T]) -> T:
        """What ``read`` gives, once the database answers."""
        wait = 0.1
        while True:
            try:
                found = read()
                self._outage.end()
                return found
            except Unavailable as error:
                self._outage.begin(error)
                self._pause(wait)
                wait = min(2 * wait, WAIT_MOST_S)

    def _pause(self, seconds: float) -> None:
        if self.stop.wait(seconds):
            raise _Stopped

    def _wait(self) -> None:
        until = LOOK_S
        if self._due_s:
            until = min(until, max(0.001, self._due_s - time.monotonic()))
        waiting = [lane.due_us for lane in self._held.values() if not lane.parked]
        if waiting:
            until = min(until, max(0.001, (min(waiting) - now_us()) / 1e6))
        self._pulse.wait(until, self.stop)
        if self._due_s and time.monotonic() >= self._due_s:
            self._save(_Step())


def _wait_for(futures: Sequence[Future[None]]) -> None:
    """Return once all are done. Raises what the first that failed did."""
    for error in [future.exception() for future in futures]:
        if error is not None:
            raise error


def _segments(changes: list[Change]) -> list[tuple[list[Change], bool]]:
    """Runs of changes that may be handed out by lanes, and between them those of several patients, which may not."""
    found: list[tuple[list[Change], bool]] = []
    for change in changes:
        single = change.patient == ""
        if not found or found[-1][1] != single:
            found.append(([], single))
        found[-1][0].append(change)
    return found


def reason_text(error: BaseException) -> str:
    """Why it failed, as the database keeps it: the key and values of a sentence."""
    if isinstance(error, XinglinError):
        values = {name: str(value)[:200] for name, value in error.values.items()}
        return msgspec.json.encode([error.key, values]).decode()
    return msgspec.json.encode(["records.feed-failed", {"kind": type(error).__name__}]).decode()
