"""Drafts that a direct write took past a decision: found in the change feed, recorded as such, and put to a clinician.

`guard` refuses such writes; this is for what was written without it. Where a draft is no longer open and no decision's
Provenance says why, or is in use though the latest decision closed it, nobody is taken to stand for it: its state is
``bypassed``, the machine's label is set again, a Provenance tells of it, and an unassigned review asks for the decision
that is missing. Its content stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Final

from xinglin.drafts.graph import about_any
from xinglin.drafts.parts import AIAST, BYPASSED, STATE, Reason, Ref
from xinglin.drafts.provenance import (
    Resource,
    activity_of,
    of_bypass,
    origin_of,
    proposal_id,
    targets_in,
)
from xinglin.drafts.reading import current_in, current_of
from xinglin.drafts.reviewing import review, review_id
from xinglin.drafts.states import FORMS, is_open, is_withdrawn, labelled, marked, stated, tag_of
from xinglin.drafts.writing import instant_now, put, put_all
from xinglin.kernel.language import say
from xinglin.kernel.log import logger
from xinglin.records.errors import VersionConflict
from xinglin.records.service import Records
from xinglin.records.stored import Change as Entry
from xinglin.records.transaction import Transaction
from xinglin.trust import Actor

_CLOSING: Final = frozenset(("reject", "withdraw", "supersede"))
_DECISIONS: Final = frozenset(("accept", "amend", "confirm")) | _CLOSING


def handle(records: Records, changes: Iterable[Entry]) -> list[Ref]:
    """The drafts among ``changes``, entries of the change feed, that no decision closed: as they are recorded now."""
    by_tenant: dict[int, dict[Ref, None]] = {}
    for entry in changes:
        if entry.type in FORMS and entry.version > 1 and entry.method != "DELETE":
            by_tenant.setdefault(entry.tenant, {})[Ref(entry.type, entry.id)] = None
    done: list[Ref] = []
    for tenant, changed in by_tenant.items():
        actor = Actor("retraction", tenant, "HOPERAT", "service")
        for one, proposal in _bypassed(records, actor, list(changed)):
            try:
                after = records.transact(actor, partial(_record, one=one, proposal=proposal))
            except VersionConflict:  # written again meanwhile: that comes by too
                continue
            if after is not None:
                done.append(after)
                logger("drafts").warning("draft_bypassed", type=one.type, id=one.id)
    return done


def _bypassed(records: Records, actor: Actor, changed: Sequence[Ref]) -> list[tuple[Ref, Resource]]:
    """Those of ``changed`` that a model proposed, that are open no more, and that nobody decided on."""
    proposals = current_of(records, actor, [Ref("Provenance", proposal_id(one)) for one in changed])
    proposed = {one: body for one in changed if (body := proposals.get(Ref("Provenance", proposal_id(one))))}
    if not proposed:
        return []
    there = current_of(records, actor, proposed)
    loose = [one for one, (_, body) in there.items() if _is_loose(body)]
    decided: dict[Ref, tuple[int, str]] = {}
    for _, said in about_any(records, actor, loose):
        activity = activity_of(said)
        for target in targets_in(said) if activity in _DECISIONS else ():
            decided[target.bare] = max(decided.get(target.bare, (0, "")), (target.version, activity))

    def stands(one: Ref) -> bool:
        _, latest = decided.get(one, (0, ""))
        return latest != "" and (latest not in _CLOSING or is_withdrawn(there[one][1]))

    return [(one, proposed[one][1]) for one in loose if not stands(one)]


def _is_loose(resource: Resource) -> bool:
    return not is_open(resource) and tag_of(resource, STATE) != BYPASSED


def _record(transaction: Transaction, one: Ref, proposal: Resource) -> Ref | None:
    """Say what happened, in one transaction. Raises VersionConflict."""
    there = current_in(transaction, one)
    if there is None or not _is_loose(there[1]):
        return None
    before, body = there
    resource = labelled(stated(body, BYPASSED), AIAST)
    reason = Reason(say("drafts.bypassed", "en"), say("drafts.bypassed", "zh"), BYPASSED)
    if is_withdrawn(body):  # closed by hand: nothing of it is in use, nobody need look
        after = put(transaction, resource, if_match=before.version)
    else:
        after = put(transaction, marked(resource), if_match=before.version)
        id_ = review_id(one, before, before.version)
        put(transaction, review(after, resource, before, None, reason, id_))
    put_all(transaction, [(of_bypass([before, after], origin_of(proposal), reason, instant_now()), None)])
    return after
