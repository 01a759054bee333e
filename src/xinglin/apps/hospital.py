"""The demonstration hospital in a database: made once, found again after that."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from xinglin.apps.errors import AppError
from xinglin.kernel.settings import Settings

PATIENTS = 200
SEED = 1


class _Made(msgspec.Struct):
    patients: int
    seed: int
    version: str
    done: bool = True


def ensure_demo(
    settings: Settings,
    patients: int | None = None,
    seed: int | None = None,
    *,
    anew: bool = False,
    ticks: Callable[[int, int], None] | None = None,
) -> int:
    """The demonstration hospital in the database of ``settings``, made where it is not there; the number of patients.

    ``ticks`` is told patients made and in all. What was interrupted goes on. Raises AppError where another hospital
    than the one asked for is there and it should not be made ``anew``.
    """
    note = _note(settings)
    made = _read(note)
    wanted = _Made(
        patients or (made.patients if made else PATIENTS), seed or (made.seed if made else SEED), _version()
    )
    if made is not None and made.done and not anew and _database_is_there(settings):
        if patients not in (None, made.patients) or seed not in (None, made.seed):
            raise AppError("apps.demo-other", patients=made.patients, seed=made.seed)
        return made.patients
    if anew and settings.database == "demo":
        note.unlink(missing_ok=True)
        for path in Path(settings.database_url.removeprefix("sqlite:///")).parent.glob("demo.db*"):
            path.unlink()
    elif settings.database != "demo" and (made is None or anew):
        _refuse_a_record_in_use(settings)
    note.parent.mkdir(parents=True, exist_ok=True)
    note.write_bytes(msgspec.json.encode(msgspec.structs.replace(wanted, done=False)))
    _make(settings, wanted, ticks)
    note.write_bytes(msgspec.json.encode(wanted))
    return wanted.patients


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


def _make(settings: Settings, wanted: _Made, ticks: Callable[[int, int], None] | None) -> None:
    from xinglin.apps.assemble import open_record
    from xinglin.apps.demo.hospital import lines
    from xinglin.trust import local_system

    done = 0

    def counted() -> Iterator[bytes]:
        nonlocal done
        for line in lines(wanted.patients, wanted.seed):
            done += b'"resourceType":"Patient"' in line[:40]
            yield line

    records = open_record(settings)
    try:
        for _ in records.load(local_system(), counted()):
            if ticks is not None:
                ticks(done, wanted.patients)
    finally:
        records.close()


def _note(settings: Settings) -> Path:
    """Beside the database file, or named by the database's address."""
    from xinglin.kernel.ids import stable_id

    if settings.database == "demo":
        return settings.data_folder / "demo.json"
    return settings.data_folder / f"demo-{stable_id(settings.database_url)}.json"


def _read(note: Path) -> _Made | None:
    try:
        return msgspec.json.decode(note.read_bytes(), type=_Made)
    except (OSError, msgspec.DecodeError):
        return None


def _database_is_there(settings: Settings) -> bool:
    url = settings.database_url
    return not url.startswith("sqlite:///") or Path(url.removeprefix("sqlite:///")).is_file()


def _version() -> str:
    from xinglin import __version__

    return __version__
