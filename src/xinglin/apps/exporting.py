"""Exporting to a folder as the command line and Python do it: NDJSON files by type, from an open record or from a server.

Cut short, the same export into the same folder goes on: the folder keeps how far it came. Once done, ``manifest.json``
lists the files.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlencode

import msgspec

from xinglin.apps.backend import Backend, Embedded
from xinglin.apps.errors import AppError
from xinglin.kernel.errors import XinglinError

if TYPE_CHECKING:
    from xinglin.apps.remote import Remote
    from xinglin.kernel.settings import Settings
    from xinglin.records.bulk.exporter import State

STATE: Final = ".export.json"
MANIFEST: Final = "manifest.json"
Ticks = Callable[[int, int, str], None]
"""Told how many resources (of a server: bytes) are done, of about how many (0: not known), and what of."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to export: of which types, changed since when, of a Group or all patients only, as far as searches find it.

    ``filters``: searches such as ``Observation?code=4548-4``. ``gzip``: files are packed. ``file_bytes``: when to begin a
    new file.
    """

    types: Sequence[str] = ()
    since: str | None = None
    group: str | None = None
    patients: bool = False
    filters: Sequence[str] = ()
    elements: Sequence[str] = ()
    gzip: bool = False

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """As the parameters of ``$export``."""
        found = [("_type", ",".join(self.types))] if self.types else []
        found += [("_since", self.since)] if self.since else []
        found += [("_typeFilter", each) for each in self.filters]
        found += [("_elements", ",".join(self.elements))] if self.elements else []
        return found

    @property
    def request(self) -> str:
        """The kick-off below the base of a server, as ``Group/g/$export?_type=Patient``."""
        path = "Patient/$export" if self.patients else "$export"
        if self.group:
            path = f"Group/{quote(self.group.removeprefix('Group/'), safe='')}/$export"
        return f"{path}?{urlencode(self.pairs)}" if self.pairs else path


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export came to. ``at``: the instant as of which it is; ask for what changed ``since`` it the next time."""

    folder: Path
    at: str
    resources: int
    deleted: int
    errors: int
    files: list[str] = field(repr=False)
    elapsed_s: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "folder": str(self.folder),
            "transactionTime": self.at,
            "resources": self.resources,
            "deleted": self.deleted,
            "errors": self.errors,
            "files": self.files,
            "elapsed_s": round(self.elapsed_s, 3),
        }


class _Kept(msgspec.Struct):
    """What an unfinished export's folder keeps: where from, what was asked, how far it came."""

    database: str
    asked: str
    state: Any = None


def export_folder(
    backend: Backend, settings: Settings, folder: str | Path, wanted: Wanted, ticks: Ticks | None = None
) -> Exported:
    """Export into ``folder``, which is made, or goes on with what was begun there.

    Raises AppError where the folder holds another export, and what the export itself raises.
    """
    place = Path(folder).expanduser().absolute()
    asked = msgspec.json.encode([wanted.pairs, wanted.group, wanted.patients, wanted.gzip]).decode()
    made = not place.exists()
    kept = _kept(place, backend.name, asked)
    began = time.monotonic()
    tell = ticks or (lambda done, of, what: None)
    try:
        if isinstance(backend, Embedded):
            manifest = _from_record(backend, settings, place, wanted, kept, tell)
        else:
            from xinglin.apps.exporting_remote import from_server

            remote: Remote = backend  # type: ignore[assignment]
            manifest = from_server(
                remote, place, wanted, kept.state, lambda state: _keep(place, kept, state), tell
            )
    except XinglinError:
        if kept.state is None:  # refused before anything was written: leave the folder to the next export
            (place / STATE).unlink(missing_ok=True)
            if made:
                with suppress(OSError):
                    place.rmdir()
        raise
    _write(place / MANIFEST, msgspec.json.format(msgspec.json.encode(manifest), indent=2))
    (place / STATE).unlink()

    def counted(name: str) -> int:
        return sum(each["count"] for each in manifest[name])

    listed = [each["url"] for name in ("output", "deleted", "error") for each in manifest[name]]
    return Exported(
        place,
        manifest["transactionTime"],
        counted("output"),
        counted("deleted"),
        counted("error"),
        listed,
        time.monotonic() - began,
    )


def _kept(place: Path, database: str, asked: str) -> _Kept:
    """How far an export into this folder came; a new one's beginning where there was none. Raises AppError."""
    if place.exists() and not place.is_dir():
        raise AppError("apps.export-no-folder", path=place)
    if (place / STATE).is_file():
        kept = msgspec.json.decode((place / STATE).read_bytes(), type=_Kept)
        if (kept.database, kept.asked) != (database, asked):
            raise AppError("apps.export-another", path=place)
        return kept
    if place.is_dir() and any(place.glob("*.ndjson*")):
        raise AppError("apps.export-taken", path=place)
    kept = _Kept(database, asked)
    _keep(place, kept, None)
    return kept


def _keep(place: Path, kept: _Kept, state: Any) -> None:
    kept.state = state
    place.mkdir(parents=True, exist_ok=True)
    _write(place / STATE, msgspec.json.encode(kept))


def _write(path: Path, content: bytes) -> None:
    new = path.with_name(path.name + ".new")
    new.write_bytes(content)
    new.replace(path)


def _from_record(
    backend: Embedded, settings: Settings, place: Path, wanted: Wanted, kept: _Kept, tell: Ticks
) -> dict[str, Any]:
    from xinglin.records.bulk.exporter import Exporter, State, Watch
    from xinglin.records.bulk.files import FolderFiles
    from xinglin.records.bulk.job import asker
    from xinglin.records.bulk.request import Level, read_export
    from xinglin.records.site import Site
    from xinglin.records.writing import instant_text
    from xinglin.trust import local_system

    records, actor = backend.records, local_system()
    ask = asker(Site(records, settings), actor, settings.base_url)

    def check(kind: str, pairs: list[tuple[str, str]]) -> None:
        ask(kind, pairs)

    level: Level = "group" if wanted.group else "patient" if wanted.patients else "system"
    zone = records.zone(actor.tenant)
    group = wanted.group.removeprefix("Group/") if wanted.group else None
    export, _ = read_export(wanted.pairs, level, group, zone=zone, check=check)

    class Keeping(Watch):
        def save(self, state: State) -> None:
            _keep(place, kept, state.as_dict())

        def progress(self, kind: str, done: int, of: int) -> None:
            tell(done, of, kind)

    files = FolderFiles(place, gzip=wanted.gzip)
    state = State.of(kept.state) if kept.state else None
    state = Exporter(
        records,
        actor,
        export,
        files,
        ask=ask,
        watch=Keeping(),
        state=state,
        file_bytes=settings.export_file_bytes,
    ).run()

    def listed(found: list[Any]) -> list[dict[str, Any]]:
        return [{"type": each.type, "url": files.name(each.name), "count": each.count} for each in found]

    return {
        "transactionTime": instant_text(state.moment.at_us),
        "request": wanted.request,
        "requiresAccessToken": False,
        "output": listed(state.output),
        "deleted": listed(state.deleted),
        "error": listed(state.errors),
    }
