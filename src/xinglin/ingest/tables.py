"""Tables as rows of text: CSV in whatever encoding and delimiter, and the sheets of workbooks.

Cells are kept as they stand (``1.10`` stays ``1.10``); numbers of a workbook have no more digits than it holds.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from xinglin.ingest.cells import is_empty, plain
from xinglin.ingest.errors import RowError, SourceError
from xinglin.ingest.recognise import HEAD_BYTES, delimiter_of, encoding_of
from xinglin.kernel.settings import Settings

SAMPLE_ROWS = 200
_SURROGATE = re.compile("[\udc80-\udcff]")


@dataclass(frozen=True, slots=True)
class Line:
    """One row: where it stands (counted from 1, the line of the file or the row of the sheet) and its cells."""

    number: int
    cells: list[str]
    problem: RowError | None = None

    @property
    def blank(self) -> bool:
        """Whether no cell holds anything."""
        return not any(cell.strip() for cell in self.cells)


def read_csv(stream: BinaryIO, name: str, settings: Settings) -> Iterator[Line]:
    """The lines of a CSV file. Raises SourceError where it is no text; a broken line comes with its problem."""
    head = stream.read(HEAD_BYTES)
    stream.seek(0)
    encoding = encoding_of(head)
    if encoding is None:
        raise SourceError("ingest.not-text", name=name)
    sample = codecs.getincrementaldecoder(encoding)(errors="replace").decode(head)
    delimiter = delimiter_of(sample) or ","
    csv.field_size_limit(settings.body_limit_bytes)
    text = io.TextIOWrapper(stream, encoding=encoding, errors="surrogateescape", newline="")
    try:
        reader = csv.reader(_without_nul(text), delimiter=delimiter)
        while True:
            start = reader.line_num + 1
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error:
                yield Line(start, [], RowError("ingest.row-not-csv"))
                continue
            broken = any(not cell.isascii() and _SURROGATE.search(cell) for cell in cells)
            yield Line(start, cells, RowError("ingest.row-encoding", encoding=encoding) if broken else None)
    finally:
        if not stream.closed:  # a reader that is dropped half-way is closed after its stream
            text.detach()


def _without_nul(lines: io.TextIOWrapper) -> Iterator[str]:
    for line in lines:
        yield line.replace("\0", "\ufffd") if "\0" in line else line


def read_workbook(stream: BinaryIO, name: str, settings: Settings) -> Iterator[tuple[str, Iterator[Line]]]:
    """Each sheet of a workbook (xlsx, xlsb, xls, ods) with its rows. Raises SourceError."""
    from python_calamine import CalamineError, load_workbook

    _bound_workbook(stream, name, settings)
    try:
        book = load_workbook(stream)
        for sheet in book.sheet_names:
            yield sheet, _sheet(book.get_sheet_by_name(sheet))
    except (CalamineError, ValueError, OSError) as error:
        raise SourceError("ingest.broken-workbook", name=name) from error


def _bound_workbook(stream: BinaryIO, name: str, settings: Settings) -> None:
    """A workbook is held in memory whole: refuse one that would unpack to more than the bound."""
    import zipfile

    most = settings.import_workbook_limit_bytes
    try:
        if stream.read(2) == b"PK":
            stream.seek(0)
            with zipfile.ZipFile(stream) as archive:
                size = sum(info.file_size for info in archive.infolist())
        else:
            size = stream.seek(0, io.SEEK_END)
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise SourceError("ingest.broken-workbook", name=name) from error
    finally:
        stream.seek(0)
    if size > most:
        raise SourceError("ingest.workbook-limit", name=name, most=most)


def _sheet(sheet: Any) -> Iterator[Line]:
    for number, row in enumerate(sheet.iter_rows(), 1):
        yield Line(number, [cell_text(cell) for cell in row])


def cell_text(cell: Any) -> str:
    """A workbook's cell as the text that a CSV of it would hold.

    >>> from datetime import datetime
    >>> cell_text(12.0), cell_text(0.1), cell_text(datetime(2024, 3, 5, 8, 5)), cell_text(True)
    ('12', '0.1', '2024-03-05 08:05:00', 'TRUE')
    """
    if isinstance(cell, str):
        return cell
    if isinstance(cell, bool):
        return str(cell).upper()
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < 1e15 else repr(cell)
    if isinstance(cell, int):
        return str(cell)
    if cell is None:
        return ""
    return str(cell)


def header_of(cells: list[str]) -> list[str]:
    """The headers of a table, trimmed, and told apart where two are alike: 单位, 单位 (2).

    >>> header_of(["单位", " 单位 ", ""])
    ['单位', '单位 (2)', '']
    """
    seen: dict[str, int] = {}
    headers = []
    for cell in cells:
        name = plain(cell)
        seen[name] = seen.get(name, 0) + 1
        headers.append(f"{name} ({seen[name]})" if name and seen[name] > 1 else name)
    return headers


def by_header(headers: list[str], line: Line) -> dict[str, str]:
    """The cells of a line by header. Raises RowError where they are more or fewer than the headers.

    A line with a cell too many or too few may have every value in the wrong column, so none of it is believed.
    """
    if line.problem:
        raise line.problem
    cells = line.cells
    if len(cells) > len(headers) and all(is_empty(cell) for cell in cells[len(headers) :]):
        cells = cells[: len(headers)]
    if len(cells) != len(headers):
        raise RowError("ingest.row-length", found=len(cells), right=len(headers))
    return {header: cell for header, cell in zip(headers, cells, strict=True) if header}
