"""The tables of the queue, as schema step 2 of the record makes them on both databases."""

from __future__ import annotations

from typing import Final

from xinglin.kernel.database import Connection, run_script

_SQLITE: Final = """
"""

_POSTGRESQL: Final = """
"""


def create(connection: Connection) -> None:
    """Make the tables, inside the transaction of the migration."""
    run_script(connection, _SQLITE if connection.dialect == "sqlite" else _POSTGRESQL)
