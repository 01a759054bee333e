"""SQLite through sqlcipher3: WAL, a sync before every acknowledgement, one read connection a thread, one writer.

The file is readable while it is written, and by several processes at once. The write-ahead log is folded back into the
file as it grows; should readers hold that up, the writer waits a moment for them whenever the log has passed
`WAL_MOST_BYTES`, and truncates it.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import sqlcipher3.dbapi2 as driver

from xinglin.kernel.database.dialect import Connection, Dialect, Journal, Unit
from xinglin.kernel.database.errors import BadAddress, DatabaseError, Full, Unavailable, WrongKey
from xinglin.kernel.database.pulse import Heart, Pulse
from xinglin.kernel.database.writer import Writer

T = TypeVar("T")

PAGE_BYTES = 8192
CACHE_KIB = 64 * 1024
"""Of the write connection. A transaction of bulk work changes thousands of pages; what does not fit is written twice."""
READ_CACHE_KIB = 8 * 1024
CHECKPOINT_PAGES = 8000
"""Pages that changed several times since the last checkpoint are written to the file once."""
WAL_MOST_BYTES = 128 * 1024 * 1024
BULK_S = 1.0
"""How long units of bulk work share a transaction while nobody else waits: a page that several of them change is written
once. In a record of 300,000 resources four batches of a thousand write 40 % of what they write alone."""
BUSY_S = 15.0
STATEMENTS = 400
CHECKPOINT_WAIT_MS = 200
LOOK_EVERY = 16
WATCH_S = 0.015
"""How often other processes' commits are looked for: a look takes 10 µs, so an idle follower costs 0.2 % of a core."""


class SqliteConnection(driver.Connection):  # type: ignore[misc]  # the driver has no type hints
    """A driver connection that knows its dialect and inserts in bulk."""

    dialect: Dialect = "sqlite"

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Insert new rows; table and columns are names from our own code, never a caller's text."""
        if rows:
            marks = ",".join("?" * len(columns))
            self.executemany(f"INSERT INTO {table} ({','.join(columns)}) VALUES ({marks})", rows)  # noqa: S608

    def announce(self) -> None:
        """See `Connection.announce`: here every commit is seen."""


def _raised(error: BaseException) -> BaseException:
    """The driver's error as one of ours; anything else as it is."""
    if not isinstance(error, driver.Error):
        return error
    text = str(error)
    ours: DatabaseError
    if "is full" in text or "disk I/O" in text:
        # A write that finds no room left ends as SQLITE_FULL, or as SQLITE_IOERR where the file system says so late.
        ours = Full("kernel.database-full")
    elif "locked" in text or "busy" in text or "unable to open" in text or "interrupted" in text:
        ours = Unavailable("kernel.database-away")
    elif "not a database" in text:
        ours = WrongKey("kernel.database-key")
    elif "readonly" in text or "read-only" in text:
        ours = Unavailable("kernel.database-readonly")
    else:
        ours = DatabaseError("kernel.database-failed", reason=type(error).__name__)
    ours.__cause__ = error
    return ours


class SqliteDatabase:
    """See the module; made by `open_database`."""

    dialect: Dialect = "sqlite"

    def __init__(self, path: str, *, key: str | None, durable: bool, create: bool) -> None:
        self._temporary = None if path else tempfile.mkdtemp(prefix="xinglin-")
        self.path = Path(path or f"{self._temporary}/xinglin.db").absolute()
        self.url = f"sqlite:///{path}" if path else "sqlite://"
        self._key = key
        self._durable = durable and bool(path)
        self._local = threading.local()
        self._open: weakref.WeakSet[SqliteConnection] = weakref.WeakSet()
        self._lock = threading.Lock()
        if not self.path.exists() and (not create or not self.path.parent.is_dir()):
            raise BadAddress("kernel.database-no-file", path=str(self.path))
        session = _Session(self)
        session.connection()
        self._session = session
        self._heart = Heart(_Watch(self), self.path.name)
        self._writer = Writer(session, self.path.name, self._heart.beat, BULK_S)

    def __enter__(self) -> SqliteDatabase:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def read(self, *, snapshot: bool = True) -> Iterator[Connection]:
        """See `Database.read`."""
        connection: SqliteConnection | None = getattr(self._local, "connection", None)
        try:
            if connection is None:
                connection = self._local.connection = self.connect(reading=True)
            if not snapshot or connection.in_transaction:
                yield connection
                return
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                if connection.in_transaction:
                    connection.execute("COMMIT")
        except driver.Error as error:
            raise _raised(error) from error

    def attach(self, journal: Journal) -> None:
        """See `Database.attach`."""
        self._writer.attach(journal)

    def write(self, unit: Unit[T]) -> T:
        """See `Database.write`."""
        return self.submit(unit).result()

    def submit(self, unit: Unit[T], *, bulk: bool = False) -> Future[T]:
        """See `Database.submit`."""
        return self._writer.submit(unit, bulk=bulk)

    def exclusively(self, action: Callable[[Any], T]) -> T:
        """See `Database.exclusively`."""
        result: T = self._writer.submit(action, alone=True).result()
        return result

    def pulse(self) -> Pulse:
        """See `Database.pulse`."""
        return self._heart.pulse()

    def size_bytes(self) -> int:
        """Bytes of the file and its write-ahead log."""
        files = (self.path, Path(f"{self.path}-wal"))
        return sum(file.stat().st_size for file in files if file.exists())

    def close(self) -> None:
        """Finish what is queued; fold the log into the file; close every connection."""
        self._heart.close()
        self._writer.close()
        with self._lock:
            connections = list(self._open)
        for connection in connections:
            connection.close()
        if self._temporary:
            shutil.rmtree(self._temporary, ignore_errors=True)

    def connect(self, *, reading: bool) -> SqliteConnection:
        """A new connection with our settings."""
        try:
            connection: SqliteConnection = driver.connect(
                str(self.path),
                timeout=BUSY_S,
                isolation_level=None,
                check_same_thread=False,  # closed by whoever closes the database
                cached_statements=STATEMENTS,
                factory=SqliteConnection,
            )
            connection.execute("PRAGMA cipher_log_level = NONE")  # what goes wrong is raised, not printed
            if self._key is not None:
                connection.execute(f"PRAGMA key = '{self._key.replace(chr(39), chr(39) * 2)}'")
                connection.execute(f"PRAGMA cipher_page_size = {PAGE_BYTES}")
            connection.execute("PRAGMA foreign_keys = OFF")
            connection.execute("PRAGMA temp_store = MEMORY")
            if reading:
                connection.execute("PRAGMA query_only = ON")
                connection.execute(f"PRAGMA cache_size = -{READ_CACHE_KIB}")
                connection.execute("PRAGMA mmap_size = 268435456")
            else:
                connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute(f"PRAGMA synchronous = {'FULL' if self._durable else 'OFF'}")
                connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
                connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
                connection.execute(f"PRAGMA journal_size_limit = {WAL_MOST_BYTES}")
            connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        except driver.Error as error:
            raise _raised(error) from error
        with self._lock:
            self._open.add(connection)
        return connection


