"""Bulk import as a job: NDJSON files, fetched or uploaded, into the record; what is rejected as OperationOutcomes.

Each file lies in the blob store before it is taken, so that going on after a crash needs nobody else. The checkpoint names
the next line and its offset; it is written after each transaction, and a transaction that it does not know of yet is taken
again, which changes nothing.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from contextlib import closing
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import msgspec

from xinglin.ingest.errors import HostError, RowError, SourceError
from xinglin.ingest.lines import bounded
from xinglin.ingest.remote_files import Fetch
from xinglin.ingest.repeats import Repeats, name_of
from xinglin.ingest.report import Counts, FileReport, Reason, Report
from xinglin.ingest.sink import check
from xinglin.jobs import SILENT_S, Cancelled, Job, Kind, Work
from xinglin.kernel.clock import now_us
from xinglin.records.bulk.exporter import File
from xinglin.records.bulk.job import ATTEMPTS, IMPORT, MANIFEST, files, keep_sweeping, place
from xinglin.records.rest.outcome import Issue, issues_of, of_error, outcome
from xinglin.records.writing import instant_text

if TYPE_CHECKING:
    from xinglin.kernel.blobs import Blobs
    from xinglin.records.bulk.files import BlobFiles
    from xinglin.records.loader import Rejected
    from xinglin.records.site import Site
    from xinglin.trust import Actor

REQUEST: Final = "request.json"
LOOK_LINES: Final = 20
"""Lines at the beginning of a file of which one at least must look like a resource."""


class Input(msgspec.Struct):
    """A file to import: from an address, or uploaded under a name of its own. ``type``: of all its lines, if said."""

    url: str = ""
    upload: str = ""
    type: str = ""

    @property
    def shown(self) -> str:
        """How the report names it."""
        return self.url.partition("?")[0] or self.upload


class Asked(msgspec.Struct):
    """What was asked: the files, the address it was asked by, and what says where they come from."""

    inputs: list[Input]
    url: str
    source: str = ""


class Taken(msgspec.Struct):
    """What came of one file: counts by type, the files of rejects, why it was not taken at all."""

    name: str
    url: str
    counts: dict[str, Counts] = {}
    errors: list[File] = []
    problem: tuple[str, dict[str, Any]] | None = None

    def report(self) -> FileReport:
        """In the one shape of all imports."""
        problem = None if self.problem is None else Reason(self.problem[0], dict(self.problem[1]))
        return FileReport(self.name, "ndjson", self.counts, problem)


class State(msgspec.Struct):
    """How far an import is: which file, its next line, where that begins; what came of the files so far."""

    place: int = 0
    line: int = 1
    offset: int = 0
    done_bytes: int = 0
    files: list[Taken] = []


class Manifest(msgspec.Struct):
    """What came of an import; names of files in place of addresses."""

    at: str
    url: str
    files: list[Taken]
    elapsed_s: float

    def report(self) -> Report:
        """In the one shape of all imports."""
        return Report([each.report() for each in self.files], self.elapsed_s)


def kinds(site: Site) -> list[Kind]:
    """The kinds of job of imports."""
    return [Kind(IMPORT, partial(_run, site), attempts=ATTEMPTS, silent_s=SILENT_S)]


def begin(site: Site, actor: Actor, asked: Asked, folder: str) -> Job:
    """Put an import into the queue; what was uploaded for it lies in ``folder`` already."""
    from xinglin.records.bulk.files import BlobFiles
    from xinglin.records.tasks import submit

    own = BlobFiles(site.blobs, place(IMPORT, actor.tenant, folder))
    own.put(REQUEST, [msgspec.json.encode(asked)])
    keep_sweeping(site, actor.tenant)
    return submit(site, actor, IMPORT, {"folder": folder, "files": len(asked.inputs)})


def _run(site: Site, work: Work) -> Mapping[str, Any]:
    own = files(site, work.job)
    try:
        return _Import(site, work, own).run()
    except Cancelled:
        own.clear()
        raise


class _Import:
    """One run of an import."""

    def __init__(self, site: Site, work: Work, own: BlobFiles) -> None:
        from xinglin.records.tasks import actor_of

        self._site = site
        self._work = work
        self._own = own
        self._folder = place(IMPORT, work.job.tenant, work.arguments["folder"])
        self._actor = actor_of(work.job)
        self._asked = msgspec.json.decode(own.get(REQUEST), type=Asked)
        saved = work.checkpoint.get("state")
        self._state = msgspec.convert(saved, State) if saved else State()

    def run(self) -> dict[str, Any]:
        state = self._state
        while state.place < len(self._asked.inputs):
            self._file(state, self._asked.inputs[state.place])
        elapsed_s = (now_us() - (self._work.job.started_us or now_us())) / 1e6
        made = Manifest(instant_text(now_us()), self._asked.url, state.files, elapsed_s)
        self._own.put(MANIFEST, [msgspec.json.encode(made)])
        totals = made.report().totals.as_dict()
        return {**totals, "files": len(state.files)}

    def _file(self, state: State, given: Input) -> None:
        """Take one file from where the state says, to its end."""
        if len(state.files) == state.place:
            state.files.append(Taken(given.shown, given.url))
        taken = state.files[state.place]
        name = given.upload or f"fetched-{state.place + 1}.ndjson"
        try:
            if given.url and state.line == 1 and not self._is_there(name):
                self._fetch(name, given.url)
            self._lines(state, taken, name, given.type)
        except (SourceError, HostError) as error:  # of this file only
            taken.problem = (error.key, {key: str(value) for key, value in error.values.items()})
            taken.counts.setdefault("?", Counts()).rejected += 1
            self._told(taken, f"errors-{state.place + 1}-file.ndjson", [of_error(error, "en") + b"\n"])
        self._together(state, taken)
        state.place, state.line, state.offset = state.place + 1, 1, 0
        self._save()
        self._own.delete(name)

    def _is_there(self, name: str) -> bool:
        from xinglin.kernel.blobs import NoSuchBlob

        try:
            self._site.blobs.size(f"{self._folder}/{name}")
        except NoSuchBlob:
            return False
        return True

    def _fetch(self, name: str, url: str) -> None:
        def watched() -> Iterator[bytes]:
            size = 0
            for chunk in Fetch(url, self._site.settings):
                self._work.check()
                size += len(chunk)
                self._work.progress(size, None, "ingest.bulk-stage-fetching")
                yield chunk

        self._own.put(name, watched())

    def _lines(self, state: State, taken: Taken, name: str, of: str) -> None:
        def expect(kind: str) -> None:
            if of and kind != of:
                raise RowError("ingest.bulk-other-type", type=kind, of=of)

        blob = f"{self._folder}/{name}"
        size = self._site.blobs.size(blob)
        settings = self._site.settings
        if state.line == 1:
            self._look(blob, taken.name)
        repeats = self._repeats(blob, size)
        with closing(self._stream(blob, state.offset)) as stream:
            lines = self._once_each(bounded(stream, settings.body_limit_bytes), state, taken, repeats)
            loading = self._site.records.load(
                self._actor,
                lines,
                line=state.line,
                offset=state.offset,
                batch=settings.import_batch,
                expect=expect,
            )
            for progress in loading:
                if progress.rejected:
                    self._reject(taken, progress.rejected)
                for kind, (new, updated, same) in progress.by_type.items():
                    taken.counts.setdefault(kind, Counts()).add(Counts(new, updated, same))
                state.done_bytes += progress.offset - state.offset
                state.line, state.offset = progress.line + 1, progress.offset
                self._save()
                self._work.progress(state.offset, size, "ingest.bulk-stage-loading")
                self._work.check()

    def _look(self, blob: str, name: str) -> None:
        """Raises SourceError where this is something else than NDJSON: said once, not of each line of a page of HTML."""
        with closing(self._stream(blob, 0)) as stream:
            lines = _without_mark(bounded(stream, self._site.settings.body_limit_bytes))
            looked = False
            for text in islice((text for line in lines if (text := line.strip())), LOOK_LINES):
                if text.startswith(b"{") and text != b"{":
                    return
                looked = True
        if looked:
            raise SourceError("ingest.bulk-not-ndjson", name=name)

    def _stream(self, blob: str, start: int) -> io.BufferedReader:
        return io.BufferedReader(BlobStream(self._site.blobs, blob, start), 1 << 18)

    def _repeats(self, blob: str, size: int) -> Repeats:
        """Where each id stands last in the file: were every line of one written, taking the file again would not end."""
        repeats = Repeats(size, _sound)
        with closing(self._stream(blob, 0)) as stream:
            for number, line in enumerate(
                _without_mark(bounded(stream, self._site.settings.body_limit_bytes)), 1
            ):
                if name := name_of(line):
                    repeats.see(number, *name, line)
                if number % 1000 == 0:
                    self._work.check()
        return repeats

    def _once_each(
        self, lines: Iterator[bytes], state: State, taken: Taken, repeats: Repeats
    ) -> Iterator[bytes]:
        """``lines``, blank where the same id stands again further down: so that offsets stay right."""
        first = state.line
        for number, line in enumerate(_without_mark(lines) if state.offset == 0 else lines, first):
            if (name := name_of(line)) and repeats.superseded(number, *name):
                taken.counts.setdefault(name[0], Counts()).repeated += 1
                yield b" " * (len(line) - 1) + b"\n"
            else:
                yield line

    def _reject(self, taken: Taken, rejected: list[Rejected]) -> None:
        """Keep why these lines were not taken; under a name that a repetition of the batch uses again."""
        told = []
        for reject in rejected:
            issues = [
                Issue(
                    each.severity,
                    each.code,
                    f"{taken.name}, line {reject.line}: {each.diagnostics}",
                    each.expression,
                )
                for each in issues_of(reject.error, "en")
            ]
            told.append(outcome(issues) + b"\n")
            kind = _type_of(reject.body)
            taken.counts.setdefault(kind, Counts()).rejected += 1
        name = f"errors-{self._state.place + 1}-{rejected[0].line}.ndjson"
        self._told(taken, name, told)

    def _told(self, taken: Taken, name: str, outcomes: list[bytes]) -> None:
        """Put a file of outcomes, in the place of the one that an attempt before this one put."""
        size = self._own.put(name, outcomes)
        taken.errors = [each for each in taken.errors if each.name != name]
        taken.errors.append(File("OperationOutcome", name, len(outcomes), size))

    def _together(self, state: State, taken: Taken) -> None:
        """The rejects of one file as one file, where they were kept batch by batch."""
        if len(taken.errors) < 2:
            return
        parts = taken.errors
        name = f"errors-{state.place + 1}.ndjson"

        def chunks() -> Iterator[bytes]:
            for part in parts:
                yield from self._site.blobs.open(f"{self._folder}/{part.name}")

        size = self._own.put(name, chunks())
        taken.errors = [File("OperationOutcome", name, sum(part.count for part in parts), size)]
        self._save()
        for part in parts:
            self._own.delete(part.name)

    def _save(self) -> None:
        self._work.save({"state": msgspec.to_builtins(self._state)})


class BlobStream(io.RawIOBase):
    """A blob from an offset on, as a stream to read lines of."""

    def __init__(self, blobs: Blobs, path: str, start: int) -> None:
        self._chunks = iter(blobs.open(path, start))
        self._held = memoryview(b"")

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill ``buffer`` as far as the next chunk goes; 0 at the end."""
        while not self._held:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._held = memoryview(chunk)
        size = min(len(buffer), len(self._held))
        buffer[:size] = self._held[:size]
        self._held = self._held[size:]
        return size


def _without_mark(lines: Iterator[bytes]) -> Iterator[bytes]:
    """``lines`` without a byte order mark; three blanks in its place, so that offsets stay right."""
    for number, line in enumerate(lines):
        yield b"   " + line[3:] if number == 0 and line.startswith(b"\xef\xbb\xbf") else line


def _sound(body: bytes) -> bool:
    try:
        check(body, invariants=False)
    except Exception:  # whatever is wrong with it is told when its turn comes
        return False
    return True


class _Head(msgspec.Struct):
    resourceType: str = "?"  # noqa: N815


def _type_of(body: bytes) -> str:
    from xinglin.standards.fhir.search.names import RESOURCE_TYPES

    try:
        kind = msgspec.json.decode(body, type=_Head).resourceType
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return "?"
    return kind if kind in RESOURCE_TYPES else "?"
