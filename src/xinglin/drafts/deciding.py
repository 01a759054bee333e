"""Deciding: a clinician accepts, amends or rejects; in one transaction with the Provenance that says so.

Each decision is on the version that was seen (``version``; another one is refused, 412) and on inputs that still are what
they were (else 409, even before retraction has come by). Accepting a correction writes the corrected resource in the same
transaction, and only over the version that it corrects. A draft never goes back to being open.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from xinglin.drafts.changes import paths, replaced
from xinglin.drafts.errors import Altered, BadDecision, Decided, InputChanged, NotAClinician, NotADraft
from xinglin.drafts.parts import AIAST, BYPASSED, CLINAST, HELD, RETRACTION, Draft, Reason, Ref, State, ref
from xinglin.drafts.proposing import corrected_content
from xinglin.drafts.provenance import Resource, concept, of_decision, proposal_id, targets_in
from xinglin.drafts.reading import current_in, draft_in, found, version_in
from xinglin.drafts.reviewing import REVIEW, finish_reviews
from xinglin.drafts.states import difference, in_state, is_open, labelled, subject_of, unmarked
from xinglin.drafts.writing import checked, instant_now, put
from xinglin.records.errors import NotFound, VersionConflict
from xinglin.records.service import Records
from xinglin.records.transaction import Transaction
from xinglin.trust import Actor

REJECTIONS: Final = ("incorrect", "wrong-input", "not-relevant", "already-known", "too-late", "other")
"""Why a draft was rejected; each has its sentence in messages.toml, ``reject-…``."""
LONGEST_NOTE: Final = 4000

_ACCEPTED: Final[tuple[str, State]] = ("accept", "accepted")
_AMENDED: Final[tuple[str, State]] = ("amend", "amended")

Decide = Callable[[Transaction, Draft], Draft]
Edit = Callable[[Resource], Resource]
"""Gives the changed content of what is proposed."""


def clinician(actor: Actor) -> None:
    """Raises NotAClinician unless ``actor`` is a person who may decide: a practitioner, or who sits at this machine."""
    if actor.kind == "practitioner" or (actor.kind == "system" and actor.id == "local-system"):
        return
    raise NotAClinician("drafts.not-a-clinician", kind=actor.kind)


def accept(records: Records, actor: Actor, one: Ref, version: int | None, note: str) -> Draft:
    """Make a draft final as it is; or, where it was marked by a retraction, confirm that it still holds."""
    clinician(actor)
    reviews = open_reviews(records, actor, one)

    def decide(transaction: Transaction, draft: Draft) -> Draft:
        if draft.changed and draft.state in HELD:
            done = _confirm(transaction, draft, note, reviews)
            finish_reviews(transaction, reviews)
            return done
        _open(draft)
        _still(transaction, draft)
        content = None
        if draft.origin.corrects is not None:
            content = corrected_content(draft.resource, draft.origin.corrects)
        changed = _altered(transaction, draft, seen=version is not None)
        activity, state = _AMENDED if changed else _ACCEPTED
        done = _finish(transaction, draft, activity, state, _note(note), content, changed)
        finish_reviews(transaction, reviews)
        return done

    return _decided(records, actor, one, version, decide)


def amend(records: Records, actor: Actor, one: Ref, edit: Edit, version: int | None, note: str) -> Draft:
    """Make a draft final as the clinician's ``edit`` has it; of a correction, of the corrected resource."""
    clinician(actor)
    reviews = open_reviews(records, actor, one)

    def decide(transaction: Transaction, draft: Draft) -> Draft:
        _open(draft)
        _still(transaction, draft)
        target = draft.origin.corrects
        before = draft.resource if target is None else corrected_content(draft.resource, target)
        content = edit(before)
        if content.get("resourceType") != before["resourceType"]:
            raise BadDecision("drafts.amend-type", type=before["resourceType"])
        after = {**content, "id": before["id"]}
        if subject_of(after) != subject_of(before):
            raise BadDecision("drafts.amend-subject", reference=draft.reference)
        if target is None:
            after = in_state({**after, "meta": draft.resource.get("meta", {})}, "open")  # its status is ours
        changed = paths(before, after)
        done = _finish(transaction, draft, "amend", "amended", _note(note), after, changed)
        finish_reviews(transaction, reviews)
        return done

    return _decided(records, actor, one, version, decide)


