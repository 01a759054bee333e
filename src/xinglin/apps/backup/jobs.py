"""What a worker does about backups by itself: makes them, rehearses them, and archives changes all the while.

The archive is a thread of its own rather than a job: jobs wait for one another, and what it bounds is what a lost disk
takes. Of several workers one archives, by a lease in the record.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from xinglin.apps.backup import repository
from xinglin.apps.backup.archive import archive
from xinglin.apps.backup.base import back_up
from xinglin.apps.backup.errors import NoBackup
from xinglin.apps.backup.keeping import drop_older
from xinglin.apps.backup.leasing import Lease
from xinglin.apps.backup.lists import archive_files
from xinglin.apps.backup.memory import identity, remember, remembered_of
from xinglin.apps.backup.place import open_place
from xinglin.apps.backup.rehearsal import rehearse
from xinglin.kernel.clock import now_us
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.log import logger
from xinglin.records.site import Site

if TYPE_CHECKING:
    from xinglin.jobs import Kind, Work

BACKUP: Final = "apps.backup"
REHEARSAL: Final = "apps.rehearsal"
_LEASE: Final = "backup_lease"


def kinds(site: Site) -> list[Kind]:
    """The kinds of job; where the setting ``backup_folder`` names a place, they are scheduled."""
    from xinglin.jobs import Kind

    def run_backup(work: Work) -> Mapping[str, Any]:
        place = open_place(site.settings)
        try:
            manifest = back_up(site.records, place, blobs=site.blobs, steps=_told(work), check=work.check)
        except XinglinError as error:
            values = {name: str(value) for name, value in error.values.items()}
            told = {"at_us": now_us(), "reason": error.key, "values": values}
            remember(site.records, "backup_failed", told)
            raise
        dropped = drop_older(place, site.settings.backup_keep, manifest.record, manifest.epoch)
        return {
            "name": manifest.name,
            "versions": manifest.versions,
            "position": manifest.position,
            "bytes": manifest.bytes,
            "files": manifest.blobs,
            "dropped": dropped,
        }

    def run_rehearsal(work: Work) -> Mapping[str, Any]:
        place = open_place(site.settings)
        return rehearse(place, site.settings, records=site.records, steps=_told(work), check=work.check)

    return [
        Kind(BACKUP, run_backup, attempts=3, concurrency=1),
        Kind(REHEARSAL, run_rehearsal, attempts=2, concurrency=1),
    ]


def _told(work: Work) -> Callable[[int, int], None]:
    return lambda done, of: work.progress(min(done, of) if of else done, of or None)


class Archiver:
    """Schedules backups as the settings say, and archives changes until closed. Does nothing without ``backup_folder``."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._every_s = site.settings.archive_every_s
        self._stopped = threading.Event()
        self._lease = Lease(site.records, _LEASE)
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin, in a thread of its own."""
        schedule(self._site)
        if self._site.settings.backup_folder:
            self._thread = threading.Thread(target=self._run, name="archiver", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Archive what is there once more, and end."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join(10)

    def _run(self) -> None:
        while True:
            last = self._stopped.wait(self._every_s)
            try:
                self.run_once()
            except NoBackup:
                pass  # the first backup is under way
            except XinglinError as error:
                logger("backup").error("archive", key=error.key)
            except Exception as error:
                logger("backup").error("archive", kind=type(error).__name__)
            if last:
                return

    def run_once(self) -> int:
        """Archive what is new, if this process has the lease or gets it; how many commits."""
        blobs = self._site.blobs
        noted = next(iter(blobs.noted(1)), None) is not None
        if not (noted or self._new()) or not self._lease.held():
            return 0
        place = open_place(self._site.settings)
        try:
            if noted:
                archive_files(self._site.records, place, blobs, check=self._still)
        finally:  # a blob store that fails holds no commit up
            commits = archive(self._site.records, place, check=self._still) if self._new() else 0
        return commits

    def _new(self) -> bool:
        with self._site.records.database.read() as connection:
            position, _ = repository.position_and_instant(connection)
        _, epoch = identity(self._site.records)
        place = open_place(self._site.settings)
        archived = remembered_of(self._site.records, "backup_archived", place.name, epoch)
        return archived is None or archived["position"] != position

    def _still(self) -> None:
        if not self._lease.held():
            raise NoBackup("apps.backup-lease")


def schedule(site: Site) -> None:
    """Let backups and rehearsals come as the settings say, or not at all; the first backup at once."""
    queue, settings = site.queue, site.settings
    if not settings.backup_folder:
        for name in (BACKUP, REHEARSAL):
            queue.unschedule(name)
        return
    queue.schedule(BACKUP, BACKUP, every_s=settings.backup_every_s, shown=False)
    if settings.rehearse_every_s:
        queue.schedule(REHEARSAL, REHEARSAL, every_s=settings.rehearse_every_s)
    else:
        queue.unschedule(REHEARSAL)
    if not based(site):
        queue.add(BACKUP, unique="first")


def based(site: Site) -> bool:
    """Whether there is a backup of the present life of this record where the settings say."""
    _, epoch = identity(site.records)
    place = open_place(site.settings)
    return remembered_of(site.records, "backup_last", place.name, epoch) is not None
