"""The only place that wires: settings to an open record, a record and the capabilities to the server and the worker."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from xinglin.kernel.capability import Capability, resolve
from xinglin.kernel.settings import Settings

if TYPE_CHECKING:
    from xinglin.records.schema import Migrating
    from xinglin.records.service import Records
    from xinglin.records.site import Site

CAPABILITIES: Final = (
    "xinglin.records.capability:CAPABILITY",
    "xinglin.ingest.capability:CAPABILITY",
    "xinglin.drafts.capability:CAPABILITY",
    "xinglin.quality.capability:CAPABILITY",
    "xinglin.apps.capability:CAPABILITY",
)
"""One line a capability, lower floors first; other packages join by the entry-point group ``xinglin.capabilities``."""


MIGRATED_A_SECOND: Final = 3000
"""Superseded versions that a migration reads in a second, about: what a person is told to wait for."""


@cache
def capabilities() -> tuple[Capability, ...]:
    """Every capability installed here."""
    from importlib.metadata import entry_points

    own = [resolve(name) for name in CAPABILITIES]
    return (*own, *(point.load() for point in entry_points(group="xinglin.capabilities")))


def gathered(site: Site, part: str) -> list[Any]:
    """What the capabilities give as ``part`` (jobs, consumers or routes), all of it, for this site."""
    found: list[Any] = []
    for capability in capabilities():
        if name := getattr(capability, part):
            found += resolve(name)(site)
    return found


def open_record(settings: Settings | None = None) -> Records:
    """The record that ``settings`` name, made (with its folder) where it is not there yet.

    Raises BadAddress, Unavailable, WrongKey, NewerSchema.
    """
    import sys

    from xinglin.drafts import guard
    from xinglin.records.schema import log_migration
    from xinglin.records.service import open_records

    settings = settings or Settings()
    url = settings.database_url
    if settings.database in ("", "demo"):
        Path(url.removeprefix("sqlite:///")).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    at_a_terminal = sys.stderr is not None and sys.stderr.isatty()
    told = (lambda at: _say_migration(at, settings)) if at_a_terminal else log_migration
    records = open_records(url, settings, migrating=told)
    guard.attach(records)
    return records


def _say_migration(at: Migrating, settings: Settings) -> None:
    """Say to the person who waits for the start why it takes longer this once."""
    import os
    import sys

    from xinglin.kernel.language import choose, say

    locale = os.environ.get("LC_ALL") or os.environ.get("LANG")
    language = choose(locale if settings.language == "auto" else settings.language)
    key = "apps.migrating" if at.seconds is None else "apps.migrated"
    told = {"before": at.before, "after": at.after, "versions": at.versions}
    seconds = f"{2 + at.versions / MIGRATED_A_SECOND:.0f}" if at.seconds is None else f"{at.seconds:.1f}"
    print(say(key, language, **told, seconds=seconds), file=sys.stderr, flush=True)
