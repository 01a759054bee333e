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
    from xinglin.apps.backup.place import Place


def run(asked: Asked, loaded: Loaded, language: Language) -> int:
    """Back up, list, check, or restore."""
    assert asked.command is not None
    settings = loaded.settings
    if asked.command.name == "restore":
        return _restore(asked, settings, language)
    word = asked.arguments[0] if asked.arguments else ""
    if word == "list":
        return _list(asked, settings, language)
    from xinglin.apps.backup.place import open_place

    place = open_place(settings, word)
    if asked.options["verify"]:
        return _verify(asked, place, language)
    return _back_up(asked, settings, place, language)


def _back_up(asked: Asked, settings: Settings, place: Place, language: Language) -> int:
    from xinglin.apps.assemble import open_record
    from xinglin.apps.backend import there
    from xinglin.apps.backup.archive import archive
    from xinglin.apps.backup.base import back_up
    from xinglin.apps.backup.keeping import drop_older
    from xinglin.apps.backup.rehearsal import rehearse

    there(settings)
    records = open_record(settings)
    bar = Bar()
    told: dict[str, object] = {}
    said: list[str] = []
    try:
        if asked.options["archive"]:
            commits = archive(records, place)
            told["commits"] = commits
            said.append(say("apps.backup-archived", language, commits=commits))
        elif not asked.options["backup"]:
            began = time.monotonic()
            manifest = back_up(
                records,
                place,
                steps=lambda done, of: bar.show(None, say("apps.backup-progress", language, done=done)),
            )
            seconds = f"{time.monotonic() - began:.1f}"
            dropped = drop_older(place, settings.backup_keep, manifest.record)
            told |= {
                "name": manifest.name, "store": place.name, "position": manifest.position,
                "versions": manifest.versions, "bytes": manifest.bytes, "encrypted": bool(manifest.salt),
                "dropped": dropped,
            }  # fmt: skip
            values = {"name": manifest.name, "versions": manifest.versions, "position": manifest.position}
            size = human(manifest.bytes)
            said.append(
                say("apps.backup-done", language, store=place.name, size=size, seconds=seconds, **values)
            )
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


def _list(asked: Asked, settings: Settings, language: Language) -> int:
    from xinglin.apps.backup.keeping import listed, told
    from xinglin.apps.backup.place import open_place

    kept, refused = listed(open_place(settings))
    found = [told(one) for one in kept]
    if asked.options["json"]:
        unread = [{"name": name, "reason": error.say(language)} for name, error in refused.items()]
        print_json({"backups": found, "unreadable": unread})
        return 0
    columns = ("name", "made", "position", "reaches", "versions", "size", "rehearsed")
    rows = [tuple(say(f"apps.backup-column-{column}", language) for column in columns)]
    for one in found:
        one["size"] = human(one["bytes"])
        one["rehearsed"] = f"{'✓' if one['well'] else '✗'} {one['rehearsed']}" if one["rehearsed"] else "–"
        rows.append(tuple(one[column] for column in columns))
    print_table(rows)
    for name, error in refused.items():
        print(say("apps.backup-unreadable", language, name=name, reason=error.say(language)))
    return 0


def _verify(asked: Asked, place: Place, language: Language) -> int:
    from xinglin.apps.backup.restore import plan

    bar = Bar()
    try:
        chosen = plan(place, name=asked.options["backup"] or "")
    finally:
        bar.close()
    told = {
        "name": chosen.manifest.name,
        "store": place.name,
        "parts": len(chosen.manifest.parts),
        "segments": len(chosen.segments),
        "reaches": chosen.reaches,
    }
    _print(asked, told, [say("apps.backup-verified", language, **told)])
    return 0


def _restore(asked: Asked, settings: Settings, language: Language) -> int:
    from xinglin.apps.backup.base import instant
    from xinglin.apps.backup.place import open_place
    from xinglin.apps.backup.restore import plan, restore

    place = open_place(settings, asked.arguments[0])
    position, at_us = point(asked.options["to"], settings.time_zone)
    began = time.monotonic()
    bar = Bar()
    try:
        chosen = plan(place, position=position, at_us=at_us, name=asked.options["backup"] or "")
        settings.data_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        reached = restore(
            place,
            settings,
            chosen,
            steps=lambda done, of: bar.show(
                min(done / of, 1) if of else None, say("apps.restore-progress", language, done=done)
            ),
        )
    finally:
        bar.close()
    told = {
        "name": chosen.manifest.name,
        "position": reached,
        "at": instant(chosen.at_us) if chosen.at_us else "–",
        "database": redacted(settings.database_url),
        "seconds": f"{time.monotonic() - began:.1f}",
    }
    _print(asked, told, [say("apps.restore-done", language, **told)])
    return 0


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

    try:
        at = datetime.fromisoformat(given)
    except ValueError as error:
        raise UsageError("apps.backup-to", given=given) from error
    if at.tzinfo is None:
        at = at.replace(tzinfo=ZoneInfo(zone))
    return None, int(at.timestamp() * 1_000_000)


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
