"""Retraction: an input was corrected, withdrawn or moved; everything computed from it is superseded or flagged.

From the change feed come ids. For each changed resource the Provenances that cite it are found; a result is *touched* where
the version it rests on differs, in what counts, from what the resource is now. Then everything computed from a touched
result is touched too, through any number of steps. An open draft is superseded with the reason. A result that a clinician
stands for keeps its content and gets a mark (``meta.tag``), and whoever accepted it gets a Task to look again.

Meeting a change twice does nothing twice: a closed draft stays closed, a review has the id of its result and cause. A draft
that was written while its input changed is met when its own Provenance comes by in the feed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from xinglin import __version__
from xinglin.drafts.graph import about, citing
from xinglin.drafts.parts import HELD, RETRACTION, STATE, Model, Reason, Ref
from xinglin.drafts.provenance import (
    Resource,
    activity_of,
    entities_in,
    of_supersession,
    person_in,
    targets_in,
)
from xinglin.drafts.reading import current, current_in, version
from xinglin.drafts.reviewing import review, review_id
from xinglin.drafts.states import Change, difference, is_open, marked, tag_of
from xinglin.drafts.writing import closed, ensure, instant_now, put_all
from xinglin.kernel.language import say
from xinglin.kernel.log import logger
from xinglin.records.errors import VersionConflict
from xinglin.records.service import Records
from xinglin.records.stored import Change as Entry
from xinglin.records.transaction import Transaction
from xinglin.trust import Actor

BY: Final = Model("xinglin-retraction", __version__)
AT_ONCE: Final = 50
"""Results that one transaction deals with: other writers wait meanwhile (about 50 ms)."""
MOST: Final = 100_000
"""Results that one change may touch; past it the rest is left and the log says so."""
_TRIES: Final = 5


@dataclass(frozen=True, slots=True)
class Cause:
    """What set it off: the resource as it is now (or was, where it is deleted), and what became of it."""

    ref: Ref
    change: Change


@dataclass(frozen=True, slots=True)
class Touched:
    """A result to deal with; ``owner``: who stands for it, by its decision's Provenance."""

    ref: Ref
    cause: Cause
    owner: Resource | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How many open drafts were superseded, and how many accepted results were flagged."""

    superseded: int = 0
    flagged: int = 0


def handle(records: Records, changes: Iterable[Entry]) -> Outcome:
    """Retract what rests on the resources of ``changes``, entries of the change feed."""
    superseded = flagged = 0
    roots: dict[tuple[int, Ref], int] = {}
    for entry in changes:
        for one, before in _roots(records, entry):
            key = (entry.tenant, one)
            roots[key] = min(before, roots.get(key, before))
    for (tenant, one), before in roots.items():
        done = retract(records, service(tenant), one, before)
        superseded, flagged = superseded + done.superseded, flagged + done.flagged
    return Outcome(superseded, flagged)


def service(tenant: int) -> Actor:
    """In whose name retraction works."""
    return Actor("retraction", tenant, "HOPERAT", "service")


def retract(records: Records, actor: Actor, one: Ref, before: int = 0) -> Outcome:
    """Retract what rests on other content of ``one`` than it has now.

    ``before``: the version that a Provenance is taken to mean that names none.
    """
    touched = list(_touched(records, actor, one.bare, before))
    superseded = flagged = 0
    for start in range(0, len(touched), AT_ONCE):
        batch = touched[start : start + AT_ONCE]
        done = _written(records, actor, batch)
        superseded, flagged = superseded + done.superseded, flagged + done.flagged
    if touched:
        logger("drafts").info(
            "retraction",
            type=one.type,
            id=one.id,
            touched=len(touched),
            superseded=superseded,
            flagged=flagged,
        )
    return Outcome(superseded, flagged)


def _roots(records: Records, entry: Entry) -> Iterator[tuple[Ref, int]]:
    """The resources whose dependants a change may touch, and the version before it."""
    one = Ref(entry.type, entry.id)
    if entry.type != "Provenance":
        if entry.version > 1 or entry.method == "DELETE":
            yield one, entry.version - 1
        return
    if entry.version > 1:
        return
    there = current(records, service(entry.tenant), one)
    if there is None or activity_of(there[1]) not in ("propose", "correct"):
        return
    for _, entity, _ in entities_in(there[1]):
        now = current(records, service(entry.tenant), entity)
        if now is None or now[0].version != entity.version:
            yield entity.bare, entity.version


def _touched(records: Records, actor: Actor, root: Ref, before: int) -> Iterator[Touched]:
    """Results that rest on what ``root`` no longer is, nearest first, each once.

    What is closed already is passed by, and what rests on it: its own closing came by in the feed, or will.
    """
    now = current(records, actor, root)
    at = now[0] if now else root
    seen = {root}
    queue: deque[tuple[Ref, Cause]] = deque()
    for _, body in citing(records, actor, root):
        if not any(entity.bare == root for entity, _ in _bases(body)):
            continue
        for target in targets_in(body):
            met = None if target.bare in seen else _met(records, actor, target, body)
            if met is None:
                continue
            change = _change(records, actor, root, met, now, before)
            if change:
                seen.add(target.bare)
                queue.append((target.bare, Cause(at, change)))
                yield Touched(target.bare, Cause(at, change), met.owner)
    while queue and len(seen) < MOST:
        one, cause = queue.popleft()
        for _, body in citing(records, actor, one):
            if not any(entity.bare == one for entity, _ in _bases(body)):
                continue
            for target in targets_in(body):
                met = None if target.bare in seen else _met(records, actor, target, body)
                if met is not None:
                    seen.add(target.bare)
                    queue.append((target.bare, cause))
                    yield Touched(target.bare, cause, met.owner)
    if queue:
        logger("drafts").error("retraction_bound", type=root.type, id=root.id, most=MOST)


@dataclass(frozen=True, slots=True)
class _Met:
    """A result on the way: the Provenances that tell what it rests on, and who stands for it."""

    target: Ref
    provenances: tuple[Resource, ...]
    owner: Resource | None


def _met(records: Records, actor: Actor, target: Ref, cited_by: Resource) -> _Met | None:
    """A result as it is now; None where it is closed or gone."""
    there = current(records, actor, target)
    if there is None:
        return None
    if is_open(there[1]):  # nobody has decided on it: it rests on what its proposal says
        return _Met(target, (cited_by,), None)
    if tag_of(there[1], STATE) in ("superseded", "rejected", "withdrawn"):
        return None
    provenances = tuple(body for _, body in about(records, actor, target))
    return _Met(target, (cited_by, *provenances), _owner(provenances))


def _bases(body: Resource) -> Iterator[tuple[Ref, tuple[str, ...]]]:
    """The entities that the targets rest on, with the elements used.

    An older draft in whose place a new one stands, and what closed a draft, are named but not rested on.
    """
    activity = activity_of(body)
    if activity == "supersede":
        return
    for role, entity, elements in entities_in(body):
        if role in ("source", "derivation", "quotation") or (
            role == "revision" and activity not in ("propose", "")
        ):
            yield entity, elements


def _change(
    records: Records,
    actor: Actor,
    root: Ref,
    met: _Met,
    now: tuple[Ref, Resource] | None,
    before: int,
) -> Change:
    """What became of ``root`` since the version that a result rests on.

    Of several versions that Provenances of the target name, the latest counts: an accepted correction has written its
    own, a confirmed result was looked at again.
    """
    cited = 0
    used: tuple[str, ...] = ()
    for body in met.provenances:
        for entity, elements in _bases(body):
            if entity.bare == root:
                cited, used = max(cited, entity.version or before), elements or used
        for other in targets_in(body):
            if other.bare == root:
                cited = max(cited, other.version)
    if now is not None and now[0].version == cited:
        return ""
    return difference(version(records, actor, Ref(root.type, root.id, cited)), now[1] if now else None, used)


def _owner(provenances: Sequence[Resource]) -> Resource | None:
    """Who stands for a result: the person of its latest decision."""
    decisions = [
        (str(body.get("recorded", "")), person)
        for body in provenances
        if activity_of(body) in ("accept", "amend", "confirm") and (person := person_in(body))
    ]
    return max(decisions, key=lambda one: one[0])[1] if decisions else None


def _written(records: Records, actor: Actor, batch: Sequence[Touched]) -> Outcome:
    for _ in range(_TRIES - 1):
        try:
            return records.transact(actor, lambda transaction: _deal(transaction, batch))
        except VersionConflict:  # a clinician was quicker: look again at what they decided
            continue
    return records.transact(actor, lambda transaction: _deal(transaction, batch))


def _deal(transaction: Transaction, batch: Sequence[Touched]) -> Outcome:
    """Close the open ones of ``batch``, mark those that a clinician stands for and ask for a review, once each."""
    closing: list[tuple[Touched, Ref]] = []
    flagging: list[tuple[Touched, Resource]] = []
    results: list[tuple[Resource, int | None]] = []
    for one in batch:
        there = current_in(transaction, one.ref)
        if there is None:
            continue
        if is_open(there[1]):
            closing.append((one, there[0]))
            results.append((closed(there[1], reason(one.cause)), there[0].version))
    for one in batch:
        there = None if one.owner is None else current_in(transaction, one.ref)
        if there is not None and tag_of(there[1], STATE) in HELD and not _asked(transaction, there[1], one):
            flagging.append((one, there[1]))
            results.append((marked(there[1]), there[0].version))
    if not results:
        return Outcome()
    ensure(transaction, BY)
    after = put_all(transaction, results)
    at = instant_now()
    beside: list[tuple[Resource, int | None]] = []
    for (one, before), target in zip(closing, after, strict=False):
        cause = one.cause.ref if one.cause.ref.version else None
        beside.append((of_supersession(target, before, BY, reason(one.cause), cause, at), None))
    for (one, resource), target in zip(flagging, after[len(closing) :], strict=True):
        assert one.owner is not None
        beside.append(
            (review(target, resource, one.cause.ref, one.owner, reason(one.cause), _review_id(one)), None)
        )
    put_all(transaction, beside)
    return Outcome(len(closing), len(flagging))


def _asked(transaction: Transaction, resource: Resource, one: Touched) -> bool:
    """Whether a review waits already, or the owner was asked because of this very change before."""
    return bool(tag_of(resource, RETRACTION)) or transaction.read("Task", _review_id(one)) is not None


def _review_id(one: Touched) -> str:
    return review_id(one.ref, one.cause.ref, one.cause.ref.version)


def reason(cause: Cause) -> Reason:
    """The sentence that says why, in both languages."""
    key = f"drafts.retracted-{cause.change}"
    values = {"reference": cause.ref.name}
    return Reason(say(key, "en", **values), say(key, "zh", **values), f"input-{cause.change}")
