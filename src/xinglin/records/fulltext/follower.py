"""Follows the commits and keeps the full text behind them."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

from xinglin.kernel.database import Connection, Database
from xinglin.kernel.errors import XinglinError
from xinglin.records.fulltext import repository
from xinglin.records.fulltext.words import words
from xinglin.records.repository import last_position

if TYPE_CHECKING:
    from types import TracebackType

BATCH: Final = 200
PAUSE_S: Final = 0.5


class Follower:
    """Puts the words of what was committed into the full text: `catch_up` now, or `start` a thread that keeps at it.

    Several processes may follow one database: each step is taken by one of them.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def behind(self) -> int:
        """Commits whose words are not in yet."""
        with self._database.read() as connection:
            return last_position(connection) - repository.position(connection)

    def catch_up(self) -> int:
        """Follow to the last commit; how many resources were looked at."""
        done = 0
        while not self._stop.is_set():
            count = self._step()
            if count is None:
                break
            done += count
        return done

    def start(self) -> Follower:
        """Follow in a thread of its own until `close`; once is enough."""
        if self._thread is None:
            self._stop.clear()
            self._thread = threading.Thread(target=self._run, name="full text", daemon=True)
            self._thread.start()
        return self

    def close(self) -> None:
        """Stop after the step under way."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def __enter__(self) -> Follower:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self.catch_up()
            except XinglinError:
                self._stop.wait(PAUSE_S * 4)  # away or full: the place is kept, so nothing is missed
            self._stop.wait(PAUSE_S)

    def _step(self) -> int | None:
        """One batch; None where there is nothing to do."""
        with self._database.read() as connection:
            of_today = repository.is_of_today(connection)
        if not of_today:
            self._database.write(repository.begin_anew)
        with self._database.read() as connection:
            before = repository.position(connection)
            reached, rids = repository.touched(connection, before, BATCH)
            if reached == before:
                return None
            live = repository.live_bodies(connection, rids)
        rows = [(rid, tenant, *words(body)) for rid, tenant, body in live]

        # What was changed again since that snapshot comes again at its later position.
        def unit(connection: Connection) -> None:
            if repository.move(connection, before, reached):
                repository.replace(connection, rids, rows)

        self._database.write(unit)
        return len(rids)
