"""``xinglin backup`` and ``xinglin restore``."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from xinglin.apps.cli.grammar import Asked
from xinglin.apps.cli.output import Bar, print_json, print_table
from xinglin.apps.errors import UsageError
from xinglin.kernel.language import Language, say
from xinglin.kernel.settings import Loaded, Settings, redacted

if TYPE_CHECKING:
    from datetime import datetime
    from zoneinfo import ZoneInfo

    from xinglin.apps.backup.bringing import Brought
    from xinglin.apps.backup.place import Place
    from xinglin.apps.backup.planning import Plan


def run(asked: Asked, loaded: Loaded, language: Language) -> int:
    """Back up, list, check, or restore."""
    assert asked.command is not None
    settings = loaded.settings
    if asked.command.name == "restore":
        return _restore(asked, settings, language)
    word = asked.arguments[0] if asked.arguments else ""
    if word == "list":
        return _list(asked, settings, "".join(asked.arguments[1:]), language)
    from xinglin.apps.backup.place import open_place

    place = open_place(settings, word)
    if asked.options["verify"]:
        return _verify(asked, place, language)
    return _back_up(asked, settings, place, language)


def _back_up(asked: Asked, settings: Settings, place: Place, language: Language) -> int:
    from xinglin.apps.assemble import open_record
    from xinglin.apps.backend import there
    from xinglin.apps.backup.archive import archive
    from xinglin.apps.backup.base import back_up, remembered
    from xinglin.apps.backup.keeping import drop_older
    from xinglin.apps.backup.lists import archive_files
    from xinglin.apps.backup.rehearsal import rehearse
    from xinglin.kernel.blobs import open_blobs

    there(settings)
    records = open_record(settings)
    blobs = open_blobs(settings)
    bar = Bar()
    told: dict[str, object] = {}
    said: list[str] = []
    try:
        if asked.options["archive"]:
            try:
                told["files"] = archive_files(records, place, blobs, within_s=float("inf"))
            finally:  # a file that cannot be read holds no commit up
                told["commits"] = archive(records, place)
            said.append(say("apps.backup-archived-files", language, **told))
        elif not asked.options["backup"]:
            began = time.monotonic()
            manifest = back_up(
                records,
                place,
                blobs=blobs,
                steps=lambda done, of: bar.show(None, say("apps.backup-progress", language, done=done)),
            )
            seconds = f"{time.monotonic() - began:.1f}"
            dropped = drop_older(place, settings.backup_keep, manifest.record, manifest.epoch)
            told |= {
                "name": manifest.name, "store": place.name, "position": manifest.position,
                "versions": manifest.versions, "bytes": manifest.bytes, "encrypted": bool(manifest.salt),
                "files": manifest.blobs, "dropped": dropped,
            }  # fmt: skip
            values = {"name": manifest.name, "versions": manifest.versions, "position": manifest.position}
            size = human(manifest.bytes)
            said.append(
                say("apps.backup-done", language, store=place.name, size=size, seconds=seconds, **values)
            )
            if manifest.blobs:
                said.append(say("apps.backup-files", language, files=manifest.blobs, store=blobs.name))
            gone = ((remembered(records, "backup_last") or {}).get("files") or {}).get("gone", 0)
            if gone:
                said.append(say("apps.backup-files-gone", language, gone=gone, store=blobs.name))
            if dropped:
                said.append(say("apps.backup-dropped", language, dropped=dropped))
            if not manifest.salt:
                said.append(say("apps.backup-open", language))
        if asked.options["rehearse"]:
            result = rehearse(
                place,
                settings,
                name=asked.options["backup"] or "",
                records=records,
                steps=lambda done, of: bar.show(
                    done / of if of else None, say("apps.restore-progress", language, done=done)
                ),
            )
            told["rehearsal"] = result
            values = {name: result[name] for name in ("versions", "position", "seconds")}
            said.append(say("apps.backup-rehearsed", language, **values))
    finally:
        bar.close()
        records.close()
    _print(asked, told, said)
    return 0


def _list(asked: Asked, settings: Settings, folder: str, language: Language) -> int:
    from xinglin.apps.backup.keeping import listed, told
    from xinglin.apps.backup.place import open_place
    from xinglin.records.past.instants import shown

    kept, refused = listed(open_place(settings, folder))
    found = [told(one) for one in kept]
    zone = _zone(settings)
    if asked.options["json"]:
        unread = [{"name": name, "reason": error.say(language)} for name, error in refused.items()]
        print_json({"backups": found, "unreadable": unread})
        return 0
    columns = ("name", "made", "position", "reaches", "versions", "size", "rehearsed")
    rows = [tuple(say(f"apps.backup-column-{column}", language) for column in columns)]
    for one, of in zip(found, kept, strict=True):
        one["size"] = human(one["bytes"])
        one["made"] = shown(of.manifest.made_us, zone)
        if of.rehearsed:
            one["rehearsed"] = f"{'✓' if one['well'] else '✗'} {shown(of.rehearsed['at_us'], zone)}"
        else:
            one["rehearsed"] = "–"
        rows.append(tuple(one[column] for column in columns))
    print_table(rows)
    for name, error in refused.items():
        print(say("apps.backup-unreadable", language, name=name, reason=error.say(language)))
    return 0


def _zone(settings: Settings) -> str:
    """The record's time zone; where the record cannot be asked, after a disaster perhaps, the setting's."""
    from contextlib import suppress

    from xinglin.apps.backup.memory import zone_of
    from xinglin.kernel.errors import XinglinError

    with suppress(XinglinError):
        return zone_of(settings.database_url) or settings.time_zone
    return settings.time_zone


def _verify(asked: Asked, place: Place, language: Language) -> int:
    from xinglin.apps.backup.planning import plan
    from xinglin.apps.backup.rehearsal import read_files

    chosen = plan(place, name=asked.options["backup"] or "")
    files = 0
    if chosen.files is not None and chosen.files.known:
        files = read_files(place, chosen.files)["files"]
    told = {
        "files": files,
        "name": chosen.manifest.name,
        "store": place.name,
        "parts": len(chosen.manifest.parts),
        "segments": len(chosen.segments),
        "reaches": chosen.reaches,
    }
    _print(asked, told, [say("apps.backup-verified", language, **told)])
    return 0


def _restore(asked: Asked, settings: Settings, language: Language) -> int:
    from dataclasses import replace

    from xinglin.apps.backup.place import open_place
    from xinglin.apps.backup.planning import plan
    from xinglin.apps.backup.restore import free, restore
    from xinglin.kernel.blobs import open_blobs
    from xinglin.records.past.instants import shown

    only, without = asked.options["files"], asked.options["no-files"]
    if only and without:
        raise UsageError("apps.backup-files-or-not")
    place = open_place(settings, asked.arguments[0])
    blobs = open_blobs(replace(settings, backup_folder=""))
    position, at_us = point(asked.options["to"], settings.time_zone)
    if not only:
        free(settings.database_url)
    began = time.monotonic()
    bar = Bar()

    def steps(done: int, of: int) -> None:
        bar.show(min(done / of, 1) if of else None, say("apps.restore-progress", language, done=done))

    try:
        chosen = plan(place, position=position, at_us=at_us, name=asked.options["backup"] or "")
        if only:
            return _files(asked, settings, place, chosen, language)
        settings.data_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        reached = restore(place, settings, chosen, blobs=None if without else blobs, steps=steps)
    finally:
        bar.close()
    told: dict[str, object] = {
        "name": chosen.manifest.name,
        "position": reached,
        "at": shown(chosen.at_us, _zone(settings)) if chosen.at_us else "–",
        "database": redacted(settings.database_url),
        "seconds": f"{time.monotonic() - began:.1f}",
    }
    said = [say("apps.restore-done", language, **told)]
    if without:
        said.append(say("apps.restore-files-left", language))
    elif chosen.brought is None:
        said.append(say("apps.restore-files-unknown", language))
    wrong = _told_files(chosen.brought, blobs.name, told, said, language)
    _print(asked, told, said)
    return 1 if wrong else 0


def _files(asked: Asked, settings: Settings, place: Place, chosen: Plan, language: Language) -> int:
    """Bring only the files back, beside a database that is well."""
    from dataclasses import replace

    from xinglin.apps.backup.bringing import bring
    from xinglin.apps.backup.restore import files_brought
    from xinglin.kernel.blobs import open_blobs

    blobs = open_blobs(replace(settings, backup_folder=""))
    told: dict[str, object] = {"name": chosen.manifest.name, "position": chosen.position}
    if chosen.files is None or not chosen.files.known:
        _print(asked, told, [say("apps.restore-files-unknown", language)])
        return 1
    brought = bring(place, chosen.files, blobs)
    files_brought(settings, brought)
    said = [say("apps.restore-position-files", language, **told)]
    wrong = _told_files(brought, blobs.name, told, said, language)
    _print(asked, told, said)
    return 1 if wrong else 0


def _told_files(
    brought: Brought | None, store: str, told: dict[str, object], said: list[str], language: Language
) -> int:
    """Add what came of the files; how many are not as they were."""
    if brought is None:
        return 0
    values = {"files": brought.files, "written": brought.written, "there": brought.there, "store": store}
    told["files"] = {**values, "bytes": brought.bytes, "wrong": brought.named, "waiting": brought.waiting}
    if brought.files:
        said.append(say("apps.restore-files", language, size=human(brought.bytes), **values))
    for kind, count in (("damaged", brought.damaged), ("other", brought.other), ("lost", brought.lost)):
        if count:
            named = ", ".join(brought.named[kind]) + ("…" if count > len(brought.named[kind]) else "")
            said.append(say(f"apps.restore-files-{kind}", language, count=count, named=named, store=store))
    if brought.waiting:
        said.append(say("apps.restore-files-waiting", language))
    return brought.wrong


def point(given: str | None, zone: str = "UTC") -> tuple[int | None, int | None]:
    """What ``--to`` names: a position, or an instant in µs, by the site's ``zone`` where it has none. Raises UsageError.

    >>> point("17"), point("1970-01-01T00:00:01Z"), point(None)
    ((17, None), (None, 1000000), (None, None))
    >>> point("1970-01-01T08:00:01", "Asia/Shanghai")
    (None, 1000000)
    """
    if not given:
        return None, None
    if given.isascii() and given.isdigit():
        return int(given), None
    from datetime import datetime
    from zoneinfo import ZoneInfo

    from xinglin.kernel.clock import now_us

    try:
        at = datetime.fromisoformat(given)
    except ValueError as error:
        raise UsageError("apps.backup-to", given=given) from error
    if at.tzinfo is None:
        at = _placed(at, ZoneInfo(zone), given, zone)
    at_us = int(at.timestamp() * 1_000_000)
    if at_us > now_us():
        raise UsageError("apps.backup-to-future", given=given)
    return None, at_us


def _placed(at: datetime, tz: ZoneInfo, given: str, zone: str) -> datetime:
    """A local time with its offset. Raises UsageError where clocks were put forward over it, or back, so that it was twice."""
    from datetime import UTC

    first, second = at.replace(tzinfo=tz, fold=0), at.replace(tzinfo=tz, fold=1)
    if first.utcoffset() == second.utcoffset():
        return first
    there = first.astimezone(UTC).astimezone(tz)
    if there.replace(tzinfo=None) != at:
        raise UsageError("apps.backup-to-gap", given=given, zone=zone, example=there.isoformat())
    raise UsageError(
        "apps.backup-to-twice", given=given, zone=zone, first=first.isoformat(), second=second.isoformat()
    )


def human(size: int) -> str:
    """Bytes for people.

    >>> human(900), human(3_500_000)
    ('0.9 kB', '3.5 MB')
    """
    for unit, scale in (("GB", 1e9), ("MB", 1e6)):
        if size >= scale:
            return f"{size / scale:.1f} {unit}"
    return f"{size / 1000:.1f} kB"


def _print(asked: Asked, told: dict[str, object], said: list[str]) -> None:
    if asked.options["json"]:
        print_json(told)
    else:
        print("\n".join(said))
