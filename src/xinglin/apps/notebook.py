"""The record from Python::

    import xinglin as xl

    record = xl.open("demo")                      # or a path, or the address of a server
    for patient in record.search("Patient", name="zhang"):
        print(patient["id"], patient.text("name"))
    record.search("Observation", patient="p1", code="4548-4").to_frame()

Resources are dicts, decimals are exact, and whatever goes wrong is an XinglinError.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xinglin.apps.backend import Backend, dumps, loads, open_backend
from xinglin.apps.errors import AppError
from xinglin.apps.flat import brief, columns_of, flat

if TYPE_CHECKING:
    from datetime import date

    import pandas

    from xinglin.apps.exporting import Exported
    from xinglin.apps.past import RecordAsOf
    from xinglin.drafts.own import OwnDrafts
    from xinglin.ingest.report import Report
    from xinglin.kernel.settings import Settings
    from xinglin.records.stored import Change

SHOWN_ROWS = 10
_PARTS = ("unit", "start", "end", "lastUpdated", "versionId")


class Resource(dict[str, Any]):
    """A FHIR resource: a dict in FHIR's own names."""

    @property
    def reference(self) -> str:
        """``Type/id``, as other resources refer to it."""
        return f"{self['resourceType']}/{self['id']}"

    @property
    def version(self) -> int | None:
        """The number of this version, None where it was never stored."""
        version = str(self.get("meta", {}).get("versionId", ""))
        return int(version) if version.isascii() and version.isdigit() else None

    def text(self, element: str) -> str:
        """The short form of an element, as a person would write it; empty where there is none."""
        return str(brief(self.get(element, "")))

    def json(self) -> str:
        """As JSON; decimals keep their digits."""
        return dumps(self).decode()

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th>{escape(name)}</th><td>{escape(str(value))}</td></tr>"
            for name, value in flat(self).items()
        )
        return f"<b>{escape(self.get('resourceType', ''))}</b><table>{rows}</table>"


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a resource: its number, when it was written (ISO 8601), and itself, None where it was deleted."""

    number: int
    at: str
    resource: Resource | None


class Search:
    """What a search finds: iterated page by page, each fetched when it is needed.

    There is no ``len``: counting is a question of its own, ``total()``.
    """

    def __init__(self, backend: Backend, resource_type: str | None, pairs: list[tuple[str, str]]) -> None:
        self._backend = backend
        self._type = resource_type
        self._pairs = pairs

    def __iter__(self) -> Iterator[Resource]:
        for page in self.pages():
            yield from page

    def pages(self) -> Iterator[list[Resource]]:
        """The matches, a page at a time."""
        cursor = None
        while True:
            batch = self._backend.page(self._type, self._pairs, cursor)
            yield [Resource(loads(body)) for body in batch.matches]
            cursor = batch.next
            if cursor is None:
                return

    def included(self) -> Iterator[Resource]:
        """What ``_include`` and ``_revinclude`` bring in beside the matches, each once."""
        cursor, seen = None, set()
        while True:
            batch = self._backend.page(self._type, self._pairs, cursor)
            for body in batch.included:
                resource = Resource(loads(body))
                if resource.reference not in seen:
                    seen.add(resource.reference)
                    yield resource
            cursor = batch.next
            if cursor is None:
                return

    def first(self) -> Resource | None:
        """The first match, None where there is none."""
        for page in self.pages():
            if page:
                return page[0]
        return None

    def total(self) -> int:
        """How many resources match, counted now."""
        pairs = [pair for pair in self._pairs if pair[0] not in ("_summary", "_total", "_count", "_sort")]
        batch = self._backend.page(self._type, [*pairs, ("_summary", "count")], None)
        if batch.total is None:
            raise AppError("apps.no-total")
        return batch.total

    def to_frame(self, columns: Iterable[str] | None = None, limit: int | None = None) -> pandas.DataFrame:
        """The matches as a pandas DataFrame, a row each; ``columns`` default to all that are filled.
        An element that no match fills is an empty column.

        Decimals stay Decimal; use ``frame["value"].astype(float)`` to calculate. Raises AppError without
        pandas, and for a column that is no element of the resource.
        """
        try:
            import pandas
        except ImportError:
            raise AppError("apps.no-pandas") from None
        rows: list[dict[str, Any]] = []
        for resource in self:
            if limit is not None and len(rows) >= limit:
                break
            rows.append(flat(resource))
        wanted = None if columns is None else list(columns)
        if wanted is not None:
            _check_columns(wanted, self._type, rows)
        return pandas.DataFrame(rows, columns=wanted)

    def _repr_html_(self) -> str:
        shown = []
        for resource in self:
            shown.append(flat(resource))
            if len(shown) > SHOWN_ROWS:
                break
        columns = columns_of(self._type or "", shown)
        head = "".join(f"<th>{escape(column)}</th>" for column in columns)
        rows = "".join(
            "<tr>"
            + "".join(f"<td>{escape(str(row.get(column, '') or ''))}</td>" for column in columns)
            + "</tr>"
            for row in shown[:SHOWN_ROWS]
        )
        more = "<p>…</p>" if len(shown) > SHOWN_ROWS else ""
        return f"<table><tr>{head}</tr>{rows}</table>{more}"

    def __repr__(self) -> str:
        question = "&".join(f"{name}={value}" for name, value in self._pairs)
        return f"<Search {self._type or ''}?{question} at {self._backend.name}>"


def _check_columns(wanted: list[str], resource_type: str | None, rows: list[dict[str, Any]]) -> None:
    from xinglin.kernel.settings import nearest
    from xinglin.standards.fhir.r4.elements import ELEMENTS

    filled = {column for row in rows for column in row}
    types = [resource_type] if resource_type in ELEMENTS else list(ELEMENTS)
    elements = {name for kind in types if kind for name in ELEMENTS[kind]}
    for column in wanted:
        name, dot, part = column.partition(".")
        if column in filled or (name in elements and (not dot or part in _PARTS)):
            continue
        like = nearest(column, sorted(filled | elements)) or "id"
        raise AppError("apps.no-column", name=column, like=like)


class Record:
    """An open record, in this process or on a server. Close it, or use it in a ``with``."""

    def __init__(self, backend: Backend, settings: Settings) -> None:
        self._backend = backend
        self._settings = settings

    def search(self, resource_type: str | None = None, /, **parameters: Any) -> Search:
        """Resources that match, lazily.

        Parameters are FHIR's: ``name="zhang"``, ``birthdate="ge1950"``, a list where all must hold
        (``date=["ge2020", "lt2021"]``). Write ``:`` and ``.`` in names as ``**{"name:exact": "张伟"}``.
        """
        return Search(self._backend, resource_type, pairs_of(parameters))

    def read(self, reference: str, version: int | None = None) -> Resource:
        """The resource at ``Type/id``; a past ``version`` where that is given. Raises XinglinError."""
        kind, id_ = parts(reference)
        return Resource(loads(self._backend.read(kind, id_, None if version is None else str(version))))

    def everything(self, patient: str, **parameters: Any) -> Iterator[Resource]:
        """The whole record of a patient (``Patient/1``), page by page, with what it refers to.

        ``start`` and ``end``: only what was going on between these dates; ``_type``, ``_since``.
        """
        return everything(self._backend, patient, pairs_of(parameters))

    def as_of(self, known: str | date | None = None, *, valid: str | date | None = None) -> RecordAsOf:
        """The record as it was: as it was ``known`` at an instant, of it what had begun by ``valid``, or both.

        ``"2021-03-01"`` is the end of that day in the record's time zone; a datetime is that instant.
        """
        from xinglin.apps.past import RecordAsOf

        return RecordAsOf(self._backend, known, valid)

    def save(self, resource: Mapping[str, Any] | str | bytes) -> Resource:
        """Store a resource (a dict or JSON) and give it as it now is; without an id it is given a new one.

        A resource that was read carries its version: if someone else has changed it meanwhile, nothing is written and
        an XinglinError says so.
        """
        body = resource if isinstance(resource, (str, bytes)) else dumps(dict(resource))
        body = body.encode() if isinstance(body, str) else body
        try:
            content = loads(body)
            kind = content["resourceType"]
        except (ValueError, KeyError, TypeError, RecursionError):
            raise AppError("apps.not-a-resource") from None
        version = (
            content.get("meta", {}).get("versionId") if isinstance(content.get("meta", {}), dict) else None
        )
        return Resource(loads(self._backend.save(str(kind), content.get("id"), body, version)))

    def delete(self, reference: str) -> None:
        """Delete the resource at ``Type/id``; its history stays."""
        self._backend.delete(*parts(reference))

    def history(self, reference: str) -> list[Version]:
        """All versions of the resource at ``Type/id``, newest first."""
        return [
            Version(int(number), at, Resource(loads(body)) if body else None)
            for number, at, body in self._backend.history(*parts(reference))
        ]

    def drafts(self, patient: str | None = None) -> OwnDrafts:
        """What machines propose and nobody has decided on: iterate, accept, amend, reject. Not through a server."""
        from xinglin.apps.drafting import own

        return own(self._backend, patient)

    def changes(self, after: int = 0, *types: str, follow: bool = False, epoch: str = "") -> Iterator[Change]:
        """What was written after a position, in order; with ``follow`` it waits for what comes next, for ever.

        Raises OtherHistory (from a server: RemoteError) where the position is of before a restore; give the `epoch` that
        you noted with it.
        """
        from xinglin.apps.following import changes

        return changes(self._backend, after, types, follow=follow, epoch=epoch)

    @property
    def epoch(self) -> str:
        """In which of its lives the record is: another text after each restore."""
        from xinglin.apps.following import epoch_of

        return epoch_of(self._backend)

    def import_(
        self,
        *paths: str | Path,
        mapping: str | Path | Iterable[str | Path] = (),
        yes: bool = False,
        invariants: bool = False,
    ) -> Report:
        """Import files and folders; see the command ``xinglin import``.

        Tables need a ``mapping`` file, or ``yes=True`` to take them by the mapping that is proposed. With
        ``invariants`` what breaks an invariant of R4 is rejected. Raises XinglinError where the record fails (disk full,
        server gone); ``error.report`` is then the report of what was taken before.
        """
        from xinglin.apps.importing import import_paths, read_mappings

        mappings = read_mappings([mapping] if isinstance(mapping, (str, Path)) else mapping)
        sink = self._backend.sink(invariants=invariants)
        report = import_paths(sink, self._settings, paths, mappings=mappings, yes=yes)
        if report.error is not None:
            report.error.report = report  # type: ignore[attr-defined]
            raise report.error
        return report

    def export(self, folder: str | Path, **wanted: Any) -> Exported:
        """Write the record to a folder as NDJSON, or go on with it; options as of `apps.exporting.Wanted`."""
        from xinglin.apps.exporting import Wanted, export_folder

        return export_folder(self._backend, self._settings, folder, Wanted(**wanted))

    def close(self) -> None:
        """Let go of the record."""
        self._backend.close()

    def __enter__(self) -> Record:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Record at {self._backend.name}>"


def pairs_of(parameters: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Parameters as an address has them: a list is the parameter several times."""
    pairs: list[tuple[str, str]] = []
    for name, value in parameters.items():
        for one in value if isinstance(value, (list, tuple)) else [value]:
            pairs.append((name, str(one).lower() if isinstance(one, bool) else str(one)))
    return pairs


