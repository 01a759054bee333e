"""PostgreSQL through psycopg 3: a pool of read connections, one writer connection, recovery after a restart.

psycopg is optional (``pip install 'xinglin[postgres]'``) and imported only when such a database is opened. A connection
found dead is replaced; a read that met one is an `Unavailable`, the next one works again as soon as the server does.
"""

from __future__ import annotations

import selectors
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from xinglin.kernel.database.dialect import Connection, Cursor, Dialect, Journal, Unit, translate
from xinglin.kernel.database.errors import BadAddress, DatabaseError, Unavailable
from xinglin.kernel.database.pulse import Heart, Pulse
from xinglin.kernel.database.writer import Writer

if TYPE_CHECKING:
    import psycopg

T = TypeVar("T")

READERS_MOST = 16
WAIT_S = 15.0
CONNECT_S = 5
OLDEST_UNCHECKED_S = 30.0
FEW_ROWS = 12
PREPARED_MOST = 400
IDLE_MOST_S = 60
"""A writer that stands still in a transaction, its process halted or its machine cut off, holds all others up: the server
takes the transaction from it after so long. Our units compute for a second at most between two statements."""
CHANNEL = "xinglin"
WATCH_S = 15.0
WATCH_AGAIN_S = 1.0
"""While no connection listens, whoever waits is woken this often."""

# https://www.postgresql.org/docs/current/errcodes-appendix.html
_PASSING = {
    "40001",
    "40P01",
    "55P03",
    "23505",
    "25P03",
}  # serialization, deadlock, lock timeout, unique: another was quicker; we stood still in a transaction
_AWAY = {
    "57P01",
    "57P02",
    "57P03",
    "57014",
    "53300",
    "25006",
}  # shutdown, crash, starting, cancelled, too many, read-only
_FULL = {"53100", "53000", "54000", "58030"}  # disk full, insufficient resources, I/O error


class PostgresConnection:
    """A psycopg connection in autocommit, spoken to with ``?`` parameters and our own BEGIN and COMMIT."""

    dialect: Dialect = "postgresql"
    __slots__ = ("announced", "raw", "used_s")

    def __init__(self, raw: psycopg.Connection[Any]) -> None:
        self.raw = raw
        self.announced = False
        self.used_s = time.monotonic()

    def execute(self, sql: str, params: Sequence[Any] = (), /) -> Cursor:
        if params:
            return self.raw.execute(translate(sql), params, binary=True)
        return self.raw.execute(sql, binary=True)

    def executemany(self, sql: str, rows: Iterable[Sequence[Any]], /) -> None:
        with self.raw.cursor() as cursor:
            cursor.executemany(translate(sql), rows)

    def announce(self) -> None:
        """See `Connection.announce`."""
        self.announced = True

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """COPY new rows, or INSERT a few: a COPY is three exchanges with the server.

        Table and columns are names from our own code, never a caller's text.
        """
        if not rows:
            return
        if len(rows) <= FEW_ROWS:
            marks = ",".join([f"({','.join(['%s'] * len(columns))})"] * len(rows))
            values = [value for row in rows for value in row]
            self.raw.execute(f"INSERT INTO {table} ({','.join(columns)}) VALUES {marks}", values)  # noqa: S608
            return
        with (
            self.raw.cursor() as cursor,
            cursor.copy(f"COPY {table} ({','.join(columns)}) FROM STDIN") as copy,
        ):
            for row in rows:
                copy.write_row(row)


def _code(error: BaseException) -> str | None:
    return getattr(error, "sqlstate", None)


def _raised(error: BaseException) -> BaseException:
    """psycopg's error as one of ours; anything else as it is."""
    import psycopg

    if not isinstance(error, psycopg.Error):
        return error
    code = _code(error)
    ours: DatabaseError
    lost = code is None and isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
    if code in _FULL:
        # The server writes for many: clients retry a 503, and it recovers by itself once there is room.
        ours = Unavailable("kernel.database-full")
    elif lost or code in _AWAY or code in _PASSING or (code or "").startswith("08"):
        ours = Unavailable("kernel.database-away")
    else:
        ours = DatabaseError("kernel.database-failed", reason=type(error).__name__)
    ours.__cause__ = error
    return ours


