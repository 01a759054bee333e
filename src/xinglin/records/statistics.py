"""Statistics for the database's planner, made anew as the record grows; see docs/postgresql.md."""

from __future__ import annotations

from typing import Final

from xinglin.kernel.database import Database
from xinglin.records import repository

LEAST: Final = 1000
"""Growth below which plans do not matter: any of them is done in milliseconds."""
_KEY: Final = "analyzed_resources"


def refresh_when_grown(database: Database) -> bool:
    """Analyze where the record has doubled since the last time, by `LEAST` resources at least; whether it did.

    How large it was then stands in the meta table, so that many small loads count together, whoever made them.
    """
    with database.read() as connection:
        size = repository.count_all(connection)
        before = int(repository.meta(connection, _KEY) or 0)
    if size - before < max(before, LEAST):
        return False
    database.exclusively(repository.analyze)
    database.write(lambda connection: repository.set_meta(connection, _KEY, str(size)))
    return True
