"""Sends what is queued, each Subscription in a thread of its own while it has anything to send.

So a dead subscriber holds up nobody: not the writers, whose transactions know nothing of it, nor other subscribers. What
it did not take stays queued and is tried again at growing intervals; how often it failed is kept in the database.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from xinglin.kernel.clock import now_us
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.language import Language, say
from xinglin.kernel.log import logger
from xinglin.records import repository as records_repository
from xinglin.records.subscriptions import repository
from xinglin.records.subscriptions.definition import MASK, Definition
from xinglin.records.subscriptions.delivery import Hook, delivery_id
from xinglin.records.subscriptions.errors import Undelivered
from xinglin.records.subscriptions.repository import Due, Key, State
from xinglin.records.subscriptions.status import set_status
from xinglin.trust import local_system, scope

if TYPE_CHECKING:
    from xinglin.records.service import Records
    from xinglin.records.stored import Stored

THREADS_MOST: Final = 64
FAILING_MOST: Final = THREADS_MOST // 2
"""Subscribers that failed last time may take half of the threads, and leave the others to those that answer."""
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


class Deliverer:
    """See the module."""

    def __init__(self, records: Records, definition: Callable[[State], Definition | None]) -> None:
        self._records = records
        self._settings = records.settings
        self._database = records.database
        self._definition = definition
        self._language: Language = "zh" if self._settings.language == "zh" else "en"
        self._threads: dict[Key, tuple[threading.Thread, bool]] = {}
        self._stop = threading.Event()

    def run(self, stop: threading.Event) -> None:
        """Send until ``stop`` is set."""
        self._stop = stop
        pulse = self._database.pulse()
        while not stop.is_set():
            wait = LOOK_S
            try:
                wait = self._round()
            except XinglinError as error:
                logger("subscriptions").warning("waiting", kind=type(error).__name__)
            except (
                Exception
            ) as error:  # one Subscription that cannot be read must not end the others' deliveries
                logger("subscriptions").error("unexpected", kind=type(error).__name__)
            pulse.wait(wait, stop)
            stop.wait(GATHER_S)
        for thread, _ in list(self._threads.values()):
            thread.join(self._settings.subscription_timeout_s)

    def _round(self) -> float:
        """Start a thread for each subscriber that has something due; when to look again."""
        self._threads = {key: one for key, one in self._threads.items() if one[0].is_alive()}
        with self._database.read() as connection:
            states = repository.states(connection)
            waiting = repository.waiting(connection) if states else set()
        now = now_us()
        wait = LOOK_S
        for state in states:
            found = self._definition(state)
            if found is None:
                continue
            if found.end_us is not None and found.end_us <= now:
                self._off(state.key, "records.subscription-ended")
            elif state.key in waiting and found.channel == "rest-hook":
                if state.due_us > now:
                    wait = min(wait, (state.due_us - now) / 1e6)
                elif state.key not in self._threads and self._room(state.failures > 0):
                    thread = threading.Thread(
                        target=self._work, args=(state, found), name="subscription", daemon=True
                    )
                    self._threads[state.key] = (thread, state.failures > 0)
                    thread.start()
        return max(0.01, wait)

    def _room(self, failing: bool) -> bool:
        if failing and sum(one for _, one in self._threads.values()) >= FAILING_MOST:
            return False
        return len(self._threads) < THREADS_MOST

    # One subscriber

    def _work(self, state: State, found: Definition) -> None:
        """Send what waits for one subscriber, in order, until it fails or nothing is left."""
        hook = None
        try:
            try:
                hook = self._hook(found)
            except Undelivered as error:
                self._failed(state, error)
                return
            while not self._stop.is_set():
                with self._database.read() as connection:
                    due = repository.due(connection, state.key, AT_ONCE)
                    current = repository.state(connection, state.key)
                if not due or current is None or current.version != state.version:
                    return
                state = current
                if not self._send(state, found, hook, due):
                    return
        except XinglinError as error:  # the database is away: what is queued stays
            logger("subscriptions").warning("waiting", subscription=state.id, kind=type(error).__name__)
        except Exception as error:
            logger("subscriptions").error("failed", subscription=state.id, kind=type(error).__name__)
            self._failed(state, Undelivered("records.subscription-no-answer", kind=type(error).__name__))
        finally:
            if hook is not None:
                hook.close()

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

    def _send(self, state: State, found: Definition, hook: Hook, due: list[Due]) -> bool:
        """Send ``due`` in order; False where one was not taken."""
        done: list[Due] = []
        kept_at = time.monotonic()
        failure: Undelivered | None = None
        for one in due:
            if self._stop.is_set():
                break
            position, _, type_, id_, version = one
            try:
                hook.send(
                    delivery_id(*state.key, position, type_, id_, version),
                    self._resource(state.tenant, type_, id_, version) if found.payload else None,
                )
            except Undelivered as error:
                failure = error
                break
            done.append(one)
            if time.monotonic() - kept_at > KEEP_S:
                self._taken(state, done)
                done, kept_at = [], time.monotonic()
        if done:
            self._taken(state, done)
            if state.failures:
                state = self._recovered(state, found)
        if failure is not None:
            self._failed(state, failure)
        return failure is None

    def _resource(self, tenant: int, type_: str, id_: str, version: int) -> Stored | None:
        predicate = scope(local_system(tenant), "read", type_)
        with self._database.read() as connection:
            return records_repository.read_version(connection, predicate, type_, id_, version)

    def _taken(self, state: State, done: list[Due]) -> None:
        self._database.write(lambda c: repository.taken(c, state.key, done))

    def _recovered(self, state: State, found: Definition) -> State:
        self._database.write(lambda c: repository.set_failures(c, state.key, 0, 0, 0))
        set_status(self._records, state.key, "active", None, only=("error",))
        return State(*state.key, state.version, state.since, state.matched, 0, 0, 0)

    def _failed(self, state: State, error: Undelivered) -> None:
        failures = state.failures + 1
        now = now_us()
        since = state.failing_us or now
        logger("subscriptions").warning("undelivered", subscription=state.id, failures=failures)
        with self._database.read() as connection:
            queued = repository.count_due(connection, state.key)
        most = self._settings.subscription_queue_limit
        if queued > most:
            self._off(state.key, "records.subscription-too-many", most=most)
        elif now - since > self._settings.subscription_give_up_s * 1e6:
            self._off(state.key, "records.subscription-gave-up", reason=self._say(error))
        else:
            due = now + int(backoff_s(failures) * 1e6)
            self._database.write(lambda c: repository.set_failures(c, state.key, failures, since, due))
            if failures >= ERROR_AFTER:
                set_status(self._records, state.key, "error", self._say(error))

    def _off(self, key: Key, sentence: str, **values: object) -> None:
        set_status(self._records, key, "off", say(sentence, self._language, **values))
        self._database.write(lambda c: repository.forget(c, key, secrets=False))

    def _say(self, error: XinglinError) -> str:
        return error.say(self._language)
