"""Writes an export, a file after the other. After each file the state says where to go on, so a crash costs one file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

import msgspec

from xinglin.kernel.clock import now_us
from xinglin.kernel.language import say
from xinglin.records import repository as record
from xinglin.records.bulk import repository
from xinglin.records.bulk.files import Files
from xinglin.records.bulk.lines import deletions, lines
from xinglin.records.bulk.moment import CHUNK, FIRST, Key, Moment, Row, Since, Walk
from xinglin.records.bulk.request import Export
from xinglin.records.bulk.selection import Ask, Members, Numbers, found_by, in_compartments, members
from xinglin.records.rest.outcome import Issue, outcome
from xinglin.standards.fhir.temporal import site_zone
from xinglin.trust import Actor, scope

if TYPE_CHECKING:
    from xinglin.records.service import Records

FILE_BYTES: Final = 128 * 1024 * 1024
_MEMBERS: Final = "errors-members.ndjson"
SEARCH_S: Final = 3600.0
"""How long a ``_typeFilter`` may be searched for: nobody waits at the other end."""


class File(msgspec.Struct):
    """A file of the export: of which type, its name, how many lines, how many bytes as written."""

    type: str
    name: str
    count: int
    bytes: int


class State(msgspec.Struct):
    """How far an export is: what its checkpoint keeps.

    ``kinds``: the types that are exported, in order; ``chosen``: those of them of which only a set of numbers is.
    ``place``: which of them comes next, live ones first, then (from ``len(kinds)`` on) their deletions; ``after``: the
    key, for a set the number alone, behind which to go on; ``number``: of the next file of that type.
    """

    moment: Moment
    since: Since | None
    kinds: list[str]
    chosen: list[str]
    members: list[int] | None
    total: int
    place: int = 0
    after: Key = FIRST
    number: int = 1
    done: int = 0
    output: list[File] = []
    deleted: list[File] = []
    errors: list[File] = []

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        found: dict[str, Any] = msgspec.to_builtins(self)
        return found

    @classmethod
    def of(cls, given: dict[str, Any]) -> State:
        """From `as_dict`."""
        return msgspec.convert(given, cls)


class Watch:
    """What the exporter tells and asks as it goes; each does nothing here."""

    def save(self, state: State) -> None:
        """Keep ``state``: everything it names is written."""

    def progress(self, kind: str, done: int, of: int) -> None:
        """How far it is, many times a second."""

    def check(self) -> None:
        """Raise to stop."""


class Exporter:
    """Exports what ``export`` asks for into ``files``; goes on from ``state`` where one was saved."""

    def __init__(
        self,
        records: Records,
        actor: Actor,
        export: Export,
        files: Files,
        *,
        ask: Ask,
        watch: Watch | None = None,
        state: State | None = None,
        file_bytes: int = FILE_BYTES,
    ) -> None:
        self._records = records
        self._predicate = scope(actor, "export")
        self._export = export
        self._files = files
        self._ask = ask
        self._watch = watch or Watch()
        self._file_bytes = file_bytes
        self.state = state or self._begin()

    def _begin(self) -> State:
        """Fix the moment and, in the same snapshot, what a Group or a filter names."""
        from xinglin.records.search import Bounds, Search

        export, predicate = self._export, self._predicate
        with self._records.database.read() as connection:
            moment = repository.moment(connection, now_us())
            since = None if export.since_us is None else repository.since(connection, export.since_us)
            kinds = [kind for kind in record.live_types(connection, predicate.tenant) if export.wanted(kind)]
            group: Members | None = None
            if export.level == "group":
                assert export.group is not None
                bases = self._records.context(predicate.tenant).bases
                zone = site_zone(self._records.zone(predicate.tenant))
                group = members(connection, predicate, export.group, export.since_us, bases, zone)
            search = Search(self._records.cursors, Bounds(time_s=SEARCH_S))
            filtered = {kind for kind, _ in export.filters}
            chosen, total = [], 0
            for kind in kinds:
                self._watch.check()
                numbers: Numbers | None = None
                if group is not None:
                    numbers = in_compartments(connection, predicate, kind, group, since)
                if kind in filtered:
                    found = found_by(
                        connection, predicate, search, self._ask, export, kind, self._watch.check
                    )
                    numbers = found if numbers is None else numbers.both(found)
                if numbers is None:
                    total += repository.count(connection, predicate, Walk(kind, moment, since))
                else:
                    chosen.append(kind)
                    total += len(numbers)
                    self._files.put(_selection(kind), [numbers.packed()])
        all_members = None if group is None else sorted([*group.before, *group.joined])
        state = State(moment, since, kinds, chosen, all_members, total)
        if group is not None and group.unknown:
            state.errors = [self._unknown(group.unknown)]
        self._watch.save(state)
        return state

    def _unknown(self, count: int) -> File:
        """The file that tells of members of whom nothing is exported: a Group that is exported in part must say so."""
        said = say("records.bulk-members-unknown", "en", id=self._export.group, count=count)
        told = outcome([Issue("warning", "incomplete", said)])
        return File("OperationOutcome", _MEMBERS, 1, self._files.put(_MEMBERS, [told, b"\n"]))

    def run(self) -> State:
        """Write everything that is left. Raises what ``files`` and ``watch`` raise; then the same again goes on."""
        state = self.state
        while state.place < len(state.kinds) * (2 if state.since else 1):
            self._file(state)
        for kind in state.chosen:
            self._files.delete(_selection(kind))
        return state

    def _file(self, state: State) -> None:
        """Write one file, or find that there is nothing left of a type; then save."""
        kind = state.kinds[state.place % len(state.kinds)]
        gone = state.place >= len(state.kinds)
        writing = _Writing(state.after)
        first = next(chunks := self._chunks(state, kind, gone, writing), None)
        if first is not None:
            name = f"{'deleted-' if gone else ''}{kind}-{state.number}.ndjson"
            size = self._files.put(name, chain([first], chunks))
            (state.deleted if gone else state.output).append(
                File("Bundle" if gone else kind, name, writing.count, size)
            )
        if writing.problems:
            name = f"errors-{kind}-{state.number}.ndjson"
            size = self._files.put(name, (problem + b"\n" for problem in writing.problems))
            state.errors.append(File("OperationOutcome", name, len(writing.problems), size))
        state.done += 0 if gone else writing.seen
        if writing.after is None:
            state.place, state.after, state.number = state.place + 1, FIRST, 1
        else:
            state.after, state.number = writing.after, state.number + 1
        self._watch.save(state)

    def _chunks(self, state: State, kind: str, gone: bool, writing: _Writing) -> Iterator[bytes]:
        """The bytes of one file, until it is large enough."""
        from xinglin.records.rest.shape import cut

        cutting = cut(None, self._export.elements_of(kind))
        if gone:
            read = self._deleted(state, kind)
        elif kind in state.chosen:
            read = self._chosen(state, kind)
        else:
            read = self._all(state, kind)
        size = 0
        while writing.after is not None and size < self._file_bytes:
            self._watch.check()
            rows, writing.after = read(writing.after)
            writing.seen += len(rows)
            if gone:
                text, count = deletions(kind, rows), len(rows)
            else:
                text, count, problems = lines(kind, rows, cutting)
                writing.problems += problems
            writing.count += count
            size += len(text)
            if text:
                yield text
            self._watch.progress(kind, state.done + (0 if gone else writing.seen), state.total)

    def _all(self, state: State, kind: str) -> Read:
        walk = Walk(
            kind, state.moment, state.since, self._export.until_us, owned=self._export.level == "patient"
        )

        def read(after: Key) -> tuple[list[Row], Key | None]:
            with self._records.database.read() as connection:
                return walk.chunk(connection, self._predicate, after)

        return read

    def _chosen(self, state: State, kind: str) -> Read:
        numbers = Numbers.of(self._files.get(_selection(kind)))
        export = self._export
        # A Group's set has looked at _since already: whoever joined since then comes whole.
        since = state.since if export.level != "group" else None

        def read(after: Key) -> tuple[list[Row], Key | None]:
            rids = [rid for rid, _ in zip(numbers.after(after[1]), range(CHUNK), strict=False)]
            if not rids:
                return [], None
            with self._records.database.read() as connection:
                rows = repository.of_rids(connection, self._predicate, kind, state.moment, rids, since)
            if export.until_us is not None:
                rows = [row for row in rows if row.updated_us <= export.until_us]
            if export.level == "patient":
                rows = [row for row in rows if row.patient]
            return rows, (0, rids[-1])

        return read

    def _deleted(self, state: State, kind: str) -> Read:
        walk = Walk(kind, state.moment, state.since, self._export.until_us, deleted=True)
        theirs = None if state.members is None else Numbers(state.members)

        def read(after: Key) -> tuple[list[Row], Key | None]:
            with self._records.database.read() as connection:
                rows, following = walk.chunk(connection, self._predicate, after)
                if self._export.level != "system":
                    rows = [row for row in rows if self._was_theirs(connection, row, theirs)]
            return rows, following

        return read

    def _was_theirs(self, connection: Any, row: Row, theirs: Numbers | None) -> bool:
        owners = repository.owners_before(connection, self._predicate, row.rid, row.version)
        return bool(owners) if theirs is None else any(owner in theirs for owner in owners)


Read = Callable[[Key], tuple[list[Row], Key | None]]
"""From a key to the next rows, and the key to go on from."""


class _Writing:
    """One file on its way: lines and rows so far, what could not be read, where the next file goes on."""

    def __init__(self, after: Key) -> None:
        self.after: Key | None = after
        self.count = 0
        self.seen = 0
        self.problems: list[bytes] = []


def _selection(kind: str) -> str:
    return f"selection-{kind}.zst"
