"""What the parts of this package read: resources as dicts, the Provenances about a resource, a draft with its origin."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from xinglin.drafts.errors import NotADraft
from xinglin.drafts.exact import loads
from xinglin.drafts.parts import CHANGED, HELD, RETRACTION, STATE, Draft, Ref, State
from xinglin.drafts.provenance import origin_of, proposal_id
from xinglin.drafts.states import tag_of
from xinglin.records import repository
from xinglin.records.errors import Gone, NoSuchVersion, NotFound
from xinglin.records.service import Records
from xinglin.records.stored import Stored
from xinglin.records.transaction import Transaction
from xinglin.standards.fhir.search.grammar import parse_query
from xinglin.standards.fhir.search.query import Query
from xinglin.trust import Actor, scope

PAGE: Final = 200
Resource = dict[str, Any]


def query(records: Records, actor: Actor, type_: str | None, *pairs: tuple[str, str]) -> Query:
    """A strict search."""
    return parse_query(
        type_,
        list(pairs),
        strict=True,
        timezone=records.zone(actor.tenant),
        known=records.known(actor.tenant),
    )


def found(
    records: Records, actor: Actor, type_: str | None, *pairs: tuple[str, str]
) -> Iterator[tuple[Ref, Resource]]:
    """Everything that a search finds, page by page."""
    cursor: str | None = None
    while True:
        more = (("_cursor", cursor),) if cursor else ()
        page = records.search(actor, query(records, actor, type_, *pairs, ("_count", str(PAGE)), *more))
        for entry in page.entries:
            if entry.mode == "match":
                stored = entry.stored
                yield Ref(stored.type, stored.id, stored.version), loads(stored.body)
        cursor = page.next
        if cursor is None:
            return


def current(records: Records, actor: Actor, one: Ref) -> tuple[Ref, Resource] | None:
    """The current version; None where there is none, or it is deleted."""
    try:
        stored = records.read(actor, one.type, one.id)
    except (NotFound, Gone):
        return None
    return Ref(stored.type, stored.id, stored.version), loads(stored.body)


def current_of(records: Records, actor: Actor, many: Iterable[Ref]) -> dict[Ref, tuple[Ref, Resource]]:
    """`current` of many at once, by the bare reference; what is not there, or is deleted, is left out."""
    return _by_ref(records.read_all(actor, [(one.type, one.id) for one in many]))


def current_of_in(transaction: Transaction, many: Iterable[Ref]) -> dict[Ref, tuple[Ref, Resource]]:
    """`current_of`, as a transaction sees it."""
    return _by_ref(transaction.read_all((one.type, one.id) for one in many))


def _by_ref(found_: Mapping[tuple[str, str], Stored]) -> dict[Ref, tuple[Ref, Resource]]:
    return {
        Ref(*name): (Ref(stored.type, stored.id, stored.version), loads(stored.body))
        for name, stored in found_.items()
    }


def version(records: Records, actor: Actor, one: Ref) -> Resource | None:
    """The body in the version that ``one`` names; None where there is none, or it is a deletion."""
    try:
        return loads(records.vread(actor, one.type, one.id, one.version).body)
    except (NotFound, NoSuchVersion, Gone):
        return None


def current_in(transaction: Transaction, one: Ref) -> tuple[Ref, Resource] | None:
    """`current`, as a transaction sees it."""
    stored = transaction.read(one.type, one.id)
    return None if stored is None else (Ref(stored.type, stored.id, stored.version), loads(stored.body))


def version_in(transaction: Transaction, one: Ref) -> Resource | None:
    """`version`, as a transaction sees it."""
    predicate = scope(transaction.actor, "read", one.type)
    stored = repository.read_version(transaction.connection, predicate, one.type, one.id, one.version)
    return None if stored is None or stored.deleted else loads(stored.body)


def draft_of(one: Ref, resource: Resource, provenance: Resource | None) -> Draft:
    """A draft from its resource and its proposal's Provenance. Raises NotADraft."""
    state = tag_of(resource, STATE)
    if not state or provenance is None:
        raise NotADraft("drafts.not-a-draft", reference=one.name)
    named: State = state  # type: ignore[assignment]  # the tag's codes are ours
    changed = named in HELD and tag_of(resource, RETRACTION) == CHANGED  # else nobody has accepted it yet
    return Draft(one, named, resource, origin_of(provenance), changed)


def draft(records: Records, actor: Actor, one: Ref) -> Draft:
    """A draft by its reference. Raises NotFound, Gone, NotADraft."""
    stored = records.read(actor, one.type, one.id)
    provenance = current(records, actor, Ref("Provenance", proposal_id(one)))
    at = Ref(stored.type, stored.id, stored.version)
    return draft_of(at, loads(stored.body), provenance[1] if provenance else None)


def draft_in(transaction: Transaction, one: Ref) -> Draft | None:
    """`draft`, as a transaction sees it; None where there is none."""
    there = current_in(transaction, one)
    if there is None:
        return None
    provenance = current_in(transaction, Ref("Provenance", proposal_id(one)))
    return draft_of(*there, provenance[1] if provenance else None)
