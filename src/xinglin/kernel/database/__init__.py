"""SQLite (the default) or PostgreSQL behind one interface: snapshot reads, and writes by group commit.

>>> with open_database("sqlite://") as database, database.read() as connection:
...     connection.execute("SELECT ? + 1", (1,)).fetchone()
(2,)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from xinglin.kernel.database.dialect import Connection, Database, Dialect, Journal, Row, Unit, run_script
from xinglin.kernel.database.errors import (
    BadAddress,
    DatabaseError,
    Full,
    NewerSchema,
    Unavailable,
    Unfinished,
    WrongKey,
)
from xinglin.kernel.database.pulse import Pulse

if TYPE_CHECKING:
    from xinglin.kernel.database.postgresql import PostgresDatabase
    from xinglin.kernel.database.sqlite import SqliteDatabase

__all__ = [
    "BadAddress",
    "Connection",
    "Database",
    "DatabaseError",
    "Dialect",
    "Full",
    "Journal",
    "NewerSchema",
    "Pulse",
    "Row",
    "Unavailable",
    "Unfinished",
    "Unit",
    "WrongKey",
    "open_database",
    "run_script",
]


def open_database(
    url: str, *, key: str | None = None, durable: bool = True, create: bool = True
) -> SqliteDatabase | PostgresDatabase:
    """Open the database at ``url``.

    Parameters
    ----------
    url : str
        ``sqlite:///relative.db``, ``sqlite:////absolute.db``, ``sqlite://`` (a temporary one, gone at close) or
        ``postgresql://user:password@host:port/name``.
    key : str, optional
        SQLite only: the whole file is encrypted under it.
    durable : bool
        False gives up the sync before each acknowledgement: for tests, and for what can be made again.
    create : bool
        False: a SQLite file that is not there is an error rather than made.

    Raises
    ------
    BadAddress, Unavailable, WrongKey
    """
    scheme, separator, rest = url.partition("://")
    if not separator:
        raise BadAddress("kernel.database-address", url=url)
    if scheme == "sqlite":
        from xinglin.kernel.database.sqlite import SqliteDatabase

        return SqliteDatabase(rest.removeprefix("/"), key=key, durable=durable, create=create)
    if scheme in ("postgresql", "postgres"):
        from xinglin.kernel.database.postgresql import PostgresDatabase

        return PostgresDatabase(url, durable=durable)
    raise BadAddress("kernel.database-address", url=f"{scheme}://…")
