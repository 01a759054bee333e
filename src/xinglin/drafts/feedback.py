"""What became of a model's drafts: every decision, as monitoring needs it, read from Provenance. No text, no content."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from xinglin.drafts.parts import DECISION, Model, Ref
from xinglin.drafts.provenance import (
    activity_of,
    changed_in,
    model_of,
    person_in,
    proposal_id,
    reason_of,
    targets_in,
)
from xinglin.drafts.reading import current, found
from xinglin.records.service import Records
from xinglin.trust import Actor

_DECISIONS: Final = ("accept", "amend", "reject", "withdraw", "confirm", "supersede", "bypass")


@dataclass(frozen=True, slots=True)
class Feedback:
    """One decision. ``by``: the clinician's reference or name at sign-in, "" for software; ``latency_s``: since the proposal.

    ``changed``: paths of the elements that an edit changed; both versions are in the record's history.
    """

    draft: Ref
    model: Model
    decision: str
    by: str
    at: str
    latency_s: float | None
    code: str
    changed: tuple[str, ...]


def feedback(
    records: Records, actor: Actor, model: str | None = None, since: str | None = None
) -> Iterator[Feedback]:
    """Decisions on the drafts of ``model`` (a name, or ``name|version``; None: of any), newest first.

    ``since``: a FHIR date or instant; decisions from then on.
    """
    asked = [("_tag", f"{DECISION}|"), ("_sort", "-recorded")]
    if since:
        asked.append(("recorded", f"ge{since}"))
    for _, body in found(records, actor, "Provenance", *asked):
        targets = targets_in(body)
        activity = activity_of(body)
        if not targets or activity not in _DECISIONS:
            continue
        by = model_of(body)
        if activity == "supersede":  # its agent is what closed the draft, not what proposed it
            proposal = current(records, actor, Ref("Provenance", proposal_id(targets[0])))
            by = by if proposal is None else model_of(proposal[1])
        if model is not None and model not in (by.name, f"{by.name}|{by.version}"):
            continue
        person = person_in(body) or {}
        period = body.get("occurredPeriod") or {}
        yield Feedback(
            targets[0],
            by,
            activity,
            str(person.get("reference") or (person.get("identifier") or {}).get("value", "")),
            str(body.get("recorded", "")),
            _seconds(period.get("start"), period.get("end")),
            reason_of((body.get("reason") or [{}])[0]).code,
            changed_in(body),
        )


def told(one: Feedback) -> dict[str, Any]:
    """One decision as plain values."""
    return {
        "draft": one.draft.name,
        "model": one.model.name,
        "version": one.model.version,
        "decision": one.decision,
        "by": one.by,
        "at": one.at,
        "latencySeconds": one.latency_s,
        "code": one.code,
        "changed": list(one.changed),
    }


def _seconds(start: str | None, end: str | None) -> float | None:
    if not start or not end:
        return None
    return (_instant(end) - _instant(start)).total_seconds()


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))