def with_values(values: Mapping[str, str]) -> Edit:
    """An edit that sets single elements, each by its path, to what was typed. It raises BadDecision."""

    def edit(content: Resource) -> Resource:
        for path, text in values.items():
            try:
                content = replaced(content, path, text.strip())
            except KeyError as error:
                raise BadDecision("drafts.amend-path", path=path[:80]) from error
            except ValueError as error:
                raise BadDecision("drafts.amend-number", path=path[:80]) from error
        return content

    return edit


def reject(records: Records, actor: Actor, one: Ref, code: str, text: str, version: int | None) -> Draft:
    """Refuse a draft, with a coded reason; or withdraw an accepted result that a retraction has marked."""
    clinician(actor)
    if code not in REJECTIONS:
        raise BadDecision("drafts.reject-code", given=code[:40], known=", ".join(REJECTIONS))
    if code == "other" and not text.strip():
        raise BadDecision("drafts.reject-text")
    reason = _note(text, code)
    reviews = open_reviews(records, actor, one)

    def decide(transaction: Transaction, draft: Draft) -> Draft:
        if draft.changed and draft.state in HELD:
            if draft.origin.corrects is not None:
                raise BadDecision("drafts.withdraw-correction", reference=draft.origin.corrects.name)
            done = _finish(transaction, draft, "withdraw", "withdrawn", reason)
            finish_reviews(transaction, reviews)
            return done
        _open(draft)
        done = _finish(transaction, draft, "reject", "rejected", reason)
        finish_reviews(transaction, reviews)
        return done

    return _decided(records, actor, one, version, decide)


def open_reviews(records: Records, actor: Actor, one: Ref) -> list[Resource]:
    """The requests to look at ``one`` again that nobody has answered."""
    asked = (("focus", one.name), ("code", f"{RETRACTION}|{REVIEW}"), ("status", "requested"))
    return [task for _, task in found(records, actor, "Task", *asked)]


def _decided(records: Records, actor: Actor, one: Ref, version: int | None, decide: Decide) -> Draft:
    clinician(actor)

    def work(transaction: Transaction) -> Draft:
        draft = draft_in(transaction, one)
        if draft is None:
            raise NotFound("records.not-found", type=one.type, id=one.id)
        if version is not None and version != draft.ref.version:
            raise VersionConflict(
                "records.version-conflict",
                type=one.type,
                id=one.id,
                current=draft.ref.version,
                expected=version,
            )
        return decide(transaction, draft)

    return records.transact(actor, work)


def _open(draft: Draft) -> None:
    if is_open(draft.resource) or draft.state == BYPASSED:
        return
    state = draft.state if draft.state != "open" else "changed"
    raise Decided(f"drafts.decided-{state}", reference=draft.reference)


def _still(transaction: Transaction, draft: Draft) -> None:
    """Raises InputChanged where an input is not what the draft rests on."""
    key = "drafts.bypassed-changed" if draft.state == BYPASSED else "drafts.rests-on-changed"
    for one in draft.origin.inputs:
        now = current_in(transaction, one.ref.bare)
        if difference(version_in(transaction, one.ref), now[1] if now else None, one.elements):
            raise InputChanged(key, reference=draft.reference, input=one.reference)


