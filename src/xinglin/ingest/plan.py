"""What an import is going to do: each source with its kind, each table with its mapping, before anything is written."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from xinglin.ingest.errors import MappingError, RowError, SourceError
from xinglin.ingest.mapping import Mapping
from xinglin.ingest.people import merged
from xinglin.ingest.propose import header_row_of, propose
from xinglin.ingest.rows import convert
from xinglin.ingest.sources import Files, Source
from xinglin.ingest.tables import SAMPLE_ROWS, Line, by_header, header_of, read_csv, read_workbook
from xinglin.kernel.settings import Settings

PREVIEW_ROWS = 3


@dataclass(frozen=True, slots=True)
class Table:
    """One table of a source: ``sheet`` of a workbook (None: the file itself), its headers and first rows.

    ``mapping`` is None where no column says whose the rows are; ``problem`` then says so. ``proposed``: it was made up
    from header and values, and nobody has looked at it yet.
    """

    sheet: str | None
    headers: list[str]
    sample: list[Line]
    mapping: Mapping | None
    proposed: bool
    problem: MappingError | None = None

    def preview(self, settings: Settings, rows: int = PREVIEW_ROWS) -> list[dict[str, Any]]:
        """The resources that the first rows would become, patients under a made-up id; problems as sentences' keys."""
        if self.mapping is None:
            return []
        zone = zone_of(settings)
        shown: list[dict[str, Any]] = []
        for line in itertools.islice((line for line in self.sample if not line.blank), rows):
            try:
                row = convert(by_header(self.headers, line), self.mapping, lambda _: "patient-id", zone)
            except RowError as problem:
                shown.append({"row": line.number, "resources": [], "problems": [problem]})
                continue
            resources = [merged(None, resource, corrects=True) for resource in row.resources]
            shown.append({"row": line.number, "resources": resources, "problems": row.problems})
        return shown


@dataclass(frozen=True, slots=True)
class Planned:
    """One source and, where it is a table or workbook, its tables."""

    source: Source
    tables: list[Table] = field(default_factory=list)
    problem: SourceError | None = None


def zone_of(settings: Settings) -> Any:
    """The site's time zone."""
    from datetime import UTC
    from zoneinfo import ZoneInfo

    return UTC if settings.time_zone == "UTC" else ZoneInfo(settings.time_zone)


def plan(
    files: Files, paths: Iterable[str | Path], settings: Settings, mappings: Sequence[Mapping] = ()
) -> Iterator[Planned]:
    """Each source under ``paths``; a table takes the first of ``mappings`` that fits it, else one is proposed.

    Raises SourceError where a path is not there.
    """
    for source in files.find(paths):
        if source.kind not in ("table", "workbook"):
            yield Planned(source)
            continue
        try:
            with files.opened(source) as stream:
                tables = [
                    table
                    for sheet, lines in sheets(stream, source, settings)
                    if (table := look(sheet, lines, mappings)) is not None
                ]
            yield Planned(source, tables)
        except SourceError as error:
            yield Planned(source, problem=error)


def sheets(
    stream: BinaryIO, source: Source, settings: Settings
) -> Iterator[tuple[str | None, Iterator[Line]]]:
    """The tables of a source, as lines."""
    if source.kind == "workbook":
        yield from read_workbook(stream, source.name, settings)
    else:
        yield None, read_csv(stream, source.name, settings)


def look(sheet: str | None, lines: Iterator[Line], mappings: Sequence[Mapping]) -> Table | None:
    """A table by its first lines; None where it has none."""
    sample = list(itertools.islice(lines, SAMPLE_ROWS))
    if not any(not line.blank for line in sample):
        return None
    for mapping in mappings:
        if len(sample) >= mapping.header_row:
            headers = header_of(sample[mapping.header_row - 1].cells)
            if mapping.fits(headers) and mapping.sheet in (None, sheet):
                return Table(sheet, headers, sample[mapping.header_row :], mapping, proposed=False)
    at = header_row_of([line.cells for line in sample])
    headers = header_of(sample[at - 1].cells)
    rest = sample[at:]
    found = propose(headers, [line.cells for line in rest], header_row=at, sheet=sheet)
    try:
        found.check()
    except MappingError as problem:
        return Table(sheet, headers, rest, None, proposed=True, problem=problem)
    return Table(sheet, headers, rest, found, proposed=True)