class _Session:
    """The write connection, as the writer thread drives it."""

    def __init__(self, database: SqliteDatabase) -> None:
        self._database = database
        self._connection: SqliteConnection | None = None
        self._seen = -1
        self._wal = Path(f"{database.path}-wal")
        self._tried_at = 0
        self._commits = 0

    def connection(self) -> SqliteConnection:
        if self._connection is None:
            self._connection = self._database.connect(reading=False)
        return self._connection

    def begin(self) -> bool:
        connection = self.connection()
        connection.execute("BEGIN IMMEDIATE")
        (seen,) = connection.execute("PRAGMA data_version").fetchone()
        changed, self._seen = seen != self._seen, seen
        return bool(changed)

    def commit(self) -> None:
        self.connection().execute("COMMIT")

    def rollback(self) -> None:
        connection = self._connection
        self._seen = -1
        if connection is not None and connection.in_transaction:
            try:
                connection.execute("ROLLBACK")
            except driver.Error:
                self._connection = None  # a new one recovers from the log

    def raised(self, error: BaseException) -> BaseException:
        return _raised(error)

    def passing(self, error: BaseException) -> bool:
        return False  # the busy timeout has waited already

    def settle(self) -> None:
        """Fold the log in where it has outgrown its bound, which needs a moment without readers of old snapshots."""
        self._commits += 1
        if self._commits % LOOK_EVERY:
            return  # looking is a system call that may wait for the disk
        size = self._wal.stat().st_size
        if size <= WAL_MOST_BYTES:
            self._tried_at = 0
        elif size - self._tried_at > WAL_MOST_BYTES // 8:
            # Where a reader stays longer than the wait, try again once the log has grown: no write waits for it.
            self._tried_at = size
            connection = self.connection()
            connection.execute(f"PRAGMA busy_timeout = {CHECKPOINT_WAIT_MS}")
            try:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            finally:
                connection.execute(f"PRAGMA busy_timeout = {int(BUSY_S * 1000)}")

    def close(self) -> None:
        if self._connection is not None:
            try:
                self._connection.execute("PRAGMA optimize")
                if self._connection.execute(
                    "SELECT 1 FROM sqlite_schema WHERE name = 'sqlite_stat4'"
                ).fetchone():
                    # With its samples a statement is prepared anew whenever other values are bound to it, which takes
                    # longer than a search; the averages of sqlite_stat1 do not do that.
                    self._connection.execute("DELETE FROM sqlite_stat4")
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            except driver.Error:
                self._seen = -1  # the log is folded in at the next opening
            self._connection.close()


class _Watch:
    """Other connections' commits, by the number that SQLite changes at each of them."""

    def __init__(self, database: SqliteDatabase) -> None:
        self._database = database
        self._connection: SqliteConnection | None = None
        self._seen = -1

    def begin(self) -> None:
        self._differs()

    def look(self) -> bool:
        time.sleep(WATCH_S)
        return self._differs()

    def _differs(self) -> bool:
        try:
            if self._connection is None:
                self._connection = self._database.connect(reading=True)
            (seen,) = self._connection.execute("PRAGMA data_version").fetchone()
        except (driver.Error, DatabaseError):
            return False  # locked for a moment; the next look sees the same change
        before, self._seen = self._seen, seen
        return bool(seen != before)

    def interrupt(self) -> None:
        """A look is short."""

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