class PostgresDatabase:
    """See the module; made by `open_database`."""

    dialect: Dialect = "postgresql"

    def __init__(self, url: str, *, durable: bool) -> None:
        try:
            import psycopg
            from psycopg.conninfo import conninfo_to_dict, make_conninfo
        except ImportError as error:
            raise BadAddress("kernel.database-driver") from error
        try:
            parts = conninfo_to_dict(url)
        except psycopg.Error as error:
            raise BadAddress("kernel.database-address", url=url.split("@")[-1]) from error
        self._info = make_conninfo(url, connect_timeout=CONNECT_S, application_name="xinglin")
        self.url = f"postgresql://{parts.get('host', '')}:{parts.get('port', '')}/{parts.get('dbname', '')}"
        self._durable = durable
        self._idle: list[PostgresConnection] = []
        self._lock = threading.Lock()
        self._slots = threading.BoundedSemaphore(READERS_MOST)
        self._local = threading.local()
        self._closed = False
        session = _Session(self)
        session.connection()
        self._session = session
        self._heart = Heart(_Watch(self), "postgresql")
        self._writer = Writer(session, "postgresql", self._heart.beat)

    def __enter__(self) -> PostgresDatabase:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def read(self, *, snapshot: bool = True) -> Iterator[Connection]:
        """See `Database.read`. A ``read`` inside another of the same thread shares its connection."""
        outer: PostgresConnection | None = getattr(self._local, "connection", None)
        if outer is not None:
            yield outer
            return
        if not self._slots.acquire(timeout=WAIT_S):
            raise Unavailable("kernel.database-away")
        connection = None
        try:
            connection = self._local.connection = self._take()
            if snapshot:
                connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            yield connection
            if snapshot:
                connection.execute("COMMIT")
        except BaseException as error:
            self._clean(connection)
            raised = _raised(error)
            if raised is error:
                raise
            raise raised from error
        finally:
            self._local.connection = None
            if connection is not None:
                self._put(connection)
            self._slots.release()

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

    @property
    def writer_pid(self) -> int:
        """The server's process behind our writer, 0 while there is none."""
        return self._session.pid

    def size_bytes(self) -> int:
        """Bytes of the whole database on the server."""
        with self.read(snapshot=False) as connection:
            row = connection.execute("SELECT pg_database_size(current_database())").fetchone()
        assert row is not None
        return int(row[0])

    def close(self) -> None:
        """Finish what is queued and close every connection."""
        self._heart.close()
        self._writer.close()
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.raw.close()

    def connect(self, *, reading: bool) -> PostgresConnection:
        """A new connection with our settings. Raises Unavailable."""
        import psycopg

        try:
            raw = psycopg.connect(self._info, autocommit=True)
            raw.prepared_max = PREPARED_MOST
            raw.execute("SET TIME ZONE 'UTC'")
            if reading:
                raw.execute("SET default_transaction_read_only = on")
            else:
                self._for_writing(raw)
        except psycopg.Error as error:
            raise _raised(error) from error
        return PostgresConnection(raw)

    def _for_writing(self, raw: psycopg.Connection[Any]) -> None:
        raw.execute(f"SET idle_in_transaction_session_timeout = '{IDLE_MOST_S}s'")
        if not self._durable:
            raw.execute("SET synchronous_commit = off")
            return
        raw.execute(  # whatever the server's default: an acknowledged write is on its disk
            "SELECT set_config('synchronous_commit', 'on', false)"
            " WHERE current_setting('synchronous_commit') IN ('off', 'local')"
        )

    def _take(self) -> PostgresConnection:
        while True:
            with self._lock:
                connection = self._idle.pop() if self._idle else None
            if connection is None:
                return self.connect(reading=True)
            if time.monotonic() - connection.used_s < OLDEST_UNCHECKED_S:
                return connection
            try:
                connection.raw.execute("SELECT 1")
                return connection
            except Exception:
                connection.raw.close()

    def _put(self, connection: PostgresConnection) -> None:
        connection.used_s = time.monotonic()
        with self._lock:
            if not connection.raw.closed and not self._closed:
                self._idle.append(connection)
                return
        connection.raw.close()

    def _clean(self, connection: PostgresConnection | None) -> None:
        """Make ``connection`` fit for the next reader; where it is dead, so are its idle fellows."""
        if connection is None:
            return
        try:
            connection.raw.execute("ROLLBACK")
        except Exception:
            connection.raw.close()
            with self._lock:
                idle, self._idle = self._idle, []
            for fellow in idle:
                fellow.raw.close()


