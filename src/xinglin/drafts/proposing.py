"""Proposing: drafts and their Provenance in one transaction, once for the same inputs and model, whoever else tries.

The *slot* is what is computed (kind, model, inputs whatever their versions). Whoever proposes into a slot looks it up first;
on PostgreSQL that search is a lock, so two workers never make two drafts. Inputs that changed since they were read are
refused: a draft must not be older than what it rests on.
"""

from __future__ import annotations

from typing import Final

from xinglin.drafts.errors import BadProposal, InputChanged, NotADraft
from xinglin.drafts.parts import KIND, SLOT, Draft, Origin, Proposal, Reason, Ref, ref
from xinglin.drafts.provenance import Resource, concept, of_proposal
from xinglin.drafts.reading import current_in, draft_in, query, version_in
from xinglin.drafts.states import difference, form, in_state, is_open, subject_of
from xinglin.drafts.writing import checked, close, ensure, instant_now, put
from xinglin.kernel.ids import stable_id
from xinglin.kernel.language import say
from xinglin.records.service import Records
from xinglin.records.transaction import Transaction
from xinglin.standards.fhir.search.query import Query
from xinglin.trust import Actor

TASK: Final = "urn:xinglin:draft:task"
PROPOSED: Final = "proposed"
_MOST_IN_SLOT: Final = 1000


def propose(records: Records, actor: Actor, proposal: Proposal) -> list[Draft]:
    """The drafts of ``proposal``: new ones, or those that the same model made of the same inputs before.

    Raises BadProposal, NotDraftable, InputChanged, Invalid.
    """
    corrects = _corrected(proposal)
    origin = Origin(
        proposal.by,
        proposal.kind,
        proposal.inputs,
        corrects,
        proposal.reason,
        instant_now(),
        proposal.confidence,
    )
    slot = _slot(proposal, corrects)
    resources = [_drafted(origin, one, slot) for one in proposal.resources]
    ids = _ids(slot, proposal.by.version, proposal.by.hash, _cited(origin), len(resources))
    for resource, id_ in zip(resources, ids, strict=True):
        resource["id"] = id_
        checked(resource)
    question = query(records, actor, None, ("_tag", f"{SLOT}|{slot}"))
    return records.transact(actor, lambda t: _write(t, question, slot, origin, resources))


def _write(
    transaction: Transaction, question: Query, slot: str, origin: Origin, resources: list[Resource]
) -> list[Draft]:
    names = transaction.find(question, most=_MOST_IN_SLOT)
    there = [draft for name in names if (draft := _there(transaction, name)) is not None]
    _check_current(transaction, origin)
    same = [one for one in there if _same_inputs(transaction, one.origin, origin)]
    for one in same:
        if _stands(one, origin, same):
            made = one.origin
            ids = _ids(slot, made.model.version, made.model.hash, _cited(made), len(there))
            by_id = {each.ref.id: each for each in there}
            return [by_id[id_] for id_ in ids if id_ in by_id]
    ensure(transaction, origin.model)
    older = [one for one in there if is_open(one.resource)]
    done = [put(transaction, resource) for resource in resources]
    for at, target in enumerate(done):
        put(transaction, of_proposal(target, origin, [one.ref for one in older] if at == 0 else []))
    for one in older:
        newer_model = one.origin.model != origin.model
        key = "drafts.superseded-by-model" if newer_model else "drafts.superseded-by-input"
        values = {"model": origin.model.text, "by": done[0].name if done else origin.model.text}
        reason = Reason(say(key, "en", **values), say(key, "zh", **values), "newer")
        close(transaction, one, origin.model, reason, done[0] if done else None)
    return [draft for target in done if (draft := draft_in(transaction, target)) is not None]


def _stands(one: Draft, origin: Origin, same: list[Draft]) -> bool:
    """Whether ``one`` is what ``origin`` would propose; ``same``: all that rest on the same.

    One that was superseded stands only where a newer model closed it, or where it names the very versions. Else its inputs
    had changed, and are again what they were: what was right to say of them then is to be said anew.
    """
    if one.origin.model != origin.model:
        return is_open(one.resource) and origin.model.older_than(one.origin.model)
    return (
        one.state != "superseded"
        or _cited(one.origin) == _cited(origin)
        or any(origin.model.older_than(other.origin.model) for other in same)
    )


def _there(transaction: Transaction, name: tuple[str, str]) -> Draft | None:
    """A draft in the slot; None for what only bears its tags, such as a copy that somebody made."""
    try:
        return draft_in(transaction, Ref(*name))
    except NotADraft:
        return None


