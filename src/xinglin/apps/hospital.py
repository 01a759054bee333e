"""The demonstration hospital in a database: made once, found again after that, grown when more patients are asked for.

A note beside the database says how many patients are on disk, so that what was cut short (Ctrl-C, kill -9, a full disk)
goes on where it stopped. The note may lag behind the database, never the other way: what is written twice is the same.
"""

from __future__ import annotations

import os
import shutil
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from xinglin.apps.errors import AppError
from xinglin.kernel.settings import Settings

PATIENTS: Final = 200
SEED: Final = 1
RESOURCES_EACH: Final = 240
"""Resources of a patient on average (measured over 300 patients: 241)."""
BYTES_EACH: Final = 340_000
"""Disk that a patient takes in a SQLite record, indexes and history counted in, with a tenth to spare."""
TOLD_FROM: Final = 1000
"""Patients from which on it is worth saying beforehand how much room and time they take."""
_NOTE_EVERY_S: Final = 2.0


class Made(msgspec.Struct):
    """What was asked for, and how many patients of it are on disk."""

    patients: int
    seed: int
    version: str
    done: bool = True
    stored: int = 0


class Step(msgspec.Struct, frozen=True):
    """How far the making is: patients on disk and in all, how many of them were there before, resources written since."""

    stored: int
    patients: int
    before: int
    resources: int
    seconds: float


class Estimate(msgspec.Struct, frozen=True):
    """What is about to be made: patients still to come, their resources, the disk they take and what is free (bytes).

    ``free`` is None where the database lies on another machine.
    """

    patients: int
    resources: int
    needs: int
    free: int | None


def ensure_demo(
    settings: Settings,
    patients: int | None = None,
    seed: int | None = None,
    *,
    anew: bool = False,
    steps: Callable[[Step], None] | None = None,
    tell: Callable[[Estimate], None] | None = None,
) -> int:
    """The demonstration hospital in the database of ``settings``, made or grown as needed; the number of its patients.

    Parameters
    ----------
    patients, seed : int, optional
        By default those of the hospital that is there, else 200 and 1. More patients than there are: the new ones are added.
    anew : bool
        Delete the hospital that is there first.
    steps, tell : callable, optional
        Told how far it is, after each transaction; told once beforehand what is to be made.

    Raises AppError where fewer patients or another seed are asked for than are there, where the database holds another
    record, or where the disk has too little room.
    """
    note = _note(settings)
    made = _read(note)
    if made is not None and not anew and not _is_there(settings, made):
        made = None
    if anew:
        _clear(settings, note)
        made = None
    if made is None:
        if settings.database != "demo" and not anew:
            _refuse_a_record_in_use(settings)
        made = Made(0, seed or SEED, _version(), done=False)
    wanted = patients or (made.patients or PATIENTS)
    if wanted < made.stored or (seed or made.seed) != made.seed:
        raise AppError("apps.demo-other", patients=made.stored, seed=made.seed)
    if made.done and wanted == made.patients:
        return made.patients
    _check_room(settings, wanted - made.stored, tell)
    made = Made(wanted, made.seed, _version(), done=False, stored=made.stored)
    _write(note, made)
    _make(settings, made, note, steps)
    _write(note, Made(wanted, made.seed, _version(), stored=wanted))
    return wanted


def demo_there(settings: Settings) -> Made | None:
    """What the demonstration hospital of ``settings`` is, if there is one."""
    return _read(_note(settings))


def _clear(settings: Settings, note: Path) -> None:
    if settings.database == "demo":
        note.unlink(missing_ok=True)
        for path in Path(settings.database_url.removeprefix("sqlite:///")).parent.glob("demo.db*"):
            path.unlink()
    else:  # a hospital's own database is never deleted for it
        _refuse_a_record_in_use(settings)
        note.unlink(missing_ok=True)


def _refuse_a_record_in_use(settings: Settings) -> None:
    """Nobody who exists is to lie beside those who do not. Raises AppError."""
    from xinglin.apps.assemble import open_record
    from xinglin.trust import local_system

    records = open_record(settings)
    try:
        if records.count(local_system()):
            raise AppError("apps.demo-not-empty")
    finally:
        records.close()