class _Session:
    """The write connection, as the writer thread drives it."""

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database
        self._connection: PostgresConnection | None = None
        self.pid = 0

    def connection(self) -> PostgresConnection:
        if self._connection is None or self._connection.raw.closed:
            self._connection = self._database.connect(reading=False)
            self.pid = self._connection.raw.info.backend_pid
        return self._connection

    def begin(self) -> bool:
        connection = self.connection()
        connection.announced = False
        connection.execute("BEGIN")
        return True  # other processes write too

    def commit(self) -> None:
        assert self._connection is not None
        if self._connection.announced:  # one message to the server for both
            cursor = self._connection.raw.execute(f"NOTIFY {CHANNEL}; COMMIT")
            cursor.nextset()
        else:
            cursor = self._connection.raw.execute("COMMIT")
        if (
            cursor.statusmessage != "COMMIT"
        ):  # PostgreSQL answers COMMIT of a failed transaction with ROLLBACK
            raise DatabaseError("kernel.database-failed", reason=str(cursor.statusmessage))

    def rollback(self) -> None:
        if self._connection is None:
            return
        try:
            self._connection.raw.execute("ROLLBACK")
        except Exception:
            self._connection.raw.close()
            self._connection = None

    def raised(self, error: BaseException) -> BaseException:
        return _raised(error)

    def passing(self, error: BaseException) -> bool:
        import psycopg

        code = _code(error)
        if code in _PASSING:
            return True
        # A connection lost before the commit has changed nothing: once more on a new one.
        return isinstance(error, psycopg.OperationalError) and code in (None, "57P01", "57P02", "57P03")

    def settle(self) -> None: ...

    def close(self) -> None:
        if self._connection is not None:
            self._connection.raw.close()


class _Watch:
    """Other processes' announcements, heard on a connection of its own; while that is lost, a hint each second."""

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database
        self._connection: PostgresConnection | None = None
        self._ours, self._theirs = socket.socketpair()
        self._looked_s = 0.0

    def begin(self) -> None:
        try:
            connection = self._database.connect(reading=True)
            connection.raw.execute(f"LISTEN {CHANNEL}")
            self._connection = connection
        except Exception:
            self._connection = None

    def look(self) -> bool:
        if self._connection is None:
            self._wait(None, WATCH_AGAIN_S)
            self.begin()
            return True  # whatever was announced meanwhile was not heard
        try:
            raw = self._connection.raw
            heard = not self._wait(raw.fileno(), WATCH_S)
            if heard:
                raw.execute("SELECT 1")  # an idle connection may have been cut without a word
            raw.pgconn.consume_input()
            while (notice := raw.pgconn.notifies()) is not None:
                heard |= notice.be_pid != self._database.writer_pid  # our own commits have beaten already
            return heard
        except Exception:
            self._connection.raw.close()
            self._connection = None
            return True

    def _wait(self, fileno: int | None, seconds: float) -> bool:
        with selectors.DefaultSelector() as selector:
            selector.register(self._theirs, selectors.EVENT_READ)
            if fileno is not None:
                selector.register(fileno, selectors.EVENT_READ)
            return bool(selector.select(seconds))

    def interrupt(self) -> None:
        self._ours.send(b".")

    def close(self) -> None:
        if self._connection is not None:
            self._connection.raw.close()
        self._ours.close()
        self._theirs.close()
