"""Lines and rows as they stand in a source: bounded, numbered, and what is wrong with a row's form."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from xinglin.ingest.errors import RowError
from xinglin.ingest.mapping import Mapping
from xinglin.ingest.plan import Table
from xinglin.ingest.tables import Line, by_header


def rows_of(lines: Iterable[Line], table: Table) -> Iterator[tuple[int, dict[str, str], RowError | None]]:
    """The rows below the header by number, with their cells by header, and what is wrong with a row's form."""
    before = table.sample[0].number if table.sample else 1 << 60
    for line in lines:
        if line.number < before or line.blank:
            continue
        try:
            yield line.number, by_header(table.headers, line), None
        except RowError as problem:
            loose = dict(zip(table.headers, line.cells, strict=False))
            extra = line.cells[len(table.headers) :]
            yield line.number, loose | {f"+{at}": cell for at, cell in enumerate(extra, 1)}, problem


def unbelievable(cells: dict[str, str], mapping: Mapping) -> RowError | None:
    """What is wrong with a row as a whole: cells too many or too few (also in a reject not yet mended), or characters
    that were lost."""
    if mapping.columns.keys() - cells.keys() or any(re.fullmatch(r"\+\d+", header) for header in cells):
        return RowError("ingest.row-length", found=len(cells), right=len(mapping.columns))
    if any("\ufffd" in cell for cell in cells.values()):
        return RowError("ingest.row-encoding", encoding="UTF-8")
    return None


def bounded(stream: BinaryIO, longest: int) -> Iterator[bytes]:
    """The lines of a stream; of one longer than the bound, as much as shows that it is, and then as many blank lines.

    What is passed over still counts in bytes, so that offsets stay right.
    """
    while line := stream.readline(longest + 2):
        if len(line) <= longest + 1 or line.endswith(b"\n"):
            yield line
            continue
        yield line
        while rest := stream.readline(1 << 20):
            yield b" " * (len(rest))
            if rest.endswith(b"\n"):
                break