def _check_current(transaction: Transaction, origin: Origin) -> None:
    cited = [(one.ref, one.elements) for one in origin.inputs]
    if origin.corrects is not None:
        cited.append((origin.corrects, ()))
    for one, elements in cited:
        before = version_in(transaction, one)
        now = current_in(transaction, one)
        if before is None or difference(before, now[1] if now else None, elements):
            raise InputChanged("drafts.input-changed", reference=str(one))


def _same_inputs(transaction: Transaction, one: Origin, other: Origin) -> bool:
    """Whether two computations rest on the same, versions apart that differ in nothing that counts."""
    if one.kind != other.kind or len(one.inputs) != len(other.inputs):
        return False
    pairs = list(zip(sorted(one.inputs, key=_name), sorted(other.inputs, key=_name), strict=True))
    if (
        one.corrects is not None
        and other.corrects is not None
        and one.corrects != other.corrects
        and difference(version_in(transaction, one.corrects), version_in(transaction, other.corrects))
    ):
        return False
    return all(
        a.reference == b.reference
        or not difference(version_in(transaction, a.ref), version_in(transaction, b.ref), b.elements)
        for a, b in pairs
    )


def _name(one: object) -> str:
    return str(getattr(one, "reference", ""))


def _corrected(proposal: Proposal) -> Ref | None:
    if not proposal.inputs:
        raise BadProposal("drafts.no-inputs", kind=proposal.kind[:60])
    if not proposal.corrects:
        return None
    found = ref(proposal.corrects)
    if found is None or not found.version:
        raise BadProposal("drafts.input-unversioned", reference=proposal.corrects[:120])
    if len(proposal.resources) != 1 or proposal.resources[0].get("resourceType") != found.type:
        raise BadProposal("drafts.correction-form", reference=str(found))
    return found


def _cited(origin: Origin) -> list[str]:
    return sorted(
        [one.reference for one in origin.inputs] + ([str(origin.corrects)] if origin.corrects else [])
    )


def _slot(proposal: Proposal, corrects: Ref | None) -> str:
    names = sorted(one.ref.name for one in proposal.inputs)
    return stable_id("draft-slot", proposal.kind, proposal.by.name, corrects.name if corrects else "", *names)


def _ids(slot: str, version: str, hash_: str, cited: list[str], number: int) -> list[str]:
    return [stable_id("draft", slot, version, hash_, *cited, str(at)) for at in range(number)]


def _drafted(origin: Origin, resource: Resource, slot: str) -> Resource:
    """What is proposed, as an open draft. Raises NotDraftable."""
    if origin.corrects is not None:
        resource = _correction(origin, origin.corrects, resource)
    form(str(resource.get("resourceType", "")))
    opened = in_state({name: value for name, value in resource.items() if name != "id"}, "open")
    opened["meta"]["tag"] += [{"system": SLOT, "code": slot}, {"system": KIND, "code": origin.kind}]
    return opened


def _correction(origin: Origin, target: Ref, content: Resource) -> Resource:
    """A Task that holds the corrected content, so that nothing that searches the record counts the value twice."""
    nested = content.get("contained") or []
    left_out = ("id", "meta", "contained")
    inner = {name: value for name, value in content.items() if name not in left_out}
    task: Resource = {
        "resourceType": "Task",
        "contained": [{"resourceType": target.type, "id": PROPOSED, **inner}, *nested],
        "code": {"coding": [{"system": TASK, "code": "correct"}], "text": "Correction"},
        "focus": {"reference": str(target)},
        "authoredOn": origin.at,
        "reasonCode": concept(origin.reason),
        "input": [
            {
                "type": {"coding": [{"system": TASK, "code": "corrected-content"}]},
                "valueReference": {"reference": f"#{PROPOSED}"},
            }
        ],
    }
    subject = subject_of({**content, "id": target.id})
    if subject:
        task["for"] = {"reference": subject}
    return task


def corrected_content(task: Resource, target: Ref) -> Resource:
    """The whole corrected resource that a correction's Task holds."""
    contained = task.get("contained") or []
    inner = next((one for one in contained if one.get("id") == PROPOSED), None)
    if inner is None:
        raise BadProposal("drafts.correction-form", reference=str(target))
    nested = [one for one in contained if one.get("id") != PROPOSED]
    content = {**inner, "id": target.id}
    return {**content, "contained": nested} if nested else content