def everything(backend: Backend, patient: str, pairs: list[tuple[str, str]]) -> Iterator[Resource]:
    """All pages of ``Patient/[id]/$everything``, each resource once."""
    from urllib.parse import parse_qsl, urlsplit

    from xinglin.apps.remote import batch_of

    kind, id_ = parts(patient if "/" in patient else f"Patient/{patient}")
    if kind != "Patient":
        raise AppError("apps.not-a-reference", given=patient)
    seen: set[str] = set()
    while True:
        batch = batch_of(backend.get(f"Patient/{id_}/$everything", pairs))
        for body in (*batch.matches, *batch.included):
            resource = Resource(loads(body))
            if resource.reference not in seen:
                seen.add(resource.reference)
                yield resource
        if batch.next is None:
            return
        pairs = parse_qsl(urlsplit(batch.next).query, keep_blank_values=True)


def parts(reference: str) -> tuple[str, str]:
    """Type and id of ``Type/id``. Raises AppError."""
    kind, slash, id_ = reference.strip("/").partition("/")
    if not slash or not kind or not id_ or "/" in id_:
        raise AppError("apps.not-a-reference", given=reference)
    return kind, id_


def open_record(place: str | Path = "", **settings: Any) -> Record:
    """Open a record: ``"demo"`` (made where it is not there yet), a file, a database URL, or a server's address.

    Without ``place``: what the settings say. Further settings by name: ``xl.open("ward.db", time_zone="Asia/Shanghai")``.
    Raises XinglinError.
    """
    from xinglin.kernel.settings import load

    flags = dict(settings)
    if place:
        flags["database"] = str(place)
    loaded = load(flags).settings
    if loaded.database == "demo":
        from xinglin.apps.hospital import ensure_demo

        ensure_demo(loaded)
    return Record(open_backend(loaded), loaded)
