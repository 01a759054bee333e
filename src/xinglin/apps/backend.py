"""The record as the command line and Python use it: open in this process, or on a server. One interface for both."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from xinglin.ingest.sink import Sink
    from xinglin.kernel.language import Language
    from xinglin.kernel.settings import Settings
    from xinglin.records.service import Records
    from xinglin.standards.fhir.search.query import Query

Pairs = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Batch:
    """A page of a search: matches, what was included beside them, where to go on, the total if it was asked for.

    ``notes`` are sentences about parameters that were not understood and left aside.
    """

    matches: list[bytes]
    included: list[bytes]
    next: str | None
    total: int | None
    notes: tuple[str, ...] = ()


class Backend(Protocol):
    """Where a record is, and how to ask it."""

    name: str

    def page(self, resource_type: str | None, pairs: Pairs, cursor: str | None) -> Batch:
        """One page of a search; ``cursor`` is a page's ``next``. Raises XinglinError."""

    def read(self, resource_type: str, id_: str, version: str | None = None) -> bytes:
        """One version of a resource, by default the current one. Raises XinglinError."""

    def get(self, path: str, pairs: Pairs) -> bytes:
        """What the FHIR address ``path`` below the record's base gives, as JSON. Raises XinglinError."""

    def save(self, resource_type: str, id_: str | None, body: bytes, version: str | None = None) -> bytes:
        """Write a resource, under a new id where it has none; only over ``version`` where given. The body as stored."""

    def delete(self, resource_type: str, id_: str) -> None:
        """Delete a resource; its history stays."""

    def history(self, resource_type: str, id_: str) -> Iterator[tuple[str, str, bytes]]:
        """``(version, instant, body)``, newest first; the body is empty for a deletion."""

    def sink(self, *, invariants: bool = False) -> Sink:
        """Where an import goes; with ``invariants`` what breaks one of R4 is rejected (a server always does that)."""

    def close(self) -> None:
        """Let go of the record."""


def loads(body: bytes) -> Any:
    """JSON with decimals exact: 1.10 is Decimal('1.10')."""
    return json.loads(body, parse_float=Decimal)


def dumps(resource: object) -> bytes:
    """A resource as JSON; decimals keep their digits."""
    import msgspec

    return msgspec.json.encode(resource) if not _has_decimal(resource) else _exact().encode(resource)


def _exact() -> Any:
    import msgspec

    return msgspec.json.Encoder(decimal_format="number")


def _has_decimal(value: object) -> bool:
    if isinstance(value, dict):
        return any(_has_decimal(item) for item in value.values())
    if isinstance(value, (list, tuple)):
        return any(_has_decimal(item) for item in value)
    return isinstance(value, Decimal)


