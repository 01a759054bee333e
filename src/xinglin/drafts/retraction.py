"""Retraction: an input was corrected, withdrawn or moved; everything computed from it is superseded or flagged.

From the change feed come ids. For each changed resource the Provenances that cite it are found; a result is *touched* where
the version it rests on differs, in what counts, from what the resource is now. Then everything computed from a touched
result is touched too, through any number of steps. An open draft is superseded with the reason. A result that a clinician
stands for keeps its content and gets a mark (``meta.tag``), and whoever accepted it gets a Task to look again.

Meeting a change twice does nothing twice: a closed draft stays closed, a review has the id of its result and cause. A draft
that was written while its input changed is met when its own Provenance comes by in the feed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from xinglin import __version__
from xinglin.drafts.graph import about_any, citing_any
from xinglin.drafts.parts import HELD, RETRACTION, STATE, Model, Reason, Ref
from xinglin.drafts.provenance import (
    Resource,
    activity_of,
    entities_in,
    of_supersession,
    person_in,
    targets_in,
)
from xinglin.drafts.reading import current_of, current_of_in, version
from xinglin.drafts.reviewing import review, review_id
from xinglin.drafts.states import Change, difference, is_open, marked, tag_of
from xinglin.drafts.writing import closed, ensure, instant_now, put_all
from xinglin.kernel.language import say
from xinglin.kernel.log import logger
from xinglin.records import repository
from xinglin.records.errors import VersionConflict
from xinglin.records.service import Records
from xinglin.records.stored import Change as Entry
from xinglin.records.transaction import Transaction
from xinglin.trust import Actor, scope

BY: Final = Model("xinglin-retraction", __version__)
AT_ONCE: Final = 100
"""Results that one transaction deals with: other writers wait meanwhile (about 100 ms)."""
MOST: Final = 100_000
"""Results that one change may touch; past it the rest is left and the log says so."""
_TRIES: Final = 5


@dataclass(frozen=True, slots=True)
class Cause:
    """What set it off: the resource as it is now (without a version where it is deleted), and what became of it.

    ``at``: the version that did so, the deletion's too.
    """

    ref: Ref
    change: Change
    at: int


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
    by_tenant: dict[int, list[Entry]] = {}
    for entry in changes:
        by_tenant.setdefault(entry.tenant, []).append(entry)
    superseded = flagged = 0
    for tenant, entries in by_tenant.items():
        done = retract(records, service(tenant), _roots(records, service(tenant), entries))
        superseded, flagged = superseded + done.superseded, flagged + done.flagged
    return Outcome(superseded, flagged)


def service(tenant: int) -> Actor:
    """In whose name retraction works."""
    return Actor("retraction", tenant, "HOPERAT", "service")


def retract(records: Records, actor: Actor, roots: Mapping[Ref, int]) -> Outcome:
    """Retract what rests on other content of ``roots`` than they have now.

    Each with the version that a Provenance is taken to mean that names none.
    """
    if not roots:
        return Outcome()
    for left in range(_TRIES - 1, -1, -1):
        try:
            return _retract(records, actor, roots)
        except VersionConflict:
            # A clinician was quicker: look again at what they decided, and who stands for it.
            if not left:
                raise
    raise AssertionError


def _retract(records: Records, actor: Actor, roots: Mapping[Ref, int]) -> Outcome:
    with records.reading():  # what comes later comes by in the feed
        touched = _touched(records, actor, roots)
    superseded = flagged = 0
    for start in range(0, len(touched), AT_ONCE):
        batch = touched[start : start + AT_ONCE]
        done = records.transact(actor, partial(_deal, batch=batch))
        superseded, flagged = superseded + done.superseded, flagged + done.flagged
    if touched:
        logger("drafts").info(
            "retraction",
            type=touched[0].cause.ref.type,
            id=touched[0].cause.ref.id,
            causes=len({one.cause.ref for one in touched}),
            touched=len(touched),
            superseded=superseded,
            flagged=flagged,
        )
    return Outcome(superseded, flagged)


def _roots(records: Records, actor: Actor, entries: Sequence[Entry]) -> dict[Ref, int]:
    """The resources whose dependants changes may touch, each with the version before."""
    roots: dict[Ref, int] = {}

    def add(one: Ref, before: int) -> None:
        roots[one] = min(before, roots.get(one, before))

    new: list[Ref] = []
    for entry in entries:
        if entry.type == "Provenance":
            if entry.version == 1:
                new.append(Ref(entry.type, entry.id))
        elif entry.version > 1 or entry.method == "DELETE":
            add(Ref(entry.type, entry.id), entry.version - 1)
    cited = [
        entity
        for _, body in (current_of(records, actor, new) if new else {}).values()
        if activity_of(body) in ("propose", "correct", "confirm")
        for _, entity, _ in entities_in(body)
    ]
    there = current_of(records, actor, {one.bare for one in cited}) if cited else {}
    for one in cited:
        now = there.get(one.bare)
        if now is None or now[0].version != one.version:
            add(one.bare, one.version)
    return roots


def _touched(records: Records, actor: Actor, roots: Mapping[Ref, int]) -> list[Touched]:
    """Results that rest on what ``roots`` no longer are, nearest first, each once: step by step, few questions a step.

    What is closed already is passed by, and what rests on it: its own closing came by in the feed, or will.
    """
    history = _History(records, actor, roots)
    met: dict[Ref, Touched] = {}
    causes: dict[Ref, Cause | None] = dict.fromkeys(roots)
    while causes and len(met) < MOST:
        step: dict[Ref, Touched] = {}
        for base, result in _resting(records, actor, causes, met):
            cause, target = causes[base], result.target
            if target in step or target == base or (cause is not None and target == cause.ref.bare):
                continue
            if cause is None:
                change = history.change(base, result)
                cause = Cause(history.at(base), change, history.latest(base)) if change else None
            if cause is not None:
                step[target] = Touched(target, cause, result.owner)
        met |= step
        causes = {one: touched.cause for one, touched in step.items()}
    if causes:
        logger("drafts").error("retraction_bound", roots=len(roots), most=MOST)
    return list(met.values())


def _resting(
    records: Records, actor: Actor, bases: Collection[Ref], but: Collection[Ref]
) -> Iterator[tuple[Ref, _Met]]:
    """What rests on any of ``bases``, once for each Provenance that says so, and is not closed."""
    links: dict[tuple[Ref, Ref, Ref], Resource] = {}
    for place, body in citing_any(records, actor, bases):
        for entity, _ in _bases(body):
            if entity.bare in bases:
                for target in targets_in(body):
                    if target.bare not in but:
                        links[entity.bare, target.bare, place] = body
    there = current_of(records, actor, {target for _, target, _ in links}) if links else {}
    decided = [
        one
        for one, (_, body) in there.items()
        if not is_open(body) and tag_of(body, STATE) not in ("superseded", "rejected", "withdrawn")
    ]
    said: dict[Ref, dict[Ref, Resource]] = {one: {} for one in decided}
    for place, body in about_any(records, actor, decided):
        for target in targets_in(body):
            if target.bare in said:
                said[target.bare][place] = body
    for (base, target, _), body in links.items():
        if target in said:
            provenances = (body, *said[target].values())
            yield base, _Met(target, provenances, _owner(provenances))
        elif target in there and is_open(there[target][1]):  # undecided: it rests on what its proposal says
            yield base, _Met(target, (body,), None)


@dataclass(frozen=True, slots=True)
class _Met:
    """A result on the way: the Provenances that tell what it rests on, and who stands for it."""

    target: Ref
    provenances: tuple[Resource, ...]
    owner: Resource | None


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


class _History:
    """What became of the roots since the versions that results rest on; each version is read once."""

    def __init__(self, records: Records, actor: Actor, roots: Mapping[Ref, int]) -> None:
        self._records = records
        self._actor = actor
        self._before = roots
        self._now = current_of(records, actor, roots)
        self._versions: dict[Ref, Resource | None] = {}

    def at(self, root: Ref) -> Ref:
        """Where it is now; without a version where it is deleted."""
        now = self._now.get(root)
        return now[0] if now else root

    def latest(self, root: Ref) -> int:
        """Its latest version; of what is deleted, the deletion: each of several is a cause of its own."""
        if now := self._now.get(root):
            return now[0].version
        with self._records.reading() as connection:
            found = repository.read(connection, scope(self._actor, "read", root.type), root.type, root.id)
        return found.version if found is not None else 0

    def change(self, root: Ref, met: _Met) -> Change:
        """What became of ``root`` since the version that a result rests on.

        Of several versions that Provenances of the target name, the latest counts: an accepted correction has written
        its own, a confirmed result was looked at again.
        """
        cited = 0
        used: tuple[str, ...] = ()
        for body in met.provenances:
            for entity, elements in _bases(body):
                if entity.bare == root:
                    cited, used = max(cited, entity.version or self._before[root]), elements or used
            for other in targets_in(body):
                if other.bare == root:
                    cited = max(cited, other.version)
        now = self._now.get(root)
        if now is not None and now[0].version == cited:
            return ""
        one = Ref(root.type, root.id, cited)
        if one not in self._versions:
            self._versions[one] = version(self._records, self._actor, one)
        return difference(self._versions[one], now[1] if now else None, used)


def _owner(provenances: Sequence[Resource]) -> Resource | None:
    """Who stands for a result: the person of its latest decision."""
    decisions = [
        (str(body.get("recorded", "")), person)
        for body in provenances
        if activity_of(body) in ("accept", "amend", "confirm") and (person := person_in(body))
    ]
    return max(decisions, key=lambda one: one[0])[1] if decisions else None


def _deal(transaction: Transaction, batch: Sequence[Touched]) -> Outcome:
    """Close the open ones of ``batch``, mark those that a clinician stands for and ask for a review, once each."""
    closing: list[tuple[Touched, Ref]] = []
    flagging: list[tuple[Touched, Resource]] = []
    results: list[tuple[Resource, int | None]] = []
    found = current_of_in(
        transaction,
        [*(one.ref for one in batch), *(Ref("Task", _review_id(one)) for one in batch if one.owner)],
    )
    for one in batch:
        there = found.get(one.ref)
        if there is not None and is_open(there[1]):
            closing.append((one, there[0]))
            results.append((closed(there[1], reason(one.cause)), there[0].version))
    for one in batch:
        there = None if one.owner is None else found.get(one.ref)
        if there is not None and tag_of(there[1], STATE) in HELD and not _asked(found, there[1], one):
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


def _asked(found: Mapping[Ref, object], resource: Resource, one: Touched) -> bool:
    """Whether a review waits already, or the owner was asked because of this very change before."""
    return bool(tag_of(resource, RETRACTION)) or Ref("Task", _review_id(one)) in found


def _review_id(one: Touched) -> str:
    return review_id(one.ref, one.cause.ref, one.cause.at)


def reason(cause: Cause) -> Reason:
    """The sentence that says why, in both languages."""
    key = f"drafts.retracted-{cause.change}"
    values = {"reference": cause.ref.name}
    return Reason(say(key, "en", **values), say(key, "zh", **values), f"input-{cause.change}")
