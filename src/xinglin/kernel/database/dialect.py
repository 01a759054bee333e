"""What the two databases share: one connection interface, one parameter style (``?``), their errors as ours.

Our SQL is written once with ``?`` for parameters. SQLite takes it as it stands; for psycopg `translate` turns each ``?``
outside of quotes and comments into ``%s`` and doubles every ``%``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from functools import lru_cache
from typing import Any, Literal, Protocol, TypeAlias, TypeVar

from xinglin.kernel.database.pulse import Pulse

Dialect: TypeAlias = Literal["sqlite", "postgresql"]
Row: TypeAlias = tuple[Any, ...]
T = TypeVar("T")


class Cursor(Protocol):
    """The result of one statement."""

    @property
    def rowcount(self) -> int: ...

    def fetchone(self) -> Row | None: ...

    def fetchall(self) -> list[Row]: ...

    def __iter__(self) -> Iterator[Row]: ...


class Connection(Protocol):
    """A connection inside `Database.read` or a unit of work; never kept beyond it."""

    @property
    def dialect(self) -> Dialect: ...

    def execute(self, sql: str, params: Sequence[Any] = (), /) -> Cursor:
        """Run one statement with ``?`` parameters."""
        ...

    def executemany(self, sql: str, rows: Iterable[Sequence[Any]], /) -> Any:
        """Run one statement once for each row of parameters."""
        ...

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Insert new rows in bulk (PostgreSQL: COPY). A row that already exists is an error."""
        ...

    def announce(self) -> None:
        """Tell whoever waits on `Database.pulse`, in other processes too, once the running transaction is committed.

        For what others wait for (commits of the record, queued jobs), and nothing else: it costs PostgreSQL a lock.
        """
        ...


Unit: TypeAlias = Callable[[Connection], T]
"""A unit of work: runs inside a write transaction, whole or not at all; may be run again, so it has no other effect."""


class Journal(Protocol):
    """What the store keeps in step with transactions: its counters, caches and the order of commits."""

    def begin(self, connection: Connection, changed: bool) -> None:
        """A transaction has begun; ``changed``: another connection may have written since the last one."""
        ...

    def unit_begin(self) -> None: ...

    def unit_end(self, connection: Connection) -> None:
        """The unit just run stays; still inside the transaction."""
        ...

    def unit_undone(self) -> None: ...

    def before_commit(self, connection: Connection) -> None: ...

    def committed(self) -> None: ...

    def undone(self) -> None:
        """The whole transaction was rolled back."""
        ...


class Database(Protocol):
    """An open database: any number of readers, and writes through `write` only."""

    @property
    def dialect(self) -> Dialect: ...

    @property
    def url(self) -> str:
        """As opened, without a password."""
        ...

    def read(self, *, snapshot: bool = True) -> AbstractContextManager[Connection]:
        """A connection for reading, good in this thread inside the ``with``.

        ``snapshot``: all statements see the database at one instant; without it each sees its own, a little faster.
        """
        ...

    def attach(self, journal: Journal) -> None:
        """Set who is told about transactions; before the first write."""
        ...

    def write(self, unit: Unit[T]) -> T:
        """Run ``unit`` in a transaction shared with other callers' units, and return once it is on disk.

        Raises whatever ``unit`` raised, then nothing of it has happened; Unavailable or Full where the database did not
        take it.
        """
        ...

    def submit(self, unit: Unit[T], *, bulk: bool = False) -> Future[T]:
        """`write` without waiting: the future is done once the unit is on disk, or failed.

        ``bulk``: one of many; SQLite keeps such units in one transaction for up to a second while nobody else of this
        process waits, for it writes each page that they change once. They run in the order in which they were queued,
        and let units of other kinds pass.
        """
        ...

    def exclusively(self, action: Callable[[Any], T]) -> T:
        """Run ``action`` on the write connection outside of any transaction (migrations, ANALYZE, VACUUM)."""
        ...

    def pulse(self) -> Pulse:
        """What waits for a commit of any process, this one included."""
        ...

    def size_bytes(self) -> int:
        """What the database takes on disk."""
        ...

    def close(self) -> None: ...


@lru_cache(maxsize=2048)
def translate(sql: str) -> str:
    """``?`` parameters to psycopg's ``%s``, leaving quoted text and comments alone.

    >>> translate("SELECT '?%' FROM t WHERE a = ? -- why?")
    "SELECT '?%%' FROM t WHERE a = %s -- why?"
    """
    out: list[str] = []
    place, end = 0, len(sql)
    while place < end:
        character = sql[place]
        if character in "'\"":
            stop = sql.index(character, place + 1) + 1
        elif sql.startswith("--", place):
            stop = sql.find("\n", place)
            stop = end if stop < 0 else stop
        else:
            out.append("%s" if character == "?" else "%%" if character == "%" else character)
            place += 1
            continue
        out.append(sql[place:stop].replace("%", "%%"))
        place = stop
    return "".join(out)


def run_script(connection: Connection, text: str) -> None:
    """Run statements that each end with ``;`` at the end of a line."""
    for statement in text.split(";\n"):
        if statement.strip():
            connection.execute(statement)