class Embedded:
    """A record open in this process."""

    def __init__(self, records: Records, settings: Settings) -> None:
        from xinglin.kernel.settings import redacted
        from xinglin.trust import local_system

        self._records: Records | None = records
        self.name = redacted(settings.database_url)
        self._settings = settings
        self._actor = local_system()

    @property
    def records(self) -> Records:
        """The open record. Raises AppError once it is closed."""
        if self._records is None:
            from xinglin.apps.errors import AppError

            raise AppError("apps.record-closed")
        return self._records

    def _query(self, resource_type: str | None, pairs: Pairs) -> Query:
        from xinglin.standards.fhir.search.grammar import parse_query
        from xinglin.standards.fhir.search.limits import Limits

        s = self._settings
        limits = Limits(
            page_size=s.page_size,
            page_size_max=s.page_size_max,
            parameter_limit=s.parameter_limit,
            value_limit=s.value_limit,
            pattern_limit=s.pattern_limit,
            chain_depth=s.chain_depth,
        )
        zone, known = self.records.zone(self._actor.tenant), self.records.known(self._actor.tenant)
        return parse_query(resource_type, list(pairs), strict=True, limits=limits, timezone=zone, known=known)

    def page(self, resource_type: str | None, pairs: Pairs, cursor: str | None) -> Batch:
        """See Backend."""
        if any(name in ("_known", "_valid") for name, _ in pairs):
            return self._past_page(resource_type, pairs, cursor)
        if cursor:
            pairs = [*pairs, ("_cursor", cursor)]
        elif any(name.partition(":")[0] in ("_text", "_content") for name, _ in pairs):
            from xinglin.records.fulltext.follower import Follower

            # No server runs here that would do it in the background.
            Follower(self.records.database).catch_up()
        from xinglin.records.rest.shape import cut

        query = self._query(resource_type, pairs)
        page = self.records.search(self._actor, query)
        cutter = cut(query.summary, query.elements) or (lambda _, body: body)
        matches = [
            cutter(entry.stored.type, entry.stored.body) for entry in page.entries if entry.mode == "match"
        ]
        included = [entry.stored.body for entry in page.entries if entry.mode == "include"]
        return Batch(matches, included, page.next, page.total)

    def _past_page(self, resource_type: str | None, pairs: Pairs, cursor: str | None) -> Batch:
        """A page as of an instant; its ``next`` is a whole address, for it holds the instant too."""
        from urllib.parse import parse_qsl, urlsplit

        from xinglin.apps.remote import batch_of

        if cursor:
            pairs = parse_qsl(urlsplit(cursor).query, keep_blank_values=True)
        return batch_of(self.get(resource_type or "", pairs))

    def get(self, path: str, pairs: Pairs) -> bytes:
        """See Backend."""
        from xinglin.records.api import Api
        from xinglin.records.rest.exchange import Answer, Preferences, Request
        from xinglin.records.site import Site

        api = Api(Site(self.records, self._settings))
        base = self._settings.base_url or "http://localhost/fhir"
        parts = tuple(part for part in path.split("/") if part)
        answer = api.answer(
            Request(
                "GET", parts, self._actor, base.rstrip("/"), tuple(pairs), prefer=Preferences(strict=True)
            )
        )
        assert isinstance(answer, Answer)
        return answer.body

    def read(self, resource_type: str, id_: str, version: str | None = None) -> bytes:
        """See Backend."""
        from xinglin.records.errors import NoSuchVersion

        if version is None:
            return self.records.read(self._actor, resource_type, id_).body
        if not version.isdigit():
            raise NoSuchVersion("records.no-such-version", type=resource_type, id=id_, version=version)
        return self.records.vread(self._actor, resource_type, id_, int(version)).body

    def save(self, resource_type: str, id_: str | None, body: bytes, version: str | None = None) -> bytes:
        """See Backend."""
        from xinglin.records.past.marks import refuse_old

        refuse_old(body)
        if id_ is None:
            return self.records.create(self._actor, resource_type, body).body
        if_match = int(version) if version is not None and version.isdigit() else None
        return self.records.update(self._actor, resource_type, id_, body, if_match=if_match).body

    def delete(self, resource_type: str, id_: str) -> None:
        """See Backend."""
        self.records.delete(self._actor, resource_type, id_)

    def history(self, resource_type: str, id_: str) -> Iterator[tuple[str, str, bytes]]:
        """See Backend."""
        from xinglin.records.history import HistoryQuery

        cursor = None
        while True:
            page = self.records.history(self._actor, HistoryQuery(type=resource_type, id=id_, cursor=cursor))
            for stored in page.entries:
                yield str(stored.version), stored.updated.isoformat(timespec="milliseconds"), stored.body
            if (cursor := page.next) is None:
                return

    def sink(self, *, invariants: bool = False) -> Sink:
        """See Backend."""
        from xinglin.ingest.sink import RecordSink

        return RecordSink(self.records, self._actor, invariants=invariants)

    def close(self) -> None:
        """See Backend."""
        if self._records is not None:
            self._records.close()
            self._records = None


def open_backend(settings: Settings, *, create: bool = True, language: Language | None = None) -> Backend:
    """The record that ``settings.database`` names: a server for http(s), else a database.

    ``language`` is what a server is asked to answer in, by default that of the settings or the locale.
    ``create`` False: a database file that is not there is an error that says how to make one.
    """
    if settings.database.startswith(("http://", "https://")):
        from xinglin.apps.remote import Remote

        return Remote(settings.database, language or _language(settings))
    from xinglin.apps.assemble import open_record

    _no_folder(settings)
    if not create:
        there(settings)
    return Embedded(open_record(settings), settings)


def _language(settings: Settings) -> Language:
    import os

    from xinglin.kernel.language import choose

    if settings.language != "auto":
        return "zh" if settings.language == "zh" else "en"
    return choose(
        next((os.environ[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if os.environ.get(name)), None)
    )


def _no_folder(settings: Settings) -> None:
    from pathlib import Path

    from xinglin.apps.errors import AppError

    url = settings.database_url
    if url.startswith("sqlite:///") and Path(url.removeprefix("sqlite:///")).is_dir():
        raise AppError("apps.a-folder", path=url.removeprefix("sqlite:///"))


def there(settings: Settings) -> None:
    """Raises AppError where no database is there yet, with what makes one."""
    from pathlib import Path

    from xinglin.apps.errors import AppError

    url = settings.database_url
    if url.startswith("sqlite:///") and not Path(url.removeprefix("sqlite:///")).is_file():
        key = "apps.no-demo" if settings.database == "demo" else "apps.no-record"
        raise AppError(key, path=url.removeprefix("sqlite:///"))


def chunks(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    """Lists of at most ``size`` items."""
    held: list[Any] = []
    for item in items:
        held.append(item)
        if len(held) >= size:
            yield held
            held = []
    if held:
        yield held