def _altered(transaction: Transaction, draft: Draft, *, seen: bool) -> tuple[str, ...]:
    """The paths at which a direct write has changed what was proposed: who accepts it accepts that, not what the model said.

    Raises Altered where the decision does not name the version that was ``seen``, BadDecision where the patient is another.
    """
    there = current_in(transaction, Ref("Provenance", proposal_id(draft.ref)))
    at = targets_in(there[1])[0] if there is not None and targets_in(there[1]) else draft.ref
    proposed = None if at.version == draft.ref.version else version_in(transaction, at)
    if proposed is None:
        return ()
    same = partial(in_state, state="open")  # its own state is no content
    before, after = same(proposed), same(draft.resource)
    if subject_of(before) != subject_of(after):
        raise BadDecision("drafts.amend-subject", reference=draft.reference)
    changed = paths(before, after)
    if before.get("contained") != after.get("contained"):
        changed += ("contained",)
    if changed and not seen:
        raise Altered("drafts.altered", reference=draft.reference)
    return changed


def _note(text: str, code: str = "") -> Reason:
    if len(text) > LONGEST_NOTE:
        raise BadDecision("drafts.note-long", most=LONGEST_NOTE)
    text = text.strip()
    chinese = re.search(r"[㐀-鿿]", text) is not None  # kept once, as it was written
    return Reason("" if chinese else text, text if chinese else "", code)


def _finish(
    transaction: Transaction,
    draft: Draft,
    activity: str,
    state: State,
    reason: Reason,
    content: Resource | None = None,
    changed: tuple[str, ...] = (),
) -> Draft:
    """Write the decision: the draft in its new state, what it corrects, and the Provenance of both."""
    written, revised = [], [draft.ref]
    body = draft.resource
    if content is not None and draft.origin.corrects is None:
        body = content
    elif content is not None:
        target, before = _correct(transaction, draft, content)
        written.append(target)
        revised.append(before)
    final = in_state(body, state)
    if draft.ref.type == "Task" and (said := concept(reason)):
        final["statusReason"] = said
    checked(final)
    after = put(transaction, final, if_match=draft.ref.version)
    actor = transaction.actor
    put(
        transaction,
        of_decision(
            activity, actor, [after, *written], revised, draft.origin, reason, instant_now(), changed
        ),
    )
    return _reread(transaction, after)


def _correct(transaction: Transaction, draft: Draft, content: Resource) -> tuple[Ref, Ref]:
    """The corrected resource over the version that it corrects: where it is now, and where it was."""
    cited = draft.origin.corrects
    assert cited is not None
    there = current_in(transaction, cited)
    # Labels and tags may have been added since: these stay, and are no reason to refuse.
    if there is None or difference(version_in(transaction, cited), there[1]):
        raise InputChanged("drafts.target-changed", reference=draft.reference, target=cited.name)
    corrected: dict[str, Any] = {**content, "id": cited.id}
    corrected.pop("meta", None)
    if "meta" in there[1]:
        corrected["meta"] = there[1]["meta"]
    corrected = labelled(corrected, AIAST, CLINAST)
    checked(corrected)
    return put(transaction, corrected, if_match=there[0].version), there[0]


def _confirm(transaction: Transaction, draft: Draft, note: str, reviews: list[Resource]) -> Draft:
    """A marked result still holds, by what its inputs are now: these are what it rests on from here.

    Of an input that a review was about, the version that it named counts: where that has changed once more, nobody knows
    which one the clinician has seen, and retraction asks again.
    """
    asked = [ref((task.get("reasonReference") or {}).get("reference")) for task in reviews]
    named = {about.bare: about for about in sorted(one for one in asked if one is not None) if about.version}
    confirmed = unmarked(draft.resource)
    after = put(transaction, confirmed, if_match=draft.ref.version)
    provenance = of_decision(
        "confirm", transaction.actor, [after], [draft.ref], draft.origin, _note(note), instant_now()
    )
    for one in draft.origin.inputs:
        now = current_in(transaction, one.ref.bare)
        if now is not None:
            cited = named.get(now[0].bare, now[0])
            provenance["entity"].append({"role": "source", "what": {"reference": str(cited)}})
    put(transaction, provenance)
    return _reread(transaction, after)


def _reread(transaction: Transaction, one: Ref) -> Draft:
    found = draft_in(transaction, one)
    if found is None:
        raise NotADraft("drafts.not-a-draft", reference=one.name)
    return found
