"""What is noted of every request: its id, its kind, its status and how long it took. Never what was asked for or found."""

from __future__ import annotations

import itertools
import re
import secrets
import sys
from bisect import bisect_left
from time import perf_counter
from typing import Final

from xinglin.apps.metrics import BOUNDS_S, Metrics
from xinglin.kernel.clock import now
from xinglin.kernel.log import enabled
from xinglin.trust import Actor

REQUEST_ID: Final = re.compile(r"[A-Za-z0-9\-.]{1,64}")
_SHORTEST_S: Final = BOUNDS_S[0]
_WORD: Final = re.compile(r"[a-z][a-z\-]{0,30}")
_PLAIN: Final = {
    "GET": "read",
    "HEAD": "read",
    "PUT": "update",
    "PATCH": "patch",
    "DELETE": "delete",
    "POST": "create",
}


class Observing:
    """Of one server: gives out request ids, counts, and writes the access log where the log takes events of level info."""

    def __init__(self, actor: Actor) -> None:
        self.metrics = Metrics()
        self._reads = self.metrics.reads
        self._actor = actor.id
        self._boot = secrets.token_hex(4)
        self._head = self._boot.encode()
        self._numbers = itertools.count(1)
        self._logs = enabled("info")

    def request_id(self, given: str = "") -> str:
        """``given`` where it is one, else a new one."""
        return given if given and REQUEST_ID.fullmatch(given) else f"{self._boot}{next(self._numbers):x}"

    def done(self, interaction: str, status: int, seconds: float, request_id: str) -> None:
        """A request has been answered."""
        self.metrics.count(interaction, status, seconds)
        if self._logs:
            self._write(interaction, status, seconds, request_id)

    def read(self, began: float) -> bytes:
        """A plain read has been answered that began then (`perf_counter`); its new request id."""
        seconds = perf_counter() - began
        # Most take less than the first bound: for them nothing is searched, and nothing else called.
        reads = self._reads
        reads.counts[0 if seconds <= _SHORTEST_S else bisect_left(BOUNDS_S, seconds)] += 1
        reads.total_s += seconds
        request_id = b"%s%x" % (self._head, next(self._numbers))
        if self._logs:
            self._write("read", 200, seconds, request_id.decode())
        return request_id

    def _write(self, interaction: str, status: int, seconds: float, request_id: str) -> None:
        """A line of the log, as `kernel.log` makes them; by hand, since a log event takes longer than a read.

        Every value is an id, a number or a word of ours, so nothing has to be withheld or escaped.
        """
        sys.stderr.write(
            f'{{"event": "request", "source": "access", "level": "info", "request": "{request_id}",'
            f' "interaction": "{interaction}", "status": {status}, "ms": {seconds * 1000:.2f},'
            f' "actor": "{self._actor}", "timestamp": "{now().isoformat()}"}}\n'
        )


def interaction(method: str, path: str) -> str:
    """The interaction of FHIR that a request below ``/fhir`` is, by R4's own words.

    >>> [interaction("GET", path) for path in ("/Patient/1", "/Patient/1/_history/2", "/Patient", "/metadata")]
    ['read', 'vread', 'search', 'capabilities']
    >>> interaction("POST", "/"), interaction("POST", "/Patient/_search"), interaction("GET", "/Patient/1/$everything")
    ('batch', 'search', 'operation')
    """
    parts = [part for part in path.split("/") if part]
    if not parts:
        return "batch" if method == "POST" else "search"
    last = parts[-1]
    if any(part.startswith("$") for part in parts):
        return "operation"
    if last == "metadata":
        return "capabilities"
    if last == "_search" or (len(parts) == 1 and method in ("GET", "HEAD")):
        return "history" if last == "_history" else "search"
    if last == "_history":
        return "history"
    if len(parts) >= 4 and parts[-2] == "_history":
        return "vread"
    if len(parts) == 3 and method in ("GET", "HEAD"):
        return "search"  # of a compartment
    return _PLAIN.get(method, "other")


def place(path: str) -> str:
    """The kind of a request below ``/api``, by its first word.

    >>> place("/api/jobs/abc/log"), place("/api/x_1")
    ('api jobs', 'api other')
    """
    word = path.removeprefix("/api/").split("/", 1)[0]
    return f"api {word}" if _WORD.fullmatch(word) else "api other"
