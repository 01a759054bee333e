"""Importing as the command line and Python do it: mappings read, sources planned, what nobody has confirmed refused."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from xinglin.apps.errors import AppError
from xinglin.ingest.importer import Importer, Tick
from xinglin.ingest.mapping import Mapping, read_mapping
from xinglin.ingest.plan import Planned, plan
from xinglin.ingest.report import Report
from xinglin.ingest.sink import Sink
from xinglin.ingest.sources import Files
from xinglin.kernel.language import Language
from xinglin.kernel.settings import Settings


def read_mappings(paths: Iterable[str | Path]) -> list[Mapping]:
    """The mappings in these files. Raises AppError where one is not there, MappingError where one is wrong."""
    found = []
    for path in paths:
        try:
            text = Path(path).expanduser().read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "UTF-8"
            raise AppError("apps.mapping-unreadable", path=path, reason=reason) from error
        found.append(read_mapping(text, str(path)))
    return found


def unconfirmed(plans: Sequence[Planned]) -> list[Planned]:
    """The sources with a table whose mapping is only proposed."""
    return [planned for planned in plans if any(table.proposed and table.mapping for table in planned.tables)]


def import_paths(
    sink: Sink,
    settings: Settings,
    paths: Sequence[str | Path],
    *,
    mappings: Sequence[Mapping] = (),
    yes: bool = False,
    language: Language = "en",
    ticks: Callable[[Tick], None] | None = None,
) -> Report:
    """Import everything under ``paths``. Raises AppError, before anything is written, where a table has no mapping that
    a person has seen, unless ``yes``.
    """
    files = Files(settings)
    try:
        plans = list(plan(files, paths, settings, mappings))
        waiting = unconfirmed(plans)
        if waiting and not yes:
            raise AppError("apps.import-unconfirmed", name=waiting[0].source.name, count=len(waiting))
        return Importer(sink, settings, language=language, ticks=ticks).run(files, plans)
    finally:
        files.close()
