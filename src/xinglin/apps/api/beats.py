"""Waiting for commits in the event loop: one hint for all who wait, however many commits it stands for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool

from xinglin.apps.api.leaving import leaving

if TYPE_CHECKING:
    from xinglin.kernel.database import Database


class Beats:
    """One for each application; see the module."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: set[asyncio.Event] = set()
        self._end: Callable[[], None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._told = False

    async def ready(self) -> None:
        """Before the first `join`: who begins to wait connects to the database, and that may be away for seconds."""
        if self._end is None:
            await run_in_threadpool(self._database.pulse)

    def join(self) -> asyncio.Event:
        """An event that is set after each commit of any process; clear it before looking."""
        event = asyncio.Event()
        if self._end is None:
            self._loop = asyncio.get_running_loop()
            self._told = False
            self._end = self._database.pulse().listen(self._heard)
        self._waiting.add(event)
        return event

    def leave(self, event: asyncio.Event) -> None:
        """Wait no longer."""
        self._waiting.discard(event)
        if not self._waiting and self._end is not None:
            self._end()
            self._end = None

    def _heard(self) -> None:
        """In whatever thread a commit was seen; once for as many as come before the loop gets to it."""
        if not self._told and self._loop is not None:
            self._told = True
            with suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self._tell)

    def _tell(self) -> None:
        self._told = False
        for event in self._waiting:
            event.set()


async def until(event: asyncio.Event, seconds: float) -> None:
    """Wait for ``event``, a time, or the end of the server, whichever is first."""
    gone = leaving()
    tasks = [asyncio.ensure_future(event.wait()), asyncio.ensure_future(gone.wait())]
    try:
        await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
