"""Errors of the database.

XinglinError
 └─ DatabaseError          500
     ├─ Unavailable        503  away, restarting or locked by another; try again
     ├─ Full               507  no room left; reads go on
     ├─ NewerSchema        500  written by a newer Xinglin
     ├─ Unfinished         503  a restore into it is not finished
     ├─ WrongKey           500  encrypted, or not a database
     └─ BadAddress         400  not an address we can open
"""

from __future__ import annotations

from typing import ClassVar

from xinglin.kernel.errors import XinglinError


class DatabaseError(XinglinError):
    """The database failed in a way that nobody foresaw."""


class Unavailable(DatabaseError):
    """The database does not answer, or not in time; nothing is lost, and the same request may be sent again."""

    status: ClassVar[int] = 503
    issue: ClassVar[str] = "transient"


class Full(DatabaseError):
    """The disk or the database's own limit is reached: nothing was written; reads go on."""

    status: ClassVar[int] = 507
    issue: ClassVar[str] = "no-store"


class NewerSchema(DatabaseError):
    """The database was written by a newer version than this one."""


class Unfinished(DatabaseError):
    """A restore into this database was begun and is not finished: it is no record yet."""

    status: ClassVar[int] = 503
    issue: ClassVar[str] = "transient"


class WrongKey(DatabaseError):
    """The file is no database of ours, or is encrypted under another key."""


class BadAddress(DatabaseError):
    """The database address is none that can be opened."""

    status: ClassVar[int] = 400
    issue: ClassVar[str] = "invalid"
