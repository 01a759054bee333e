"""Sends what is queued, each Subscription in a thread of its own while it has anything to send.

Those threads ask the database through a few others that stay: on SQLite each new thread would open the file anew, which for
an encrypted one takes a third of a second.

So a dead subscriber holds up nobody: not the writers, whose transactions know nothing of it, nor other subscribers. What
it did not take stays queued and is tried again at growing intervals; how often it failed is kept in the database.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, TypeVar

from xinglin.kernel.clock import now_us
from xinglin.kernel.database import DatabaseError
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.language import Language, say
from xinglin.kernel.log import logger
from xinglin.records import repository as records_repository
from xinglin.records.feed.lanes import Lanes
from xinglin.records.feed.outage import Outage
from xinglin.records.subscriptions import repository
from xinglin.records.subscriptions.definition import MASK, Definition
from xinglin.records.subscriptions.delivery import Hook, delivery_id
from xinglin.records.subscriptions.errors import Undelivered
from xinglin.records.subscriptions.repository import Due, Key, State
from xinglin.records.subscriptions.status import set_status, switch_off
from xinglin.trust import local_system, scope

if TYPE_CHECKING:
    from xinglin.records.service import Records
    from xinglin.records.stored import Stored

T = TypeVar("T")

THREADS_MOST: Final = 256
FAILING_MOST: Final = THREADS_MOST // 2
"""Subscribers that failed last time may take half of the threads, and leave the others to those that answer."""
ANSWERING_MOST: Final = 64
SILENT_S: Final = 1.0
"""Who has not answered for so long only waits, and leaves its place among those that answer to another."""
ASKING: Final = 2
STOP_S: Final = 1.0
"""At the end so long is left to notifications under way; one that is cut off is sent again, under the same id."""
AT_ONCE: Final = 50
KEEP_S: Final = 0.25
"""After so long what was taken is struck off the queue: after a crash no more than that is sent again."""
LOOK_S: Final = 1.0
GATHER_S: Final = 0.01
"""Commits are many, and most of them queue nothing: they are looked at together."""
FIRST_WAIT_S: Final = 0.5
LONGEST_WAIT_S: Final = 3600.0
ERROR_AFTER: Final = 3
"""Failures in a row until the Subscription says so; a subscriber that restarts need not show."""


def backoff_s(failures: int) -> float:
    """How long to wait after so many failures in a row."""
    return float(min(FIRST_WAIT_S * 2 ** (min(failures, 20) - 1), LONGEST_WAIT_S))


@dataclass(slots=True)
class _Sending:
    """A subscriber that has its thread now."""

    failing: bool
    since_s: float  # since when (monotonic) it has not answered
    thread: threading.Thread | None = None
    hook: Hook | None = None


class Deliverer:
    """See the module."""

    def __init__(self, records: Records, definition: Callable[[State], Definition | None]) -> None:
        self._records = records
        self._settings = records.settings
        self._database = records.database
        self._definition = definition
        self._language: Language = "zh" if self._settings.language == "zh" else "en"
        self._sending: dict[Key, _Sending] = {}
        self._asking = Lanes(ASKING, "subscriptions")
        self._outage = Outage("subscriptions")
        self._stop = threading.Event()

    def run(self, stop: threading.Event) -> None:
        """Send until ``stop`` is set."""
        self._stop = stop
        pulse = self._database.pulse()
        while not stop.is_set():
            wait = LOOK_S
            try:
                wait = self._round()
                self._outage.end()
            except Exception as error:
                self._outage.begin(error)
            pulse.wait(wait, stop)
            stop.wait(GATHER_S)
        self._end()

    def _end(self) -> None:
        """Let what is under way come to its end, and cut off what does not."""
        for patience_s in (STOP_S, STOP_S):
            until_s = time.monotonic() + patience_s
            for sending in self._sending.values():
                if sending.thread is not None:
                    sending.thread.join(max(0.0, until_s - time.monotonic()))
            for sending in self._sending.values():
                if sending.hook is not None:
                    sending.hook.cut()
        self._asking.close()

    def _round(self) -> float:
        """Start a thread for each subscriber that has something due; when to look again."""
        self._sending = {
            key: one for key, one in self._sending.items() if one.thread is not None and one.thread.is_alive()
        }
        with self._database.read() as connection:
            states = repository.states(connection)
            waiting = repository.waiting(connection) if states else set()
        now = now_us()
        wait = LOOK_S
        latest = now + 2 * int(LONGEST_WAIT_S * 1e6)  # later than that: the clock has been set back since
        for state in sorted(states, key=lambda state: (state.failures > 0, state.due_us)):
            found = self._definition(state)
            if found is None:
                continue
            if found.end_us is not None and found.end_us <= now:
                switch_off(self._records, state.key, say("records.subscription-ended", self._language))
            elif state.key in waiting and found.channel == "rest-hook":
                if now < state.due_us <= latest:
                    wait = min(wait, (state.due_us - now) / 1e6)
                elif state.key not in self._sending and self._room(state.failures > 0):
                    sending = self._sending[state.key] = _Sending(state.failures > 0, time.monotonic())
                    sending.thread = threading.Thread(
                        target=self._work, args=(state, found, sending), name="subscription", daemon=True
                    )
                    sending.thread.start()
        return max(0.01, wait)

    def _room(self, failing: bool) -> bool:
        sending = self._sending.values()
        if failing and sum(one.failing for one in sending) >= FAILING_MOST:
            return False
        present_s = time.monotonic()
        answering = sum(present_s - one.since_s < SILENT_S for one in sending)
        return len(sending) < THREADS_MOST and answering < ANSWERING_MOST

    # One subscriber

    def _work(self, state: State, found: Definition, sending: _Sending) -> None:
        """Send what waits for one subscriber, in order, until it fails or nothing is left."""
        try:
            try:
                sending.hook = self._asked(lambda: self._hook(found))
            except Undelivered as error:
                self._failed(state, error)
                return
            while not self._stop.is_set():
                due, current = self._asking.submit(self._due, state.key).result()
                if not due or current is None or current.version != state.version:
                    return
                state = current
                if not self._send(state, found, sending, due):
                    return
        except DatabaseError as error:  # what is queued stays
            self._outage.begin(error)
        except Exception as error:
            logger("subscriptions").error("failed", subscription=state.id, kind=type(error).__name__)
            with suppress(DatabaseError):
                self._failed(state, Undelivered("records.subscription-no-answer", kind=type(error).__name__))
        finally:
            if sending.hook is not None:
                sending.hook.close()

    def _asked(self, ask: Callable[[], T]) -> T:
        """What the database answers; see the module."""
        return self._asking.submit(ask).result()

    def _due(self, key: Key) -> tuple[list[Due], State | None]:
        with self._database.read() as connection:
            return repository.due(connection, key, AT_ONCE), repository.state(connection, key)

    def _hook(self, found: Definition) -> Hook:
        with self._database.read() as connection:
            values = repository.secrets(connection, (found.tenant, found.id))
        headers = {}
        for name in found.headers:
            value = values.get(name.lower(), MASK)
            if value == MASK:
                raise Undelivered("records.subscription-header-lost", name=name)
            headers[name] = value
        return Hook(found.endpoint, headers, self._settings)

    def _send(self, state: State, found: Definition, sending: _Sending, due: list[Due]) -> bool:
        """Send ``due`` in order; False where one was not taken."""
        done: list[Due] = []
        kept_at = time.monotonic()
        failure: Undelivered | None = None
        assert sending.hook is not None
        for one in due:
            if self._stop.is_set():
                break
            sending.since_s = time.monotonic()
            try:
                self._send_one(state, found, sending.hook, one)
            except Undelivered as error:
                failure = error
                break
            done.append(one)
            if time.monotonic() - kept_at > KEEP_S:
                self._taken(state, done)
                done, kept_at = [], time.monotonic()
                if state.failures:
                    state = self._recovered(state)
                    sending.failing = False
        if done:
            self._taken(state, done)
            if state.failures:
                state = self._recovered(state)
                sending.failing = False
        if failure is not None and not self._stop.is_set():  # then it may have been cut off by ourselves
            self._failed(state, failure)
        return failure is None

    def _send_one(self, state: State, found: Definition, hook: Hook, one: Due) -> None:
        position, _, type_, id_, version = one
        resource = None
        if found.payload:
            resource = self._asked(lambda: self._resource(state.tenant, type_, id_, version))
        hook.send(delivery_id(*state.key, position, type_, id_, version), resource)

    def _resource(self, tenant: int, type_: str, id_: str, version: int) -> Stored | None:
        predicate = scope(local_system(tenant), "read", type_)
        with self._database.read() as connection:
            return records_repository.read_version(connection, predicate, type_, id_, version)

    def _taken(self, state: State, done: list[Due]) -> None:
        self._database.write(lambda c: repository.taken(c, state.key, done))

    def _recovered(self, state: State) -> State:
        self._database.write(lambda c: repository.set_failures(c, state.key, 0, 0, 0))
        self._asked(lambda: set_status(self._records, state.key, "active", None, only=("error",)))
        return replace(state, failures=0, failing_us=0, due_us=0)

    def _failed(self, state: State, error: Undelivered) -> None:
        """Note that it failed, and when to try again; give it up where it has failed for too long."""
        failures = state.failures + 1
        now = now_us()
        since = state.failing_us or now
        if failures & (failures - 1) == 0:  # the first, second, fourth … in a row
            logger("subscriptions").warning("undelivered", subscription=state.id, failures=failures)
        if now - since > self._settings.subscription_give_up_s * 1e6:
            reason = say("records.subscription-gave-up", self._language, reason=self._say(error))
            self._asked(lambda: switch_off(self._records, state.key, reason))
            return
        due = now + int(backoff_s(failures) * 1e6)
        self._database.write(lambda c: repository.set_failures(c, state.key, failures, since, due))
        if failures >= ERROR_AFTER:
            self._asked(lambda: set_status(self._records, state.key, "error", self._say(error)))

    def _say(self, error: XinglinError) -> str:
        return error.say(self._language)
