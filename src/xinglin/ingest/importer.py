"""Takes planned sources into a sink, one after the other, and reports.

A line, row or entry that cannot be taken is kept beside its reason and stops nothing; a transaction bundle is taken as a
whole or not at all. What one file refers to may come in a later one.
"""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from xinglin.ingest import bundles
from xinglin.ingest.documents import Entry, read_document, scan
from xinglin.ingest.errors import RowError, SourceError
from xinglin.ingest.lines import bounded, rows_of, unbelievable
from xinglin.ingest.mapping import Mapping
from xinglin.ingest.people import People
from xinglin.ingest.plan import Planned, Table, sheets, zone_of
from xinglin.ingest.rejects import Keeper, mapping_in, mended
from xinglin.ingest.repeats import Repeats, name_of, superseded
from xinglin.ingest.report import Counts, FileReport, Reason, Report, reasons
from xinglin.ingest.resume import Bookmark, Mark
from xinglin.ingest.rows import convert
from xinglin.ingest.sink import Sink, check
from xinglin.ingest.sources import Files, Source
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.language import Language
from xinglin.kernel.settings import Settings
from xinglin.records.loader import Progress

_TYPE = re.compile(rb'"resourceType"\s*:\s*"([A-Za-z]{1,64})"')
_BUNDLE_LINE = re.compile(rb'\s*\{\s*"resourceType"\s*:\s*"Bundle"')
_TYPE_OF_GROUP = {
    "patient": "Patient",
    "encounter": "Encounter",
    "condition": "Condition",
    "observation": "Observation",
    "medication": "MedicationRequest",
    "allergy": "AllergyIntolerance",
}


@dataclass(frozen=True, slots=True)
class Tick:
    """How far an import is: the source it is at, bytes of it done and in all (0: not known), and all counts so far."""

    at: int
    of: int
    name: str
    done_bytes: int
    size: int
    counts: Counts


@dataclass(frozen=True, slots=True)
class Item:
    """Something to write, and where it came from."""

    body: bytes
    number: int
    place: str = ""
    row: dict[str, str] | None = None
    original: bytes | None = None  # as it stood, where ``body`` is not that


