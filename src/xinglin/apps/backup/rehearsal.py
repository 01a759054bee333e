"""The rehearsal of a restore: whether a backup gives back what it was made of, found out while the record still lives."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from xinglin.apps.backup import repository
from xinglin.apps.backup.base import Steps, instant
from xinglin.apps.backup.bringing import bring
from xinglin.apps.backup.errors import Differs, FilesDamaged
from xinglin.apps.backup.form import Manifest, Sums, differences, part_path
from xinglin.apps.backup.keeping import read_manifest
from xinglin.apps.backup.lists import Chosen
from xinglin.apps.backup.memory import identity, remember
from xinglin.apps.backup.place import Place
from xinglin.apps.backup.planning import Plan, check_parts, plan
from xinglin.apps.backup.restore import restore
from xinglin.kernel.clock import now_us
from xinglin.kernel.database import Database, open_database
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.settings import Settings
from xinglin.records import repository as records_repository
from xinglin.records.service import Records


def check(place: Place, name: str) -> Manifest:
    """Read every part of a backup and compare it with its manifest; nothing is restored. Raises Damaged, Sealed, Foreign.

    Of files the list is read, not each file: `read_files` does that.
    """
    manifest = read_manifest(place, name)
    check_parts(place, manifest)
    return manifest


def rehearse(
    place: Place,
    settings: Settings,
    *,
    name: str = "",
    records: Records | None = None,
    url: str = "",
    steps: Steps | None = None,
    check: Callable[[], None] | None = None,
) -> dict[str, Any]:
    """Restore a backup (the newest) with its archive into a scratch database and compare every version's count and digest.

    What came out is kept beside the backup, and in ``records`` where that is given. Raises Differs, and what a restore does.
    ``url``: an empty database to use; by default a SQLite file in the folder for temporary files, gone afterwards.
    """
    began = time.monotonic()
    folder = None if url else tempfile.mkdtemp(prefix="xinglin-rehearsal-")
    chosen: Plan | None = None

    def alive() -> None:
        if check is not None:
            check()
        if steps is not None and chosen is not None:
            steps(chosen.manifest.versions, chosen.manifest.versions)

    result: dict[str, Any] = {"at": instant(now_us()), "at_us": now_us(), "well": False, "store": place.name}
    try:
        record, epoch = ("", "") if records is None or name else identity(records)
        chosen = plan(place, name=name, record=record, epoch=epoch, check=check)
        scratch = url or f"sqlite:///{Path(folder or '') / 'scratch.db'}"
        restore(place, settings, chosen, url=scratch, steps=steps, check=check, durable=False)
        result |= compare(scratch, chosen, check)
        if result["differing"]:
            raise Differs("apps.rehearsal-differs", types=", ".join(result["differing"]))
        if chosen.files is not None and chosen.files.known:
            result |= read_files(place, chosen.files, alive)
        result["well"] = True
    except XinglinError as error:
        if isinstance(error, FilesDamaged):
            result["contents"] = error.contents
        result["reason"] = [error.key, {key: str(value) for key, value in error.values.items()}]
        raise
    finally:
        result["seconds"] = round(time.monotonic() - began, 1)
        if folder:
            shutil.rmtree(folder, ignore_errors=True)
        if chosen is not None:
            result["name"] = chosen.manifest.name
            place.blobs.put(part_path(chosen.manifest.name, "rehearsed.json"), [msgspec.json.encode(result)])
        if records is not None:
            remember(records, "backup_rehearsal", result)
    return result


def read_files(place: Place, chosen: Chosen, check: Callable[[], None] | None = None) -> dict[str, Any]:
    """Read every file of a backup and compare it with its list. Raises FilesDamaged with what is wrong."""
    brought = bring(place, chosen, None, check=check or (lambda: None))
    if brought.wrong:
        raise FilesDamaged(brought.wrong, brought.files, brought.first, brought.contents)
    return {"files": brought.files, "files_bytes": brought.bytes}


def compare(url: str, chosen: Plan, check: Callable[[], None] | None = None) -> dict[str, Any]:
    """The types of which a restored database does not hold what the backup, and the archive behind it, say."""
    database = open_database(url)
    try:
        base, whole = sums_of(database, chosen.manifest.position, chosen.position, check)
    finally:
        database.close()
    differing = (
        differences(chosen.manifest.types, base.told()) if chosen.position >= chosen.manifest.position else []
    )
    if chosen.types is not None:
        differing += differences(chosen.types, whole.told())
    return {
        "position": chosen.position,
        "versions": whole.versions,
        "segments": len(chosen.segments),
        "differing": sorted(set(differing)),
    }


def sums_of(
    database: Database, position: int, upto: int, check: Callable[[], None] | None = None
) -> tuple[Sums, Sums]:
    """Counts and digests of the versions up to ``position``, and of those up to ``upto``."""
    first, second = Sums(), Sums()
    with database.read() as connection:
        tenants = records_repository.live_tenants(connection)
    for tenant in tenants:
        after: int | None = 0
        while after is not None:
            with database.read() as connection:
                after, found = repository.versions_upto(connection, tenant, after, upto)
                for row in found:
                    second.add(row)
                    if row.position <= position:
                        first.add(row)
            if check is not None:
                check()
    return first, second
