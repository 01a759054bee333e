"""Restore: a backup and the archive behind it, into an empty database, to any position.

Every part is checked before the first row is written. After that each transaction carries with its rows the place that it
reached, so that a restore that was killed goes on exactly there; until the last one the database says of itself that it is
unfinished, and no server opens it. Index rows are drawn anew, by the rules of this program.

What holds afterwards: ids, versions, instants, positions and page cursors. New commits take positions far behind every old one
(`LEAP`), and the record has a new epoch: a follower that had read further than the position restored to can tell, and
never takes a new commit for an old one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any, Final

import msgspec

from xinglin.apps.backup import repository
from xinglin.apps.backup.archive import Found, read_segment
from xinglin.apps.backup.base import Steps
from xinglin.apps.backup.bringing import Brought, bring
from xinglin.apps.backup.errors import InUse
from xinglin.apps.backup.form import Version, lines_of, part_path, read_version
from xinglin.apps.backup.lists import Chosen
from xinglin.apps.backup.place import Place
from xinglin.apps.backup.planning import Plan, check_parts, commit_of, plan
from xinglin.apps.backup.writing import put_versions
from xinglin.kernel.blobs import Blobs
from xinglin.kernel.clock import now_us
from xinglin.kernel.database import Connection, Database, Unavailable, open_database
from xinglin.kernel.errors import XinglinError
from xinglin.kernel.ids import new_id
from xinglin.kernel.settings import Settings, redacted
from xinglin.records import repository as records_repository
from xinglin.records.schema import migrate, schema_version
from xinglin.records.service import RESTORING, Records

BATCH: Final = 1000
ALONE_S: Final = 5.0
"""As long as PostgreSQL may take to notice that a process was killed."""
LEAP: Final = 1_000_000


class Marker(msgspec.Struct):
    """Where a restore stands: the step under way and how many of its lines are done; of files, what came of them."""

    name: str
    position: int
    step: str = ""
    lines: int = 0
    files: Brought | None = None


def restore(
    place: Place,
    settings: Settings,
    chosen: Plan,
    *,
    url: str = "",
    blobs: Blobs | None = None,
    steps: Steps | None = None,
    check: Callable[[], None] | None = None,
    durable: bool = True,
) -> int:
    """Carry out a plan into the database of ``settings`` (or ``url``), which must be empty or hold this same restore,
    begun; the position it ended at.

    ``blobs``: where its files go; None: they are left out. What came of them is in ``chosen.brought``. Raises InUse.
    """
    url = url or settings.database_url
    database = open_database(url, durable=durable)
    try:
        _alone(database)
        migrate(database)
        marker = _begin(database, chosen)
        plain = _Restoring(database, place, chosen, marker, steps, check)
        plain.run(versions=False)
        marker = plain.marker
    finally:
        database.close()
    # Opened again: the ledger must begin with the numbers that are there now.
    records = Records(open_database(url, durable=durable), settings)
    try:
        later = _Restoring(records.database, place, chosen, marker, steps, check, records)
        later.run(versions=True)
        if blobs is not None and chosen.files is not None and chosen.files.known:
            chosen.brought = later.bring(chosen.files, blobs)
        _finish(records, chosen)
        records.database.exclusively(records_repository.analyze)
    finally:
        records.close()
    return chosen.position


def _begin(database: Database, chosen: Plan) -> Marker:
    def unit(connection: Connection) -> Marker:
        text = records_repository.meta(connection, RESTORING)
        if text is not None:
            found = msgspec.json.decode(text, type=Marker)
            if (found.name, found.position) != (chosen.manifest.name, chosen.position):
                raise InUse("apps.restore-other", name=found.name, position=found.position)
            return found
        _empty(connection, database.url)
        marker = Marker(chosen.manifest.name, chosen.position)
        repository.set_meta(connection, RESTORING, msgspec.json.encode(marker).decode())
        return marker

    return database.write(unit)


Put = Callable[[Connection, list[Any]], None]
_VERSION: Final = b'{"rid"'
_FILES: Final = "files"


class _Step(msgspec.Struct):
    """A step: its name, its lines, what puts some of them into the database, how many at a time."""

    name: str
    lines: Callable[[], Iterator[bytes]]
    put: Put
    size: int
    versions: bool = False


class _Restoring:
    """The steps of one restore, from where its marker stands."""

    def __init__(
        self,
        database: Database,
        place: Place,
        chosen: Plan,
        marker: Marker,
        steps: Steps | None,
        check: Callable[[], None] | None,
        records: Records | None = None,
    ) -> None:
        self._database = database
        self._place = place
        self._plan = chosen
        self._sealed = bool(chosen.manifest.salt)
        self.marker = marker
        self._steps = steps or (lambda done, of: None)
        self._check = check or (lambda: None)
        self._records = records
        self._done = 0
        self._of = chosen.manifest.versions + sum(one.upto - one.after for one in chosen.segments)

    def run(self, *, versions: bool) -> None:
        """Take the steps that lead to the versions, or those that write them."""
        if self.marker.step == _FILES:
            return
        known = list(self._all())
        names = [step.name for step in known]
        if self.marker.step and self.marker.step not in names:
            raise InUse("apps.restore-other", name=self.marker.name, position=self.marker.position)
        at = names.index(self.marker.step) if self.marker.step else 0
        for step in known[at:]:
            if step.versions == versions:
                self._step(step, self.marker.lines if step.name == self.marker.step else 0)

    def _all(self) -> Iterator[_Step]:
        """Every step, in order."""
        chosen = self._plan
        kinds: dict[str, Put] = {"entities": self._entities, "commits": self._commits}
        yield _Step("state", self._state_lines, self._state, 1 << 60)
        for kind, put in kinds.items():
            for part in chosen.manifest.parts:
                if part.kind == kind:
                    yield _Step(part.name, self._part(part.name), put, 5000)
        for one in chosen.segments:
            yield _Step(f"names of {one.path}", self._segment(one), self._names, 5000)
        yield _Step("numbers", lambda: iter((b"",)), self._numbers, 1)
        for part in chosen.manifest.parts:
            if part.kind == "versions":
                yield _Step(part.name, self._part(part.name), self._versions, BATCH, versions=True)
        for one in chosen.segments:
            yield _Step(one.path, self._segment(one), self._versions, BATCH, versions=True)

    def _part(self, name: str) -> Callable[[], Iterator[bytes]]:
        path = part_path(self._plan.manifest.name, name)
        return lambda: iter(lines_of(self._place.read(path, sealed=self._sealed)))

    def _segment(self, one: Found) -> Callable[[], Iterator[bytes]]:
        return lambda: read_segment(self._place, one, sealed=self._sealed)

    def _step(self, step: _Step, skipped: int) -> None:
        stream = islice(step.lines(), skipped, None)
        done = skipped
        while batch := list(islice(stream, step.size)):
            done += len(batch)
            rows: list[Any] = batch
            if step.versions:
                rows = [read_version(text) for text in batch if text.startswith(_VERSION)]
                rows = [row for row in rows if row.position <= self._plan.position]
                if not rows:
                    continue  # nothing to write: the marker may stay behind
            self._write(step.put, rows, Marker(self.marker.name, self.marker.position, step.name, done))
            self._done += len(rows) if step.versions else 0
            self._steps(self._done, self._of)
            self._check()

    def _write(self, put: Put, rows: list[Any], after: Marker) -> None:
        """One transaction: ``rows``, and the place they lead to."""
        before = self.marker

        def unit(connection: Connection) -> None:
            there = records_repository.meta(connection, RESTORING)
            if there is None or msgspec.json.decode(there, type=Marker) != before:
                raise InUse("apps.restore-elsewhere")
            put(connection, rows)
            repository.set_meta(connection, RESTORING, msgspec.json.encode(after).decode())

        self._database.write(unit)
        self.marker = after

    def bring(self, chosen: Chosen, blobs: Blobs) -> Brought:
        """Bring the files into ``blobs``, going on where the marker says."""

        def copied(brought: Brought) -> Brought:
            return msgspec.convert(msgspec.to_builtins(brought), Brought)

        def saved(brought: Brought) -> None:
            after = Marker(self.marker.name, self.marker.position, _FILES, brought.files, copied(brought))
            self._write(lambda connection, rows: None, [], after)

        def check() -> None:
            self._check()
            self._steps(self._done, self._of)

        so_far = self.marker.files and copied(self.marker.files)
        return bring(self._place, chosen, blobs, so_far=so_far, saved=saved, check=check)

    # Before the versions

    def _state_lines(self) -> Iterator[bytes]:
        part = next(part for part in self._plan.manifest.parts if part.kind == "state")
        yield from self._part(part.name)()
        # The last segment that ends at or before the position, and has state: only the last of a hurried run has it.
        for one in reversed(self._plan.segments):
            if one.upto <= self._plan.position:
                later = [
                    text for text in self._segment(one)() if not text.startswith((b'{"commit"', _VERSION))
                ]
                if later:
                    yield from later
                    return

    def _state(self, connection: Connection, lines: list[bytes]) -> None:
        there = repository.tables(connection)
        table: dict[str, Any] | None = None
        rows: list[list[Any]] = []

        def put() -> None:
            if table is not None and table["table"] in there:
                clear = "state < 2" if table["brief"] and table["table"] == "job" else ""
                repository.put_rows(connection, table["table"], table["columns"], rows, clear=clear)

        for text in lines:
            found = msgspec.json.decode(text)
            if "row" in found:
                rows.append(found["row"])
            elif "table" in found:
                put()
                table, rows = found, []
            elif "tenant" in found:
                records_repository.add_tenant(connection, *found["tenant"])
            elif "meta" in found:
                repository.set_meta(connection, *found["meta"])
        put()

    def _entities(self, connection: Connection, lines: list[bytes]) -> None:
        repository.add_entities(connection, [tuple(msgspec.json.decode(text)) for text in lines])

    def _commits(self, connection: Connection, lines: list[bytes]) -> None:
        rows = [msgspec.json.decode(text) for text in lines]
        repository.add_commits(connection, [row for row in rows if row[1] <= self._plan.position])

    def _names(self, connection: Connection, lines: list[bytes]) -> None:
        """Of a segment: its commits, and the names of what they wrote with the numbers these had."""
        known, _ = repository.position_and_instant(connection)
        rows = [row for text in lines if (row := commit_of(text)) is not None]
        repository.add_commits(connection, [row for row in rows if known < row[1] <= self._plan.position])
        found = [read_version(text) for text in lines if text.startswith(_VERSION)]
        named = {
            (row.tenant, row.type, row.id): row.rid for row in found if row.position <= self._plan.position
        }
        if named:
            repository.add_entities(connection, [(*name, rid) for name, rid in named.items()])

    def _numbers(self, connection: Connection, lines: list[bytes]) -> None:
        repository.go_on_from(
            connection, self._plan.last_rid, max(self._plan.last_tx, self._plan.position, self._plan.reaches)
        )

    # The versions

    def _versions(self, connection: Connection, rows: list[Version]) -> None:
        assert self._records is not None
        put_versions(connection, self._records, rows)


def files_brought(settings: Settings, brought: Brought) -> None:
    """Note in a record that was restored what came of its files when they were brought once more, for `xinglin doctor`."""
    url = settings.database_url
    if not _there(url):
        return

    def unit(connection: Connection) -> None:
        if not schema_version(connection):
            return
        text = records_repository.meta(connection, "restored")
        if text is not None:
            told = msgspec.json.decode(text) | {"files": msgspec.to_builtins(brought)}
            repository.set_meta(connection, "restored", msgspec.json.encode(told).decode())

    with (
        suppress(XinglinError),
        open_database(url) as database,
    ):  # the files are back, whatever the database is
        database.write(unit)


def free(url: str) -> None:
    """Raises InUse where a record lies in the database already: said before hours of reading, not after."""
    if not _there(url):
        return
    with open_database(url) as database:
        _alone(database)
        with database.read() as connection:
            if schema_version(connection) and records_repository.meta(connection, RESTORING) is None:
                _empty(connection, url)


def _alone(database: Database) -> None:
    """Raises InUse where another process has the database open, and does not end within a few seconds."""
    until = time.monotonic() + ALONE_S
    while True:
        with suppress(Unavailable):
            if database.exclusively(repository.is_alone):
                return
        if time.monotonic() >= until:
            raise InUse("apps.restore-open", database=redacted(database.url))
        time.sleep(0.2)


def _there(url: str) -> bool:
    return not url.startswith("sqlite:///") or Path(url.removeprefix("sqlite:///")).is_file()


def _empty(connection: Connection, url: str) -> None:
    if not repository.is_empty(connection):
        raise InUse("apps.restore-in-use", database=redacted(url))


def _finish(records: Records, chosen: Plan) -> None:
    """One empty commit far behind all others, a new epoch; then the record is whole."""

    def unit(connection: Connection) -> None:
        last = max(chosen.reaches, chosen.last_tx, chosen.position)
        behind = (last // LEAP + 2) * LEAP
        tx = behind if connection.dialect == "sqlite" else last + 1
        _, last_us = repository.position_and_instant(connection)
        chosen.at_us = last_us
        at_us = max(now_us() // 1000 * 1000, last_us)
        repository.add_commits(connection, [(tx, behind, at_us, 1)])
        repository.go_on_from(connection, 0, tx)
        repository.settle(connection, chosen.position, behind)
        repository.set_meta(connection, "epoch", new_id())
        told = {
            "name": chosen.manifest.name,
            "position": chosen.position,
            "of": chosen.manifest.epoch,
            "at_us": at_us,
            "files": None if chosen.brought is None else msgspec.to_builtins(chosen.brought),
        }
        repository.set_meta(connection, "restored", msgspec.json.encode(told).decode())
        repository.delete_meta(connection, RESTORING)

    records.database.write(unit)


__all__ = ["Marker", "Plan", "check_parts", "files_brought", "free", "plan", "restore"]
