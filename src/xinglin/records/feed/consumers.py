"""The durable followers of one process: of many processes exactly one leads each, and another takes over if it dies."""

from __future__ import annotations

import os
import secrets
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Final

from xinglin.kernel.clock import now_us
from xinglin.kernel.database import Connection
from xinglin.kernel.errors import XinglinError
from xinglin.records.feed import repository
from xinglin.records.feed.consumer import Consumer, Lag
from xinglin.records.feed.errors import NoSuchConsumer
from xinglin.records.feed.follow import Feed
from xinglin.records.feed.leader import Leader
from xinglin.records.feed.outage import Outage
from xinglin.records.feed.repository import Lane

if TYPE_CHECKING:
    from xinglin.records.site import Site
    from xinglin.records.stored import Change

LEASE_S: Final = 5.0
"""After a kill -9 another process leads within this and `TRY_S`."""
TRY_S: Final = 1.0
CLOSE_S: Final = 30.0
"""A handler that takes longer is left behind at `close`: what it was given comes again."""


class Consumers:
    """``start`` them in the background, or ``catch_up`` in this thread; any number of processes may do both."""

    def __init__(self, site: Site, consumers: Sequence[Consumer], *, lease_s: float = LEASE_S) -> None:
        self.feed = Feed(site.records)
        self._database = site.records.database
        self._consumers = {consumer.name: consumer for consumer in consumers}
        if len(self._consumers) < len(consumers):
            raise ValueError("two consumers of one name would share a position")
        self._owner = f"{os.getpid()}-{secrets.token_hex(4)}"
        self._lease_us = int(lease_s * 1e6)
        self._try_s = min(TRY_S, lease_s / 3)
        self._leading: dict[str, tuple[Leader, threading.Thread]] = {}
        self._stop = threading.Event()
        self._keeper: threading.Thread | None = None
        self._registered = False

    def start(self) -> Consumers:
        """Lead what nobody leads, in the background, until `close`."""
        if self._keeper is None:
            self._stop.clear()
            self._keeper = threading.Thread(target=self._keep, name="consumers", daemon=True)
            self._keeper.start()
        return self

    def close(self) -> None:
        """Finish the changes under way, remember the positions, and leave the lead to other processes."""
        self._stop.set()
        if self._keeper is not None:
            self._keeper.join()
            self._keeper = None

    def __enter__(self) -> Consumers:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def catch_up(self, timeout_s: float = 60.0) -> None:
        """Return once every consumer has seen all that is committed now, and what it wrote itself.

        What nobody leads is led here meanwhile. Raises TimeoutError.
        """
        self._register()
        deadline = time.monotonic() + timeout_s
        while True:
            until = self.feed.last()
            behind = self._behind(until)
            if not behind:
                return
            for consumer in behind:
                state = None
                if self._keeper is None:
                    state = self._take(consumer)
                if state is not None:
                    Leader(self.feed, consumer, state, self._lease_us).catch_up(until)
                elif time.monotonic() > deadline:
                    raise TimeoutError(f"{consumer.name} is behind")
                else:
                    time.sleep(0.02)

    def lag(self) -> dict[str, Lag]:
        """How far each of these consumers is behind, whichever process leads it."""
        self._register()
        found = self.feed.lag()
        return {name: found[name] for name in self._consumers}

    # What is held

    def parked(self, name: str) -> list[tuple[Lane, list[Change]]]:
        """The lanes of a consumer that are held, each with the first changes that wait in it. Raises NoSuchConsumer."""
        self._known(name)
        with self._database.read() as connection:
            return [
                (lane, repository.held(connection, name, lane.tenant, lane.lane, 10))
                for lane in repository.lanes(connection, name)
            ]

    def retry(self, name: str, lane: str | None = None, tenant: int | None = None) -> int:
        """Have what is parked tried again, from the change that failed; how many lanes. Raises NoSuchConsumer."""
        self._known(name)
        return self._database.write(lambda c: repository.again(c, name, tenant, lane))

    def skip(self, name: str, lane: str, tenant: int = 1) -> Change | None:
        """Give up the change that a lane waits for, and go on with the next; what was given up."""
        self._known(name)
        return self._database.write(lambda c: repository.skip(c, name, tenant, lane))

    def _known(self, name: str) -> None:
        if name not in self._consumers:
            raise NoSuchConsumer(
                "records.feed-no-consumer", name=name, known=", ".join(sorted(self._consumers))
            )

    # Leading

    def _register(self) -> None:
        if self._registered:
            return
        last = self.feed.last()
        with self._database.read() as connection:
            there = repository.states(connection)
        new = [consumer for consumer in self._consumers.values() if consumer.key not in there]

        def unit(connection: Connection) -> None:
            for consumer in new:
                repository.register(connection, consumer.key, last if consumer.start == "now" else 0)

        if new:
            self._database.write(unit)
        self._registered = True

    def _behind(self, until: int) -> list[Consumer]:
        with self._database.read() as connection:
            there = repository.states(connection)
            due = repository.due_lanes(connection, now_us())
        return [c for c in self._consumers.values() if there[c.key].position < until or c.name in due]

    def _take(self, consumer: Consumer) -> repository.State | None:
        return self._database.write(lambda c: repository.take(c, consumer.key, self._owner, self._lease_us))

    def _keep(self) -> None:
        renew_at = 0.0
        outage = Outage("feed")
        while not self._stop.is_set():
            try:
                self._register()
                self._let_ended_go()
                if self._leading and time.monotonic() >= renew_at:
                    self._renew()
                    renew_at = time.monotonic() + self._lease_us / 3e6
                if self._lead_free():
                    renew_at = min(renew_at, time.monotonic() + self._lease_us / 3e6)
                for leader, _ in self._leading.values():
                    leader.look()
                outage.end()
            except Exception as error:  # whatever it is: who leads goes on to be kept
                outage.begin(error)
            self._stop.wait(self._try_s)
        for leader, _ in self._leading.values():
            leader.stop.set()
        with suppress(XinglinError):
            self._database.pulse().wake()
        for _, thread in self._leading.values():
            thread.join(CLOSE_S)
        self._leading.clear()

    def _let_ended_go(self) -> None:
        """Free the lead of what has ended here; it may have found the database away, and its lease is kept with the others."""
        for name, (leader, thread) in list(self._leading.items()):
            if not thread.is_alive():
                key, fence = leader.consumer.key, leader.fence
                self._database.write(lambda c, key=key, fence=fence: repository.release(c, key, fence))  # type: ignore[misc]
                del self._leading[name]

    def _renew(self) -> None:
        """Keep what is led here; who has lost the lead meanwhile ends."""
        at_s = time.monotonic()
        kept = self._database.write(lambda c: repository.renew(c, self._owner, self._lease_us))
        for name, (leader, _) in self._leading.items():
            if kept.get(name) == leader.fence:
                leader.renewed(at_s)

    def _lead_free(self) -> bool:
        """Take the lead of what nobody leads."""
        with self._database.read() as connection:
            there = repository.states(connection)
            now = repository.clock_us(connection)
        taken = False
        for consumer in self._consumers.values():
            state = there[consumer.key]
            if consumer.name in self._leading or not repository.free(state, now):
                continue
            got = self._take(consumer)
            if got is not None:
                leader = Leader(self.feed, consumer, got, self._lease_us)
                thread = threading.Thread(target=leader.run, name=f"feed {consumer.name}", daemon=True)
                self._leading[consumer.name] = (leader, thread)
                thread.start()
                taken = True
        return taken
