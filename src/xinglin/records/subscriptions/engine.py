"""Subscriptions as one consumer of the feed: their own changes switch them on and off, all others are held against them.

Both come in the one order of commits, so a Subscription begins exactly behind the change that asked for it: what is written
after it was acknowledged is told. Notifications are queued in the database; `Deliverer` takes them from there.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, Final

import msgspec

from xinglin.kernel.database import DatabaseError, Full, Unavailable
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.language import Language, say
from xinglin.kernel.log import logger
from xinglin.records import repository as records_repository
from xinglin.records.feed.consumer import Consumer
from xinglin.records.subscriptions import definition, repository
from xinglin.records.subscriptions.definition import Definition
from xinglin.records.subscriptions.deliverer import Deliverer
from xinglin.records.subscriptions.matching import Matcher
from xinglin.records.subscriptions.repository import Key, State
from xinglin.records.subscriptions.status import clear, set_status, switch_off
from xinglin.standards.fhir.search.errors import SearchError
from xinglin.trust import local_system, scope

if TYPE_CHECKING:
    from xinglin.records.service import Records
    from xinglin.records.site import Site
    from xinglin.records.stored import Change, Stored
    from xinglin.records.transaction import Transaction

NAME: Final = "subscriptions"
BATCH: Final = 500
KNOWN_MOST: Final = 10_000
GATHER_S: Final = 0.04
QUEUED_AT_ONCE: Final = 500
AGAIN_S: Final = (0.2, 1.0, 3.0)
EASE: Final = 4.0
"""Each round that matches is a transaction, whose sync writers wait for: it has a fifth of the disk's time at most, and
there are 25 of them a second at most."""


def consumer(site: Site) -> Consumer:
    """The consumer that keeps the record's Subscriptions up; strictly in order, so that each subscriber is told in order."""
    engine = Engine(site.records)
    return Consumer(
        NAME,
        engine.handle,
        batch=BATCH,
        lanes=1,
        start="beginning",
        gather_s=GATHER_S,
        ease=EASE,
        beside=engine.deliver,
    )


