"""Where an import goes: an open record, or whatever else takes resources in bulk (a server, in apps)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

from xinglin.kernel.errors import XinglinError
from xinglin.records.loader import Progress, Rejected
from xinglin.trust import Actor

if TYPE_CHECKING:
    from xinglin.records.service import Records

Name = tuple[str, str]  # resource type and id


class Sink(Protocol):
    """Takes resources; what it has reported is safe."""

    database: str
    """What tells one sink from another, so that an import into one is not resumed in the next."""

    invariants: bool
    """Whether what breaks an invariant of R4 is rejected."""

    def load(self, lines: Iterable[bytes], *, line: int = 1, offset: int = 0) -> Iterator[Progress]:
        """Take each line that can be taken; a Progress after each transaction. See `records.loader.Loader`."""

    def together(self, bodies: Sequence[bytes], deletions: Sequence[Name] = ()) -> Progress:
        """Take all bodies, no two of the same resource, and delete; or, with a reject for each that is wrong, nothing."""

    def find(self, resource_type: str, condition: str) -> list[str]:
        """Ids of at most two resources that the search finds. Raises XinglinError where it is no valid search."""

    def read(self, resource_type: str, id_: str) -> bytes | None:
        """The current body, None where there is none."""


class RecordSink:
    """An open record. ``invariants``: what breaks an invariant of R4 of severity error is rejected (tier 2)."""

    def __init__(self, records: Records, actor: Actor, *, invariants: bool = False) -> None:
        self.invariants = invariants
        self.database = records.settings.database_url
        self._records = records
        self._actor = actor

    def load(self, lines: Iterable[bytes], *, line: int = 1, offset: int = 0) -> Iterator[Progress]:
        """See Sink."""
        batch = self._records.settings.import_batch
        options = {"line": line, "offset": offset, "batch": batch, "tier2": self.invariants}
        return iter(self._records.load(self._actor, lines, **options))

    def together(self, bodies: Sequence[bytes], deletions: Sequence[Name] = ()) -> Progress:
        """See Sink."""
        if not deletions:
            return self._records.load(self._actor, bodies, tier2=self.invariants).together()
        progress = Progress()
        prepared = []
        for number, body in enumerate(bodies, 1):
            try:
                if self.invariants:
                    check(body, invariants=True)
                prepared.append(self._records.prepare(self._actor, None, body))
            except XinglinError as error:
                progress.rejected.append(Rejected(number, 0, body, error))
        progress.rejections = len(progress.rejected)
        if progress.rejected:
            return progress
        from xinglin.records.transaction import Transaction

        def work(transaction: Transaction) -> list[tuple[str, str]]:
            done = []
            for kind, id_ in deletions:
                gone = transaction.delete(kind, id_)
                done.append((kind, "updated" if gone else "unchanged"))
            for one in prepared:
                stored = transaction.update(one.type, one.id, one, skip_unchanged=True)
                done.append((one.type, stored.outcome))
            return done

        for kind, outcome in self._records.transact(self._actor, work):
            counts = (outcome == "created", outcome == "updated", outcome == "unchanged")
            progress.count(kind, *map(int, counts))
            progress.taken += counts[0]
            progress.updated += counts[1]
            progress.unchanged += counts[2]
        return progress

    def find(self, resource_type: str, condition: str) -> list[str]:
        """See Sink."""
        from urllib.parse import parse_qsl

        from xinglin.standards.fhir.search.grammar import parse_query

        pairs = [*parse_qsl(condition, keep_blank_values=True), ("_count", "2")]
        zone = self._records.zone(self._actor.tenant)
        known = self._records.known(self._actor.tenant)
        query = parse_query(resource_type, pairs, strict=True, timezone=zone, known=known)
        page = self._records.search(self._actor, query)
        return [entry.stored.id for entry in page.entries if entry.mode == "match"]

    def read(self, resource_type: str, id_: str) -> bytes | None:
        """See Sink."""
        from xinglin.records.errors import Gone, NotFound

        try:
            return self._records.read(self._actor, resource_type, id_).body
        except (NotFound, Gone):
            return None


def check(body: bytes, *, invariants: bool) -> None:
    """Raises Invalid where ``body`` breaks tier 1, or, with ``invariants``, an invariant of severity error."""
    from xinglin.standards.fhir.errors import Invalid
    from xinglin.standards.fhir.parse import parse
    from xinglin.standards.fhir.validate import tier2

    resource = parse(body)
    findings = tier2(resource) if invariants else []
    if any(finding.is_error for finding in findings):
        raise Invalid(findings)
