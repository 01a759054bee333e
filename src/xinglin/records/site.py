"""What a capability is given to work with: the record, the queue of jobs, the blobs, the settings."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from xinglin.kernel.settings import Settings

if TYPE_CHECKING:
    from xinglin.jobs import Queue
    from xinglin.kernel.blobs import Blobs
    from xinglin.records.service import Records


class Site:
    """One open installation. Its parts are made when they are first asked for."""

    def __init__(self, records: Records, settings: Settings) -> None:
        self.records = records
        self.settings = settings

    @cached_property
    def queue(self) -> Queue:
        """The durable queue, in the record's own database; what is shown of it are Tasks of the record."""
        from xinglin.jobs import Queue
        from xinglin.records.tasks import Tasks

        return Queue(self.records.database, Tasks(self.records))

    @cached_property
    def blobs(self) -> Blobs:
        """Where large files lie: a folder, or an S3 bucket."""
        from xinglin.kernel.blobs import open_blobs

        return open_blobs(self.settings)
