"""The one writer thread: many callers' units of work in one transaction, acknowledged once it is on disk.

Callers queue a unit and wait. The writer takes all that wait (bounded by number and by time), begins ONE transaction,
runs each unit in a savepoint, commits, and only then answers. Units of bulk work share a transaction for longer, until
somebody else waits. A unit that fails is rolled back to its savepoint and its caller gets the error; the others stay.
Where the database itself fails (no room, deadlock, lost connection) the whole transaction is rolled back and each unit is
run again in a transaction of its own, so that one caller's trouble is not another's; but where it was lost in the commit
itself, callers are told so.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, NamedTuple, Protocol

from xinglin.kernel.database.dialect import Connection, Journal, Unit
from xinglin.kernel.database.errors import DatabaseError, Unavailable

UNITS_MOST = 256
BATCH_S = 0.05
"""After this long in one transaction no further unit is begun: it bounds what the first caller waits for the others."""
ATTEMPTS = 6


class Session(Protocol):
    """A write connection as the writer needs it."""

    def connection(self) -> Connection:
        """The open connection, opened anew where it was lost. Raises Unavailable."""
        ...

    def begin(self) -> bool:
        """Begin a write transaction; True where another connection may have written since the last one."""
        ...

    def commit(self) -> None: ...

    def rollback(self) -> None:
        """Undo the open transaction, if any; never raises."""
        ...

    def raised(self, error: BaseException) -> BaseException:
        """``error`` as one of ours where it came from the database."""
        ...

    def passing(self, error: BaseException) -> bool:
        """Whether the same work may well succeed at once (deadlock, serialization, connection lost before commit)."""
        ...

    def settle(self) -> None:
        """Housekeeping between transactions."""
        ...

    def close(self) -> None: ...


class _Nothing:
    """The journal of a database that nobody attached one to."""

    def begin(self, connection: Connection, changed: bool) -> None: ...

    def unit_begin(self) -> None: ...

    def unit_end(self, connection: Connection) -> None: ...

    def unit_undone(self) -> None: ...

    def before_commit(self, connection: Connection) -> None: ...

    def committed(self) -> None: ...

    def undone(self) -> None: ...


class _Task(NamedTuple):
    action: Callable[..., Any]
    alone: bool
    bulk: bool
    future: Future[Any]


_END: _Task = _Task(lambda: None, True, False, Future())


class Writer:
    """See the module. One for each open database.

    ``committed`` is called after every commit. ``bulk_s``: how long units of bulk work share one transaction while nobody
    else in this process waits; writers in other processes wait for so long at most.
    """

    def __init__(
        self, session: Session, name: str, committed: Callable[[], None], bulk_s: float = BATCH_S
    ) -> None:
        self._session = session
        self._committed = committed
        self._bulk_s = bulk_s
        self._journal: Journal = _Nothing()
        self._queue: queue.SimpleQueue[_Task] = queue.SimpleQueue()
        self._later: _Task | None = None
        self._closed = False
        self._thread = threading.Thread(target=self._work, name=f"writer {name}", daemon=True)
        self._thread.start()

    def attach(self, journal: Journal) -> None:
        self._journal = journal

    def submit(self, action: Callable[[Any], Any], *, alone: bool = False, bulk: bool = False) -> Future[Any]:
        """Queue a unit (``alone``: outside of any transaction; ``bulk``: its caller has more of the kind)."""
        if threading.current_thread() is self._thread:
            raise RuntimeError("a unit of work may not write through the writer: it would wait for itself")
        if self._closed:
            raise Unavailable("kernel.database-closed")
        future: Future[Any] = Future()
        self._queue.put(_Task(action, alone, bulk, future))
        return future

    def close(self) -> None:
        """Finish what is queued, then close the connection."""
        if not self._closed:
            self._closed = True
            self._queue.put(_END)
            self._thread.join()

    def _work(self) -> None:
        while (task := self._later or self._queue.get()) is not _END:
            self._later = None
            if task.alone:
                self._alone(task)
                continue
            batch = self._joined([task])
            self._transact(batch)
            del batch, task  # or they would keep the last callers' data until the next one comes
        self._finish()

    def _joined(self, batch: list[_Task]) -> list[_Task]:
        """``batch`` and what waits behind it, up to what must come after them all, which is kept for later.

        Bulk work comes last: whoever waits for one unit goes before it.
        """
        while len(batch) < UNITS_MOST and self._later is None:
            try:
                task = self._queue.get_nowait()
            except queue.Empty:
                break
            if task.alone:
                self._later = task
            else:
                batch.append(task)
        return sorted(batch, key=lambda task: task.bulk)

    def _finish(self) -> None:
        while True:
            try:
                task = self._queue.get_nowait()
            except queue.Empty:
                break
            task.future.set_exception(Unavailable("kernel.database-closed"))
        self._session.close()

    def _alone(self, task: _Task) -> None:
        action, future = task.action, task.future
        try:
            result = action(self._session.connection())
        except BaseException as error:
            self._session.rollback()
            future.set_exception(self._session.raised(error))
        else:
            future.set_result(result)

    def _transact(self, batch: list[_Task]) -> None:
        """Run ``batch``, split where time is up or the database failed, until every caller has an answer."""
        while batch:
            started = time.monotonic()
            results: list[Any] = []
            committing = False
            bulk = all(task.bulk for task in batch)
            try:
                connection = self._begin()
                for index, task in enumerate(batch):
                    most = self._bulk_s if bulk and self._queue.empty() else BATCH_S
                    if index and time.monotonic() - started > most:
                        break
                    results.append(self._unit(connection, task.action))
                self._journal.before_commit(connection)
                committing = True
                self._session.commit()
            except BaseException as error:
                self._undo()
                if committing and self._unknown(error):
                    for task, result in zip(batch, results, strict=False):
                        own = result.error if isinstance(result, _Failed) else None
                        task.future.set_exception(own or self._session.raised(error))
                    batch = batch[len(results) :]
                    continue
                if len(batch) > 1:
                    for task in batch:
                        self._single(task)
                else:
                    self._single(batch[0], error)
                return
            self._journal.committed()
            self._committed()
            done, batch = batch[: len(results)], batch[len(results) :]
            for task, result in zip(done, results, strict=True):
                if isinstance(result, _Failed):
                    task.future.set_exception(result.error)
                else:
                    task.future.set_result(result)
            self._settle()
            if (
                batch and batch[0].bulk and done[-1].bulk
            ):  # else one first: many others would never let it come
                batch = self._joined(batch)

    def _single(self, task: _Task, error: BaseException | None = None) -> None:
        """One unit in its own transaction; tried again where the trouble passes. ``error``: of a first attempt."""
        unit, future = task.action, task.future
        attempt = 1 if error else 0
        while True:
            if error is not None:
                if attempt >= ATTEMPTS or not self._session.passing(error):
                    future.set_exception(self._session.raised(error))
                    return
                time.sleep(0.005 * 2**attempt)
            attempt += 1
            committing = False
            try:
                connection = self._begin()
                result = self._unit(connection, unit)
                self._journal.before_commit(connection)
                committing = True
                self._session.commit()
            except BaseException as failure:
                self._undo()
                if committing and self._unknown(failure):
                    future.set_exception(self._session.raised(failure))
                    return
                error = failure
                continue
            self._journal.committed()
            self._committed()
            if isinstance(result, _Failed):
                future.set_exception(result.error)
            else:
                future.set_result(result)
            self._settle()
            return

    def _unknown(self, error: BaseException) -> bool:
        """Whether a commit that failed may be on disk all the same: saying so is right, doing the work twice is not."""
        return isinstance(self._session.raised(error), Unavailable)

    def _begin(self) -> Connection:
        connection = self._session.connection()
        self._journal.begin(connection, self._session.begin())
        return connection

    def _unit(self, connection: Connection, unit: Unit[Any]) -> Any:
        """The unit's result, or its own error as _Failed with its work undone."""
        connection.execute("SAVEPOINT unit")
        self._journal.unit_begin()
        try:
            result = unit(connection)
            self._journal.unit_end(connection)
        except BaseException as error:
            if not isinstance(error, Exception) or isinstance(self._session.raised(error), DatabaseError):
                raise
            connection.execute("ROLLBACK TO SAVEPOINT unit")
            connection.execute("RELEASE SAVEPOINT unit")
            self._journal.unit_undone()
            return _Failed(error)
        connection.execute("RELEASE SAVEPOINT unit")
        return result

    def _undo(self) -> None:
        self._session.rollback()
        self._journal.undone()

    def _settle(self) -> None:
        try:
            self._session.settle()
        except Exception as error:  # housekeeping that fails is tried again after the next transaction
            self._session.raised(error)


class _Failed:
    __slots__ = ("error",)

    def __init__(self, error: Exception) -> None:
        self.error = error
