"""Whether this installation is well: database, schema, room on the disk, clock, settings, full text."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from xinglin.kernel.errors import XinglinError
from xinglin.kernel.language import Language, say
from xinglin.kernel.settings import Settings, redacted

if TYPE_CHECKING:
    from xinglin.records.service import Records

Level = Literal["ok", "note", "warning", "error"]

LITTLE_BYTES = 2 * 1024**3  # free space below which writes may soon be refused
NO_EARLIER = 2026  # a clock before this program was written is wrong
LAG_COMMITS = 1000


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at: how it is, and a sentence with, where it is not well, the remedy."""

    name: str
    level: Level
    key: str
    values: dict[str, object] = field(default_factory=dict)

    def say(self, language: Language) -> str:
        """The sentence in the given language."""
        return say(self.key, language, **self._told(language))

    def as_dict(self, language: Language) -> dict[str, Any]:
        """As JSON."""
        return {"name": self.name, "level": self.level, "message": self.say(language), **self._told(language)}

    def _told(self, language: Language) -> dict[str, object]:
        return {k: v.say(language) if isinstance(v, XinglinError) else v for k, v in self.values.items()}


def examine(settings: Settings, *, adopt_time_zone: bool = False) -> list[Finding]:
    """Look at everything; never raises for what is wrong, but reports it.

    ``adopt_time_zone``: first let the record's time zone be the setting's.
    """
    return [
        Finding("version", "ok", "apps.doctor-version", _versions()),
        *_clock(),
        *_disk(settings),
        *_settings(settings),
        *_database(settings, adopt_time_zone),
    ]


def _versions() -> dict[str, object]:
    from xinglin import __version__

    return {"version": __version__, "python": ".".join(map(str, sys.version_info[:3]))}


def _clock() -> Iterator[Finding]:
    from xinglin.kernel.clock import now

    at = now()
    sound = at.year >= NO_EARLIER
    yield Finding(
        "clock",
        "ok" if sound else "error",
        "apps.doctor-clock" if sound else "apps.doctor-clock-wrong",
        {"now": at.isoformat(timespec="seconds")},
    )


def _disk(settings: Settings) -> Iterator[Finding]:
    url = settings.database_url
    path = Path(url.removeprefix("sqlite:///")) if url.startswith("sqlite:///") else settings.data_folder
    there = next((folder for folder in (path, *path.parents) if folder.is_dir()), Path("/"))
    free = shutil.disk_usage(there).free
    little = free < LITTLE_BYTES
    values: dict[str, object] = {"folder": str(there), "free_gib": f"{free / 1024**3:.1f}"}
    yield Finding(
        "disk",
        "warning" if little else "ok",
        "apps.doctor-disk-little" if little else "apps.doctor-disk",
        values,
    )


def _settings(settings: Settings) -> Iterator[Finding]:
    import ipaddress

    host = settings.host.strip("[]")
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = host == "localhost"
    if not loopback:
        yield Finding("host", "error", "apps.doctor-host", {"host": settings.host})
    if settings.body_limit_bytes > 256 * 1024**2:
        yield Finding("body_limit_bytes", "warning", "apps.doctor-large", {"name": "body_limit_bytes"})
    if settings.database_url.startswith("postgres"):
        yield Finding("encryption", "note", "apps.doctor-volume")


def _database(settings: Settings, adopt_time_zone: bool) -> Iterator[Finding]:
    url = settings.database_url
    shown = redacted(url)
    if settings.database.startswith(("http://", "https://")):
        yield from _server(settings.database)
        return
    if url.startswith("sqlite:///") and not Path(url.removeprefix("sqlite:///")).is_file():
        yield Finding("database", "note", "apps.doctor-no-database", {"database": shown})
        return
    from xinglin.apps.assemble import open_record

    try:
        records = open_record(settings)
    except XinglinError as error:
        yield Finding("database", "error", "apps.doctor-database-error", {"database": shown, "reason": error})
        return
    try:
        yield Finding("database", "ok", "apps.doctor-database", {"database": shown})
        if adopt_time_zone and records.zone() != settings.time_zone:
            records.set_tenant(1, "default", settings.time_zone)
        same = records.zone() == settings.time_zone
        yield Finding(
            "time_zone",
            "ok" if same else "warning",
            "apps.doctor-time-zone" if same else "apps.doctor-time-zone-differs",
            {"zone": records.zone(), "setting": settings.time_zone},
        )
        yield from _record(records)
    finally:
        records.close()


def _record(records: Records) -> Iterator[Finding]:
    from xinglin.records.fulltext.follower import Follower
    from xinglin.records.schema import SCHEMA_VERSION
    from xinglin.trust import local_system

    yield Finding("schema", "ok", "apps.doctor-schema", {"schema": SCHEMA_VERSION})
    lag = Follower(records.database).behind()
    behind = lag > LAG_COMMITS
    yield Finding(
        "fulltext",
        "note" if lag else "ok",
        "apps.doctor-fulltext-lag" if behind else "apps.doctor-fulltext",
        {"lag": lag},
    )
    counts = records.count(local_system())
    total = sum(counts.values())
    yield Finding(
        "counts", "ok", "apps.doctor-counts", {"resources": total, "patients": counts.get("Patient", 0)}
    )


def _server(url: str) -> Iterator[Finding]:
    from xinglin.apps.remote import Remote

    remote = Remote(url)
    try:
        remote.ask("GET", f"{remote.base}/metadata")
    except XinglinError as error:
        yield Finding("database", "error", "apps.doctor-database-error", {"database": url, "reason": error})
    else:
        yield Finding("database", "ok", "apps.doctor-database", {"database": url})
