"""Provenance of drafts: written for proposals, decisions and supersessions, and read again.

A proposal's Provenance has a stable id, so that a draft leads to it without a search. Its agent is the model (a Device of
the record, with name, version and hash also in the reference's identifier); its entities are the inputs in the versions
read (``source``) and what is corrected or replaced (``revision``). A decision's first agent is the clinician, its second the
model; ``occurredPeriod`` runs from the proposal to the decision.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from xinglin.drafts.parts import DECISION, KIND, Input, Model, Origin, Reason, Ref, ref
from xinglin.kernel.ids import stable_id
from xinglin.trust import Actor

MODEL: Final = "urn:xinglin:model"
ACTOR: Final = "urn:xinglin:actor"
ACTIVITY: Final = "urn:xinglin:draft:activity"
REASON: Final = "urn:xinglin:draft:reason"
_ELEMENT: Final = "urn:xinglin:draft:used-element"
_CHANGED: Final = "urn:xinglin:draft:changed-element"
_CONFIDENCE: Final = "urn:xinglin:draft:confidence"
_TRANSLATION: Final = "http://hl7.org/fhir/StructureDefinition/translation"
_AGENT: Final = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"
_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}", re.ASCII)

Resource = dict[str, Any]


def proposal_id(draft: Ref) -> str:
    """The id of the Provenance that tells where a draft comes from."""
    return stable_id("draft-proposal", draft.type, draft.id)


def device_id(model: Model) -> str:
    """The id of the Device that stands for one version of a model."""
    return stable_id("model", model.identifier)


def device(model: Model) -> Resource:
    """One version of a model as a Device."""
    versions = [{"type": {"text": "version"}, "value": model.version}]
    if model.hash:
        versions.append({"type": {"text": "hash"}, "value": model.hash})
    return {
        "resourceType": "Device",
        "id": device_id(model),
        "identifier": [{"system": MODEL, "value": model.identifier}],
        "status": "active",
        "deviceName": [{"name": model.name, "type": "model-name"}],
        "type": {"text": "Software"},
        "version": versions,
    }


def concept(reason: Reason) -> Resource:
    """A reason as a CodeableConcept: English text with its Chinese translation, or whichever there is."""
    found: Resource = {}
    if reason.code:
        found["coding"] = [{"system": REASON, "code": reason.code}]
    if reason.en or reason.zh:
        found["text"] = reason.en or reason.zh
    if reason.en and reason.zh:
        parts = [{"url": "lang", "valueCode": "zh"}, {"url": "content", "valueString": reason.zh}]
        found["_text"] = {"extension": [{"url": _TRANSLATION, "extension": parts}]}
    return found


def reason_of(found: Resource) -> Reason:
    """`concept`, read again."""
    text, zh = str(found.get("text", "")), ""
    for extension in (found.get("_text") or {}).get("extension", ()):
        parts = {part.get("url"): part for part in extension.get("extension", ())}
        if extension.get("url") == _TRANSLATION and parts.get("lang", {}).get("valueCode") == "zh":
            zh = str(parts.get("content", {}).get("valueString", ""))
    codes = [coding.get("code", "") for coding in found.get("coding", ()) if coding.get("system") == REASON]
    return Reason(text, zh, codes[0] if codes else "")


def who(actor: Actor) -> Resource:
    """A person as a Reference: a Practitioner of the record, or by the name under which they signed in."""
    if actor.kind == "practitioner" and _ID.fullmatch(actor.id):
        return {"reference": f"Practitioner/{actor.id}"}
    return {"identifier": {"system": ACTOR, "value": actor.id}, "display": actor.id}


def _software(model: Model) -> Resource:
    return {
        "type": {"coding": [{"system": _AGENT, "code": "assembler"}]},
        "who": {
            "reference": f"Device/{device_id(model)}",
            "identifier": {"system": MODEL, "value": model.identifier},
            "display": model.text,
        },
    }


def _person(actor: Actor, part: str) -> Resource:
    return {"type": {"coding": [{"system": _AGENT, "code": part}]}, "who": who(actor)}


def _entity(role: str, what: Ref | str, elements: Sequence[str] = ()) -> Resource:
    reference: Resource = {"reference": str(what)}
    if elements:
        reference["extension"] = [{"url": _ELEMENT, "valueString": name} for name in elements]
    return {"role": role, "what": reference}


def _activity(code: str) -> Resource:
    return {"coding": [{"system": ACTIVITY, "code": code}]}


def of_proposal(target: Ref, origin: Origin, replaced: Sequence[Ref] = ()) -> Resource:
    """The Provenance of a draft; ``replaced``: the older drafts in whose place it stands."""
    entities = [_entity("source", one.reference, one.elements) for one in origin.inputs]
    if origin.corrects is not None:
        entities.append(_entity("revision", origin.corrects))
    entities += [_entity("revision", one) for one in replaced]
    found: Resource = {
        "resourceType": "Provenance",
        "id": proposal_id(target),
        "meta": {"tag": [{"system": KIND, "code": origin.kind}]},
        "target": [{"reference": str(target)}],
        "recorded": origin.at,
        "reason": [concept(origin.reason)],
        "activity": _activity("propose" if origin.corrects is None else "correct"),
        "agent": [_software(origin.model)],
        "entity": entities,
    }
    if origin.confidence is not None:
        found["extension"] = [{"url": _CONFIDENCE, "valueDecimal": origin.confidence}]
    return found


def origin_of(found: Resource) -> Origin:
    """Where a draft comes from, by its proposal's Provenance."""
    inputs, corrects = [], None
    correction = activity_of(found) == "correct"  # else a revision is an older draft that was replaced
    for entity in found.get("entity", ()):
        what = entity.get("what", {})
        target = ref(what.get("reference"))
        if entity.get("role") == "source" and target is not None:
            used = tuple(e["valueString"] for e in what.get("extension", ()) if e.get("url") == _ELEMENT)
            inputs.append(Input(str(target), used))
        elif correction and entity.get("role") == "revision" and corrects is None:
            corrects = target
    tags = (found.get("meta") or {}).get("tag", ())
    kind = next((str(tag.get("code")) for tag in tags if tag.get("system") == KIND), "")
    confidence = next(
        (e.get("valueDecimal") for e in found.get("extension", ()) if e.get("url") == _CONFIDENCE), None
    )
    return Origin(
        model_of(found),
        kind,
        tuple(inputs),
        corrects,
        reason_of((found.get("reason") or [{}])[0]),
        str(found.get("recorded", "")),
        None if confidence is None else float(confidence),
    )


