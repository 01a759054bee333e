"""Telling the log of an outage: once when it begins, and once when it is over, however often it is tried meanwhile."""

from __future__ import annotations

import threading
import time

from xinglin.kernel.log import logger


class Outage:
    """What one follower waits for, most often the database. Safe from any thread."""

    def __init__(self, source: str, **ids: str) -> None:
        self._source = source
        self._ids = ids
        self._kind = ""
        self._since_s = 0.0
        self._lock = threading.Lock()

    def begin(self, error: BaseException) -> None:
        """It failed: told where it did not before, or otherwise."""
        kind = type(error).__name__
        with self._lock:
            if kind == self._kind:
                return
            if not self._kind:
                self._since_s = time.monotonic()
            self._kind = kind
        logger(self._source).warning("waiting", kind=kind, **self._ids)

    def end(self) -> None:
        """It went well: told where it failed before."""
        if not self._kind:
            return
        with self._lock:
            kind, self._kind = self._kind, ""
        if kind:
            seconds = round(time.monotonic() - self._since_s, 1)
            logger(self._source).warning("back", kind=kind, seconds=seconds, **self._ids)
