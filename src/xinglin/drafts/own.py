"""Drafts for one person at one record: `Drafts` with its actor kept, as Python users and notebooks have it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from xinglin.drafts.feedback import Feedback
from xinglin.drafts.graph import Graph
from xinglin.drafts.parts import Draft, Proposal
from xinglin.drafts.service import Drafts
from xinglin.records.service import Records
from xinglin.trust import Actor


class OwnDrafts:
    """Open drafts, newest first, when iterated; and what can be done with one."""

    def __init__(self, records: Records, actor: Actor, patient: str | None = None) -> None:
        self._drafts = Drafts(records)
        self._actor = actor
        self._patient = patient

    def __iter__(self) -> Iterator[Draft]:
        cursor: str | None = None
        while True:
            page = self._drafts.open(self._actor, patient=self._patient, cursor=cursor)
            yield from page.drafts
            cursor = page.next
            if cursor is None:
                return

    def propose(self, proposal: Proposal) -> list[Draft]:
        """Write drafts; the same ones again for the same model and inputs."""
        return self._drafts.propose(self._actor, proposal)

    def show(self, reference: str) -> Draft:
        """One draft, in whatever state."""
        return self._drafts.show(self._actor, reference)

    def accept(self, reference: str, note: str = "") -> Draft:
        """Make it final."""
        return self._drafts.accept(self._actor, reference, note=note)

    def amend(self, reference: str, content: dict[str, Any] | Mapping[str, str], note: str = "") -> Draft:
        """Make it final with other content: a whole resource, or texts by the paths of single elements."""
        return self._drafts.amend(self._actor, reference, content, note=note)

    def reject(self, reference: str, code: str, text: str = "") -> Draft:
        """Refuse it, with a reason of `deciding.REJECTIONS`."""
        return self._drafts.reject(self._actor, reference, code, text)

    def rests_on(self, reference: str) -> Graph:
        """What a resource, or one version of it, was computed from."""
        return self._drafts.rests_on(self._actor, reference)

    def computed_from(self, reference: str) -> Graph:
        """What was computed from it."""
        return self._drafts.computed_from(self._actor, reference)

    def feedback(self, model: str | None = None, since: str | None = None) -> Iterator[Feedback]:
        """Decisions on a model's drafts, newest first."""
        return self._drafts.feedback(self._actor, model, since)

    def __repr__(self) -> str:
        return f"<drafts of Patient/{self._patient}>" if self._patient else "<drafts>"
