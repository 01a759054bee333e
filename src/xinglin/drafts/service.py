"""The use cases of drafts, each with an Actor: what the REST operations, the command line and capabilities call."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from xinglin.drafts import deciding, proposing
from xinglin.drafts import feedback as monitoring
from xinglin.drafts import graph as graphs
from xinglin.drafts.errors import BadDecision
from xinglin.drafts.exact import loads
from xinglin.drafts.parts import CHANGED, RETRACTION, STATE, Draft, Model, Proposal, Reason, Ref, ref
from xinglin.drafts.provenance import proposal_id
from xinglin.drafts.reading import current, draft, draft_in, draft_of, query
from xinglin.drafts.states import FORMS, is_open, tag_of
from xinglin.drafts.writing import close
from xinglin.records.errors import NotFound
from xinglin.records.service import Records
from xinglin.records.transaction import Transaction
from xinglin.trust import Actor

MOST_SHOWN = 200


@dataclass(frozen=True, slots=True)
class DraftPage:
    """Some drafts, newest first, and the cursor of the next page."""

    drafts: list[Draft]
    next: str | None


class Drafts:
    """Drafts of one record."""

    def __init__(self, records: Records) -> None:
        self.records = records

    def propose(self, actor: Actor, proposal: Proposal) -> list[Draft]:
        """Write drafts with their Provenance; the same ones again for the same model and inputs. See `proposing`."""
        return proposing.propose(self.records, actor, proposal)

    def show(self, actor: Actor, reference: str) -> Draft:
        """One draft, in whatever state. Raises NotFound, Gone, NotADraft."""
        return draft(self.records, actor, place(reference))

    def open(
        self,
        actor: Actor,
        *,
        patient: str | None = None,
        state: str = "open",
        count: int = 50,
        cursor: str | None = None,
    ) -> DraftPage:
        """Open drafts, newest first: of one patient (an id), or all.

        ``state``: those in another state; ``changed``: accepted ones whose grounds have changed since.
        """
        asked = [
            ("_tag", f"{RETRACTION}|{CHANGED}" if state == "changed" else f"{STATE}|{state}"),
            ("_sort", "-_lastUpdated"),
            ("_count", str(min(count, MOST_SHOWN))),
        ]
        if patient is not None:
            if (whose := ref(f"Patient/{patient}")) is None:
                raise BadDecision("drafts.patient-form", given=patient[:80])
            # Not the compartment: R4 leaves Task, hence corrections, out of it.
            asked += [("_type", ",".join(FORMS)), ("patient", whose.name)]
        if cursor:
            asked.append(("_cursor", cursor))
        question = query(self.records, actor, None, *asked)
        page = self.records.search(actor, question)
        drafts = []
        for entry in page.entries:
            stored = entry.stored
            one, resource = Ref(stored.type, stored.id, stored.version), loads(stored.body)
            origin = current(self.records, actor, Ref("Provenance", proposal_id(one)))
            if origin is not None and tag_of(resource, STATE) and (state != "open" or is_open(resource)):
                drafts.append(draft_of(one, resource, origin[1]))
        return DraftPage(drafts, page.next)

    def accept(self, actor: Actor, reference: str, *, version: int | None = None, note: str = "") -> Draft:
        """Make it final. Raises NotAClinician, Decided, InputChanged, VersionConflict."""
        return deciding.accept(self.records, actor, place(reference), version, note)

    def amend(
        self,
        actor: Actor,
        reference: str,
        content: dict[str, Any] | Mapping[str, str],
        *,
        version: int | None = None,
        note: str = "",
    ) -> Draft:
        """Make it final with other content: a whole resource, or texts by the paths of single elements.

        Raises also BadDecision, Invalid.
        """
        whole = "resourceType" in content
        edit = (lambda _: dict(content)) if whole else deciding.with_values(content)
        return deciding.amend(self.records, actor, place(reference), edit, version, note)

    def reject(
        self, actor: Actor, reference: str, code: str, text: str = "", *, version: int | None = None
    ) -> Draft:
        """Refuse it, with a reason of `deciding.REJECTIONS`."""
        return deciding.reject(self.records, actor, place(reference), code, text, version)

    def supersede(self, actor: Actor, reference: str, by: Model, reason: Reason) -> Draft:
        """Close an open draft that something newer has made needless; one that is not open stays as it is."""
        one = place(reference)

        def work(transaction: Transaction) -> Draft:
            found = draft_in(transaction, one)
            if found is None:
                raise NotFound("records.not-found", type=one.type, id=one.id)
            if not is_open(found.resource):
                return found
            close(transaction, found, by, reason)
            after = draft_in(transaction, one)
            assert after is not None
            return after

        return self.records.transact(actor, work)

    def before(self, actor: Actor, one: Draft) -> dict[str, Any] | None:
        """What a correction would replace, in the version it was computed from; None for any other draft."""
        target = one.origin.corrects
        if target is None:
            return None
        return loads(self.records.vread(actor, target.type, target.id, target.version).body)

    def rests_on(self, actor: Actor, reference: str, *, most: int = graphs.MOST) -> graphs.Graph:
        """What a resource (``Type/id`` or one version of it) was computed from, through any number of steps."""
        return graphs.rests_on(self.records, actor, place(reference), most=most)

    def computed_from(self, actor: Actor, reference: str, *, most: int = graphs.MOST) -> graphs.Graph:
        """What was computed from a resource, or from one version of it."""
        return graphs.computed_from(self.records, actor, place(reference), most=most)

    def feedback(
        self, actor: Actor, model: str | None = None, since: str | None = None
    ) -> Iterator[monitoring.Feedback]:
        """Decisions on a model's drafts, newest first."""
        return monitoring.feedback(self.records, actor, model, since)


def place(reference: str) -> Ref:
    """``Type/id`` or ``Type/id/_history/version`` as parts. Raises BadDecision."""
    found = ref(reference.strip("/"))
    if found is None:
        raise BadDecision("drafts.no-reference", given=reference[:80])
    return found