def _check_room(settings: Settings, patients: int, tell: Callable[[Estimate], None] | None) -> None:
    """Say what it takes, and refuse what the disk cannot hold. Raises AppError."""
    url, free = settings.database_url, None
    if url.startswith("sqlite:///"):
        folder = Path(url.removeprefix("sqlite:///")).absolute().parent
        while not folder.exists():
            folder = folder.parent
        free = shutil.disk_usage(folder).free
    estimate = Estimate(patients, patients * RESOURCES_EACH, patients * BYTES_EACH, free)
    if tell is not None:
        tell(estimate)
    if free is not None and estimate.needs > free:
        raise AppError(
            "apps.demo-no-room",
            patients=patients,
            needs=gigabytes(estimate.needs),
            free=gigabytes(free),
            most=free * 9 // 10 // BYTES_EACH,
        )


def gigabytes(size: int) -> str:
    """Bytes as people say them: ``0.07 GB``, ``66 GB``.

    >>> gigabytes(66_000_000_000), gigabytes(70_000_000)
    ('66 GB', '0.07 GB')
    """
    return f"{size / 1e9:.0f} GB" if size >= 1e10 else f"{size / 1e9:.2g} GB"


def _make(settings: Settings, made: Made, note: Path, steps: Callable[[Step], None] | None) -> None:
    from xinglin.apps.assemble import open_record
    from xinglin.apps.demo.hospital import lines
    from xinglin.trust import local_system

    before, started = made.stored, time.monotonic()
    ends: deque[tuple[int, int]] = deque()  # number of the line with which a patient is complete, the patient

    def counted() -> Iterator[bytes]:
        number, patient = 0, before
        for line in lines(made.patients, made.seed, after=before):
            if b'"resourceType":"Patient"' in line[:40]:
                if patient > before:
                    ends.append((number, patient))
                patient += 1
            number += 1
            yield line
        ends.append((number, patient))

    records = open_record(settings)
    written, noted = 0, started
    try:
        for progress in records.load(local_system(), counted()):
            if progress.rejections:  # the generator and the record disagree: ours, and nothing to hide
                raise progress.rejected[0].error
            while ends and ends[0][0] <= progress.line:
                made.stored = ends.popleft()[1]
            written += progress.taken + progress.updated + progress.unchanged
            now = time.monotonic()
            if now - noted > _NOTE_EVERY_S:
                _write(note, made)
                noted = now
            if steps is not None:
                steps(Step(made.stored, made.patients, before, written, now - started))
    finally:
        with suppress(OSError):  # a full disk has told of itself already; the last note still holds
            _write(note, made)
        records.close()


def _note(settings: Settings) -> Path:
    """Beside the database file, or named by the database's address."""
    from xinglin.kernel.ids import stable_id

    if settings.database == "demo":
        return settings.data_folder / "demo.json"
    return settings.data_folder / f"demo-{stable_id(settings.database_url)}.json"


def _read(note: Path) -> Made | None:
    try:
        made = msgspec.json.decode(note.read_bytes(), type=Made)
    except (OSError, msgspec.DecodeError):
        return None
    if made.done:  # notes of the first version did not count
        made.stored = made.patients
    return made


def _write(note: Path, made: Made) -> None:
    """Replace the note whole: a torn one would be taken for none, and the making for one to begin anew."""
    note.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    beside = note.with_suffix(".tmp")
    beside.write_bytes(msgspec.json.encode(made))
    os.replace(beside, note)


def _is_there(settings: Settings, made: Made) -> bool:
    """Whether the database holds what the note says; it may have been deleted, or emptied, since."""
    url = settings.database_url
    if url.startswith("sqlite:///") and not Path(url.removeprefix("sqlite:///")).is_file():
        return False
    if made.done and url.startswith("sqlite:///"):
        return True
    from xinglin.apps.assemble import open_record
    from xinglin.kernel.errors import XinglinError
    from xinglin.records.errors import NotFound
    from xinglin.trust import local_system

    if not made.stored:
        return True
    records = open_record(settings)
    try:
        records.read(local_system(), "Patient", f"p{made.stored}")
    except NotFound:
        return False
    except XinglinError:
        return True  # deleted by somebody, but it was there
    finally:
        records.close()
    return True


def _version() -> str:
    from xinglin import __version__

    return __version__
