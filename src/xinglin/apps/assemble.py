"""The only place that wires: settings to an open record, a record to the server."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from xinglin.kernel.settings import Settings

if TYPE_CHECKING:
    from xinglin.records.service import Records


def open_record(settings: Settings | None = None) -> Records:
    """The record that ``settings`` name, made (with its folder) where it is not there yet.

    Raises BadAddress, Unavailable, WrongKey, NewerSchema.
    """
    from xinglin.records.service import open_records

    settings = settings or Settings()
    url = settings.database_url
    if settings.database in ("", "demo"):
        Path(url.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
    return open_records(url, settings)
