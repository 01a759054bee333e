"""Bulk loading: many resources, one JSON text each, in batches of a thousand, of which a few share a transaction on SQLite.

Idempotent: what the record has already is left alone, so a load that was cut short may simply be run again, or gone on
with from the place that the last `Progress` names. A line that cannot be taken is reported with its reason and stops
nothing. Memory is bounded by the batch, whatever the length of the input.
"""

from __future__ import annotations

import base64
import gc
import hashlib
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from xinglin.kernel.database import Connection, Full, Unavailable
from xinglin.kernel.errors import XinglinError
from xinglin.records.errors import RecordError, TooLarge
from xinglin.records.prepared import Prepared, prepare_parsed
from xinglin.records.repository import LIVE
from xinglin.records.transaction import unchanged
from xinglin.records.writing import Version, look_up, write_versions
from xinglin.trust import Actor, scope

if TYPE_CHECKING:
    from xinglin.records.service import Records

BATCH: Final = 1000
BATCH_BYTES: Final = 8 * 1024 * 1024
HELD: Final = 4
"""Batches that are given to SQLite together, where they share a transaction. PostgreSQL would gain nothing."""
HELD_S: Final = 2.0
"""A batch that took longer to come together is written at once: its lines come slowly."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """A line that was not taken: where it began (``line`` from 1, ``offset`` in bytes), itself, and why."""

    line: int
    offset: int
    body: bytes
    error: XinglinError


@dataclass(slots=True)
class Progress:
    """Counts of what was written together, or of a whole load.

    All up to ``line`` and ``offset`` (where the next line begins) is on disk.
    """

    line: int = 0
    offset: int = 0
    taken: int = 0
    updated: int = 0
    unchanged: int = 0
    rejected: list[Rejected] = field(default_factory=list)
    rejections: int = 0
    by_type: dict[str, list[int]] = field(default_factory=dict)
    """Taken, updated and unchanged of each resource type."""

    def add(self, other: Progress) -> None:
        """Add the counts of what came next; its rejects stay with it."""
        self.line, self.offset = other.line, other.offset
        self.taken += other.taken
        self.updated += other.updated
        self.unchanged += other.unchanged
        self.rejections += other.rejections
        for kind, counts in other.by_type.items():
            self.count(kind, *counts)

    def count(self, kind: str, taken: int, updated: int, unchanged: int) -> None:
        """Count resources of a type."""
        sums = self.by_type.setdefault(kind, [0, 0, 0])
        sums[0] += taken
        sums[1] += updated
        sums[2] += unchanged


@dataclass(slots=True)
class _Line:
    number: int
    offset: int
    body: bytes
    prepared: Prepared


class _Behind(Exception):
    """A unit of a group was left undone, for an earlier one failed: lines are written in their order."""


class _Group:
    """Up to ``most`` batches that go to the database together, in their order."""

    def __init__(self, most: int) -> None:
        self.batches: list[tuple[list[_Line], Progress]] = []
        self.futures: list[Future[dict[str, list[int]]] | None] = []
        self._most = most
        self._size = 0
        self._began = time.monotonic()
        self._failed: int | None = None

    def add(self, batch: list[_Line], progress: Progress, size: int) -> None:
        """Hold one batch more, of so many bytes."""
        self.batches.append((batch, progress))
        self._size += size

    def full(self) -> bool:
        """Whether it is time to write."""
        late = time.monotonic() - self._began > HELD_S
        return late or len(self.batches) >= self._most or self._size > BATCH_BYTES

    def unit(
        self, place: int, work: Callable[[Connection], dict[str, list[int]]]
    ) -> Callable[[Connection], dict[str, list[int]]]:
        """``work`` as the unit of the batch at ``place``: not done where an earlier one has failed."""

        def run(connection: Connection) -> dict[str, list[int]]:
            if self._failed is not None and self._failed < place:
                raise _Behind
            if any(one is not None and one.done() and one.exception() for one in self.futures[:place]):
                raise _Behind  # the database did not take it
            self._failed = place
            counts = work(connection)
            self._failed = None
            return counts

        return run


class Loader:
    """Takes ``lines``; iterating gives a `Progress` of each few batches, once they are on disk.

    No line behind the progress's has been drawn from ``lines`` by then, but the one that showed that it is time: who counts
    as lines are drawn counts what the progress tells of.

    Parameters
    ----------
    lines : iterable of bytes
        One resource each; empty ones are passed over. With their line ends, ``offset`` counts bytes of the file.
    line, offset : int
        Where in its file the first of ``lines`` begins, for a load that goes on.
    tier2 : bool
        Check the standard's invariants as well.
    ids : bool
        Give resources without an id one that follows from their content, so that loading them again changes nothing;
        False: they are rejected.
    expect : callable
        Given each resource's type; what it raises is why that line is rejected.

    Raises Full and Unavailable from the iteration: what was reported is on disk, the rest may be loaded later.
    """

    def __init__(
        self,
        records: Records,
        actor: Actor,
        lines: Iterable[bytes],
        *,
        batch: int = BATCH,
        line: int = 1,
        offset: int = 0,
        tier2: bool = False,
        ids: bool = True,
        expect: Callable[[str], None] = lambda kind: None,
    ) -> None:
        self.total = Progress(line - 1, offset)
        self._records = records
        self._actor = actor
        self._tenant = scope(actor, "write").tenant
        self._lines = lines
        self._batch = batch
        self._place = (line, offset)
        self._tier2 = tier2
        self._ids = ids
        self._expect = expect
        self._context = records.context(actor.tenant)

    def run(self) -> Progress:
        """Load everything; the sum, with every reject."""
        rejected: list[Rejected] = []
        for progress in self:
            rejected += progress.rejected
        self.total.rejected = rejected
        return self.total

    def __iter__(self) -> Iterator[Progress]:
        number, offset = self._place
        group = self._group()
        batch: list[_Line] = []
        names: set[tuple[str, str]] = set()
        size = 0
        progress = Progress(number - 1, offset)
        with _without_collector():
            for body in self._lines:
                if body and not body.isspace():
                    try:
                        prepared = self._prepare(body)
                    except Exception as error:
                        progress.rejected.append(Rejected(number, offset, body, _reason(error)))
                    else:
                        name = (prepared.type, prepared.id)
                        if name in names or len(batch) >= self._batch or size > BATCH_BYTES:
                            group.add(batch, progress, size)
                            if group.full():
                                yield self._finish(group)
                                group = self._group()
                            batch, names, size = [], set(), 0
                            progress = Progress(number - 1, offset)
                        batch.append(_Line(number, offset, body, prepared))
                        names.add(name)
                    size += len(body)
                offset += len(body)
                progress.line, progress.offset = number, offset
                number += 1
                if len(progress.rejected) >= self._batch or (progress.rejected and size > BATCH_BYTES):
                    group.add(batch, progress, size)
                    yield self._finish(group)
                    group = self._group()
                    batch, names, size = [], set(), 0
                    progress = Progress(number - 1, offset)
            last = group.batches[-1][1].line if group.batches else self.total.line
            if batch or progress.line > last:
                group.add(batch, progress, size)
            if group.batches:
                yield self._finish(group)
        self._records.grown(self.total.taken)

    def _group(self) -> _Group:
        return _Group(HELD if self._records.database.dialect == "sqlite" else 1)

    def _prepare(self, body: bytes) -> Prepared:
        from xinglin.standards.fhir.parse import parse_minified

        limit = self._records.settings.body_limit_bytes
        if len(body) > limit:
            raise TooLarge("records.too-large", size=len(body), most=limit)
        resource, small = parse_minified(body)
        if self._tier2:
            _check_invariants(resource)
        id_ = None
        if resource.id is None and self._ids:
            digest = hashlib.blake2b(small, digest_size=16).digest()
            id_ = base64.b32encode(digest).decode("ascii").rstrip("=").lower()
        prepared = prepare_parsed(resource, small, None, id_, self._context)
        self._expect(prepared.type)
        return prepared

    def _finish(self, group: _Group) -> Progress:
        """Write the group; what is on disk of it."""
        for place, (batch, _) in enumerate(group.batches):
            unit = group.unit(place, lambda connection, batch=batch: self._unit(connection, batch))  # type: ignore[misc]
            group.futures.append(self._records.database.submit(unit, bulk=True) if batch else None)
        whole = Progress()
        for (batch, progress), future in zip(group.batches, group.futures, strict=True):
            self._conclude(batch, progress, future)
            progress.rejected.sort(key=lambda reject: reject.line)
            progress.rejections = len(progress.rejected)
            whole.add(progress)
            whole.rejected += progress.rejected
        self.total.add(whole)
        self._context = self._records.context(self._actor.tenant)  # search parameters may have come or gone
        return whole

    def _conclude(
        self, batch: list[_Line], progress: Progress, future: Future[dict[str, list[int]]] | None
    ) -> None:
        """Wait for a batch; where the database refuses it, write it line by line as far as needed."""
        if future is None:
            return
        try:
            counts = future.result()
        except (Full, Unavailable):
            raise
        except _Behind:
            self._write(batch, progress)
        except Exception as error:
            self._part(batch, progress, error)
        else:
            _count(progress, counts)

    def _write(self, batch: list[_Line], progress: Progress) -> None:
        """Write ``batch`` by itself."""
        try:
            counts = self._records.database.write(lambda connection: self._unit(connection, batch))
        except (Full, Unavailable):
            raise
        except Exception as error:
            self._part(batch, progress, error)
        else:
            _count(progress, counts)

    def _part(self, batch: list[_Line], progress: Progress, error: Exception) -> None:
        """Write the halves of what could not be written, down to the one line that is to blame."""
        if len(batch) == 1:
            line = batch[0]
            progress.rejected.append(Rejected(line.number, line.offset, line.body, _reason(error)))
            return
        middle = len(batch) // 2
        self._write(batch[:middle], progress)
        self._write(batch[middle:], progress)

    def together(self) -> Progress:
        """Load all ``lines`` in one transaction, or, where any cannot be taken, none: then every such line is reported.

        No two lines may be of the same resource. Memory grows with their number.
        """
        progress = Progress()
        batch: list[_Line] = []
        for number, body in enumerate(self._lines, 1):
            try:
                batch.append(_Line(number, 0, body, self._prepare(body)))
            except XinglinError as error:
                progress.rejected.append(Rejected(number, 0, body, error))
        progress.rejections = len(progress.rejected)
        if batch and not progress.rejected:
            _count(progress, self._records.database.write(lambda connection: self._unit(connection, batch)))
            self._records.grown(progress.taken)
        return progress

    def _unit(self, connection: Connection, batch: list[_Line]) -> dict[str, list[int]]:
        ledger = self._records.ledger
        names = [(line.prepared.type, line.prepared.id) for line in batch]
        rids, current = look_up(connection, ledger, self._tenant, names)
        versions: list[Version] = []
        counts: dict[str, list[int]] = {}
        for line, name in zip(batch, names, strict=True):
            rid, prepared = rids[name], line.prepared
            before = current.get(rid)
            of_type = counts.setdefault(name[0], [0, 0, 0])
            if before is not None:
                if unchanged(prepared, before):
                    of_type[2] += 1
                    continue
                of_type[before.state == LIVE] += 1
            else:
                of_type[0] += 1
            versions.append(
                Version(prepared.type, prepared.id, rid, "PUT", prepared.body, prepared.rows, before)
            )
        if versions:
            write_versions(connection, ledger, self._tenant, versions, answer=False)
        return counts


def _reason(error: Exception) -> XinglinError:
    """``error`` as one to report: a fault of ours costs the line that shows it, not the load."""
    if isinstance(error, XinglinError):
        return error
    ours = RecordError("records.unforeseen", reason=type(error).__name__)
    ours.__cause__ = error
    return ours


def _count(progress: Progress, counts: dict[str, list[int]]) -> None:
    for kind, (taken, updated, same) in counts.items():
        progress.count(kind, taken, updated, same)
        progress.taken += taken
        progress.updated += updated
        progress.unchanged += same


def _check_invariants(resource: Any) -> None:
    from xinglin.standards.fhir.errors import Invalid
    from xinglin.standards.fhir.validate import tier2

    findings = tier2(resource)
    if any(finding.is_error for finding in findings):
        raise Invalid(findings)


@contextmanager
def _without_collector() -> Iterator[None]:
    """The cyclic collector off: a batch makes a hundred thousand objects that hold no cycles, and it would walk them all
    again and again (measured: a fifth of the time)."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()