def model_of(found: Resource) -> Model:
    """The model among the agents of a Provenance."""
    for agent in found.get("agent", ()):
        identifier = (agent.get("who") or {}).get("identifier") or {}
        if identifier.get("system") == MODEL:
            name, version, hash_ = (*str(identifier.get("value", "")).split("|"), "", "")[:3]
            return Model(name, version, hash_)
    return Model("", "")


def of_decision(
    activity: str,
    actor: Actor,
    targets: Sequence[Ref],
    revised: Sequence[Ref],
    origin: Origin,
    reason: Reason,
    at: str,
    changed: Sequence[str] = (),
) -> Resource:
    """The Provenance of a clinician's decision: ``revised`` are the versions before it, ``changed`` paths of an edit."""
    found: Resource = {
        "resourceType": "Provenance",
        "id": stable_id("draft-decision", *map(str, targets)),
        "meta": {"tag": [{"system": DECISION, "code": activity}]},
        "target": [{"reference": str(one)} for one in targets],
        "occurredPeriod": {"start": origin.at, "end": at},
        "recorded": at,
        "activity": _activity(activity),
        "agent": [_person(actor, "author" if activity == "amend" else "verifier"), _software(origin.model)],
        "entity": [_entity("revision", one) for one in revised],
    }
    if said := concept(reason):
        found["reason"] = [said]
    if changed:
        found["extension"] = [{"url": _CHANGED, "valueString": path} for path in changed]
    return found


def changed_in(found: Resource) -> tuple[str, ...]:
    """The paths that an edit changed."""
    return tuple(e["valueString"] for e in found.get("extension", ()) if e.get("url") == _CHANGED)


def of_supersession(
    target: Ref, revised: Ref, by: Model, reason: Reason, cause: Ref | None, at: str
) -> Resource:
    """The Provenance of a draft that was closed by software; ``cause``: the version that made it so."""
    entities = [_entity("revision", revised)]
    if cause is not None:
        entities.append(_entity("source", cause))
    return {
        "resourceType": "Provenance",
        "id": stable_id("draft-supersession", str(target)),
        "meta": {"tag": [{"system": DECISION, "code": "supersede"}]},
        "target": [{"reference": str(target)}],
        "recorded": at,
        "reason": [concept(reason)],
        "activity": _activity("supersede"),
        "agent": [_software(by)],
        "entity": entities,
    }


def of_bypass(targets: Sequence[Ref], origin: Origin, reason: Reason, at: str) -> Resource:
    """The Provenance of a draft that a direct write closed: ``targets`` as it was written, and as it is recorded.

    Who wrote it the record does not know.
    """
    return {
        "resourceType": "Provenance",
        "id": stable_id("draft-bypass", str(targets[0])),
        "meta": {"tag": [{"system": DECISION, "code": "bypass"}]},
        "target": [{"reference": str(one)} for one in targets],
        "occurredPeriod": {"start": origin.at, "end": at},
        "recorded": at,
        "reason": [concept(reason)],
        "activity": _activity("bypass"),
        "agent": [_software(origin.model)],
    }


def activity_of(found: Resource) -> str:
    """What was done, in our own words; "" for a Provenance that is not ours."""
    for coding in (found.get("activity") or {}).get("coding", ()):
        if coding.get("system") == ACTIVITY:
            return str(coding.get("code", ""))
    return ""


def person_in(found: Resource) -> Resource | None:
    """The Reference of the clinician among the agents of a decision."""
    for agent in found.get("agent", ()):
        about: Resource = agent.get("who") or {}
        if (about.get("identifier") or {}).get("system") != MODEL:
            return about
    return None


def targets_in(found: Resource) -> list[Ref]:
    """What a Provenance is about, of this record."""
    return [one for t in found.get("target", ()) if (one := ref(t.get("reference"))) is not None]


def entities_in(found: Resource) -> list[tuple[str, Ref, tuple[str, ...]]]:
    """Role, resource and used elements of what a Provenance's targets come from."""
    out = []
    for entity in found.get("entity", ()):
        what = entity.get("what", {})
        if (one := ref(what.get("reference"))) is not None:
            used = tuple(e["valueString"] for e in what.get("extension", ()) if e.get("url") == _ELEMENT)
            out.append((str(entity.get("role", "")), one, used))
    return out
