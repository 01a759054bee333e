"""What a test kills in the middle: ``python killed_process.py backup|archive|restore|migrate|migrate-large URL FOLDER``.

Says ``begun`` once it is at work; slow enough that a kill finds it there.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from xinglin.apps.backup import base, restore
from xinglin.apps.backup.archive import archive
from xinglin.apps.backup.lists import archive_files
from xinglin.apps.backup.place import open_place
from xinglin.kernel.blobs import open_blobs
from xinglin.kernel.blobs.folder import FolderBlobs
from xinglin.kernel.database import Connection, open_database
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.settings import Settings
from xinglin.records import schema
from xinglin.records.service import open_records

PAUSE_S = 0.01


def pause() -> None:
    print("begun", flush=True)
    time.sleep(PAUSE_S)


def main(what: str, url: str, folder: str) -> None:
    settings = Settings(backup_folder=str(Path(folder) / "backups"), data=folder)
    place = open_place(settings)
    base.MAKING_S = 0.5  # type: ignore[misc]  # the next one need not wait long for this one, which is dead
    base.PART_LINES, base.RESOURCES, restore.BATCH = 40, 10, 11  # type: ignore[misc]
    if what == "migrate-large":
        # Says so at each few hundred versions that it has read.
        some = schema.past._fill_some

        def told(connection: Connection, *rest: object) -> None:
            print("begun", flush=True)
            some(connection, *rest)  # type: ignore[arg-type]

        schema.past._fill_some = told  # type: ignore[assignment]
        schema.migrate(open_database(url))
    elif what == "migrate":
        # As a large record would be: the kill falls between two statements of the step.
        real = schema.past.create

        def slow(connection: Connection) -> None:
            real(connection)
            print("begun", flush=True)
            time.sleep(60)

        schema.past.create = slow  # type: ignore[assignment]
        schema.migrate(open_database(url))
    elif what == "restore":
        target = FolderBlobs(Path(folder) / "brought")
        restore.restore(place, settings, restore.plan(place), url=url, blobs=target, check=pause)
    else:
        records = open_records(url, settings)
        if what == "backup":
            base.back_up(records, place, blobs=open_blobs(settings), check=pause)
        else:
            print("begun", flush=True)
            archive_files(records, place, open_blobs(settings))
            archive(records, place)
        records.close()
    print("done", flush=True)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except XinglinError as error:
        print(f"failed {error.key}", flush=True)
        sys.exit(1)