class Engine:
    """Switches Subscriptions on and off, and queues what they match."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._matcher = Matcher(records)
        self._known: dict[tuple[int, str, int, int], Definition | None] = {}
        self._waiting: dict[Key, int] = {}  # how many notifications wait, at most
        self._language: Language = "zh" if records.settings.language == "zh" else "en"

    def deliver(self, stop: threading.Event) -> None:
        """Send what is queued until ``stop``."""
        with suppress(XinglinError):  # away: it is looked at when the next process leads
            with self._records.database.read() as connection:
                last = records_repository.last_position(connection)
                beyond = any(
                    max(state.since, state.matched) > last for state in repository.states(connection)
                )
            if beyond:
                self._records.database.write(lambda c: repository.not_beyond(c, last))
        Deliverer(self._records, self.definition).run(stop)

    def handle(self, changes: list[Change]) -> None:
        """Take changes in the order of the feed."""
        for of_subscriptions, group in groupby(changes, key=lambda change: change.type == "Subscription"):
            if of_subscriptions:
                for change in group:
                    self._switch_surely(change)
                    self._match([change])  # criteria may ask for Subscriptions too
            else:
                self._match(list(group))

    def definition(self, state: State) -> Definition | None:
        """The version of a Subscription that is kept up; None where it can be kept up no longer."""
        # The tenant's own search parameters are what the criteria name: where those change, they are read anew.
        rules = self._records.own.of(state.tenant).generation
        key = (state.tenant, state.id, state.version, rules)
        known = self._known
        if key not in known:
            if len(known) > KNOWN_MOST:
                known = self._known = {}
            found = known[key] = self._read(state.tenant, state.id, state.version)
            if found is None:
                self._end(state.key)
        return known[key]

    def _read(self, tenant: int, id_: str, version: int) -> Definition | None:
        """The definition; None where what was taken once can be kept up no longer (a search parameter is gone)."""
        records = self._records
        try:
            stored = records.vread(local_system(tenant), "Subscription", id_, version)
            with suppress(SearchError):
                return definition.read(stored.body, tenant, id_, version, records.context(tenant))
            records.own.look()  # another process may have defined a search parameter a moment ago
            return definition.read(stored.body, tenant, id_, version, records.context(tenant))
        except DatabaseError:  # it says nothing of the Subscription
            raise
        except (XinglinError, ValueError, msgspec.MsgspecError) as error:
            logger("subscriptions").warning("unreadable", subscription=id_, kind=type(error).__name__)
            return None

    def _end(self, key: Key, sentence: str = "records.subscription-unreadable", **values: object) -> None:
        """Switch off what can be kept up no longer."""
        switch_off(self._records, key, say(sentence, self._language, **values))
        self._waiting.pop(key, None)

    # The Subscriptions themselves

    def _switch_surely(self, change: Change) -> None:
        """`_switch`, before anything that was written later is looked at.

        A failure must not hold the change back as it would any other: what a Subscription is to be told would go by
        meanwhile. One that cannot be begun after all is switched off, which its owner sees.
        """
        for wait_s in AGAIN_S:
            try:
                self._switch(change)
                return
            except (Unavailable, Full):
                raise  # waited out by who gives the changes
            except Exception as error:
                logger("subscriptions").error("unswitched", subscription=change.id, kind=type(error).__name__)
                time.sleep(wait_s)
        self._end((change.tenant, change.id))

    def _switch(self, change: Change) -> None:
        key: Key = (change.tenant, change.id)
        database = self._records.database
        if change.method == "DELETE":
            self._forget(change)
            return
        found = self._read(change.tenant, change.id, change.version)
        if found is None:
            self._end(key)
            return
        if found.status not in definition.LIVE:
            self._forget(change)
            return
        anew = found.status == "requested"
        database.write(lambda c: repository.keep_up(c, key, change.version, change.position, anew=anew))
        if anew:
            set_status(self._records, key, "active", None, only=("requested",))

    def _forget(self, change: Change) -> None:
        """Keep a Subscription that was deleted or switched off up no longer."""
        key: Key = (change.tenant, change.id)

        def work(transaction: Transaction) -> None:
            # Written again since under the same id, it has the header values that it was written with.
            gone = change.method == "DELETE" and transaction.read("Subscription", change.id) is None
            repository.forget(transaction.connection, key, secrets=gone)

        self._records.transact(local_system(change.tenant), work)
        clear(self._records.database, key, change.position)
        self._waiting.pop(key, None)

    # What they match

    def _match(self, changes: list[Change]) -> None:
        with self._records.database.read() as connection:
            states = repository.states(connection)
        if not states:
            return
        by_tenant: dict[int, list[tuple[State, Definition]]] = {}
        for state in states:
            found = self.definition(state)
            if found is not None:
                by_tenant.setdefault(state.tenant, []).append((state, found))
        for tenant, kept in by_tenant.items():
            types = {found.query.type for _, found in kept}
            own = [c for c in changes if c.tenant == tenant and c.type in types and c.method != "DELETE"]
            if own:
                self._queue(tenant, own, kept)

    def _queue(self, tenant: int, changes: list[Change], kept: list[tuple[State, Definition]]) -> None:
        versions = self._versions(tenant, changes)
        since = {found.id: state.since for state, found in kept}
        failed: dict[Key, XinglinError] = {}
        queued: list[tuple[Key, repository.Due]] = []
        matched: dict[Key, int] = {}
        sockets = False
        ready = [
            (change, stored) for change, stored in zip(changes, versions, strict=True) if stored is not None
        ]
        pairs = self._matcher.matches(
            tenant, [stored for _, stored in ready], [found for _, found in kept], failed
        )
        for place, found in pairs:
            change = ready[place][0]
            if change.position <= since[found.id]:
                continue  # written before the Subscription was; it comes by again after a crash
            if found.end_us is not None and change.at_us >= found.end_us:
                continue
            key = (tenant, found.id)
            matched[key] = change.position
            sockets |= found.channel == "websocket"
            if found.channel == "rest-hook":
                queued.append((key, (change.position, place, change.type, change.id, change.version)))
        # A part at a time: what hundreds of Subscriptions match would else be one long transaction, for which writers wait.
        write = self._records.database.write
        for start in range(0, len(queued), QUEUED_AT_ONCE):
            write(partial(repository.queue, queued=queued[start : start + QUEUED_AT_ONCE]))
        if matched:
            write(partial(repository.set_matched, matched=matched, sockets=sockets))
        for key, error in failed.items():  # one that cannot be asked must not hold up the others
            self._end(key, "records.subscription-search", reason=error.say(self._language))
        self._bound(Counter(key for key, _ in queued))

    def _bound(self, added: Counter[Key]) -> None:
        """Give up the subscribers for which too much waits, whether or not they fail."""
        most = self._records.settings.subscription_queue_limit
        for key, count in added.items():
            known = self._waiting.get(key)
            if known is not None and known + count <= most:
                self._waiting[key] = known + count  # or fewer: what was delivered meanwhile is not looked at
                continue
            with self._records.database.read() as connection:
                self._waiting[key] = repository.count_due(connection, key)
            if self._waiting[key] > most:
                self._end(key, "records.subscription-too-many", most=most)

    def _versions(self, tenant: int, changes: Iterable[Change]) -> list[Stored | None]:
        predicate = scope(local_system(tenant), "export")
        with self._records.database.read() as connection:
            return [
                records_repository.read_version(connection, predicate, change.type, change.id, change.version)
                for change in changes
            ]
