"""Whether this installation is well: machine, settings, database, and the work that goes on around the record."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from xinglin.apps.doctor.finding import Finding, Level
from xinglin.apps.doctor.machine import machine
from xinglin.apps.errors import UsageError
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.language import Language
from xinglin.kernel.settings import Settings, redacted

__all__ = ["Finding", "Level", "examine"]


def examine(settings: Settings, *, adopt_time_zone: bool = False, language: Language = "en") -> list[Finding]:
    """Look at everything; never raises for what is wrong, but reports it.

    ``adopt_time_zone``: first let the record's time zone be the setting's. ``language``: in which a server is asked, where
    one is named in place of a database: then what is reported is how that server is, and nothing of this machine.
    """
    if settings.database.startswith(("http://", "https://")):
        from xinglin.apps.doctor.server import server

        if adopt_time_zone:
            raise UsageError("apps.doctor-server-zone")
        return list(server(settings.database, language))
    return [*machine(settings), *_database(settings, adopt_time_zone)]


def _database(settings: Settings, adopt_time_zone: bool) -> Iterator[Finding]:
    from xinglin.apps.doctor.engine import engine
    from xinglin.apps.doctor.work import work
    from xinglin.records.site import Site

    url = settings.database_url
    shown = redacted(url)
    if url.startswith("sqlite:///") and not Path(url.removeprefix("sqlite:///")).is_file():
        yield Finding("database", "note", "apps.doctor-no-database", {"database": shown})
        return
    from xinglin.apps.assemble import open_record
    from xinglin.records.schema import SCHEMA_VERSION

    try:
        found = _schema_found(url)
        if 0 < found < SCHEMA_VERSION:
            # To open it would migrate it, which is not for one who only looks.
            values: dict[str, object] = {"found": found, "schema": SCHEMA_VERSION}
            yield Finding("schema", "warning", "apps.doctor-schema-old", values)
            return
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
        yield from engine(records)
        yield from work(Site(records, settings))
    finally:
        records.close()


def _schema_found(url: str) -> int:
    from xinglin.kernel.database import open_database
    from xinglin.records.schema import schema_version

    with open_database(url) as database, database.read() as connection:
        return schema_version(connection)