class Importer:
    """Imports into ``sink``; rejects go to a folder of this run under the data folder.

    ``ticks`` is told how far it is, about ten times a second at most.
    """

    def __init__(
        self,
        sink: Sink,
        settings: Settings,
        *,
        language: Language = "en",
        ticks: Callable[[Tick], None] | None = None,
    ) -> None:
        self._sink = sink
        self._settings = settings
        self._language = language
        self._ticks = ticks
        self._ticked = 0.0
        started = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
        self._folder = settings.data_folder / "rejects" / started
        self._report = Report()
        self._place = (0, 0)
        self._size = 0

    def run(self, files: Files, plans: Sequence[Planned]) -> Report:
        """Take every planned source. KeyboardInterrupt, and a sink that fails, end it with the report so far."""
        start = time.monotonic()
        later: list[tuple[Planned, FileReport]] = []
        try:
            for at, planned in enumerate(plans, 1):
                self._place, self._size = (at, len(plans)), planned.source.size
                file = FileReport(planned.source.name, planned.source.kind)
                self._report.files.append(file)
                if not self._take(files, planned, file, last=False):
                    later.append((planned, file))
            self._take_later(files, later)
        except KeyboardInterrupt:
            self._report.interrupted = True
        except XinglinError as error:  # the sink itself: disk full, connection lost
            self._report.interrupted = True
            self._report.failure = Reason(error.key, dict(error.values))
            self._report.error = error
        self._report.elapsed_s = time.monotonic() - start
        return self._report

    def _take_later(self, files: Files, later: list[tuple[Planned, FileReport]]) -> None:
        """Bundles that refer by condition to what came after them, again and again while that helps."""
        while later:
            still = [
                (planned, file) for planned, file in later if not self._take(files, planned, file, last=False)
            ]
            if len(still) == len(later):
                break
            later = still
        for planned, file in later:
            self._take(files, planned, file, last=True)

    def _take(self, files: Files, planned: Planned, file: FileReport, *, last: bool) -> bool:
        """Take one source; False where it should be tried again once others have been taken."""
        source = planned.source
        keepers: list[Keeper] = []
        try:
            if problem := planned.problem or source.problem:
                raise problem
            if source.kind in _NOT_TAKEN:
                raise SourceError(f"ingest.kind-{source.kind}", name=source.name)
            with files.opened(source) as stream:
                if source.kind == "ndjson":
                    self._lines(stream, source, file, self._keeper(keepers, source))
                elif source.kind == "rejects":
                    self._mended(stream, file, source, keepers)
                elif source.kind == "document":
                    return self._document(stream, file, source, self._keeper(keepers, source), last=last)
                else:
                    self._tables(stream, planned, file, keepers)
        except SourceError as error:
            file.problem = Reason(error.key, dict(error.values))
            file.skipped = error.key in _SKIPPED
            if not file.skipped:
                file.of("?").rejected += 1
        except XinglinError:
            raise  # the sink's: the files after this one would fare no better
        except Exception as error:  # a fault of ours stops this file and no other
            file.problem = Reason("ingest.unexpected", {"kind": type(error).__name__})
            file.of("?").rejected += 1
        finally:
            for keeper in keepers:
                keeper.close()
                file.rejects = str(keeper.path) if keeper.path else file.rejects
        return True

    def _keeper(self, keepers: list[Keeper], source: Source, mapping: Mapping | None = None) -> Keeper:
        keepers.append(Keeper(self._folder, source.name, self._language, mapping))
        return keepers[-1]

    # NDJSON

    def _lines(self, stream: BinaryIO, source: Source, file: FileReport, keeper: Keeper) -> None:
        bookmark = Bookmark.of(self._settings.data_folder / "imports", source, self._sink.database)
        repeats = self._repeats(stream, source, file)
        mark = bookmark.read()
        if mark is not None:
            file.resumed_line = mark.line
            for name, counts in mark.types.items():
                file.of(name).add(Counts(*counts))
            if mark.rejects:
                keeper.reopen(Path(mark.rejects), mark.rejects_bytes)
            stream.seek(mark.offset)
        else:
            mark = Mark(offset=3 if stream.read(3) == b"\xef\xbb\xbf" else 0)
            stream.seek(mark.offset)
        longest = self._settings.body_limit_bytes

        def lines() -> Iterator[bytes]:
            number = mark.line
            for line in bounded(stream, longest):
                if b"Bundle" in line[:64] and _BUNDLE_LINE.match(line):
                    self._bundle_line(line, number, file, keeper)
                    yield b" " * (len(line) - 1) + b"\n"  # passed over, and counted
                elif (name := name_of(line)) and repeats.superseded(number, *name):
                    file.of(name[0]).repeated += 1
                    yield b" " * (len(line) - 1) + b"\n"
                else:
                    yield line
                number += 1

        for progress in self._sink.load(lines(), line=mark.line, offset=mark.offset):
            self._count(progress, file)
            for reject in progress.rejected:
                file.of(_type_of(reject.body)).rejected += 1
                keeper.keep(reject.line, _of_line(reject.error), body=reject.body)
            kept = keeper.flush()
            bookmark.write(
                Mark(
                    progress.line + 1,
                    progress.offset,
                    {name: [*counts.as_dict().values()] for name, counts in file.types.items()},
                    str(keeper.path) if keeper.path else None,
                    kept,
                )
            )
            self._tick(file, progress.offset)
        bookmark.done()

    def _repeats(self, stream: BinaryIO, source: Source, file: FileReport) -> Repeats:
        """Where each id stands last, and the stream at its beginning again."""
        repeats = Repeats(source.size, self._sound)
        for number, line in enumerate(bounded(stream, self._settings.body_limit_bytes), 1):
            body = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
            if name := name_of(body):
                repeats.see(number, *name, body)
            self._tick(file, 0)
        stream.seek(0)
        return repeats

    def _sound(self, body: bytes) -> bool:
        try:
            check(body, invariants=self._sink.invariants)
        except Exception:  # whatever is wrong with it is told when its turn comes
            return False
        return True

    def _bundle_line(self, line: bytes, number: int, file: FileReport, keeper: Keeper) -> None:
        try:
            document = read_document(line, file.name)
        except SourceError as error:
            keeper.keep(number, reasons(error), body=line)
            file.of("Bundle").rejected += 1
            return
        self._entries(document.kind, document.entries, file, keeper, whole=line, number=number, last=True)

    # Documents

    def _document(
        self, stream: BinaryIO, file: FileReport, source: Source, keeper: Keeper, *, last: bool
    ) -> bool:
        most = self._settings.import_bundle_limit_bytes
        body = stream.read(most + 1)
        if len(body) > most:
            del body
            stream.seek(0)
            self._long_document(stream, source, file, keeper)
            return True
        document = read_document(body, source.name)
        file.kind = document.kind
        return self._entries(document.kind, document.entries, file, keeper, whole=body, number=1, last=last)

    def _long_document(self, stream: BinaryIO, source: Source, file: FileReport, keeper: Keeper) -> None:
        longest, most = self._settings.body_limit_bytes * 2, self._settings.import_bundle_limit_bytes
        places: dict[str, str] = {}
        repeats = Repeats(source.size, self._sound)
        for number, (_, entry) in enumerate(scan(stream, source.name, longest, most), 1):
            if entry.full_url and entry.full_url.startswith("urn:") and entry.type and entry.id:
                places[entry.full_url] = f"{entry.type}/{entry.id}"  # others may refer to it before it comes
            if not (entry.problem or entry.match or entry.delete):
                repeats.see(number, entry.type, entry.id, entry.resource)
            self._tick(file, 0)
        stream.seek(0)

        def items() -> Iterator[Item]:
            window: list[Entry] = []
            for number, (kind, entry) in enumerate(scan(stream, source.name, longest, most), 1):
                file.kind = kind
                if not (entry.problem or entry.match) and repeats.superseded(number, entry.type, entry.id):
                    file.of(entry.type).repeated += 1
                    continue
                window.append(entry)
                if len(window) >= self._settings.import_batch:
                    yield from self._items(window, file, keeper, places)
                    window = []
            yield from self._items(window, file, keeper, places)

        self._load(items(), file, keeper, stream)

    def _entries(
        self,
        kind: str,
        entries: list[Entry],
        file: FileReport,
        keeper: Keeper,
        *,
        whole: bytes,
        number: int,
        last: bool,
    ) -> bool:
        """Take the entries of a document; False where a transaction refers to what may still come."""
        if kind != "transaction":
            gone = superseded(entries, self._sound)
            for at in gone:
                file.of(entries[at].type).repeated += 1
            kept = [entry for at, entry in enumerate(entries) if at not in gone]
            self._load(self._items(kept, file, keeper), file, keeper)
            return True
        done = bundles.take_transaction(self._sink, entries, last=last)
        if done is None:
            return False
        if isinstance(done, Progress):
            self._count(done, file)
        else:
            for entry in entries:
                file.of(entry.type or "?").rejected += 1
            keeper.keep(number, done, body=whole)
        self._tick(file, len(whole))
        return True

    def _items(
        self, entries: list[Entry], file: FileReport, keeper: Keeper, places: dict[str, str] | None = None
    ) -> Iterator[Item]:
        """The entries of a batch, collection, searchset or array, each on its own."""
        for at, (entry, body) in enumerate(bundles.one_by_one(self._sink, entries, places), 1):
            if isinstance(body, XinglinError):
                file.of(entry.type or "?").rejected += 1
                keeper.keep(at, reasons(body), body=entry.resource, place=entry.place)
            else:
                yield Item(body, at, place=entry.place, original=entry.resource)

    # Tables

    def _tables(self, stream: BinaryIO, planned: Planned, file: FileReport, keepers: list[Keeper]) -> None:
        name = planned.source.name
        if planned.tables and not any(table.mapping for table in planned.tables):
            raise self._no_mapping(name, planned.tables[0])
        tables = {table.sheet: table for table in planned.tables}
        for sheet, lines in sheets(stream, planned.source, self._settings):
            table = tables.get(sheet)
            if table is None:
                continue
            if table.mapping is None:
                error = self._no_mapping(f"{name} [{sheet}]", table)
                problem = Reason(error.key, dict(error.values))
                self._report.files.append(
                    FileReport(f"{name} [{sheet}]", "table", problem=problem, skipped=True)
                )
                continue
            keeper = self._keeper(keepers, planned.source, table.mapping)
            corrects = set(table.mapping.groups) <= {"patient"}
            people = People(self._sink, corrects=corrects, columns=_columns(table.mapping))
            rows = rows_of(lines, table)
            self._load(self._row_items(rows, table.mapping, people, file, keeper), file, keeper, stream)

    def _no_mapping(self, name: str, table: Table) -> SourceError:
        reason = table.problem.say(self._language) if table.problem else ""
        return SourceError("ingest.no-mapping", name=name, reason=reason)

    def _row_items(
        self,
        rows: Iterable[tuple[int, dict[str, str], RowError | None]],
        mapping: Mapping,
        people: People,
        file: FileReport,
        keeper: Keeper,
    ) -> Iterator[Item]:
        zone = zone_of(self._settings)
        about = _TYPE_OF_GROUP[mapping.groups[-1]]
        for number, cells, problem in rows:
            problem = problem or unbelievable(cells, mapping)
            problems: list[RowError] = [problem] if problem else []
            bodies: list[bytes] = []
            if not problems:
                try:
                    row = convert(cells, mapping, people.identify, zone)
                    problems = row.problems
                    bodies = [] if problems else people.join(row.resources)
                except RowError as error:
                    problems = [error]
                except XinglinError:
                    raise  # the sink's: the rows after this one would fare no better
                except Exception as error:  # a fault of ours stops this row and no other
                    problems = [RowError("ingest.unexpected", kind=type(error).__name__)]
            if problems:
                file.of(about).rejected += 1
                keeper.keep(number, [reason for each in problems for reason in reasons(each)], row=cells)
            for body in bodies:
                yield Item(body, number, row=cells)

    # Rejects, mended

    def _mended(self, stream: BinaryIO, file: FileReport, source: Source, keepers: list[Keeper]) -> None:
        mapping = mapping_in(stream, source.name)
        keeper = self._keeper(keepers, source, mapping)
        corrects = mapping is not None and set(mapping.groups) <= {"patient"}
        people = People(self._sink, corrects=corrects, columns=_columns(mapping) if mapping else {})

        def items() -> Iterator[Item]:
            for one in mended(stream):
                if one.problem or (one.row is not None and mapping is None):
                    file.of("?").rejected += 1
                    problem = one.problem or RowError("ingest.reject-form")
                    keeper.keep(one.number, reasons(problem), body=one.body, row=one.row)
                elif one.row is not None and mapping is not None:
                    yield from self._row_items([(one.number, one.row, None)], mapping, people, file, keeper)
                elif _BUNDLE_LINE.match(one.body):
                    self._bundle_line(one.body, one.number, file, keeper)
                else:
                    yield Item(one.body, one.number)

        self._load(items(), file, keeper)

    # What all share

    def _load(
        self, items: Iterator[Item], file: FileReport, keeper: Keeper, stream: BinaryIO | None = None
    ) -> None:
        """Feed items to the sink; rejects are kept as they stood where they came from, a row once.

        ``stream`` is what the items are read from, for the progress bar.
        """
        waiting: deque[Item] = deque()
        first = 1  # the ordinal of the first that waits

        def bodies() -> Iterator[bytes]:
            for item in items:
                waiting.append(item)
                yield item.body

        row = -1
        for progress in self._sink.load(bodies()):
            self._count(progress, file)
            for reject in progress.rejected:
                item = waiting[reject.line - first]
                file.of(_type_of(reject.body)).rejected += 1
                if item.row is None:
                    body = item.body if item.original is None else item.original
                    keeper.keep(item.number, reasons(reject.error), body=body, place=item.place)
                elif item.number != row:
                    keeper.keep(item.number, reasons(reject.error), row=item.row)
                    row = item.number
            while waiting and first <= progress.line:
                waiting.popleft()
                first += 1
            self._tick(file, stream.tell() if stream else 0)

    def _count(self, progress: Progress, file: FileReport) -> None:
        for name, (taken, updated, unchanged) in progress.by_type.items():
            file.of(name).add(Counts(taken, updated, unchanged))

    def _tick(self, file: FileReport, done: int) -> None:
        now = time.monotonic()
        if self._ticks is not None and now - self._ticked > 0.1:
            self._ticked = now
            at, of = self._place
            self._ticks(Tick(at, of, file.name, done, self._size, self._report.totals))


_NOT_TAKEN = frozenset(["empty", "xml", "hl7v2", "dicom", "unknown", "zip", "gzip"])
_SKIPPED = frozenset(["ingest.kind-empty", "ingest.kind-unknown"])


def _columns(mapping: Mapping) -> dict[str, str]:
    """The headers of the columns that tell a patient's sex, birth date and name, by the FHIRPath of the element."""
    places = {
        "Patient.gender": ("gender", "resident_id"),
        "Patient.birthDate": ("birth_date", "resident_id"),
        "Patient.name": ("name", "family", "given"),
    }
    return {
        path: next((header for one in ones if (header := mapping.header(f"patient.{one}"))), "–")
        for path, ones in places.items()
    }


def _of_line(error: XinglinError) -> list[Reason]:
    """The reasons of a line: what is no JSON has its place told by the column, for its line in the file stands beside."""
    return [
        Reason("ingest.line-not-json", {"column": reason.values["column"]})
        if reason.key == "standards.fhir-not-json"
        else reason
        for reason in reasons(error)
    ]


def _type_of(body: bytes) -> str:
    found = _TYPE.search(body)
    return found[1].decode() if found else "?"
