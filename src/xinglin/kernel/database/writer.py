"""The one writer thread: many callers' units of work in one transaction, acknowledged once it is on disk.

Callers queue a unit and wait. The writer takes all that wait (bounded by number and by time), begins ONE transaction,
runs each unit in a savepoint, commits, and only then answers. A unit that fails is rolled back to its savepoint and its
caller gets the error; the others stay. Where the database itself fails (no room, deadlock, lost connection) the whole
transaction is rolled back and each unit is run again in a transaction of its own, so that one caller's trouble is not
another's.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Protocol

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


_Task = tuple[Callable[..., Any], bool, "Future[Any]"]
_WAIT: _Task = (lambda: None, True, Future())


class Writer:
    """See the module. One for each open database. ``committed`` is called after every commit."""

    def __init__(self, session: Session, name: str, committed: Callable[[], None]) -> None:
        self._session = session
        self._committed = committed
        self._journal: Journal = _Nothing()
        self._queue: queue.SimpleQueue[_Task | None] = queue.SimpleQueue()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name=f"writer {name}", daemon=True)
        self._thread.start()

    def attach(self, journal: Journal) -> None:
        self._journal = journal

    def submit(self, action: Callable[[Any], Any], *, alone: bool = False) -> Future[Any]:
        """Queue a unit (``alone``: outside of any transaction)."""
        if threading.current_thread() is self._thread:
            raise RuntimeError("a unit of work may not write through the writer: it would wait for itself")
        if self._closed:
            raise Unavailable("kernel.database-closed")
        future: Future[Any] = Future()
        self._queue.put((action, alone, future))
        return future

    def close(self) -> None:
        """Finish what is queued, then close the connection."""
        if not self._closed:
            self._closed = True
            self._queue.put(None)
            self._thread.join()

    def _work(self) -> None:
        task = self._queue.get()
        while task is not None:
            if task[1]:
                self._alone(task)
                task = self._queue.get()
                continue
            batch, task = self._gather(task)
            self._transact(batch)
            del batch  # or it would keep the last callers' data until the next one comes
            if task is _WAIT:
                task = self._queue.get()
        self._finish()

    def _gather(self, first: _Task) -> tuple[list[_Task], _Task | None]:
        """``first`` and what waits behind it; and the task, if any, that must come after them (_WAIT: none yet)."""
        batch = [first]
        while len(batch) < UNITS_MOST:
            try:
                task = self._queue.get_nowait()
            except queue.Empty:
                return batch, _WAIT
            if task is None or task[1]:
                return batch, task
            batch.append(task)
        return batch, _WAIT

    def _finish(self) -> None:
        while True:
            try:
                task = self._queue.get_nowait()
            except queue.Empty:
                break
            if task is not None:
                task[2].set_exception(Unavailable("kernel.database-closed"))
        self._session.close()

    def _alone(self, task: _Task) -> None:
        action, _, future = task
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
            try:
                connection = self._begin()
                for index, (unit, _, _) in enumerate(batch):
                    if index and time.monotonic() - started > BATCH_S:
                        break
                    results.append(self._unit(connection, unit))
                self._journal.before_commit(connection)
                self._session.commit()
            except BaseException as error:
                self._undo()
                if len(batch) > 1:
                    for task in batch:
                        self._single(task)
                else:
                    self._single(batch[0], error)
                return
            self._journal.committed()
            self._committed()
            done, batch = batch[: len(results)], batch[len(results) :]
            for (_, _, future), result in zip(done, results, strict=True):
                if isinstance(result, _Failed):
                    future.set_exception(result.error)
                else:
                    future.set_result(result)
            self._settle()

    def _single(self, task: _Task, error: BaseException | None = None) -> None:
        """One unit in its own transaction; tried again where the trouble passes. ``error``: of a first attempt."""
        unit, _, future = task
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
                if committing and isinstance(self._session.raised(failure), Unavailable):
                    # Whether it is on disk is not known: saying so is right, doing it twice is not.
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
