"""Standing figures of the record for metrics and readiness: asked of the database when somebody collects, not before."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from xinglin.apps.doctor import repository
from xinglin.apps.metrics import BOUNDS_S, Family
from xinglin.kernel.clock import now_us
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.settings import Settings
from xinglin.records.errors import NotFound
from xinglin.trust import local_system

if TYPE_CHECKING:
    from xinglin.records.site import Site

COSTLY_S: Final = 30.0
"""How long figures that walk a table are taken to hold."""
LITTLE_BYTES: Final = 256 * 1024**2


class Gauges:
    """Of one open record."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._durations: list[tuple[str, str, list[int], float]] = []
        self._looked_s = float("-inf")

    def families(self) -> Iterator[Family]:
        """Everything; where the database does not answer, only that."""
        try:
            found = [*self._feed(), *self._jobs(), *self._database(), *self._backup()]
        except XinglinError:
            found = []
        yield Family.of("xinglin_up", "gauge", "1 where the database answers.", int(bool(found)))
        yield from found

    def _feed(self) -> Iterator[Family]:
        from xinglin.records.feed import Feed

        feed = Feed(self._site.records)
        yield Family.of("xinglin_commits_total", "counter", "Position of the newest commit.", feed.last())
        commits = Family("xinglin_consumer_lag_commits", "gauge", "Commits that a follower has not read.")
        seconds = Family("xinglin_consumer_lag_seconds", "gauge", "Age of the oldest of them.")
        parked = Family("xinglin_consumer_parked_lanes", "gauge", "Lanes that a failing handler holds up.")
        for name, lag in sorted(feed.lag().items()):
            commits.add(lag.commits, consumer=name)
            seconds.add(lag.seconds, consumer=name)
            parked.add(lag.parked, consumer=name)
        yield from (commits, seconds, parked)

    def _jobs(self) -> Iterator[Family]:
        queue = self._site.queue
        states = Family("xinglin_jobs", "gauge", "Jobs by state.")
        for state, count in queue.counts(None).items():
            states.add(count, state=state)
        yield states
        waiting, oldest_s = queue.waiting()
        yield Family.of("xinglin_jobs_due", "gauge", "Due jobs that no worker has taken yet.", waiting)
        yield Family.of(
            "xinglin_jobs_due_seconds", "gauge", "How long the oldest of them has waited.", oldest_s
        )
        yield Family.of("xinglin_workers", "gauge", "Workers alive.", len(queue.workers()))
        if time.monotonic() - self._looked_s > COSTLY_S:
            with self._site.records.database.read() as connection:
                self._durations = repository.job_durations(connection, [*BOUNDS_S, 60.0, 600.0, 3600.0])
            self._looked_s = time.monotonic()
        spread = Family(
            "xinglin_job_duration_seconds", "histogram", "Durations of the ended jobs that are kept."
        )
        for kind, state, counts, total_s in self._durations:
            spread.spread([*BOUNDS_S, 60.0, 600.0, 3600.0], counts, total_s, kind=kind, state=state)
        yield spread

    def _database(self) -> Iterator[Family]:
        size = self._site.records.database.size_bytes()
        yield Family.of("xinglin_database_bytes", "gauge", "Size of the database.", size)
        free = free_bytes(self._site.settings)
        if free is not None:
            yield Family.of("xinglin_disk_free_bytes", "gauge", "Room left beside the database.", free)

    def _backup(self) -> Iterator[Family]:
        from xinglin.apps.backup.base import remembered

        ages = Family(
            "xinglin_backup_age_seconds", "gauge", "Since the last backup, rehearsal and archived change."
        )
        for key, name in (
            ("backup_last", "backup"),
            ("backup_rehearsal", "rehearsal"),
            ("backup_archived", "archive"),
        ):
            if (found := remembered(self._site.records, key)) is not None:
                ages.add(round((now_us() - found["at_us"]) / 1e6, 1), kind=name)
        yield ages


def free_bytes(settings: Settings) -> int | None:
    """Room left where SQLite's file, or the data folder, lies."""
    url = settings.database_url
    path = Path(url.removeprefix("sqlite:///")) if url.startswith("sqlite:///") else settings.data_folder
    there = next((folder for folder in (path, *path.parents) if folder.is_dir()), None)
    with suppress(OSError):
        return None if there is None else shutil.disk_usage(there).free
    return None


def readiness(site: Site) -> dict[str, Any]:
    """Whether requests can be answered, and what is not as it should be: ``{"status", "checks"}``.

    Only the database decides: without a worker, or with a full disk, there is still much that a server can answer, and a
    balancer that took it away would help nobody.
    """
    checks = {"database": "ok", "disk": "ok", "worker": "ok"}
    found: dict[str, Any] = {"status": "ready", "checks": checks}
    try:
        site.records.read(local_system(), "Patient", "-")
    except NotFound:
        pass  # the database has answered
    except XinglinError as error:
        checks.pop("worker")
        checks["database"] = "unavailable"
        return {"status": "unavailable", "reason": error.say(), "checks": checks}
    free = free_bytes(site.settings)
    if free is not None and free < LITTLE_BYTES:
        checks["disk"] = "low"
    try:
        if not site.queue.workers():
            checks["worker"] = "none"
    except XinglinError:
        checks["worker"] = "unknown"
    return found
