"""The record: every read and every write of resources, each with an Actor.

A synchronous API, safe from any thread; `submit` gives a future for callers that must not wait. Nothing here knows of HTTP.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from functools import cached_property
from typing import TYPE_CHECKING, Final, TypeVar

from xinglin.kernel.database import Connection, Database, Unfinished, open_database
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.ids import new_id
from xinglin.kernel.log import REQUEST, logger
from xinglin.kernel.settings import Settings
from xinglin.records import repository, tasks
from xinglin.records.cursors import Cursors
from xinglin.records.custom.rules import OwnRules
from xinglin.records.errors import Gone, NoSuchVersion, NotFound
from xinglin.records.fulltext import Follower
from xinglin.records.history import HistoryQuery, history_page
from xinglin.records.identity import Ledger
from xinglin.records.index.rows import IndexContext
from xinglin.records.prepared import Prepared, prepare, prepare_parsed
from xinglin.records.reindexing import change_zone, want
from xinglin.records.schema import Migrating, log_migration, migrate
from xinglin.records.statistics import LEAST, refresh_when_grown
from xinglin.records.stored import Change, HistoryPage, Operation, Stored
from xinglin.records.transaction import Transaction, read_live
from xinglin.trust import Actor, scope

if TYPE_CHECKING:
    from collections.abc import Iterable

    from xinglin.records.loader import Loader
    from xinglin.records.search import Page, Search
    from xinglin.standards.fhir.search.known import Known
    from xinglin.standards.fhir.search.query import Query

T = TypeVar("T")

ZONE_PAUSE_S: Final = 5.0
"""How long a server may go on with a time zone that another process has changed."""
RESTORING: Final = "restoring"
"""In the meta table while a restore is under way: what is there by then is no record yet."""
SIZE_PAUSE_S: Final = 60.0
"""How often a server looks how much was written; longer where counting takes more than a hundredth of that."""


def _fold(text: str) -> str:
    from xinglin.standards.han import fold

    return fold(text)


class Records:
    """The record in one open database, brought to this program's schema first.

    Raises NewerSchema where a newer program has written it.
    """

    def __init__(
        self,
        database: Database,
        settings: Settings | None = None,
        *,
        migrating: Callable[[Migrating], None] = log_migration,
    ) -> None:
        self.database = database
        self.settings = settings or Settings()
        before, _ = migrate(database, migrating)
        with database.read() as connection:
            key = repository.meta(connection, "cursor_key")
            self._tenants = repository.tenants(connection)
        assert key is not None
        self.cursors = Cursors(bytes.fromhex(key))
        self.ledger = Ledger(_fold)
        database.attach(self.ledger)
        self.own = OwnRules(self)
        self.ledger.followed["SearchParameter"] = self.own.follow
        self.ledger.followed["Task"] = tasks.follow
        self._stopped = threading.Event()
        self._renewing: threading.Thread | None = None
        self._written = 0  # resources, about, since growth was last looked at
        if before == 0 and self.settings.time_zone != "UTC":
            self.set_tenant(1, "default", self.settings.time_zone)

    def close(self) -> None:
        """Finish what is being written and close the database."""
        self.stop_keeping_up()
        if self._written:
            with suppress(XinglinError):  # away or full: whoever writes next looks again
                self._refresh()
        self.database.close()

    def grown(self, resources: int) -> None:
        """Count new resources; where they are many, give the database new statistics to plan by."""
        self._written += resources
        if self._written >= LEAST:
            self._refresh()

    def _refresh(self) -> None:
        self._written = 0
        refresh_when_grown(self.database)

    def keep_up(self) -> None:
        """In the background, until `stop_keeping_up`: the full text, index rows that older rules made, statistics."""
        stored = self.zone()
        if stored != self.settings.time_zone:
            logger("records").warning("time_zone", record=stored, setting=self.settings.time_zone)
        self.fulltext.start()
        if self._renewing is None:
            self._stopped.clear()
            self._renewing = threading.Thread(target=self._renew, name="reindexing", daemon=True)
            self._renewing.start()

    def stop_keeping_up(self) -> None:
        """End what `keep_up` began, after the step under way; it goes on from there another time."""
        self._stopped.set()
        self.fulltext.close()
        if self._renewing is not None:
            self._renewing.join()
            self._renewing = None

    def _renew(self) -> None:
        known: dict[int, tuple[str, str]] | None = None
        look_at = 0.0
        while not self._stopped.is_set():
            with suppress(XinglinError):  # away, full or closing: what is left stays marked as stale
                self._read_tenants()
                if known != self._tenants:
                    tenants = self._tenants
                    want(self, anyway=known is not None)  # what was written by the zone before is stale
                    known = tenants
                if self._written and time.monotonic() >= look_at:
                    began = time.monotonic()
                    self._refresh()
                    took = time.monotonic() - began
                    look_at = time.monotonic() + max(SIZE_PAUSE_S, 100 * took)
            self._stopped.wait(ZONE_PAUSE_S)

    def learn(self) -> None:
        """Take note now of what other processes have changed: time zones, search parameters."""
        self._read_tenants()
        self.own.look()

    def _read_tenants(self) -> None:
        with self.database.read() as connection:
            self._tenants = repository.tenants(connection)

    @cached_property
    def fulltext(self) -> Follower:
        """Keeps `_text` and `_content` behind the commits: ``start()`` it where many write, or ``catch_up()`` now."""
        return Follower(self.database)

    # Reading

    def read(self, actor: Actor, kind: str, id_: str) -> Stored:
        """The current version. Raises NotFound, Gone."""
        with self.database.read(snapshot=False) as connection:
            found = repository.read(connection, scope(actor, "read", kind), kind, id_)
        if found is None:
            raise NotFound("records.not-found", type=kind, id=id_)
        if found.deleted:
            raise Gone("records.gone", type=kind, id=id_)
        return found

    def read_all(self, actor: Actor, names: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Stored]:
        """The current versions of those ``(type, id)`` that are there, at once; deleted ones are left out."""
        with self.database.read(snapshot=False) as connection:
            return read_live(connection, actor, names)

    def vread(self, actor: Actor, kind: str, id_: str, version: int) -> Stored:
        """One version. Raises NotFound, NoSuchVersion, or Gone where that version is a deletion."""
        predicate = scope(actor, "read", kind)
        with self.database.read() as connection:
            found = repository.read_version(connection, predicate, kind, id_, version)
            if found is None and repository.read(connection, predicate, kind, id_) is None:
                raise NotFound("records.not-found", type=kind, id=id_)
        if found is None:
            raise NoSuchVersion("records.no-such-version", type=kind, id=id_, version=version)
        if found.deleted:
            raise Gone("records.gone", type=kind, id=id_)
        return found

    def history(self, actor: Actor, query: HistoryQuery) -> HistoryPage:
        """A page of versions, newest first. Raises NotFound for a resource that never was, BadCursor."""
        predicate = scope(actor, "history", query.type)
        with self.database.read() as connection:
            return history_page(connection, predicate, query, self.cursors)

    def search(self, actor: Actor, query: Query, *, budget: int | None = None) -> Page:
        """A page of what ``query`` finds. Raises OverBudget past ``budget`` steps of SQLite's engine."""
        with self.database.read() as connection:
            return self._searching.page(connection, scope(actor, "search", query.type), query, budget=budget)

    def changes(self, actor: Actor, after_position: int = 0, limit: int = 1000) -> list[Change]:
        """What was written after a position, in the one order of commits; whole commits, about ``limit`` changes.

        Go on from the last one's position: nothing is ever missed, whoever else writes meanwhile.
        """
        with self.database.read() as connection:
            return repository.changes(connection, scope(actor, "export"), after_position, limit)

    def count(self, actor: Actor) -> dict[str, int]:
        """Live resources of each type."""
        with self.database.read() as connection:
            return repository.count_resources(connection, scope(actor, "search"))

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """One snapshot for several calls of this thread: what `read`, `search` … give inside belongs together."""
        with self.database.read() as connection:
            yield connection

    # Writing

    def create(self, actor: Actor, kind: str, body: bytes) -> Stored:
        """A new resource under a new random id. Raises Invalid, Mismatch, TooLarge."""
        return self.write(actor, [Operation("create", kind, body=body)])[0]

    def update(
        self, actor: Actor, kind: str, id_: str, body: bytes, *, if_match: int | None = None
    ) -> Stored:
        """A new version of ``kind/id_``, its first where there was none. Raises Invalid, Mismatch, VersionConflict."""
        return self.write(actor, [Operation("update", kind, id_, body, if_match=if_match)])[0]

    def delete(self, actor: Actor, kind: str, id_: str, *, if_match: int | None = None) -> Stored | None:
        """Leave a tombstone; None where there was nothing to delete."""
        done = self.write(actor, [Operation("delete", kind, id_, if_match=if_match)])
        return done[0] if done else None

    def write(self, actor: Actor, operations: Sequence[Operation]) -> list[Stored]:
        """All ``operations`` in order, together or not at all; what was written, on disk once this returns."""
        return self.submit(actor, operations).result()

    def submit(self, actor: Actor, operations: Sequence[Operation]) -> Future[list[Stored]]:
        """`write` without waiting. What is wrong with a body is raised at once, the rest by the future."""
        ready = [self._ready(actor, operation) for operation in operations]

        def run(transaction: Transaction) -> list[Stored]:
            done: list[Stored] = []
            for operation, prepared in zip(operations, ready, strict=True):
                done += transaction.apply(operation, prepared)
            return done

        return self.begin(actor, run)

    def transact(self, actor: Actor, work: Callable[[Transaction], T]) -> T:
        """Run ``work`` in one transaction, shared with other callers' at the database but whole or not at all."""
        return self.begin(actor, work).result()

    def begin(self, actor: Actor, work: Callable[[Transaction], T]) -> Future[T]:
        """`transact` without waiting."""
        return self.database.submit(self.unit(actor, work))

    def unit(self, actor: Actor, work: Callable[[Transaction], T]) -> Callable[[Connection], T]:
        """``work`` as a part of somebody else's unit of work: a job's checkpoint and what it wrote are one transaction."""
        context = self.context(actor.tenant)
        self._written += 1

        request = REQUEST.get()

        def unit(connection: Connection) -> T:
            # In the writer's thread, which knows nothing of the request: a job enqueued there names it all the same.
            there = REQUEST.set(request)
            try:
                return work(
                    Transaction(connection, self.ledger, actor, self._found, _Preparing(self, context))
                )
            finally:
                REQUEST.reset(there)

        return unit

    def prepare(self, actor: Actor, kind: str | None, body: bytes, id_: str | None = None) -> Prepared:
        """Read and check ``body`` before any transaction; hand the result to `Transaction.create` or `.update`.

        Raises Invalid, Mismatch, TooLarge.
        """
        limit = self.settings.body_limit_bytes
        return prepare(body, kind, id_, self.context(actor.tenant), limit_bytes=limit)

    def load(self, actor: Actor, lines: Iterable[bytes], **options: object) -> Loader:
        """Take in resources in bulk, one JSON text each; iterate over the Loader, or call its ``run``. See `loader`."""
        from xinglin.records.loader import Loader

        return Loader(self, actor, lines, **options)  # type: ignore[arg-type]

    # The site

    def context(self, tenant: int) -> IndexContext:
        """What index rows depend on beside the resource: the site's time zone and its own base addresses."""
        found = self._tenants.get(tenant)
        if found is None:  # made by another process since, or never named: then it keeps the first one's time
            with self.database.read() as connection:
                self._tenants = {tenant: self._tenants[1], **repository.tenants(connection)}
            found = self._tenants[tenant]
        base = self.settings.base_url
        bases = (base.rstrip("/") + "/",) if base else ()
        return IndexContext(bases=bases, zone=found[1], own=self.own.of(tenant).own)

    def known(self, tenant: int = 1) -> Known:
        """The search parameters that searches of the tenant may name."""
        return self.own.of(tenant).known

    def zone(self, tenant: int = 1) -> str:
        """The time zone in which dates of the tenant are days: of its index rows, hence of every search.

        The setting ``time_zone`` is what a new record begins with; `set_tenant` changes it later.
        """
        return self.context(tenant).zone

    def set_tenant(self, tenant: int, name: str, zone: str) -> None:
        """Make a tenant or change its name and time zone; where the zone is another one, its index rows are made anew.

        All in one transaction, in which nobody else writes.
        """
        change_zone(self, tenant, name, zone)
        self._read_tenants()

    def _ready(self, actor: Actor, operation: Operation) -> Prepared | None:
        if operation.body is None or operation.kind not in ("create", "update"):
            return None
        return self.prepare(actor, operation.type, operation.body, operation.id or new_id())

    def _found(self, connection: Connection, query: Query, actor: Actor, most: int) -> list[tuple[str, str]]:
        return self._searching.find(connection, scope(actor, "search", query.type), query, most)

    @cached_property
    def _searching(self) -> Search:
        from xinglin.records.search import Bounds, Search

        bounds = Bounds(included=self.settings.include_limit, time_s=self.settings.search_time_limit_s)
        return Search(self.cursors, bounds)


class _Preparing:
    """`prepare` for bodies that come to be inside a transaction."""

    __slots__ = ("_context", "_records")

    def __init__(self, records: Records, context: IndexContext) -> None:
        self._records = records
        self._context = context

    def __call__(self, body: bytes, kind: str, id_: str) -> Prepared:
        return prepare(body, kind, id_, self._context, limit_bytes=self._records.settings.body_limit_bytes)


def open_records(
    url: str,
    settings: Settings | None = None,
    *,
    key: str | None = None,
    migrating: Callable[[Migrating], None] = log_migration,
) -> Records:
    """The record at a database address, made where it is not there yet; see `open_database`. ``migrating``: see `migrate`.

    Raises Unfinished for one that a restore has not finished.
    """
    records = Records(open_database(url, key=key), settings, migrating=migrating)
    with records.database.read() as connection:
        unfinished = repository.meta(connection, RESTORING) is not None
    if unfinished:
        records.close()
        raise Unfinished("kernel.database-restoring")
    return records


__all__ = ["Records", "open_records", "prepare_parsed"]
