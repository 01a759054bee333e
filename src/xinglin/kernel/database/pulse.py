"""Waiting for a commit of any process: what follows the record, or its queue, sleeps until there may be something new.

Every open database has one `Heart`, which beats after each commit of its own writer at once, and after those of other
processes as soon as its watch sees them: on SQLite by ``PRAGMA data_version``, on PostgreSQL by LISTEN. A beat is a hint
and never a promise: whoever waits looks again at a timeout too, so a lost hint costs time and loses nothing.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Protocol


class Watch(Protocol):
    """Sees the commits of other processes."""

    def begin(self) -> None:
        """From now on nothing is overlooked. Never raises: a watch that cannot begin tries again in `look`."""
        ...

    def look(self) -> bool:
        """Wait a moment; whether another process may have committed since the last look. Never raises."""
        ...

    def interrupt(self) -> None:
        """End a `look` of another thread soon."""
        ...

    def close(self) -> None: ...


class Heart:
    """Counts beats for all who wait on one database; its watch runs in a thread while anybody does."""

    def __init__(self, watch: Watch, name: str) -> None:
        self._watch = watch
        self._name = name
        self._changed = threading.Condition()
        self._count = 0
        self._waiting = 0
        self._listeners: list[Callable[[], None]] = []
        self._thread: threading.Thread | None = None
        self._closed = False

    def pulse(self) -> Pulse:
        """A new waiter, from this moment on."""
        with self._changed:
            if self._thread is None and not self._closed:
                self._watch.begin()
                self._thread = threading.Thread(target=self._run, name=f"pulse {self._name}", daemon=True)
                self._thread.start()
            return Pulse(self, self._count)

    def beat(self) -> None:
        """A transaction was committed."""
        with self._changed:
            self._count += 1
            self._changed.notify_all()
            listeners = list(self._listeners)
        for listener in listeners:
            listener()

    def after(self, seen: int, timeout_s: float, stop: threading.Event | None) -> int:
        """The number of beats, once it is over ``seen``, time is up, ``stop`` is set or the database closed."""
        until = time.monotonic() + timeout_s
        with self._changed:
            self._waiting += 1
            self._changed.notify_all()
            try:
                while self._count == seen and not self._closed and not (stop and stop.is_set()):
                    left = until - time.monotonic()
                    if left <= 0:
                        break
                    self._changed.wait(left)
                return self._count
            finally:
                self._waiting -= 1

    def wake(self) -> None:
        """Let all who wait look at what they wait for, their ``stop`` too."""
        with self._changed:
            self._changed.notify_all()

    def listen(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call ``listener`` at every beat, in whatever thread it happens; it must return at once. Gives what ends it."""
        self.pulse()
        with self._changed:
            self._listeners.append(listener)
            self._changed.notify_all()

        def end() -> None:
            with self._changed:
                if listener in self._listeners:
                    self._listeners.remove(listener)

        return end

    def close(self) -> None:
        """End every wait and the watch."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            thread, self._thread = self._thread, None
        if thread is not None:
            self._watch.interrupt()
            thread.join()
            self._watch.close()

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._closed and not self._waiting and not self._listeners:
                    self._changed.wait()
                if self._closed:
                    return
            if self._watch.look():
                self.beat()


class Pulse:
    """One waiter, used by one thread: each `wait` begins where the last one ended, so no commit falls in between."""

    __slots__ = ("_heart", "_seen")

    def __init__(self, heart: Heart, seen: int) -> None:
        self._heart = heart
        self._seen = seen

    def wait(self, timeout_s: float, stop: threading.Event | None = None) -> bool:
        """True soon after any process committed (since the last wait, or since this was made); False at the timeout.

        ``stop``: set it and call `wake`, and the wait ends at once.
        """
        before, self._seen = self._seen, self._heart.after(self._seen, timeout_s, stop)
        return self._seen != before

    def wake(self) -> None:
        """Let every waiter of this database look at its ``stop``."""
        self._heart.wake()

    def listen(self, listener: Callable[[], None]) -> Callable[[], None]:
        """See `Heart.listen`: for who may not wait in a thread."""
        return self._heart.listen(listener)
