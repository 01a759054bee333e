"""How long a search may run: a number of engine steps, and a time.

On SQLite one progress handler watches both; it is called every thousand steps of the virtual machine (some 20 µs). On
PostgreSQL the server watches the time, and steps are not counted.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from xinglin.kernel.database import Connection
from xinglin.records.search.errors import OverBudget, SearchTooLong

EVERY = 1000
"""Steps of SQLite's virtual machine between two looks."""


@contextmanager
def bounded(
    connection: Connection, steps: int | None, limit_s: float, *, restore: bool = False
) -> Iterator[None]:
    """Stop the statements inside when they pass ``steps`` (SQLite) or ``limit_s``.

    ``restore``: the transaction goes on afterwards with other statements, which are not bounded.

    Raises
    ------
    OverBudget
        The steps are used up.
    SearchTooLong
        The time is.
    """
    if connection.dialect == "postgresql":
        with _watched_by_server(connection, limit_s):
            yield
        if restore:
            _set(connection, "0", "auto")
        return
    raw: Any = connection
    watch = _Watch(steps, limit_s)
    raw.set_progress_handler(watch, EVERY)
    try:
        yield
    except Exception as error:
        if watch.reason is not None and "interrupted" in str(error):
            if watch.reason == "steps":
                raise OverBudget from error
            raise SearchTooLong("records.search-too-long", seconds=f"{limit_s:g}") from error
        raise
    finally:
        raw.set_progress_handler(None, 0)


class _Watch:
    """Called by SQLite; a true answer stops the statement."""

    __slots__ = ("ends", "reason", "steps")

    def __init__(self, steps: int | None, limit_s: float) -> None:
        self.steps = steps
        self.ends = time.monotonic() + limit_s
        self.reason: str | None = None

    def __call__(self) -> int:
        if self.steps is not None:
            self.steps -= EVERY
            if self.steps < 0:
                self.reason = "steps"
                return 1
        if time.monotonic() > self.ends:
            self.reason = "time"
            return 1
        return 0


@contextmanager
def _watched_by_server(connection: Connection, limit_s: float) -> Iterator[None]:
    # Plans made for the values at hand: one made for any value cannot know that LIMIT is small.
    _set(connection, str(int(limit_s * 1000)), "force_custom_plan")
    try:
        yield
    except Exception as error:
        if getattr(error, "sqlstate", None) == "57014":
            raise SearchTooLong("records.search-too-long", seconds=f"{limit_s:g}") from error
        raise


def _set(connection: Connection, timeout_ms: str, plans: str) -> None:
    """For the rest of the transaction."""
    connection.execute(
        "SELECT set_config('statement_timeout', ?, true), set_config('plan_cache_mode', ?, true)",
        (timeout_ms, plans),
    )
